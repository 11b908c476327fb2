"""The straight runs that jobs could take: the hours each one touches and what it emits, many jobs at once.

A run that touches L clock hours from hour k emits M + f I_end + x (I_end - I_k), with M the integral over all but the
last of these hours, f the part of an hour that its duration leaves for the last one, and x its start within hour k. It is
linear in x, so one of the two ends of what the window leaves to x is best.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.doubt import sure_places
from opencarbon.estimation.allocation.queue import (
    BEHIND_H,
    DEVICE_TOLERANCE,
    HOUR_TOLERANCE,
    Queue,
    Supply,
    Terrain,
)

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LATER: Final = 1e-9
"""Relative cost of each hour of waiting, which sends ties to the earliest place."""

AWAY: Final = 5e-10
"""Relative cost of leaving, which sends ties to the region of the job."""


_NOWHERE: Final = 1e9
"""In the place of a rate that is not known, so that no move there holds [kgCO2e/kWh]."""


class Spans(NamedTuple):
    """Where hourly rates are looked up for runs, each array of shape (jobs, runs), hours within those of the supply.

    Attributes
    ----------
    at, end : ndarray of int
        First and last hour touched.
    beyond : ndarray of int
        Whole hours of the run behind the hours of the supply.
    part : ndarray
        What the duration leaves for the last hour [h].
    """

    at: Integers
    end: Integers
    beyond: Integers
    part: Floats


@dataclass(frozen=True, slots=True)
class Block:
    """Jobs by runs of hours by regions.

    Parameters
    ----------
    jobs : ndarray of int of shape (jobs,)
    first, stop : ndarray of int of shape (jobs, runs)
        First hour touched, and the one behind the last, within the hours of the supply.
    least, most : ndarray of shape (jobs, runs)
        Earliest and latest start from hour ``hour`` on [h].
    hour : ndarray of int of shape (jobs, runs)
        Hour of the start, also behind the hours of the supply.
    slope : ndarray of shape (jobs, runs, regions)
        Positive where the earliest start is best.
    emits : ndarray of shape (jobs, runs, regions)
        Emissions with transfer [kgCO2e].
    cost : ndarray of shape (jobs, runs, regions)
        What places are ranked by: emissions, ties broken; infinite where the job may or can not run [kgCO2e].
    dearest : ndarray of shape (jobs,)
        Highest finite cost; zero where there is none [kgCO2e].
    spans : Spans
        Where hourly rates are looked up for each run.
    """

    jobs: Integers
    first: Integers
    stop: Integers
    least: Floats
    most: Floats
    hour: Integers
    slope: Flags
    emits: Floats
    cost: Floats
    dearest: Floats
    spans: Spans


def last_start(queue: Queue, horizon_h: int) -> Floats:
    """Last start that is looked at, shape (jobs,) [h].

    Parameters
    ----------
    queue : Queue
    horizon_h : int
        Hours ahead that are told apart by the curves [h].

    Returns
    -------
    ndarray
    """
    return np.asarray(np.minimum(queue.latest_h, np.maximum(queue.earliest_h, horizon_h) + BEHIND_H))


class Ground:
    """Terrain and supply, prepared for looking up many runs.

    Parameters
    ----------
    terrain : Terrain
    supply : Supply
    """

    def __init__(self, terrain: Terrain, supply: Supply) -> None:
        self.terrain, self.supply = terrain, supply
        hours, self.regions = supply.hours, terrain.rate.shape[1]
        rows = np.minimum(np.arange(hours + 1), len(terrain.rate) - 1)
        known = np.isfinite(terrain.rate[rows])
        self.rate = np.where(known, terrain.rate[rows], 0.0)
        self.sums = np.zeros((hours + 1, self.regions))
        np.cumsum(self.rate[:-1], axis=0, out=self.sums[1:])
        self.unknown = _next_true(~known)
        self.all_known = bool(known.all())
        self.kind = terrain.kind[rows]
        self.poorer = {
            int(kind): _next_true(self.kind > kind)
            for kind in np.unique(self.kind)
            if np.any(self.kind > kind)
        }
        self.sd = terrain.sd[rows]
        self.sd_sums = np.zeros((hours + 1, self.regions))
        np.cumsum(self.sd[:-1], axis=0, out=self.sd_sums[1:])
        known = np.isfinite(terrain.worst[rows])
        self.worst = np.where(known, terrain.worst[rows], _NOWHERE)
        self.worst_sums = np.zeros((hours + 1, self.regions))
        np.cumsum(self.worst[:-1], axis=0, out=self.worst_sums[1:])
        ratio = np.where(self.rate > 0, self.worst / np.where(self.rate > 0, self.rate, 1.0), 1.0)
        self.pue_ratio = np.where(terrain.is_disputed, 1.0, ratio[0])
        self.is_doubtful_place = terrain.is_disputed | (self.pue_ratio > 1.0)
        self.least_free = supply.free.min(axis=1)

    def integral(
        self, sums: Floats, rate: Floats, region: Integers, start_h: Floats, finish_h: Floats
    ) -> Floats:
        """Integral of an hourly rate over runs.

        Parameters
        ----------
        sums, rate : ndarray of shape (hours + 1, regions)
            The rate and its sum before each hour.
        region, start_h, finish_h : ndarray of one shape
            [h]

        Returns
        -------
        ndarray
        """

        def until(time: Floats) -> Floats:
            hour = np.minimum(time.astype(np.int64), self.supply.hours)
            return np.asarray(sums[hour, region] + (time - hour) * rate[hour, region], dtype=np.float64)

        return until(finish_h) - until(start_h)

    def over_runs(self, sums: Floats, rate: Floats, spans: Spans, shift: Floats) -> Floats:
        """Integral of an hourly rate over every run of some jobs in every region.

        Parameters
        ----------
        sums, rate : ndarray of shape (hours + 1, regions)
            The rate and its sum before each hour.
        spans : Spans
        shift : ndarray of shape (jobs, runs, regions)
            Start from the hour that it lies in [h].

        Returns
        -------
        ndarray of shape (jobs, runs, regions)
        """
        last = rate[spans.end]
        total = sums[spans.end] - sums[spans.at]
        if spans.beyond.any():
            total += spans.beyond[:, :, None] * rate[-1]
        total += spans.part[:, :, None] * last
        last -= rate[spans.at]
        last *= shift
        total += last
        return np.asarray(total, dtype=np.float64)

    def block(self, queue: Queue, jobs: Integers) -> Block:
        """Every straight run of some jobs.

        Parameters
        ----------
        queue : Queue
        jobs : ndarray of int of shape (jobs,)

        Returns
        -------
        Block
        """
        some = queue.take(jobs)
        hour, length, least, most, valid = _runs(
            some.run_h, some.earliest_h, last_start(some, self.terrain.horizon_h)
        )
        hours = self.supply.hours
        spans = Spans(
            at=np.minimum(hour, hours),
            end=np.minimum(hour + length - 1, hours),
            beyond=np.maximum(hour + length - 1 - hours, 0) - np.maximum(hour - hours, 0),
            part=some.run_h[:, None] - (length - 1),
        )
        first, stop = np.minimum(hour, hours - 1), np.minimum(hour + length, hours)
        last_rate = self.rate[spans.end]
        rising = last_rate - self.rate[spans.at] >= -LATER * last_rate
        shift = np.where(rising, least[:, :, None], most[:, :, None])
        emits = self.over_runs(self.sums, self.rate, spans, shift)
        emits *= (some.energy_kwh / some.run_h)[:, None, None]
        away = np.arange(self.regions)[None, :] != some.home[:, None]
        emits += np.where(away, some.transfer_kgco2e[:, None], 0.0)[:, None, :]
        _keep_baselines(some, rising, emits)
        block = Block(jobs, first, stop, least, most, hour, rising, emits, emits, np.zeros(len(jobs)), spans)
        usable = some.allowed[:, None, :] & valid[:, :, None] & self._holds(some, first, stop)
        usable &= sure_places(block, some, self, away)
        return self._ranked(block, some, usable, away)

    def _holds(self, some: Queue, first: Integers, stop: Integers) -> Flags:
        """Whether every hour of runs is known and has the devices if nobody else takes any."""
        kinds, at = np.unique(np.stack([some.device, some.devices]), axis=1, return_inverse=True)
        holds = np.ones((*first.shape, self.regions), dtype=bool)
        if not self.all_known:
            holds &= self.unknown[first] >= stop[:, :, None]
        for number, (device, count) in enumerate(kinds.T):
            needed = count * (1.0 - DEVICE_TOLERANCE)
            if np.all(self.least_free[int(device)] >= needed):
                continue
            rows = np.flatnonzero(at.ravel() == number)
            short = _next_true(self.supply.free[int(device)] < needed)
            holds[rows] &= short[first[rows]] >= stop[rows][:, :, None]
        return holds

    def _ranked(self, block: Block, some: Queue, usable: Flags, away: Flags) -> Block:
        """Costs of places; one that is not worth leaving the baseline for ranks behind the baseline."""
        cost = block.emits.copy()
        staying = np.isfinite(some.stays_below_kgco2e) & np.isfinite(some.base_kgco2e)
        if staying.any():
            base = np.where(staying, some.base_kgco2e, 0.0)[:, None, None]
            limit = np.where(staying, some.stays_below_kgco2e, np.inf)[:, None, None]
            np.maximum(cost, base, out=cost, where=cost > limit)
        if np.any(some.delay_kgco2e > 0):
            prompt = np.where(usable[:, 0], cost[:, 0], np.inf).min(axis=1)
            prompt = np.where(staying, np.fmin(prompt, some.base_kgco2e), prompt)[:, None, None]
            needless = cost[:, 1:] > prompt - some.delay_kgco2e[:, None, None]
            np.maximum(cost[:, 1:], prompt, out=cost[:, 1:], where=needless & np.isfinite(prompt))
        waits = LATER * np.maximum(block.hour - block.hour[:, :1], 0)
        cost *= 1.0 + waits[:, :, None] + np.where(away, AWAY, 0.0)[:, None, :]
        dearest = np.where(usable, cost, 0.0).max(axis=(1, 2), initial=0.0)
        np.copyto(cost, np.inf, where=~usable)
        return replace(block, cost=cost, dearest=dearest)


def _keep_baselines(some: Queue, rising: Flags, emits: Floats) -> None:
    """Let jobs start when their baseline does, where a later start in that hour is not worth leaving it for."""
    row = np.flatnonzero((some.home >= 0) & np.isfinite(some.stays_below_kgco2e))
    row = row[emits[row, 0, some.home[row]] > some.stays_below_kgco2e[row]]
    emits[row, 0, some.home[row]] = some.base_kgco2e[row]
    rising[row, 0, some.home[row]] = True


def _runs(
    run_h: Floats, earliest_h: Floats, last_h: Floats
) -> tuple[Integers, Integers, Floats, Floats, Flags]:
    """Hour of the start, hours touched, least and most start in that hour and whether there is one, by job and run.

    One run for each hour that a start may lie in, touching as few hours as can be; the first start and, in the last
    column, the last one touch an hour more where they do not fit into fewer.
    """
    begin = np.floor(earliest_h + HOUR_TOLERANCE).astype(np.int64)
    final = np.floor(last_h + HOUR_TOLERANCE).astype(np.int64)
    length = np.maximum(np.ceil(run_h - HOUR_TOLERANCE), 1.0).astype(np.int64)
    room = length - run_h
    count = int((final - begin).max(initial=0)) + 2
    hour = begin[:, None] + np.arange(count)
    is_last = hour == final[:, None] + 1
    hour = np.where(is_last, final[:, None], hour)
    valid = hour <= final[:, None]
    least = np.maximum(earliest_h[:, None] - hour, 0.0)
    most = np.minimum(room[:, None], last_h[:, None] - hour)
    late_start = (last_h - final)[:, None]
    longer = (least > most + HOUR_TOLERANCE) & ~is_last
    at_end = is_last & (late_start > room[:, None] + HOUR_TOLERANCE)
    valid &= ~is_last | at_end
    least, most = np.where(at_end, late_start, least), np.where(at_end, late_start, most)
    most = np.maximum(most, least)
    return hour, length[:, None] + (longer | at_end), least, most, valid


def _next_true(flags: Flags) -> Integers:
    """First row at or after each one where a column is true, shape of the flags; beyond all rows where there is none."""
    rows = np.arange(len(flags))[:, None]
    at = np.where(flags, rows, np.iinfo(np.int32).max)
    return np.asarray(np.minimum.accumulate(at[::-1], axis=0)[::-1], dtype=np.int64)


def start_of(block: Block, row: int, run: int, region: int) -> float:
    """Start of a run in a region [h].

    Parameters
    ----------
    block : Block
    row, run, region : int

    Returns
    -------
    float
    """
    shift = block.least if block.slope[row, run, region] else block.most
    return float(block.hour[row, run] + shift[row, run])
