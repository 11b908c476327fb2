"""What pages share: figures with their captions, sources and data, and the list of sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.captions import Caption
from opencarbon.publishing.numbers import number
from opencarbon.publishing.render import Cell, TableView, view

_SOURCES_NAMED: Final = 6


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as a page shows it.

    Parameters
    ----------
    id : str
        Where on the page it is.
    caption : Caption
    wide, narrow : markupsafe.Markup
        Its drawings.
    sources : sequence of Cell
        Whose data it shows.
    data : sequence of TableView
    """

    id: str
    caption: Caption
    wide: Any
    narrow: Any
    sources: Sequence[Cell]
    data: Sequence[TableView]


@dataclass(frozen=True, slots=True)
class SourceList:
    """Sources at the foot of a page.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of ``dim_source`` with the ``anchor`` of each.
    anchors : mapping of str to str
        Source -> link within the page.
    attributions : sequence of str
        Words that licences ask to be shown.
    """

    rows: Sequence[Mapping[str, Any]]
    anchors: Mapping[str, str]
    attributions: Sequence[str]

    @classmethod
    def of(cls, tables: Iterable[pa.Table], sources: pa.Table) -> SourceList:
        """List what tables refer to.

        Parameters
        ----------
        tables : iterable of pa.Table
        sources : pa.Table
            ``dim_source``.

        Returns
        -------
        SourceList
        """
        cited = {source for table in tables for source in _cited(table)}
        rows = [row for row in sources.to_pylist() if row["source_id"] in cited]
        return cls(
            rows=[row | {"anchor": f"source-{at}"} for at, row in enumerate(rows)],
            anchors={row["source_id"]: f"#source-{at}" for at, row in enumerate(rows)},
            attributions=sorted({row["attribution"] for row in rows if row["attribution"]}),
        )


def drawing_of(
    name: str,
    caption: Caption,
    drawn: tuple[str, str],
    data: Mapping[str, pa.Table],
    anchors: Mapping[str, str],
) -> Drawing:
    """A figure with its caption, its sources and its data.

    Parameters
    ----------
    name : str
        Name of the figure.
    caption : Caption
    drawn : tuple of str
        Wide and narrow drawing, as SVG made by this package.
    data : mapping of str to pa.Table
        Tables that it is drawn from.
    anchors : mapping of str to str
        Source -> link within the page.

    Returns
    -------
    Drawing
    """
    views = [view(table, f"{number(table.num_rows)} rows", sources=anchors) for table in data.values()]
    named = [source for table in data.values() for source in _cited(table)]
    return drawing_with(name, caption, drawn, views, _source_cells(named, anchors))


def drawing_with(
    name: str,
    caption: Caption,
    drawn: tuple[str, str],
    data: Sequence[TableView],
    sources: Sequence[Cell] = (),
) -> Drawing:
    """A figure with its caption and data that are views already.

    Parameters
    ----------
    name : str
        Name of the figure.
    caption : Caption
    drawn : tuple of str
        Wide and narrow drawing, as SVG made by this package.
    data : sequence of TableView
    sources : sequence of Cell, optional
        Whose data it shows.

    Returns
    -------
    Drawing
    """
    from markupsafe import Markup

    wide, narrow = (Markup(svg) for svg in drawn)  # noqa: S704  # drawn by this package, which escapes names
    return Drawing(name.replace("_", "-"), caption, wide, narrow, sources, data)


def _cited(table: pa.Table) -> Iterator[str]:
    """Sources of a table, the most frequent first."""
    columns = [name for name in table.column_names if name.endswith("source_id")]
    values = [value for name in columns for value in table[name].to_pylist() if value is not None]
    yield from sorted(set(values), key=lambda value: (-values.count(value), value))


def _source_cells(named: Sequence[str], anchors: Mapping[str, str]) -> list[Cell]:
    cells = [Cell(name, href=anchors.get(name)) for name in named[:_SOURCES_NAMED]]
    more = len(named) - len(cells)
    return [*cells, Cell(f"and {more} more, named in the data")] if more else cells
