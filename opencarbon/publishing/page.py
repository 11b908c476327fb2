"""The paper's reproduction as one page: findings, tables cell by cell, figures, errors, methods, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.estimation.reproduction.findings import Finding
from opencarbon.publishing.drawings import SourceList, drawing_of
from opencarbon.publishing.figures.captions import CAPTIONS
from opencarbon.publishing.numbers import number
from opencarbon.publishing.render import Cell, render
from opencarbon.publishing.reproduction_tables import (
    AGREES_WITHIN_PCT,
    compute_view,
    errors_view,
    paper_table,
)
from opencarbon.tables.reproduction import REPRODUCED

_PAPER_TABLES: Final = {
    "table_1": "Table 1: devices, and the interval of alpha of each",
    "table_2": "Table 2: operational emissions of six models",
    "table_3": "Table 3: embodied emissions of six models",
}
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
    listed = SourceList.of(tables.values(), sources)
    cells = tables["paper_cell"].to_pylist()
    return render(
        "reproduction.html",
        lead=_lead(cells),
        highlights=_highlights(tables),
        contents=_CONTENTS,
        findings=findings,
        cells=[paper_table(name, caption, cells) for name, caption in _PAPER_TABLES.items()],
        figures=[
            drawing_of(
                name,
                CAPTIONS[name],
                figures[name],
                {table: tables[table] for table in _DATA[name] if table in tables},
                listed.anchors,
            )
            for name in CAPTIONS
            if name in figures
        ],
        errors=errors_view(tables),
        compute=compute_view(tables["training_compute"], listed.anchors),
        methods=[
            row | {"source": Cell(row["source_id"], href=listed.anchors.get(row["source_id"]))}
            for row in tables["dim_method"].to_pylist()
        ],
        attributions=listed.attributions,
        sources=listed.rows,
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
