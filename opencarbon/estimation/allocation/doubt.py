"""Which places are as sure as the baseline.

Those on poorer data, or behind the horizon, must save with enough probability; moves of which the PUE or the zone of an
end is in doubt must save in every reading of it, see :mod:`opencarbon.estimation.planning.readings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from opencarbon.estimation.allocation.queue import HOUR_TOLERANCE, Queue
from opencarbon.estimation.planning.selection import CONFIDENCE_TO_MOVE

if TYPE_CHECKING:
    from opencarbon.estimation.allocation.places import Block, Ground

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SDS_TO_MOVE: Final = float(ndtri(CONFIDENCE_TO_MOVE))
_BEFORE_HORIZON_H: Final = 1e-6
_SAME: Final = 1e-9
"""Less than this, relative, between two readings of a home is rounding."""


def sure_places(block: Block, some: Queue, ground: Ground, away: Flags) -> Flags:
    """Whether places need no proof, or hold; jobs without a baseline, and those that may not stay, move freely.

    Parameters
    ----------
    block : Block
    some : Queue
        Its jobs.
    ground : Ground
    away : ndarray of bool of shape (jobs, regions)
        The region is not that of the job's baseline.

    Returns
    -------
    ndarray of bool of shape (jobs, runs, regions)
    """
    sure = _sure_of_data(block, some, ground, away)
    held = away & is_held(some, ground)
    if held.any():
        sure &= ~held[:, None, :] | _holds(block, some, ground)
    return sure


def is_held(some: Queue, ground: Ground) -> Flags:
    """Whether moves must save whatever the PUE and the zone of their ends.

    Those of jobs that have something to save and may stay instead, where one of the two ends is in doubt.

    Parameters
    ----------
    some : Queue
    ground : Ground

    Returns
    -------
    ndarray of bool of shape (jobs, regions)
    """
    may_stay = np.isfinite(some.stays_below_kgco2e) & np.isfinite(some.least_kgco2e)
    doubtful_home = some.least_kgco2e < some.base_kgco2e * (1.0 - _SAME)
    return np.asarray(may_stay[:, None] & (doubtful_home[:, None] | ground.is_doubtful_place))


def _holds(block: Block, some: Queue, ground: Ground) -> Flags:
    """Whether moves save at the ends of the PUE and in either zone."""
    moving = some.transfer_kgco2e[:, None, None]
    worst = (block.emits - moving) * ground.pue_ratio
    disputed = np.flatnonzero(ground.terrain.is_disputed)
    if len(disputed):
        shift = np.where(block.slope[:, :, disputed], block.least[:, :, None], block.most[:, :, None])
        start = np.asarray(block.hour[:, :, None] + shift, dtype=np.float64)
        finish = start + some.run_h[:, None, None]
        region = np.broadcast_to(disputed, start.shape)
        weight = (some.energy_kwh / some.run_h)[:, None, None]
        worst[:, :, disputed] = weight * ground.integral(
            ground.worst_sums, ground.worst, region, start, finish
        )
    return np.asarray(worst + moving < some.least_kgco2e[:, None, None])


def _sure_of_data(block: Block, some: Queue, ground: Ground, away: Flags) -> Flags:
    has_base = np.isfinite(some.base_kgco2e)
    doubtful = np.zeros(block.emits.shape, dtype=bool)
    for kind in np.unique(some.base_kind[has_base]):
        if int(kind) in ground.poorer:
            rows = np.flatnonzero(has_base & (some.base_kind == kind))
            poorer = ground.poorer[int(kind)]
            doubtful[rows] = poorer[block.first[rows]] < block.stop[rows][:, :, None]
    behind = block.hour + block.least >= ground.terrain.horizon_h - _BEFORE_HORIZON_H
    if np.any(behind & has_base[:, None]):
        doubtful |= (behind & has_base[:, None])[:, :, None]
    if not doubtful.any():
        return ~doubtful
    same_zone = some.home_zone[:, None] == ground.terrain.zone
    sure: Flags = ~doubtful | (_elsewhere_enough(block, some, ground, away) & ~same_zone[:, None, :])
    at = np.nonzero(doubtful & same_zone[:, None, :])
    kept = _enough(at, block, some, ground, away)
    sure[tuple(axis[kept] for axis in at)] = True
    return sure


def _elsewhere_enough(block: Block, some: Queue, ground: Ground, away: Flags) -> Flags:
    """Whether places save surely enough, shape (jobs, runs, regions), as if in no hour their zone were the home's."""
    weight = (some.energy_kwh / some.run_h)[:, None, None]
    shift = np.where(block.slope, block.least[:, :, None], block.most[:, :, None])
    variance = ground.over_runs(ground.sd_sums, ground.sd, block.spans, shift)
    variance *= weight
    variance *= variance
    moving = np.where(away, some.transfer_kgco2e[:, None], 0.0)
    of_pue = block.emits - moving[:, None, :]
    of_pue *= np.where(away, ground.terrain.pue_sd, 0.0)[:, None, :]
    of_pue *= of_pue
    variance += of_pue
    own = np.hypot(
        some.base_sd_kgco2e[:, None], np.where(away, (some.base_kgco2e * some.home_pue_sd)[:, None], 0.0)
    )
    variance += (own**2 + moving**2)[:, None, :]
    saving = some.base_kgco2e[:, None, None] - block.emits
    return np.asarray((saving > 0) & (saving**2 >= _SDS_TO_MOVE**2 * variance))


def _enough(at: tuple[Integers, ...], block: Block, some: Queue, ground: Ground, away: Flags) -> Integers:
    """Which of these places save surely enough, hours shared with the baseline set off, or are the baseline itself."""
    job, run, region = at
    saving = some.base_kgco2e[job] - block.emits[at]
    start = block.hour[job, run] + np.where(block.slope[at], block.least[job, run], block.most[job, run])
    stays = ~away[job, region] & (np.abs(start - some.base_start_h[job]) <= HOUR_TOLERANCE)
    some_gain = np.flatnonzero(saving > 0)
    row, place = job[some_gain], region[some_gain]
    begin = np.asarray(start[some_gain], dtype=np.float64)
    finish = begin + some.run_h[row]
    weight = some.energy_kwh[row] / some.run_h[row]
    place_sd = weight * _sd_hours(ground, place, begin, finish)
    moves = away[row, place]
    terrain = ground.terrain
    same = some.home_zone[row] == terrain.zone[place]
    first = np.maximum(begin, some.base_start_h[row])
    last = np.maximum(np.minimum(finish, some.base_start_h[row] + some.run_h[row]), first)
    shared_there = np.where(same, weight * _sd_hours(ground, place, first, last), 0.0)
    shared_here = shared_there * some.home_pue[row] / terrain.pue[place]
    moving = np.where(moves, some.transfer_kgco2e[row], 0.0)
    emits = block.emits[tuple(axis[some_gain] for axis in at)] - moving
    own = np.hypot(
        some.base_sd_kgco2e[row] - shared_here,
        np.where(moves, some.base_kgco2e[row] * some.home_pue_sd[row], 0.0),
    )
    other = np.hypot(place_sd - shared_there, np.where(moves, emits * terrain.pue_sd[place], 0.0))
    spread = np.sqrt(own**2 + other**2 + moving**2)
    return np.union1d(np.flatnonzero(stays), some_gain[saving[some_gain] >= _SDS_TO_MOVE * spread])


def _sd_hours(ground: Ground, region: Integers, start_h: Floats, finish_h: Floats) -> Floats:
    """Integral of the standard deviation of emissions per energy [kgCO2e/kWh x h]."""
    return ground.integral(ground.sd_sums, ground.sd, region, start_h, finish_h)
