"""The place that each job is advised to take: the cheapest one that is as sure as the baseline.

A place on poorer data than the baseline's, or behind the horizon, must save with a probability of at least 0.8; a move
must save whatever the PUE and the zone of its ends, see :mod:`opencarbon.estimation.planning.readings`. Where the cheapest place
fails, its region is asked again for its best start on data no poorer, and the next cheapest place is looked at.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from opencarbon.estimation.planning.blocks import TIE, Block
from opencarbon.estimation.planning.plans import BEFORE_HORIZON_H, Candidates, best_costs
from opencarbon.estimation.planning.readings import holds_at_pue_ends, holds_in_both_zones, may_hold
from opencarbon.estimation.planning.savings import Place, saving_sd
from opencarbon.estimation.planning.schedules import BEHIND, BEST, NOW, STAY, SURE, Places, starts_of

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CONFIDENCE_TO_MOVE: Final = 0.8
"""Probability of saving that a move to poorer data, or past the forecast, needs."""

_SDS_TO_MOVE: Final = float(ndtri(CONFIDENCE_TO_MOVE))


def forms_of(block: Block, candidates: Candidates) -> Integers:
    """Form of every candidate; one that is no better than the baseline in its region is the baseline.

    Parameters
    ----------
    block : Block
    candidates : Candidates

    Returns
    -------
    ndarray of int of shape (jobs, places)
    """
    forms = np.tile(np.where(candidates.behind, BEHIND, BEST), (len(block.jobs), 1))
    starts_behind = (
        block.estimates.baseline.start_h[block.jobs] >= block.field.curves.horizon - BEFORE_HORIZON_H
    )
    row, column = np.nonzero(
        (candidates.region[None, :] == block.home[:, None]) & np.isfinite(candidates.cost)
    )
    alike = candidates.behind[column] == starts_behind[row]
    gain = block.base_cost[row] - candidates.cost[row, column]
    same = alike & (gain <= TIE * block.base_cost[row])
    forms[row[same], column[same]] = STAY
    return forms


def cheapest(block: Block, rows: Integers, cost: Floats, region: Integers, forms: Integers) -> Integers:
    """Column of the lowest cost of each job: of equal ones the earliest, then the region of the job, then by name.

    Parameters
    ----------
    block : Block
    rows : ndarray of int of shape (rows,)
        Jobs, counted within the block.
    cost : ndarray of shape (rows, places)
    region : ndarray of int of shape (places,)
    forms : ndarray of int of shape (rows, places)

    Returns
    -------
    ndarray of int of shape (rows,)
    """
    if not cost.shape[1]:
        return np.zeros(len(rows), dtype=np.int64)
    best = cost.argmin(axis=1)
    lowest = cost[np.arange(len(rows)), best]
    tied = cost <= lowest[:, None] * (1.0 + TIE)
    contested = np.flatnonzero((np.count_nonzero(tied, axis=1) > 1) & np.isfinite(lowest))
    row, column = np.nonzero(tied[contested])
    row = contested[row]
    zone = block.field.regions.zone[region[column]]
    form = forms[row, column]
    # Places of one zone and form start together.
    kind = zone * (NOW + 1) + form
    lead = np.searchsorted(row, row)
    mixed = np.isin(row, row[kind != kind[lead]])
    start = np.zeros(len(row))
    start[mixed] = starts_of(
        block.jobs[rows[row[mixed]]],
        region[column[mixed]],
        form[mixed],
        block.estimates,
        block.windows,
        block.field,
    )
    away = region[column] != block.home[rows[row]]
    order = np.lexsort((column, away, start, row))
    first = order[np.flatnonzero(np.diff(row[order], prepend=-1))]
    best[row[first]] = column[first]
    return np.asarray(best, dtype=np.int64)


def is_sure(
    block: Block, rows: Integers, region: Integers, form: Integers, cost: Floats, places: Places
) -> Flags:
    """Whether places hold as moves, and need no proof or save with enough probability.

    Parameters
    ----------
    block : Block
    rows : ndarray of int of shape (places,)
        Jobs, counted within the block.
    region, form : ndarray of int of shape (places,)
    cost : ndarray of shape (places,)
    places : Places

    Returns
    -------
    ndarray of bool of shape (places,)
    """
    base, jobs, regions = block.estimates.baseline, block.jobs[rows], block.field.regions
    poorer = places.kind > base.kind[jobs]
    doubtful = poorer | (places.start_h >= block.field.curves.horizon - BEFORE_HORIZON_H)
    elsewhere = region != block.home[rows]
    moving = block.moving_cost(rows, region)
    left = Place(
        block.base_cost[rows],
        base.intensity[jobs],
        base.intensity_sd[jobs],
        base.pue_half_width[jobs] / regions.z,
    )
    taken = Place(
        cost - moving, places.intensity, places.intensity_sd, regions.pue_half_width[region] / regions.z
    )
    own, other = saving_sd(left, taken, shared_sd=places.shared_sd, elsewhere=elsewhere, transfer=moving)
    saving = block.base_cost[rows] - cost
    enough = (saving >= _SDS_TO_MOVE * np.hypot(own, other)) | np.isnan(saving)
    holds = holds_at_pue_ends(block, rows, region, cost) & holds_in_both_zones(block, rows, region, places)
    return np.asarray(((~doubtful | enough) & holds) | (form == STAY))


def look_again(
    block: Block, rows: Integers, candidates: Candidates, forms: Integers, failed: Integers
) -> tuple[Integers, Integers, Floats]:
    """The place of jobs whose cheapest place is not sure enough.

    Parameters
    ----------
    block : Block
    rows : ndarray of int of shape (rows,)
        Jobs, counted within the block.
    candidates : Candidates
    forms : ndarray of int of shape (jobs, places)
        Of the whole block.
    failed : ndarray of int of shape (rows,)
        Column of the place that is not sure enough.

    Returns
    -------
    column, form : ndarray of int of shape (rows,)
        The column is negative where no place is worth leaving the baseline for.
    cost : ndarray of shape (rows,)
    """
    form, region = forms[rows], candidates.region
    pool, again = (
        np.where(may_hold(block, rows, region, cost), cost, np.inf)
        for cost in (candidates.cost[rows], _sure_costs(block, rows, candidates))
    )
    at = (np.arange(len(rows)), failed)
    pool[at] = np.where(form[at] == BEST, again[at], np.inf)
    form[at] = SURE
    return first_sure(block, rows, pool, form, again, region)


def first_sure(
    block: Block, rows: Integers, pool: Floats, form: Integers, again: Floats, region: Integers
) -> tuple[Integers, Integers, Floats]:
    """The cheapest place of each job that is sure enough and worth leaving the baseline for.

    Parameters
    ----------
    block : Block
    rows : ndarray of int of shape (rows,)
        Jobs, counted within the block.
    pool : ndarray of shape (rows, places)
        Costs, or less than them where resumes take energy. Left changed.
    form : ndarray of int of shape (rows, places)
        Left changed.
    again : ndarray of shape (rows, places)
        Costs on data no poorer than the baseline's, for places that fail at their best start.
    region : ndarray of int of shape (places,)

    Returns
    -------
    column, form : ndarray of int of shape (rows,)
        The column is negative where there is none.
    cost : ndarray of shape (rows,)
    """
    column, left = np.full(len(rows), -1, dtype=np.int64), np.arange(len(rows))
    while left.size:
        column[left] = cheapest(block, rows[left], pool[left], region, form[left])
        worth = block.is_worth(pool[left, column[left]], rows[left])
        column[left[~worth]] = -1
        left = left[worth]
        at = (left, column[left])
        places = block.place(rows[left], region[at[1]], form[at])
        cost = np.where(form[at] == STAY, pool[at], block.cost_in(rows[left], region[at[1]], places))
        dearer = cost > pool[at] * (1.0 + TIE)
        fails = ~dearer & ~is_sure(block, rows[left], region[at[1]], form[at], pool[at], places)
        pool[at] = np.where(dearer, cost, pool[at])
        at = (left[fails], column[left[fails]])
        pool[at] = np.where(form[at] == BEST, again[at], np.inf)
        form[at] = SURE
        left = left[dearer | fails]
    at = (np.arange(len(rows)), column)
    return column, form[at], np.where(column < 0, np.inf, pool[at])


def _sure_costs(block: Block, rows: Integers, candidates: Candidates) -> Floats:
    """Cost of every candidate with only hours of data no poorer than the baseline's; infinite behind the horizon."""
    before = ~candidates.behind
    region = candidates.region[before]
    ranked = np.searchsorted(block.field.index, region)
    jobs, kinds = block.jobs[rows], block.estimates.baseline.kind[block.jobs[rows]]
    costs = np.full((len(rows), len(candidates.region)), np.inf)
    for kind in np.unique(kinds):
        some = np.flatnonzero(kinds == kind)
        found = best_costs(jobs[some], block.windows, ranked, block.field, kind=int(kind))
        found += block.moving_cost(rows[some][:, None], region[None, :])
        costs[np.ix_(some, np.flatnonzero(before))] = np.where(np.isnan(found), np.inf, found)
    return np.where(np.isfinite(candidates.cost[rows]), costs, np.inf)
