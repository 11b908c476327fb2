"""What the footer of a published file says: columns, write settings, order, statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.publishing.parquet import (
    COMPRESSION,
    CONTRACT_KEY,
    FORMAT_VERSION,
    ROW_GROUP_ROWS,
    contract_footer,
    sorting_columns,
)
from opencarbon.tables.contracts import Contract

if TYPE_CHECKING:
    Field = pa.Field[Any]  # generic in the stubs only

_ENCODINGS: Final = frozenset({"PLAIN", "RLE", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "BIT_PACKED"})
"""Encodings that every BI tool reads; newer ones fail in some of them."""


def footer_violations(footer: pq.FileMetaData, contract: Contract, schema: pa.Schema) -> Iterator[str]:
    """What is wrong with a file by its footer.

    Parameters
    ----------
    footer : pq.FileMetaData
    contract : Contract
    schema : pa.Schema
        Of the table, with the columns a user carries.

    Yields
    ------
    str
        A sentence for each difference from what :mod:`opencarbon.publishing.parquet` writes.
    """
    found_schema = footer.schema.to_arrow_schema()
    if not found_schema.equals(schema):
        yield from _schema_differences(schema, found_schema)
        return
    if footer.format_version != FORMAT_VERSION:
        yield f"expected Parquet {FORMAT_VERSION}, found {footer.format_version}"
    keys = dict(footer.metadata or {})
    expected, found = contract_footer(contract), keys.pop(CONTRACT_KEY.encode(), b"").decode()
    if found != expected:
        yield f"expected the footer {CONTRACT_KEY} = {expected}, found {found or 'none'}"
    if others := sorted(key.decode() for key in keys if key != b"ARROW:schema"):
        yield f"the footer holds {', '.join(others)}: footers hold the contract only"
    yield from _group_violations(footer, sorting_columns(contract, schema))


def _group_violations(footer: pq.FileMetaData, order: tuple[pq.SortingColumn, ...]) -> Iterator[str]:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    sizes = [group.num_rows for group in groups]
    if any(size != ROW_GROUP_ROWS for size in sizes[:-1]) or max(sizes, default=0) > ROW_GROUP_ROWS:
        yield f"expected row groups of {ROW_GROUP_ROWS} rows, found {sizes}"
    if any(tuple(group.sorting_columns) != order for group in groups):
        yield f"expected the recorded order {order}, found {groups[0].sorting_columns}"
    chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
    codecs = {chunk.compression for chunk in chunks} - {COMPRESSION.upper()}
    if codecs:
        yield f"expected {COMPRESSION}, found {', '.join(sorted(codecs))}"
    encodings = {name for chunk in chunks for name in chunk.encodings} - _ENCODINGS
    if encodings:
        yield f"encodings that some readers lack: {', '.join(sorted(encodings))}"
    bare = {chunk.path_in_schema for chunk in chunks if chunk.statistics is None}
    if bare:
        yield f"columns without statistics: {', '.join(sorted(bare))}"


def _schema_differences(expected: pa.Schema, found: pa.Schema) -> Iterator[str]:
    known = dict(zip(found.names, found, strict=True))
    for field in expected:
        there = known.pop(field.name, None)
        if there is None:
            yield f"column {field.name!r} is missing"
        elif not there.equals(field):
            yield f"column {field.name!r}: expected {_kind(field)}, found {_kind(there)}"
    yield from (f"column {name!r} is not declared" for name in known)
    if set(expected.names) == set(found.names) and expected.names != found.names:
        yield f"expected the columns in the order {', '.join(expected.names)}"


def _kind(field: Field) -> str:
    return f"{field.type}{'' if field.nullable else ', never null'}"
