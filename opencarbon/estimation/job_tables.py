"""The published tables of a batch of jobs, from their estimates and plans."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.arrow_columns import interval, kind_names, moment, named, number, text
from opencarbon.estimation.baseline import Baseline
from opencarbon.estimation.grid.curves import KIND_CODE, KINDS, PlanningCurves
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.advice import Advice
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.region_columns import Regions, place_half_width
from opencarbon.estimation.work import numbers
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import PLANNED_JOBS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

STATUSES: Final = ("measured", "estimated", "assumed")
"""From best to poorest; a sum is as good as its weakest part."""

_KIND_STATUS: Final = np.array([2 if kind in ("country_annual", "world", "example") else 1 for kind in KINDS])


def job_dimension(jobs: pa.Table) -> pa.Table:
    """``dim_job`` of a batch, carried columns last.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS`` with the carried columns behind.

    Returns
    -------
    pa.Table
    """
    carried = [name for name in jobs.column_names if name not in PLANNED_JOBS.columns]
    return jobs.select([*PUBLISHED["dim_job"].columns, *carried])


def job_estimate(estimates: JobEstimates, regions: Regions, curves: PlanningCurves, profile: str) -> pa.Table:
    """``fact_job_estimate`` of a batch, without ``run_id``.

    Parameters
    ----------
    estimates : JobEstimates
    regions : Regions
    curves : PlanningCurves
    profile : str

    Returns
    -------
    pa.Table
    """
    work, power, base = estimates.work, estimates.power, estimates.baseline
    energy, pue = estimates.energy_kwh, base.pue
    energy_up, energy_down = np.hypot(work.up, power.up), np.hypot(work.down, power.down)
    facility_up, facility_down = (np.hypot(width, base.pue_half_width) for width in (energy_up, energy_down))
    spread = place_half_width(base.intensity, base.intensity_sd, np.zeros(len(energy)), estimates.z)
    operational, embodied = estimates.operational_kgco2e, estimates.embodied_kgco2e
    operational_low = operational * np.exp(-estimates.operational_down)
    operational_high = operational * np.exp(estimates.operational_up)
    columns: dict[str, pa.Array[Any]] = {
        "job_id": estimates.jobs["job_id"].combine_chunks(),
        "baseline_region": named(regions.names, base.region),
        "baseline_start_utc": moment(curves.start_utc, np.where(base.region >= 0, base.start_h, np.nan)),
        "baseline_status": text(baseline_status(estimates)),
        "method": pa.repeat(profile, len(energy)),
        "training_flop": number(work.training_flop),
        **interval("device_hours", "", work.device_hours, work.up, work.down),
        **interval("wall_hours", "", work.wall_hours, work.up, work.down),
        **interval("power", "_w", power.power_w, power.up, power.down),
        "pue": number(pue),
        **interval("energy", "_kwh", energy, energy_up, energy_down),
        **interval("facility_energy", "_kwh", energy * pue, facility_up, facility_down),
        **interval("carbon_intensity", "_gco2e_per_kwh", base.intensity, spread, spread),
        "operational_kgco2e": number(operational),
        "operational_low_kgco2e": number(operational_low),
        "operational_high_kgco2e": number(operational_high),
        "embodied_kgco2e": number(embodied),
        "embodied_low_kgco2e": number(estimates.embodied_low_kgco2e),
        "embodied_high_kgco2e": number(estimates.embodied_high_kgco2e),
        "total_kgco2e": number(operational + embodied),
        "total_low_kgco2e": number(operational_low + embodied),
        "total_high_kgco2e": number(operational_high + embodied),
        "sci_kgco2e_per_run": number((operational + embodied) / numbers(estimates.jobs, "repeats")),
        "fit_source": text(work.fit_source),
        "power_source": text(power.source),
        "intensity_kind": kind_names(base.kind),
        "status": text(_weakest(estimates)),
        "fit_source_id": text(work.fit_source_id),
        "power_source_id": text(power.source_id),
        "intensity_source_id": text(_intensity_source(base, regions, curves)),
        "widest_part": text(_widest_part(estimates, spread)),
    }
    return pa.table(columns)


def baseline_status(estimates: JobEstimates) -> Objects:
    """Status of the baseline of each job.

    Parameters
    ----------
    estimates : JobEstimates

    Returns
    -------
    ndarray of object
    """
    base, finish_by = estimates.baseline, estimates.finish_by_h
    return np.select(
        [
            estimates.running,
            finish_by <= estimates.now_h,
            base.fixed,
            base.region < 0,
            ~np.isfinite(base.intensity),
            base.start_h + estimates.run_h > finish_by + 1e-9,
        ],
        ["running", "deadline_passed", "fixed_intensity", "no_current_region", "no_intensity", "late"],
        "ok",
    ).astype(object)


def _weakest(estimates: JobEstimates) -> Objects:
    """Standing of the weakest part of the total."""
    base, names = estimates.baseline, np.array(STATUSES, dtype=object)
    columns = (estimates.work.status, estimates.power.status, estimates.power.embodied_status)
    weakest = np.zeros(len(base.kind), dtype=np.int64)
    for column in columns:
        for code, status in enumerate(STATUSES):
            weakest[(column == status) & (weakest < code)] = code
    known = np.isfinite(base.pue)
    weakest = np.maximum(weakest, np.where(base.assumed_pue & known, 2, 1))
    weakest = np.maximum(weakest, np.where(base.kind >= 0, _KIND_STATUS[base.kind], 1))
    return np.asarray(names[weakest])


def _widest_part(estimates: JobEstimates, intensity_width: Floats) -> Objects:
    """Part whose half-width, the greater of up and down, is greatest."""
    work, power, base = estimates.work, estimates.power, estimates.baseline
    parts = {
        "device_hours": np.maximum(work.up, work.down),
        "power": np.maximum(power.up, power.down),
        "pue": base.pue_half_width,
        "carbon_intensity": intensity_width,
    }
    widths = np.stack(list(parts.values()))
    known = np.isfinite(estimates.operational_kgco2e) & (np.nan_to_num(widths).max(axis=0) > 0.0)
    widest = np.array(list(parts), dtype=object)[np.nan_to_num(widths).argmax(axis=0)]
    widest[~known] = None
    return np.asarray(widest)


def _intensity_source(base: Baseline, regions: Regions, curves: PlanningCurves) -> Objects:
    known = (base.region >= 0) & (base.kind >= 0) & (base.kind != KIND_CODE["fixed"])
    source = curves.sources[regions.zone[base.region], base.kind]
    source[~known] = None
    return np.asarray(source)


def job_recommendation(
    estimates: JobEstimates,
    advice: Advice,
    beside: pa.Table,
    regions: Regions,
    start_utc: datetime,
    *,
    saving_status: str = "potential",
) -> pa.Table:
    """``rec_job`` of a batch, without ``run_id``.

    Parameters
    ----------
    estimates : JobEstimates
    advice : Advice
    beside : pa.Table
        Columns of other baselines, in the order of the jobs: see :mod:`opencarbon.estimation.planning.beside`.
    regions : Regions
    start_utc : datetime
        First hour of the curves.
    saving_status : {"potential", "allocated"}, optional
        allocated: capacity was reserved for the advice.

    Returns
    -------
    pa.Table
    """
    spread = estimates.z * np.hypot(advice.saving_from_sd_kgco2e, advice.saving_to_sd_kgco2e)
    with np.errstate(divide="ignore", invalid="ignore"):
        saving_pct = np.where(
            advice.baseline_total_kgco2e > 0,
            100.0 * advice.saving_kgco2e / advice.baseline_total_kgco2e,
            np.nan,
        )
    return pa.table(
        {
            "job_id": estimates.jobs["job_id"].combine_chunks(),
            "action": text(advice.action),
            "plan_status": text(advice.plan_status),
            "advised_region": named(regions.names, advice.region),
            "advised_start_utc": moment(start_utc, advice.start_h),
            "advised_finish_utc": moment(start_utc, advice.finish_h),
            "advised_finish_high_utc": moment(start_utc, advice.finish_high_h),
            "baseline_total_kgco2e": number(advice.baseline_total_kgco2e),
            "advised_total_kgco2e": number(advice.advised_total_kgco2e),
            "transfer_kgco2e": number(advice.transfer_kgco2e),
            "saving_kgco2e": number(advice.saving_kgco2e),
            "saving_low_kgco2e": number(advice.saving_kgco2e - spread),
            "saving_high_kgco2e": number(advice.saving_kgco2e + spread),
            "saving_pct": number(saving_pct),
            "saving_status": pa.repeat(saving_status, len(saving_pct)),
            "deadline_risk": number(advice.deadline_risk),
            "budget_status": text(advice.budget_status),
            "carbon_budget_kgco2e": number(numbers(estimates.jobs, "carbon_budget_kgco2e")),
            **{name: beside[name].combine_chunks() for name in beside.column_names},
        }
    )


def job_regions(
    estimates: JobEstimates, alternatives: Alternatives, advice: Advice, regions: Regions, start_utc: datetime
) -> pa.Table:
    """``fact_job_region`` of a batch, without ``run_id``.

    Parameters
    ----------
    estimates : JobEstimates
    alternatives : Alternatives
    advice : Advice
    regions : Regions
    start_utc : datetime
        First hour of the curves.

    Returns
    -------
    pa.Table
        By job in manifest order, then rank.
    """
    job, pick = np.nonzero(alternatives.region >= 0)
    order = np.lexsort((alternatives.rank[job, pick], job))
    job, pick = job[order], pick[order]
    region = alternatives.region[job, pick]
    total = advice.totals_kgco2e[job, pick]
    return pa.table(
        {
            "job_id": _job_ids(estimates, job),
            "rank": pa.array(alternatives.rank[job, pick]),
            "is_advised": pa.array(alternatives.advised[job, pick]),
            "region": named(regions.names, region),
            "start_utc": moment(start_utc, alternatives.start_h[job, pick]),
            "finish_utc": moment(start_utc, alternatives.finish_h[job, pick]),
            "carbon_intensity_gco2e_per_kwh": number(alternatives.intensity[job, pick]),
            "total_kgco2e": number(total),
            "saving_kgco2e": number(advice.baseline_total_kgco2e[job] - total),
            "intensity_kind": kind_names(alternatives.kind[job, pick]),
            "forecast_share": number(alternatives.forecast_share[job, pick]),
        }
    )


def job_segments(estimates: JobEstimates, alternatives: Alternatives, start_utc: datetime) -> pa.Table:
    """``fact_job_segment`` of a batch, without ``run_id``.

    Parameters
    ----------
    estimates : JobEstimates
    alternatives : Alternatives
    start_utc : datetime
        First hour of the curves.

    Returns
    -------
    pa.Table
    """
    return pa.table(
        {
            "job_id": _job_ids(estimates, alternatives.stretch_job),
            "segment": pa.array(alternatives.stretch_number),
            "start_utc": moment(start_utc, alternatives.stretch_start_h),
            "finish_utc": moment(start_utc, alternatives.stretch_finish_h),
        }
    )


def _job_ids(estimates: JobEstimates, job: Integers) -> pa.Array[Any]:
    return estimates.jobs["job_id"].combine_chunks().take(pa.array(job, pa.int64()))
