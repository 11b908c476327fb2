"""Every column that opencarbon reads, passes on or publishes, once.

The columns stand in ``columns.csv`` beside this file: name, type, unit, how the column may be aggregated, the bounds
and the values allowed, and what it means. The same quantity in the same unit has the same name everywhere.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import pyarrow as pa
import pyarrow.csv as pacsv

TYPES: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date32": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
"""The only types published: every BI tool reads them without options."""

TIMESTAMP: Final = TYPES["timestamp"]
"""Type of every moment."""

AGGREGATIONS: Final = ("sum", "max", "energy_weighted_mean", "none")
"""How a column may be aggregated; ``none`` marks ratios, ranks, interval ends and everything that is not a measure."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the vocabulary.

    Parameters
    ----------
    name : str
        Name, ending in its unit where it has one.
    type : pa.DataType
        One of :data:`TYPES`.
    unit : str or None
        Unit, None where there is none.
    aggregation : str
        One of :data:`AGGREGATIONS`.
    minimum, maximum : float or None
        Bounds, both included.
    allowed : tuple of str
        The only values allowed; empty where any is.
    description : str
        What the column means, in a sentence.
    """

    name: str
    type: pa.DataType
    unit: str | None
    aggregation: str
    minimum: float | None
    maximum: float | None
    allowed: tuple[str, ...]
    description: str


@cache
def all_columns() -> dict[str, Column]:
    """Every column of the vocabulary by name, in alphabetical order.

    Returns
    -------
    dict of str to Column
    """
    texts = ("name", "type", "unit", "aggregation", "allowed", "description")
    with (files(__package__) / "columns.csv").open("rb") as file:
        table = pacsv.read_csv(
            file,
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(texts, pa.string())
                | dict.fromkeys(("minimum", "maximum"), pa.float64()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    rows = (
        Column(
            name=row["name"],
            type=TYPES[row["type"]],
            unit=row["unit"],
            aggregation=row["aggregation"],
            minimum=row["minimum"],
            maximum=row["maximum"],
            allowed=tuple(row["allowed"].split(";")) if row["allowed"] else (),
            description=row["description"],
        )
        for row in table.to_pylist()
    )
    return {column.name: column for column in rows}


def type_name(data_type: pa.DataType) -> str:
    """Name of a published type, as the dictionary prints it.

    Parameters
    ----------
    data_type : pa.DataType
        One of the values of :data:`TYPES`.

    Returns
    -------
    str
    """
    return next(name for name, known in TYPES.items() if known == data_type)
