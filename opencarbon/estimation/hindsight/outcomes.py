"""What came of past advice: what jobs emitted, what the advice would have saved, and what was best in hindsight.

All on measured carbon intensity, and with what the jobs took: the baseline, the advice and the best place are given the
hours and the energy of the run itself. Where the run is not known, those of the estimate stand for it, and the outcome is
that of the advice as if it had been followed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.arrow_columns import moment, named, number, text
from opencarbon.estimation.hindsight.best_in_hindsight import (
    Best,
    HindsightWindows,
    PlaceColumns,
    best_in_hindsight,
)
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from opencarbon.estimation.hindsight.past_advice import (
    AdvisedJobs,
    PastAdvice,
    jobs_of,
    places_of,
    region_index,
)
from opencarbon.estimation.hindsight.stretches import Stretches, by_job, fitted, kept_to, straight
from opencarbon.estimation.work import numbers, texts
from opencarbon.physics.power import energy_kwh
from opencarbon.tables.conform import with_every_column
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.units import GRAMS_PER_KILOGRAM, HOUR

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FOLLOWED_WITHIN_H: Final = 1.0
"""A run follows the advice if it begins in the advised region within this of the advised start: an hour of the grid [h]."""

_UNMEASURED_H: Final = 1e-6
"""Less time than this without measurement is rounding [h]."""


@dataclass(frozen=True, slots=True)
class HindsightRules:
    """What bounds the best place in hindsight.

    Parameters
    ----------
    offers : mapping of str to frozenset of str
        Provider -> devices.
    max_delay_hours : float
        Latest start after the earliest for jobs without a deadline [h].
    default_region : str or None
        Where jobs are that name no current region.
    """

    offers: Mapping[str, frozenset[str]]
    max_delay_hours: float
    default_region: str | None


class _Side(NamedTuple):
    """A place and time, each array of shape (jobs,): mean intensity (NaN unless all measured) and hours."""

    intensity: Floats
    measured_h: Floats
    hours: Floats


def outcomes_of_runs(
    advice: PastAdvice, completed: pa.Table, measured: MeasuredCurves, rules: HindsightRules
) -> pa.Table:
    """Outcome of advice for jobs whose runs are known.

    Parameters
    ----------
    advice : PastAdvice
    completed : pa.Table
        ``COMPLETED_JOBS``: a row for each job of the advice, in any order, others beside.
    measured : MeasuredCurves
    rules : HindsightRules

    Returns
    -------
    pa.Table
        ``fact_advice_outcome`` without ``run_id``, by job. Figures on measured intensity are null unless every hour of
        the run, the advice and the baseline is measured.
    """
    places = places_of(advice, measured)
    jobs = jobs_of(advice, places, measured)
    runs = completed.take(pc.index_in(advice.jobs["job_id"], completed["job_id"].combine_chunks()))
    region = region_index(places, texts(runs["region"]))
    started, finished = measured.hours(runs["started_utc"]), measured.hours(runs["finished_utc"])
    followed = (region == jobs.advised) & (np.abs(started - jobs.advised_start_h) <= FOLLOWED_WITHIN_H)
    actual = kept_to(started, finished, jobs.plan, followed & jobs.interruptible)
    run_h = by_job(actual, actual.hours, len(region))
    energy, source = _energy(advice.jobs, runs, run_h)
    sides = [*_counterfactuals(jobs, run_h, places, measured), _side(actual, region, places, measured)]
    share = _measured_share(sides)
    base, advised, own = (_where(side, share == 1.0).intensity for side in sides)
    own_cost = own * places.pue[region] + jobs.transfer(region, energy)
    best = _best(advice, jobs, Best(region, started, own, own_cost), run_h, energy, places, measured, rules)
    columns = _columns(advice, jobs, energy, base, advised, places) | {
        "outcome_status": text(
            np.select([share < 1.0, followed], ["no_measured", "followed"], "not_followed").astype(object)
        ),
        "actual_region": runs["region"],
        "started_utc": runs["started_utc"],
        "finished_utc": runs["finished_utc"],
        "wall_hours": number(run_h),
        "device_hours": runs["device_hours"],
        "energy_source": text(source),
        "measured_share": number(share),
        "actual_carbon_intensity_gco2e_per_kwh": number(own),
        "best_region": named(places.names, best.region),
        "best_start_utc": moment(measured.start_utc, best.start_h),
        "best_carbon_intensity_gco2e_per_kwh": number(best.intensity),
        "saving_kgco2e": number(energy * (base * places.pue[jobs.home] - own_cost) / GRAMS_PER_KILOGRAM),
        "regret_kgco2e": number(energy * (own_cost - best.cost) / GRAMS_PER_KILOGRAM),
    }
    return _outcomes(columns)


def outcomes_if_followed(advice: PastAdvice, measured: MeasuredCurves) -> pa.Table:
    """Outcome of advice for jobs whose runs are not known: what it would have saved if it had been followed.

    Parameters
    ----------
    advice : PastAdvice
    measured : MeasuredCurves

    Returns
    -------
    pa.Table
        ``fact_advice_outcome`` without ``run_id``, by job; only jobs whose baseline and advised hours are all measured.
    """
    places = places_of(advice, measured)
    jobs = jobs_of(advice, places, measured)
    run_h, energy = numbers(advice.jobs, "wall_hours"), numbers(advice.jobs, "energy_kwh")
    sides = _counterfactuals(jobs, run_h, places, measured)
    base, advised = (side.intensity for side in sides)
    columns = _columns(advice, jobs, energy, base, advised, places) | {
        "outcome_status": pa.repeat("if_followed", len(energy)),
        "wall_hours": number(run_h),
        "energy_source": pa.repeat("estimate", len(energy)),
        "measured_share": number(_measured_share(sides)),
    }
    return _outcomes(columns).filter(pa.array(np.isfinite(base) & np.isfinite(advised)))


def _energy(jobs: pa.Table, runs: pa.Table, run_h: Floats) -> tuple[Floats, npt.NDArray[np.object_]]:
    """Energy of each run [kWh] and where it is from: the best that is known."""
    measured, hours = numbers(runs, "energy_kwh"), numbers(runs, "device_hours")
    of_power = np.asarray(energy_kwh(np.nan_to_num(hours), numbers(jobs, "power_w")))
    estimate = numbers(jobs, "energy_kwh") * run_h / numbers(jobs, "wall_hours")
    known = [np.isfinite(measured), np.isfinite(hours)]
    source = np.select(known, ["measured", "device_hours"], "estimate").astype(object)
    return np.select(known, [measured, of_power], estimate), source


def _counterfactuals(
    jobs: AdvisedJobs, run_h: Floats, places: PlaceColumns, measured: MeasuredCurves
) -> list[_Side]:
    """The baseline and the advice, over as many hours as the run took."""
    return [
        _side(straight(jobs.home_start_h, run_h), jobs.home, places, measured),
        _side(fitted(jobs.plan, run_h), jobs.advised, places, measured),
    ]


def _side(stretches: Stretches, region: Integers, places: PlaceColumns, measured: MeasuredCurves) -> _Side:
    zone = np.where(region >= 0, places.zone[region], -1)
    intensity_h, measured_h = (
        by_job(stretches, values, len(region))
        for values in measured.exposure(zone[stretches.job], stretches.start_h, stretches.finish_h)
    )
    hours = by_job(stretches, np.nan_to_num(stretches.hours), len(region))
    whole = (hours > 0) & (hours - measured_h <= _UNMEASURED_H)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _Side(np.where(whole, intensity_h / hours, np.nan), measured_h, hours)


def _where(side: _Side, known: Flags) -> _Side:
    return side._replace(intensity=np.where(known, side.intensity, np.nan))


def _measured_share(sides: list[_Side]) -> Floats:
    """Share of the hours of all sides that is measured; exactly 1 where all are."""
    hours = np.sum([side.hours for side in sides], axis=0)
    measured = np.sum([side.measured_h for side in sides], axis=0)
    return np.where(hours - measured <= _UNMEASURED_H, 1.0, np.clip(measured / hours, 0.0, 1.0))


def _best(
    advice: PastAdvice,
    jobs: AdvisedJobs,
    own: Best,
    run_h: Floats,
    energy: Floats,
    places: PlaceColumns,
    measured: MeasuredCurves,
    rules: HindsightRules,
) -> Best:
    """The best place in hindsight, the run itself among what is compared; nothing where the run is not measured."""
    now_h = (advice.as_of_utc - measured.start_utc) / HOUR
    earliest = np.fmax(now_h, measured.hours(advice.jobs["earliest_start_utc"]))
    finish_by = measured.hours(advice.jobs["finish_by_utc"])
    windows = HindsightWindows(
        duration_h=run_h,
        earliest_h=earliest,
        finish_h=np.where(np.isnan(finish_by), earliest + rules.max_delay_hours + run_h, finish_by),
        interruptible=jobs.interruptible,
        home=jobs.home,
        transfer=jobs.transfer_kgco2e * GRAMS_PER_KILOGRAM / energy,
    )
    found = best_in_hindsight(
        advice.jobs.select(["allowed_regions", "device", "current_region"]),
        windows,
        places,
        measured,
        offers=rules.offers,
        default_region=rules.default_region,
    )
    is_better = found.cost < own.cost
    chosen = Best(*(np.where(is_better, one, other) for one, other in zip(found, own, strict=True)))
    known = np.isfinite(own.cost)
    return Best(
        np.where(known, chosen.region, -1),
        *(np.where(known, values, np.nan) for values in chosen[1:]),
    )


def _columns(
    advice: PastAdvice,
    jobs: AdvisedJobs,
    energy: Floats,
    base: Floats,
    advised: Floats,
    places: PlaceColumns,
) -> dict[str, Any]:
    """Columns that are the same whether the run is known or not."""
    table = advice.jobs
    advised_cost = advised * places.pue[jobs.advised] + jobs.transfer(jobs.advised, energy)
    saving = energy * (base * places.pue[jobs.home] - advised_cost) / GRAMS_PER_KILOGRAM
    return {
        "job_id": table["job_id"],
        "run_id_of_advice": pa.repeat(advice.run_id, table.num_rows),
        **{name: table[name] for name in ("baseline_region", "baseline_start_utc")},
        **{name: table[name] for name in ("advised_region", "advised_start_utc")},
        "energy_kwh": number(energy),
        "baseline_carbon_intensity_gco2e_per_kwh": number(base),
        "advised_carbon_intensity_gco2e_per_kwh": number(advised),
        "claimed_saving_kgco2e": table["saving_kgco2e"],
        "saving_if_followed_kgco2e": number(saving),
    }


def _outcomes(columns: dict[str, Any]) -> pa.Table:
    """Columns as ``fact_advice_outcome`` without ``run_id``, by job; those that are not told are null."""
    schema = PUBLISHED["fact_advice_outcome"].schema()
    names = [name for name in schema.names if name != "run_id"]
    return with_every_column(pa.table(columns), schema).select(names).sort_by("job_id")
