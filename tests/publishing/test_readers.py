"""Every table of a release, as the engines read it that people use: pyarrow, pandas, DuckDB, Polars and Tableau's Hyper."""

import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.types as pt
import pytest

from opencarbon.publishing.parquet import ROW_GROUP_ROWS, write_table
from opencarbon.tables.columns import type_name
from opencarbon.tables.contracts import PUBLISHED
from tests.example import Release
from tests.tables.make_tables import make_release, make_table

LONG: Final = ("dim_job", "fact_job_estimate", "rec_job", "fact_job_region")
"""Tables that grow with the queue: read with more than one row group, as those of the longest queues are."""
TYPES: Final = {
    "string": ("VARCHAR", pl.String(), "TEXT", "O"),
    "int64": ("BIGINT", pl.Int64(), "BIG_INT", "i"),
    "float64": ("DOUBLE", pl.Float64(), "DOUBLE", "f"),
    "bool": ("BOOLEAN", pl.Boolean(), "BOOL", "b"),
    "date32": ("DATE", pl.Date(), "DATE", "O"),
    "timestamp": ("TIMESTAMP WITH TIME ZONE", pl.Datetime("us", "UTC"), "TIMESTAMP_TZ", "M"),
}
"""Type of the contract -> of DuckDB, Polars, Hyper, and the kind of pandas' values where none is null."""

Read = tuple[dict[str, str], dict[str, tuple[int, float]]]
"""Types by column; nulls and sum of each column of floats."""


@pytest.fixture(scope="module")
def runs(example: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The example, and tables of two row groups."""
    folder = tmp_path_factory.mktemp("long")
    tables = make_release(rows=60)
    for name in LONG:
        tables[name] = make_table(PUBLISHED[name], rows=ROW_GROUP_ROWS + 500, parents=tables)
        write_table(folder, tables[name], PUBLISHED[name])
    return {"example": example.latest.resolve(), "long": folder}


CASES: Final = [*(("example", name) for name in PUBLISHED), *(("long", name) for name in LONG)]


@pytest.fixture(scope="module", params=CASES, ids=[f"{run}-{name}" for run, name in CASES])
def case(request: pytest.FixtureRequest, runs: dict[str, Path]) -> tuple[str, Path]:
    run, name = request.param
    return name, runs[run] / name


def expected(name: str, folder: Path) -> tuple[pa.Table, dict[str, str]]:
    """The table by the plainest reader, and the type of each column by the contract."""
    kinds = {column.name: type_name(column.type) for column in PUBLISHED[name].fields()}
    table = pq.ParquetFile(folder / "part-0.parquet").read()
    return table, kinds | {carried: "string" for carried in table.column_names if carried not in kinds}


def figures(table: pa.Table) -> dict[str, tuple[int, float]]:
    """Nulls and sum of every column of floats."""
    return {
        name: (table[name].null_count, pc.sum(table[name]).as_py() or 0.0)
        for name in table.column_names
        if pt.is_floating(table[name].type)
    }


def by_duckdb(folder: Path) -> Read:
    with duckdb.connect() as connection:
        files = f"read_parquet('{folder}/*.parquet')"
        rows = connection.sql(f"DESCRIBE SELECT * FROM {files}").fetchall()
        kinds = {row[0]: row[1] for row in rows}
        floats = [name for name, kind in kinds.items() if kind == "DOUBLE"]
        return kinds, _asked(floats, files, lambda sql: connection.sql(sql).fetchall()[0])


def by_polars(folder: Path) -> Read:
    frame = pl.read_parquet(folder / "*.parquet")
    floats = [name for name, kind in frame.schema.items() if kind == pl.Float64()]
    found = {name: (frame[name].null_count(), float(frame[name].sum())) for name in floats}
    return {name: str(kind) for name, kind in frame.schema.items()}, found


@pytest.fixture(scope="module")
def hyper() -> Iterator[Any]:
    """Tableau's engine, where there is one for this machine."""
    if find_spec("tableauhyperapi") is None:
        pytest.skip("no Hyper for this machine: what Tableau reads was not looked at")
    from tableauhyperapi import Connection, HyperProcess, Telemetry

    parameters = {"log_config": ""}  # it logs nothing to the folder it runs in
    with (
        HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=parameters) as process,
        Connection(process.endpoint) as connection,
    ):
        yield connection


def by_hyper(connection: Any, folder: Path) -> Read:
    files = f"external('{folder}/part-0.parquet', FORMAT => 'parquet')"
    with connection.execute_query(f"SELECT * FROM {files} LIMIT 0") as result:
        kinds = {column.name.unescaped: str(column.type) for column in result.schema.columns}
    floats = [name for name, kind in kinds.items() if kind == "DOUBLE"]
    return kinds, _asked(floats, files, lambda sql: connection.execute_list_query(sql)[0])


def _asked(floats: list[str], files: str, ask: Callable[[str], Any]) -> dict[str, tuple[int, float]]:
    if not floats:
        return {}
    asked = ", ".join(f'count(*) - count("{name}"), sum("{name}")' for name in floats)
    row = list(ask(f"SELECT {asked} FROM {files}"))
    pairs = zip(row[::2], row[1::2], strict=True)
    return {name: (nulls, total or 0.0) for name, (nulls, total) in zip(floats, pairs, strict=True)}


def assert_alike(one: dict[str, tuple[int, float]], other: dict[str, tuple[int, float]]) -> None:
    assert one.keys() == other.keys()
    for name, (nulls, total) in one.items():
        assert nulls == other[name][0], name
        assert math.isclose(total, other[name][1], rel_tol=1e-9, abs_tol=1e-9), name


def test_pyarrow(case: tuple[str, Path]) -> None:
    name, folder = case
    table, _ = expected(name, folder)
    read = ds.dataset(folder, format="parquet").to_table()
    schema = PUBLISHED[name].schema()
    assert [read.schema.field(field.name).type for field in schema] == [field.type for field in schema]
    assert read.equals(table)


def test_pandas(case: tuple[str, Path]) -> None:
    name, folder = case
    table, kinds = expected(name, folder)
    frame = pd.read_parquet(folder)
    assert list(frame.columns) == table.column_names
    assert len(frame) == table.num_rows
    for column, kind in kinds.items():
        if table[column].null_count == 0 and table.num_rows and kind not in ("string", "date32"):
            assert frame[column].dtype.kind == TYPES[kind][3], column
        if kind == "timestamp":
            assert str(frame[column].dtype) == "datetime64[us, UTC]"


def test_duckdb(case: tuple[str, Path]) -> None:
    name, folder = case
    table, kinds = expected(name, folder)
    found, sums = by_duckdb(folder)
    assert found == {column: TYPES[kinds[column]][0] for column in table.column_names}
    assert_alike(sums, figures(table))


def test_polars(case: tuple[str, Path]) -> None:
    name, folder = case
    table, kinds = expected(name, folder)
    found, sums = by_polars(folder)
    assert found == {column: str(TYPES[kinds[column]][1]) for column in table.column_names}
    assert_alike(sums, figures(table))


def test_hyper(case: tuple[str, Path], hyper: Any) -> None:
    name, folder = case
    table, kinds = expected(name, folder)
    found, sums = by_hyper(hyper, folder)
    assert found == {column: TYPES[kinds[column]][2] for column in table.column_names}
    assert_alike(sums, figures(table))


def test_footers_are_those_that_every_tool_reads(case: tuple[str, Path], runs: dict[str, Path]) -> None:
    name, folder = case
    file = pq.ParquetFile(folder / "part-0.parquet")
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert all(group.num_rows == ROW_GROUP_ROWS for group in groups[:-1])
    assert len(groups) == (2 if runs["long"] in folder.parents else len(groups))
    for group in groups:
        for at in range(group.num_columns):
            chunk = group.column(at)
            assert chunk.compression == "SNAPPY"
            assert set(chunk.encodings) <= {"PLAIN", "RLE", "RLE_DICTIONARY"}
            assert chunk.is_stats_set
    run_id = runs["example"].name
    told = b"".join(key + value for key, value in (metadata.metadata or {}).items() if key != b"ARROW:schema")
    assert run_id.encode() not in told
    assert b"opencarbon" in told
    assert name in told.decode()
