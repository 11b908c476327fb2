"""Stretches of time in which jobs run: as planned, cut or drawn out to what a run took, and as a run kept to them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Stretches(NamedTuple):
    """Stretches by job and time, each array of shape (stretches,); every job has at least one.

    Attributes
    ----------
    job : ndarray of int
        Ascending, from 0.
    start_h, finish_h : ndarray
        [h]; NaN where the job has no place.
    """

    job: Integers
    start_h: Floats
    finish_h: Floats

    @property
    def hours(self) -> Floats:
        """Length of each stretch [h]."""
        return self.finish_h - self.start_h

    @property
    def is_first(self) -> Flags:
        """Whether a stretch is the first one of its job."""
        return np.diff(self.job, prepend=-1) > 0

    @property
    def is_last(self) -> Flags:
        """Whether a stretch is the last one of its job."""
        return np.diff(self.job, append=self.job[-1:] + 1) > 0


def straight(start_h: Floats, run_h: Floats) -> Stretches:
    """Runs without a pause.

    Parameters
    ----------
    start_h, run_h : ndarray of shape (jobs,)
        [h]

    Returns
    -------
    Stretches
    """
    return Stretches(np.arange(len(start_h)), start_h, start_h + run_h)


def planned(start_h: Floats, finish_h: Floats, segments: Stretches) -> Stretches:
    """The stretches of plans: those of plans with pauses, and one for each of the others.

    Parameters
    ----------
    start_h, finish_h : ndarray of shape (jobs,)
        Of the whole plan [h].
    segments : Stretches
        Of the jobs that may pause; the others have none.

    Returns
    -------
    Stretches
    """
    others = np.setdiff1d(np.arange(len(start_h)), segments.job)
    return _in_order(
        np.concatenate([segments.job, others]),
        np.concatenate([segments.start_h, start_h[others]]),
        np.concatenate([segments.finish_h, finish_h[others]]),
    )


def fitted(plan: Stretches, run_h: Floats) -> Stretches:
    """A plan cut off where the run is done, or drawn out at its end until it is.

    Parameters
    ----------
    plan : Stretches
    run_h : ndarray of shape (jobs,)
        Time that each job runs, above 0 [h].

    Returns
    -------
    Stretches
    """
    before = np.cumsum(plan.hours) - plan.hours
    before -= before[np.flatnonzero(plan.is_first)][plan.job]
    left = run_h[plan.job] - before
    hours = np.where(plan.is_last, left, np.minimum(left, plan.hours))
    kept = ~(hours <= 0)
    return Stretches(plan.job[kept], plan.start_h[kept], (plan.start_h + hours)[kept])


def kept_to(started_h: Floats, finished_h: Floats, plan: Stretches, keeps_pauses: Flags) -> Stretches:
    """When jobs ran: all of the time from start to finish, less the pauses of a plan that was kept to.

    Parameters
    ----------
    started_h, finished_h : ndarray of shape (jobs,)
        [h]
    plan : Stretches
    keeps_pauses : ndarray of bool of shape (jobs,)
        The run paused as planned. Before the first stretch and after the last one it did not pause.

    Returns
    -------
    Stretches
    """
    begin = np.where(plan.is_first, -np.inf, plan.start_h)
    end = np.where(plan.is_last, np.inf, plan.finish_h)
    start, finish = np.maximum(begin, started_h[plan.job]), np.minimum(end, finished_h[plan.job])
    kept = keeps_pauses[plan.job] & (finish > start)
    others = np.setdiff1d(np.arange(len(started_h)), plan.job[kept])
    return _in_order(
        np.concatenate([plan.job[kept], others]),
        np.concatenate([start[kept], started_h[others]]),
        np.concatenate([finish[kept], finished_h[others]]),
    )


def by_job(stretches: Stretches, values: Floats, jobs: int) -> Floats:
    """Sums of the values of stretches by job.

    Parameters
    ----------
    stretches : Stretches
    values : ndarray of shape (stretches,)
    jobs : int

    Returns
    -------
    ndarray of shape (jobs,)
    """
    return np.asarray(np.bincount(stretches.job, values, minlength=jobs), dtype=np.float64)


def _in_order(job: Integers, start_h: Floats, finish_h: Floats) -> Stretches:
    order = np.lexsort((start_h, job))
    return Stretches(job[order], start_h[order], finish_h[order])
