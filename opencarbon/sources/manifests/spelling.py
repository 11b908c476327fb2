"""Spellings of values: whatever says the same without loss becomes one type, the rest is marked as wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from opencarbon.sources.manifests.arrow import (
    AnyArray,
    AnyColumn,
    BoolArray,
    as_text,
    null_where,
    nulls,
    true_rows,
    whole_numbers,
)

_TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
_TRUTHS: Final = (("true", "yes", "1"), ("false", "no", "0"))
"""Text that is true, and text that is false, in any case."""
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_NUMBER: Final = r"^\+?(-?[0-9]+)\.?0*$"
_DATE: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"[T ]([01][0-9]|2[0-3])(:?[0-5][0-9](:?[0-5][0-9](\.[0-9]+)?)?)?"
_OFFSET: Final = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_BELOW_MICROSECONDS: Final = r"(\.[0-9]{6})[0-9]+"


@dataclass(frozen=True, slots=True)
class Spelled:
    """A column brought to its type.

    Parameters
    ----------
    values : pa.Array
        Of the type wanted; null where nothing was given or what was given is wrong.
    wrong : mapping of str to ndarray of bool, shape (rows,)
        Code of a rule -> rows that break it.
    """

    values: AnyArray
    wrong: Mapping[str, BoolArray] = field(default_factory=dict)


def type_problem(found: pa.DataType, wanted: pa.DataType, *, is_list: bool, is_utc: bool) -> str | None:
    """Say why a column cannot be read, whatever its values are.

    Parameters
    ----------
    found, wanted : pa.DataType
        Type in the file, and the published type it must come to.
    is_list : bool
        Whether a list of text is as good as text.
    is_utc : bool
        Whether timestamps without a time zone are known to be UTC.

    Returns
    -------
    str or None
        The end of a sentence that begins with the column, with the remedy; None where the type can be read.
    """
    found = _plain_type(found)
    if is_list and _is_list(found):
        found = _plain_type(cast("pa.ListType[Any]", found).value_type)
    if pt.is_null(found) or _can_become(found, wanted, is_utc=is_utc):
        return None
    if pt.is_timestamp(wanted) and pt.is_timestamp(found):
        return "holds timestamps without a time zone; write them with one, or set manifest.naive_timestamps to UTC"
    if pt.is_timestamp(wanted) and pt.is_date(found):
        return "holds dates; write timestamps with a time zone"
    return f"has type {found}, which is not read as {_words(wanted)}; cast it to {wanted}"


def spelled(values: AnyColumn, wanted: pa.DataType, *, naive_as_utc: bool) -> Spelled:
    """Bring a column to its type where nothing is lost.

    Parameters
    ----------
    values : pa.ChunkedArray
        Of a type in which :func:`type_problem` found no fault.
    wanted : pa.DataType
        One of the published types.
    naive_as_utc : bool
        Whether times without an offset are UTC.

    Returns
    -------
    Spelled
        NaN, blank numbers and blank times come out as null. A whole number or decimal that becomes a float64 is
        rounded to its 53 bits; nothing else changes.
    """
    array = plain(values)
    if pt.is_null(array.type):
        return Spelled(nulls(len(array), wanted))
    if pt.is_string(wanted):
        return text(array)
    if _is_text(array.type):
        return _from_text(text(array), wanted, naive_as_utc=naive_as_utc)
    if pt.is_boolean(wanted):
        return Spelled(array)
    if pt.is_floating(wanted):
        numbers = array.cast(pa.float64(), safe=False)
        return Spelled(null_where(pc.is_nan(numbers), numbers))
    if pt.is_timestamp(wanted):
        return Spelled(_microseconds(array))
    return _exact(array, wanted)


def plain(values: AnyColumn) -> AnyArray:
    """Bring a column into one array, dictionaries decoded.

    Parameters
    ----------
    values : pa.ChunkedArray

    Returns
    -------
    pa.Array
    """
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values.combine_chunks()


def text(values: AnyArray) -> Spelled:
    """Text of text or of integers; bytes that are no UTF-8 are wrong.

    Parameters
    ----------
    values : pa.Array
        Text of any kind, integers, or nulls only.

    Returns
    -------
    Spelled
    """
    array = values.cast(pa.string())
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = array.cast(pa.binary()).to_pylist()
        wrong = np.array([item is not None and not _is_utf8(item) for item in raw], dtype=np.bool_)
        valid = [None if bad else item for item, bad in zip(raw, wrong, strict=True)]
        return Spelled(pa.array(valid, pa.binary()).cast(pa.string()), {"not_utf8": wrong})
    return Spelled(array)


def _plain_type(found: pa.DataType) -> pa.DataType:
    return cast("pa.DictionaryType[Any, Any]", found).value_type if pt.is_dictionary(found) else found


def _is_text(found: pa.DataType) -> bool:
    return bool(pt.is_string(found) or pt.is_large_string(found) or pt.is_string_view(found))


def _is_list(found: pa.DataType) -> bool:
    return bool(pt.is_list(found) or pt.is_large_list(found) or pt.is_fixed_size_list(found))


def _can_become(found: pa.DataType, wanted: pa.DataType, *, is_utc: bool) -> bool:
    if _is_text(found):
        return True
    if pt.is_boolean(wanted):
        return bool(pt.is_boolean(found))
    if pt.is_string(wanted):
        return bool(pt.is_integer(found))
    if pt.is_timestamp(wanted):
        return bool(pt.is_timestamp(found) and (is_utc or found.tz is not None))
    if pt.is_date(wanted):
        return bool(pt.is_date(found))
    return bool(pt.is_integer(found) or pt.is_floating(found) or pt.is_decimal(found))


def _words(wanted: pa.DataType) -> str:
    if pt.is_timestamp(wanted):
        return "a timestamp"
    return {"string": "text", "double": "a number", "int64": "a whole number", "bool": "true or false"}.get(
        str(wanted), "a date"
    )


def _from_text(given: Spelled, wanted: pa.DataType, *, naive_as_utc: bool) -> Spelled:
    trimmed = pc.utf8_trim_whitespace(as_text(given.values))
    trimmed = as_text(null_where(pc.equal(trimmed, pa.scalar("")), trimmed))
    if pt.is_timestamp(wanted):
        result = _times_from_text(trimmed, naive_as_utc=naive_as_utc)
    elif pt.is_date(wanted):
        result = _dates_from_text(trimmed)
    elif pt.is_boolean(wanted):
        result = _truths_from_text(trimmed)
    else:
        result = _numbers_from_text(trimmed, wanted)
    return Spelled(result.values, dict(given.wrong) | dict(result.wrong))


def _truths_from_text(trimmed: pa.StringArray) -> Spelled:
    lower = pc.utf8_lower(trimmed)
    is_true, is_false = (pc.is_in(lower, value_set=pa.array(words)) for words in _TRUTHS)
    is_other = pc.and_(trimmed.is_valid(), pc.invert(pc.or_(is_true, is_false)))
    values = null_where(pc.invert(pc.or_(is_true, is_false)), is_true)
    return Spelled(values, {"wrong_type": true_rows(is_other)})


def _dates_from_text(trimmed: pa.StringArray) -> Spelled:
    is_other = pc.invert(pc.match_substring_regex(trimmed, f"^{_DATE}$"))
    result = _cast_where_possible(null_where(is_other, trimmed), pa.date32())
    return Spelled(result.values, {"wrong_type": true_rows(is_other) | result.wrong["wrong_type"]})


def _numbers_from_text(trimmed: pa.StringArray, wanted: pa.DataType) -> Spelled:
    is_other = pc.invert(pc.match_substring_regex(trimmed, _NUMBER))
    wrong = {"wrong_type": true_rows(is_other)}
    numbers = as_text(null_where(is_other, trimmed))
    if pt.is_floating(wanted):
        return Spelled(numbers.cast(wanted), wrong)
    has_fraction = pc.invert(pc.match_substring_regex(numbers, _WHOLE_NUMBER))
    whole = pc.replace_substring_regex(as_text(null_where(has_fraction, numbers)), _WHOLE_NUMBER, r"\1")
    result = _cast_where_possible(whole, wanted)
    return Spelled(result.values, wrong | {"not_whole": true_rows(has_fraction) | result.wrong["wrong_type"]})


def _times_from_text(trimmed: pa.StringArray, *, naive_as_utc: bool) -> Spelled:
    upper = pc.replace_substring_regex(pc.utf8_upper(trimmed), _BELOW_MICROSECONDS, r"\1")
    is_date = pc.match_substring_regex(upper, f"^{_DATE}$")
    is_other = pc.invert(pc.match_substring_regex(upper, f"^{_DATE}({_CLOCK}({_OFFSET})?)?$"))
    has_offset = pc.match_substring_regex(upper, f"{_CLOCK}{_OFFSET}$")
    timed = as_text(null_where(is_other, upper))
    aware = _cast_where_possible(null_where(pc.invert(has_offset), timed), _TIMESTAMP)
    local = _cast_where_possible(null_where(has_offset, timed), pa.timestamp("us"))
    wrong = true_rows(is_other) | aware.wrong["wrong_type"] | local.wrong["wrong_type"]
    if naive_as_utc:
        utc = null_where(is_date, local.values).cast(pa.int64()).cast(_TIMESTAMP)
        return Spelled(pc.coalesce(aware.values, utc), {"wrong_type": wrong | true_rows(is_date)})
    return Spelled(
        aware.values,
        {
            "naive_timestamp": true_rows(local.values.is_valid()) & ~true_rows(is_date),
            "wrong_type": wrong | true_rows(is_date),
        },
    )


def _microseconds(times: AnyArray) -> AnyArray:
    """Timestamps in microseconds, rounded down; the years 292277 and beyond stay there instead of wrapping."""
    counts = whole_numbers(times.cast(pa.int64()))
    if times.type.unit == "ns":
        scaled = counts // 1_000
    else:
        factor = _MICROSECONDS[times.type.unit]
        furthest = np.iinfo(np.int64).max // factor
        scaled = np.clip(counts, -furthest, furthest) * factor
    return pa.array(scaled, pa.int64(), mask=true_rows(times.is_null())).cast(_TIMESTAMP)


def _exact(values: AnyArray, wanted: pa.DataType) -> Spelled:
    """Whole numbers and dates: what the type cannot hold to the last digit is wrong."""
    if pt.is_date(wanted):
        return _cast_where_possible(values, wanted)
    has_fraction = np.zeros(len(values), dtype=np.bool_)
    if pt.is_floating(values.type):
        values = null_where(pc.is_nan(values), values.cast(pa.float64()))
    if not pt.is_integer(values.type):
        is_fraction = pc.or_(pc.not_equal(values, pc.floor(values)), pc.is_inf(values))
        has_fraction, values = true_rows(is_fraction), null_where(is_fraction, values)
    result = _cast_where_possible(values, wanted)
    return Spelled(result.values, {"not_whole": has_fraction | result.wrong["wrong_type"]})


def _cast_where_possible(values: AnyArray, wanted: pa.DataType) -> Spelled:
    result = _halves_cast(values, wanted)
    return Spelled(result, {"wrong_type": true_rows(pc.and_(values.is_valid(), result.is_null()))})


def _halves_cast(values: AnyArray, wanted: pa.DataType) -> AnyArray:
    """Cast what can be cast: a slice that fails is halved until the values at fault stand alone."""
    try:
        return values.cast(wanted)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return nulls(1, wanted)
        middle = len(values) // 2
        return pa.concat_arrays(
            [_halves_cast(values[:middle], wanted), _halves_cast(values[middle:], wanted)]
        )


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
