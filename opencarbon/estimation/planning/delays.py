"""Whether a delay is worth it: a later start, or pauses, must save so much more than the best start without delay.

The best start without delay is the cheapest of all places in which the job may start when it may first start and run
without a pause, held to the same rules as any other advice; or the baseline, where none of them is worth leaving it for.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.planning.blocks import Block
from opencarbon.estimation.planning.plans import Candidates, best_costs
from opencarbon.estimation.planning.readings import may_hold
from opencarbon.estimation.planning.schedules import NOW, STAY
from opencarbon.estimation.planning.selection import first_sure

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAME_START_H: Final = 1e-6
"""Starts this near to each other are one [h]."""


def without_needless_delay(
    block: Block,
    candidates: Candidates,
    column: Integers,
    form: Integers,
    cost: Floats,
    *,
    min_saving_pct: float,
) -> tuple[Integers, Integers, Floats]:
    """Replace advice whose delay saves too little by the best start without delay.

    Parameters
    ----------
    block : Block
    candidates : Candidates
    column, form : ndarray of int of shape (jobs,)
        The place advised; a negative column is the baseline, or nothing.
    cost : ndarray of shape (jobs,)
        [gCO2e/kWh]
    min_saving_pct : float
        What a delay must save beside the best start without delay, of the total of the baseline, or of that start where
        there is no baseline [%].

    Returns
    -------
    column, form, cost
        As given.
    """
    rows = np.flatnonzero((column >= 0) & (form != STAY))
    places = block.place(rows, candidates.region[column[rows]], form[rows])
    run_h = block.windows.run_h[block.jobs[rows]] * (1.0 + SAME_START_H)
    late = places.start_h > block.windows.earliest_h[block.jobs[rows]] + SAME_START_H
    rows = rows[late | (places.finish_h - places.start_h > run_h + SAME_START_H)]
    pool = _costs_without_delay(block, rows, candidates)
    pool = np.where(may_hold(block, rows, candidates.region, pool), pool, np.inf)
    forms, none = np.full(pool.shape, NOW, dtype=np.int64), np.full(pool.shape, np.inf)
    place, _, prompt = first_sure(block, rows, pool, forms, none, candidates.region)
    stays = place < 0
    prompt = np.where(stays, np.where(block.may_stay[rows], block.base_cost[rows], np.inf), prompt)
    of = np.where(np.isnan(block.base_cost[rows]), prompt, block.base_cost[rows]) + block.embodied_cost[rows]
    with np.errstate(invalid="ignore"):
        needless = np.isfinite(prompt) & (cost[rows] > prompt - min_saving_pct / 100.0 * of)
    at, place = rows[needless], place[needless]
    column, form, cost = column.copy(), form.copy(), cost.copy()
    column[at], form[at], cost[at] = place, NOW, prompt[needless]
    return column, form, cost


def _costs_without_delay(block: Block, rows: Integers, candidates: Candidates) -> Floats:
    """Costs of starting when the jobs may first start, without a pause; infinite where that cannot be."""
    windows = block.windows
    window = replace(
        windows,
        interruptible=np.zeros_like(windows.interruptible),
        restart_h=np.zeros_like(windows.restart_h),
        finish_h=windows.earliest_h + windows.duration_h,
    )
    before = np.flatnonzero(~candidates.behind)
    region = candidates.region[before]
    ranked = np.searchsorted(block.field.index, region)
    found = best_costs(block.jobs[rows], window, ranked, block.field)
    found += block.moving_cost(rows[:, None], region[None, :])
    may = np.isfinite(candidates.cost[rows][:, before]) & np.isfinite(found)
    costs = np.full((len(rows), len(candidates.region)), np.inf)
    costs[:, before] = np.where(may, found, np.inf)
    return costs
