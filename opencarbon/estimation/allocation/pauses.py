"""Schedules with pauses: the cheapest whole hours before the horizon, on data no poorer than those of the baseline."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.doubt import is_held
from opencarbon.estimation.allocation.places import Ground
from opencarbon.estimation.allocation.queue import DEVICE_TOLERANCE, HOUR_TOLERANCE, Queue

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pauses:
    """Jobs that may pause, by regions, by whole hours of their windows.

    Parameters
    ----------
    jobs : ndarray of int of shape (jobs,)
    begin : ndarray of int of shape (jobs,)
        Hour of the first column.
    touched : ndarray of int of shape (jobs,)
        Hours that a schedule touches.
    part : ndarray of shape (jobs,)
        Part of an hour that the last of them takes [h].
    restart : ndarray of shape (jobs,)
        Energy of a resume, in hours of the run's power [h].
    moving : ndarray of shape (jobs, regions)
        Emissions of moving [kgCO2e].
    weight : ndarray of shape (jobs, regions, hours)
        Emissions of running a whole hour; infinite where the job may or can not [kgCO2e].
    """

    jobs: Integers
    begin: Integers
    touched: Integers
    part: Floats
    restart: Floats
    moving: Floats
    weight: Floats

    def one(self, row: int) -> Self:
        """One of the jobs.

        Parameters
        ----------
        row : int

        Returns
        -------
        Pauses
        """
        return type(self)(*(getattr(self, column.name)[row : row + 1] for column in fields(self)))


def pauses_of(queue: Queue, jobs: Integers, ground: Ground) -> Pauses:
    """Hours that pausable jobs could run in.

    Parameters
    ----------
    queue : Queue
    jobs : ndarray of int of shape (jobs,)
        Those of them that may pause.
    ground : Ground

    Returns
    -------
    Pauses
    """
    some, horizon = queue.take(jobs), ground.terrain.horizon_h
    begin = np.ceil(some.earliest_h - HOUR_TOLERANCE).astype(np.int64)
    end = np.minimum(np.floor(some.latest_h + some.run_h + HOUR_TOLERANCE), horizon).astype(np.int64)
    touched = np.maximum(np.ceil(some.run_h - HOUR_TOLERANCE), 1.0).astype(np.int64)
    hours = begin[:, None] + np.arange(max(int((end - begin).max(initial=0)), 0))
    at = np.minimum(hours, ground.supply.hours - 1)
    weight = ground.rate[at] * (some.energy_kwh / some.run_h)[:, None, None]
    usable = (
        some.allowed[:, None, :] & (hours < end[:, None])[:, :, None] & (ground.unknown[at] > at[:, :, None])
    )
    usable &= np.isnan(some.base_kgco2e)[:, None, None] | (ground.kind[at] <= some.base_kind[:, None, None])
    needed = some.devices * (1.0 - DEVICE_TOLERANCE)
    usable &= ground.supply.free[some.device[:, None], at] >= needed[:, None, None]
    away = np.arange(ground.regions)[None, :] != some.home[:, None]
    usable &= ~(away & ground.terrain.is_disputed & is_held(some, ground))[:, None, :]
    weight[~usable] = np.inf
    return Pauses(
        jobs=jobs,
        begin=begin,
        touched=touched,
        part=some.run_h - (touched - 1),
        restart=some.restart_h,
        moving=np.where(away, some.transfer_kgco2e[:, None], 0.0),
        weight=np.ascontiguousarray(weight.transpose(0, 2, 1)),
    )


def least_costs(pauses: Pauses, priced: Floats) -> Floats:
    """Lower bounds of the cost of schedules: the cheapest hours, the dearest of which counts by its part.

    Parameters
    ----------
    pauses : Pauses
    priced : ndarray of shape (jobs, regions, hours)
        Cost of each hour, at least the weight.

    Returns
    -------
    ndarray of shape (jobs, regions)
        Infinite where there are too few hours.
    """
    short = pauses.touched > priced.shape[2]
    if not priced.shape[2] or short.all():
        return np.full(priced.shape[:2], np.inf)
    ordered = np.sort(priced, axis=2)
    sums = np.cumsum(ordered, axis=2)
    last = np.minimum(pauses.touched, priced.shape[2])[:, None, None] - 1
    last = np.broadcast_to(last, (*priced.shape[:2], 1))
    whole = np.take_along_axis(sums, last, axis=2)[:, :, 0]
    with np.errstate(invalid="ignore"):
        cost = whole - (1.0 - pauses.part[:, None]) * np.take_along_axis(ordered, last, axis=2)[:, :, 0]
    cost += pauses.moving
    return np.where(np.isfinite(whole) & ~short[:, None], cost, np.inf)


def cheapest_hours(pauses: Pauses, row: int, region: int, priced: Floats) -> tuple[Integers, bool, float]:
    """The schedule of a job in a region.

    Parameters
    ----------
    pauses : Pauses
    row, region : int
    priced : ndarray of shape (hours,)
        Cost of each hour; infinite where it is not to be had.

    Returns
    -------
    hours : ndarray of int
        Hours touched, ascending.
    part_first : bool
        The part of an hour lies in the first of them, not in the last.
    emits : float
        With transfer and resumes [kgCO2e].
    """
    chosen = np.sort(np.argsort(priced, kind="stable")[: int(pauses.touched[row])])
    weight = pauses.weight[row, region, chosen]
    part_first = bool(weight[0] > weight[-1])
    resumes = weight[1:][np.diff(chosen) > 1]
    spared = (1.0 - pauses.part[row]) * (weight[0] if part_first else weight[-1])
    emits = float(weight.sum() - spared + pauses.restart[row] * resumes.sum() + pauses.moving[row, region])
    return chosen + int(pauses.begin[row]), part_first, emits
