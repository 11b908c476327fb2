"""Figures of the evaluation: errors and coverage by method, predictions beside what was, fleets with runs of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.estimation.evaluation import CALIBRATED, EVALUATED, LEVEL
from opencarbon.publishing.figures.captions import Caption
from opencarbon.publishing.figures.evaluation_plots import errors_by_fleet, hours_beside_actual
from opencarbon.publishing.figures.evaluation_rows import coverage_by_method, errors_by_method
from opencarbon.publishing.figures.style import Width
from opencarbon.publishing.figures.svg import in_both_widths
from opencarbon.publishing.numbers import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVALUATION_CAPTIONS: Final[dict[str, Caption]] = {
    "errors": Caption(
        "",
        "Errors of device-hours, by method",
        "E is the mean over families of the family's median |ln(predicted / actual)|: 0 is perfect, 0.25 a factor of 1.28 "
        "either way. Bars are 90 % intervals, families bootstrapped. The broken line is about what is left for a method that "
        "knows the mean of every device, and nothing else of a run: families differ. The cross is in-sample, as the runs may "
        "be behind it, and on fewer devices.",
    ),
    "hours": Caption(
        "",
        "Predicted beside actual device-hours, calibrated",
        f"Each run is predicted without any run of its family; bars are {100 * LEVEL:.0f} % intervals. On the line a "
        "prediction is right, between the broken lines it is right within a factor of two.",
    ),
    "coverage": Caption(
        "",
        "How many runs lie within their intervals",
        "All scored runs, families left out in turn. Bars are 90 % intervals: of the mean over families bootstrapped, of "
        "the share of runs exact binomial. The upright line is the share that the intervals are to hold.",
    ),
    "fleets": Caption(
        "",
        "Errors when completed runs of your own are known",
        "Mean |ln(predicted / actual)| on the other runs of a fleet, when none to three of its runs are given to the fit "
        "and all others of its family, or organisation, are left out. Lines are of the same fleets throughout; pale "
        "strokes are of all fleets that have a run left, from one run fewer to this number.",
    ),
}
"""Figures of the evaluation in their order."""

EVALUATION_DATA: Final[dict[str, str]] = {
    "errors": "evaluation_score",
    "hours": "evaluation_prediction",
    "coverage": "evaluation_score",
    "fleets": "evaluation_fleet",
}
"""Figure -> the table that it is drawn from."""

_TITLES: Final = {name: method.title for name, method in EVALUATED.items()}


def evaluation_figures(
    tables: Mapping[str, pa.Table], floors: Mapping[str, float | None]
) -> dict[str, tuple[str, str]]:
    """Draw every figure of the evaluation.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Tables of ``EVALUATED_TABLES`` by name.
    floors : mapping of str to float or None
        Subset -> the error that is left where every device's mean is known.

    Returns
    -------
    dict of str to tuple of str
        Name of the figure -> its wide and its narrow drawing.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    scores = tables["evaluation_score"]
    drawn: dict[str, Callable[[Width], Figure]] = {
        "errors": lambda width: errors_by_method(scores, _TITLES, floors, width),
        "hours": lambda width: hours_beside_actual(calibrated_hours(tables), width),
        "coverage": lambda width: coverage_by_method(scores, _TITLES, LEVEL, width),
        "fleets": lambda width: errors_by_fleet(tables["evaluation_fleet"], width),
    }
    return {
        name: in_both_widths(draw, EVALUATION_CAPTIONS[name].title, _DESCRIBED[name](tables))
        for name, draw in drawn.items()
    }


def calibrated_hours(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Predictions of the calibrated method with families left out.

    Parameters
    ----------
    tables : mapping of str to pa.Table

    Returns
    -------
    pa.Table
        Rows of ``evaluation_prediction``.
    """
    table = tables["evaluation_prediction"]
    wanted = [
        split == "family" and method == CALIBRATED
        for split, method in zip(
            table["split"].to_pylist(), table["evaluated_method"].to_pylist(), strict=True
        )
    ]
    return table.filter(pa.array(wanted, pa.bool_()))


def _errors(tables: Mapping[str, pa.Table]) -> str:
    rows = _scores(tables)
    said = "; ".join(f"{_TITLES[row['evaluated_method']]} {number(row['family_error'], 3)}" for row in rows)
    return f"Dot plot of E by method, families left out. All scored runs: {said}."


def _hours(tables: Mapping[str, pa.Table]) -> str:
    rows = calibrated_hours(tables).to_pylist()
    covered = sum(bool(row["is_covered"]) for row in rows)
    return f"Scatter plot of predicted over actual device-hours of {len(rows)} runs; {covered} lie within their intervals."


def _coverage(tables: Mapping[str, pa.Table]) -> str:
    rows = [row for row in _scores(tables) if row["family_coverage"] is not None]
    said = "; ".join(f"{_TITLES[row['evaluated_method']]} {row['family_coverage']:.0%}" for row in rows)
    return f"Dot plot of coverage by method, mean over families: {said}."


def _fleets(tables: Mapping[str, pa.Table]) -> str:
    rows = [row for row in tables["evaluation_fleet"].to_pylist() if row["fleets_counted"] == "same_fleets"]
    said = "; ".join(
        f"{row['runs_given']} given, by {row['split']}: {number(row['mean_error'], 3)}" for row in rows
    )
    return f"Line chart of mean errors by own runs given. {said or 'No fleet has enough runs'}."


def _scores(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Scores of hours on all runs with families left out, in the order of the methods."""
    found = {
        row["evaluated_method"]: row
        for row in tables["evaluation_score"].to_pylist()
        if (row["evaluated_quantity"], row["split"], row["subset"]) == ("device_hours", "family", "all")
        and row["family_error"] is not None
    }
    return [found[name] for name in EVALUATED if name in found]


_DESCRIBED: Final[dict[str, Callable[[Mapping[str, pa.Table]], str]]] = {
    "errors": _errors,
    "hours": _hours,
    "coverage": _coverage,
    "fleets": _fleets,
}
