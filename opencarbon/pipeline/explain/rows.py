"""Rows of a stored run, found without reading more of it than they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.publishing.parquet import part_places, read_table
from opencarbon.sources.places import Place

Row = dict[str, Any]


def rows_where(run: Place, table: str, column: str, value: str) -> list[Row]:
    """Rows in which a column has a value: the other columns are read where there is one.

    Parameters
    ----------
    run : Place
        Directory of a run.
    table, column : str
    value : str

    Returns
    -------
    list of dict
    """
    return [row for _, row in _found(run, table, column, value)]


def row_beside(run: Place, tables: Sequence[str], job_id: str) -> Row | None:
    """The row of a job in tables that keep the order of the manifests, side by side.

    Parameters
    ----------
    run : Place
    tables : sequence of str
        The first is searched, the others are read where the job stands in it.
    job_id : str

    Returns
    -------
    dict or None
        None where no such job is in the run.
    """
    found = next(_found(run, tables[0], "job_id", job_id), None)
    if found is None:
        return None
    (part, group, at), row = found
    for table in tables[1:]:
        with part_places(run, table)[part].open() as source, pq.ParquetFile(source) as file:
            (beside,) = file.read_row_group(group).slice(at, 1).to_pylist()
        row |= beside
    return row


def row_of(run: Place, table: str, column: str, value: str | None) -> Row | None:
    """The row of a small table in which a column has a value, None where there is none.

    Parameters
    ----------
    run : Place
    table, column : str
    value : str or None

    Returns
    -------
    dict or None
    """
    if value is None:
        return None
    found = rows_where(run, table, column, value)
    return found[0] if found else None


def names_of(run: Place, table: str, column: str) -> Iterator[str]:
    """Every value of a column, a row group at a time.

    Parameters
    ----------
    run : Place
    table, column : str

    Yields
    ------
    str
    """
    for place in part_places(run, table):
        with place.open() as source, pq.ParquetFile(source) as file:
            for group in range(file.num_row_groups):
                values = file.read_row_group(group, columns=[column])[column].to_pylist()
                yield from (value for value in values if value is not None)


def sources_of(run: Place) -> dict[str, Row]:
    """Sources of the run by their id.

    Parameters
    ----------
    run : Place

    Returns
    -------
    dict of str to dict
    """
    return {row["source_id"]: row for row in read_table(run, "dim_source").to_pylist()}


def _found(run: Place, table: str, column: str, value: str) -> Iterator[tuple[tuple[int, int, int], Row]]:
    """Part, row group and place in it, and the row."""
    for part, place in enumerate(part_places(run, table)):
        with place.open() as source, pq.ParquetFile(source) as file:
            for group in range(file.num_row_groups):
                values = file.read_row_group(group, columns=[column])[column]
                places = pc.indices_nonzero(pc.equal(values, pa.scalar(value)))
                if len(places):
                    rows = file.read_row_group(group).take(places).to_pylist()
                    for at, row in zip(places.to_pylist(), rows, strict=True):
                        yield (part, group, int(at or 0)), row
