"""When to run where every resume after a pause costs energy: pauses are taken only where they pay for it.

The schedules are those of :func:`~opencarbon.physics.shifting.best_start` for interruptible jobs. What a resume costs is
stated as a time: that in which the job uses as much energy; it is emitted at the intensity of the hour resumed in. The
least mean is exact: by dynamic programming over hours.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, IntArray, checked
from opencarbon.physics._restarts import Blocks, schedules_with_restarts
from opencarbon.physics._windows import RELATIVE_TIE, Windows, ceil, feasible_windows, floor, make_curves
from opencarbon.physics.shifting import MAX_INTENSITY_GCO2E_PER_KWH, Segments, start_of_lowest

MAX_RESTART_H = 1e9
"""Longest running time whose energy a resume is taken to cost [h]; more is a mistake."""


_AT_ONCE = 1 << 18  # elements of a matrix of the hours of a block of windows


class RestartSchedules(NamedTuple):
    """Schedules of jobs whose resumes cost energy.

    Attributes
    ----------
    mean_intensity_gco2e_per_kwh : ndarray of float64, shape (jobs,)
        Integral over the hours a job runs, with its resumes, over its duration [gCO2e/kWh]; NaN where the window cannot
        hold it.
    restart_gco2e_per_kwh : ndarray of float64, shape (jobs,)
        Part of it from resumes; NaN likewise.
    segments : Segments
        At least one stretch for every job that its window can hold.
    """

    mean_intensity_gco2e_per_kwh: FloatArray
    restart_gco2e_per_kwh: FloatArray
    segments: Segments


def restart_schedules(
    intensity_gco2e_per_kwh: ArrayLike,
    zone_index: ArrayLike,
    duration_h: ArrayLike,
    earliest_h: ArrayLike,
    finish_by_h: ArrayLike,
    restart_h: ArrayLike,
) -> RestartSchedules:
    """Schedule of every job in one zone each that emits least, resumes and all.

    Parameters
    ----------
    intensity_gco2e_per_kwh : array_like, shape (zones, hours)
        Hourly mean carbon intensity [gCO2e/kWh], at least 0; NaN where an hour is missing.
    zone_index : array_like of int, shape (jobs,)
        Row of the curves that each job runs on.
    duration_h, earliest_h, finish_by_h : array_like, shape (jobs,)
        As in :func:`~opencarbon.physics.shifting.best_start`.
    restart_h : array_like, shape (jobs,)
        Running time whose energy a resume costs [h], at least 0; a job does not pause where it is NaN.

    Returns
    -------
    RestartSchedules
        A run without a pause wins a tie within 1e-9 (relative), then the earliest start.

    Raises
    ------
    ValueError
        As :func:`~opencarbon.physics.shifting.start_of_lowest`, or if a restart time is negative or endless.
    """
    restart = np.atleast_1d(checked("restart_h", restart_h, at_least=0.0, at_most=MAX_RESTART_H))
    straight = start_of_lowest(intensity_gco2e_per_kwh, zone_index, duration_h, earliest_h, finish_by_h)
    curves = checked("intensity_gco2e_per_kwh", intensity_gco2e_per_kwh, at_most=MAX_INTENSITY_GCO2E_PER_KWH)
    mean = np.array(straight.mean_intensity_gco2e_per_kwh, dtype=np.float64)
    restart = np.broadcast_to(restart, mean.shape)
    duration, earliest, finish, zone = (
        np.broadcast_to(np.asarray(column), mean.shape)
        for column in (duration_h, earliest_h, finish_by_h, zone_index)
    )
    start = np.array(straight.start_h, dtype=np.float64)
    paid = np.where(np.isnan(mean), np.nan, 0.0)
    windows = feasible_windows(
        duration.astype(np.float64),
        earliest.astype(np.float64),
        finish.astype(np.float64),
        zone.astype(np.intp),
        curves.shape[1],
    )
    windows = windows.select(_may_gain(curves, windows, mean[windows.job], restart[windows.job]))
    pieces = []
    for block in schedules_with_restarts(make_curves(curves, stacked=True), windows, restart[windows.job]):
        job = windows.job[block.at]
        best = block.total / windows.duration[block.at]
        gains = np.isfinite(best) & ~(mean[job] <= best * (1.0 + RELATIVE_TIE))
        rows = np.flatnonzero(gains)
        mean[job[rows]] = best[rows]
        paid[job[rows]] = (block.resumes / windows.duration[block.at])[rows]
        start[job[rows]] = np.nan
        pieces.append(_stretches(block, job, rows))
    steady = np.flatnonzero(~np.isnan(start))
    pieces.append((steady, start[steady], start[steady] + duration[steady]))
    return RestartSchedules(mean, paid, _as_segments(pieces))


def _may_gain(curves: FloatArray, windows: Windows, straight: FloatArray, restart_h: FloatArray) -> IntArray:
    """Windows in which a pause may pay: the cleanest hours of all and one resume cost less than a run without one."""
    hours = np.where(np.isnan(curves), np.inf, curves)
    lowest = hours.min(axis=1, initial=np.inf)[windows.zone]
    first, end = ceil(windows.earliest), floor(windows.finish)
    fits = (windows.whole > 0) & (windows.whole <= end - first)
    bound = np.full(len(windows), np.inf)
    possible = np.flatnonzero(fits)
    width = int((end - first)[possible].max(initial=0))
    for begin in range(0, possible.size, max(1, _AT_ONCE // max(width, 1))):
        at = possible[begin : begin + max(1, _AT_ONCE // max(width, 1))]
        hour = first[at, None] + np.arange(width)
        value = hours[windows.zone[at, None], np.minimum(hour, hours.shape[1] - 1)]
        clean = np.sort(np.where(hour < end[at, None], value, np.inf), axis=1)
        bound[at] = np.cumsum(clean, axis=1)[np.arange(at.size), windows.whole[at] - 1]
    bound += (windows.part + restart_h) * np.where(np.isinf(lowest), 0.0, lowest)
    with np.errstate(invalid="ignore"):
        loses = bound >= straight * windows.duration * (1.0 - RELATIVE_TIE)
    return np.flatnonzero(np.isfinite(bound) & ~loses)


def _stretches(block: Blocks, job: IntArray, rows: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Job, begin and end of the stretches of some rows of a block."""
    begin, finish = block.begin[rows], block.finish[rows]
    runs = ~np.isnan(begin)
    before = np.zeros_like(runs)
    before[:, 1:] = runs[:, :-1]
    after = np.zeros_like(runs)
    after[:, :-1] = runs[:, 1:]
    row, opens = np.nonzero(runs & ~before)
    closes = np.nonzero(runs & ~after)[1]
    return job[rows[row]], begin[row, opens], finish[row, closes]


def _as_segments(pieces: list[tuple[IntArray, FloatArray, FloatArray]]) -> Segments:
    job, start, finish = (np.concatenate(column) for column in zip(*pieces, strict=True))
    order = np.lexsort((start, job))
    job = job[order]
    number = np.arange(job.size) - np.searchsorted(job, job, side="left") + 1
    return Segments(job, number, start[order], finish[order])
