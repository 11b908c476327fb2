"""Methods that predict device-hours from FLOP and take design power: constant utilisation, SVR, DTR, LLMCarbon."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np
import pandas as pd

from opencarbon.errors import ConfigError, FitError
from opencarbon.estimation.baselines.method import (
    Floats,
    MethodContext,
    MethodFigures,
    MethodJobs,
    Objects,
    of_each,
    only_where,
)
from opencarbon.estimation.fitting.regressors import fit_regressor
from opencarbon.physics.llmcarbon import (
    FLEET_UTILISATION,
    LIFETIME_H,
    chip_of,
    device_hours_at,
    parallel_layout,
    tflop_per_s,
)

CONSTANT_UTILISATION: Final = 0.33
"""Share of the dense peak: between the 0.30 and the 0.40 that Epoch AI assumes for runs of which nothing is known
(https://epoch.ai/blog/estimating-training-compute)."""

NO_WORK: Final = "needs training FLOP, or parameters and tokens: the job states none"
UNKNOWN_CHIP: Final = (
    "knows V100, A100, H100, TPU v3 and TPU v4 only, neither speed nor die of another device"
)
NO_PARAMETERS: Final = "needs parameters: the job states none"
NO_MEMORY: Final = "needs the memory of the device: add memory_gb to its entry"
NO_CURVE: Final = "its published curve gives no throughput for so many parameters"
NO_DIE: Final = "knows no die of the device: no embodied emissions, and no total"


def constant_utilisation(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """A third of the dense peak on every device.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    del context
    hours = device_hours_at(seen.training_flop, CONSTANT_UTILISATION * seen.peak_tflop_per_s)
    return at_design_power(seen, hours)


def at_design_power(
    seen: MethodJobs,
    predicted_hours: Floats,
    *,
    cannot: Objects | None = None,
    lacking: Objects | None = None,
    with_regional_pue: bool = False,
    embodied_kgco2e_per_device_hour: Floats | None = None,
) -> MethodFigures:
    """Figures of a method that says how long, and takes the design power for the rest.

    Parameters
    ----------
    seen : MethodJobs
    predicted_hours : ndarray of shape (jobs,)
        Device-hours of one run [h]; not used where the job states its hours.
    cannot : ndarray of object, optional
        Why hours cannot be predicted, where it is not for want of work.
    lacking : ndarray of object, optional
        What is missing from a figure that there is.
    with_regional_pue : bool, optional
        Take the PUE of the region; without it, none.
    embodied_kgco2e_per_device_hour : ndarray, optional
        [kgCO2e/h]; NaN where it is not known. Without it, the method counts none.

    Returns
    -------
    MethodFigures
    """
    hours = np.where(np.isnan(seen.stated_hours), predicted_hours, seen.stated_hours) * seen.repeats
    no_hours, reason = np.isnan(hours), seen.unexplained() if lacking is None else lacking.copy()
    reason[no_hours] = NO_WORK if cannot is None else np.where(pd.isna(cannot), NO_WORK, cannot)[no_hours]
    none = seen.filled()
    rate = embodied_kgco2e_per_device_hour
    return MethodFigures(
        device_hours=hours,
        power_w=seen.tdp_w,
        reason=reason,
        hours_up=none,
        hours_down=none,
        power_up=none,
        power_down=none,
        pue=None if with_regional_pue else seen.filled(1.0),
        pue_half_width=none,
        world_gco2e_per_kwh=np.nan,
        traffic_kwh=seen.filled(0.0),
        embodied_kgco2e={} if rate is None else {"central": hours * rate},
    )


def llmcarbon(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """LLMCarbon with its curves held to the models they were fitted to.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    del context
    return _llmcarbon(seen, clamped=True)


def llmcarbon_as_published(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """LLMCarbon with its curves as published, also where they fall below 0.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    del context
    return _llmcarbon(seen, clamped=False)


def _llmcarbon(seen: MethodJobs, *, clamped: bool) -> MethodFigures:
    size = np.where(np.isnan(seen.active_parameters), seen.parameters, seen.active_parameters)
    rate = of_each(seen.device, _embodied_kgco2e_per_hour).astype(np.float64)
    known = np.isfinite(rate)
    speed = tflop_per_s(size, np.where(known, seen.memory_gb, np.nan), clamped=clamped)
    cannot = only_where(np.isnan(speed), NO_CURVE)
    cannot[np.isnan(seen.memory_gb)] = NO_MEMORY
    cannot[np.isnan(size)] = NO_PARAMETERS
    cannot[~known] = UNKNOWN_CHIP
    figures = at_design_power(
        seen,
        device_hours_at(seen.training_flop, speed),
        cannot=cannot,
        lacking=only_where(~known, NO_DIE),
        with_regional_pue=True,
        embodied_kgco2e_per_device_hour=rate,
    )
    count = parallel_layout(size, np.where(known, seen.memory_gb, np.nan), clamped=clamped).device_count
    return replace(figures, optimal_device_count=np.asarray(count))


def _embodied_kgco2e_per_hour(device: str) -> float:
    """Embodied emissions of an hour of a device; NaN where LLMCarbon does not know it."""
    chip = chip_of(device)
    return np.nan if chip is None else chip.embodied_kgco2e / (LIFETIME_H * FLEET_UTILISATION)


def svr(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """Support vector regression of throughput on the runs behind the device fits.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    return _regressed("svr", seen, context)


def dtr(seen: MethodJobs, context: MethodContext) -> MethodFigures:
    """Decision tree regression of throughput on the runs behind the device fits.

    Parameters
    ----------
    seen : MethodJobs
    context : MethodContext

    Returns
    -------
    MethodFigures
    """
    return _regressed("dtr", seen, context)


def _regressed(kind: Literal["svr", "dtr"], seen: MethodJobs, context: MethodContext) -> MethodFigures:
    hours, known = seen.filled(), np.isfinite(seen.training_flop)
    if not known.any():
        return at_design_power(seen, hours)
    try:
        model = fit_regressor(kind, context.runs, context.devices)
    except (ConfigError, FitError) as problem:
        return at_design_power(seen, hours, cannot=only_where(known, str(problem)))
    hours[known] = model.device_hours(seen.training_flop[known], seen.peak_tflop_per_s[known])
    return at_design_power(seen, hours)
