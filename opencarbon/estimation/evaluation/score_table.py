"""Scores of every method on every set of runs, as a table, and the part of the error that no method can take away."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opencarbon.estimation.evaluation.folds import SPLITS
from opencarbon.estimation.evaluation.methods import CALIBRATED, EVALUATED
from opencarbon.estimation.evaluation.rows import Flags, Floats, Rows, family_of
from opencarbon.estimation.evaluation.scores import Names, Score, Span, paired_difference, score
from opencarbon.tables.conform import conform
from opencarbon.tables.evaluation import EVALUATION_SCORE

DECODER_1B: Final = "decoder_1b"
SUBSETS: Final = (DECODER_1B, "all")
"""Decoder language models of at least a thousand million parameters, and all runs."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predictions of one method of one quantity, each array of shape (runs,).

    Parameters
    ----------
    run, family : ndarray of object
    ln_error, is_covered, interval_score : ndarray
    """

    run: Names
    family: Names
    ln_error: Floats
    is_covered: Floats
    interval_score: Floats

    @classmethod
    def of(cls, rows: list[dict[str, Any]], family: Callable[[dict[str, Any]], str] = family_of) -> Predicted:
        """Take them from rows of a table of predictions."""
        runs, families = (
            np.array([value(row) for row in rows], dtype=object) for value in (lambda row: row["run"], family)
        )
        columns = (
            np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
            for name in ("ln_error", "is_covered", "interval_score")
        )
        return cls(runs, families, *columns)


def hours_scores(predictions: pa.Table, reasons: Mapping[str, str]) -> list[dict[str, Any]]:
    """Scores of predicted device-hours, by split, subset and method.

    Parameters
    ----------
    predictions : pa.Table
        ``evaluation_prediction``.
    reasons : mapping of str to str
        Method -> why it was left out.

    Returns
    -------
    list of dict
        Rows of ``evaluation_score``.
    """
    rows = predictions.to_pylist()
    found = []
    for split in SPLITS:
        for subset in SUBSETS:
            mine = [
                row for row in rows if row["split"] == split and (subset == "all" or row["is_decoder_1b"])
            ]
            by_method = {
                name: Predicted.of([row for row in mine if row["evaluated_method"] == name])
                for name in EVALUATED
            }
            head = {"evaluated_quantity": "device_hours", "split": split, "subset": subset}
            for line in method_scores(by_method, reference=CALIBRATED):
                name = line["evaluated_method"]
                more = {"is_in_sample": EVALUATED[name].is_in_sample, "is_independent": True}
                reason = reasons.get(name) or line["reason"]
                found.append(head | line | more | {"reason": reason})
    return found


def method_scores(methods: Mapping[str, Predicted], *, reference: str) -> Iterator[dict[str, Any]]:
    """Scores of methods on one set of runs.

    Parameters
    ----------
    methods : mapping of str to Predicted
    reference : str
        The method that the others are compared with, run by run.

    Yields
    ------
    dict
        Columns of ``evaluation_score`` that do not name the set of runs.
    """
    for name, one in methods.items():
        line: dict[str, Any] = {"evaluated_method": name, "scored_runs": len(one.run), "scored_families": 0}
        if not len(one.run):
            yield line | {"reason": "No run that it can predict."}
            continue
        line |= _columns(score(one.ln_error, one.is_covered, one.interval_score, one.family)) | {
            "reason": None
        }
        if name != reference and len(methods[reference].run):
            difference, families = _difference(methods[reference], one)
            line |= _span("family_error_difference", difference) | {"paired_families": families}
        yield line


def _difference(one: Predicted, other: Predicted) -> tuple[Span, int]:
    """The first less the second, on the runs of both."""
    found = dict(zip(other.run.tolist(), other.ln_error.tolist(), strict=True))
    theirs = np.array([found.get(run, np.nan) for run in one.run.tolist()])
    return paired_difference(one.ln_error, theirs, one.family)


def _columns(one: Score) -> dict[str, Any]:
    return {
        "scored_runs": one.runs,
        "scored_families": one.families,
        **_span("family_error", one.family_error),
        "family_median_error_pct": one.family_median_pct,
        "median_error": one.median_error,
        "mean_error": one.mean_error,
        "p90_error": one.p90_error,
        "bias": one.bias,
        "interval_score": _known(one.interval_score),
        **_span("coverage", one.coverage),
        **_span("family_coverage", one.family_coverage),
    }


def _span(name: str, span: Span) -> dict[str, float | None]:
    return {f"{name}{end}": _known(value) for end, value in zip(("", "_low", "_high"), span, strict=True)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def score_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Scores as a table.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    pa.Table
        ``evaluation_score``.
    """
    table = pa.Table.from_pylist(rows, schema=EVALUATION_SCORE.schema())
    return conform(table.sort_by([(name, "ascending") for name in EVALUATION_SCORE.key]), EVALUATION_SCORE)


@dataclass(frozen=True, slots=True)
class Floor:
    """What is left of the error where the mean utilisation of every device is known.

    Parameters
    ----------
    between_families : float
        Standard deviation of ln utilisation between families on one device.
    error : float
        Expected |error| of a new family then: sqrt(2 / pi) of it, if families are normal.
    families : int
        Families on devices with at least two of them: those it was told from.
    """

    between_families: float
    error: float
    families: int

    def known_error(self) -> float | None:
        """The error, None where it is not known."""
        return _known(self.error)


def irreducible(rows: Rows, is_counted: Flags) -> Floor:
    """Spread between families on one device, which neither FLOP nor device explain.

    A method that knows the device's mean exactly, but nothing of the family, errs by this much. It is told from the runs
    themselves: means of families about the mean of their device, with the degrees of freedom that the means cost.

    Parameters
    ----------
    rows : Rows
    is_counted : ndarray of bool, shape (runs,)
        Runs to tell it from.

    Returns
    -------
    Floor
        NaN where no device has two families.
    """
    kept = rows.take(is_counted)
    utilisation, squares, degrees, families = kept.ln_utilisation(), 0.0, 0, 0
    for device in np.unique(kept.work.device):
        here = kept.work.device == device
        means = np.array(
            [utilisation[here & (kept.family == name)].mean() for name in np.unique(kept.family[here])]
        )
        if means.size > 1:
            squares += float(np.sum((means - means.mean()) ** 2))
            degrees, families = degrees + means.size - 1, families + means.size
    spread = math.sqrt(squares / degrees) if degrees else math.nan
    return Floor(spread, math.sqrt(2.0 / math.pi) * spread, families)
