"""What a job would emit at other starts in the region of its baseline: now, and over the starts of its window.

The starts of a window are its first moment and every whole hour after it up to the latest start. Behind the horizon all
of them emit the same, so they are counted and not tried. Runs have no pause. A start that touches an hour of which
nothing is known is left out.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.arrow_columns import number
from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.windows import Windows
from opencarbon.estimation.region_columns import Regions
from opencarbon.units import GRAMS_PER_KILOGRAM

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_AT_ONCE: Final = 1 << 17  # elements of a matrix of jobs by starts: 1 MiB
_NEAR_H: Final = 1e-9


def baselines_beside(
    estimates: JobEstimates, windows: Windows, regions: Regions, curves: PlanningCurves
) -> pa.Table:
    """``start_now_``, ``window_median_`` and ``window_worst_total_kgco2e`` of ``rec_job``.

    Parameters
    ----------
    estimates : JobEstimates
    windows : Windows
    regions : Regions
    curves : PlanningCurves

    Returns
    -------
    pa.Table
        In the order of the jobs. Null where a job has no baseline, runs already, or its deadline is past; a job with an
        intensity of its own emits the same whenever it starts.
    """
    base, jobs = estimates.baseline, len(windows.planned)
    has_window = ~np.isin(windows.plan_status, ("running", "deadline_passed"))
    intensity = np.full((3, jobs), np.nan)
    intensity[:, base.fixed & has_window] = base.intensity[base.fixed & has_window]
    on_curve = np.flatnonzero((base.region >= 0) & ~base.fixed & has_window)
    zone = regions.zone[base.region[on_curve]]
    intensity[0, on_curve] = _Runs(curves, zone, windows.run_h[on_curve]).means(
        np.full((len(on_curve), 1), estimates.now_h)
    )[:, 0]
    intensity[1:, on_curve] = _median_and_worst(curves, zone, windows, on_curve)
    totals = estimates.energy_kwh * base.pue * intensity / GRAMS_PER_KILOGRAM + estimates.embodied_kgco2e
    names = ("start_now", "window_median", "window_worst")
    return pa.table(
        {f"{name}_total_kgco2e": number(total) for name, total in zip(names, totals, strict=True)}
    )


class _Runs(NamedTuple):
    """Jobs on the curves of their zones: shapes (jobs,)."""

    curves: PlanningCurves
    zone: Integers
    run_h: Floats

    def means(self, start_h: Floats) -> Floats:
        """Mean intensity of runs from starts of shape (jobs, starts); NaN where an hour is not known."""
        rates = self.curves.extended(1)
        missing = np.isnan(rates)
        total = self._integral(np.nan_to_num(rates), start_h)
        if missing.any():
            total = np.where(self._integral(missing.astype(np.float64), start_h) > _NEAR_H, np.nan, total)
        return total / self.run_h[:, None]

    def _integral(self, rates: Floats, start_h: Floats) -> Floats:
        hours = rates.shape[1]
        sums = np.zeros(rates.shape)
        np.cumsum(rates[:, :-1], axis=1, out=sums[:, 1:])
        row, tail = (self.zone * hours)[:, None], rates[self.zone, -1][:, None]

        def until(moment_h: Floats) -> Floats:
            ahead = np.minimum(moment_h, hours - 1.0)
            hour = ahead.astype(np.int64)
            at = row + hour
            return np.asarray(
                sums.ravel()[at] + (ahead - hour) * rates.ravel()[at] + (moment_h - ahead) * tail
            )

        return until(start_h + self.run_h[:, None]) - until(start_h)


def _median_and_worst(curves: PlanningCurves, zone: Integers, windows: Windows, jobs: Integers) -> Floats:
    """Median and highest mean intensity over the starts of windows, shape (2, jobs)."""
    earliest, latest = windows.earliest_h[jobs], windows.latest_h[jobs]
    first = np.floor(earliest + _NEAR_H) + 1.0  # the first whole hour after the start of the window
    last = np.floor(latest + _NEAR_H)
    ahead = np.clip(np.minimum(last, curves.horizon - 1.0) - first + 1.0, 0.0, None).astype(np.int64)
    behind = np.clip(last - np.maximum(first, curves.horizon) + 1.0, 0.0, None).astype(np.int64)
    flat = np.where(np.isnan(curves.tail[zone]), 0, behind)
    found = np.full((2, len(jobs)), np.nan)
    order, begin = np.argsort(-ahead, kind="stable"), 0
    while begin < len(jobs):
        width = int(ahead[order[begin]])
        at = order[begin : begin + max(1, _AT_ONCE // (width + 1))]
        begin += len(at)
        starts = np.hstack([earliest[at, None], first[at, None] + np.arange(width)])
        means = _Runs(curves, zone[at], windows.run_h[jobs[at]]).means(starts)
        means[np.arange(width + 1) > ahead[at, None]] = np.nan
        found[:, at] = _of_sorted(np.sort(means, axis=1), curves.tail[zone[at]], flat[at])
    return found


def _of_sorted(means: Floats, tail: Floats, copies: Integers) -> Floats:
    """Median and highest of sorted rows with NaN last, and so many copies of the tail's value; shape (2, rows)."""
    known = np.count_nonzero(~np.isnan(means), axis=1)
    lower = np.count_nonzero(means < tail[:, None], axis=1)
    count = known + copies
    rows = np.arange(len(means))

    def ranked(place: Integers) -> Floats:
        column = np.where(place < lower, place, place - copies)
        value = means[rows, np.clip(column, 0, means.shape[1] - 1)]
        return np.where((place >= lower) & (place < lower + copies), tail, value)

    middle = (ranked((count - 1) // 2) + ranked(count // 2)) / 2.0
    found = np.vstack([middle, ranked(count - 1)])
    return np.where(count > 0, found, np.nan)
