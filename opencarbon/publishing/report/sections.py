"""The tables of the report: what to do, regions, sums, what was degraded, rejected rows, fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opencarbon.publishing.numbers import NOT_KNOWN, mass, number
from opencarbon.publishing.render import Cell, Group, Heading, TableView
from opencarbon.publishing.words import ACTIONS, moment

Rows = Sequence[Mapping[str, Any]]

_STATUSES: Final = {
    "potential": "potential",
    "allocated": "capacity reserved",
    "not_claimed": "not claimed",
}
FLAT: Final = ("annual", "country_annual", "world")
"""Kinds of data that know no hours."""
_REGIONS_SHOWN: Final = 15
_REJECTED_SHOWN: Final = 100
_SCOPES: Final = {
    "team": "Teams",
    "project": "Projects",
    "device": "Devices",
    "region": "Regions of the plan",
}
_SUMS_SHOWN: Final = 15


def level_of(fits: Rows) -> str:
    """Share that intervals are to hold, as an adjective; nothing where the profile states none."""
    levels = {fit["interval_level"] for fit in fits if fit["interval_level"] is not None}
    return f"{number(100 * levels.pop(), 3)} % " if len(levels) == 1 else ""


def what_to_do(savers: Rows, level: str) -> TableView:
    """The jobs that save most."""
    headings = [
        Heading("Job"),
        Heading("Do"),
        Heading("Saves", numeric=True),
        *(Heading(text) for text in ("From", "To", "Start (UTC)")),
        *(Heading(text, numeric=True) for text in ("Planned", "Late")),
    ]
    rows = [
        [
            Cell(job["job_id"]),
            Cell(ACTIONS[job["action"]]),
            saving_cell(job),
            Cell(job["baseline_region"] or NOT_KNOWN),
            Cell(job["advised_region"] or NOT_KNOWN),
            Cell(moment(job["advised_start_utc"])),
            Cell(mass(job["total_kgco2e"]), numeric=True),
            Cell(risk(job["deadline_risk"]), numeric=True, badge=_late(job["deadline_risk"])),
        ]
        for job in savers
    ]
    return TableView(f"The greatest savings, with their {level}intervals", headings, [Group(rows)])


def saving_cell(job: Mapping[str, Any]) -> Cell:
    """A saving with its interval below; a job without advice has none."""
    if job["saving_kgco2e"] is None or job["action"] == "none":
        return Cell(NOT_KNOWN, numeric=True)
    of = "" if job["saving_pct"] is None else f" ({round(job['saving_pct'])} %)"
    below = (
        ""
        if job["saving_low_kgco2e"] is None
        else interval(job["saving_low_kgco2e"], job["saving_high_kgco2e"])
    )
    return Cell(mass(job["saving_kgco2e"]) + of, numeric=True, small=below)


def regions_view(regions: Rows) -> TableView:
    """Regions by rank: the best, and all that jobs are advised to."""
    ranked = sorted(regions, key=lambda row: (row["rank"] is None, row["rank"] or 0, row["region"]))
    shown = [row for at, row in enumerate(ranked) if at < _REGIONS_SHOWN or row["jobs"]]
    headings = [
        *(Heading(text) for text in ("Region", "Zone")),
        Heading("Rank", numeric=True),
        Heading("Next 24 h", unit="gCO₂e/kWh", numeric=True),
        Heading("Next 72 h", unit="gCO₂e/kWh", numeric=True),
        Heading("Cleanest from (UTC)"),
        *(Heading(text, numeric=True) for text in ("Jobs", "Peak MW", "Saves")),
    ]
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for row in shown:
        by_kind.setdefault(row["intensity_kind"] or "no", []).append(row)
    groups = [
        Group([_region_cells(row) for row in rows], title=f"Known from {kind.replace('_', ' ')} data")
        for kind, rows in sorted(by_kind.items(), key=lambda one: -sum(row["jobs"] for row in one[1]))
    ]
    return TableView(
        f"{len(shown)} of {len(regions)} regions: the first in rank, and all that jobs are advised to",
        headings,
        groups,
    )


def _region_cells(row: Mapping[str, Any]) -> list[Cell]:
    return [
        Cell(row["region"]),
        Cell(row["zone"] or NOT_KNOWN),
        Cell(number(row["rank"]), numeric=True),
        Cell(number(row["carbon_intensity_next_24h_gco2e_per_kwh"], 3), numeric=True),
        Cell(number(row["carbon_intensity_next_72h_gco2e_per_kwh"], 3), numeric=True),
        Cell(NOT_KNOWN if row["intensity_kind"] in FLAT else moment(row["best_window_start_utc"])),
        Cell(number(row["jobs"]), numeric=True),
        Cell(number(row["peak_power_mw"], 3), numeric=True),
        Cell(
            mass(row["saving_kgco2e"]) if row["jobs"] else NOT_KNOWN,
            numeric=True,
            badge="not claimed" if row["saving_status"] == "not_claimed" else None,
        ),
    ]


def sums_view(totals: Rows, scope: str) -> TableView | None:
    """Sums by team, project, device or region, the greatest first; none where there are none."""
    rows = sorted(
        (row for row in totals if row["scope"] == scope),
        key=lambda row: (-(row["baseline_kgco2e"] or 0.0), row["scope_value"]),
    )
    if not rows:
        return None
    headings = [
        Heading(_SCOPES[scope].rstrip("s") if scope != "region" else "Region"),
        *(
            Heading(text, numeric=True)
            for text in ("Jobs", "Planned", "Interval", "If advised", "Saves", "Interval")
        ),
        Heading("Saving is"),
    ]
    cells = [
        [
            Cell(row["scope_value"]),
            Cell(number(row["jobs"]), numeric=True),
            Cell(mass(row["baseline_kgco2e"]), numeric=True),
            Cell(interval(row["baseline_low_kgco2e"], row["baseline_high_kgco2e"]), numeric=True),
            Cell(
                mass(row["advised_kgco2e"]),
                numeric=True,
                badge="over budget" if row["budget_status"] == "over" else None,
            ),
            Cell(mass(row["saving_kgco2e"]), numeric=True),
            Cell(interval(row["saving_low_kgco2e"], row["saving_high_kgco2e"]), numeric=True),
            Cell(_STATUSES.get(row["saving_status"], NOT_KNOWN)),
        ]
        for row in rows[:_SUMS_SHOWN]
    ]
    more = f": the greatest {_SUMS_SHOWN} of {len(rows)}" if len(rows) > _SUMS_SHOWN else ""
    return TableView(f"{_SCOPES[scope]}{more}", headings, [Group(cells)])


def events_view(events: Rows) -> TableView:
    """What was degraded, and what else there is to know: a row for each kind."""
    order = {"error": 0, "warning": 1, "info": 2}
    kinds: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for event in events:
        kinds.setdefault((event["severity"], event["source"], event["code"]), []).append(event)
    rows = [
        [
            Cell(code.replace("_", " "), badge=severity if severity != "info" else None),
            Cell(number(len(found)), numeric=True),
            Cell(_subjects(found)),
            Cell(found[0]["detail"]),
        ]
        for (severity, _, code), found in sorted(kinds.items(), key=lambda one: (order[one[0][0]], one[0]))
    ]
    headings = [Heading("What"), Heading("Times", numeric=True), Heading("Of"), Heading("Such as")]
    return TableView("What the run went through", headings, [Group(rows)])


def _subjects(events: Rows) -> str:
    names = sorted({event["subject"] for event in events if event["subject"]})
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more or NOT_KNOWN


def rejected_view(rejected: Rows, count: int) -> TableView:
    """Rows that broke a rule."""
    headings = [*(Heading(text) for text in ("Row", "Job", "Column", "Value", "Why", "What to do"))]
    rows = [
        [
            Cell(f"{row['manifest']}, row {row['row']}"),
            Cell(row["job_id"] or NOT_KNOWN),
            Cell(row["column"] or NOT_KNOWN),
            Cell(row["value"] or NOT_KNOWN),
            Cell(row["reason"]),
            Cell(row["remedy"]),
        ]
        for row in rejected[:_REJECTED_SHOWN]
    ]
    shown = f"the first {_REJECTED_SHOWN} of " if count > _REJECTED_SHOWN else ""
    return TableView(f"Rejected rows: {shown}{count}", headings, [Group(rows)])


def fits_view(fits: Rows, devices: Iterable[str]) -> TableView:
    """How fast the devices of the queue train, and how that is known."""
    used = set(devices)
    headings = [
        Heading("Device"),
        *(Heading(text, numeric=True) for text in ("TFLOP/s", "Of its peak", "Interval", "Runs")),
        *(Heading(text) for text in ("Fitted on", "Standing", "Refit")),
    ]
    rows = [
        [
            Cell(fit["device"]),
            Cell(number(fit["tflop_per_s"], 3), numeric=True),
            Cell(_share(fit["utilisation"]), numeric=True),
            Cell(f"{_share(fit['utilisation_low'])} to {_share(fit['utilisation_high'])}", numeric=True),
            Cell(number(fit["training_runs"]), numeric=True),
            Cell((fit["fit_source"] or NOT_KNOWN).replace("_", " ")),
            Cell(fit["fit_status"] or NOT_KNOWN),
            Cell(fit["refit_state"] or NOT_KNOWN, badge="held" if fit["refit_state"] == "held" else None),
        ]
        for fit in fits
        if fit["device"] in used
    ]
    return TableView("Throughput of the devices in this queue", headings, [Group(rows)])


def interval(low: float | None, high: float | None) -> str:
    """An interval of masses."""
    return NOT_KNOWN if low is None or high is None else f"{mass(low)} to {mass(high)}"


def risk(value: float | None) -> str:
    """A probability."""
    return NOT_KNOWN if value is None else f"{round(100 * value)} %"


def _late(value: float | None) -> str | None:
    return "likely late" if value is not None and value > 0.5 else None


def _share(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{round(100 * value)} %"
