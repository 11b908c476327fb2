"""The place that each job is advised to take: the cheapest one that is as sure as the baseline.

A place on poorer data than the baseline's, or behind the horizon, must save with a probability of at least 0.8. Where
the cheapest place fails, its region is asked again for its best start on data no poorer, and the next cheapest place is
looked at.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.plans import BEFORE_HORIZON_H, Candidates, Field, best_costs
from opencarbon.estimation.savings import Place, saving_sd
from opencarbon.estimation.schedules import BEHIND, BEST, STAY, SURE, Places, place_jobs, starts_of
from opencarbon.estimation.windows import Windows
from opencarbon.units import GRAMS_PER_KILOGRAM

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CONFIDENCE_TO_MOVE: Final = 0.8
"""Probability of saving that a move to poorer data, or past the forecast, needs."""

_SDS_TO_MOVE: Final = float(ndtri(CONFIDENCE_TO_MOVE))
_TIE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Block:
    """A block of jobs in question, each array of shape (jobs,); costs are emissions over energy [gCO2e/kWh].

    Parameters
    ----------
    jobs : ndarray of int
        Indices into the estimates.
    home : ndarray of int
        Region of the baseline; negative where there is none.
    base_cost : ndarray
        Of the baseline; NaN where there is none.
    highest_cost : ndarray
        That is worth leaving the baseline for.
    may_stay : ndarray of bool
        The job may run where it is.
    transfer : ndarray
        Cost of moving.
    estimates : JobEstimates
    windows : Windows
    field : Field
    """

    jobs: Integers
    home: Integers
    base_cost: Floats
    highest_cost: Floats
    may_stay: Flags
    transfer: Floats
    estimates: JobEstimates
    windows: Windows
    field: Field

    def place(self, rows: Integers, region: Integers, form: Integers) -> Places:
        """When some of the jobs run in places, see :func:`~opencarbon.estimation.schedules.place_jobs`.

        Parameters
        ----------
        rows : ndarray of int of shape (places,)
            Jobs, counted within the block.
        region, form : ndarray of int of shape (places,)

        Returns
        -------
        Places
        """
        return place_jobs(self.jobs[rows], region, form, self.estimates, self.windows, self.field)

    def is_worth(self, cost: Floats, rows: Integers | slice = slice(None)) -> Flags:
        """Whether costs are worth leaving the baseline for; any is where the job may not stay.

        Parameters
        ----------
        cost : ndarray of shape (rows,)
        rows : ndarray of int or slice, optional
            Jobs, counted within the block.

        Returns
        -------
        ndarray of bool
        """
        gains = (cost <= self.highest_cost[rows]) & (cost < self.base_cost[rows])
        return np.isfinite(cost) & (gains | ~self.may_stay[rows])


def make_block(
    jobs: Integers,
    estimates: JobEstimates,
    windows: Windows,
    allowed: Flags,
    transfer_kgco2e: Floats,
    field: Field,
    min_saving_pct: float,
) -> Block:
    """Some jobs, with what staying and moving costs.

    Parameters
    ----------
    jobs : ndarray of int of shape (jobs,)
        Indices into the estimates.
    estimates : JobEstimates
    windows : Windows
    allowed : ndarray of bool of shape (jobs, regions)
        Of these jobs.
    transfer_kgco2e : ndarray
        Emissions of moving the data of every job of the estimates [kgCO2e].
    field : Field
    min_saving_pct : float
        Least saving worth leaving the baseline, of its total [%].

    Returns
    -------
    Block
    """
    base, energy = estimates.baseline, estimates.energy_kwh[jobs]
    home, base_cost = base.region[jobs], (base.intensity * base.pue)[jobs]
    total = base_cost + estimates.embodied_kgco2e[jobs] * GRAMS_PER_KILOGRAM / energy
    least = np.maximum(_TIE * base_cost, min_saving_pct / 100.0 * total)
    return Block(
        jobs=jobs,
        home=home,
        base_cost=base_cost,
        highest_cost=base_cost - least,
        may_stay=(home >= 0) & base.rankable[jobs] & allowed[np.arange(len(jobs)), home],
        transfer=transfer_kgco2e[jobs] * GRAMS_PER_KILOGRAM / energy,
        estimates=estimates,
        windows=windows,
        field=field,
    )


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
    same = alike & (gain <= _TIE * block.base_cost[row])
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
    tied = cost <= lowest[:, None] * (1.0 + _TIE)
    contested = np.flatnonzero((np.count_nonzero(tied, axis=1) > 1) & np.isfinite(lowest))
    row, column = np.nonzero(tied[contested])
    row = contested[row]
    zone = block.field.regions.zone[region[column]]
    form = forms[row, column]
    # Places of one zone and form start together.
    kind = zone * (BEHIND + 1) + form
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
    """Whether places need no proof, or save with enough probability.

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
    moving = np.where(elsewhere, block.transfer[rows], 0.0)
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
    return np.asarray(~doubtful | enough | (form == STAY))


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
    pool, form, column = candidates.cost[rows], forms[rows], failed.copy()
    again = _sure_costs(block, rows, candidates)
    left = np.arange(len(rows))
    while left.size:
        at = (left, column[left])
        pool[at] = np.where(form[at] == BEST, again[at], np.inf)
        form[at] = SURE
        column[left] = cheapest(block, rows[left], pool[left], candidates.region, form[left])
        at = (left, column[left])
        worth = block.is_worth(pool[at], rows[left])
        column[left[~worth]] = -1
        left = left[worth]
        at = (left, column[left])
        region = candidates.region[at[1]]
        places = block.place(rows[left], region, form[at])
        left = left[~is_sure(block, rows[left], region, form[at], pool[at], places)]
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
        away = region[None, :] != block.home[rows[some]][:, None]
        found += np.where(away, block.transfer[rows[some]][:, None], 0.0)
        costs[np.ix_(some, np.flatnonzero(before))] = np.where(np.isnan(found), np.inf, found)
    return np.where(np.isfinite(candidates.cost[rows]), costs, np.inf)
