"""Batch estimates: what planned jobs use and emit at their baseline.

Everything is a column. Intervals are half-widths in logs, up and down apart, combined by root-sum-square; the parts
are kept, so that sums can share the errors of a device and of a zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.catalog.catalog import PaperDevice
from opencarbon.estimation.baseline import (
    SHORTEST_RUN_H,
    Baseline,
    baseline_of_jobs,
    earliest_start_h,
    hours_from,
)
from opencarbon.estimation.energy.power import PowerColumns, power_of_devices
from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.region_columns import Regions, place_half_width
from opencarbon.estimation.work import Work, texts, work_of_jobs
from opencarbon.physics.carbon import operational_kgco2e
from opencarbon.physics.power import energy_kwh
from opencarbon.units import HOURS_PER_YEAR

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


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
    place = place_half_width(baseline.intensity, baseline.intensity_sd, baseline.pue_half_width, regions.z)
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
