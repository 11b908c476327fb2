"""Whether a move saves whatever the PUE of its ends, and whatever zone they lie in.

Where the PUE of a region was not measured, it may lie anywhere between the ends that its provider publishes; where two
published lists file a region under different zones, it may lie in either. A move is advised only if it saves with the
region it leaves at the lowest PUE, in the cleaner zone, and the region it takes at the highest PUE, in the dirtier zone.
A job that may not stay where it is must go somewhere, and one without a baseline saves nothing: they are not held to this.
"""

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.planning.blocks import TIE, Block
from opencarbon.estimation.planning.schedules import Places

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def holds_at_pue_ends(block: Block, rows: Integers, region: Integers, cost: Floats) -> Flags:
    """Whether moves save with the PUE that is left at its lowest and the one that is taken at its highest.

    Parameters
    ----------
    block : Block
    rows : ndarray of int
        Jobs, counted within the block.
    region : ndarray of int
        Of a shape that goes with ``rows``.
    cost : ndarray
        Of the places, of the shape of both [gCO2e/kWh].

    Returns
    -------
    ndarray of bool
        True for what is not a move.
    """
    regions, moving = block.field.regions, block.moving_cost(rows, region)
    dearest = (cost - moving) * (regions.pue_high / regions.pue)[region] + moving
    least = block.base_cost * (regions.pue_low / regions.pue)[block.home]
    return np.asarray((dearest < least[rows]) | ~_is_held(block, rows, region))


def holds_in_both_zones(block: Block, rows: Integers, region: Integers, places: Places) -> Flags:
    """Whether moves from or to disputed zones save in either zone, at the hours chosen and at the ends of the PUE.

    Parameters
    ----------
    block : Block
    rows, region : ndarray of int of shape (places,)
        Jobs, counted within the block, and regions.
    places : Places

    Returns
    -------
    ndarray of bool of shape (places,)
        True for what is not a move, and where no zone is disputed; false where the other zone is not known.
    """
    regions, home = block.field.regions, block.home[rows]
    disputed = regions.other_zone != regions.zone
    at = np.flatnonzero((disputed[region] | disputed[home]) & _is_held(block, rows, region))
    if not at.size:
        return np.ones(len(rows), dtype=bool)
    row, taken = rows[at], region[at]
    within = np.isin(places.stretch_place, at)
    place = np.searchsorted(at, places.stretch_place[within])
    zone = regions.other_zone[taken][place]
    other_taken = _mean(block, place, zone, places.stretch_start_h[within], places.stretch_finish_h[within])
    worst = np.maximum(places.intensity[at], other_taken) + places.restart[at]
    holds = np.ones(len(rows), dtype=bool)
    holds[at] = regions.pue_high[taken] * worst + block.moving_cost(row, taken) < _least_left(block, row)
    return holds


def may_hold(block: Block, rows: Integers, region: Integers, cost: Floats) -> Flags:
    """Whether places can hold as moves, told by no more than what they cost at least.

    Parameters
    ----------
    block : Block
    rows : ndarray of int of shape (rows,)
        Jobs, counted within the block.
    region : ndarray of int of shape (places,)
    cost : ndarray of shape (rows, places)
        Costs, or less than them [gCO2e/kWh].

    Returns
    -------
    ndarray of bool of shape (rows, places)
        False only for places that fail :func:`holds_at_pue_ends` or :func:`holds_in_both_zones` whenever they run.
    """
    holds = holds_at_pue_ends(block, rows[:, None], region[None, :], cost)
    regions, home = block.field.regions, block.home[rows]
    at = np.flatnonzero((regions.other_zone != regions.zone)[home] & (home >= 0))
    if at.size:
        row = rows[at, None]
        moving = block.moving_cost(row, region[None, :])
        dearest = (cost[at] - moving) * (regions.pue_high / regions.pue)[region] + moving
        can = dearest * (1.0 - TIE) < _least_left(block, rows[at])[:, None]
        holds[at] &= can | ~_is_held(block, row, region[None, :])
    return holds


def _least_left(block: Block, rows: Integers) -> Floats:
    """Costs that jobs leave behind in the cleaner of the two zones of their region, at its lowest PUE."""
    job, home = block.jobs[rows], block.home[rows]
    regions, base = block.field.regions, block.estimates.baseline
    start = base.start_h[job]
    other = _mean(
        block, np.arange(len(rows)), regions.other_zone[home], start, start + block.estimates.run_h[job]
    )
    return np.asarray(regions.pue_low[home] * np.minimum(base.intensity[job], other))


def _is_held(block: Block, rows: Integers, region: Integers) -> Flags:
    """Moves of jobs that have something to save and may stay instead."""
    free = ~block.may_stay | np.isnan(block.base_cost)
    return np.asarray((region != block.home[rows]) & ~free[rows])


def _mean(block: Block, place: Integers, zone: Integers, start_h: Floats, finish_h: Floats) -> Floats:
    """Mean intensity of places over their stretches; NaN where it cannot be ranked."""
    exposure = block.field.curves.exposure(zone, start_h, finish_h)
    sums = np.bincount(place, np.where(exposure.rankable, exposure.intensity_hours, np.nan))
    return np.asarray(sums / np.bincount(place, exposure.hours))
