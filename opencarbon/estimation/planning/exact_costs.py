"""What places cost where resumes take energy: exactly for the places that count, by lower bounds for the others."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.planning.blocks import Block
from opencarbon.estimation.planning.plans import Candidates
from opencarbon.estimation.planning.schedules import BEST

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def with_exact_costs(block: Block, candidates: Candidates, count: int) -> Candidates:
    """Candidates whose cheapest places of each job, and its own region, cost what their schedules do.

    The cheapest places are scheduled and take their true costs until no bound is left among the cheapest: a bound is
    never above the cost, so no other place is cheaper. Regions of one zone share their schedule.

    Parameters
    ----------
    block : Block
    candidates : Candidates
    count : int
        Places of each job that are to be exact.

    Returns
    -------
    Candidates
        The same where resumes take nothing.
    """
    costly = block.windows.restart_h[block.jobs] > 0
    if not costly.any() or not len(candidates.region):
        return candidates
    cost = candidates.cost.copy()
    exact = np.tile(candidates.behind, (len(cost), 1)) | ~costly[:, None]
    wanted = (candidates.region[None, :] == block.home[:, None]) & ~exact & np.isfinite(cost)
    while wanted.any():
        row, column = np.nonzero(wanted)
        found = _scheduled(block, candidates, row, column)
        new = np.isfinite(found) & ~exact & np.isfinite(cost)
        cost, exact = np.where(new, found, cost), exact | new
        wanted = _cheapest(cost, count) & ~exact
    return replace(candidates, cost=cost)


def _cheapest(cost: Floats, count: int) -> Flags:
    """Whether each place is one of the cheapest of its job that can be had."""
    chosen = np.zeros(cost.shape, dtype=bool)
    first = np.argsort(cost, axis=1, kind="stable")[:, :count]
    np.put_along_axis(chosen, first, True, axis=1)
    return chosen & np.isfinite(cost)


def _scheduled(block: Block, candidates: Candidates, row: Integers, column: Integers) -> Floats:
    """Costs of places before the horizon by their schedules, and of all in the same zone; NaN elsewhere."""
    zones, zone = np.unique(block.field.regions.zone[candidates.region], return_inverse=True)
    pair, lead = np.unique(row * len(zones) + zone[column], return_index=True)
    row, region = row[lead], candidates.region[column[lead]]
    places = block.place(row, region, np.full(len(row), BEST, dtype=np.int64))
    means = np.full((len(candidates.cost), len(zones)), np.nan)
    means.ravel()[pair] = places.intensity + places.restart
    every = np.arange(len(means))[:, None]
    moving = block.moving_cost(every, candidates.region[None, :])
    return np.asarray(means[:, zone] * block.field.regions.pue[candidates.region] + moving)
