"""Cells of run histories: what a tool wrote becomes a number in our unit, a moment in UTC, or text."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, cast

from opencarbon.units import HOURS_PER_DAY, SECONDS_PER_HOUR, WATTS_PER_KILOWATT

JOULES_PER_KWH: Final = WATTS_PER_KILOWATT * SECONDS_PER_HOUR
_MINUTES_PER_HOUR: Final = 60.0
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_CLOCK: Final = re.compile(r"(?:(?:([0-9]+)-)?([0-9]+):)?([0-9]+):([0-9]+(?:\.[0-9]+)?)")
_FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_END_OF_TIME: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


class UnreadableCellError(ValueError):
    """A cell that is not what its column holds.

    Parameters
    ----------
    code : str
        The rule it breaks: ``wrong_type``, ``naive_timestamp`` or ``time_out_of_range``.
    wanted : str
        What is expected, in words.
    """

    def __init__(self, code: str, wanted: str) -> None:
        super().__init__(f"{code}: {wanted}")
        self.code = code
        self.wanted = wanted


def text_of(value: object) -> str | None:
    """Text of a cell.

    Parameters
    ----------
    value : object

    Returns
    -------
    str or None
        Without outer white space; None for nothing: no cell, an empty one, NaN.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip() or None


def number_of(value: object) -> float:
    """Number of a cell.

    Parameters
    ----------
    value : object
        A number, or a text of one.

    Returns
    -------
    float

    Raises
    ------
    UnreadableCellError
        Anything else; infinite numbers, thousands separators and truths are none.
    """
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    is_spelled = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    if not is_number and not is_spelled:
        raise UnreadableCellError("wrong_type", "a number")
    number = float(cast("str | float", value))
    if not math.isfinite(number):
        raise UnreadableCellError("wrong_type", "a finite number")
    return number


def clock_hours(value: object) -> float:
    """Hours of a duration as Slurm writes it.

    Parameters
    ----------
    value : object
        ``[DD-[HH:]]MM:SS``, such as ``1-02:30:00`` or ``05:12``.

    Returns
    -------
    float
        Hours [h].

    Raises
    ------
    UnreadableCellError
        It is written otherwise.
    """
    found = _CLOCK.fullmatch(str(value).strip())
    if not found:
        raise UnreadableCellError("wrong_type", "a duration such as 1-02:30:00")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * HOURS_PER_DAY + hours + minutes / _MINUTES_PER_HOUR + seconds / SECONDS_PER_HOUR


def moment_of(value: object, *, naive_times: str) -> datetime | None:
    """Moment of a cell, in UTC.

    Parameters
    ----------
    value : object
        A time, or ISO 8601 text of one.
    naive_times : str
        ``local``: a time that carries no offset is known to be local, and nothing can be told from it; nor can be from
        text in another form. ``refused``: both are an error.

    Returns
    -------
    datetime or None
        Aware; None where nothing can be told.

    Raises
    ------
    UnreadableCellError
        It is refused, or outside the years from 1970 to 2200.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        if naive_times == "local":
            return None
        raise UnreadableCellError("wrong_type", "a time such as 2026-11-22T13:00:00Z") from None
    if moment.tzinfo is None:
        if naive_times == "local":
            return None
        raise UnreadableCellError("naive_timestamp", "a time with its offset from UTC")
    return unix_moment(moment.timestamp())


def unix_moment(value: object) -> datetime:
    """Moment of a count of seconds since 1970.

    Parameters
    ----------
    value : object
        Seconds [s].

    Returns
    -------
    datetime
        Aware, in UTC.

    Raises
    ------
    UnreadableCellError
        It is no number, or outside the years from 1970 to 2200.
    """
    seconds = number_of(value)
    if not _FIRST_MOMENT <= seconds < _END_OF_TIME:
        raise UnreadableCellError("time_out_of_range", "a time between 1970 and 2200")
    return datetime.fromtimestamp(seconds, UTC)


READ_NUMBER: Final[Mapping[str, Callable[[object], float]]] = {
    "number": number_of,
    "h": number_of,
    "device-h": number_of,
    "kWh": number_of,
    "s": lambda value: number_of(value) / SECONDS_PER_HOUR,
    "J": lambda value: number_of(value) / JOULES_PER_KWH,
    "clock": clock_hours,
}
"""How a number is read -> the function that brings it to hours, kWh or as it is."""
