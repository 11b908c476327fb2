"""The steps of a night as plain functions, and the one place that knows their order.

manifests -> planned jobs -> (grid, device fits) -> one allocation, where capacities are given -> estimates and plans,
partition by partition -> release
"""

import logging
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from opencarbon.pipeline.accounts import account_events, accounts_of_parts
from opencarbon.pipeline.allocation import allocate_partitions, keep_capacities, saving_status
from opencarbon.pipeline.context import (
    keep_inputs,
    load_context,
    run_identity,
    settings_catalog,
)
from opencarbon.pipeline.files import read_fits, write_single
from opencarbon.pipeline.fit_memory import keep_published, keep_refit, refit_of_night
from opencarbon.pipeline.fits import collect_runs, other_than_asked
from opencarbon.pipeline.forecast_errors import errors_of_forecasts
from opencarbon.pipeline.foresight import foresee
from opencarbon.pipeline.grid import known_grid, pull_grid
from opencarbon.pipeline.hindsight import hindsight_of_night, scorecard_of_night
from opencarbon.pipeline.history import night_history
from opencarbon.pipeline.jobs import read_jobs
from opencarbon.pipeline.night import JobsRead, Night, Outcome, Prepared, Progress, night_of, silent
from opencarbon.pipeline.partition import estimate_partition
from opencarbon.pipeline.release import degraded_zones, extra_columns, write_tables
from opencarbon.pipeline.summary import summary_of_parts, summary_of_run
from opencarbon.pipeline.work import for_each, read_parts
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.release import publish, stage_directory, whole_run
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import DEVICE_FITS

__all__ = [
    "JobsRead",
    "Night",
    "Outcome",
    "Prepared",
    "Progress",
    "allocate",
    "estimate",
    "foresee",
    "night_of",
    "prepare",
    "read",
    "recommend",
    "run_night",
    "write_job_table",
]

_LOG = logging.getLogger("opencarbon.pipeline")


def read(night: Night, progress: Progress = silent) -> JobsRead:
    """First step: manifests to planned jobs.

    Parameters
    ----------
    night : Night
    progress : callable, optional

    Returns
    -------
    JobsRead
    """
    jobs = read_jobs(night, settings_catalog(night.settings), progress)
    _LOG.info(
        "jobs read: rows=%d rejected=%d partitions=%d zones=%d",
        *(jobs.read, jobs.rejected, jobs.partitions, len(jobs.zones)),
    )
    return jobs


def prepare(
    night: Night, jobs: JobsRead, *, fits_file: Path | None = None, progress: Progress = silent
) -> Prepared:
    """Second step: pull the grid, refit the devices, and give the run its identity.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    fits_file : Path, optional
        Device fits to use instead of a refit.
    progress : callable, optional

    Returns
    -------
    Prepared
    """
    catalog = settings_catalog(night.settings)
    keep_capacities(night.work, night.settings, catalog)
    progress("pull grid intensities", 0, 1)
    fetched, pulled = pull_grid(night, jobs.zones)
    grid, unreadable = known_grid(night, fetched)
    forecast_error, unlearnt = errors_of_forecasts(night, jobs.zones)
    _LOG.info(
        "grid known: zones_asked=%d rows_fetched=%d rows_known=%d warnings=%d",
        *(
            0 if night.offline else len(jobs.zones),
            fetched.num_rows,
            grid.num_rows,
            len(pulled) + len(unreadable),
        ),
    )
    progress("pull grid intensities", 1, 1)
    progress("refit devices", 0, 1)
    history, unread = (None, []) if fits_file else night_history(night, catalog)
    if fits_file:
        runs, refused = collect_runs(catalog, None)
        fits = read_fits(fits_file, DEVICE_FITS, catalog.devices)
    else:
        refit = refit_of_night(night, catalog, history)
        fits, runs, refused = refit.fits, refit.runs, refit.events
    _LOG.info("devices fitted: devices=%d runs=%d warnings=%d", fits.num_rows, runs.num_rows, len(refused))
    keep_inputs(night.work, grid=grid, fits=fits, runs=runs, forecast_error=forecast_error)
    context = load_context(night)
    hindsight = hindsight_of_night(night, catalog, grid)
    run_id, inputs = run_identity(night, jobs, context, runs, hindsight.identity)
    asked = other_than_asked(fits, night.settings.estimate)
    told = (*asked, *unread, *degraded_zones(jobs, context), *hindsight.events)
    events = (*jobs.events, *pulled, *unreadable, *unlearnt, *refused, *told)
    progress("refit devices", 1, 1)
    is_published = whole_run(Layout(Path(night.root)), run_id) is not None
    return Prepared(run_id, inputs, jobs.partitions, is_published, events)


def allocate(night: Night, prepared: Prepared) -> Prepared:
    """Third step: give all jobs together the places that capacity holds; nothing without ``plan.capacities``.

    Parameters
    ----------
    night : Night
    prepared : Prepared

    Returns
    -------
    Prepared
        With what came of it among its events.
    """
    if not night.settings.plan.capacities:
        return prepared
    told = allocate_partitions(night, prepared.partitions)
    _LOG.info("queue allocated: %s", told[0].detail)
    return replace(prepared, events=(*prepared.events, *told))


def estimate(night: Night, partition: int) -> int:
    """Fourth step, once for every partition and in any order: estimate and plan its jobs.

    Parameters
    ----------
    night : Night
    partition : int

    Returns
    -------
    int
        Jobs of the partition.
    """
    jobs = estimate_partition(night, partition)
    _LOG.info("partition estimated and planned: partition=%d jobs=%d", partition, jobs)
    return jobs


def recommend(night: Night, jobs: JobsRead, prepared: Prepared) -> Outcome:
    """Last step: join the partitions into a release and publish it.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    prepared : Prepared

    Returns
    -------
    Outcome
    """
    root = Path(night.root)
    staged = stage_directory(root, prepared.run_id)
    rows, summary = {}, None
    if not prepared.is_published:
        accounts = accounts_of_parts(night.work, night.settings, saving_status=saving_status(night.settings))
        summary = summary_of_parts(night.work, accounts.totals, accounts.claims)
        told = account_events(summary, night.settings)
        rows = write_tables(
            *(night, jobs, load_context(night), accounts, (*prepared.events, *told)),
            *(prepared.run_id, prepared.inputs_sha256, staged),
        )
    unkept = keep_published(night)
    published = publish(
        root,
        prepared.run_id,
        night.as_of_utc,
        staged,
        PUBLISHED,
        facts={"jobs_read": jobs.read, "jobs_rejected": jobs.rejected},
        keep_runs=night.settings.publish.keep_runs,
        now_utc=night.now_utc,
        extra=extra_columns(night),
    )
    if published.status != "superseded":  # the nights after it have compared with others
        unkept += keep_refit(night)
    summary = summary or summary_of_run(published.directory)
    _LOG.info("published: status=%s run_id=%s", published.status, prepared.run_id)
    return Outcome(
        status=published.status,
        run_id=prepared.run_id,
        directory=published.directory,
        jobs_read=jobs.read,
        jobs_rejected=jobs.rejected,
        events=(*prepared.events, *account_events(summary, night.settings), *unkept),
        summary=summary,
        scorecard=scorecard_of_night(night),
        rows=rows or {name: record.rows for name, record in published.tables.items()},
    )


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
    night = replace(night, offline=True) if dry_run else night
    jobs = read(night, progress)
    prepared = prepare(night, jobs, progress=progress)
    if dry_run or not prepared.is_published:
        prepared = _estimate_all(night, prepared, progress)
    if dry_run:
        return foresee(night, jobs, prepared)
    progress("publish", 0, 1)
    outcome = recommend(night, jobs, prepared)
    progress("publish", 1, 1)
    return outcome


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
    jobs = read(night, progress)
    prepared = _estimate_all(night, prepare(night, jobs, fits_file=fits, progress=progress), progress)
    parts = (
        part.append_column("run_id", pa.repeat(prepared.run_id, part.num_rows))
        for part in read_parts(night.work, table)
    )
    rows = write_single(path, PUBLISHED[table], parts)
    _LOG.info("written: table=%s rows=%d file=%s", table, rows, path)
    return rows, jobs, prepared


def _estimate_all(night: Night, prepared: Prepared, progress: Progress) -> Prepared:
    prepared = allocate(night, prepared)
    for done in for_each(lambda number: estimate(night, number), prepared.partitions):
        progress("estimate and plan", done, prepared.partitions)
    return prepared
