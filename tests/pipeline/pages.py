"""What the folders of pages have in common: tables in their contracts, files byte by byte."""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from opencarbon.pipeline.reproduce import Reproduction, reproduce
from opencarbon.settings import load_settings
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import Contract
from tests.connections import recorded
from tests.made_once import made_once


def reproduced_once(factory: pytest.TempPathFactory) -> Reproduction:
    """The reproduction from what is bundled, made without a connection."""

    def make(folder: Path) -> Reproduction:
        with recorded() as asked:
            reproduction = reproduce(load_settings(), folder)
        assert asked == set()
        return reproduction

    return made_once(factory, "reproduced", make)


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
