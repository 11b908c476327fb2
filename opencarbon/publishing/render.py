"""Pages: one HTML file each, made from a template, with nothing from elsewhere.

What any page needs is here: tables as views of cells, numbers as text, the environment of the templates. Every value is
escaped; only drawings made by this package go in as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.publishing.figures.style import DARK
from opencarbon.publishing.numbers import NOT_KNOWN, number
from opencarbon.tables.columns import all_columns
from opencarbon.units import unit_of

_SPELT: Final = {
    "dtr": "DTR",
    "flop": "FLOP",
    "llmcarbon": "LLMCarbon",
    "log10": "log₁₀",
    "opencarboneval": "OpenCarbonEval",
    "pue": "PUE",
    "svr": "SVR",
    "tdp": "TDP",
}
"""Parts of names that are not spelt in small letters."""
_LINKED: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Heading:
    """Head of a column.

    Parameters
    ----------
    text : str
        Its name.
    unit : str or None
        Unit of its values.
    meaning : str or None
        What it means, in a sentence.
    numeric : bool
        Whether its cells are numbers, and stand right.
    """

    text: str
    unit: str | None = None
    meaning: str | None = None
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Parameters
    ----------
    text : str
        What it says.
    numeric : bool
        Whether it is a number, and stands right.
    href : str or None
        Where it leads.
    badge : str or None
        A word that marks it.
    small : str
        What stands below it, if anything.
    """

    text: str
    numeric: bool = False
    href: str | None = None
    badge: str | None = None
    small: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under a common head; the first cell of a row is its own head.

    Parameters
    ----------
    rows : sequence of sequence of Cell
        The rows.
    title : str or None
        Head of the group.
    remarks : mapping of int to str
        Words below a row, by its place.
    """

    rows: Sequence[Sequence[Cell]]
    title: str | None = None
    remarks: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableView:
    """A table as a page shows it.

    Parameters
    ----------
    caption : str
        What it is.
    headings : sequence of Heading
        Heads of its columns.
    groups : sequence of Group
        Its rows.
    """

    caption: str
    headings: Sequence[Heading]
    groups: Sequence[Group]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(group.rows) for group in self.groups)


def view(
    table: pa.Table,
    caption: str,
    *,
    columns: Sequence[str] | None = None,
    sources: Mapping[str, str] | None = None,
) -> TableView:
    """Any table in declared columns, as a page shows it.

    Parameters
    ----------
    table : pa.Table
        In columns of ``tables/columns.csv``.
    caption : str
        What it is.
    columns : sequence of str, optional
        Which columns, in order; all of them unless given. The first names the row.
    sources : mapping of str to str, optional
        Source id -> place on the page that says what it is.

    Returns
    -------
    TableView
    """
    names = list(columns or table.column_names)
    rows = [[cell(row[name], name, sources or {}) for name in names] for row in table.to_pylist()]
    return TableView(caption, [heading(name) for name in names], [Group(rows)])


def heading(name: str) -> Heading:
    """Head of a declared column: its name without the unit, its unit, its meaning.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    Heading
    """
    column = all_columns()[name]
    words = name
    for suffix in ("_gco2e_per_kwh", "_tflop_per_s", "_kgco2e", "_kwh", "_pct", "_utc", "_w", "_id"):
        words = words.removesuffix(suffix)
    text = words_of(words)
    unit = unit_text(unit_of(name) or column.unit or "")
    return Heading(
        text if text.startswith("log") else text[0].upper() + text[1:],
        unit=None if text.endswith(unit.replace("-", " ")) else unit,
        meaning=column.description,
        numeric=pa.types.is_floating(column.type) or pa.types.is_integer(column.type),
    )


def cell(value: object, name: str, sources: Mapping[str, str]) -> Cell:
    """A value of a declared column as text.

    Parameters
    ----------
    value : object
        The value.
    name : str
        Name of its column.
    sources : mapping of str to str
        Source id -> place on the page that says what it is.

    Returns
    -------
    Cell
    """
    if value is None:
        return Cell(NOT_KNOWN, numeric=heading(name).numeric)
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell(number(value), numeric=True)
    if isinstance(value, date | datetime):
        return Cell(value.isoformat())
    if name.endswith("source_id"):
        return Cell(str(value), href=sources.get(str(value)))
    return Cell(str(value))


def unit_text(unit: str) -> str:
    """A unit as it is printed: with its subscripts."""
    return unit.replace("CO2e", "CO₂e").replace("log10", "log₁₀")


def words_of(name: str) -> str:
    """Name of a quantity as words: underscores become spaces, abbreviations capitals."""
    return " ".join(_SPELT.get(part, part) for part in name.split("_"))


def figure_text(value: float | str | None) -> str:
    """A figure as text: words stay words."""
    return value if isinstance(value, str) else number(value)


def safe_url(url: str | None) -> str | None:
    """An address that may become a link: of the web, or none."""
    return url if url and url.lower().startswith(_LINKED) else None


def render(template: str, **values: object) -> str:
    """Fill a template of this package.

    Parameters
    ----------
    template : str
        Its file name.
    **values : object
        What it names; text is escaped.

    Returns
    -------
    str
        One HTML file.

    Raises
    ------
    ConfigError
        If Jinja is not installed.
    """
    try:
        import jinja2
    except ImportError as problem:
        raise ConfigError(
            "pages are made with Jinja, which is not installed: pip install 'opencarbon[report]'"
        ) from problem
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("opencarbon.publishing"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure_text, "unit": unit_text, "safe_url": safe_url}
    return environment.get_template(template).render(dark=DARK, **values) + "\n"
