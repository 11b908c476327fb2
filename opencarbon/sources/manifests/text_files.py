"""Manifests as CSV or JSON lines, brought once into Parquet: from there on they are read as every other.

Every value becomes text, whose spelling says what it is (:mod:`opencarbon.sources.manifests.spelling`); a row that cannot
be taken apart keeps its place, with what is wrong with it in ``PROBLEM``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.errors import ManifestError
from opencarbon.sources.locations import FoundFile

CSV_SUFFIXES: Final = (".csv", ".csv.gz", ".tsv")
JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
TEXT_SUFFIXES: Final = (*CSV_SUFFIXES, *JSON_SUFFIXES)
"""Endings of manifests that are text."""
PROBLEM: Final = "opencarbon:problem"
"""Column of what is wrong with a row as a whole; null where nothing is."""

_DELIMITERS: Final = ",;\t|"
_ROWS_AT_ONCE: Final = 30_720
_LONGEST_CELL: Final = 1 << 20
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

Row = Sequence[str | None]


def is_text(name: str) -> bool:
    """Whether a file is read as text, by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    return name.casefold().endswith(TEXT_SUFFIXES)


def to_parquet(file: FoundFile, target: Path) -> None:
    """Bring a manifest of text into Parquet.

    Parameters
    ----------
    file : FoundFile
        CSV or JSON lines in UTF-8; ``.gz`` is unpacked.
    target : Path
        File to write: the columns of the manifest as text, and ``PROBLEM``.

    Raises
    ------
    ManifestError
        The file cannot be read, is no text in UTF-8, or has no header.
    """
    is_csv = file.name.casefold().endswith(CSV_SUFFIXES)
    names, rows = _csv(file) if is_csv else _json(file)
    schema = pa.schema([*((name, pa.string()) for name in names), (PROBLEM, pa.string())])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for block in _blocks(rows):
            columns = [pa.array(column, pa.string()) for column in zip(*block, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    block: list[Row] = []
    for row in rows:
        block.append(row)
        if len(block) == _ROWS_AT_ONCE:
            yield block
            block = []
    if block:
        yield block


def _csv(file: FoundFile) -> tuple[list[str], Iterator[Row]]:
    """Names of the header, and the rows below it."""
    with _opened(file) as stream:
        first = next((line for line in stream if line.strip()), None)
    if first is None:
        raise ManifestError(
            f"{file.name} is empty: write a header with the names of columns, then a row for each job"
        )
    delimiter = max(_DELIMITERS, key=first.count)
    (header,) = csv.reader([first], delimiter=delimiter)
    names = [name.strip() or f"column {at}" for at, name in enumerate(header, start=1)]
    return names, _csv_rows(file, delimiter, len(names))


def _csv_rows(file: FoundFile, delimiter: str, width: int) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    with _opened(file) as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        is_header = True
        try:
            for cells in reader:
                if not cells or (len(cells) == 1 and not cells[0].strip()):
                    continue
                if is_header:
                    is_header = False
                    continue
                yield _csv_row(cells, width, reader.line_num)
        except csv.Error as problem:
            raise ManifestError(
                f"{file.name}, line {reader.line_num}: {problem}; is a quotation mark left open above?"
            ) from problem


def _csv_row(cells: list[str], width: int, line: int) -> Row:
    if len(cells) != width:
        return _lost(width, f"line {line} has {len(cells)} fields where the header has {width}")
    if any(not cell.isascii() and _is_broken(cell) for cell in cells):
        return _lost(width, f"line {line} holds bytes that are not UTF-8")
    return [*(cell if cell.strip() else None for cell in cells), None]


def _json(file: FoundFile) -> tuple[list[str], Iterator[Row]]:
    """Every key of every line, in the order in which they come, and the lines as rows."""
    names: dict[str, None] = {}
    for found, _ in _objects(file):
        names |= dict.fromkeys(found or ())
    return list(names), _json_rows(file, list(names))


def _json_rows(file: FoundFile, names: Sequence[str]) -> Iterator[Row]:
    for found, problem in _objects(file):
        if found is None:
            yield _lost(len(names), problem)
        else:
            yield [*(_as_text(found.get(name)) for name in names), None]


def _objects(file: FoundFile) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """The object of each line, or what is wrong with it."""
    with _opened(file) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            if not line.isascii() and _is_broken(line):
                yield None, f"line {number} holds bytes that are not UTF-8"
                continue
            try:
                found = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
            except ValueError as problem:
                yield None, f"line {number} is not JSON ({problem})"
                continue
            if isinstance(found, dict):
                yield found, ""
            else:
                yield None, f"line {number} is no JSON object"


def _as_text(value: Any) -> str | None:  # noqa: ANN401  # whatever JSON holds
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ";".join(value)
    return json.dumps(value)


def _lost(width: int, problem: str) -> Row:
    return [*[None] * width, problem]


def _is_broken(text: str) -> bool:
    """Whether bytes were no UTF-8: they are kept as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


@contextmanager
def _opened(file: FoundFile) -> Iterator[TextIO]:
    """The text of a file, unpacked; bytes that are no UTF-8 do not stop it."""
    try:
        with file.filesystem.open_input_stream(file.path) as raw:
            stream = io.TextIOWrapper(
                _checked(io.BufferedReader(raw), file.name),  # type: ignore[arg-type]  # it reads as raw files do
                encoding="utf-8-sig",
                errors="surrogateescape",
                newline="",
            )
            yield stream
            stream.detach()
    except OSError as problem:
        raise ManifestError(
            f"{file.name} cannot be read ({type(problem).__name__}: {problem}): check that it is a file you may read, "
            "and whole if it is packed"
        ) from problem


def _checked(stream: io.BufferedReader, name: str) -> io.BufferedReader:
    if stream.peek(2)[:2] in _UTF16:
        raise ManifestError(f"{name} is UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)")
    return stream
