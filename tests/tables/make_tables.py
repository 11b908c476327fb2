"""Valid tables for any contract, made of random values within what the contract allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.publishing.dictionary import meta_columns
from opencarbon.tables.columns import Column
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED, Contract

if TYPE_CHECKING:
    Values = pa.Array[Any]
    Nulls = npt.NDArray[np.bool_]

RUN_ID = "20261122T2100Z-0123abcd"
AS_OF_UTC = datetime(2026, 11, 22, 21, tzinfo=UTC)
ROWS_PER_MANIFEST = 1000
_FIRST_DAY = date(2026, 11, 22)
_PER_PARENT = 3
"""Values of the last column of a key for each value of those before it."""


def make_release(
    contracts: Mapping[str, Contract] = PUBLISHED,
    *,
    rows: int = 40,
    run_id: str = RUN_ID,
    as_of_utc: datetime = AS_OF_UTC,
    seed: int = 0,
) -> dict[str, pa.Table]:
    """Tables that conform and whose foreign keys hold, for a whole release.

    Parameters
    ----------
    contracts : mapping of str to Contract
        The tables wanted; those they refer to must be among them.
    rows : int
        Rows of each table, fewer where the key allows fewer.
    run_id, as_of_utc
        The run.
    seed : int
        Of the random values.

    Returns
    -------
    dict of str to pa.Table
    """
    tables: dict[str, pa.Table] = {}
    for contract in _parents_first(contracts.values()):
        if contract.name == "meta_columns":
            tables[contract.name] = meta_columns(contracts)
            continue
        table = make_table(
            contract, rows=1 if contract.name == "dim_run" else rows, parents=tables, seed=seed
        )
        if contract.name == "dim_run":
            table = _with(table, "run_id", pa.array([run_id]))
            table = _with(table, "as_of_utc", pa.array([as_of_utc], pa.timestamp("us", "UTC")))
            table = conform(table, contract)
        tables[contract.name] = table
    return {name: tables[name] for name in contracts}


def make_table(
    contract: Contract, *, rows: int = 40, parents: Mapping[str, pa.Table] | None = None, seed: int = 0
) -> pa.Table:
    """A table that conforms.

    Parameters
    ----------
    contract : Contract
    rows : int
        Rows wanted; fewer where the key allows fewer.
    parents : mapping of str to pa.Table, optional
        Tables that foreign keys point to; made up where absent.
    seed : int
        Of the random values.

    Returns
    -------
    pa.Table
    """
    random = np.random.default_rng([seed, *contract.name.encode()])
    pools = _pools(contract, parents or {})
    keys = _keys(contract, pools, rows)
    if keys:
        rows = len(next(iter(keys.values())))
    columns = dict(keys)
    for column in contract.fields():
        if column.name in columns:
            continue
        may_be_null = column.name not in contract.not_null()
        columns[column.name] = _values(column, pools.get(column.name), rows, random, may_be_null=may_be_null)
    if contract.keeps_manifest_order and "manifest" in contract.columns:
        files = pa.array([f"queue-{number:06d}.parquet" for number in range(rows // ROWS_PER_MANIFEST + 1)])
        columns["manifest"] = files.take(np.arange(rows) // ROWS_PER_MANIFEST)
        columns["row"] = pa.array(np.arange(rows) % ROWS_PER_MANIFEST)
    table = pa.table({name: columns[name] for name in contract.columns})
    if contract.key and not contract.keeps_manifest_order:
        table = table.sort_by([(name, "ascending") for name in contract.key])
    return conform(table, contract)


def _parents_first(contracts: Iterable[Contract]) -> list[Contract]:
    waiting = list(contracts)
    done: list[Contract] = []
    while waiting:
        names = {contract.name for contract in waiting}
        ready = [
            contract
            for contract in waiting
            if not any(reference.table in names for reference in contract.references)
        ]
        done += ready
        waiting = [contract for contract in waiting if contract not in ready]
    return done


def _pools(contract: Contract, parents: Mapping[str, pa.Table]) -> dict[str, Values]:
    """Values that each referring column may take."""
    return {
        reference.columns[0]: parents[reference.table][reference.target[0]].combine_chunks()
        for reference in contract.references
        if reference.table in parents
    }


def _keys(contract: Contract, pools: Mapping[str, Values], rows: int) -> dict[str, Values]:
    """Columns of the key: the last one counts fastest, within each value of those before it."""
    columns = [column for column in contract.fields() if column.name in contract.key]
    columns.sort(key=lambda column: contract.key.index(column.name))
    choices = []
    for place, column in enumerate(columns):
        size = rows if place == 0 else min(rows, _PER_PARENT)
        pool = pools[column.name][:rows] if column.name in pools else _distinct(column, size)
        choices.append(pool if place == 0 else pool[:_PER_PARENT])
    capacity = int(np.prod([len(pool) for pool in choices])) if choices else rows
    at = np.arange(min(rows, capacity))
    keys: dict[str, Values] = {}
    for column, pool in zip(reversed(columns), reversed(choices), strict=True):
        keys[column.name] = pool.take(at % len(pool))
        at //= len(pool)
    return keys


def _distinct(column: Column, size: int) -> Values:
    if column.allowed:
        return pa.array(column.allowed[:size])
    if pa.types.is_string(column.type):
        return pa.array([f"{column.name}-{number:07d}" for number in range(size)])
    if pa.types.is_boolean(column.type):
        return pa.array([False, True][:size])
    if pa.types.is_date(column.type):
        return pa.array(np.datetime64(_FIRST_DAY) + np.arange(size)).cast(pa.date32())
    if pa.types.is_timestamp(column.type):
        hours = np.datetime64(_FIRST_DAY, "us") + np.arange(size) * np.timedelta64(1, "h")
        return pa.array(hours).cast(column.type)
    return pa.array(np.arange(size) + int(column.minimum or 0))


def _values(
    column: Column, pool: Values | None, rows: int, random: np.random.Generator, *, may_be_null: bool
) -> Values:
    nulls = random.random(rows) < (0.2 if may_be_null else 0.0)
    if pool is not None:
        return _pick(pool, random, nulls)
    low = column.minimum if column.minimum is not None else -1e6
    high = column.maximum if column.maximum is not None else max(low, 0.0) + 1e6
    if pa.types.is_string(column.type):
        words = column.allowed or ("", "NA", "NO", "Zürich; Genève", "a|b", 'quo"te')
        return _pick(pa.array(words), random, nulls)
    if pa.types.is_boolean(column.type):
        return pa.array(random.random(rows) < 0.5, mask=nulls)
    if pa.types.is_floating(column.type):
        return pa.array(random.uniform(low, high, rows), mask=nulls)
    if pa.types.is_integer(column.type):
        return pa.array(random.integers(int(low), int(high), rows, endpoint=True), mask=nulls)
    if pa.types.is_date(column.type):
        return pa.array(np.datetime64(_FIRST_DAY) + random.integers(0, 900, rows), mask=nulls).cast(
            pa.date32()
        )
    moments = np.datetime64(_FIRST_DAY, "us") + random.integers(0, 10**12, rows)
    return pa.array(moments, mask=nulls).cast(column.type)


def _pick(pool: Values, random: np.random.Generator, nulls: Nulls) -> Values:
    picked = pool.take(random.integers(0, len(pool), len(nulls)))
    chosen: Values = pc.if_else(pa.array(nulls), pa.scalar(None, pool.type), picked)
    return chosen


def _with(table: pa.Table, name: str, values: Values) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), values)
