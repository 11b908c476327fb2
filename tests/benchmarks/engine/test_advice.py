"""All that a night does to plan a partition, beside the lowest means alone, in the same run."""

from datetime import datetime
from pathlib import Path

import numpy as np

from opencarbon import pipeline
from opencarbon.cli.options import settings_of
from opencarbon.physics.shifting import lowest_mean
from opencarbon.pipeline.context import load_context
from opencarbon.pipeline.jobs import PLANNED
from opencarbon.pipeline.partition import estimate_batch, plan_batch
from opencarbon.pipeline.work import read_part
from tests import large_queue
from tests.benchmarks.engine import by_numpy, questions
from tests.benchmarks.engine.clock import JOBS, cpu_seconds, show_ratios

ADVICE_AT_MOST = 6.0
"""Most CPU time of all planning of a night, in that of the lowest means by NumPy: 2.5 with 4,000 jobs."""


def test_advice_takes_few_times_what_the_lowest_means_alone_take(tmp_path: Path) -> None:
    """Planning in a night beside the question here: ranks, quality, deadlines, pauses, intervals and the baselines too."""
    settings = settings_of(large_queue.write_all(tmp_path, JOBS), None, str(tmp_path / "out"), completed=())
    at = datetime.fromisoformat(large_queue.AS_OF)
    manifests = [str(tmp_path / "queue.parquet")]
    with pipeline.night_of(settings, manifests, as_of_utc=at, now_utc=at, offline=True) as night:
        pipeline.prepare(night, pipeline.read(night))
        context = load_context(night)
        estimates, estimating = cpu_seconds(
            lambda: estimate_batch(read_part(night.work, PLANNED, 0), context)
        )
        plan, planning = cpu_seconds(lambda: plan_batch(estimates, context))
    count = estimates.jobs.num_rows
    zones, (jobs, _) = questions.curves(), questions.jobs(count)
    seconds = {
        "lowest means": cpu_seconds(lambda: lowest_mean(zones, *jobs))[1],
        "estimates of a night": estimating,
    }
    seconds["planning of a night"] = planning
    seconds["NumPy, every boundary"] = cpu_seconds(lambda: by_numpy.every_boundary(zones, jobs))[1]
    show_ratios("a partition of a night", count, seconds)

    assert np.all(plan.alternatives.region[:, 0] >= 0)
    assert planning <= ADVICE_AT_MOST * seconds["NumPy, every boundary"]
