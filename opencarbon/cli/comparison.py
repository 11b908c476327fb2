"""What a comparison of methods looks like in a terminal: figures, intervals drawn to scale, and the spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.tables import printable, widest_that_fits
from opencarbon.estimation.baselines.estimates import methods_by_reason
from opencarbon.pipeline.compare import Comparison

_LAYOUTS: Final = (
    ((0, 1, 2, 3, 4, 5, 6), False),
    ((0, 1, 2, 3, 4, 5, 6), True),
    ((0, 1, 2, 4, 5, 6), True),
    ((0, 1, 2, 5, 6), True),
    ((0, 1, 5, 6), True),
    ((0, 1, 5), True),
)
"""Columns that are shown, and whether in short words: the widest first."""

_STRIP: Final = 25
_SHORT_STRIP: Final = 15
"""Characters of the drawing."""

_THOUSAND: Final = 1_000.0
_MANY: Final = 1e10
_FEW: Final = 1e-3
"""Numbers outside these are written with an exponent."""


class _Units(NamedTuple):
    """Units of a job's figures, and how many kWh and kgCO2e one of each is."""

    energy: str
    carbon: str
    per: float


_LARGE: Final = _Units("MWh", "tCO2e", _THOUSAND)
_SMALL: Final = _Units("kWh", "kgCO2e", 1.0)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print every job with what each method makes of it.

    Parameters
    ----------
    console : Console
    comparison : Comparison
    """
    rows = comparison.estimates.to_pylist()
    for job in comparison.jobs.to_pylist():
        mine = [row for row in rows if row["job_id"] == job["job_id"]]
        able = [row for row in mine if row["method_status"] == "estimated"]
        console.print(_headline(job, comparison.actual_kgco2e.get(job["job_id"])), style="bold")
        if able:
            largest = max((row["total_kgco2e"] or 0.0 for row in able), default=0.0)
            units = _LARGE if largest >= _THOUSAND else _SMALL
            tables = [_figures(able, units, columns, is_short=short) for columns, short in _LAYOUTS]
            console.print(widest_that_fits(console, tables))
            for line in _spreads(able, units):
                console.print(line)
        for reason, methods in methods_by_reason(mine).items():
            console.print(f"{', '.join(methods)}: {printable(reason)}", style="dim")
        console.print()


def _headline(job: Mapping[str, Any], actual_kgco2e: float | None) -> str:
    count = job["device_count"]
    facts = [job["device"] if count is None else f"{_count(count)} x {job['device']}"]
    for hours, words in (("device_hours", "device-hours"), ("wall_hours", "hours")):
        if job[hours]:
            facts.append(f"{_short(job[hours])} {words} stated")
    if job["repeats"] > 1:
        facts.append(f"{job['repeats']:,} times")
    if actual_kgco2e:
        units = _LARGE if actual_kgco2e >= _THOUSAND else _SMALL
        facts.append(f"its owner reports {_short(actual_kgco2e / units.per)} {units.carbon}")
    name = job["job_id"] if not job["model"] else f"{job['model']} ({job['job_id']})"
    return printable(f"{name}: {', '.join(facts)}")


def _figures(
    rows: Sequence[Mapping[str, Any]], units: _Units, columns: Sequence[int], *, is_short: bool
) -> Table:
    """What each method says; a column in which no method says anything is left out."""
    drawn = _drawings([_ends(row) for row in rows], _SHORT_STRIP if is_short else _STRIP)
    cells = [(*_amounts(row, units), strip) for row, strip in zip(rows, drawn, strict=True)]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    shown = [at for at in columns if any(line[at].strip() for line in cells)]
    headings = _headings(rows, units, is_short=is_short)
    for at in shown:
        is_text = at in (0, len(headings) - 1)
        table.add_column(headings[at], justify="left" if is_text else "right", no_wrap=True)
    for line in cells:
        table.add_row(*(Text(line[at]) for at in shown))
    return table


def _headings(rows: Sequence[Mapping[str, Any]], units: _Units, *, is_short: bool) -> tuple[str, ...]:
    known = [end / units.per for row in rows for end in _ends(row) or ()]
    span = f"{_short(min(known))} to {_short(max(known))}" if known else ""
    embodied = "embodied" if known else f"embodied {units.carbon}"
    if is_short:
        return "method", "hours", units.energy, "operational", embodied, units.carbon, span
    amounts = (f"operational {units.carbon}", embodied, "total")
    return "method", "device-hours", units.energy, *amounts, f"total, {span} {units.carbon}"


def _amounts(row: Mapping[str, Any], units: _Units) -> tuple[str, ...]:
    scaled = ("facility_energy_kwh", "operational_kgco2e", "embodied_kgco2e", "total_kgco2e")
    amounts = (None if row[name] is None else row[name] / units.per for name in scaled)
    return row["method"], _short(row["device_hours"]), *map(_short, amounts)


def _ends(row: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Low, central and high of the total; all the same where the method states no interval."""
    total = row["total_kgco2e"]
    if not total:
        return None
    return row["total_low_kgco2e"] or total, total, row["total_high_kgco2e"] or total


def _drawings(ends: Sequence[tuple[float, float, float] | None], length: int) -> list[str]:
    """The intervals to scale; logarithmic where the largest is ten times the least, none where all are one point."""
    known = [end for interval in ends if interval for end in interval]
    least, most = (min(known), max(known)) if known else (0.0, 0.0)
    if least == most:
        return ["" for _ in ends]
    scale = math.log if most > 10.0 * least else float
    cells = (length - 1) / (scale(most) - scale(least))

    def drawing(interval: tuple[float, float, float]) -> str:
        low, central, high = (round((scale(end) - scale(least)) * cells) for end in interval)
        return "".join("●" if at == central else "─" if low <= at <= high else " " for at in range(high + 1))

    return ["" if interval is None else drawing(interval) for interval in ends]


def _spreads(rows: Sequence[Mapping[str, Any]], units: _Units) -> Iterator[str]:
    """How far the methods are apart in hours, energy and emissions."""
    predicted = [row for row in rows if row["hours_source"] == "predicted"]
    for what, column, unit, per, among in (
        ("predicted hours", "device_hours", "device-hours", 1.0, predicted),
        ("energy", "facility_energy_kwh", units.energy, units.per, rows),
        ("emissions", "total_kgco2e", units.carbon, units.per, rows),
    ):
        found = sorted((row[column], row["method"]) for row in among if row[column])
        if len(found) > 1:
            (least, lowest), (most, highest) = found[0], found[-1]
            factor = f"{most / least:.1f}" if most < _THOUSAND * least else _short(most / least)
            yield (
                f"{what}, {len(found)} methods: {_short(least / per)} ({lowest}) to {_short(most / per)} {unit} "
                f"({highest}), a factor of {factor}"
            )


def _count(devices: float) -> str:
    return f"{devices:,.0f}" if devices.is_integer() else _short(devices)


def _short(value: float | None) -> str:
    """Three significant digits, thousands apart."""
    if value is None:
        return ""
    if value == 0.0 or 100.0 <= value < _MANY:
        return f"{value:,.0f}"
    if not _FEW <= value < _MANY:
        return f"{value:.2e}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"
