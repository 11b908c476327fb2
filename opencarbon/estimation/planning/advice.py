"""What is advised for each job, and what it saves against the baseline."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.planning.savings import Place, saving_sd
from opencarbon.estimation.planning.schedules import STAY
from opencarbon.estimation.planning.windows import Windows, deadline_risk
from opencarbon.estimation.region_columns import Regions, place_half_width
from opencarbon.estimation.work import numbers
from opencarbon.units import GRAMS_PER_KILOGRAM

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

_SAME_START_H: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Advice:
    """The advice for each job, each array of shape (jobs,); ``totals_kgco2e`` of shape (jobs, picks).

    Jobs without advice keep their baseline: nothing is saved. ``advised_place_width`` is the half-width that intensity
    and PUE give to the logarithm of the advised emissions; ``saving_from_sd_kgco2e`` and ``saving_to_sd_kgco2e`` are
    the parts of the standard deviation of the saving from the place left and the place taken.
    """

    action: Objects
    plan_status: Objects
    advised: Flags
    region: Integers
    start_h: Floats
    finish_h: Floats
    finish_high_h: Floats
    baseline_total_kgco2e: Floats
    advised_total_kgco2e: Floats
    advised_operational_kgco2e: Floats
    transfer_kgco2e: Floats
    saving_kgco2e: Floats
    advised_place_width: Floats
    saving_from_sd_kgco2e: Floats
    saving_to_sd_kgco2e: Floats
    deadline_risk: Floats
    budget_status: Objects
    totals_kgco2e: Floats


def advise(
    estimates: JobEstimates,
    windows: Windows,
    alternatives: Alternatives,
    regions: Regions,
    move_kgco2e: Floats,
) -> Advice:
    """Turn the picked places into advice with a saving.

    Parameters
    ----------
    estimates : JobEstimates
    windows : Windows
    alternatives : Alternatives
    regions : Regions
    move_kgco2e : ndarray of shape (jobs,)
        Emissions of moving the job's data to another region [kgCO2e].

    Returns
    -------
    Advice
    """
    base, embodied = estimates.baseline, estimates.embodied_kgco2e
    has = np.asarray(alternatives.advised.any(axis=1))
    picked = (np.arange(len(has)), alternatives.advised.argmax(axis=1))
    operational, transfer = _emissions(estimates, alternatives, regions, move_kgco2e)
    baseline_total = estimates.operational_kgco2e + embodied
    totals = operational + transfer + embodied[:, None]
    totals = np.where(alternatives.form == STAY, baseline_total[:, None], totals)
    leaves = has & (alternatives.form[picked] != STAY)
    region = np.where(has, alternatives.region[picked], -1)
    start = np.where(has, alternatives.start_h[picked], np.nan)
    finish = np.where(has, alternatives.finish_h[picked], np.nan)
    advised_total = np.where(leaves, totals[picked], baseline_total)
    advised_operational = np.where(leaves, operational[picked], estimates.operational_kgco2e)
    moved = np.where(leaves, transfer[picked], 0.0)
    left = Place(
        estimates.operational_kgco2e, base.intensity, base.intensity_sd, base.pue_half_width / estimates.z
    )
    taken = Place(
        advised_operational,
        np.where(leaves, alternatives.intensity[picked], base.intensity),
        np.where(leaves, alternatives.intensity_sd[picked], base.intensity_sd),
        np.where(leaves, regions.pue_half_width[region], base.pue_half_width) / estimates.z,
    )
    shared = np.where(leaves, alternatives.shared_sd[picked], base.intensity_sd)
    elsewhere = leaves & (region != base.region)
    from_sd, to_sd = saving_sd(left, taken, shared_sd=shared, elsewhere=elsewhere, transfer=moved)
    return Advice(
        action=_action(estimates, has, elsewhere & (base.region >= 0), start, finish),
        plan_status=_plan_status(windows, alternatives),
        advised=has,
        region=region,
        start_h=start,
        finish_h=finish,
        finish_high_h=finish + (windows.run_high_h - windows.run_h),
        baseline_total_kgco2e=baseline_total,
        advised_total_kgco2e=advised_total,
        advised_operational_kgco2e=advised_operational,
        transfer_kgco2e=moved,
        saving_kgco2e=baseline_total - advised_total,
        advised_place_width=place_half_width(
            taken.intensity, taken.intensity_sd, taken.pue_sd * estimates.z, estimates.z
        ),
        saving_from_sd_kgco2e=from_sd,
        saving_to_sd_kgco2e=to_sd,
        deadline_risk=deadline_risk(
            estimates,
            np.where(has, start, base.start_h),
            np.where(has, finish, base.start_h + windows.run_h),
        ),
        budget_status=_budget(numbers(estimates.jobs, "carbon_budget_kgco2e"), advised_total),
        totals_kgco2e=totals,
    )


def _emissions(
    estimates: JobEstimates, alternatives: Alternatives, regions: Regions, move_kgco2e: Floats
) -> tuple[Floats, Floats]:
    """Operational emissions and those of moving of every pick, shape (jobs, picks) [kgCO2e]."""
    pue = regions.pue[alternatives.region]
    intensity = alternatives.intensity + alternatives.restart
    operational = estimates.energy_kwh[:, None] * pue * intensity / GRAMS_PER_KILOGRAM
    moves = alternatives.region != estimates.baseline.region[:, None]
    return operational, np.where(moves, move_kgco2e[:, None], 0.0)


def _action(estimates: JobEstimates, has: Flags, moves: Flags, start: Floats, finish: Floats) -> Objects:
    rests = finish - start > estimates.run_h * (1.0 + _SAME_START_H) + _SAME_START_H
    later = (start > estimates.baseline.start_h + _SAME_START_H) | rests
    return np.select(
        [~has, moves & later, moves, later], ["none", "move_and_delay", "move", "delay"], "run_now"
    ).astype(object)


def _plan_status(windows: Windows, alternatives: Alternatives) -> Objects:
    """What the window allows, unless no place that the job may take can be ranked."""
    nowhere = windows.planned & ~(alternatives.region >= 0).any(axis=1)
    return np.where(nowhere, "no_intensity", windows.plan_status).astype(object)


def _budget(budget_kgco2e: Floats, advised_total_kgco2e: Floats) -> Objects:
    return np.select(
        [np.isnan(budget_kgco2e) | np.isnan(advised_total_kgco2e), advised_total_kgco2e > budget_kgco2e],
        ["no_budget", "over"],
        "within",
    ).astype(object)
