"""A release of before a column was added and one of after it, read together as the README of a release says."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from opencarbon.publishing.release_readme import release_readme
from opencarbon.tables.contracts import PUBLISHED
from tests.example import Release

ADDED = "budget_status"
"""A column of ``fact_total`` that its first version did not have."""


@pytest.fixture(scope="module")
def files(example: Release, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The old file and the new one; their order by name is that of their moments."""
    folder = tmp_path_factory.mktemp("runs")
    new = example.table("fact_total")
    old = new.drop_columns([ADDED]).slice(0, 5)
    paths = folder / "20261115.parquet", folder / "20261116.parquet"
    for path, table in zip(paths, (old, new), strict=True):
        pq.write_table(table, path)
    return paths


def test_it_is_said_in_the_readme() -> None:
    readme = release_readme(PUBLISHED)
    for words in ("union_by_name = true", 'missing_columns="insert"', "dataset(files, schema="):
        assert words in readme


def test_duckdb(files: tuple[Path, Path]) -> None:
    asked = f"SELECT count(*), count({ADDED}) FROM read_parquet(['{files[0]}', '{files[1]}'], union_by_name = true)"
    with duckdb.connect() as connection:
        (counts,) = connection.sql(asked).fetchall()
    new = pq.read_table(files[1])
    assert counts == (new.num_rows + 5, new.num_rows - new[ADDED].null_count)


def test_polars_with_the_newest_first(files: tuple[Path, Path]) -> None:
    frame = pl.scan_parquet([files[1], files[0]], missing_columns="insert").collect()
    new = pq.read_table(files[1])
    assert frame.columns == new.column_names
    assert frame.height == new.num_rows + 5
    assert frame[ADDED].null_count() == new[ADDED].null_count + 5


def test_pyarrow_by_the_schema_of_the_newest(files: tuple[Path, Path]) -> None:
    table = ds.dataset([str(path) for path in files], schema=pq.read_schema(files[1])).to_table()
    new = pq.read_table(files[1])
    assert table.column_names == new.column_names
    assert table[ADDED].null_count == new[ADDED].null_count + 5
    assert table.slice(5).equals(new)
