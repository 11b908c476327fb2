"""Where and when jobs run if nobody does anything, and what the grid is like while they do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.grid.curves import KIND_CODE, MISSING, PlanningCurves
from opencarbon.estimation.region_columns import Regions
from opencarbon.estimation.work import numbers, texts

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

SHORTEST_RUN_H: Final = 1e-6
"""Time for which a run is exposed to the grid at least: below 4 ms hours from now are no longer exact [h]."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where and when each job runs if nobody does anything.

    Parameters
    ----------
    region : ndarray of int
        Index of the region; negative where there is none.
    start_h : ndarray
        Hours from the first hour of the curves [h].
    pue, pue_half_width : ndarray
        NaN without a region and without a fixed intensity.
    intensity, intensity_sd : ndarray
        Mean over the run and its standard deviation [gCO2e/kWh]; NaN where not known.
    kind : ndarray of int
        Code of the poorest kind of intensity; ``MISSING`` where not known.
    fixed : ndarray of bool
        The job brings its own intensity.
    rankable : ndarray of bool
        The intensity is known and is not that of the world: places can be compared with it.
    assumed_pue : ndarray of bool
    """

    region: Integers
    start_h: Floats
    pue: Floats
    pue_half_width: Floats
    intensity: Floats
    intensity_sd: Floats
    kind: Integers
    fixed: Flags
    rankable: Flags
    assumed_pue: Flags


def hours_from(start_utc: datetime, times: pa.ChunkedArray[Any]) -> Floats:
    """Hours from a moment; NaN where a time is null.

    Parameters
    ----------
    start_utc : datetime
        Aware.
    times : pa.ChunkedArray of timestamp[us, UTC]

    Returns
    -------
    ndarray of shape (times,)
        [h]
    """
    micros = times.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.asarray((micros - start_utc.timestamp() * 1e6) / 3.6e9)


def earliest_start_h(jobs: pa.Table, curves: PlanningCurves) -> Floats:
    """When each job may start: at the earliest now.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    curves : PlanningCurves

    Returns
    -------
    ndarray of shape (jobs,)
        Hours from the first hour of the curves [h].
    """
    return np.fmax(curves.now_h, hours_from(curves.start_utc, jobs["earliest_start_utc"]))


def baseline_of_jobs(
    jobs: pa.Table,
    run_h: Floats,
    start_h: Floats,
    regions: Regions,
    curves: PlanningCurves,
    default_region: str | None,
) -> Baseline:
    """Where each job runs if nobody does anything, and what the grid is like while it does.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    run_h, start_h : ndarray of shape (jobs,)
        Wall time, and start from the first hour of the curves [h].
    regions : Regions
    curves : PlanningCurves
    default_region : str or None
        Region of jobs that name none.

    Returns
    -------
    Baseline
    """
    named = texts(jobs["current_region"])
    named[pd.isna(named)] = default_region
    region = regions.index_of(named)
    here = region >= 0
    at = np.where(here, region, 0)
    fixed_at = numbers(jobs, "carbon_intensity_gco2e_per_kwh")
    fixed = np.isfinite(fixed_at)
    exposure = curves.exposure(np.where(here, regions.zone[at], MISSING), start_h, start_h + run_h)
    pue = np.where(here, regions.pue[at], regions.pue_nowhere)
    return Baseline(
        region=region,
        start_h=start_h,
        pue=np.where(here | fixed, pue, np.nan),
        pue_half_width=np.where(here, regions.pue_half_width[at], regions.pue_half_width_nowhere),
        intensity=np.where(fixed, fixed_at, exposure.intensity_hours / exposure.hours),
        intensity_sd=np.where(fixed, 0.0, exposure.sd_hours / exposure.hours),
        kind=np.where(fixed, KIND_CODE["fixed"], exposure.kind),
        fixed=fixed,
        rankable=exposure.rankable & ~fixed,
        assumed_pue=np.where(here, regions.assumed_pue[at], regions.pue_half_width_nowhere > 0),
    )
