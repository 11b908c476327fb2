"""What a comparison of methods looks like in a terminal: figures, intervals drawn to scale, and the spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.tables import printable
from opencarbon.pipeline.compare import Comparison

_STRIP: Final = 25
"""Characters of the drawing."""

_IN_TONNES_FROM_KGCO2E: Final = 1_000.0
_THOUSAND: Final = 1_000.0


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
            console.print(_figures(able))
            for line in _spreads(able):
                console.print(line)
        for reason, methods in _reasons(mine).items():
            console.print(f"{', '.join(methods)}: {printable(reason)}", style="dim")
        console.print()


def _headline(job: Mapping[str, Any], actual_kgco2e: float | None) -> str:
    facts = [f"{job['device_count']:,.0f} x {job['device']}"]
    if job["device_hours"]:
        facts.append(f"{job['device_hours']:,.0f} device-hours stated")
    if actual_kgco2e:
        facts.append(f"its owner reports {_short(actual_kgco2e / _THOUSAND)} tCO2e")
    name = job["job_id"] if not job["model"] else f"{job['model']} ({job['job_id']})"
    return printable(f"{name}: {', '.join(facts)}")


def _figures(rows: Sequence[Mapping[str, Any]]) -> Table:
    large = max((row["total_kgco2e"] or 0.0 for row in rows), default=0.0) >= _IN_TONNES_FROM_KGCO2E
    per, carbon, energy = (_THOUSAND, "tCO2e", "MWh") if large else (1.0, "kgCO2e", "kWh")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("method", no_wrap=True)
    for heading in ("device-hours", energy, f"operational {carbon}", "embodied", "total"):
        table.add_column(heading, justify="right", no_wrap=True)
    ends = [_ends(row) for row in rows]
    known = [value for end in ends if end for value in end]
    least, most = (min(known), max(known)) if known else (0.0, 0.0)
    table.add_column(f"total, {_short(least / per)} to {_short(most / per)} {carbon}", no_wrap=True)
    for row, end in zip(rows, ends, strict=True):
        facility, scaled = row["facility_energy_kwh"], ("operational", "embodied", "total")
        cells = (row["method"], _short(row["device_hours"]), _short(_over(facility, per)))
        amounts = (_short(_over(row[f"{quantity}_kgco2e"], per)) for quantity in scaled)
        table.add_row(*(Text(cell) for cell in (*cells, *amounts, _strip(end, least, most))))
    return table


def _ends(row: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Low, central and high of the total; all the same where the method states no interval."""
    total = row["total_kgco2e"]
    if not total:
        return None
    return row["total_low_kgco2e"] or total, total, row["total_high_kgco2e"] or total


def _strip(ends: tuple[float, float, float] | None, least: float, most: float) -> str:
    """The interval to scale; logarithmic where the largest is ten times the least."""
    if ends is None:
        return ""
    scale = math.log if most > 10.0 * least else float
    span = scale(most) - scale(least)
    low, central, high = (
        round((scale(end) - scale(least)) / span * (_STRIP - 1)) if span else 0 for end in ends
    )
    drawn = ["─" if low <= at <= high and low < high else " " for at in range(_STRIP)]
    drawn[central] = "●"
    return "".join(drawn).rstrip()


def _spreads(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How far the methods are apart in hours, energy and emissions."""
    predicted = [row for row in rows if row["hours_source"] == "predicted"]
    for what, column, unit, per, among in (
        ("predicted hours", "device_hours", "device-hours", 1.0, predicted),
        ("energy", "facility_energy_kwh", "MWh", _THOUSAND, rows),
        ("emissions", "total_kgco2e", "tCO2e", _THOUSAND, rows),
    ):
        found = sorted((row[column], row["method"]) for row in among if row[column])
        if len(found) > 1:
            (least, lowest), (most, highest) = found[0], found[-1]
            yield (
                f"{what}, {len(found)} methods: {_short(least / per)} ({lowest}) to {_short(most / per)} {unit} "
                f"({highest}), a factor of {most / least:.1f}"
            )


def _reasons(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Reason -> methods that give it."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            found.setdefault(row["reason"], []).append(row["method"])
    return found


def _over(value: float | None, per: float) -> float | None:
    return None if value is None else value / per


def _short(value: float | None) -> str:
    """Three significant digits, thousands apart."""
    if value is None:
        return ""
    if value == 0.0 or abs(value) >= 100.0:
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
