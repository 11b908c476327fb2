"""Batch estimates: what planned jobs use and emit at their baseline.

Everything is a column. Intervals are half-widths in logs, up and down apart, combined by root-sum-square; the parts
are kept, so that sums can share the errors of a device and of a zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.catalog.catalog import UNKNOWN_PUE, PaperDevice
from opencarbon.estimation.curves import KIND_CODE, MISSING, PlanningCurves
from opencarbon.estimation.grid_layers import WORLD
from opencarbon.estimation.intensity import stand_in
from opencarbon.estimation.pooling_priors import LEVEL
from opencarbon.estimation.power import PowerColumns, power_of_devices
from opencarbon.estimation.work import Work, numbers, texts, work_of_jobs
from opencarbon.physics.carbon import Z80, normal_half_width, operational_kgco2e
from opencarbon.physics.power import energy_kwh
from opencarbon.units import HOURS_PER_YEAR

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

PUE_HALF_WIDTH: Final = {"measured": 0.02, "estimated": 0.05, "assumed": 0.10}
"""80 % half-width of ln PUE by its status. Assumed: the regions of a provider differ by about this much (the figures
AWS and Microsoft publish by region, 2024); published yearly means move by 1-2 % from year to year."""

SHORTEST_RUN_H: Final = 1e-6
"""Time for which a run is exposed to the grid at least: below 4 ms hours from now are no longer exact [h]."""


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions as columns, in the order of their names, with the index of their curve.

    Parameters
    ----------
    names, providers, countries : ndarray of shape (regions,)
    zone : ndarray of int of shape (regions,)
        Index into the planning curves: that of the zone, else of its country where that is one zone, else of the world.
    has_zone : ndarray of bool of shape (regions,)
    pue, pue_half_width : ndarray of shape (regions,)
        PUE and the half-width of its logarithm.
    assumed_pue : ndarray of bool of shape (regions,)
    pue_nowhere, pue_half_width_nowhere : float
        The same for a job that names no region.
    z : float
        Standard deviations of a normal that half the intervals span.
    """

    names: Objects
    providers: Objects
    countries: Objects
    zone: Integers
    has_zone: Flags
    pue: Floats
    pue_half_width: Floats
    assumed_pue: Flags
    pue_nowhere: float
    pue_half_width_nowhere: float
    z: float

    def index_of(self, names: Objects) -> Integers:
        """Index of each name, negative where it is none.

        Parameters
        ----------
        names : ndarray of object

        Returns
        -------
        ndarray of int
        """
        return np.asarray(pd.Index(self.names).get_indexer(pd.Index(names)), dtype=np.int64)


def regions_as_columns(
    regions: pa.Table, curves: PlanningCurves, profile: str, *, level: float = LEVEL
) -> Regions:
    """Regions of the catalog, ready for arithmetic.

    Parameters
    ----------
    regions : pa.Table
        ``dim_region``.
    curves : PlanningCurves
    profile : {"calibrated", "paper"}
        The paper knows no PUE: it is 1 there.
    level : float, optional
        Share that intervals are to hold.

    Returns
    -------
    Regions
    """
    regions = regions.sort_by("region")
    paper = profile == "paper"
    pue = numbers(regions, "pue")
    status = [one or "assumed" for one in regions["pue_status"].to_pylist()]
    z = normal_half_width(level)
    width = np.array([PUE_HALF_WIDTH[one] for one in status]) * (z / Z80)
    zones, countries = texts(regions["zone"]), texts(regions["country_code"])
    row = {name: at for at, name in enumerate(curves.zones)}
    world = row[WORLD]
    zone = [
        row.get(stand_in(country), world) if name is None else row[name]
        for name, country in zip(zones, countries, strict=True)
    ]
    return Regions(
        names=texts(regions["region"]),
        providers=texts(regions["provider"]),
        countries=countries,
        zone=np.array(zone, dtype=np.int64),
        has_zone=np.array([name is not None for name in zones], dtype=bool),
        pue=np.ones(len(pue)) if paper else np.where(np.isnan(pue), UNKNOWN_PUE, pue),
        pue_half_width=np.zeros(len(pue)) if paper else width,
        assumed_pue=np.array([one == "assumed" and not paper for one in status], dtype=bool),
        pue_nowhere=1.0 if paper else UNKNOWN_PUE,
        pue_half_width_nowhere=0.0 if paper else PUE_HALF_WIDTH["assumed"] * (z / Z80),
        z=z,
    )


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


@dataclass(frozen=True, slots=True)
class JobEstimates:
    """A batch of jobs with everything planning needs, each array of shape (jobs,).

    ``run_h`` is the wall time, at least :data:`SHORTEST_RUN_H`; ``operational_up`` and ``operational_down`` are
    half-widths of its logarithm; ``place_width`` is the part of intensity and PUE; ``z`` the standard deviations of a
    normal that half-widths span.
    """

    jobs: pa.Table
    running: Flags
    work: Work
    power: PowerColumns
    baseline: Baseline
    now_h: float
    earliest_h: Floats
    finish_by_h: Floats
    run_h: Floats
    energy_kwh: Floats
    embodied_kgco2e: Floats
    embodied_low_kgco2e: Floats
    embodied_high_kgco2e: Floats
    operational_kgco2e: Floats
    operational_up: Floats
    operational_down: Floats
    place_width: Floats
    z: float


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


def estimate_jobs(
    jobs: pa.Table,
    fits: pa.Table,
    devices: pa.Table,
    regions: Regions,
    curves: PlanningCurves,
    *,
    device_lifetime_years: float,
    fleet_utilisation: float,
    default_region: str | None = None,
    paper: Mapping[str, PaperDevice] | None = None,
) -> JobEstimates:
    """Estimate a batch of planned jobs at their baselines.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    fits : pa.Table
        ``fact_device_fit``; a row for every device in ``jobs``.
    devices : pa.Table
        ``dim_device``.
    regions : Regions
    curves : PlanningCurves
    device_lifetime_years : float
        [years]; the paper takes one year.
    fleet_utilisation : float
        Share of its life that a device is in use, the paper takes 1.
    default_region : str, optional
        Region of the baseline of jobs that name none.
    paper : mapping of str to PaperDevice, optional
        Estimate as OpenCarbonEval does, with its figures of these devices.

    Returns
    -------
    JobEstimates
    """
    work = work_of_jobs(jobs, fits, devices, paper=paper is not None)
    power = power_of_devices(
        jobs,
        devices,
        lifetime_h=device_lifetime_years * HOURS_PER_YEAR,
        fleet_utilisation=fleet_utilisation,
        paper=paper,
        z=regions.z,
    )
    earliest_h = earliest_start_h(jobs, curves)
    run_h = np.maximum(work.wall_hours, SHORTEST_RUN_H)
    baseline = baseline_of_jobs(jobs, run_h, earliest_h, regions, curves, default_region)
    energy = np.asarray(energy_kwh(work.device_hours, power.power_w))
    embodied = {end: work.device_hours * rate for end, rate in power.embodied_kgco2e_per_device_hour.items()}
    place = place_half_width(
        baseline.intensity, baseline.intensity_sd, baseline.pue_half_width, regions.z
    )
    return JobEstimates(
        jobs=jobs,
        running=texts(jobs["state"]) == "running",
        work=work,
        power=power,
        baseline=baseline,
        now_h=curves.now_h,
        earliest_h=earliest_h,
        finish_by_h=hours_from(curves.start_utc, jobs["finish_by_utc"]),
        run_h=run_h,
        energy_kwh=energy,
        embodied_kgco2e=embodied["central"],
        embodied_low_kgco2e=embodied["low"],
        embodied_high_kgco2e=embodied["high"],
        operational_kgco2e=np.asarray(operational_kgco2e(energy * baseline.pue, baseline.intensity)),
        operational_up=np.sqrt(work.up**2 + power.up**2 + place**2),
        operational_down=np.sqrt(work.down**2 + power.down**2 + place**2),
        place_width=place,
        z=regions.z,
    )


def place_half_width(
    intensity: Floats, intensity_sd: Floats, pue_half_width: Floats, z: float
) -> Floats:
    """Half-width that intensity and PUE give to the logarithm of operational emissions.

    Parameters
    ----------
    intensity, intensity_sd : ndarray
        Mean over the run and its standard deviation [gCO2e/kWh].
    pue_half_width : ndarray
    z : float
        Standard deviations of the intensity that half the interval spans.

    Returns
    -------
    ndarray
        NaN where the intensity is not known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(intensity == 0, 0.0, np.log1p(z * intensity_sd / intensity))
    return np.hypot(spread, pue_half_width)


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
