"""The tables of the evaluation page: scores by method, and errors on fleets with runs of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from opencarbon.estimation.evaluation import CONFIDENCE, EVALUATED, LEVEL
from opencarbon.estimation.evaluation.power import POWER_METHODS
from opencarbon.publishing.numbers import MINUS, NOT_KNOWN
from opencarbon.publishing.render import Cell, Group, Heading, TableView

_SPLIT_TITLES: Final = {
    "family": "One family left out at a time",
    "organisation": "One organisation left out at a time",
    "source": "One source left out at a time",
}
_FLEETS_COUNTED: Final = {
    "same_fleets": "the same fleets throughout",
    "at_least_one_left": "all with a run left",
}
_SPAN: Final = f"{100 * CONFIDENCE:.0f} % interval"
_HELD: Final = f"In {100 * LEVEL:.0f} % interval"

Rows = Sequence[Mapping[str, Any]]


def score_view(title: str, rows: Rows, reference: str) -> TableView:
    """How wrong each method is, and what its intervals hold.

    Parameters
    ----------
    title : str
    rows : sequence of mapping
        Rows of ``evaluation_score`` of one quantity and one subset.
    reference : str
        Short title of the method that the others are compared with.

    Returns
    -------
    TableView
        Why a method was left out stands beneath it.
    """
    headings = [
        Heading("Method"),
        Heading("Runs", "families", numeric=True),
        Heading("E", _SPAN, numeric=True),
        Heading("Median family off by", "%", numeric=True),
        Heading(f"{reference} less this", _SPAN, numeric=True),
        Heading("Interval score", "ln", numeric=True),
        Heading(f"{_HELD}, by family", _SPAN, numeric=True),
    ]
    return TableView(title, headings, list(_groups(rows, _score_cells, with_reasons=True)))


def further_view(title: str, rows: Rows) -> TableView:
    """Scores in which every run counts alike.

    Parameters
    ----------
    title : str
    rows : sequence of mapping
        As for :func:`score_view`.

    Returns
    -------
    TableView
    """
    sized = "|ln error|"
    headings = [
        Heading("Method"),
        Heading(f"{_HELD}, by run", _SPAN, numeric=True),
        *(Heading(words, sized, numeric=True) for words in ("Median", "Mean", "90th percentile")),
        Heading("Bias, mean", "ln error", numeric=True),
    ]
    return TableView(title, headings, list(_groups(rows, _further_cells)))


def fleet_view(rows: Rows) -> TableView:
    """Errors on the other runs of fleets, by how many of their own the fit was given.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of ``evaluation_fleet``.

    Returns
    -------
    TableView
    """
    headings = [
        Heading("Fleets counted"),
        Heading("Own runs given", numeric=True),
        Heading("Fleets", numeric=True),
        Heading("Mean error", "|ln error|", numeric=True),
        Heading("With one run fewer", "|ln error|", numeric=True),
    ]
    groups = [
        Group(
            [
                [
                    Cell(words),
                    *(Cell(str(row[name]), numeric=True) for name in ("runs_given", "fleets")),
                    *(Cell(fixed(row[f"mean_error{end}"], 3), numeric=True) for end in ("", "_one_less")),
                ]
                for kind, words in _FLEETS_COUNTED.items()
                for row in rows
                if (row["split"], row["fleets_counted"]) == (split, kind)
            ],
            f"Runs of one {split} on one device",
        )
        for split in ("family", "organisation")
    ]
    return TableView("Errors on the other runs of a fleet", headings, groups)


def _groups(
    rows: Rows, cells: Callable[[Mapping[str, Any]], list[Cell]], *, with_reasons: bool = False
) -> Iterator[Group]:
    for split, words in _SPLIT_TITLES.items():
        found = {row["evaluated_method"]: row for row in rows if row["split"] == split}
        lines = [found[name] for name in dict.fromkeys((*EVALUATED, *POWER_METHODS)) if name in found]
        reasons = {at: row["reason"] for at, row in enumerate(lines) if with_reasons and row["reason"]}
        if lines:
            yield Group([[_method(row), *cells(row)] for row in lines], words, reasons)


def _method(row: Mapping[str, Any]) -> Cell:
    name = row["evaluated_method"]
    title = EVALUATED[name].title if row["evaluated_quantity"] == "device_hours" else POWER_METHODS[name]
    marked = None if row["is_independent"] else "not independent"
    return Cell(title, badge="in-sample" if row["is_in_sample"] else marked)


def _score_cells(row: Mapping[str, Any]) -> list[Cell]:
    texts = (
        f"{row['scored_runs']} ({row['scored_families']})",
        spanned(row, "family_error"),
        fixed(row["family_median_error_pct"], 1),
        spanned(row, "family_error_difference"),
        fixed(row["interval_score"]),
        _share(row, "family_coverage"),
    )
    return [Cell(text, numeric=True) for text in texts]


def _further_cells(row: Mapping[str, Any]) -> list[Cell]:
    figures = (row[name] for name in ("median_error", "mean_error", "p90_error", "bias"))
    return [Cell(text, numeric=True) for text in (_share(row, "coverage"), *map(fixed, figures))]


def fixed(value: float | None, decimals: int = 2) -> str:
    """A score as text, with as many decimals as its neighbours, and no zero with a sign.

    Parameters
    ----------
    value : float or None
    decimals : int, optional

    Returns
    -------
    str
        A dash where there is none.
    """
    if value is None:
        return NOT_KNOWN
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", MINUS)


def spanned(row: Mapping[str, Any], name: str) -> str:
    """A score with its interval as text.

    Parameters
    ----------
    row : mapping
        Row of ``evaluation_score``.
    name : str
        Column, of which there are also _low and _high.

    Returns
    -------
    str
        Such as ``0.242 (0.18 to 0.31)``; a dash where there is none.
    """
    if row[name] is None:
        return NOT_KNOWN
    low, high = (fixed(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{fixed(row[name], 3)} ({low} to {high})"


def _share(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return NOT_KNOWN
    value, low, high = (100.0 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.0f} % ({low:.0f} to {high:.0f})"
