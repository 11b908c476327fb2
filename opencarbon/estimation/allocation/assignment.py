"""The places that an allocation gives, in the place of those that each job would take if it were alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.planning.plans import Field
from opencarbon.estimation.planning.schedules import NONE, NOW, STAY, Places, places_of_stretches
from opencarbon.estimation.planning.windows import Windows
from opencarbon.units import GRAMS_PER_KILOGRAM

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ALLOCATED: Final = NOW + 1
"""Form of a place that capacity was reserved in."""

_SAME_START_H: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a batch of jobs was given.

    Parameters
    ----------
    job : ndarray of int of shape (asked,)
        Jobs that asked, ascending, counted within the batch.
    region : ndarray of int of shape (asked,)
        Index among all regions; negative where there was no room.
    start_h : ndarray of shape (asked,)
        [h from the first hour of the curves].
    stretch_job : ndarray of int of shape (stretches,)
        Jobs that pause, ascending, counted within the batch.
    stretch_start_h, stretch_finish_h : ndarray of shape (stretches,)
        [h from the first hour of the curves].
    """

    job: Integers
    region: Integers
    start_h: Floats
    stretch_job: Integers
    stretch_start_h: Floats
    stretch_finish_h: Floats

    @classmethod
    def of(cls, places: pa.Table, stretches: pa.Table) -> Assignment:
        """From the tables in which it passes from step to step.

        Parameters
        ----------
        places : pa.Table
            job, region, start_h.
        stretches : pa.Table
            job, start_h, finish_h.

        Returns
        -------
        Assignment
        """
        columns = [places[name].to_numpy() for name in ("job", "region", "start_h")]
        columns += [stretches[name].to_numpy() for name in ("job", "start_h", "finish_h")]
        return cls(*columns)

    def without_room(self, jobs: int) -> Flags:
        """Jobs that asked and found no place.

        Parameters
        ----------
        jobs : int
            Size of the batch.

        Returns
        -------
        ndarray of bool of shape (jobs,)
        """
        lost = np.zeros(jobs, dtype=bool)
        lost[self.job[self.region < 0]] = True
        return lost


def assigned(
    alternatives: Alternatives,
    assignment: Assignment,
    estimates: JobEstimates,
    windows: Windows,
    move_kgco2e: Floats,
    field: Field,
) -> Alternatives:
    """Alternatives with the places given as those advised.

    The other places of a job stay what they would be if it were alone; the one given is ranked among them by its cost.

    Parameters
    ----------
    alternatives : Alternatives
    assignment : Assignment
    estimates : JobEstimates
    windows : Windows
    move_kgco2e : ndarray of shape (jobs,)
    field : Field

    Returns
    -------
    Alternatives
    """
    extra = alternatives.region.shape[1] - 1
    given = assignment.region >= 0
    job, region = assignment.job[given], assignment.region[given]
    places = _places(assignment, job, region, estimates, windows, field)
    base = estimates.baseline
    stays = (region == base.region[job]) & (np.abs(places.start_h - base.start_h[job]) <= _SAME_START_H)
    stays &= places.finish_h - places.start_h <= estimates.run_h[job] * (1.0 + _SAME_START_H) + _SAME_START_H
    columns = {
        name: getattr(alternatives, name).copy()
        for name in (
            *("region", "form", "rank", "advised", "start_h", "finish_h", "intensity", "intensity_sd"),
            *("restart", "shared_sd", "forecast_share", "kind"),
        )
    }
    for name, none in (("region", NONE), ("form", NONE), ("rank", NONE), ("start_h", np.nan)):
        columns[name][assignment.job, extra] = none
    columns["advised"][assignment.job] = False
    at, shown = _among_shown(columns, job, region, places, extra)
    columns["advised"][job, at] = True
    own = np.flatnonzero(~shown)
    values = {
        "region": region,
        "form": np.where(stays, STAY, ALLOCATED),
        **{
            name: getattr(places, name)
            for name in (
                *("start_h", "finish_h", "intensity", "intensity_sd", "restart"),
                *("shared_sd", "forecast_share", "kind"),
            )
        },
    }
    for name, value in values.items():
        columns[name][job[own], extra] = value[own]
    columns["rank"] = _ranks(columns, estimates, move_kgco2e, field, assignment.job)
    kept = ~np.isin(alternatives.stretch_job, assignment.job)
    pauses = windows.interruptible[job[places.stretch_place]]
    stretch_job = np.concatenate([alternatives.stretch_job[kept], job[places.stretch_place][pauses]])
    order = np.argsort(stretch_job, kind="stable")

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(alternatives, name)[kept], getattr(places, name)[pauses]])[order]

    return replace(
        alternatives,
        **columns,
        stretch_job=stretch_job[order],
        **{name: joined(name) for name in ("stretch_number", "stretch_start_h", "stretch_finish_h")},
    )


def _places(
    assignment: Assignment,
    job: Integers,
    region: Integers,
    estimates: JobEstimates,
    windows: Windows,
    field: Field,
) -> Places:
    """When the jobs run, and what that exposes them to."""
    start = assignment.start_h[assignment.region >= 0]
    straight = np.flatnonzero(~np.isin(job, assignment.stretch_job))
    place = np.concatenate([straight, np.searchsorted(job, assignment.stretch_job)])
    begin = np.concatenate([start[straight], assignment.stretch_start_h])
    end = np.concatenate([start[straight] + estimates.run_h[job[straight]], assignment.stretch_finish_h])
    order = np.argsort(place, kind="stable")
    place, begin, end = place[order], begin[order], end[order]
    resumes = np.flatnonzero(np.diff(place, prepend=-1) == 0)
    hour = np.minimum(begin[resumes].astype(np.int64), field.curves.horizon)
    rate = field.curves.extended(1)[field.regions.zone[region[place[resumes]]], hour]
    of = job[place[resumes]]
    spent = rate * windows.restart_h[of] / windows.run_h[of]
    restart = np.asarray(np.bincount(place[resumes], spent, minlength=len(job)), dtype=np.float64)
    return places_of_stretches(job, region, place, begin, end, restart, estimates, field)


def _among_shown(
    columns: dict[str, npt.NDArray[Any]], job: Integers, region: Integers, places: Places, extra: int
) -> tuple[Integers, Flags]:
    """Column of the place of each job, and whether it is one that is shown anyway."""
    same = (columns["region"][job, :extra] == region[:, None]) & (
        np.abs(columns["start_h"][job, :extra] - places.start_h[:, None]) <= _SAME_START_H
    )
    same &= np.abs(columns["finish_h"][job, :extra] - places.finish_h[:, None]) <= _SAME_START_H
    same &= np.abs(columns["intensity"][job, :extra] - places.intensity[:, None]) <= _SAME_START_H
    shown = np.asarray(same.any(axis=1), dtype=bool)
    return np.where(shown, same.argmax(axis=1), extra), shown


def _ranks(
    columns: dict[str, npt.NDArray[Any]],
    estimates: JobEstimates,
    move_kgco2e: Floats,
    field: Field,
    jobs: Integers,
) -> Integers:
    """Ranks by cost among the places of each job that asked, those that were shown before first where equal."""
    rank = columns["rank"].astype(np.int64)
    region = columns["region"][jobs].astype(np.int64)
    rate = field.regions.pue[region] * (columns["intensity"][jobs] + columns["restart"][jobs])
    moves = region != estimates.baseline.region[jobs][:, None]
    cost = rate * estimates.energy_kwh[jobs][:, None] / GRAMS_PER_KILOGRAM
    cost = np.where(region < 0, np.inf, cost + np.where(moves, move_kgco2e[jobs][:, None], 0.0))
    before = np.where(rank[jobs] > 0, rank[jobs], rank.shape[1] + 1)
    order = np.lexsort((before, cost), axis=1)
    placed = np.empty_like(order)
    np.put_along_axis(placed, order, np.arange(1, rank.shape[1] + 1)[None, :], axis=1)
    rank[jobs] = np.where(region < 0, NONE, placed)
    return rank
