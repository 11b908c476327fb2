"""The two profiles as methods: ``opencarboneval``, the paper as published, and ``calibrated``, ours."""

from __future__ import annotations

import numpy as np

from opencarbon.estimation.baselines.method import (
    Floats,
    MethodContext,
    MethodFigures,
    MethodJobs,
    Objects,
    of_each,
    only_where,
)
from opencarbon.estimation.energy.power import power_of_devices
from opencarbon.estimation.work import work_of_jobs


def calibrated(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """Pooled fits, measured power with the host's share, PUE of the region, intervals.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    return _as_profile(seen, context, is_paper=False)


def opencarboneval(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """OpenCarbonEval as published: mean of the two ends, design power, no PUE, one year of life.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    return _as_profile(seen, context, is_paper=True)


def _as_profile(seen: MethodJobs, context: MethodContext, *, is_paper: bool) -> MethodFigures:
    fits = context.fits["paper" if is_paper else "calibrated"]
    work = work_of_jobs(seen.jobs, fits, context.devices, paper=is_paper)
    power = power_of_devices(
        seen.jobs,
        context.devices,
        lifetime_h=context.lifetime_h,
        fleet_utilisation=context.fleet_utilisation,
        paper=context.paper if is_paper else None,
        z=context.regions.z,
    )
    per_hour = power.embodied_kgco2e_per_device_hour
    return MethodFigures(
        device_hours=work.device_hours,
        power_w=power.power_w,
        reason=_without_embodied(per_hour["central"], seen),
        hours_up=work.up,
        hours_down=work.down,
        power_up=power.up,
        power_down=power.down,
        pue=seen.filled(1.0) if is_paper else None,
        pue_half_width=seen.filled(0.0) if is_paper else None,
        world_gco2e_per_kwh=np.nan,
        traffic_kwh=seen.filled(0.0),
        embodied_kgco2e={end: work.device_hours * rate for end, rate in per_hour.items()},
    )


def _without_embodied(per_hour: Floats, seen: MethodJobs) -> Objects:
    words = of_each(
        seen.device,
        lambda name: (
            f"no total without embodied emissions: add embodied_central_kgco2e to the entry of {name}"
        ),
    )
    return only_where(np.isnan(per_hour), words)
