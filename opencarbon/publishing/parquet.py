"""How a published table becomes Parquet, and comes back: the write settings, in one place.

Snappy, data pages v1 and default encodings open in every BI tool; larger savings come from the order of rows,
not from the codec. Equal tables give equal bytes with the same pyarrow: footers hold neither clock nor run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.errors import ContractError, PublishError
from opencarbon.sources.places import Place
from opencarbon.tables.conform import schema_with
from opencarbon.tables.contracts import Contract

if TYPE_CHECKING:  # generic in the stubs only
    from types import TracebackType

    Field = pa.Field[Any]

FORMAT_VERSION: Final = "2.6"
COMPRESSION: Final = "snappy"
ROW_GROUP_ROWS: Final = 122_880
"""Rows of a row group: the vector size of DuckDB times 60, its own default."""
DICTIONARY_BYTES: Final = 128 * 1024
"""Size at which a dictionary gives way to plain values. Arrow's own limit of 1 MiB lets a row group of doubles that
are all different keep one: measured on a million estimates, files a fifth larger that take twice as long to write."""
ROWS_PER_FILE: Final = 5_000_000
"""Rows of a part before the next one is begun."""
CONTRACT_KEY: Final = "opencarbon.contract"
"""Key of a footer whose value is a small JSON object: table and version of the contract."""


def contract_footer(contract: Contract) -> str:
    """Value of :data:`CONTRACT_KEY` in the footers of a table.

    Parameters
    ----------
    contract : Contract

    Returns
    -------
    str
        JSON.
    """
    return json.dumps({"table": contract.name, "version": contract.version}, separators=(",", ":"))


def sorting_columns(contract: Contract, schema: pa.Schema) -> tuple[pq.SortingColumn, ...]:
    """Order that a footer records: the key, where the table is sorted by it.

    Parameters
    ----------
    contract : Contract
    schema : pa.Schema
        Schema of the table, with the columns a user carries.

    Returns
    -------
    tuple of pq.SortingColumn
        Empty for tables in the order of the manifests.
    """
    if contract.keeps_manifest_order:
        return ()
    return tuple(pq.SortingColumn(schema.get_field_index(name)) for name in contract.key)


def part_places(directory: Path | Place, name: str) -> list[Place]:
    """Files of a table, in order.

    Parameters
    ----------
    directory : Path or Place
        Directory of a run.
    name : str
        Name of the table.

    Returns
    -------
    list of Place
        ``part-0.parquet`` and on, by number.

    Raises
    ------
    PublishError
        If there is no part, or a part is missing from the sequence.
    """
    folder = Place.of(directory) / name
    found = {file for file in folder.names() if file.endswith(".parquet")}
    expected = [f"part-{number}.parquet" for number in range(max(len(found), 1))]
    if found != set(expected):
        there = ", ".join(sorted(found)) or "none"
        raise PublishError(f"table {name} in {directory}: expected {', '.join(expected)}, found {there}")
    return [folder / file for file in expected]


def part_paths(directory: Path, name: str) -> list[Path]:
    """Files of a table on this machine, in order.

    Parameters
    ----------
    directory : Path
        Directory of a run.
    name : str
        Name of the table.

    Returns
    -------
    list of Path
        As :func:`part_places` finds them.
    """
    return [Path(place.path) for place in part_places(directory, name)]


class TableWriter:
    """Writes a table that arrives in pieces; how it was cut leaves no trace in the files.

    Use it as a context manager: the table is complete when the block ends, and gone when the block fails. A
    table of which nothing was written is a file with the schema and no rows.

    Parameters
    ----------
    directory : Path
        Directory of the run; the files are ``<directory>/<table>/part-0.parquet`` and on.
    contract : Contract
        Contract of the table.
    extra : sequence of pa.Field
        Columns a user carries, as given to ``conform``.
    rows_per_file : int
        Rows of a part before the next one is begun.
    """

    def __init__(
        self,
        directory: Path,
        contract: Contract,
        *,
        extra: Sequence[Field] = (),
        rows_per_file: int = ROWS_PER_FILE,
    ) -> None:
        self.rows = 0
        self._contract = contract
        self._schema = schema_with(contract, extra)
        self._directory = directory / contract.name
        self._rows_per_file = rows_per_file
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._paths: list[Path] = []
        self._file: pq.ParquetWriter | None = None
        self._file_rows = 0

    def __enter__(self) -> Self:
        """Begin the first part."""
        try:
            self._directory.mkdir(parents=True)
        except FileExistsError as problem:
            raise PublishError(
                f"table {self._contract.name} is already in {self._directory.parent}"
            ) from problem
        self._begin_part()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits and close the last part, or remove every part of a table that failed."""
        if kind is None:
            self._write_groups(everything=True)
            self._end_part()
            return
        self._end_part()
        for path in self._paths:
            path.unlink()
        self._directory.rmdir()

    def write(self, table: pa.Table) -> None:
        """Add rows.

        Parameters
        ----------
        table : pa.Table
            In the form ``conform`` gives.

        Raises
        ------
        ContractError
            If its columns are not those of the contract.
        """
        if not table.schema.equals(self._schema):
            found, expected = table.schema.to_string(), self._schema.to_string(show_field_metadata=False)
            raise ContractError(
                self._contract.name, [f"expected the columns {expected}; found {found}: conform it first"]
            )
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.rows += table.num_rows
        self._write_groups(everything=False)

    def _write_groups(self, *, everything: bool) -> None:
        if self._waiting_rows < ROW_GROUP_ROWS and not everything:
            return
        waiting = pa.concat_tables(self._waiting or [self._schema.empty_table()])
        at = 0
        while at < waiting.num_rows:
            if self._file_rows == self._rows_per_file:
                self._end_part()
                self._begin_part()
            rows = min(ROW_GROUP_ROWS, self._rows_per_file - self._file_rows)
            if waiting.num_rows - at < rows and not everything:
                break
            self._write_group(waiting.slice(at, rows))
            at += rows
        self._waiting = [waiting.slice(at)]
        self._waiting_rows = self._waiting[0].num_rows

    def _write_group(self, group: pa.Table) -> None:
        if self._file is None:
            raise PublishError(f"table {self._contract.name} is written outside its with block")
        # one chunk per column: the edges of chunks would end Parquet's write batches, and move bytes
        self._file.write_table(group.combine_chunks(), row_group_size=ROW_GROUP_ROWS)
        self._file_rows += group.num_rows

    def _begin_part(self) -> None:
        path = self._directory / f"part-{len(self._paths)}.parquet"
        self._paths.append(path)
        self._file_rows = 0
        self._file = pq.ParquetWriter(
            str(path),
            self._schema,
            version=FORMAT_VERSION,
            compression=COMPRESSION,
            data_page_version="1.0",
            use_dictionary=True,
            dictionary_pagesize_limit=DICTIONARY_BYTES,
            write_statistics=True,
            sorting_columns=sorting_columns(self._contract, self._schema) or None,
        )
        self._file.add_key_value_metadata({CONTRACT_KEY: contract_footer(self._contract)})

    def _end_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def write_table(
    directory: Path,
    table: pa.Table,
    contract: Contract,
    *,
    extra: Sequence[Field] = (),
    rows_per_file: int = ROWS_PER_FILE,
) -> int:
    """Write a table held in memory.

    Parameters
    ----------
    directory : Path
        Directory of the run.
    table : pa.Table
        In the form ``conform`` gives.
    contract : Contract
        Contract of the table.
    extra : sequence of pa.Field
        Columns a user carries.
    rows_per_file : int
        Rows of a part before the next one is begun.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ContractError
        If its columns are not those of the contract.
    """
    with TableWriter(directory, contract, extra=extra, rows_per_file=rows_per_file) as writer:
        writer.write(table)
    return writer.rows


def write_pieces(directory: Path, pieces: Iterable[pa.Table], contract: Contract) -> None:
    """Write a table that arrives in pieces as a single file, however long it is.

    Parameters
    ----------
    directory : Path
    pieces : iterable of pa.Table
        In the form ``conform`` gives.
    contract : Contract
        Contract of the table.
    """
    with TableWriter(directory, contract, rows_per_file=sys.maxsize) as writer:
        for piece in pieces:
            writer.write(piece)


def read_table(directory: Path | Place, name: str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table of a run.

    Parameters
    ----------
    directory : Path or Place
        Directory of the run, such as ``<root>/v1/latest``.
    name : str
        Name of the table.
    columns : sequence of str, optional
        Columns wanted; all by default.

    Returns
    -------
    pa.Table

    Raises
    ------
    PublishError
        If a part is missing.
    """
    wanted = None if columns is None else list(columns)
    parts = []
    for place in part_places(directory, name):
        with place.open() as source, pq.ParquetFile(source, pre_buffer=place.local is None) as file:
            parts.append(file.read(columns=wanted))
    table = pa.concat_tables(parts)
    return table if wanted is None else table.select(wanted)


def read_row_groups(
    directory: Path | Place, name: str, *, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Read a table of a run a row group at a time.

    Parameters
    ----------
    directory : Path or Place
        Directory of the run.
    name : str
        Name of the table.
    columns : sequence of str, optional
        Columns wanted; all by default.

    Yields
    ------
    pa.Table

    Raises
    ------
    PublishError
        If a part is missing.
    """
    wanted = None if columns is None else list(columns)
    for place in part_places(directory, name):
        with place.open() as source, pq.ParquetFile(source, pre_buffer=place.local is None) as file:
            for number in range(file.metadata.num_row_groups):
                group = file.read_row_group(number, columns=wanted)
                yield group if wanted is None else group.select(wanted)
