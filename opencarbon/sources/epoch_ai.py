"""Epoch AI's table of machine-learning models: the published CSV file in, raw rows under our names out.

Both generations of its columns are read: that of 2025, and that of 2026, which adds chip-hours and the
method by which the training computation was estimated. Columns that are not known are left aside. No run is
judged here; the rows that a fit may use are chosen in :mod:`opencarbon.estimation.fitting.training_runs`. But a file
whose columns do not hold what their names say is refused whole, so that nothing is fitted on it.

References
----------
Epoch AI, "Data on AI Models", https://epoch.ai/data/ai-models, CC BY 4.0.
"""

import csv
import difflib
import io
import math
import re
from collections.abc import Callable
from datetime import date
from typing import Final, TypeVar

import pyarrow as pa

from opencarbon.errors import SourceShapeError

Value = TypeVar("Value")

SOURCE_ID: Final = "epoch-ai-models"
"""Where the rows come from, as the sources of the catalog name it."""

_TEXT: Final = {
    "Model": "model",
    "Organization": "organisation",
    "Domain": "domain",
    "Abstract": "abstract",
    "Training hardware": "hardware",
    "Base model": "base_model",
    "Training compute notes": "compute_notes",
    "Training time notes": "time_notes",
    "Utilization notes": "utilisation_notes",
    "Training compute estimation method": "estimation_method",
    "Numerical format": "numerical_format",
    "Confidence": "confidence",
}
_NUMBERS: Final = {
    "Training time (hours)": "training_hours",
    "Hardware quantity": "hardware_quantity",
    "Training chip-hours": "chip_hours",
    "Parameters": "parameters",
    "Training compute (FLOP)": "training_flop",
    "Finetune compute (FLOP)": "finetune_flop",
    "Hardware utilization (MFU)": "utilisation",
}
_DATES: Final = {"Publication date": "publication_date"}
_ONE_GENERATION_ONLY: Final = frozenset(
    (
        "Domain",
        "Abstract",
        "Parameters",
        "Utilization notes",
        "Training compute estimation method",
        "Training chip-hours",
        "Hardware utilization (MFU)",
        "Numerical format",
        "Confidence",
    )
)
"""Columns that an older or newer file may lack; every other one is needed."""

_MOST: Final = 0.5
"""Share of cells that hold no number, or of runs with impossible figures, above which a file is refused.

A row that is wrong is named and left out. Where most are, the columns are not what the header says, and the rows
that seem readable are not to be trusted either. In Epoch AI's files of November 2025 and April 2026 no cell of
these columns holds text, and at most 8 % of the runs that state hours are slower than
:data:`_LEAST_FLOP_PER_HOUR`, all of them on computers before 1991.
"""

_LEAST_FLOP_PER_HOUR: Final = 3.6e9
"""A million FLOP a second: less than any computer has that learning runs on since 1991."""

_MOST_HOURS: Final = 87_600.0
"""Ten years; the longest run of the files is one of ten months."""

_MOST_DEVICES: Final = 1e7
"""Fifty times the largest number of devices of the files, 200,000."""

_LEAST_NAMES: Final = 0.75
"""Names of models over rows: 1 in these files, where organisations have 0.47 and 0.51, devices less."""

_NUMBER: Final = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,3})?")

MODEL_ROWS: Final = pa.schema(
    [(name, pa.string()) for name in _TEXT.values()]
    + [(name, pa.float64()) for name in _NUMBERS.values()]
    + [(name, pa.date32()) for name in _DATES.values()]
    + [("unread_columns", pa.string())]
)
"""Columns of the raw rows. A column that a generation of the file does not have is null.

``unread_columns`` names the columns, as the file does, whose cell holds text where a number belongs, joined by
semicolons.
"""


def parse_models(body: bytes) -> pa.Table:
    """Read the rows of a file of models.

    Parameters
    ----------
    body : bytes
        The CSV file, UTF-8 with or without a byte order mark.

    Returns
    -------
    pa.Table
        One row for each model, with the columns of :data:`MODEL_ROWS`, in the order of the file. Hours and
        chip-hours [h], FLOP and quantities are numbers; a cell that holds no number is null, and its column is
        named in ``unread_columns``.

    Raises
    ------
    SourceShapeError
        Where the body is no such file: a web page, not text, not CSV, cut short, a needed column missing or
        there twice; or where most cells of a column of numbers hold text, or most runs have figures that no
        run can have.
    """
    header, rows = _read(body)
    _check_header(header)
    numbers = {name: _cells(header, rows, name, _number) for name in _NUMBERS}
    unread = {
        name: [cell is not None and number is None for cell, number in zip(cells, numbers[name], strict=True)]
        for name in _NUMBERS
        for cells in [_cells(header, rows, name, _text)]
    }
    _check_columns(unread, {name: _cells(header, rows, name, _text) for name in _NUMBERS})
    _check_figures(numbers)
    _check_names(_cells(header, rows, "Model", _text))
    named = [";".join(name for name in _NUMBERS if unread[name][row]) or None for row in range(len(rows))]
    columns = (
        [pa.array(_cells(header, rows, name, _text), pa.string()) for name in _TEXT]
        + [pa.array(numbers[name], pa.float64()) for name in _NUMBERS]
        + [pa.array(_cells(header, rows, name, _day), pa.date32()) for name in _DATES]
        + [pa.array(named, pa.string())]
    )
    return pa.Table.from_arrays(columns, schema=MODEL_ROWS)


def _check_header(header: list[str]) -> None:
    known = _TEXT | _NUMBERS | _DATES
    missing = [name for name in known if name not in header and name not in _ONE_GENERATION_ONLY]
    if missing:
        raise SourceShapeError(
            f"Epoch AI's table of models has no column {', '.join(map(repr, missing))}"
            f"{_near_misses(missing, header)}; its columns changed, or another file was given"
        )
    twice = [name for name in known if header.count(name) > 1]
    if twice:
        raise SourceShapeError(
            f"Epoch AI's table of models has the column {', '.join(map(repr, twice))} more than once, "
            "so that its cells cannot be told apart; the file is damaged"
        )


def _near_misses(missing: list[str], header: list[str]) -> str:
    near = [(name, difflib.get_close_matches(name, header, n=1)) for name in missing]
    found = [f"{names[0]!r} for {name!r}" for name, names in near if names]
    return f" (it has {', '.join(found)})" if found else ""


def _check_columns(unread: dict[str, list[bool]], cells: dict[str, list[str | None]]) -> None:
    """Refuse a file most of whose cells in a column of numbers hold text."""
    for name, wrong in unread.items():
        filled = sum(cell is not None for cell in cells[name])
        if sum(wrong) > _MOST * filled:
            example = next(cell for cell, is_wrong in zip(cells[name], wrong, strict=True) if is_wrong)
            raise SourceShapeError(
                f"Epoch AI's table of models, column {name!r}: {sum(wrong)} of {filled} cells hold no number, "
                f"such as {example!r:.60}; the columns are in another order than their names"
            )


def _check_figures(numbers: dict[str, list[float | None]]) -> None:
    """Refuse a file most of whose runs have figures that no run can have."""
    figures = list(
        zip(*(numbers[name] for name in ("Training compute (FLOP)", "Training time (hours)")), strict=True)
    )
    quantities = numbers["Hardware quantity"]
    slow = [
        flop < _LEAST_FLOP_PER_HOUR * hours
        for flop, hours in figures
        if flop is not None and hours is not None
    ]
    long = [hours > _MOST_HOURS for _, hours in figures if hours is not None]
    many = [count > _MOST_DEVICES for count in quantities if count is not None]
    for wrong, words in (
        (slow, "runs have less than a million FLOP a second"),
        (long, "runs took more than ten years"),
        (many, "runs had more than ten million devices"),
    ):
        if sum(wrong) > _MOST * len(wrong):
            raise SourceShapeError(
                f"Epoch AI's table of models: {sum(wrong)} of {len(wrong)} {words}; "
                "columns of numbers stand under each other's names"
            )


def _check_names(models: list[str | None]) -> None:
    """Refuse a file whose models are not told apart by their names: organisations stand there, or devices."""
    names = len(set(models))
    if names < _LEAST_NAMES * len(models):
        raise SourceShapeError(
            f"Epoch AI's table of models, column 'Model' has {names} names in {len(models)} rows; "
            "the columns are in another order than their names"
        )


def _read(body: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise SourceShapeError(
            f"Epoch AI's table of models is not UTF-8 text (byte {problem.start}); expected a CSV file"
        ) from None
    start = text[:1024].lstrip()
    if not start:
        raise SourceShapeError("Epoch AI's table of models is empty; expected a CSV file")
    if start.startswith("<"):
        raise SourceShapeError("Epoch AI's table of models is a web page (HTML or XML); expected a CSV file")
    return _rows(text)


def _rows(text: str) -> tuple[list[str], list[list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        if len(header) == 1 and ";" in header[0]:
            raise SourceShapeError(
                "Epoch AI's table of models has semicolons between its columns, so its numbers may have commas; "
                "give the file as it was published, with commas between columns"
            )
        rows = []
        for row in reader:
            if row and len(row) != len(header):
                raise SourceShapeError(
                    f"Epoch AI's table of models, line {reader.line_num}: {len(row)} cells where the header "
                    f"has {len(header)}; the file is cut short or not CSV"
                )
            if row:
                rows.append(row)
    except csv.Error as problem:
        raise SourceShapeError(
            f"Epoch AI's table of models, line {reader.line_num}: not CSV ({problem}); "
            "the file is cut short or damaged"
        ) from None
    return header, rows


def _cells(
    header: list[str], rows: list[list[str]], name: str, read: Callable[[str], Value | None]
) -> list[Value | None]:
    if name not in header:
        return [None] * len(rows)
    at = header.index(name)
    return [read(row[at]) for row in rows]


def _text(cell: str) -> str | None:
    return cell.strip() or None


def _number(cell: str) -> float | None:
    trimmed = cell.strip()
    if not _NUMBER.fullmatch(trimmed) or not any(character.isdigit() for character in trimmed):
        return None
    try:
        value = float(trimmed.replace(",", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell.strip()[:10])
    except ValueError:
        return None
