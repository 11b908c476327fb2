"""Advice of the past beside what came true: jobs, outcomes and scores; tables in, tables out."""

from opencarbon.estimation.backtest.outcomes import Planned, hours_of, outcomes
from opencarbon.estimation.backtest.scores import scores
from opencarbon.estimation.backtest.standard_jobs import DEVICE, StandardJob, planned_jobs, standard_jobs

__all__ = [
    "DEVICE",
    "Planned",
    "StandardJob",
    "hours_of",
    "outcomes",
    "planned_jobs",
    "scores",
    "standard_jobs",
]
