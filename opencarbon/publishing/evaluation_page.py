"""The evaluation as one page: which method errs least, how to read it, errors of every method on runs held out, sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.estimation.evaluation import CALIBRATED, CONFIDENCE, EVALUATED, LEVEL, Floor
from opencarbon.publishing.drawings import Drawing, SourceList, drawing_of
from opencarbon.publishing.evaluation_tables import (
    fixed,
    fleet_view,
    further_view,
    score_view,
    spanned,
)
from opencarbon.publishing.figures.evaluation import (
    EVALUATION_CAPTIONS,
    EVALUATION_DATA,
    calibrated_hours,
)
from opencarbon.publishing.numbers import NOT_KNOWN, number
from opencarbon.publishing.render import TableView, render
from opencarbon.tables.evaluation import EVALUATED_TABLES

SUBSET_TITLES: Final = {
    "decoder_1b": "(i) Decoder language models from 1e9 parameters",
    "all": "(ii) All scored runs",
}
_SUBSETS: Final = {
    "decoder_1b": "Decoder language models from 1e9 parameters (i)",
    "all": "All scored runs (ii)",
}
_CONTENTS: Final = (
    *(("device-hours", "Errors by method"), ("reading", "How to read them"), ("scores", "Scores")),
    *(("runs", "Run by run"), ("own-runs", "Own runs"), ("power", "Energy and carbon")),
    *(("methods", "Methods"), ("sources", "Sources")),
)

Rows = Sequence[Mapping[str, Any]]


def evaluation_page(
    tables: Mapping[str, pa.Table],
    sources: pa.Table,
    figures: Mapping[str, tuple[str, str]],
    floors: Mapping[str, Floor],
    facts: Mapping[str, str],
) -> str:
    """Make the page of the evaluation.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Tables of ``EVALUATED_TABLES`` by name.
    sources : pa.Table
        ``dim_source``: what the tables refer to is listed, with its licence and attribution.
    figures : mapping of str to tuple of str
        Wide and narrow drawing of each figure, as ``figures.evaluation.evaluation_figures`` gives them.
    floors : mapping of str to Floor
        Subset -> what is left of the error where every device's mean is known.
    facts : mapping of str to str
        What the page was made from: label -> words.

    Returns
    -------
    str
        One HTML file that loads nothing; the same for the same arguments.

    Raises
    ------
    ConfigError
        If Jinja is not installed, or a table is missing.
    """
    missing = sorted(EVALUATED_TABLES.keys() - tables.keys())
    if missing:
        raise ConfigError(f"the page needs the tables {', '.join(missing)}: pass all of EVALUATED_TABLES")
    listed, scores = SourceList.of(tables.values(), sources), tables["evaluation_score"].to_pylist()
    hours = [row for row in scores if row["evaluated_quantity"] == "device_hours"]
    families = [row for row in hours if row["split"] == "family"]
    drawn = {
        name: _drawing(name, figures[name], tables, listed.anchors)
        for name in EVALUATION_CAPTIONS
        if name in figures
    }
    return render(
        "evaluation.html",
        answers=[words for subset in _SUBSETS for words in _answer(families, subset)],
        highlights=_highlights(families),
        contents=_CONTENTS,
        level_pct=round(100 * LEVEL),
        confidence_pct=round(100 * CONFIDENCE),
        fine=round(2.0 / (1.0 - LEVEL)),
        hours=[
            _views(title, [row for row in hours if row["subset"] == subset], "Calibrated")
            for subset, title in SUBSET_TITLES.items()
        ],
        floors=[_floor_words(subset, floor) for subset, floor in floors.items()],
        figures=drawn,
        fleets=fleet_view(tables["evaluation_fleet"].to_pylist()),
        power=[
            _views(title, [row for row in scores if row["evaluated_quantity"] == quantity], "Pooled")
            for quantity, title in (
                ("energy", "Energy of measured runs"),
                ("carbon", "Emissions of measured runs, not independent of their energy"),
            )
        ],
        methods=[(one.title, one.description) for one in EVALUATED.values()],
        attributions=listed.attributions,
        sources=listed.rows,
        facts=facts,
    )


def _answer(rows: Rows, subset: str) -> list[tuple[str, str]]:
    """Which method errs least of those that predict every run and have seen none of its family, and how sure that is."""
    fair = [
        row
        for row in rows
        if row["subset"] == subset and row["family_error"] is not None and not row["is_in_sample"]
    ]
    most = max((row["scored_runs"] for row in fair), default=0)
    ranked = sorted(
        (row for row in fair if row["scored_runs"] == most), key=lambda row: float(row["family_error"])
    )
    if not ranked:
        return []
    best, *others = ranked
    answer = (
        f"{_SUBSETS[subset]}: {_named(best)} errs least, typically by a factor of {_factor(best)} either way."
    )
    how_sure = f"E is {spanned(best, 'family_error')} on {best['scored_runs']} runs of {best['scored_families']} families."
    return [(answer, f"{how_sure} {_next(best, others[0])}" if others else how_sure)]


def _next(best: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """What comes after the best, and whether the calibrated method differs from the other of the two by more than chance."""
    words = f"Next comes {_named(second)} with {fixed(second['family_error'], 3)}"
    is_ours = best["evaluated_method"] == CALIBRATED
    other = second if is_ours else best
    if other["family_error_difference"] is None:
        return f"{words}."
    low, high = (other[f"family_error_difference_{end}"] for end in ("low", "high"))
    sure = "may be chance" if low <= 0.0 <= high else "is more than chance"
    pair = "the difference" if is_ours else f"the calibrated method less {_named(other)}"
    return f"{words}; {pair}, {spanned(other, 'family_error_difference')}, {sure}."


def _named(row: Mapping[str, Any]) -> str:
    """Title of a method within a sentence: names keep their capitals."""
    if row["evaluated_method"] == CALIBRATED:
        return "the calibrated method"
    title = EVALUATED[row["evaluated_method"]].title
    return title if any(letter.isupper() for letter in title[1:]) else title[0].lower() + title[1:]


def _factor(row: Mapping[str, Any]) -> str:
    error = row.get("family_error")
    return NOT_KNOWN if error is None else fixed(math.exp(error))


def _highlights(rows: Rows) -> list[tuple[str, str]]:
    found = {row["subset"]: row for row in rows if row["evaluated_method"] == CALIBRATED}
    ours = {subset: found.get(subset, {}) for subset in SUBSET_TITLES}
    coverage = ours["all"].get("family_coverage")
    return [
        (
            "factor that the calibrated method is off by, (i) decoder language models",
            _factor(ours["decoder_1b"]),
        ),
        ("the same, (ii) all scored runs", _factor(ours["all"])),
        (
            f"of runs (ii) in their {100 * LEVEL:.0f} % interval, families weighing alike",
            NOT_KNOWN if coverage is None else f"{100 * coverage:.0f} %",
        ),
        (
            f"published runs scored, of {number(ours['all'].get('scored_families'))} families",
            number(ours["all"].get("scored_runs")),
        ),
    ]


def _views(title: str, rows: Rows, reference: str) -> tuple[TableView, TableView]:
    return score_view(title, rows, reference), further_view(f"{title}, every run alike", rows)


def _floor_words(subset: str, floor: Floor) -> str:
    return (
        f"{SUBSET_TITLES[subset]}: families on one device differ by a standard deviation of "
        f"{number(floor.between_families, 2)} in ln utilisation, told from {floor.families} of them. A method that knew the "
        f"mean of every device, and nothing else, would still err by E = {number(floor.error, 2)}, a factor of "
        f"{number(math.exp(floor.error), 3)} either way."
    )


def _drawing(
    name: str, drawn: tuple[str, str], tables: Mapping[str, pa.Table], anchors: Mapping[str, str]
) -> Drawing:
    table = EVALUATION_DATA[name]
    data = calibrated_hours(tables) if name == "hours" else tables[table]
    # Scores and fleets stand in tables of their own on the page, whole.
    shown = {table: data} if table == "evaluation_prediction" else {}
    return drawing_of(name, EVALUATION_CAPTIONS[name], drawn, shown, anchors)
