"""The tables of the reproduction page: cells of the paper, errors on its test runs, counts of training computation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from opencarbon.publishing.numbers import (
    KILOGRAMS_PER_TONNE,
    NOT_KNOWN,
    number,
    percentage,
    significant_digits,
)
from opencarbon.publishing.render import Cell, Group, Heading, TableView, unit_text, words_of

AGREES_WITHIN_PCT: Final = 1.0
"""A cell that differs by more is marked: rounding of the inputs as printed moves cells by less."""
COUNTS_WITHIN: Final = 0.1
"""Counts of training computation that differ by more say why."""
_REFITTED: Final = {"opencarboneval": "OpenCarbonEval's form, refitted"}
"""Titles of methods that are fitted here, where the method's own title says as published."""


def paper_table(name: str, caption: str, cells: Sequence[Mapping[str, Any]]) -> TableView:
    """Cells of one of the paper's tables, grouped by model or device.

    Parameters
    ----------
    name : str
        ``table_1``, ``table_2`` or ``table_3``.
    caption : str
    cells : sequence of mapping
        Rows of ``paper_cell``.

    Returns
    -------
    TableView
    """
    mine = [cell for cell in cells if cell["paper_table"] == name]
    in_row = "unit of the row"
    headings = [
        Heading("Quantity", "unit"),
        *(Heading(words, in_row, numeric=True) for words in ("Published", "Recomputed", "Refitted")),
        Heading("Difference", "%", numeric=True),
    ]
    subjects = dict.fromkeys(cell["subject"] for cell in mine)
    groups = [
        _paper_group(subject, [cell for cell in mine if cell["subject"] == subject]) for subject in subjects
    ]
    return TableView(caption, headings, groups)


def _paper_group(subject: str, cells: Sequence[Mapping[str, Any]]) -> Group:
    """Cells of a model or device; what the paper only states, and nobody can compute, stands in the heading."""
    stated = [cell for cell in cells if cell["recomputed_value"] is None and cell["refitted_value"] is None]
    rows = [cell for cell in cells if cell not in stated]
    inputs = ", ".join(_stated(cell) for cell in stated)
    remarks = {i: cell["remark"] for i, cell in enumerate(rows) if cell["remark"]}
    said = [cell["remark"] for cell in stated if cell["remark"]]
    if said:
        remarks[0] = " ".join((*said, *filter(None, [remarks.get(0)])))
    return Group([_paper_row(cell) for cell in rows], f"{subject}: {inputs}" if inputs else subject, remarks)


def _stated(cell: Mapping[str, Any]) -> str:
    value, unit = number(cell["published_value"]), unit_text(cell["unit"])
    return (
        f"{value} {unit}"
        if cell["quantity"] == cell["unit"]
        else f"{words_of(cell['quantity'])} {value} {unit}"
    )


def compute_view(table: pa.Table, anchors: Mapping[str, str]) -> TableView:
    """Counts beside published totals; what is counted, and why it differs, stands beneath each model.

    Parameters
    ----------
    table : pa.Table
        ``training_compute``.
    anchors : mapping of str to str
        Source -> where the page lists it.

    Returns
    -------
    TableView
    """
    rows = table.to_pylist()
    headings = [
        Heading("Model"),
        Heading("Counted as"),
        *(Heading(words, "FLOP", numeric=True) for words in ("Published", "Counted")),
        Heading("Counted over published", numeric=True),
        Heading("Source"),
    ]
    remarks = {
        i: f"{row['counted_from']}." + (f" Differs: {row['reason']}" if row["reason"] else "")
        for i, row in enumerate(rows)
    }
    return TableView(
        "Training computation of published models",
        headings,
        [Group(_compute_rows(rows, anchors), None, remarks)],
    )


def _compute_rows(rows: Sequence[Mapping[str, Any]], anchors: Mapping[str, str]) -> list[list[Cell]]:
    return [
        [
            Cell(row["model"]),
            Cell(row["architecture"]),
            Cell(number(row["published_flop"], 3), numeric=True),
            Cell(number(row["training_flop"], 3), numeric=True),
            Cell(
                number(row["ratio"], 3),
                numeric=True,
                badge="differs" if abs(row["ratio"] - 1.0) > COUNTS_WITHIN else None,
            ),
            Cell(row["source_id"], href=anchors.get(row["source_id"])),
        ]
        for row in rows
    ]


def _paper_row(cell: Mapping[str, Any]) -> list[Cell]:
    published, difference = cell["published_value"], cell["difference_pct"]
    digits = max(4, 0 if published is None else significant_digits(published))
    quantity = words_of(cell["quantity"])
    unit = f" ({unit_text(cell['unit'])})" if cell["unit"] else ""
    figures = [
        Cell(number(cell[column], digits), numeric=True)
        for column in ("published_value", "recomputed_value", "refitted_value")
    ]
    badge = None
    if difference is not None and cell["recomputed_value"] is None:
        badge = "refitted"
    elif difference is not None and abs(difference) > AGREES_WITHIN_PCT:
        badge = "differs"
    return [Cell(f"{quantity}{unit}"), *figures, Cell(percentage(difference), numeric=True, badge=badge)]


def errors_view(tables: Mapping[str, pa.Table]) -> TableView:
    """Errors on the paper's test runs, with these in the fit and left out.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        ``test_run_error`` and ``dim_method`` among them.

    Returns
    -------
    TableView
    """
    rows = tables["test_run_error"].to_pylist()
    titles = {row["method"]: row["title"] for row in tables["dim_method"].to_pylist()} | _REFITTED
    kinds = (("fitted", "in the fit"), ("left_out", "left out"))
    headings = [
        Heading("Method"),
        *(
            heading
            for _, words in kinds
            for heading in (
                Heading(f"Predicted, test runs {words}", "tCO₂e", numeric=True),
                Heading(f"Error, test runs {words}", "%", numeric=True),
            )
        ),
    ]
    found = {(row["model"], row["method"], row["test_runs"]): row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows))
    groups = []
    for model in dict.fromkeys(row["model"] for row in rows):
        first = next(row for row in rows if row["model"] == model)
        known = [method for method in methods if any((model, method, kind) in found for kind, _ in kinds)]
        groups.append(
            Group(
                [
                    [
                        Cell(titles.get(method, method)),
                        *(c for kind, _ in kinds for c in _error_cells(found.get((model, method, kind)))),
                    ]
                    for method in known
                ],
                f"{model}: actual {_tonnes(first['actual_kgco2e'])} tCO₂e; {first['device']}; "
                f"{number(first['training_flop'])} FLOP",
            )
        )
    means = [
        [Cell(titles.get(method, method)), *(c for kind, _ in kinds for c in _mean_cells(rows, method, kind))]
        for method in methods
    ]
    return TableView(
        "Errors on the paper's test runs", headings, [*groups, Group(means, "Mean absolute error")]
    )


def _error_cells(row: Mapping[str, Any] | None) -> list[Cell]:
    if row is None:
        return [Cell(NOT_KNOWN, numeric=True)] * 2
    return [
        Cell(_tonnes(row["operational_kgco2e"]), numeric=True),
        Cell(percentage(row["error_pct"]), numeric=True),
    ]


def _mean_cells(rows: Sequence[Mapping[str, Any]], method: str, kind: str) -> list[Cell]:
    errors = [
        abs(row["error_pct"])
        for row in rows
        if (row["method"], row["test_runs"]) == (method, kind) and row["error_pct"] is not None
    ]
    mean = f"{number(sum(errors) / len(errors), 3)} %" if errors else NOT_KNOWN
    return [Cell(NOT_KNOWN, numeric=True), Cell(mean, numeric=True)]


def _tonnes(kgco2e: float | None) -> str:
    return number(None if kgco2e is None else kgco2e / KILOGRAMS_PER_TONNE)
