"""How wrong predictions are, families weighted alike: errors, interval scores, coverage, and how sure these are.

Errors are ln(predicted / actual): twice too much weighs as half too much of nothing. The runs of a family share code and cluster,
so a family counts once: the headline error E is the mean over families of the family's median absolute error. Bootstrap
intervals draw families, not runs.

References
----------
Gneiting & Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation", section 6.2,
https://doi.org/10.1198/016214506000001437: the interval score.

Clopper & Pearson (1934), "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial",
https://doi.org/10.1093/biomet/26.4.404: the exact interval of a share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

Floats = npt.NDArray[np.float64]
Names = npt.NDArray[np.object_]

LEVEL: Final = 0.8
"""Share of runs that a prediction's interval is to hold."""
CONFIDENCE: Final = 0.9
"""Confidence of every interval around a score; its upper end is a one-sided bound of 95 %."""
DRAWS: Final = 2_000
_SEED: Final = 20_070_301


class Span(NamedTuple):
    """A figure with its interval at :data:`CONFIDENCE`; NaN where there is nothing to tell it from."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one method on one set of runs.

    Parameters
    ----------
    runs, families : int
    family_error : Span
        E: mean over families of the family's median |ln(predicted / actual)|.
    family_median_pct : float
        Median over families of the same, as a percentage [%].
    median_error, mean_error, p90_error : float
        Of |ln(predicted / actual)|, every run alike.
    bias : float
        Mean ln(predicted / actual), every run alike: above 0 too many hours are predicted.
    interval_score : float
        Mean over families of the family's mean interval score of ln; the smaller the better.
    coverage : Span
        Share of runs within their intervals, with its exact binomial interval.
    family_coverage : Span
        Mean over families of the share of their runs within the interval.
    """

    runs: int
    families: int
    family_error: Span
    family_median_pct: float
    median_error: float
    mean_error: float
    p90_error: float
    bias: float
    interval_score: float
    coverage: Span
    family_coverage: Span


def interval_score(actual: Floats, low: Floats, high: Floats, level: float = LEVEL) -> Floats:
    """Interval score of Gneiting and Raftery: width, and a fine for every run outside.

    Parameters
    ----------
    actual, low, high : ndarray
        What was, and the ends of its interval, here of logarithms.
    level : float, optional
        Share that the interval is to hold.

    Returns
    -------
    ndarray
        high - low + 2 / (1 - level) times the distance outside.
    """
    outside = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
    return np.asarray(high - low + 2.0 / (1.0 - level) * outside)


def score(ln_error: Floats, is_covered: Floats, interval_scores: Floats, family: Names) -> Score:
    """Score the predictions of one method.

    Parameters
    ----------
    ln_error : ndarray of shape (runs,)
        ln(predicted / actual); at least one.
    is_covered : ndarray of shape (runs,)
        1 where the interval holds what was, 0 where not, NaN where there is no interval.
    interval_scores : ndarray of shape (runs,)
        As from :func:`interval_score`; NaN where there is no interval.
    family : ndarray of object, shape (runs,)

    Returns
    -------
    Score
        The same for any order of the runs.
    """
    off = np.abs(ln_error)
    medians, covered, scored = (
        np.array([statistic(values[members]) for members in _members(family)])
        for statistic, values in ((np.median, off), (np.mean, is_covered), (np.mean, interval_scores))
    )
    return Score(
        runs=len(off),
        families=len(medians),
        family_error=bootstrapped_mean(medians),
        family_median_pct=100.0 * math.expm1(float(np.median(medians))),
        median_error=float(np.median(off)),
        mean_error=_mean(off),
        p90_error=float(np.quantile(off, 0.9)),
        bias=_mean(ln_error),
        interval_score=_mean(scored),
        coverage=exact_share(is_covered),
        family_coverage=bootstrapped_mean(covered),
    )


def paired_difference(ln_error: Floats, other: Floats, family: Names) -> tuple[Span, int]:
    """Difference of two methods' errors E on the runs that both predict.

    Parameters
    ----------
    ln_error, other : ndarray of shape (runs,)
        ln(predicted / actual) of the methods; NaN where there is no prediction.
    family : ndarray of object, shape (runs,)

    Returns
    -------
    Span
        E of the first less E of the second, below 0 where the first is better; families are drawn in pairs.
    int
        Families with a run that both predict.
    """
    both = ~np.isnan(ln_error) & ~np.isnan(other)
    one, two = np.abs(ln_error[both]), np.abs(other[both])
    differences = [np.median(one[members]) - np.median(two[members]) for members in _members(family[both])]
    return bootstrapped_mean(np.array(differences, dtype=np.float64)), len(differences)


def bootstrapped_mean(values: Floats) -> Span:
    """Mean over families with its bootstrap interval.

    Parameters
    ----------
    values : ndarray of shape (families,)

    Returns
    -------
    Span
        The same every time: the draws are fixed.
    """
    if not values.size or np.isnan(values).any():
        return Span(math.nan, math.nan, math.nan)
    drawn = np.random.default_rng(_SEED).integers(0, values.size, (DRAWS, values.size))
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(np.sort(values)[drawn].mean(axis=1), (tail, 1.0 - tail)).tolist()
    return Span(_mean(values), low, high)


def exact_share(is_covered: Floats) -> Span:
    """Share of ones with the exact binomial interval of Clopper and Pearson.

    Parameters
    ----------
    is_covered : ndarray
        Of ones and zeros; any NaN gives NaN.

    Returns
    -------
    Span
    """
    if not is_covered.size or np.isnan(is_covered).any():
        return Span(math.nan, math.nan, math.nan)
    test = binomtest(int(is_covered.sum()), is_covered.size)
    interval = test.proportion_ci(confidence_level=CONFIDENCE, method="exact")
    return Span(_mean(is_covered), float(interval.low), float(interval.high))


def _members(family: Names) -> list[npt.NDArray[np.int64]]:
    """Places of the runs of each family."""
    return [np.flatnonzero(family == name) for name in sorted(set(family.tolist()))]


def _mean(values: Floats) -> float:
    return math.fsum(values.tolist()) / values.size if values.size else math.nan
