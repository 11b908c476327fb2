"""When exactly a job runs in a place, and what that exposes it to."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.grid.curves import MISSING
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.plans import Field
from opencarbon.estimation.planning.windows import Windows
from opencarbon.physics.restarts import restart_schedules
from opencarbon.physics.shifting import segments, start_of_lowest

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NONE: Final = -1
"""No place."""
STAY: Final = 0
"""The baseline itself."""
BEST: Final = 1
"""The best start before the horizon."""
SURE: Final = 2
"""The best start before the horizon on data no poorer than those of the baseline."""
BEHIND: Final = 3
"""The first start behind the horizon."""
NOW: Final = 4
"""The start of the baseline, without a pause."""


@dataclass(frozen=True, slots=True)
class Places:
    """Jobs in places, each array of shape (places,), and the stretches of shape (stretches,) that they run in.

    Parameters
    ----------
    start_h, finish_h : ndarray
        [h from the first hour of the curves].
    intensity, intensity_sd : ndarray
        Mean over the run and its standard deviation [gCO2e/kWh].
    restart : ndarray
        Emissions of resumes before PUE, over the job's own energy [gCO2e/kWh].
    shared_sd : ndarray
        Part of ``intensity_sd`` from hours that the baseline runs in too, in the same zone: it cancels in the saving
        [gCO2e/kWh].
    forecast_share : ndarray
    kind : ndarray of int
        Code of the poorest kind of intensity touched.
    stretch_place : ndarray of int
        Index of the place, ascending.
    stretch_number : ndarray of int
        From 1 within the place.
    stretch_start_h, stretch_finish_h : ndarray
        [h from the first hour of the curves].
    """

    start_h: Floats
    finish_h: Floats
    intensity: Floats
    intensity_sd: Floats
    restart: Floats
    shared_sd: Floats
    forecast_share: Floats
    kind: Integers
    stretch_place: Integers
    stretch_number: Integers
    stretch_start_h: Floats
    stretch_finish_h: Floats


def place_jobs(
    job: Integers, region: Integers, form: Integers, estimates: JobEstimates, windows: Windows, field: Field
) -> Places:
    """Find when jobs run in places, and their exposure.

    Parameters
    ----------
    job, region, form : ndarray of int of shape (places,)
        A job, an index among all regions, and one of :data:`STAY`, :data:`BEST`, :data:`SURE`, :data:`BEHIND` and
        :data:`NOW`.
    estimates : JobEstimates
    windows : Windows
    field : Field

    Returns
    -------
    Places
    """
    zone = field.regions.zone[region]
    place, start, finish, restart = _stretches(job, zone, form, estimates, windows, field)
    return places_of_stretches(job, region, place, start, finish, restart, estimates, field)


def places_of_stretches(
    job: Integers,
    region: Integers,
    place: Integers,
    start: Floats,
    finish: Floats,
    restart: Floats,
    estimates: JobEstimates,
    field: Field,
) -> Places:
    """What jobs in places are exposed to, given when they run.

    Parameters
    ----------
    job, region : ndarray of int of shape (places,)
        A job, and an index among all regions.
    place : ndarray of int of shape (stretches,)
        Ascending; every place has a stretch at least.
    start, finish : ndarray of shape (stretches,)
        By time within a place [h from the first hour of the curves].
    restart : ndarray of shape (places,)
        As in :class:`Places` [gCO2e/kWh].
    estimates : JobEstimates
    field : Field

    Returns
    -------
    Places
    """
    zone = field.regions.zone[region]
    first = np.flatnonzero(np.diff(place, prepend=-1) > 0)
    last = np.flatnonzero(np.diff(place, append=len(job)) > 0)
    exposure = field.curves.exposure(zone[place], start, finish)
    shared = _shared_sd(job[place], zone[place], start, finish, estimates, field)
    kind = np.maximum.reduceat(exposure.kind, first) if len(first) else exposure.kind

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(place, values, minlength=len(job)), dtype=np.float64)

    hours = total(exposure.hours)
    return Places(
        start_h=start[first],
        finish_h=finish[last],
        intensity=total(exposure.intensity_hours) / hours,
        intensity_sd=total(exposure.sd_hours) / hours,
        restart=restart,
        shared_sd=total(shared) / hours,
        forecast_share=np.clip(total(exposure.forecast_hours) / hours, 0.0, 1.0),
        kind=np.asarray(kind, dtype=np.int64),
        stretch_place=place,
        stretch_number=np.arange(len(place)) - np.repeat(first, last - first + 1) + 1,
        stretch_start_h=start,
        stretch_finish_h=finish,
    )


def starts_of(
    job: Integers, region: Integers, form: Integers, estimates: JobEstimates, windows: Windows, field: Field
) -> Floats:
    """First moment that jobs run in places.

    Parameters
    ----------
    job, region, form : ndarray of int of shape (places,)
        As in :func:`place_jobs`.
    estimates : JobEstimates
    windows : Windows
    field : Field

    Returns
    -------
    ndarray of shape (places,)
        [h from the first hour of the curves]
    """
    place, start, _, _ = _stretches(job, field.regions.zone[region], form, estimates, windows, field)
    return start[np.flatnonzero(np.diff(place, prepend=-1) > 0)]


def _stretches(
    job: Integers, zone: Integers, form: Integers, estimates: JobEstimates, windows: Windows, field: Field
) -> tuple[Integers, Floats, Floats, Floats]:
    """Place, start and finish of every stretch, by place and time, at least one for every place; restarts by place."""
    behind = np.maximum(windows.earliest_h[job], field.curves.horizon)
    start = np.where((form == STAY) | (form == NOW), estimates.baseline.start_h[job], behind)
    sought = (form == BEST) | (form == SURE)
    limits = np.where(form == SURE, estimates.baseline.kind[job], MISSING)
    restart = np.zeros(len(job))
    pieces = []
    for limit in np.unique(limits[sought]):
        values = field.values if limit == MISSING else field.no_poorer_than(int(limit))
        at = np.flatnonzero(sought & (limits == limit))
        row, jobs = np.searchsorted(field.zones, zone[at]), job[at]
        duration, earliest = windows.duration_h[jobs], windows.earliest_h[jobs]
        finish = (windows.finish_h if limit == MISSING else windows.straight_finish_h)[jobs]
        steady, costly = ~windows.interruptible[jobs], windows.restart_h[jobs] > 0
        pauses = ~steady & ~costly
        start[at[steady]] = start_of_lowest(
            values, row[steady], duration[steady], earliest[steady], finish[steady]
        ).start_h
        found = segments(values, row[pauses], duration[pauses], earliest[pauses], finish[pauses])
        pieces.append((at[pauses][found.job_index], found.start_h, found.finish_h))
        if costly.any():
            of_costly = (
                column[costly] for column in (row, duration, earliest, finish, windows.restart_h[jobs])
            )
            planned = restart_schedules(values, *of_costly)
            share = windows.duration_h[jobs] / windows.run_h[jobs]
            restart[at[costly]] = planned.restart_gco2e_per_kwh * share[costly]
            found = planned.segments
            pieces.append((at[costly][found.job_index], found.start_h, found.finish_h))
    straight = np.flatnonzero(~sought | ~windows.interruptible[job])
    pieces.append((straight, start[straight], start[straight] + windows.run_h[job[straight]]))
    place, begin, end = (np.concatenate(column) for column in zip(*pieces, strict=True))
    order = np.argsort(place, kind="stable")
    place, begin, end = place[order], begin[order], end[order]
    is_last = np.diff(place, append=len(job)) > 0
    pauses = sought[place] & windows.interruptible[job[place]]
    return place, begin, end + np.where(is_last & pauses, windows.tail_h[job[place]], 0.0), restart


def _shared_sd(
    job: Integers, zone: Integers, start_h: Floats, finish_h: Floats, estimates: JobEstimates, field: Field
) -> Floats:
    """Integral of the standard deviation over the hours that a stretch shares with the baseline of its job."""
    base = estimates.baseline
    same = (base.region[job] >= 0) & (field.regions.zone[base.region[job]] == zone)
    first = np.maximum(start_h, base.start_h[job])
    last = np.minimum(finish_h, base.start_h[job] + estimates.run_h[job])
    at = np.flatnonzero(same & (last > first))
    shared = np.zeros(len(job))
    shared[at] = np.nan_to_num(field.curves.exposure(zone[at], first[at], last[at]).sd_hours)
    return shared
