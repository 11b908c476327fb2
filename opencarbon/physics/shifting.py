"""When to run: the lowest mean carbon intensity that a job can reach within its window.

Intensities are hourly means, so the integral over a run is exact over fractional hours: whole hours plus
parts of the first and last. All hours count from the curve's first hour and may be fractional.

- **Without a pause** the mean is piecewise linear in the start; the candidates are starts and finishes on
  hour boundaries, the earliest start, and the latest. Starts on boundaries alone are not enough.
- **Interruptible** jobs may pause at hour boundaries: they run whole hours, anywhere in the window, and the
  part of an hour that remains either before all of them, at the end of its hour, or after all of them, at its
  beginning, whichever is better; and never worse than without a pause.
- Means within 1e-9 (relative) tie. Running without a pause wins a tie, then the earliest start.
- Windows are clipped to the curve. A job that its window cannot hold has no start: NaN.
- A missing hour (NaN) is never 0 and never free: schedules that touch it are not considered.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, IntArray, checked, first_index, numpy_scalar_if_0d
from opencarbon.physics._contiguous import lowest_integrals
from opencarbon.physics._interruptible import lowest_integrals_with_pauses
from opencarbon.physics._plans import Jobs, make_plans, plans_in_every_zone, stretches
from opencarbon.physics._windows import UNUSABLE, feasible_windows, make_curves

MAX_INTENSITY_GCO2E_PER_KWH = 1e12
"""Largest intensity that is taken for one [gCO2e/kWh]; more is a mistake, and would drown others in sums."""

_AT_ONCE = 1 << 18  # zones x jobs of one pass of best_start


class BestStart(NamedTuple):
    """Where a job reaches its lowest mean intensity.

    Attributes
    ----------
    start_h : ndarray of float64
        First moment that the job runs, from the curve's first hour [h]; NaN where the window cannot hold it.
    mean_intensity_gco2e_per_kwh : ndarray of float64
        Mean over the hours it runs [gCO2e/kWh]; NaN likewise.
    """

    start_h: FloatArray
    mean_intensity_gco2e_per_kwh: FloatArray


class Segments(NamedTuple):
    """Stretches that jobs run without a pause, sorted by job and time, all arrays of shape (segments,).

    Attributes
    ----------
    job_index : ndarray of int
        Position of the job in the arguments.
    segment_number : ndarray of int
        Number of the stretch within its job, from 1.
    start_h, finish_h : ndarray of float64
        Begin and end, from the curve's first hour [h].
    """

    job_index: IntArray
    segment_number: IntArray
    start_h: FloatArray
    finish_h: FloatArray


def best_start(
    intensity_gco2e_per_kwh: ArrayLike,
    duration_h: ArrayLike,
    earliest_h: ArrayLike,
    finish_by_h: ArrayLike,
    *,
    interruptible: ArrayLike = False,
) -> BestStart:
    """Start with the lowest mean carbon intensity for every job, in every zone.

    Parameters
    ----------
    intensity_gco2e_per_kwh : array_like, shape (hours,) or (zones, hours)
        Hourly mean carbon intensity [gCO2e/kWh], at least 0; NaN where an hour is missing.
    duration_h : array_like, shape (jobs,) or scalar
        Time that each job runs [h], greater than 0.
    earliest_h, finish_by_h : array_like, shape (jobs,) or scalar
        Window of each job, from the curve's first hour [h].
    interruptible : array_like of bool, shape (jobs,) or scalar
        May pause at hour boundaries.

    Returns
    -------
    BestStart
        Starts [h] and means [gCO2e/kWh], each of shape (jobs,), or (zones, jobs) where zones were given.

    Raises
    ------
    ValueError
        If a duration is zero, negative or infinite, an intensity negative or infinite, or shapes do not fit.
    """
    curves = _checked_curves(intensity_gco2e_per_kwh)
    jobs = _checked_jobs(duration_h, earliest_h, finish_by_h, interruptible)
    rows = curves.reshape(-1, curves.shape[-1])
    zones, count = rows.shape[0], jobs.duration.size
    start, mean = np.empty((zones, count)), np.empty((zones, count))
    step = max(1, _AT_ONCE // max(count, 1))
    for begin in range(0, zones, step):
        here = slice(begin, begin + step)
        start[here], mean[here] = plans_in_every_zone(rows[here], jobs)
    shape = curves.shape[:-1] + jobs.shape
    return BestStart(
        numpy_scalar_if_0d(start.reshape(shape)),
        numpy_scalar_if_0d(mean.reshape(shape)),
    )


def lowest_mean(
    intensity_gco2e_per_kwh: ArrayLike,
    duration_h: ArrayLike,
    earliest_h: ArrayLike,
    finish_by_h: ArrayLike,
    *,
    interruptible: ArrayLike = False,
) -> FloatArray:
    """Lowest mean carbon intensity of every job in every zone: the fast half of `best_start`, no starts.

    Parameters
    ----------
    intensity_gco2e_per_kwh : array_like, shape (zones, hours)
        Hourly mean carbon intensity [gCO2e/kWh], at least 0; NaN where an hour is missing. Hours at the end
        that are constant in every zone cost nothing.
    duration_h, earliest_h, finish_by_h, interruptible : array_like, shape (jobs,)
        As in `best_start`.

    Returns
    -------
    ndarray of float64, shape (jobs, zones)
        Lowest reachable mean [gCO2e/kWh]; NaN where the window cannot hold the job.

    Raises
    ------
    ValueError
        As `best_start`.

    Notes
    -----
    Numpy does nearly all the work outside Python's global lock, so blocks of jobs run well in threads.
    """
    curves = _checked_curves(intensity_gco2e_per_kwh, zones=True)
    jobs = _checked_jobs(duration_h, earliest_h, finish_by_h, interruptible)
    means = np.full((jobs.duration.size, curves.shape[0]), np.nan)
    windows = feasible_windows(jobs.duration, jobs.earliest, jobs.finish, None, curves.shape[1])
    if not len(windows) or not curves.shape[0]:
        return means
    lowest = lowest_integrals(make_curves(curves, stacked=False), windows)
    pausing = np.flatnonzero(jobs.interruptible[windows.job] & (windows.whole > 0))
    if pausing.size:
        lowest[pausing] = np.minimum(
            lowest[pausing], lowest_integrals_with_pauses(curves, windows.select(pausing))
        )
    lowest[lowest > UNUSABLE] = np.nan
    lowest /= windows.duration[:, None]
    means[windows.job] = lowest
    return means


def start_of_lowest(
    intensity_gco2e_per_kwh: ArrayLike,
    zone_index: ArrayLike,
    duration_h: ArrayLike,
    earliest_h: ArrayLike,
    finish_by_h: ArrayLike,
    *,
    interruptible: ArrayLike = False,
) -> BestStart:
    """Start with the lowest mean carbon intensity for every job in one zone each.

    Parameters
    ----------
    intensity_gco2e_per_kwh : array_like, shape (zones, hours)
        Hourly mean carbon intensity [gCO2e/kWh], at least 0; NaN where an hour is missing.
    zone_index : array_like of int, shape (jobs,)
        Row of the curves that each job runs on.
    duration_h, earliest_h, finish_by_h, interruptible : array_like, shape (jobs,)
        As in `best_start`.

    Returns
    -------
    BestStart
        Starts [h] and means [gCO2e/kWh], each of shape (jobs,).

    Raises
    ------
    ValueError
        As `best_start`, or if a zone index is outside the curves.
    """
    curves = _checked_curves(intensity_gco2e_per_kwh, zones=True)
    jobs = _checked_jobs(duration_h, earliest_h, finish_by_h, interruptible)
    plan = make_plans(curves, _checked_zones(zone_index, jobs.duration.size, curves.shape[0]), jobs)
    return BestStart(plan.start, plan.mean)


def segments(
    intensity_gco2e_per_kwh: ArrayLike,
    zone_index: ArrayLike,
    duration_h: ArrayLike,
    earliest_h: ArrayLike,
    finish_by_h: ArrayLike,
    *,
    interruptible: ArrayLike = True,
) -> Segments:
    """Stretches of the schedules that `start_of_lowest` finds; adjacent hours are one stretch.

    Parameters
    ----------
    intensity_gco2e_per_kwh, zone_index, duration_h, earliest_h, finish_by_h, interruptible
        As in `start_of_lowest`; `interruptible` is true unless given.

    Returns
    -------
    Segments
        At least one stretch for every job that its window can hold, none for others.

    Raises
    ------
    ValueError
        As `start_of_lowest`.
    """
    curves = _checked_curves(intensity_gco2e_per_kwh, zones=True)
    jobs = _checked_jobs(duration_h, earliest_h, finish_by_h, interruptible)
    zone = _checked_zones(zone_index, jobs.duration.size, curves.shape[0])
    plan = make_plans(curves, zone, jobs)
    runs = ~np.isnan(plan.start)
    runs[plan.paused] = False
    steady = np.flatnonzero(runs)
    found = [(steady, plan.start[steady], plan.start[steady] + jobs.duration[steady])]
    found += [
        (plan.paused[position], start, finish)
        for position, start, finish in stretches(curves, plan.schedules)
    ]
    job, start, finish = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(job, kind="stable")
    job = job[order]
    number = np.arange(job.size) - np.searchsorted(job, job, side="left") + 1
    return Segments(job, number, start[order], finish[order])


def _checked_curves(intensity: ArrayLike, *, zones: bool = False) -> FloatArray:
    curves = checked("intensity_gco2e_per_kwh", intensity, at_most=MAX_INTENSITY_GCO2E_PER_KWH)
    if curves.ndim == 2 or (curves.ndim == 1 and not zones):
        return curves
    expected = "(zones, hours)" if zones else "(hours,) or (zones, hours)"
    raise ValueError(f"intensity_gco2e_per_kwh must be of shape {expected}, got {curves.shape}")


def _checked_jobs(
    duration_h: ArrayLike, earliest_h: ArrayLike, finish_by_h: ArrayLike, interruptible: ArrayLike
) -> Jobs:
    pause = np.asarray(interruptible)
    if pause.dtype != np.bool_:
        raise ValueError(f"interruptible must be of type bool, got {pause.dtype}")
    times = (
        checked("duration_h", duration_h, above_zero=True),
        checked("earliest_h", earliest_h, at_least=-np.inf, finite=False),
        checked("finish_by_h", finish_by_h, at_least=-np.inf, finite=False),
    )
    duration, earliest, finish, pauses = np.broadcast_arrays(*times, pause)
    if duration.ndim > 1:
        raise ValueError(f"duration_h must be a scalar or of shape (jobs,), got {duration.shape}")
    return Jobs(
        np.atleast_1d(duration),
        np.atleast_1d(earliest),
        np.atleast_1d(finish),
        np.atleast_1d(pauses),
        duration.shape,
    )


def _checked_zones(zone_index: ArrayLike, jobs: int, zones: int) -> IntArray:
    zone = np.asarray(zone_index)
    if not np.issubdtype(zone.dtype, np.integer) and zone.size:
        raise ValueError(f"zone_index must be of an integer type, got {zone.dtype}")
    outside = (zone < 0) | (zone >= zones)
    if outside.any():
        at = first_index(outside)
        raise ValueError(
            f"zone_index must be at least 0 and below {zones}, got {int(zone[at])} at index {at[0]}"
        )
    return np.broadcast_to(zone.astype(np.intp), (jobs,))
