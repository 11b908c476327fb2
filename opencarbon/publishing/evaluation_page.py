"""The evaluation as one page: errors of every method on runs held out, figures, energy and carbon apart, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.estimation.evaluation import CALIBRATED, EVALUATED, Floor
from opencarbon.estimation.evaluation.power import POWER_METHODS
from opencarbon.publishing.drawings import Drawing, SourceList, drawing_of
from opencarbon.publishing.figures.evaluation import (
    EVALUATION_CAPTIONS,
    EVALUATION_DATA,
    calibrated_hours,
)
from opencarbon.publishing.numbers import MINUS, NOT_KNOWN, number
from opencarbon.publishing.render import Cell, Group, Heading, TableView, render
from opencarbon.tables.evaluation import EVALUATED_TABLES

SUBSET_TITLES: Final = {
    "decoder_1b": "Decoder language models of at least 1e9 parameters",
    "all": "All scored runs",
}
_SPLIT_TITLES: Final = {
    "family": "One family left out at a time",
    "organisation": "One organisation left out at a time",
    "source": "One source left out at a time",
}
_CONTENTS: Final = (
    *(
        ("device-hours", "Device-hours"),
        ("figures", "Figures"),
        ("own-runs", "Own runs"),
        ("power", "Energy, carbon"),
    ),
    *(("methods", "Methods"), ("sources", "Sources")),
)


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
    return render(
        "evaluation.html",
        highlights=_highlights(hours),
        contents=_CONTENTS,
        hours=[_score_view(title, hours, subset) for subset, title in SUBSET_TITLES.items()],
        floors=[_floor_words(subset, floor) for subset, floor in floors.items()],
        figures=[
            _drawing(name, figures[name], tables, listed.anchors)
            for name in EVALUATION_CAPTIONS
            if name in figures
        ],
        fleets=_fleet_view(tables["evaluation_fleet"].to_pylist()),
        power=[
            _score_view(title, [row for row in scores if row["evaluated_quantity"] == quantity], "all")
            for quantity, title in (
                ("energy", "Energy of measured runs"),
                ("carbon", "Emissions, not independent"),
            )
        ],
        methods=[(one.title, one.description) for one in EVALUATED.values()],
        attributions=listed.attributions,
        sources=listed.rows,
        facts=facts,
    )


def _highlights(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    found = {(row["split"], row["subset"], row["evaluated_method"]): row for row in rows}
    ours = {subset: found.get(("family", subset, CALIBRATED), {}) for subset in SUBSET_TITLES}
    coverage = ours["all"].get("family_coverage")
    return [
        ("E, decoder language models", _fixed(ours["decoder_1b"].get("family_error"))),
        ("E, all scored runs", _fixed(ours["all"].get("family_error"))),
        (
            "runs in their interval, by family",
            NOT_KNOWN if coverage is None else f"{coverage:.0%}".replace("%", " %"),
        ),
        ("runs scored", number(ours["all"].get("scored_runs"))),
    ]


def _floor_words(subset: str, floor: Floor) -> str:
    return (
        f"{SUBSET_TITLES[subset]}: families on one device differ by a standard deviation of "
        f"{number(floor.between_families, 2)} in ln utilisation, told from {floor.families} of them. A method that knew the "
        f"mean of every device, but nothing of the family, would err by {number(floor.error, 2)}."
    )


def _score_view(title: str, rows: Sequence[Mapping[str, Any]], subset: str) -> TableView:
    interval = "90 % interval"
    headings = [
        Heading("Method"),
        Heading("Runs", "families", numeric=True),
        Heading("E", interval, numeric=True),
        Heading("Calibrated less this", interval, numeric=True),
        Heading("Interval score", "ln", numeric=True),
        Heading("Covered, by family", interval, numeric=True),
        Heading("Covered, by run", interval, numeric=True),
        Heading("Median family", "%", numeric=True),
        Heading("Median, mean, p90", "|ln error|", numeric=True),
        Heading("Bias", "ln", numeric=True),
    ]
    mine = [row for row in rows if row["subset"] == subset]
    groups = []
    for split, words in _SPLIT_TITLES.items():
        found = {row["evaluated_method"]: row for row in mine if row["split"] == split}
        order = [name for name in (*EVALUATED, *POWER_METHODS) if name in found]
        lines = [found[name] for name in dict.fromkeys(order)]
        if lines:
            remarks = {at: row["reason"] for at, row in enumerate(lines) if row["reason"]}
            groups.append(Group([_score_cells(row) for row in lines], words, remarks))
    return TableView(title, headings, groups)


def _score_cells(row: Mapping[str, Any]) -> list[Cell]:
    name = row["evaluated_method"]
    hours = row["evaluated_quantity"] == "device_hours"
    title = EVALUATED[name].title if hours else POWER_METHODS[name]
    badge = "in-sample" if row["is_in_sample"] else (None if row["is_independent"] else "not independent")
    three = ", ".join(_fixed(row[f"{kind}_error"]) for kind in ("median", "mean", "p90"))
    return [
        Cell(title, badge=badge),
        *(
            Cell(text, numeric=True)
            for text in (
                f"{row['scored_runs']} ({row['scored_families']})",
                _spanned(row, "family_error"),
                _spanned(row, "family_error_difference"),
                _fixed(row["interval_score"]),
                _share(row, "family_coverage"),
                _share(row, "coverage"),
                NOT_KNOWN
                if row["family_median_error_pct"] is None
                else f"{row['family_median_error_pct']:.1f}",
                NOT_KNOWN if row["mean_error"] is None else three,
                _fixed(row["bias"]),
            )
        ),
    ]


def _fixed(value: float | None, decimals: int = 2) -> str:
    """An error with as many decimals as its neighbours, and no zero with a sign."""
    if value is None:
        return NOT_KNOWN
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", MINUS)


def _spanned(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return NOT_KNOWN
    low, high = (_fixed(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{_fixed(row[name], 3)} ({low} to {high})"


def _share(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return NOT_KNOWN
    value, low, high = (100.0 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.0f} % ({low:.0f} to {high:.0f})"


def _fleet_view(rows: Sequence[Mapping[str, Any]]) -> TableView:
    headings = [
        Heading("Fleets"),
        Heading("Own runs given", numeric=True),
        Heading("Fleets", numeric=True),
        Heading("Mean error", "|ln error|", numeric=True),
        Heading("With one run fewer", "|ln error|", numeric=True),
    ]
    counted = {"same_fleets": "the same fleets throughout", "at_least_one_left": "all with a run left"}
    groups = [
        Group(
            [
                [
                    Cell(words),
                    Cell(str(row["runs_given"]), numeric=True),
                    Cell(str(row["fleets"]), numeric=True),
                    Cell(_fixed(row["mean_error"], 3), numeric=True),
                    Cell(_fixed(row["mean_error_one_less"], 3), numeric=True),
                ]
                for kind, words in counted.items()
                for row in rows
                if (row["split"], row["fleets_counted"]) == (split, kind)
            ],
            f"Runs of one {split} on one device",
        )
        for split in ("family", "organisation")
    ]
    return TableView("Errors on the other runs of a fleet", headings, groups)


def _drawing(
    name: str, drawn: tuple[str, str], tables: Mapping[str, pa.Table], anchors: Mapping[str, str]
) -> Drawing:
    table = EVALUATION_DATA[name]
    data = calibrated_hours(tables) if name == "hours" else tables[table]
    # Scores stand in their table above, whole.
    shown = {} if table == "evaluation_score" else {table: data}
    return drawing_of(name, EVALUATION_CAPTIONS[name], drawn, shown, anchors)
