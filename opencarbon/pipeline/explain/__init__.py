"""One number of a published run down to what it was made from: of a job, a region or the run as a whole."""

from opencarbon.pipeline.explain.job import JobExplanation, explain_job
from opencarbon.pipeline.explain.names import Named, find_name
from opencarbon.pipeline.explain.region import RegionExplanation, explain_region
from opencarbon.pipeline.explain.run import RunExplanation, explain_run

__all__ = [
    "JobExplanation",
    "Named",
    "RegionExplanation",
    "RunExplanation",
    "explain_job",
    "explain_region",
    "explain_run",
    "find_name",
]
