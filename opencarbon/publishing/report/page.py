"""The report of a run, put together from its tables."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.publishing.dictionary import MEANING
from opencarbon.publishing.drawings import Drawing, SourceList, drawing_with
from opencarbon.publishing.figures.captions import Caption
from opencarbon.publishing.figures.hours import TITLE, coming_hours
from opencarbon.publishing.figures.svg import in_both_widths
from opencarbon.publishing.numbers import NOT_KNOWN, mass, number
from opencarbon.publishing.parquet import read_row_groups, read_table
from opencarbon.publishing.render import Cell, Group, Heading, TableView, render
from opencarbon.publishing.report.headline import headline, highlights
from opencarbon.publishing.report.hours import ComingHours, coming_hours_of
from opencarbon.publishing.report.jobs_data import jobs_data
from opencarbon.publishing.report.outcomes import outcomes_view
from opencarbon.publishing.report.queue import Queue, read_queue
from opencarbon.publishing.report.sections import (
    events_view,
    fits_view,
    level_of,
    regions_view,
    rejected_view,
    risk,
    saving_cell,
    sums_view,
    what_to_do,
)
from opencarbon.publishing.words import ACTIONS, moment
from opencarbon.sources.places import Place

_SAVERS: Final = 12
_STATIC_ROWS: Final = 50
_REJECTED: Final = 100
_SCOPES: Final = ("team", "project", "device", "region")
_CONTENTS: Final = (
    *(("to-do", "What to do"), ("regions", "Regions"), ("hours", "Coming hours"), ("jobs", "All jobs")),
    *(("sums", "Sums"), ("limits", "What it rests on"), ("earlier", "Earlier advice")),
    *(("method", "Method"), ("sources", "Sources")),
)

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Run:
    """The small tables of a run as rows."""

    run: Mapping[str, Any]
    regions: Rows
    totals: Rows
    events: Rows
    fits: Rows


def report_page(directory: Path | Place) -> str:
    """Make the report of a run from its tables.

    Parameters
    ----------
    directory : Path or Place
        Directory of the run, published or staged, with every table of a release.

    Returns
    -------
    str
        One HTML file that loads nothing, below 2 MB whatever the queue; the same for the same tables.

    Raises
    ------
    ConfigError
        If Jinja or matplotlib is not installed.
    PublishError
        If a table is missing.
    """
    run = directory if isinstance(directory, Place) else Place.of(directory)
    facts = _read(run)
    queue = read_queue(run, savers=_SAVERS)
    as_of_utc = facts.run["as_of_utc"]
    data, count = jobs_data(queue.jobs, as_of_utc)
    hours = coming_hours_of(run, as_of_utc, queue, facts.regions)
    total = next((row for row in facts.totals if row["scope"] == "run"), None)
    rejected, rejected_count = _rejected(run)
    listed, level = _sources(run, queue, facts.regions), level_of(facts.fits)
    script = files("opencarbon.publishing").joinpath("templates/report.js").read_text(encoding="utf-8")
    return render(
        "report.html",
        headline=headline(total, queue, facts.regions, level),
        highlights=highlights(total, queue, rejected_count),
        contents=_CONTENTS,
        savers=what_to_do(queue.savers, level),
        level=level,
        actions=_actions(queue),
        late=queue.late,
        regions=regions_view(facts.regions),
        hours=_hours_drawing(hours),
        missing_hours=list(hours.missing),
        jobs=queue.jobs[:_STATIC_ROWS],
        shown=count,
        count=queue.count,
        cells=_job_cells,
        data=data,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sums=[table for scope in _SCOPES if (table := sums_view(facts.totals, scope))],
        events=events_view(facts.events),
        rejected=rejected_view(rejected, rejected_count) if rejected_count else None,
        outcomes=outcomes_view(run),
        fits=fits_view(facts.fits, queue.devices),
        meaning=MEANING,
        run=facts.run,
        attributions=listed.attributions,
        sources=listed.rows,
        facts=_footer(facts.run),
    )


def _read(run: Place) -> _Run:
    (about,) = read_table(run, "dim_run").to_pylist()
    zones = {row["region"]: row["zone"] for row in read_table(run, "dim_region").to_pylist()}
    regions = [row | {"zone": zones.get(row["region"])} for row in read_table(run, "rec_region").to_pylist()]
    totals, events, fits = (
        read_table(run, name).to_pylist() for name in ("fact_total", "run_event", "fact_device_fit")
    )
    return _Run(about, regions, totals, events, fits)


def _rejected(run: Place) -> tuple[list[dict[str, Any]], int]:
    """The first rejected rows, and how many there are."""
    rows: list[dict[str, Any]] = []
    count = 0
    for group in read_row_groups(run, "rejected_job"):
        rows += group.slice(0, max(_REJECTED - len(rows), 0)).to_pylist()
        count += group.num_rows
    return rows, count


def _sources(run: Place, queue: Queue, regions: Rows) -> SourceList:
    """Sources of the jobs, of their devices, and of the regions that the page shows."""
    shown = {row["region"] for row in regions if row["jobs"]} | set(queue.planned_kgco2e_by_region)
    zones = {row["zone"] for row in regions if row["region"] in shown and row["zone"]}
    cited = {
        "dim_region": ("region", shown),
        "dim_zone": ("zone", zones),
        "fact_grid_intensity_hourly": ("zone", zones),
        "dim_device": ("device", queue.devices),
        "fact_device_fit": ("device", queue.devices),
    }
    tables = [_rows_of(read_table(run, name), column, names) for name, (column, names) in cited.items()]
    of_jobs = pa.table({"source_id": pa.array(sorted(queue.sources), pa.string())})
    return SourceList.of([*tables, of_jobs], read_table(run, "dim_source"))


def _rows_of(table: pa.Table, column: str, names: set[str]) -> pa.Table:
    return table.filter(pc.is_in(table[column], value_set=pa.array(sorted(names), pa.string())))


def _actions(queue: Queue) -> str:
    counts = [
        f"{number(queue.actions[action])} {words}"
        for action, words in ACTIONS.items()
        if action in queue.actions
    ]
    return ", ".join(counts)


def _hours_drawing(hours: ComingHours) -> Drawing | None:
    if not hours.curves:
        return None
    description = "; ".join(
        f"{curve.name}: {number(min(known), 3)} to {number(max(known), 3)} gCO2e/kWh"
        for curve in hours.curves
        if (known := [value for value in curve.values if value is not None])
    )
    drawn = in_both_widths(
        lambda width: coming_hours(hours.start_utc, hours.curves, hours.windows, width), TITLE, description
    )
    kinds = sorted({kind for found in hours.kinds.values() for kind in found})
    caption = Caption(
        "",
        TITLE,
        f"Carbon intensity of the grid, in UTC; broken lines are zones where jobs are planned now. Data: {', '.join(kinds)}."
        + (
            " Bars are the jobs that save most; an arrow goes on beyond the hours shown."
            if hours.windows
            else ""
        ),
    )
    return drawing_with("coming_hours", caption, drawn, [_hours_table(hours)])


def _hours_table(hours: ComingHours) -> TableView:
    headings = [
        Heading("Zone"),
        *(Heading(text, unit="gCO₂e/kWh", numeric=True) for text in ("Lowest", "Mean", "Highest")),
        Heading("Data"),
    ]
    return TableView("summary by zone", headings, [Group(list(_hour_rows(hours)))])


def _hour_rows(hours: ComingHours) -> Iterator[list[Cell]]:
    for curve in hours.curves:
        known = [value for value in curve.values if value is not None]
        values = (min(known), sum(known) / len(known), max(known)) if known else (None, None, None)
        yield [
            Cell(curve.name, badge="now" if curve.is_current else None),
            *(Cell(number(value, 3), numeric=True) for value in values),
            Cell(", ".join(hours.kinds[curve.zone]) or NOT_KNOWN),
        ]


def _job_cells(job: Mapping[str, Any]) -> list[Cell]:
    owner = " · ".join(name for name in (job["team"], job["project"], job["model"]) if name)
    plan = job["plan_status"]
    return [
        Cell(job["job_id"], small=owner),
        Cell(ACTIONS[job["action"]], small="" if plan == "ok" else plan.replace("_", " ")),
        saving_cell(job),
        Cell(mass(job["total_kgco2e"]), numeric=True, small=job["status"] or ""),
        Cell(job["baseline_region"] or NOT_KNOWN),
        Cell(job["advised_region"] or NOT_KNOWN),
        Cell(moment(job["advised_start_utc"])),
        Cell(job["device"], small=f"× {number(job['device_count'])}"),  # noqa: RUF001
        Cell(risk(job["deadline_risk"]), numeric=True),
    ]


def _footer(run: Mapping[str, Any]) -> dict[str, str]:
    as_of: datetime = run["as_of_utc"]
    return {
        "run": run["run_id"],
        "as of": f"{as_of:%Y-%m-%d %H:%M} UTC",
        "opencarbon": run["version"],
        "profile": run["profile"],
        "emission factors": run["emission_factor_type"],
        "basis": run["accounting_basis"],
    }
