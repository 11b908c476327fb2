"""Rules about the values of a column: a quick look that says yes or no, and the words for what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.tables.columns import Column

if TYPE_CHECKING:  # pyarrow's classes are generic in its stubs only
    Array = pa.Array[Any]
    Field = pa.Field[Any]
    Values = pa.ChunkedArray[Any]

EXAMPLES: Final = 3
"""Values that a sentence names."""


def holds_rules(values: Values, field: Field, column: Column | None) -> bool:
    """Whether the values of a column break none of its rules; a quick look, without the words.

    Parameters
    ----------
    values : pa.ChunkedArray
        Of the type of the column; text may be dictionary-encoded.
    field : pa.Field
        Of the contract.
    column : Column or None
        As declared; None for a column that a user carries.

    Returns
    -------
    bool
    """
    if values.null_count:
        if not field.nullable:
            return False
        values = values.drop_null()
    chunks = [chunk for chunk in values.chunks if len(chunk)]
    if pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
        ends = [end for chunk in chunks for end in _least_and_greatest(chunk)]
        return all(map(math.isfinite, ends)) and _within(ends, column)
    if column is None or not column.allowed:
        return True
    allowed = pa.array(column.allowed, field.type)
    texts = (chunk.dictionary if isinstance(chunk, pa.DictionaryArray) else chunk for chunk in chunks)
    return all(pc.all(pc.is_in(text, value_set=allowed), min_count=0).as_py() for text in texts)


def value_violations(values: Values, field: Field, column: Column | None) -> Iterator[str]:
    """What is wrong with the values of a column.

    Parameters
    ----------
    values : pa.ChunkedArray
    field : pa.Field
    column : Column or None
        As for :func:`holds_rules`.

    Yields
    ------
    str
        A sentence for each rule that is broken.
    """
    if not field.nullable and values.null_count:
        yield f"column {field.name!r} holds {values.null_count} nulls and may hold none"
    if pa.types.is_floating(field.type):
        if pc.any(pc.is_nan(values)).as_py():
            yield f"column {field.name!r} holds NaN; a missing number is null"
        if pc.any(pc.is_inf(values)).as_py():
            yield f"column {field.name!r} holds an infinite number; an unknown bound is null"
    if column is None:
        return
    for bad, words in _broken_rules(values, column):
        found = values.filter(pc.and_(bad, pc.is_valid(values)))
        if len(found):
            yield f"column {field.name!r} holds {len(found)} values {words}: {examples_of(found)}"


def examples_of(values: Values) -> str:
    """First few values, for a sentence.

    Parameters
    ----------
    values : pa.ChunkedArray or pa.Array

    Returns
    -------
    str
    """
    examples = ", ".join(repr(value) for value in values.slice(0, EXAMPLES).to_pylist())
    return examples + (", ..." if len(values) > EXAMPLES else "")


def _least_and_greatest(values: Array) -> tuple[float, float]:
    """Ends of an array of numbers without nulls; NaN where it holds one."""
    numbers = values.to_numpy(zero_copy_only=False)
    return float(numbers.min()), float(numbers.max())


def _within(values: Sequence[float], column: Column | None) -> bool:
    if column is None or not values:
        return True
    is_low = column.minimum is not None and min(values) < column.minimum
    is_high = column.maximum is not None and max(values) > column.maximum
    return not (is_low or is_high)


def _broken_rules(values: Values, column: Column) -> Iterator[tuple[pa.BooleanArray, str]]:
    if column.minimum is not None:
        yield pc.less(values, pa.scalar(column.minimum)), f"below {column.minimum:g}"
    if column.maximum is not None:
        yield pc.greater(values, pa.scalar(column.maximum)), f"above {column.maximum:g}"
    if column.allowed:
        listed = pc.is_in(values, value_set=pa.array(column.allowed, values.type))
        yield pc.equal(listed, pa.scalar(False)), f"other than {', '.join(column.allowed)}"
