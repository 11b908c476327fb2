"""Splits that keep what belongs together on one side: families, or organisations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np

from opencarbon.estimation.evaluation.rows import Flags, Rows

Split = Literal["family", "organisation"]

SPLITS: Final[tuple[Split, ...]] = ("family", "organisation")
"""What is left out at a time."""


class Fold(NamedTuple):
    """A split of runs, each array of shape (runs,).

    Parameters
    ----------
    is_trained : ndarray of bool
        Runs that methods may learn from: all of other groups.
    is_tested : ndarray of bool
        Runs of the group held out that are scored.
    """

    is_trained: Flags
    is_tested: Flags


def folds(rows: Rows, split: Split) -> Iterator[Fold]:
    """Leave out one group at a time.

    Parameters
    ----------
    rows : Rows
    split : {"family", "organisation"}
        What a group is.

    Yields
    ------
    Fold
        One for every group with a run that is scored, and with other runs to learn from.
    """
    group = rows.family if split == "family" else rows.organisation
    for held_out in np.unique(group[rows.is_scored]):
        is_held_out = group == held_out
        if not is_held_out.all():
            yield Fold(~is_held_out, is_held_out & rows.is_scored)
