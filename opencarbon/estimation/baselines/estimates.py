"""From a method's hours, power and PUE to energy and carbon: the same steps for every method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.arrow_columns import interval, kind_names, named, number, text
from opencarbon.estimation.baseline import SHORTEST_RUN_H, Baseline, baseline_of_jobs, earliest_start_h
from opencarbon.estimation.baselines.method import (
    Flags,
    Floats,
    Method,
    MethodContext,
    MethodFigures,
    Objects,
    jobs_for_methods,
    only_where,
)
from opencarbon.estimation.grid.curves import KIND_CODE, MISSING
from opencarbon.estimation.region_columns import PUE_HALF_WIDTH, Regions, place_half_width
from opencarbon.physics.carbon import Z80, operational_kgco2e
from opencarbon.physics.power import energy_kwh
from opencarbon.tables.conform import conform
from opencarbon.tables.reproduction import METHOD_ESTIMATE

NO_INTENSITY: Final = "no carbon intensity: give current_region or carbon_intensity_gco2e_per_kwh"
OWN_INTENSITY: Final = "no region: the method's own intensity of the world"


def estimate_by_method(
    jobs: pa.Table,
    method: Method,
    context: MethodContext,
    *,
    is_predicting: bool = False,
    site_pue: Floats | None = None,
) -> pa.Table:
    """What one method makes of jobs at their baselines.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    method : Method
    context : MethodContext
    is_predicting : bool, optional
        Let methods predict device-hours that the jobs state, wherever the FLOP are known.
    site_pue : ndarray of shape (jobs,), optional
        PUE of the site, NaN where it is not known: there methods take that of the region, or the one assumed of an
        unknown place. Without the argument, a job that is nowhere has no PUE, and no facility energy.

    Returns
    -------
    pa.Table
        ``METHOD_ESTIMATE``, a row for every job in the order given; one the method cannot estimate has
        ``method_status`` not_applicable and a ``reason``.
    """
    seen = jobs_for_methods(jobs, context, is_predicting=is_predicting)
    figures = method.figures(seen, context)
    wall_h = figures.device_hours / seen.device_count
    run_h = np.fmax(wall_h, SHORTEST_RUN_H)
    start_h = earliest_start_h(jobs, context.curves)
    base = baseline_of_jobs(jobs, run_h, start_h, context.regions, context.curves, context.default_region)
    columns = {
        "job_id": jobs["job_id"].combine_chunks(),
        "method": pa.repeat(method.name, len(wall_h)),
        "device": text(seen.device),
        "baseline_region": named(context.regions.names, base.region),
        "training_flop": number(seen.training_flop * seen.repeats),
        "method_source_id": pa.repeat(method.source_id, len(wall_h)),
        "optimal_device_count": number(
            seen.filled() if figures.optimal_device_count is None else figures.optimal_device_count
        ),
        **_work(seen.stated_hours if method.predicts_hours else seen.known_hours, figures, wall_h),
        **_carbon(figures, base, _place_pue(base, site_pue, context.regions), context.regions.z),
    }
    return conform(pa.table(columns).select(METHOD_ESTIMATE.columns), METHOD_ESTIMATE)


def _work(stated_hours: Floats, figures: MethodFigures, wall_h: Floats) -> dict[str, pa.Array[Any]]:
    can = np.isfinite(figures.device_hours * figures.power_w)
    source = np.where(np.isnan(stated_hours), "predicted", "stated").astype(object)
    return {
        "method_status": text(np.where(can, "estimated", "not_applicable").astype(object)),
        "hours_source": text(only_where(can, source)),
        **interval("device_hours", "", figures.device_hours, figures.hours_up, figures.hours_down),
        "wall_hours": number(wall_h),
        **interval("power", "_w", figures.power_w, figures.power_up, figures.power_down),
    }


def _place_pue(base: Baseline, site_pue: Floats | None, regions: Regions) -> tuple[Floats, Floats]:
    """PUE of where each job runs, and the half-width of its logarithm."""
    if site_pue is None:
        return base.pue, base.pue_half_width
    known = np.isfinite(site_pue)
    width = np.where(known, PUE_HALF_WIDTH["measured"] * (regions.z / Z80), base.pue_half_width)
    region = np.where(np.isnan(base.pue), regions.pue_nowhere, base.pue)
    return np.where(known, site_pue, region), width


def _carbon(
    figures: MethodFigures, base: Baseline, place_pue: tuple[Floats, Floats], z: float
) -> dict[str, pa.Array[Any]]:
    energy = np.asarray(energy_kwh(figures.device_hours, figures.power_w))
    can, known = np.isfinite(energy), np.isfinite(base.intensity)
    intensity = np.where(can, np.where(known, base.intensity, figures.world_gco2e_per_kwh), np.nan)
    intensity_sd = np.where(known, base.intensity_sd, np.nan)
    kind = np.where(np.isnan(intensity), MISSING, np.where(known, base.kind, KIND_CODE["world"]))
    nowhere = np.isnan(place_pue[0]) & np.isnan(intensity)
    pue = place_pue[0] if figures.pue is None else np.where(nowhere, np.nan, figures.pue)
    pue_width = place_pue[1] if figures.pue_half_width is None else figures.pue_half_width
    facility = energy * pue + figures.traffic_kwh
    operational = np.asarray(operational_kgco2e(facility, intensity))
    up, down = (
        np.hypot(hours, power)
        for hours, power in ((figures.hours_up, figures.power_up), (figures.hours_down, figures.power_down))
    )
    grid = place_half_width(intensity, intensity_sd, np.zeros(len(energy)), z)
    facility_up, facility_down = np.hypot(up, pue_width), np.hypot(down, pue_width)
    operational_up, operational_down = np.hypot(facility_up, grid), np.hypot(facility_down, grid)
    return {
        "pue": number(np.where(can, pue, np.nan)),
        **interval("energy", "_kwh", energy, up, down),
        **interval("facility_energy", "_kwh", facility, facility_up, facility_down),
        **interval("carbon_intensity", "_gco2e_per_kwh", intensity, grid, grid),
        "intensity_kind": kind_names(kind),
        **interval("operational", "_kgco2e", operational, operational_up, operational_down),
        **_embodied_and_total(figures, operational, operational_up, operational_down),
        "reason": text(_reasons(figures.reason, can, known, intensity)),
    }


def _embodied_and_total(
    figures: MethodFigures, operational: Floats, up: Floats, down: Floats
) -> dict[str, pa.Array[Any]]:
    """Embodied ends are scenarios, not quantiles: they stay out of the interval of the total."""
    none = np.full(len(operational), np.nan)
    low, embodied, high = (figures.embodied_kgco2e.get(end, none) for end in ("low", "central", "high"))
    counted = embodied if figures.embodied_kgco2e else np.zeros(len(operational))
    return {
        "embodied_kgco2e": number(embodied),
        "embodied_low_kgco2e": number(low),
        "embodied_high_kgco2e": number(high),
        "total_kgco2e": number(operational + counted),
        "total_low_kgco2e": number(operational * np.exp(-down) + counted),
        "total_high_kgco2e": number(operational * np.exp(up) + counted),
    }


def _reasons(own: Objects, can: Flags, known: Flags, intensity: Floats) -> Objects:
    """The method's own reason; where it has a figure, also what is to be said about the intensity."""
    reason, without = own.copy(), pd.isna(own)
    for lacks, words in (
        (can & np.isnan(intensity), NO_INTENSITY),
        (can & ~np.isnan(intensity) & ~known, OWN_INTENSITY),
    ):
        reason[lacks & without] = words
        reason[lacks & ~without] += f"; {words}"
    return reason


def methods_by_reason(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Reasons with the methods that give them, in the order of the rows.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of ``METHOD_ESTIMATE``.

    Returns
    -------
    dict of str to list of str
    """
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            found.setdefault(row["reason"], []).append(row["method"])
    return found
