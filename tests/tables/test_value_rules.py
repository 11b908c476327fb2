"""The quick look at the values of a column and the one with words judge alike."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencarbon.tables.columns import TYPES, Column
from opencarbon.tables.value_rules import holds_rules, value_violations

WORDS = ("run_now", "delay", "none")


def column(
    kind: str, *, minimum: float | None = None, maximum: float | None = None, allowed: tuple[str, ...] = ()
) -> Column:
    return Column("c", TYPES[kind], None, "none", minimum, maximum, allowed, "A column.")


def agree(values: Any, declared: Column | None, *, nullable: bool) -> bool:
    field = pa.field("c", values.type, nullable=nullable)
    if pa.types.is_dictionary(values.type):
        field = pa.field("c", pa.string(), nullable=nullable)
        holds = holds_rules(values, field, declared)
        values = values.cast(pa.string())
    else:
        holds = holds_rules(values, field, declared)
    assert holds == (not list(value_violations(values, field, declared)))
    return holds


bounds = st.none() | st.floats(-2, 2)


@given(
    chunks=st.lists(st.lists(st.none() | st.floats(-3, 3) | st.sampled_from([float("nan"), float("inf")]))),
    minimum=bounds,
    maximum=bounds,
    nullable=st.booleans(),
)
def test_numbers(
    chunks: list[list[float | None]], minimum: float | None, maximum: float | None, nullable: bool
) -> None:
    values = pa.chunked_array([pa.array(chunk, pa.float64()) for chunk in chunks], pa.float64())
    agree(values, column("float64", minimum=minimum, maximum=maximum), nullable=nullable)
    agree(values, None, nullable=nullable)


@given(values=st.lists(st.none() | st.integers(-3, 3)), minimum=bounds, nullable=st.booleans())
def test_whole_numbers(values: list[int | None], minimum: float | None, nullable: bool) -> None:
    agree(
        pa.chunked_array([pa.array(values, pa.int64())]), column("int64", minimum=minimum), nullable=nullable
    )


@given(
    chunks=st.lists(st.lists(st.none() | st.sampled_from([*WORDS, "wait", ""]))),
    allowed=st.sampled_from([(), WORDS]),
    nullable=st.booleans(),
)
def test_text_as_it_is_and_as_a_dictionary(
    chunks: list[list[str | None]], allowed: tuple[str, ...], nullable: bool
) -> None:
    arrays = [pa.array(chunk, pa.string()) for chunk in chunks]
    declared = column("string", allowed=allowed)
    plain = agree(pa.chunked_array(arrays, pa.string()), declared, nullable=nullable)
    encoded = pa.chunked_array(arrays, pa.string()).dictionary_encode()
    assert agree(encoded, declared, nullable=nullable) == plain


@pytest.mark.parametrize("kind", ["date32", "timestamp", "bool"])
def test_other_types_may_be_null_or_not(kind: str) -> None:
    values = pa.chunked_array([pa.array([None, None], TYPES[kind])])
    assert agree(values, column(kind), nullable=True)
    assert not agree(values, column(kind), nullable=False)
