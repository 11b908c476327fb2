"""Files of run histories as records: CSV, sacct's bars, Parquet, JSON and logs, each a list of columns and rows."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from opencarbon.errors import SourceShapeError
from opencarbon.sources.history.formats import plain
from opencarbon.sources.history.logs import is_log, read_log
from opencarbon.sources.history.rules import Fault, fault

if TYPE_CHECKING:  # pyarrow's arrays are generic in its stubs only
    Values = pa.ChunkedArray[Any]

_PARQUET_MAGIC: Final = b"PAR1"
_SAID: Final = "expected the log of a tool as CSV, sacct output, Parquet, JSON or text"


@dataclass(frozen=True, slots=True)
class Records:
    """Rows of a file.

    Parameters
    ----------
    columns : tuple of str
        Columns, as the file spells them.
    rows : sequence of (int, mapping of str to object)
        Number of the row from 0, and its cells by plain column.
    faults : list of Fault
        Rows that could not be taken apart.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[int, Mapping[str, object]]]
    faults: list[Fault]


def read_records(content: bytes, shown: str, *, expected: str = _SAID) -> Records:
    """Take a file apart, whatever of the kinds it is.

    Parameters
    ----------
    content : bytes
        Parquet by its magic bytes; else UTF-8 text, with or without a byte order mark.
    shown : str
        Name of the file, for messages.
    expected : str, optional
        What the file should be, for messages.

    Returns
    -------
    Records

    Raises
    ------
    SourceShapeError
        The file is empty, neither Parquet nor text, cut off where that spoils all of it, or a web page.
    """
    if content.startswith(_PARQUET_MAGIC):
        return _parquet(content, shown)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise SourceShapeError(
            f"{shown} is neither Parquet nor UTF-8 text (byte {problem.start}); {expected}"
        ) from None
    start = text[:1024].lstrip()
    if not start:
        raise SourceShapeError(f"{shown} is empty; {expected}")
    if start.startswith("<"):
        raise SourceShapeError(f"{shown} is a web page (HTML or XML); {expected}")
    if start.startswith(("{", "[")):
        return _json(text, shown)
    if is_log(text):
        return _mappings(enumerate([read_log(text, shown)]), [])
    return _delimited(text)


def _parquet(content: bytes, shown: str) -> Records:
    try:
        table = pq.read_table(io.BytesIO(content))
    except (OSError, pa.ArrowException) as problem:
        reason = str(problem).splitlines()[0]
        raise SourceShapeError(f"{shown} is damaged or cut off Parquet ({reason}); write it again") from None
    names = list(map(plain, table.column_names))
    columns = [_in_microseconds(table[name]).to_pylist() for name in table.column_names]
    rows = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return Records(tuple(table.column_names), list(enumerate(rows)), [])


def _in_microseconds(column: "Values") -> "Values":
    """Times that Python's own can hold."""
    if pt.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _json(text: str, shown: str) -> Records:
    """A document that is an object or a list of them, or an object on each line."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as problem:
        return _json_lines(text, problem, shown)
    items = document if isinstance(document, list) else [document]
    if not all(isinstance(item, dict) for item in items):
        raise SourceShapeError(f"{shown} is JSON, but not an object or a list of objects; {_SAID}")
    return _mappings(enumerate(items), [])


def _json_lines(text: str, problem: json.JSONDecodeError, shown: str) -> Records:
    rows: list[tuple[int, dict[str, object]]] = []
    faults: list[Fault] = []
    for number, line in enumerate(line for line in text.split("\n") if line.strip()):
        item = _object(line)
        if item is not None:
            rows.append((number, item))
        else:
            faults.append(fault("cut_row", number, None, "line", line, words="it is no JSON object"))
    if not rows:
        raise SourceShapeError(f"{shown} is damaged or cut off JSON ({problem.msg}, line {problem.lineno})")
    return _mappings(rows, faults)


def _object(line: str) -> dict[str, object] | None:
    try:
        item = json.loads(line)
    except json.JSONDecodeError:
        return None
    return item if isinstance(item, dict) else None


def _mappings(rows: Iterable[tuple[int, Mapping[str, object]]], faults: list[Fault]) -> Records:
    listed = list(rows)
    columns = tuple(dict.fromkeys(name for _, row in listed for name in row))
    plainly = [(number, {plain(name): value for name, value in row.items()}) for number, row in listed]
    return Records(columns, plainly, faults)


def _delimited(text: str) -> Records:
    """CSV, or the bars of ``sacct``, which quotes nothing."""
    stream = io.StringIO(text.lstrip(), newline="")
    if "|" in text.lstrip().partition("\n")[0]:
        reader = csv.reader(stream, delimiter="|", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(stream, strict=True)
    lines = _lines(reader)
    header = next(lines)
    if isinstance(header, csv.Error):
        return Records((), [], [])
    names = list(map(plain, header))
    rows: list[tuple[int, Mapping[str, object]]] = []
    faults: list[Fault] = []
    for number, cells in enumerate(lines):
        if isinstance(cells, csv.Error):
            faults.append(fault("cut_row", number, None, header[0], None, words=str(cells)))
        elif len(cells) == len(header):
            rows.append((number, dict(zip(names, cells, strict=True))))
        else:
            words = f"it has {len(cells)} cells where the header has {len(header)}"
            at = header[min(len(cells), len(header)) - 1]
            faults.append(fault("cut_row", number, None, at, cells[-1], words=words))
    return Records(tuple(name for name in header if name.strip()), rows, faults)


def _lines(reader: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    """Lines with cells; an error in the place of the line that it spoils, and of all after it."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            yield problem
            return
        if cells:
            yield cells
