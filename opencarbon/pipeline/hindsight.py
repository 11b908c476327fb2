"""What came of the advice of earlier nights, told in the first night that can tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog import Catalog
from opencarbon.errors import SourceError
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves, measured_curves
from opencarbon.estimation.hindsight.outcomes import HindsightRules, outcomes_if_followed, outcomes_of_runs
from opencarbon.estimation.hindsight.scorecard import Scorecard, scorecard_of
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.past_advice import SOURCE, AdviceArchive, among
from opencarbon.pipeline.release import OUTCOMES
from opencarbon.pipeline.work import read_arrow, write_arrow
from opencarbon.publishing.history import read_history
from opencarbon.publishing.layout import RUN_MINUTE, Layout
from opencarbon.publishing.past_runs import PastRun, past_runs
from opencarbon.sources.completed_jobs import UNREAD_FILE, CompletedJobs, read_completed, sentences
from opencarbon.sources.places import Place
from opencarbon.sources.storage import scheme_of
from opencarbon.sources.store.files import parquet_sha256
from opencarbon.sources.store.intensities import read_as_of
from opencarbon.tables.columns import TIMESTAMP
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import COMPLETED_JOBS
from opencarbon.units import whole_hour

LATE_MEASUREMENTS: Final = timedelta(days=10)
"""How long before the last night advised runs may have ended and still be told as if they were followed: measured hours
come within hours, imports of them within days."""

_MOST_LISTED: Final = 100
"""Rejected rows that have an event each."""
_FEW: Final = 3
_MINUTE: Final = timedelta(minutes=1)
_CONTRACT: Final = PUBLISHED["fact_advice_outcome"]
_SCHEMA: Final = pa.schema([column for column in _CONTRACT.schema() if column.name != "run_id"])
_KEY: Final = ("job_id", "run_id_of_advice")
_TOLD: Final = (
    *(*_KEY, "outcome_status", "actual_region", "started_utc", "finished_utc"),
    *("device_hours", "energy_kwh", "energy_source", "run_id"),
)
_MADE_UP: Final = "history"
"""Stands for the file of a completed job that an earlier night told."""


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What a night tells of the advice before it; the outcomes, which no night before has told, are in its work folder.

    Parameters
    ----------
    events : tuple of Event
    identity : str
        Digest of the outcomes and of the files of completed jobs.
    """

    events: tuple[Event, ...]
    identity: str


def hindsight_of_night(night: Night, catalog: Catalog, grid: pa.Table) -> Hindsight:
    """Tell what came of the advice of earlier nights.

    Parameters
    ----------
    night : Night
    catalog : Catalog
    grid : pa.Table
        ``GRID_INTENSITY`` that the night plans with; what it lacks of measured hours is read from the store.

    Returns
    -------
    Hindsight

    Raises
    ------
    PublishError
        If the history of the release cannot be read.

    Notes
    -----
    Only nights before this one count, for advice and for what was told: a night that is repeated is the same, be it that
    publishing it deleted the oldest of them.
    """
    given, events = _given(night, catalog)
    layout = Layout(Place.of(night.root))
    archive = AdviceArchive(night, past_runs(layout, night.as_of_utc))
    found: list[pa.Table] = []
    if archive.runs:
        before = f"{night.as_of_utc:{RUN_MINUTE}}"
        told = read_history(layout, _CONTRACT, _TOLD, since=archive.runs[0].run_id, before=before)
        measured = _measured(night, archive.runs[0], grid)
        plan = night.settings.plan
        rules = HindsightRules(catalog.offers, plan.max_delay_hours, plan.default_region)
        completed = _to_tell(given.jobs, told, archive.runs)
        found += _of_runs(archive, completed, told, measured, rules, events)
        known = pa.chunked_array([*given.jobs["job_id"].chunks, *told["job_id"].chunks], pa.string())
        found += _if_followed(archive, known, measured)
        events += archive.events()
    elif given.jobs.num_rows:
        events.append(_few("never_advised", "no earlier run is stored", given.jobs))
    found.append(_told_before_pruning(layout, night, archive.runs))
    outcomes = pa.concat_tables([_SCHEMA.empty_table(), *(table.cast(_SCHEMA) for table in found)])
    outcomes = outcomes.sort_by([(name, "ascending") for name in _KEY])
    write_arrow(night.work / OUTCOMES, outcomes)
    return Hindsight(tuple(events), f"{given.sha256} {parquet_sha256(outcomes)}")


def scorecard_of_night(night: Night) -> Scorecard:
    """What a night tells of the advice before it, in a few sums.

    Parameters
    ----------
    night : Night
        That went through :func:`hindsight_of_night`.

    Returns
    -------
    Scorecard
    """
    return scorecard_of(read_arrow(night.work / OUTCOMES))


def _given(night: Night, catalog: Catalog) -> tuple[CompletedJobs, list[Event]]:
    """Completed jobs that the night was given and that had ended by then."""
    paths, options = night.settings.hindsight.completed, night.settings.manifest
    here = [path for path in paths if not night.offline or scheme_of(path) in ("", "file")]
    given = read_completed(
        here,
        regions=catalog.region_names(),
        columns=options.columns,
        naive_as_utc=options.naive_timestamps == "UTC",
    )
    events = list(_rejections(given.rejected))
    if len(here) < len(paths):
        detail = f"places of completed jobs not read, to stay offline: {len(paths) - len(here)}"
        events.append(Event("info", SOURCE, None, "offline", detail))
    now = pa.scalar(night.as_of_utc, TIMESTAMP)
    has_ended = pc.less_equal(given.jobs["finished_utc"], now)
    later = given.jobs.filter(pc.invert(has_ended))
    if later.num_rows:
        events.append(_few("not_finished", "ended after the moment the night looks from, left out", later))
    return CompletedJobs(given.jobs.filter(has_ended), given.rejected, given.sha256), events


def _rejections(rejected: pa.Table) -> Iterator[Event]:
    listed = rejected.slice(0, _MOST_LISTED)
    for row, words in zip(listed.to_pylist(), sentences(listed), strict=True):
        code = UNREAD_FILE if row["rule_code"] == UNREAD_FILE else "rejected_row"
        yield Event("warning", SOURCE, row["job_id"], code, words)
    more = rejected.num_rows - listed.num_rows
    if more:
        yield Event(
            "warning", SOURCE, None, "rejected_rows", f"{more} more rows of completed jobs break rules"
        )


def _few(code: str, words: str, jobs: pa.Table) -> Event:
    """A note on completed jobs, with the names of the first of them."""
    names = ", ".join(map(str, jobs["job_id"].slice(0, _FEW).to_pylist()))
    more = ", ..." if jobs.num_rows > _FEW else ""
    plural = "job" if jobs.num_rows == 1 else "jobs"
    return Event("info", SOURCE, None, code, f"{jobs.num_rows} completed {plural} ({names}{more}): {words}")


def _told_before_pruning(layout: Layout, night: Night, runs: Sequence[PastRun]) -> pa.Table:
    """What this very night told, when it was published before, of advice whose run was deleted since."""
    since, before = (f"{moment:{RUN_MINUTE}}" for moment in (night.as_of_utc, night.as_of_utc + _MINUTE))
    rows = read_history(layout, _CONTRACT, _CONTRACT.columns, since=since, before=before)
    stored = pa.array([run.run_id for run in runs], pa.string())
    rows = rows.filter(pc.invert(among(rows["run_id_of_advice"], stored)))
    of_one_run = pc.equal(rows["run_id"], pc.max(rows["run_id"]))
    return rows.filter(of_one_run).drop_columns(["run_id"])


def _measured(night: Night, oldest: PastRun, grid: pa.Table) -> MeasuredCurves:
    since = whole_hour(oldest.as_of_utc)
    try:
        stored, _ = read_as_of(night.settings.store.root, night.as_of_utc, since_utc=since)
    except SourceError:  # said where the night read it
        stored = grid.slice(0, 0)
    options = night.settings.electricity_maps
    return measured_curves(
        pa.concat_tables([stored.cast(grid.schema), grid]),
        since,
        night.as_of_utc,
        emission_factor_type=options.emission_factor_type,
        accounting_basis=options.accounting_basis,
    )


def _to_tell(given: pa.Table, told: pa.Table, runs: Sequence[PastRun]) -> pa.Table:
    """Completed jobs that are not told yet: those given, and those told before their hours were measured."""
    status = told["outcome_status"]
    final = told.filter(among(status, pa.array(["followed", "not_followed"])))
    stored = pa.array([run.run_id for run in runs], pa.string())
    waits = pc.and_(pc.equal(status, pa.scalar("no_measured")), among(told["run_id_of_advice"], stored))
    waits = pc.and_(waits, pc.invert(among(told["job_id"], given["job_id"])))
    waiting = _last_of_each_job(told.filter(waits))
    is_measured = pc.equal(waiting["energy_source"], pa.scalar("measured"))
    again: dict[str, Any] = {
        name: waiting[name] for name in ("job_id", "started_utc", "finished_utc", "device_hours")
    } | {
        "region": waiting["actual_region"],
        "energy_kwh": pc.if_else(is_measured, waiting["energy_kwh"], pa.scalar(None, pa.float64())),
        "manifest": pa.repeat(_MADE_UP, waiting.num_rows),
        "row": pa.repeat(0, waiting.num_rows),
    }
    schema = COMPLETED_JOBS.schema()
    rows = pa.concat_tables([given.select(schema.names), pa.table(again).select(schema.names).cast(schema)])
    key = ["job_id", "started_utc"]
    numbered = rows.select(key).append_column("at", pa.array(np.arange(rows.num_rows)))
    left = numbered.join(final.select(key), key, join_type="left anti")
    return rows.take(left["at"].sort())


def _last_of_each_job(told: pa.Table) -> pa.Table:
    """What was told last of each job, in the order in which the jobs were told first."""
    numbered = told.select(["job_id"]).append_column("at", pa.array(np.arange(told.num_rows)))
    ends = numbered.group_by("job_id").aggregate([("at", "min"), ("at", "max")])
    return told.take(ends.sort_by("at_min")["at_max"])


def _of_runs(
    archive: AdviceArchive,
    completed: pa.Table,
    told: pa.Table,
    measured: MeasuredCurves,
    rules: HindsightRules,
    events: list[Event],
) -> Iterator[pa.Table]:
    """Outcomes of completed jobs by the run of their last advice, without what was told before."""
    left = completed
    for run, found in archive.last_advice(completed):
        runs = left.filter(among(left["job_id"], found["job_id"]))
        left = left.filter(pc.invert(among(left["job_id"], found["job_id"])))
        advised = found.filter(found["advised_region"].is_valid())["job_id"]
        unadvised = runs.filter(pc.invert(among(runs["job_id"], advised)))
        if unadvised.num_rows:
            events.append(
                _few("no_place", f"the last run before the start, {run.run_id}, advised no place", unadvised)
            )
        advice = archive.advice(run, advised) if len(advised) else None
        if advice is not None:
            table = outcomes_of_runs(advice, runs, measured, rules)
            before = told.filter(pc.equal(told["run_id_of_advice"], pa.scalar(run.run_id)))
            before = before.filter(pc.not_equal(before["outcome_status"], pa.scalar("if_followed")))
            waits = pc.equal(table["outcome_status"], pa.scalar("no_measured"))
            yield table.filter(pc.invert(pc.and_(waits, among(table["job_id"], before["job_id"]))))
    events += _unadvised(left, archive.runs[0])


def _unadvised(left: pa.Table, oldest: PastRun) -> Iterator[Event]:
    """Completed jobs that no stored run from before they began holds."""
    is_gone = pc.less(left["started_utc"], pa.scalar(oldest.as_of_utc, TIMESTAMP))
    gone, never = left.filter(is_gone), left.filter(pc.invert(is_gone))
    if gone.num_rows:
        words = f"started before the oldest stored run, {oldest.run_id} (publish.keep_runs keeps more)"
        yield _few("advice_gone", words, gone)
    if never.num_rows:
        yield _few("never_advised", "in no stored run from before the start", never)


def _if_followed(
    archive: AdviceArchive, known: "pa.ChunkedArray[pa.StringScalar]", measured: MeasuredCurves
) -> Iterator[pa.Table]:
    """Outcomes, if followed, of advice for jobs whose runs are not known, each job once: under its last advice."""
    if not measured.zones:
        return
    chunks = list(known.chunks)

    def untold(rows: pa.Table) -> pa.Table:
        for told in chunks:
            if rows.num_rows:  # the smaller side is hashed
                larger = len(told) > rows.num_rows
                again = told.filter(pc.is_in(told, value_set=rows["job_id"])) if larger else told
                rows = rows.filter(pc.invert(among(rows["job_id"], again)))
        return rows

    span = (archive.runs[-1].as_of_utc - LATE_MEASUREMENTS, archive.night.as_of_utc)
    for run, rows in archive.advised_to_end(span, untold):
        advice = archive.advice(run, rows["job_id"]) if rows.num_rows else None
        if advice is not None:
            table = outcomes_if_followed(advice, measured)
            chunks += table["job_id"].chunks
            yield table
