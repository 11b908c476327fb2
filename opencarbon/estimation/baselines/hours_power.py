"""Methods that multiply known device-hours by power: one formula, a row of coefficients each."""

from __future__ import annotations

from typing import Final

import numpy as np

from opencarbon.catalog.methods import HoursPowerMethod
from opencarbon.estimation.baselines.method import (
    Floats,
    Method,
    MethodContext,
    MethodFigures,
    MethodJobs,
    of_each,
    only_where,
)
from opencarbon.estimation.work import numbers
from opencarbon.physics.power import hours_power_energy_kwh, traffic_energy_kwh
from opencarbon.units import GRAMS_PER_KILOGRAM, WATTS_PER_KILOWATT

NO_HOURS: Final = "needs known device-hours: give device_hours or wall_hours"


def hours_power_method(row: HoursPowerMethod) -> Method:
    """A method of the family from its row of coefficients.

    Parameters
    ----------
    row : HoursPowerMethod

    Returns
    -------
    Method
    """
    return Method(
        name=row.method,
        title=row.title,
        needs=row.needs,
        formula=row.formula,
        limits=row.limits,
        source_id=row.source_id,
        figures=lambda seen, context: _figures(seen, context, row),
        predicts_hours=False,
    )


def _figures(seen: MethodJobs, context: MethodContext, row: HoursPowerMethod) -> MethodFigures:
    power = _power_w(seen, context, row)
    hours = seen.known_hours * seen.repeats
    none = seen.filled()
    traffic_gb = np.nan_to_num(numbers(seen.jobs, "dataset_gb")) * seen.repeats
    grams = row.embodied_g_per_device_hour
    world = row.world_intensity_gco2e_per_kwh
    return MethodFigures(
        device_hours=hours,
        power_w=power,
        reason=only_where(np.isnan(hours), NO_HOURS),
        hours_up=none,
        hours_down=none,
        power_up=none,
        power_down=none,
        pue=of_each(seen.provider, row.pue_at).astype(np.float64),
        pue_half_width=none,
        world_gco2e_per_kwh=np.nan if world is None else world,
        traffic_kwh=np.asarray(traffic_energy_kwh(traffic_gb, row.traffic_kwh_per_gb)),
        embodied_kgco2e={} if grams is None else {"central": hours * grams / GRAMS_PER_KILOGRAM},
    )


def _power_w(seen: MethodJobs, context: MethodContext, row: HoursPowerMethod) -> Floats:
    """Power of a device with its share of the host: the energy of one hour."""
    tdp_w = dict(
        zip(context.devices["device"].to_pylist(), context.devices["tdp_w"].to_pylist(), strict=True)
    )
    device_w = of_each(seen.device, lambda name: row.device_power_w(name, tdp_w[name])).astype(np.float64)
    kwh = hours_power_energy_kwh(
        seen.filled(1.0),
        device_w,
        device_power_fraction=row.device_power_fraction,
        idle_w=row.idle_w_per_device,
        processor_power_w=row.processor_power_w_per_device,
        memory_w_per_gb=row.memory_w_per_gb,
        memory_gb=row.memory_gb_per_device,
    )
    return np.asarray(kwh * WATTS_PER_KILOWATT)
