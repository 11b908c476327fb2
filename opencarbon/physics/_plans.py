"""One chosen schedule per job: its start, its mean, and the hours it runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opencarbon.physics._alike import alike, earliest_lowest_alike
from opencarbon.physics._arrays import BoolArray, FloatArray, IntArray, as_float64
from opencarbon.physics._contiguous import earliest_lowest
from opencarbon.physics._interruptible import (
    earliest_with_part_first,
    mirrored,
    shorten,
    shortened_curves,
)
from opencarbon.physics._windows import MISSING, UNUSABLE, Windows, ceil, feasible_windows, floor, make_curves

_MATRIX = 1 << 18  # elements of a matrix of the hours of a block of jobs


@dataclass(frozen=True, slots=True)
class Jobs:
    """Checked arguments of the public functions, each of shape (jobs,)."""

    duration: FloatArray
    earliest: FloatArray
    finish: FloatArray
    interruptible: BoolArray
    shape: tuple[int, ...]

    def tiled(self, which: IntArray, times: int) -> "Jobs":
        """Repeat the jobs at these positions this many times."""
        at = np.tile(which, times)
        return Jobs(self.duration[at], self.earliest[at], self.finish[at], self.interruptible[at], (at.size,))


@dataclass(frozen=True, slots=True)
class Schedules:
    """Jobs that pause: the lowest `whole` hours of [begin, end), and the part just before or after those."""

    zone: IntArray
    begin: IntArray
    end: IntArray
    whole: IntArray
    part: FloatArray
    part_first: BoolArray

    def select(self, which: IntArray | BoolArray) -> "Schedules":
        """Return the schedules at these positions."""
        return Schedules(
            self.zone[which],
            self.begin[which],
            self.end[which],
            self.whole[which],
            self.part[which],
            self.part_first[which],
        )


@dataclass(frozen=True, slots=True)
class Plans:
    """The schedule of every job.

    Parameters
    ----------
    start, mean : ndarray of float64, shape (jobs,)
        First moment [h] and mean intensity [gCO2e/kWh]; NaN where there is none.
    paused : ndarray of int, shape (paused jobs,)
        Jobs that pause.
    schedules : Schedules
        Their schedules.
    """

    start: FloatArray
    mean: FloatArray
    paused: IntArray
    schedules: Schedules


def make_plans(intensity: FloatArray, zone: IntArray, jobs: Jobs) -> Plans:
    """Choose a schedule for every job on the curve of its zone."""
    windows = feasible_windows(jobs.duration, jobs.earliest, jobs.finish, zone, intensity.shape[1])
    start, integral = earliest_lowest(make_curves(intensity, stacked=True), windows)
    pausing = np.flatnonzero(jobs.interruptible[windows.job] & (windows.whole > 0))
    better, pausing_start, pausing_integral, schedules = _with_pauses(
        intensity, windows.select(pausing), integral[pausing]
    )
    paused = pausing[better]
    start[paused], integral[paused] = pausing_start, pausing_integral
    usable = integral < UNUSABLE
    starts, means = np.full(jobs.duration.size, np.nan), np.full(jobs.duration.size, np.nan)
    starts[windows.job[usable]] = start[usable]
    means[windows.job[usable]] = (integral / windows.duration)[usable]
    return Plans(starts, means, windows.job[paused], schedules)


def plans_in_every_zone(intensity: FloatArray, jobs: Jobs) -> tuple[FloatArray, FloatArray]:
    """Start and mean of every job on every curve, each (zones, jobs); NaN where there is none."""
    zones, hours = intensity.shape
    starts, means = np.full((2, zones, jobs.duration.size), np.nan)
    windows = feasible_windows(jobs.duration, jobs.earliest, jobs.finish, None, hours)
    windows = windows.select(~jobs.interruptible[windows.job])
    alone = np.ones(jobs.duration.size, dtype=np.bool_)
    curves = make_curves(intensity, stacked=False)
    for group in alike(windows, curves):
        some = windows.select(group)
        start, integral = earliest_lowest_alike(curves, some)
        usable = integral < UNUSABLE
        starts[:, some.job] = np.where(usable, start, np.nan).T
        means[:, some.job] = np.where(usable, integral / some.duration[:, None], np.nan).T
        alone[some.job] = False
    left = np.flatnonzero(alone)
    if left.size:
        plan = make_plans(intensity, np.repeat(np.arange(zones), left.size), jobs.tiled(left, zones))
        starts[:, left], means[:, left] = plan.start.reshape(zones, -1), plan.mean.reshape(zones, -1)
    return starts, means


def _with_pauses(
    intensity: FloatArray, windows: Windows, integral: FloatArray
) -> tuple[BoolArray, FloatArray, FloatArray, Schedules]:
    """Windows that gain by pausing; their start, integral and schedule."""
    short = shorten(intensity, windows)
    forward, backward = shortened_curves(short, stacked=True)
    hours = forward.hours
    first, first_hour = earliest_with_part_first(forward, short.windows)
    last, hours_left = earliest_with_part_first(backward, mirrored(short.windows, hours), latest=True)
    last_hour = hours - 1 - hours_left
    last_hour += np.where(last_hour >= short.flat_from, short.removed, 0)
    cut = short.removed * short.tail[windows.zone]
    first, last = first + cut, last + cut
    best = np.minimum(first, last)
    limit = forward.tie_limit(best)
    better = (integral > limit) & (best < UNUSABLE)

    begin = first_hour + 1
    end = np.minimum(floor(windows.finish), np.maximum(short.flat_from, begin) + windows.whole)
    zone, whole, part = windows.zone, windows.whole, windows.part
    part_first = Schedules(zone, begin, end, whole, part, np.ones(len(windows), dtype=np.bool_))
    part_last = Schedules(
        zone, ceil(windows.earliest), last_hour, whole, part, np.zeros(len(windows), dtype=np.bool_)
    )
    first_start = _first_moments(intensity, part_first, better & (first <= limit))
    last_start = _first_moments(intensity, part_last, better & (last <= limit))
    at = np.flatnonzero(better)
    lead = first_start[at] <= last_start[at]
    schedules = Schedules(
        zone[at],
        np.where(lead, part_first.begin[at], part_last.begin[at]),
        np.where(lead, part_first.end[at], part_last.end[at]),
        whole[at],
        part[at],
        lead,
    )
    return better, np.minimum(first_start, last_start)[at], best[at], schedules


def _first_moments(intensity: FloatArray, schedules: Schedules, wanted: BoolArray) -> FloatArray:
    """First moment of every wanted schedule, infinite for the others."""
    moment = np.full(wanted.size, np.inf)
    at = np.flatnonzero(wanted)
    for rows, hour, runs in _running_hours(intensity, schedules.select(at)):
        column = runs.argmax(axis=1)
        here = schedules.select(at[rows])
        waits = here.part_first & (here.part > 0.0)
        moment[at[rows]] = hour + column + np.where(waits, 1.0 - here.part, 0.0)
    return moment


def stretches(
    intensity: FloatArray, schedules: Schedules
) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
    """Position of the schedule, begin [h] and end [h] of every stretch without a pause, in blocks."""
    for rows, hour, runs in _running_hours(intensity, schedules):
        edges = np.diff(np.pad(runs, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        row, column = np.nonzero(edges == 1)
        after = np.nonzero(edges == -1)[1]  # in C order both list the same stretches
        here = schedules.select(rows[row])
        waits = here.part_first & (here.part > 0.0) & (column == 0)
        stops = ~here.part_first & (here.part > 0.0) & (after == here.end - here.begin + 2)
        begin = as_float64(hour[row] + column + np.where(waits, 1.0 - here.part, 0.0))
        yield rows[row], begin, as_float64(hour[row] + after + np.where(stops, here.part - 1.0, 0.0))


def _running_hours(
    intensity: FloatArray, schedules: Schedules
) -> Iterator[tuple[IntArray, IntArray, BoolArray]]:
    """Which hours run, in blocks: positions, hour of column 0 (one before the range), (positions, hours)."""
    widths = schedules.end - schedules.begin + 2
    order = np.argsort(-widths, kind="stable")
    begin = 0
    while begin < order.size:
        width = int(widths[order[begin]])
        rows = order[begin : begin + max(1, _MATRIX // width)]
        begin += rows.size
        here = schedules.select(rows)
        columns = np.arange(width)
        hour = here.begin[:, None] - 1 + columns
        inside = (columns > 0) & (hour < here.end[:, None])
        value = intensity[here.zone[:, None], np.clip(hour, 0, intensity.shape[1] - 1)]
        value = np.where(inside, np.where(np.isnan(value), MISSING, value), np.inf)
        # A stable sort takes the earlier of equally clean hours.
        lowest = np.argsort(value, axis=1, kind="stable")[:, : int(here.whole.max())]
        runs = np.zeros(value.shape, dtype=np.bool_)
        np.put_along_axis(runs, lowest, np.arange(lowest.shape[1]) < here.whole[:, None], axis=1)
        part_column = np.where(here.part_first, 0, here.end - here.begin + 1)
        runs[np.arange(rows.size), part_column] |= here.part > 0.0
        yield rows, here.begin - 1, runs
