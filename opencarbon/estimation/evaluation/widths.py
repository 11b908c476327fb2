"""Intervals for methods that state none: as wide as held-out families of the training runs were off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from opencarbon.estimation.evaluation.rows import Flags, Floats, Integers, Rows

INNER_FOLDS: Final = 5
"""Groups of families that costly methods leave out at a time inside a fold; others leave out one family at a time."""

Central = Callable[[Rows], Callable[..., Floats]]
"""Runs -> a function from work to ln hours."""


def symmetric_width(central: Central, rows: Rows, level: float, *, most_folds: int | None = None) -> float:
    """Half-width in ln hours that holds a share of families left out in turn, families weighted alike.

    Parameters
    ----------
    central : callable
        Trains on runs, and gives a function from work to ln hours, NaN where it cannot say.
    rows : Rows
        The training runs: nothing else is looked at.
    level : float
        Share to be held.
    most_folds : int, optional
        Leave out that many groups of families at most, instead of one family at a time; 0 for a method that learns
        nothing, and errs the same whatever is left out.

    Returns
    -------
    float
        NaN where no training run has a prediction.
    """
    if most_folds == 0:
        return width_of(np.abs(central(rows)(rows.work) - np.log(rows.device_hours)), rows, level)
    residual = np.full(len(rows), np.nan)
    for left_out in inner_folds(rows.family, most_folds):
        held = rows.take(left_out)
        residual[left_out] = np.abs(central(rows.take(~left_out))(held.work) - np.log(held.device_hours))
    return width_of(residual, rows, level)


def inner_folds(family: Integers, most_folds: int | None = None) -> Iterator[Flags]:
    """Leave out one family at a time, or groups of them.

    Parameters
    ----------
    family : ndarray of int, shape (runs,)
    most_folds : int, optional
        Groups at most.

    Yields
    ------
    ndarray of bool, shape (runs,)
        True for what is left out; never all.
    """
    _, number = np.unique(family, return_inverse=True)
    families = int(number.max()) + 1
    count = families if most_folds is None else min(families, most_folds)
    if families > 1:
        yield from (number % count == fold for fold in range(count))


def width_of(residual: Floats, rows: Rows, level: float) -> float:
    """The smallest width that holds a share of residuals, families weighted alike.

    Parameters
    ----------
    residual : ndarray of shape (runs,)
        Sizes of errors of the training runs; NaN where there is none.
    rows : Rows
        The training runs. Those of billed hours count, as they are what is scored; all where there are none.
    level : float

    Returns
    -------
    float
        NaN without residuals.
    """
    counts = ~np.isnan(residual) & (rows.is_scored if rows.is_scored.any() else True)
    if not counts.any():
        return float("nan")
    _, number, members = np.unique(rows.family[counts], return_inverse=True, return_counts=True)
    order = np.argsort(residual[counts], kind="stable")
    reached = np.cumsum((1.0 / members[number])[order])
    at = int(np.searchsorted(reached, level * members.size - 1e-9))
    return float(residual[counts][order][min(at, len(order) - 1)])
