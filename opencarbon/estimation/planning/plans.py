"""What each candidate place costs: every allowed region at its best start before the horizon, and behind it.

Places are ranked on operational emissions with transfer, here per energy of the job at its servers; embodied emissions
are the same for one device everywhere.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.grid.curves import KIND_CODE, PlanningCurves
from opencarbon.estimation.planning.windows import TAIL_HOURS, Windows
from opencarbon.estimation.region_columns import Regions
from opencarbon.physics.shifting import lowest_mean

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BEFORE_HORIZON_H: Final = 1e-6
"""A start this close to the horizon lies behind it [h]."""


@dataclass(frozen=True, slots=True)
class Field:
    """What jobs are planned on: the regions that can be ranked and the curves of their zones.

    Parameters
    ----------
    regions : Regions
        All regions.
    index : ndarray of int of shape (ranked,)
        Regions that can be ranked.
    zone : ndarray of int of shape (ranked,)
        Their curve, counted among ``zones``.
    zones : ndarray of int of shape (zones,)
        The curves in use, as indices into ``curves``.
    curves : PlanningCurves
    values : ndarray of shape (zones, hours)
        These curves with the tail behind them; NaN where an hour is not known, or only by the mean of the world
        [gCO2e/kWh].
    kinds : ndarray of int of shape (zones, hours)
    """

    regions: Regions
    index: Integers
    zone: Integers
    zones: Integers
    curves: PlanningCurves
    values: Floats
    kinds: Integers

    def no_poorer_than(self, kind: int) -> Floats:
        """Curves without the hours of poorer kinds, which are NaN, shape (zones, hours) [gCO2e/kWh].

        Parameters
        ----------
        kind : int
            Code of a kind.

        Returns
        -------
        ndarray
        """
        return np.where(self.kinds > kind, np.nan, self.values)


def field_of_regions(regions: Regions, curves: PlanningCurves) -> Field:
    """Prepare the regions for planning, once per run.

    Parameters
    ----------
    regions : Regions
    curves : PlanningCurves

    Returns
    -------
    Field
    """
    hours = curves.horizon + TAIL_HOURS
    kinds = curves.extended_kinds(hours)
    values = np.where(kinds == KIND_CODE["world"], np.nan, curves.extended(hours))
    known: Flags = np.any(np.isfinite(values), axis=1)
    index = np.flatnonzero(known[regions.zone])
    zones, zone = np.unique(regions.zone[index], return_inverse=True)
    return Field(regions, index, zone.astype(np.int64), zones, curves, values[zones], kinds[zones])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places that a block of jobs could take.

    Parameters
    ----------
    region : ndarray of int of shape (places,)
        Index among all regions; ascending among the places before the horizon, then among those behind it.
    behind : ndarray of bool of shape (places,)
        The start lies behind the horizon.
    cost : ndarray of shape (jobs, places)
        Emissions with transfer over the job's energy [gCO2e/kWh]; infinite where the job may or can not go. Where
        resumes take energy, no more than they are.
    """

    region: Integers
    behind: Flags
    cost: Floats


def candidates_of(
    block: Integers, windows: Windows, home: Integers, allowed: Flags, transfer: Floats, field: Field
) -> Candidates:
    """Cost of every place that some job of a block may take.

    Parameters
    ----------
    block : ndarray of int of shape (jobs,)
        The jobs, as indices into ``windows``.
    windows : Windows
    home : ndarray of int of shape (jobs,)
        Region of the baseline; negative where there is none.
    allowed : ndarray of bool of shape (jobs, regions)
    transfer : ndarray of shape (jobs,)
        Emissions of moving the job's data over its energy [gCO2e/kWh].
    field : Field

    Returns
    -------
    Candidates
    """
    ranked = np.flatnonzero(allowed[:, field.index].any(axis=0))
    region = field.index[ranked]
    cost = best_costs(block, windows, ranked, field)
    late = may_start_behind(block, windows, field.curves.horizon)
    behind = np.zeros(len(ranked), dtype=bool)
    if late.any():
        flat = field.values[field.zone[ranked], -1] * field.regions.pue[region]
        cost = np.hstack([cost, np.where(late[:, None], flat[None, :], np.nan)])
        behind, region = np.repeat([False, True], len(ranked)), np.tile(region, 2)
    cost = cost + np.where(region[None, :] == home[:, None], 0.0, transfer[:, None])
    return Candidates(region, behind, np.where(allowed[:, region] & ~np.isnan(cost), cost, np.inf))


def may_start_behind(block: Integers, windows: Windows, horizon: int) -> Flags:
    """Whether a start behind the horizon is a place of its own for jobs.

    Parameters
    ----------
    block : ndarray of int of shape (jobs,)
        The jobs, as indices into ``windows``.
    windows : Windows
    horizon : int
        [h from the first hour of the curves]

    Returns
    -------
    ndarray of bool of shape (jobs,)
        False for pausable jobs whose window reaches behind the horizon: they may wait for it anyway.
    """
    earliest = windows.earliest_h[block]
    apart = ~windows.interruptible[block] | (earliest >= horizon)
    return np.asarray(apart & (np.maximum(earliest, horizon) <= windows.latest_h[block]))


def best_costs(
    block: Integers, windows: Windows, ranked: Integers, field: Field, *, kind: int | None = None
) -> Floats:
    """Lowest facility emissions per energy of jobs that start before the horizon.

    Parameters
    ----------
    block : ndarray of int of shape (jobs,)
    windows : Windows
    ranked : ndarray of int of shape (places,)
        Places in ``field.index``.
    field : Field
    kind : int, optional
        Use only hours of this kind and better ones, and let no pausable job wait for the tail.

    Returns
    -------
    ndarray of shape (jobs, places)
        Without transfer [gCO2e/kWh]; NaN where there is no such start. Where resumes take energy, a lower bound: less
        than a run without a pause only by what is left after one resume in the cleanest hour.
    """
    zones, zone = np.unique(field.zone[ranked], return_inverse=True)
    values = (field.values if kind is None else field.no_poorer_than(kind))[zones]
    means = np.full((len(block), len(zones)), np.nan)
    ahead = windows.earliest_h[block] < field.curves.horizon - BEFORE_HORIZON_H
    some = block[ahead]
    if some.size and zones.size:
        finish = (windows.finish_h if kind is None else windows.straight_finish_h)[some]
        times = (windows.duration_h[some], windows.earliest_h[some], finish)
        lowest = lowest_mean(values, *times, interruptible=windows.interruptible[some])
        costly = np.flatnonzero(windows.restart_h[some] > 0)
        if costly.size:
            straight = lowest_mean(values, *(time[costly] for time in times))
            cleanest = np.min(values, axis=1, initial=np.inf, where=~np.isnan(values))
            resume = windows.restart_h[some[costly]] / windows.duration_h[some[costly]]
            paused = lowest[costly] + resume[:, None] * cleanest
            lowest[costly] = np.fmin(straight, np.maximum(paused, lowest[costly]))
        left_out = windows.tail_h[some]
        lowest *= windows.duration_h[some][:, None]
        long = left_out > 0
        lowest[long] += left_out[long][:, None] * values[None, :, -1]
        means[ahead] = lowest / windows.run_h[some][:, None]
    return np.asarray(means[:, zone] * field.regions.pue[field.index[ranked]])
