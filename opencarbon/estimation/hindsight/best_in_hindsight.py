"""The place and time that would have been best for jobs that ended, had everything been known."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from opencarbon.estimation.planning.candidates import AllowedRegions
from opencarbon.physics.shifting import lowest_mean, start_of_lowest

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

_JOBS_AT_ONCE: Final = 4096


class PlaceColumns(NamedTuple):
    """Regions of a past run, each array of shape (regions,); ``zone`` is a row of the measured curves or negative."""

    names: Objects
    providers: Objects
    countries: Objects
    zone: Integers
    pue: Floats


class HindsightWindows(NamedTuple):
    """What bounds jobs that ended, each array of shape (jobs,).

    ``duration_h`` is what each one took, ``earliest_h`` and ``finish_h`` its window [h from the start of the curves],
    ``home`` the region of its baseline, negative where there is none, and ``transfer`` what leaving it costs, per energy
    [gCO2e/kWh].
    """

    duration_h: Floats
    earliest_h: Floats
    finish_h: Floats
    interruptible: Flags
    home: Integers
    transfer: Floats

    def of(self, some: slice) -> "HindsightWindows":
        """Some of the jobs.

        Parameters
        ----------
        some : slice

        Returns
        -------
        HindsightWindows
        """
        return HindsightWindows(
            self.duration_h[some],
            self.earliest_h[some],
            self.finish_h[some],
            self.interruptible[some],
            self.home[some],
            self.transfer[some],
        )


class Best(NamedTuple):
    """Best place of jobs, each array of shape (jobs,): region (negative where none), start [h], mean intensity, cost."""

    region: Integers
    start_h: Floats
    intensity: Floats
    cost: Floats


def best_in_hindsight(
    wishes: pa.Table,
    windows: HindsightWindows,
    places: PlaceColumns,
    measured: MeasuredCurves,
    *,
    offers: Mapping[str, frozenset[str]],
    default_region: str | None,
) -> Best:
    """Find the cheapest measured place and time within the window and the regions of each job.

    Parameters
    ----------
    wishes : pa.Table
        ``allowed_regions``, ``device`` and ``current_region`` of each job.
    windows : HindsightWindows
    places : PlaceColumns
    measured : MeasuredCurves
    offers : mapping of str to frozenset of str
        Provider -> devices.
    default_region : str or None
        Where jobs are that name no current region.

    Returns
    -------
    Best
        Cost is PUE times mean intensity, with transfer [gCO2e/kWh]; schedules that touch an hour without measurement do
        not count. NaN where there is none.
    """
    allowed = AllowedRegions(places.names, places.providers, places.countries, offers)
    pieces = [_nothing(0)]
    for begin in range(0, wishes.num_rows, _JOBS_AT_ONCE):
        some = slice(begin, begin + _JOBS_AT_ONCE)
        mask = allowed.mask(wishes.slice(begin, _JOBS_AT_ONCE), default_region)
        here = windows.of(some)
        pieces.append(_best_of_block(mask & (places.zone >= 0), here, places, measured))
    return Best(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _nothing(jobs: int) -> Best:
    unknown = np.full(jobs, np.nan)
    return Best(np.full(jobs, -1, dtype=np.int64), unknown, unknown, unknown)


def _best_of_block(
    allowed: Flags, windows: HindsightWindows, places: PlaceColumns, measured: MeasuredCurves
) -> Best:
    region = np.flatnonzero(allowed.any(axis=0))
    if not region.size:
        return _nothing(len(allowed))
    zones, zone = np.unique(places.zone[region], return_inverse=True)
    values = measured.values[zones]
    bounds = (windows.duration_h, windows.earliest_h, windows.finish_h)
    means = lowest_mean(values, *bounds, interruptible=windows.interruptible)[:, zone]
    leaves = (region[None, :] != windows.home[:, None]) & (windows.home[:, None] >= 0)
    cost = means * places.pue[region] + np.where(leaves, windows.transfer[:, None], 0.0)
    cost = np.where(allowed[:, region] & np.isfinite(cost), cost, np.inf)
    pick = cost.argmin(axis=1)
    rows = np.arange(len(pick))
    found = np.isfinite(cost[rows, pick])
    start = start_of_lowest(values, zone[pick], *bounds, interruptible=windows.interruptible).start_h
    return Best(
        np.where(found, region[pick], -1),
        np.where(found, start, np.nan),
        np.where(found, means[rows, pick], np.nan),
        np.where(found, cost[rows, pick], np.nan),
    )
