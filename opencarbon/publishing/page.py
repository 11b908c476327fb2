"""The paper's reproduction as one page: findings, tables cell by cell, figures, errors, methods, sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.estimation.reproduction.findings import Finding
from opencarbon.publishing.figures.captions import CAPTIONS, Caption
from opencarbon.publishing.numbers import (
    KILOGRAMS_PER_TONNE,
    NOT_KNOWN,
    number,
    percentage,
    significant_digits,
)
from opencarbon.publishing.render import Cell, Group, Heading, TableView, render, unit_text, view, words_of
from opencarbon.tables.reproduction import REPRODUCED

AGREES_WITHIN_PCT: Final = 1.0
"""A cell that differs by more is marked: rounding of the inputs as printed moves cells by less."""
COUNTS_WITHIN: Final = 0.1
"""Counts of training computation that differ by more say why."""
_REFITTED: Final = {"opencarboneval": "OpenCarbonEval's form, refitted"}
"""Titles of methods that are fitted here, where the method's own title says as published."""
_PAPER_TABLES: Final = {
    "table_1": "Table 1: devices, and the interval of alpha of each",
    "table_2": "Table 2: operational emissions of six models",
    "table_3": "Table 3: embodied emissions of six models",
}
_SOURCES_NAMED: Final = 6
_DATA: Final[dict[str, tuple[str, ...]]] = {
    "figure_1": ("figure_1",),
    "figure_4": ("figure_4",),
    "figure_5": ("figure_5",),
    "figure_6": ("figure_6",),
    "figure_7": ("figure_7",),
    "compare": ("method_estimate",),
    "embodied": ("dim_device_embodied",),
}
"""Figure -> tables that it is drawn from."""
_CONTENTS: Final = (
    *(("findings", "Findings"), ("tables", "Tables"), ("figures", "Figures"), ("errors", "Errors")),
    *(("compute", "Training computation"), ("methods", "Methods"), ("sources", "Sources")),
)


@dataclass(frozen=True, slots=True)
class _Drawing:
    id: str
    caption: Caption
    wide: Any
    narrow: Any
    sources: Sequence[Cell]
    data: Sequence[TableView]


def reproduction_page(
    tables: Mapping[str, pa.Table],
    sources: pa.Table,
    figures: Mapping[str, tuple[str, str]],
    findings: Sequence[Finding],
    facts: Mapping[str, str],
) -> str:
    """Make the page of the paper's reproduction.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Tables of ``REPRODUCED`` by name; ``method_estimate`` and ``dim_device_embodied`` where their figures are shown.
    sources : pa.Table
        ``dim_source``: what the tables refer to is listed, with its licence and attribution.
    figures : mapping of str to tuple of str
        Wide and narrow drawing of each figure, as ``figures.reproduction_figures`` gives them.
    findings : sequence of Finding
        What was found, most telling first.
    facts : mapping of str to str
        What the page was made from: label -> words, such as the version and the day of the data.

    Returns
    -------
    str
        One HTML file that loads nothing; the same for the same arguments.

    Raises
    ------
    ConfigError
        If Jinja is not installed, a table is missing, or a figure has no caption.
    """
    missing = sorted(REPRODUCED.keys() - tables.keys())
    if missing:
        raise ConfigError(f"the page needs the tables {', '.join(missing)}: pass all of REPRODUCED")
    unknown = sorted(figures.keys() - CAPTIONS.keys())
    if unknown:
        raise ConfigError(f"no caption for the figures {', '.join(unknown)}: known are {', '.join(CAPTIONS)}")
    cited = {source for table in tables.values() for source in _cited(table)}
    rows = [row for row in sources.to_pylist() if row["source_id"] in cited]
    anchors = {row["source_id"]: f"#source-{i}" for i, row in enumerate(rows)}
    cells = tables["paper_cell"].to_pylist()
    return render(
        "reproduction.html",
        lead=_lead(cells),
        highlights=_highlights(tables),
        contents=_CONTENTS,
        findings=findings,
        cells=[_paper_table(name, caption, cells) for name, caption in _PAPER_TABLES.items()],
        figures=[_drawing(name, figures[name], tables, anchors) for name in CAPTIONS if name in figures],
        errors=_errors(tables),
        compute=_compute(tables["training_compute"], anchors),
        methods=[
            row | {"source": Cell(row["source_id"], href=anchors.get(row["source_id"]))}
            for row in tables["dim_method"].to_pylist()
        ],
        attributions=sorted({row["attribution"] for row in rows if row["attribution"]}),
        sources=[row | {"anchor": anchors[row["source_id"]][1:]} for row in rows],
        facts=facts,
    )


def _recomputed(cells: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Cells that could be recomputed, and how many of them agree."""
    compared = [
        abs(cell["difference_pct"]) <= AGREES_WITHIN_PCT
        for cell in cells
        if cell["recomputed_value"] is not None and cell["difference_pct"] is not None
    ]
    return len(compared), sum(compared)


def _lead(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    compared, agreeing = _recomputed(cells)
    return [
        "OpenCarbonEval (arXiv 2405.12843) predicts what training a large model emits, before it is trained.",
        "Here its tables and figures are computed again: from the inputs that it states, and from a fit to today's runs.",
        f"Of {compared} cells that follow from stated inputs, {agreeing} agree within {AGREES_WITHIN_PCT:g} %; "
        + "the others are marked, with the reason where it is known.",
    ]


def _highlights(tables: Mapping[str, pa.Table]) -> list[tuple[str, str]]:
    compared, agreeing = _recomputed(tables["paper_cell"].to_pylist())
    used = sum(row["used"] for row in tables["figure_4"].to_pylist())
    return [
        ("recomputed cells that agree", f"{agreeing} of {compared}"),
        ("models over time", number(tables["figure_1"].num_rows)),
        ("published runs in the fit", f"{used} of {tables['figure_4'].num_rows}"),
        ("methods described", number(tables["dim_method"].num_rows)),
    ]


def _paper_table(name: str, caption: str, cells: Sequence[Mapping[str, Any]]) -> TableView:
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


def _compute(table: pa.Table, anchors: Mapping[str, str]) -> TableView:
    """Counts beside published totals; what is counted, and why it differs, stands beneath each model."""
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


def _drawing(
    name: str, drawn: tuple[str, str], tables: Mapping[str, pa.Table], anchors: Mapping[str, str]
) -> _Drawing:
    from markupsafe import Markup

    caption = CAPTIONS[name]
    shown = [table for table in _DATA[name] if table in tables]
    wide, narrow = (Markup(svg) for svg in drawn)  # noqa: S704  # drawn by this package, which escapes names
    data = [view(tables[table], f"{number(tables[table].num_rows)} rows", sources=anchors) for table in shown]
    named = [source for table in shown for source in _cited(tables[table])]
    return _Drawing(name.replace("_", "-"), caption, wide, narrow, _source_cells(named, anchors), data)


def _cited(table: pa.Table) -> Iterator[str]:
    """Sources of a table, the most frequent first."""
    columns = [name for name in table.column_names if name.endswith("source_id")]
    values = [value for name in columns for value in table[name].to_pylist() if value is not None]
    yield from sorted(set(values), key=lambda value: (-values.count(value), value))


def _source_cells(named: Sequence[str], anchors: Mapping[str, str]) -> list[Cell]:
    cells = [Cell(name, href=anchors.get(name)) for name in named[:_SOURCES_NAMED]]
    more = len(named) - len(cells)
    return [*cells, Cell(f"and {more} more, named in the data")] if more else cells


def _errors(tables: Mapping[str, pa.Table]) -> TableView:
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
