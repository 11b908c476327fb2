"""The steps of a night as plain functions, and the one place that knows their order.

manifests -> planned jobs -> (grid, device fits) -> one allocation, where capacities are given -> estimates and plans,
partition by partition -> release
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from opencarbon.pipeline.ahead import Ingested, Refitted, ingest, refit
from opencarbon.pipeline.backfill_nights import DAY, BackfilledNight, backfill_nights, moments_of
from opencarbon.pipeline.files import write_single
from opencarbon.pipeline.foresight import foresee
from opencarbon.pipeline.gate import pass_gate
from opencarbon.pipeline.night import JobsRead, Night, Outcome, Prepared, Progress, night_of, silent
from opencarbon.pipeline.outcomes import PartitionOutcome, ZoneOutcome
from opencarbon.pipeline.preparation import prepare
from opencarbon.pipeline.steps import allocate, estimate, read, recommend
from opencarbon.pipeline.work import read_parts
from opencarbon.pipeline.workers import for_partitions, refuse_runners_of_flows
from opencarbon.settings import Settings
from opencarbon.tables.contracts import PUBLISHED

__all__ = [
    "BackfilledNight",
    "Ingested",
    "JobsRead",
    "Night",
    "Outcome",
    "PartitionOutcome",
    "Prepared",
    "Progress",
    "Refitted",
    "ZoneOutcome",
    "allocate",
    "backfill",
    "estimate",
    "foresee",
    "ingest",
    "night_of",
    "prepare",
    "read",
    "recommend",
    "refit",
    "run_night",
    "write_job_table",
]

_LOG = logging.getLogger("opencarbon.pipeline")


def run_night(night: Night, *, dry_run: bool = False, progress: Progress = silent) -> Outcome:
    """All steps of a night, partitions on all cores.

    Parameters
    ----------
    night : Night
    dry_run : bool, optional
        Publish nothing and ask nothing of the network.
    progress : callable, optional

    Returns
    -------
    Outcome
    """
    refuse_runners_of_flows(night.settings.run)
    night = replace(night, offline=True) if dry_run else night
    jobs = read(night, progress)
    prepared = prepare(night, jobs, progress=progress)
    outcomes: list[PartitionOutcome] = []
    if dry_run or not prepared.is_published:
        prepared, outcomes = _estimate_all(night, prepared, progress)
    if dry_run:
        return foresee(night, jobs, prepared, outcomes)
    progress("publish", 0, 1)
    outcome = recommend(night, jobs, prepared, outcomes)
    progress("publish", 1, 1)
    return outcome


def backfill(
    settings: Settings,
    manifests: Iterable[str],
    *,
    first_utc: datetime,
    last_utc: datetime,
    every: timedelta = DAY,
    now_utc: datetime,
    offline: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> list[BackfilledNight]:
    """Go through nights of the past, oldest first, each over the same manifests.

    Parameters
    ----------
    settings : Settings
        With ``publish.root``.
    manifests : iterable of str
    first_utc, last_utc : datetime
        Aware; moments of the first night, and of the last at most.
    every : timedelta, optional
    now_utc : datetime
        Aware; the moment it is.
    offline, dry_run : bool, optional
    progress : callable, optional
        Told about nights.

    Returns
    -------
    list of BackfilledNight
        One for every night; a night that fails does not keep the others from being published.

    Raises
    ------
    ConfigError, ManifestError
        What every night would fail for.

    Notes
    -----
    ``latest`` never moves to an older night. A night that looks from more than a day ago asks nothing of the network:
    where no forecast was stored by then, it plans on what is usual (``climatology``) or on annual means.
    """
    moments = moments_of(first_utc, last_utc, every)
    return backfill_nights(
        lambda night: run_night(night, dry_run=dry_run),
        *(settings, tuple(manifests), moments),
        now_utc=now_utc,
        offline=offline,
        progress=progress,
    )


def write_job_table(
    night: Night, table: str, path: Path, *, fits: Path | None = None, progress: Progress = silent
) -> tuple[int, JobsRead, Prepared]:
    """Write one table of jobs to a file, and publish nothing.

    Parameters
    ----------
    night : Night
    table : str
        ``fact_job_estimate`` or ``rec_job``.
    path : Path
    fits : Path, optional
        Device fits to use instead of a refit.
    progress : callable, optional

    Returns
    -------
    rows : int
        Rows written.
    jobs : JobsRead
        What the manifests held.
    prepared : Prepared
        Inputs of the estimates.
    """
    refuse_runners_of_flows(night.settings.run)
    jobs = read(night, progress)
    prepared, outcomes = _estimate_all(
        night, prepare(night, jobs, fits_file=fits, progress=progress), progress
    )
    jobs, prepared, _ = pass_gate(night, jobs, replace(prepared, is_published=False), outcomes)
    parts = (
        part.append_column("run_id", pa.repeat(prepared.run_id, part.num_rows))
        for part in read_parts(night.work, table)
    )
    rows = write_single(path, PUBLISHED[table], parts)
    _LOG.info("written: table=%s rows=%d file=%s", table, rows, path)
    return rows, jobs, prepared


def _estimate_all(
    night: Night, prepared: Prepared, progress: Progress
) -> tuple[Prepared, list[PartitionOutcome]]:
    prepared, outcomes = allocate(night, prepared), []
    for done, outcome in enumerate(for_partitions(estimate, night, prepared.partitions), start=1):
        outcomes.append(outcome)
        progress("estimate and plan", done, prepared.partitions)
    return prepared, sorted(outcomes, key=lambda outcome: outcome.partition)
