"""When jobs may start: their windows on the planning curves, and whether they can keep their deadline."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.physics.restarts import MAX_RESTART_H
from opencarbon.units import HOUR, WATTS_PER_KILOWATT

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

LAST_MOMENT: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""What would end later cannot be planned: no calendar holds it."""

TAIL_HOURS: Final = 2
"""Hours of the tail, beside those of a run that starts at the horizon, that hold every schedule worth a look [h]."""

_HOUR_TOLERANCE: Final = 1e-9
"""A window given to the microsecond holds a job that fills it, whatever the rounding of hours [h]."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a batch of jobs, each array of shape (jobs,).

    Parameters
    ----------
    plan_status : ndarray of object
    planned : ndarray of bool
        Whether a place and time is looked for.
    interruptible : ndarray of bool
    run_h, run_high_h : ndarray
        Duration, central and upper end [h].
    earliest_h, latest_h : ndarray
        First and last start [h from the first hour of the curves].
    duration_h : ndarray
        Duration on the curves [h]: whole hours that lie behind the horizon in any plan are left out.
    tail_h : ndarray
        What was left out [h].
    finish_h : ndarray
        End of the window on the curves for a start before the horizon [h].
    straight_finish_h : ndarray
        The same for a run without a pause; a pausable job that must end there cannot lie behind the horizon [h].
    restart_h : ndarray
        Running time in which a pausable job uses as much energy as a resume takes [h].
    """

    plan_status: Objects
    planned: Flags
    interruptible: Flags
    run_h: Floats
    run_high_h: Floats
    earliest_h: Floats
    latest_h: Floats
    duration_h: Floats
    tail_h: Floats
    finish_h: Floats
    straight_finish_h: Floats
    restart_h: Floats


def windows_of_jobs(
    estimates: JobEstimates,
    curves: PlanningCurves,
    *,
    max_delay_hours: float,
    restart_kwh_per_device: float = 0.0,
) -> Windows:
    """Windows in which jobs may start and must end.

    Behind the horizon the curve is flat, so the only start worth a look there is the first. The windows end where
    nothing more can be gained, so that the curves with twice the horizon and :data:`TAIL_HOURS` hold them all.

    Parameters
    ----------
    estimates : JobEstimates
    curves : PlanningCurves
    max_delay_hours : float
        Latest start after the earliest for jobs without a deadline [h].
    restart_kwh_per_device : float, optional
        Energy at the server that a resume after a pause takes [kWh per device].

    Returns
    -------
    Windows
    """
    horizon, run, earliest = curves.horizon, estimates.run_h, estimates.earliest_h
    run_high = run * np.exp(estimates.work.up)
    slack = np.where(
        np.isnan(estimates.finish_by_h), max_delay_hours, estimates.finish_by_h - run_high - earliest
    )
    latest = earliest + np.maximum(slack, 0.0)
    left_out = np.maximum(np.floor(run) - horizon, 0.0)
    duration = run - left_out
    # Behind the horizon a straight run gains nothing by starting between the last boundary and the horizon.
    straight = np.where(latest < horizon, latest, np.maximum(earliest, horizon - 1.0)) + duration
    # A schedule with pauses needs no more of the tail than its own length.
    pausing = np.minimum(latest, np.maximum(earliest, horizon)) + duration
    interruptible = np.asarray(estimates.jobs["interruptible"].to_numpy(zero_copy_only=False), dtype=bool)
    status = _status(estimates, curves, slack, run_high)
    device_kw = estimates.power.power_w / WATTS_PER_KILOWATT
    restart = np.where(interruptible, np.minimum(restart_kwh_per_device / device_kw, MAX_RESTART_H), 0.0)
    return Windows(
        plan_status=status,
        planned=np.isin(status, ("ok", "tight")),
        interruptible=interruptible,
        run_h=run,
        run_high_h=run_high,
        earliest_h=earliest,
        latest_h=latest,
        duration_h=duration,
        tail_h=left_out,
        finish_h=np.where(interruptible, pausing, straight) + _HOUR_TOLERANCE,
        straight_finish_h=straight + _HOUR_TOLERANCE,
        restart_h=restart,
    )


def _status(estimates: JobEstimates, curves: PlanningCurves, slack: Floats, run_high: Floats) -> Objects:
    finish_by, base = estimates.finish_by_h, estimates.baseline
    ends = estimates.earliest_h + estimates.run_h
    end_of_time = (LAST_MOMENT - curves.start_utc) / HOUR
    late = ends > finish_by + _HOUR_TOLERANCE
    endless = estimates.earliest_h + np.maximum(slack, 0.0) + run_high > end_of_time
    return np.select(
        [
            estimates.running,
            finish_by <= estimates.now_h,
            base.fixed,
            (base.region >= 0) & ~base.rankable,
            late | endless,
            slack < -_HOUR_TOLERANCE,
        ],
        ["running", "deadline_passed", "fixed_intensity", "no_intensity", "infeasible", "tight"],
        "ok",
    ).astype(object)


def deadline_risk(estimates: JobEstimates, start_h: Floats, finish_h: Floats) -> Floats:
    """Probability that a job ends after its deadline, its duration taken as lognormal.

    Parameters
    ----------
    estimates : JobEstimates
    start_h, finish_h : ndarray of shape (jobs,)
        Start and end at the central duration [h from the first hour of the curves].

    Returns
    -------
    ndarray of shape (jobs,)
        NaN without a deadline or without a start, and for jobs that run: how far they are is not known.
    """
    run = estimates.run_h
    room = run + (estimates.finish_by_h - finish_h)
    sd = estimates.work.up / estimates.z
    with np.errstate(divide="ignore", invalid="ignore"):
        risk = np.where(
            sd > 0,
            ndtr(-np.log(np.maximum(room, 0.0) / run) / sd),
            (room < run - _HOUR_TOLERANCE).astype(float),
        )
    unknown = np.isnan(start_h) | np.isnan(estimates.finish_by_h) | estimates.running
    return np.where(unknown, np.nan, risk)
