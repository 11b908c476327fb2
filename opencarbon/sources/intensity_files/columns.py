"""Columns of a user's file of intensities: values given the type of ours, and a sentence for each that breaks a rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.sources.intensity_files.forms import G_PER_KWH_OF, MINUTES_OF, FileForm
from opencarbon.tables.columns import TIMESTAMP, Column, all_columns
from opencarbon.tables.inputs import ACCOUNTING_BASES

if TYPE_CHECKING:  # pyarrow's arrays are generic in its stubs only
    Values = pa.Array[Any]
    Chunks = pa.ChunkedArray[Any]

INTENSITY: Final = "carbon_intensity_gco2e_per_kwh"
START: Final = "hour_start_utc"

_MINUTE_US: Final = 60_000_000
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_NEVER_NULL: Final = frozenset({"zone", START, "intensity_kind", "emission_factor_type"})
_SAYS_UTC: Final = re.compile(r"(?<![a-z])utc(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Given:
    """A column as a file spells it.

    Parameters
    ----------
    values : pa.Array
    heading : str
        Its name in the file.
    """

    values: Values
    heading: str


def plain(chunks: Chunks) -> Values:
    """A column in one piece, texts as strings.

    Parameters
    ----------
    chunks : pa.ChunkedArray

    Returns
    -------
    pa.Array
    """
    kind = chunks.type.value_type if pa.types.is_dictionary(chunks.type) else chunks.type
    is_text = pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind)
    return chunks.cast(pa.string() if is_text else kind).combine_chunks()


def converted(given: Given, name: str, form: FileForm) -> tuple[Values, list[str]]:
    """Give a column the type, the unit and the rules of one of ours.

    Parameters
    ----------
    given : Given
    name : str
        Of ours.
    form : FileForm

    Returns
    -------
    tuple of pa.Array and list of str
        The values, and a sentence for each rule that one breaks: row (the first below the header is 1), column, value.
    """
    column = all_columns()[name]
    values, problems = _typed(given, column, naive_is_utc=form.naive_is_utc)
    problems = problems or _broken_rules(values, given, column, form)
    if name == INTENSITY and not problems:
        values = pc.multiply(values, pa.scalar(G_PER_KWH_OF[form.unit]))
    return values, problems


def sentence(bad: npt.NDArray[np.bool_], given: Given, words: str) -> list[str]:
    """Say what is wrong with the first bad row, and how many more are.

    Parameters
    ----------
    bad : ndarray of bool, shape (rows,)
    given : Given
    words : str

    Returns
    -------
    list of str
        One sentence, or none.
    """
    rows = np.flatnonzero(bad)
    if not len(rows):
        return []
    more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
    value = given.values[int(rows[0])].as_py()
    shown = f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else repr(value)
    return [f"row {rows[0] + 1}, column {given.heading}: {shown} {words}{more}"]


def _typed(given: Given, column: Column, *, naive_is_utc: bool) -> tuple[Values, list[str]]:
    values, found = given.values, given.values.type
    if found == column.type:
        return values, []
    heading_says_utc = given.heading not in all_columns() and _SAYS_UTC.search(given.heading) is not None
    naive_is_utc |= heading_says_utc
    if pa.types.is_string(found):
        return _parsed(given, column, naive_is_utc=naive_is_utc)
    if column.type == TIMESTAMP and pa.types.is_timestamp(found) and (found.tz is not None or naive_is_utc):
        return values.cast(TIMESTAMP, safe=False), []  # a naive one counts as UTC
    is_number = pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found)
    if column.type == pa.float64() and is_number:
        return values.cast(pa.float64(), safe=False), []
    wrong = f"column {given.heading}: found {found}, expected {column.type}"
    return pa.array([None] * len(values), column.type), [wrong]


def _parsed(given: Given, column: Column, *, naive_is_utc: bool) -> tuple[Values, list[str]]:
    if column.type == pa.float64():
        try:
            return given.values.cast(pa.float64()), []
        except pa.ArrowInvalid:
            pass  # the slow way finds the row
    parse, words = _PARSERS[column.type]
    coded = given.values.dictionary_encode()
    texts = [str(text) for text in coded.dictionary.to_pylist()]
    known = [_naive_utc(text) if naive_is_utc and column.type == TIMESTAMP else parse(text) for text in texts]
    parsed = pa.array(known, column.type).take(coded.indices)
    lost = _mask(pc.and_(pc.is_null(parsed), pc.is_valid(given.values)))
    return parsed, sentence(lost, given, words)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str, *, naive: tzinfo | None = None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        zone = moment.tzinfo or naive
        return None if zone is None else moment.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):  # 0001-01-01T00:00:00+01:00 is before the first moment
        return None


_naive_utc: Final = partial(_moment, naive=UTC)


def _truth(text: str) -> bool | None:
    return _BOOLEANS.get(text.strip().lower())


_PARSERS: Final[dict[pa.DataType, tuple[Callable[[str], float | datetime | bool | None], str]]] = {
    pa.float64(): (_number, "is no number"),
    TIMESTAMP: (_moment, "is no time with a time zone, such as 2026-11-22T13:00:00Z"),
    pa.bool_(): (_truth, "is neither true nor false"),
}


def _broken_rules(values: Values, given: Given, column: Column, form: FileForm) -> list[str]:
    """Say what is wrong with values of the right type, as the file spells them."""
    problems = []
    if column.name in _NEVER_NULL:
        problems += sentence(_mask(pc.is_null(values)), given, "is missing")
    allowed = ACCOUNTING_BASES if column.name == "accounting_basis" else column.allowed
    if allowed:
        unknown = pc.invert(pc.is_in(values, value_set=pa.array(allowed, values.type)))
        bad = _mask(pc.and_(unknown, pc.is_valid(values)))
        problems += sentence(bad, given, f"is none of {', '.join(allowed)}")
    if column.minimum is not None and column.maximum is not None:
        maximum = column.maximum / G_PER_KWH_OF[form.unit]
        numbers = values.to_numpy(zero_copy_only=False)
        beyond = ~((numbers >= column.minimum) & (numbers <= maximum)) & _mask(pc.is_valid(values))
        problems += sentence(beyond, given, f"is not between {column.minimum:g} and {maximum:g} {form.unit}")
    if column.name == START:
        minutes = MINUTES_OF[form.granularity]
        off = values.cast(pa.int64()).fill_null(0).to_numpy() % (minutes * _MINUTE_US) != 0
        words = "is not the start of an hour: say --granularity for finer data"
        finer = f"is not the start of {minutes} minutes"
        problems += sentence(off, given, words if form.granularity == "hourly" else finer)
    return problems


def _mask(bad: Values) -> npt.NDArray[np.bool_]:
    return np.asarray(bad.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)
