"""What explanations of jobs, regions and runs print alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console

from opencarbon.cli.plots import hour_columns
from opencarbon.cli.tables import printable
from opencarbon.pipeline.explain.hours import ZoneHours
from opencarbon.publishing.numbers import NOT_KNOWN, THIN_SPACE, mass
from opencarbon.units import HOUR

Stretches = Sequence[tuple[datetime, datetime]]


def print_hours(
    console: Console, what: str, hours: ZoneHours | None, marked: Stretches, kind: str | None, marks: str
) -> None:
    """Draw the hours of a zone with stretches marked, or say why not."""
    if hours is None:
        say(
            console,
            f"{what}: its hours are not in this release; the figures above rest on {kind or 'unknown'} data",
        )
        return
    if len(set(hours.values)) == 1:
        flat = short(hours.values[0])
        say(console, f"{what}: {hours.zone}, {flat} gCO2e/kWh in every hour, {', '.join(hours.kinds)}")
        return
    width = min(console.width - 7, 96)
    last = hours.start_utc + min(width, len(hours.values)) * HOUR
    is_seen = any(start < last and finish > hours.start_utc for start, finish in marked)
    said = f"━ {marks}" if is_seen else f"{marks}: after these, from {kind or 'unknown'} data"
    say(console, f"{what}: {hours.zone}, gCO2e/kWh, {', '.join(hours.kinds)}; {said}")
    for line in hour_columns(hours.values, hours.start_utc, marked=marked, width=width):
        say(console, line)


def print_sources(console: Console, sources: Sequence[Mapping[str, Any]]) -> None:
    """List sources with licence and address, each once."""
    say(console, "")
    say(console, "sources:")
    for source in {source["source_id"]: source for source in sources}.values():
        url = f" {source['url']}" if source["url"] else ""
        say(console, f"- {source['title']}, {source['licence']}{url}")


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """Print a line as it is; control characters are made harmless."""
    console.print(
        printable(text.replace(THIN_SPACE, " ")), style=style, highlight=False, markup=False, soft_wrap=True
    )


def stretch_of(start: datetime | None, wall_hours: float | None) -> Stretches:
    """The stretch in which a job runs, none where it is not known."""
    return [] if start is None or wall_hours is None else [(start, start + timedelta(hours=wall_hours))]


def interval(total: Mapping[str, Any], name: str) -> str:
    """A sum of ``fact_total`` with its interval."""
    low, high = total[f"{name}_low_kgco2e"], total[f"{name}_high_kgco2e"]
    return mass(total[f"{name}_kgco2e"]) + ("" if low is None else f" ({mass(low)} to {mass(high)})")


def short(value: float | None) -> str:
    """A number of few digits."""
    if value is None:
        return NOT_KNOWN
    if value and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.4g}"
    return (
        f"{value:,.0f}"
        if abs(value) >= 10_000
        else f"{value:,.4g}"
        if abs(value) < 1_000
        else f"{value:,.1f}"
    )
