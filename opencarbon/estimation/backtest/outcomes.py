"""What advice came to: claimed savings beside those on the hours measured since."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.arrow_columns import kind_names, moment, named, number, text
from opencarbon.estimation.backtest.standard_jobs import StandardJob
from opencarbon.estimation.grid.curves import MISSING, TOUCH_H, PlanningCurves
from opencarbon.estimation.grid.intensity import hours_after
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.advice import Advice
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.region_columns import Regions
from opencarbon.physics.shifting import lowest_mean
from opencarbon.units import GRAMS_PER_KILOGRAM, HOUR

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_END_TOLERANCE_H: Final = 1e-6
"""A window that ends this little behind the measured hours is measured [h]."""


class Planned(NamedTuple):
    """Jobs planned at a moment of the past, and what they were planned with.

    Attributes
    ----------
    estimates : JobEstimates
    alternatives : Alternatives
    advice : Advice
    allowed : ndarray of bool of shape (jobs, regions)
    regions : Regions
    curves : PlanningCurves
    """

    estimates: JobEstimates
    alternatives: Alternatives
    advice: Advice
    allowed: Flags
    regions: Regions
    curves: PlanningCurves


def outcomes(jobs: Sequence[StandardJob], planned: Planned, measured: MeasuredCurves) -> pa.Table:
    """Compare what was claimed with what was measured.

    Parameters
    ----------
    jobs : sequence of StandardJob
        In the order of the plan.
    planned : Planned
    measured : MeasuredCurves
        Hours from the one that the curves begin with, or earlier.

    Returns
    -------
    pa.Table
        ``backtest_outcome``: a row per job.
    """
    estimates, alternatives, advice, _, regions, curves = planned
    base, has = estimates.baseline, advice.advised
    pick = (np.arange(len(has)), alternatives.advised.argmax(axis=1))
    hindsight = _Hindsight.of(measured, curves, regions)
    left = hindsight.emitted(base.region, base.start_h, base.start_h + estimates.run_h)
    taken = _taken(planned, hindsight)
    per_kwh = GRAMS_PER_KILOGRAM / estimates.energy_kwh
    return pa.table(
        {
            "as_of_utc": moment(curves.start_utc, np.full(len(jobs), curves.now_h)),
            "job_id": pa.array([job.job_id for job in jobs]),
            "current_region": pa.array([job.home for job in jobs]),
            "job_hours": number(np.array([job.hours for job in jobs])),
            "interruptible": pa.array([job.interruptible for job in jobs]),
            "may_move": pa.array([bool(job.regions) for job in jobs]),
            "action": text(advice.action),
            "baseline_intensity_kind": kind_names(base.kind),
            "intensity_kind": kind_names(np.where(has, alternatives.kind[pick], MISSING)),
            "advised_region": named(regions.names, np.where(has, advice.region, -1)),
            "advised_start_utc": moment(curves.start_utc, np.where(has, advice.start_h, np.nan)),
            "baseline_gco2e_per_kwh": number(left),
            "claimed_saving_gco2e_per_kwh": number(np.where(has, advice.saving_kgco2e * per_kwh, np.nan)),
            "realised_saving_gco2e_per_kwh": number(left - taken),
            "regret_gco2e_per_kwh": number(taken - hindsight.lowest(planned)),
        }
    )


class _Hindsight(NamedTuple):
    """Measured hours, the row of every region's zone (negative where there is none), and where the curves begin."""

    measured: MeasuredCurves
    row: Integers
    pue: Floats
    before_h: float

    @classmethod
    def of(cls, measured: MeasuredCurves, curves: PlanningCurves, regions: Regions) -> "_Hindsight":
        row = measured.rows_of([curves.zones[at] for at in regions.zone])
        return cls(measured, row, regions.pue, hours_after(measured.start_utc, curves.start_utc))

    def emitted(self, region: Integers, start_h: Floats, finish_h: Floats) -> Floats:
        """Mean emissions of stretches per energy; NaN where an hour, or the region, is missing [gCO2e/kWh]."""
        row = np.where(region >= 0, self.row[region], -1)
        found, measured_h = self.measured.exposure(row, start_h + self.before_h, finish_h + self.before_h)
        length = finish_h - start_h
        with np.errstate(invalid="ignore"):
            whole = length - measured_h <= TOUCH_H
        return np.where(whole, found / length * self.pue[region], np.nan)

    def lowest(self, planned: Planned) -> Floats:
        """Lowest emissions per energy of schedules that are measured, in any allowed region and at any time.

        NaN where the window ends behind the measured hours.
        """
        estimates = planned.estimates
        finish = estimates.finish_by_h + self.before_h
        finish[finish > self.measured.values.shape[1] + _END_TOLERANCE_H] = np.nan
        pauses = estimates.jobs["interruptible"].to_numpy(zero_copy_only=False).astype(bool)
        begin = estimates.earliest_h + self.before_h
        means = lowest_mean(self.measured.values, estimates.run_h, begin, finish, interruptible=pauses)
        usable = planned.allowed & (self.row >= 0)
        emitted = np.where(usable, means[:, self.row] * self.pue, np.nan)
        lowest = np.fmin.reduce(emitted, axis=1, initial=np.inf)
        return np.where(np.isfinite(lowest), lowest, np.nan)


def _taken(planned: Planned, hindsight: _Hindsight) -> Floats:
    """Mean emissions of the advised runs per energy, over their stretches where they may pause [gCO2e/kWh]."""
    estimates, alternatives, advice = planned.estimates, planned.alternatives, planned.advice
    pauses = np.zeros(len(advice.advised), dtype=bool)
    pauses[alternatives.stretch_job] = True
    steady = np.flatnonzero(advice.advised & ~pauses)
    job = np.concatenate([steady, alternatives.stretch_job])
    start = np.concatenate([advice.start_h[steady], alternatives.stretch_start_h])
    finish = np.concatenate([advice.finish_h[steady], alternatives.stretch_finish_h])
    summed = hindsight.emitted(advice.region[job], start, finish) * (finish - start)
    total = np.bincount(job, summed, minlength=len(pauses))
    return np.where(advice.advised, total / estimates.run_h, np.nan)


def hours_of(measured: MeasuredCurves, start_utc: datetime, hours: int) -> MeasuredCurves:
    """Some of the measured hours.

    Parameters
    ----------
    measured : MeasuredCurves
    start_utc : datetime
        A full hour, not before the first one.
    hours : int
        At most; fewer where the measured hours end before.

    Returns
    -------
    MeasuredCurves
    """
    first = (start_utc - measured.start_utc) // HOUR
    return MeasuredCurves(start_utc, measured.zones, measured.values[:, first : first + hours])
