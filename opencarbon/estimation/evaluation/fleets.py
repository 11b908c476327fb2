"""How a fleet's own completed runs sharpen the predictions of its next ones.

A fleet is all scored runs of one family, or of one organisation, on one device. Some of its runs are given to the fit as
runs of the user's own fleet; all others of its family, or organisation, are taken out; those not given on the device are
predicted. Every choice of the given runs counts alike, and every fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opencarbon.estimation.evaluation.folds import SPLITS, Split
from opencarbon.estimation.evaluation.methods import CALIBRATED, EVALUATED, Facts
from opencarbon.estimation.evaluation.rows import Integers, Rows
from opencarbon.estimation.fitting.history_runs import OWN_FLEET, OWN_HISTORY
from opencarbon.tables.conform import conform
from opencarbon.tables.evaluation import EVALUATION_FLEET

MOST_GIVEN: Final = 3
"""Own runs given at most."""
MOST_CHOICES: Final[dict[Split, int]] = {"family": 20, "organisation": 3}
"""Choices of the given runs that are tried for a fleet and a number: evenly among all, these in the order of date and
name. Twenty are all there are of three among six runs; fleets of organisations are larger, and more."""


def fleet_errors(rows: Rows, facts: Facts, watch: Callable[[str, int, int], None] | None = None) -> pa.Table:
    """Errors on the other runs of fleets, by how many of their own runs the fit was given.

    Parameters
    ----------
    rows : Rows
    facts : Facts
    watch : callable, optional
        Told of the step, the fleets done and the fleets in all.

    Returns
    -------
    pa.Table
        ``evaluation_fleet``. The rows of ``fleets_counted = at_least_one_left`` are of all fleets that have a run
        left to predict, so that their fleets differ by the number given: ``mean_error_one_less`` is of the same
        fleets with one run fewer. Those of ``same_fleets`` are of the fleets that have one left at every number.
    """
    found: list[dict[str, Any]] = []
    fleets = [(split, fleet) for split in SPLITS for fleet in _fleets(rows, split)]
    errors: dict[tuple[Split, int], dict[int, float]] = {}
    for at, (split, fleet) in enumerate(fleets):
        for given in range(min(MOST_GIVEN, len(fleet) - 1) + 1):
            errors.setdefault((split, given), {})[at] = _mean_error(rows, fleet, split, given, facts)
        if watch:
            watch("fleets", at + 1, len(fleets))
    for (split, given), by_fleet in errors.items():
        before = errors.get((split, given - 1), {})
        nested = [at for at in by_fleet if len(fleets[at][1]) > MOST_GIVEN]
        for counted, members in (("at_least_one_left", list(by_fleet)), ("same_fleets", nested)):
            if members:
                found.append(
                    {
                        "split": split,
                        "fleets_counted": counted,
                        "runs_given": given,
                        "fleets": len(members),
                        "mean_error": float(np.mean([by_fleet[at] for at in members])),
                        "mean_error_one_less": float(np.mean([before[at] for at in members]))
                        if given
                        else None,
                    }
                )
    table = pa.Table.from_pylist(found, schema=EVALUATION_FLEET.schema())
    return conform(table.sort_by([(name, "ascending") for name in EVALUATION_FLEET.key]), EVALUATION_FLEET)


def _fleets(rows: Rows, split: Split) -> Iterator[Integers]:
    """Scored runs of one group on one device, two at least, in the order of date and name."""
    group = rows.family if split == "family" else rows.organisation
    dates = [str(day or "") for day in rows.table["publication_date"].to_pylist()]
    pairs = np.column_stack([group, rows.work.device])
    for pair in np.unique(pairs[rows.is_scored], axis=0):
        members = np.flatnonzero((pairs == pair).all(axis=1) & rows.is_scored)
        if len(members) > 1:
            yield np.array(sorted(members.tolist(), key=lambda at: (dates[at], at)), dtype=np.int64)


def _mean_error(rows: Rows, fleet: Integers, split: Split, given: int, facts: Facts) -> float:
    group = rows.family if split == "family" else rows.organisation
    others = np.flatnonzero(group != group[fleet[0]])
    means = [
        _error(rows, others, list(chosen), [at for at in fleet.tolist() if at not in chosen], facts)
        for chosen in _choices(fleet.tolist(), given, MOST_CHOICES[split])
    ]
    return float(np.mean(means))


def _choices(fleet: list[int], given: int, most: int) -> list[tuple[int, ...]]:
    every = list(combinations(fleet, given))
    return every[:: -(-len(every) // most)]


def _error(rows: Rows, others: Integers, given: Sequence[int], left: Sequence[int], facts: Facts) -> float:
    """Mean error on the runs left, with the given ones as runs of the own fleet."""
    kept = np.sort(np.array([*others.tolist(), *given], dtype=np.int64))
    predict = EVALUATED[CALIBRATED].train(_as_own(rows, given).take(kept), facts)
    tested = rows.take(np.array(left, dtype=np.int64))
    return float(np.mean(np.abs(predict(tested.work).central - np.log(tested.device_hours))))


def _as_own(rows: Rows, given: Sequence[int]) -> Rows:
    """The rows with some of them told to be of the own fleet."""
    if not given:
        return rows
    table, is_own = rows.table, np.isin(np.arange(len(rows)), given)
    for name, value in (("source_id", OWN_HISTORY), ("organisation", OWN_FLEET)):
        names = np.where(is_own, value, np.array(table[name].to_pylist(), dtype=object))
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(name), pa.array(names.tolist(), pa.string()))
    return replace(rows, table=table)
