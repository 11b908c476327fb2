"""Small plots for a terminal: a column of block characters for each hour."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from opencarbon.units import HOUR

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_LABEL: Final = 6


def hour_columns(
    values: Sequence[float | None],
    start_utc: datetime,
    *,
    marked: Sequence[tuple[datetime, datetime]] = (),
    height: int = 6,
    width: int = 72,
) -> Iterator[str]:
    """Draw hourly values as columns from 0 up, the hours of stretches marked below.

    Parameters
    ----------
    values : sequence of float or None
        Of each hour; nothing is drawn where there is none.
    start_utc : datetime
        Beginning of the first hour.
    marked : sequence of tuple of datetime
        Starts and finishes of stretches to mark.
    height : int
        Lines of the columns.
    width : int
        Columns at most; hours beyond are left out.

    Yields
    ------
    str
        Lines, the top one first: columns, marks where there are any, days.
    """
    shown = list(values[:width])
    known = [value for value in shown if value is not None]
    if not known:
        return
    top = max(known) or 1.0
    for line in range(height, 0, -1):
        label = {1: "0", height: f"{top:.0f}"}.get(line, "")
        yield f"{label:>{_LABEL - 1}} " + "".join(_block(value, top, line, height) for value in shown)
    hours = [start_utc + hour * HOUR for hour in range(len(shown))]
    marks = "".join(
        "━" if any(start < hour + HOUR and hour < finish for start, finish in marked) else " "
        for hour in hours
    )
    if marks.strip():
        yield " " * _LABEL + marks
    yield " " * _LABEL + _days(hours)


def _block(value: float | None, top: float, line: int, height: int) -> str:
    if value is None:
        return " "
    eighths = round(value / top * height * 8) - (line - 1) * 8
    return _EIGHTHS[max(0, min(8, eighths))]


def _days(hours: Sequence[datetime]) -> str:
    """Names of days below their midnights; the first hour has one too."""
    line = [" "] * len(hours)
    free = 0
    midnights = [at for at, hour in enumerate(hours) if hour.hour == 0]
    for at, hour in enumerate(hours):
        is_crowded = at == 0 and bool(midnights) and 0 < midnights[0] <= len("Mon 22:00")
        if (at == 0 or hour.hour == 0) and at >= free and not is_crowded:
            name = f"{hour:%a %d %b}" if hour.hour == 0 else f"{hour:%a %H:%M}"
            room = name[: len(hours) - at]
            line[at : at + len(room)] = room
            free = at + len(name) + 1
    return "".join(line).rstrip()
