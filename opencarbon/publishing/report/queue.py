"""What the report shows of the jobs of a run, read a row group at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.publishing.joined import job_batches
from opencarbon.sources.places import Place

JOBS_SHOWN: Final = 10_000
"""Jobs that a page holds at most: those of the greatest planned emissions."""
MOVED: Final = ("move", "delay", "move_and_delay")
"""Actions that change a plan."""
SOURCES: Final = ("fit_source_id", "power_source_id", "intensity_source_id")
"""Columns that name where a figure of a job is from."""
_LIKELY: Final = 0.5
_COLUMNS: Final = {
    "dim_job": ("team", "project", "model", "device", "device_count"),
    "fact_job_estimate": (
        *("baseline_region", "total_kgco2e", "status"),
        *SOURCES,
    ),
    "rec_job": (
        *("action", "plan_status", "advised_region", "advised_start_utc", "advised_finish_utc"),
        *("advised_total_kgco2e", "saving_kgco2e", "saving_low_kgco2e", "saving_high_kgco2e", "saving_pct"),
        *("deadline_risk", "budget_status"),
    ),
}


@dataclass(frozen=True, slots=True)
class Queue:
    """The jobs of a run as the report shows them.

    Parameters
    ----------
    jobs : sequence of dict
        Those of the greatest planned emissions, the greatest first; no more than ``JOBS_SHOWN``.
    savers : sequence of dict
        Those that save most.
    count : int
        Accepted jobs.
    actions : mapping of str to int
        Jobs by action.
    likely_late, over_budget : int
    planned_kgco2e_by_region : mapping of str to float
        Planned emissions by region of the baseline.
    devices : set of str
        Devices of all jobs.
    late : sequence of dict
        Jobs most likely to be late, the likeliest first.
    sources : set of str
        Sources of the figures of all jobs.
    """

    jobs: Sequence[dict[str, Any]]
    savers: Sequence[dict[str, Any]]
    count: int
    actions: Mapping[str, int]
    likely_late: int
    over_budget: int
    planned_kgco2e_by_region: Mapping[str, float]
    devices: set[str]
    late: Sequence[dict[str, Any]]
    sources: set[str]


def read_queue(run: Place, *, savers: int) -> Queue:
    """Read the jobs of a run.

    Parameters
    ----------
    run : Place
        Its directory.
    savers : int
        How many of those that save most.

    Returns
    -------
    Queue
    """
    greatest = saving = latest = None
    actions: Counter[str] = Counter()
    planned: Counter[str] = Counter()
    devices: set[str] = set()
    sources: set[str] = set()
    count = likely_late = over_budget = 0
    for jobs in job_batches(run, _COLUMNS):
        count += jobs.num_rows
        devices |= _names(jobs, "device")
        sources |= {source for column in SOURCES for source in _names(jobs, column)}
        actions.update(_counted(jobs, "action"))
        late = jobs.filter(pc.greater(jobs["deadline_risk"], pa.scalar(_LIKELY)))
        likely_late += late.num_rows
        latest = _most(latest, late, "deadline_risk", savers)
        over_budget += jobs.filter(pc.equal(jobs["budget_status"], pa.scalar("over"))).num_rows
        planned.update(_summed(jobs, "baseline_region", "total_kgco2e"))
        greatest = _most(greatest, jobs, "total_kgco2e", JOBS_SHOWN)
        saves = jobs.filter(pc.greater(jobs["saving_kgco2e"], pa.scalar(0.0)))
        saving = _most(saving, saves, "saving_kgco2e", savers)
    return Queue(
        jobs=[] if greatest is None else greatest.to_pylist(),
        savers=[] if saving is None else saving.to_pylist(),
        count=count,
        actions=dict(actions),
        likely_late=likely_late,
        over_budget=over_budget,
        planned_kgco2e_by_region=dict(planned),
        devices=devices,
        late=[] if latest is None else latest.to_pylist(),
        sources=sources,
    )


def _names(jobs: pa.Table, column: str) -> set[str]:
    return {name for name in jobs[column].unique().to_pylist() if name}


def _counted(jobs: pa.Table, column: str) -> dict[str, int]:
    counts = jobs.group_by(column).aggregate([([], "count_all")])
    return {row[column]: row["count_all"] for row in counts.to_pylist()}


def _summed(jobs: pa.Table, by: str, column: str) -> dict[str, float]:
    sums = jobs.group_by(by).aggregate([(column, "sum")])
    pairs = zip(sums[by].to_pylist(), sums[f"{column}_sum"].to_pylist(), strict=True)
    return {name: value for name, value in pairs if name is not None and value is not None}


def _most(kept: pa.Table | None, jobs: pa.Table, column: str, most: int) -> pa.Table:
    """The rows of the greatest values among those kept and new ones; rows without a value come last."""
    both = jobs if kept is None else pa.concat_tables([kept, jobs])
    keys: list[tuple[str, Literal["ascending", "descending"]]] = [
        (column, "descending"),
        ("job_id", "ascending"),
    ]
    return both.take(pc.sort_indices(both, sort_keys=keys)[:most])
