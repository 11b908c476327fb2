"""Epoch AI's table of machine-learning models: the published CSV file in, raw rows under our names out.

Both generations of its columns are read: that of 2025, and that of 2026, which adds chip-hours and the
method by which the training computation was estimated. Nothing is judged here; the rows that a fit may use
are chosen in :mod:`opencarbon.estimation.training_runs`.

References
----------
Epoch AI, "Data on AI Models", https://epoch.ai/data/ai-models, CC BY 4.0.
"""

import csv
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

_NUMBER: Final = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,3})?")

MODEL_ROWS: Final = pa.schema(
    [(name, pa.string()) for name in _TEXT.values()]
    + [(name, pa.float64()) for name in _NUMBERS.values()]
    + [(name, pa.date32()) for name in _DATES.values()]
)
"""Columns of the raw rows. A column that a generation of the file does not have is null."""


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
        chip-hours [h], FLOP and quantities are numbers; a cell that holds no number is null.

    Raises
    ------
    SourceShapeError
        Where the body is no such file: a web page, not text, not CSV, a needed column missing.
    """
    header, rows = _read(body)
    missing = [
        name for name in _TEXT | _NUMBERS | _DATES if name not in header and name not in _ONE_GENERATION_ONLY
    ]
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        raise SourceShapeError(
            f"Epoch AI's table of models has no column {listed}; "
            "its columns changed, or another file was given"
        )

    columns = (
        [pa.array(_cells(header, rows, name, _text), pa.string()) for name in _TEXT]
        + [pa.array(_cells(header, rows, name, _number), pa.float64()) for name in _NUMBERS]
        + [pa.array(_cells(header, rows, name, _day), pa.date32()) for name in _DATES]
    )
    return pa.Table.from_arrays(columns, schema=MODEL_ROWS)


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
