"""The command ``backfill``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon import pipeline
from opencarbon.cli.calls import FAILED
from opencarbon.cli.night import outcome_json, shown_progress
from opencarbon.cli.options import moment
from opencarbon.cli.tables import console_for, printable, write_json
from opencarbon.errors import ConfigError
from opencarbon.pipeline.backfill_nights import DAY, BackfilledNight
from opencarbon.settings import Settings

_LENGTH_OF_A_DATE: Final = len("2026-11-16")
_LEAST: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """Nights that are asked for.

    Parameters
    ----------
    manifests : sequence of str
    start, end : str
        ISO 8601 dates, or times with a time zone.
    offline, dry_run, as_json : bool
    """

    manifests: Sequence[str]
    start: str
    end: str
    offline: bool
    dry_run: bool
    as_json: bool


def backfill_command(request: BackfillRequest, settings: Settings) -> int:
    """Go through the nights of the past, and say what came of each.

    Parameters
    ----------
    request : BackfillRequest
    settings : Settings

    Returns
    -------
    int
        0; 1 where a night failed.
    """
    now_utc = datetime.now(UTC)
    first_utc, last_utc = span_of(request.start, request.end, now_utc=now_utc)
    with shown_progress(Console(stderr=True)) as progress:
        nights = pipeline.backfill(
            settings,
            request.manifests,
            first_utc=first_utc,
            last_utc=last_utc,
            now_utc=now_utc,
            offline=request.offline,
            dry_run=request.dry_run,
            progress=progress,
        )
    if request.as_json:
        write_json({"nights": [_content(night) for night in nights]})
    else:
        _print(console_for(), nights)
    return FAILED if any(night.problem for night in nights) else 0


def span_of(start: str, end: str, *, now_utc: datetime) -> tuple[datetime, datetime]:
    """First and last moment from which nights may look.

    Parameters
    ----------
    start, end : str
        A date alone begins with its first moment, and ends with its last.
    now_utc : datetime

    Returns
    -------
    tuple of datetime

    Raises
    ------
    ConfigError
        If one is no time, or has not come yet.
    """
    first, last = moment(start, option="--from", dates=True), moment(end, option="--to", dates=True)
    for option, text, given in (("--from", start, first), ("--to", end, last)):
        if given > now_utc:
            raise ConfigError(f"{option} {text} has not come yet: nights of the past end before now")
    if len(end) <= _LENGTH_OF_A_DATE:
        last += DAY - _LEAST
    return first, min(last, now_utc)


def _content(night: BackfilledNight) -> dict[str, Any]:
    said = {"as_of_utc": night.as_of_utc.isoformat(), "status": night.status, "problem": night.problem}
    return said | {"outcome": None if night.outcome is None else outcome_json(night.outcome)}


def _print(console: Console, nights: Sequence[BackfilledNight]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("as of (UTC)", "status", "run"):
        table.add_column(heading, no_wrap=True)
    for heading in ("jobs", "rejected"):
        table.add_column(heading, justify="right", no_wrap=True)
    for night in nights:
        table.add_row(*(Text(cell) for cell in _cells(night)))
    console.print(table, soft_wrap=False)
    for night in nights:
        if night.problem:
            console.print(f"failed: {_minute(night)}: {printable(night.problem)}", style="red")
    counts = Counter("foreseen" if night.status == "dry_run" else night.status for night in nights)
    console.print(
        f"{len(nights)} nights: {', '.join(f'{count} {status}' for status, count in counts.items())}"
    )


def _cells(night: BackfilledNight) -> tuple[str, ...]:
    outcome = night.outcome
    if outcome is None:
        return (_minute(night), "failed", "", "", "")
    status = f"would be {outcome.would_be}" if outcome.would_be else night.status
    counts = (f"{count:,}" for count in (outcome.jobs_read, outcome.jobs_rejected))
    return (_minute(night), status, outcome.run_id, *counts)


def _minute(night: BackfilledNight) -> str:
    return f"{night.as_of_utc:%Y-%m-%d %H:%M}"
