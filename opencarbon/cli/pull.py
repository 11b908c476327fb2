"""The command ``pull grid``."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.night import shown_progress
from opencarbon.cli.options import moment
from opencarbon.cli.tables import console_for, printable, write_json
from opencarbon.errors import ConfigError
from opencarbon.pipeline.past_hours import GridPull, pull_past_grid, zones_in_force
from opencarbon.pipeline.refetch import USUAL_SPAN
from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps.past import Span
from opencarbon.sources.locations import public_name
from opencarbon.sources.store.purge import contents_of
from opencarbon.units import HOUR, whole_hour

_FIRST: Final = datetime(2017, 1, 1, tzinfo=UTC)
"""The history of Electricity Maps begins in 2017, as its developer portal said in 2026; an older start is a slip."""

_MANY: Final = 500
"""Files of single fetches that a night takes about a second to read."""

_FAILED: Final = 1
_INCOMPLETE: Final = 3


def pull_grid_command(
    settings: Settings,
    *,
    start: str | None,
    end: str | None,
    zones: Sequence[str],
    strict: bool,
    as_json: bool,
) -> int:
    """Fetch past hours into the store, and print what came.

    Parameters
    ----------
    settings : Settings
    start, end : str or None
        See :func:`span_of`.
    zones : sequence of str
        None are those of all regions.
    strict : bool
    as_json : bool

    Returns
    -------
    int
        0; 3 where ``strict`` and hours are missing; 1 where nothing came, and the store has nothing of the range or not
        all was asked for because the service refuses, throttles or is silent.
    """
    span = span_of(start, end, now_utc=datetime.now(UTC))
    with shown_progress(Console(stderr=True)) as progress:
        pulled = pull_past_grid(
            settings,
            zones or zones_in_force(settings),
            span,
            clock=lambda: datetime.now(UTC),
            revise_older=start is None,
            progress=progress,
        )
    if as_json:
        write_json(_content(pulled))
    else:
        root = settings.store.root
        _print(console_for(), pulled, public_name(root), contents_of(root).fetches)
    is_there = any(zone.there_hours for zone in pulled.zones)
    if not pulled.fetched_hours and (pulled.is_stopped or not is_there):
        return _FAILED
    return _INCOMPLETE if strict and pulled.missing_hours else 0


def span_of(start: str | None, end: str | None, *, now_utc: datetime) -> Span:
    """The hours that are asked for: those that begin at the start or later, and before the end.

    Parameters
    ----------
    start, end : str or None
        ISO 8601 dates, or times with a time zone. None are ten days before the end, and the running hour.
    now_utc : datetime
        Hours that have not ended are left out.

    Returns
    -------
    Span

    Raises
    ------
    ConfigError
        Where one is no time, or the range holds no hour that has ended.
    """
    running = whole_hour(now_utc)
    until = running if end is None else min(_next_hour("--to", end), running)
    since = until - USUAL_SPAN if start is None else _next_hour("--from", start)
    if since < _FIRST:
        raise ConfigError(f"--from {start} is before {_FIRST:%Y}: Electricity Maps has no older data")
    if since >= until:
        raise ConfigError(
            f"no hour has ended between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC: "
            "give --from before --to, and before now"
        )
    return Span(since, until)


def _next_hour(option: str, text: str) -> datetime:
    """A date or time, at the next full hour in UTC."""
    given = moment(text, option=option, dates=True)
    full = whole_hour(given)
    return full if full == given else full + HOUR


def _content(pulled: GridPull) -> dict[str, Any]:
    return {
        "from_utc": pulled.span.start_utc.isoformat(),
        "to_utc": pulled.span.end_utc.isoformat(),
        "emission_factor_type": pulled.emission_factor_type,
        "fetched_hours": pulled.fetched_hours,
        "missing_hours": pulled.missing_hours,
        "is_stopped": pulled.is_stopped,
        "zones": [asdict(zone) for zone in pulled.zones],
        "events": [asdict(event) for event in pulled.events],
    }


def _print(console: Console, pulled: GridPull, store: str, fetches: int) -> None:
    console.print(f"Electricity Maps, {pulled.emission_factor_type}, {pulled.span}", style="bold")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("zone", no_wrap=True)
    for heading in ("fetched", "in store", "missing", "unrevised", "null"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for zone in pulled.zones:
        counts = (
            *(zone.fetched_hours, zone.there_hours, zone.missing_hours),
            *(zone.unrevised_hours, zone.null_hours),
        )
        why = printable(zone.reason or "")
        table.add_row(Text(printable(zone.zone)), *(f"{count:,}" for count in counts), Text(why))
    console.print(table, soft_wrap=False)
    for event in pulled.events:
        if event.source == "intensity_store":
            console.print(f"{event.severity}: {printable(event.detail)}", style="yellow")
    if fetches > _MANY:
        console.print(
            f"{fetches:,} fetches lie in files of their own: `opencarbon store compact` merges them"
        )
    lacking = sum(zone.missing_hours > 0 for zone in pulled.zones)
    console.print(
        f"{pulled.fetched_hours:,} hours of {len(pulled.zones)} zones fetched into {store}; "
        f"{pulled.missing_hours:,} hours of {lacking} zones are missing"
        f"{'; the same command goes on from here' if pulled.missing_hours else ''}"
    )
