"""What the folders of pages have in common: tables in their contracts, files byte by byte."""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq

from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import Contract


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_tables_are_read_equal(
    folder: Path, contracts: Mapping[str, Contract], rows: Mapping[str, int]
) -> None:
    """Every table keeps its contract, has rows, and other engines read what pyarrow reads."""
    for name, contract in contracts.items():
        path = folder / "tables" / f"{name}.parquet"
        table = pq.ParquetFile(path).read()
        assert conform(table, contract).num_rows == rows[name] > 0
        with duckdb.connect() as connection:
            relation = connection.sql(f"FROM '{path}'")
            assert relation is not None
            assert table.to_pylist() == relation.to_arrow_table().to_pylist()
        assert table.to_pylist() == pl.read_parquet(path).to_dicts()
