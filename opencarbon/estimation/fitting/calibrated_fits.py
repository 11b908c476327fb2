"""Fits of the calibrated profile: pooled utilisation, and the parameter alpha that states it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from opencarbon.estimation.fitting import pooling
from opencarbon.estimation.fitting import pooling_priors as priors
from opencarbon.estimation.fitting.fit_evidence import (
    FitDevice,
    FitRun,
    Pool,
    fit_row,
    log10_alpha_at_utilisation,
    peers,
)
from opencarbon.estimation.fitting.pooling_evidence import Run
from opencarbon.estimation.hours import (
    HIGHEST_UTILISATION,
    ORIGIN_IDEAL_WALL_HOURS,
    ideal_decades,
)


def calibrated_rows(
    used: Sequence[FitRun], known: Mapping[str, FitDevice], benchmarks: pa.Table | None, level: float
) -> list[dict[str, Any]]:
    """Fits of every device by pooled utilisation.

    Parameters
    ----------
    used : sequence of FitRun
    known : mapping of str to FitDevice
    benchmarks : pa.Table or None
        Throughput of tuned code: device, model, utilisation.
    level : float
        Share of new runs that the interval is to hold.

    Returns
    -------
    list of dict
        Rows of ``fact_device_fit``.
    """
    targets = tuple(known.values())
    places = [device.place() for device in targets]
    published, own = ([_evidence(run) for run in used if run.is_own == is_own] for is_own in (False, True))
    evidence, with_slope = _least_error(published, list(_tuned(benchmarks, known)))
    found = pooling.predicted([*evidence, *own], places, with_slope=with_slope)
    half = found.half_width(level)
    rows = []
    for device, centre, width in zip(targets, found.centre, half, strict=True):
        pool = _pool(used, device)
        reference = pool.reference_training_flop(device)
        decades = float(ideal_decades(np.array([reference]), np.array([np.nan]))[0])
        typical = centre + found.slope * decades
        ends = np.exp(np.array([typical - width, typical, typical + width]))
        utilisation = np.minimum(ends, HIGHEST_UTILISATION)
        alphas = log10_alpha_at_utilisation(reference, utilisation, device.peak_tflop_per_s)
        rows.append(
            fit_row(device, alphas.tolist(), reference)
            | pool.columns()
            | {
                "utilisation_low": float(utilisation[0]),
                "utilisation": float(utilisation[1]),
                "utilisation_high": float(utilisation[2]),
                "ln_utilisation_per_decade": found.slope,
                "reference_ideal_wall_hours": ORIGIN_IDEAL_WALL_HOURS * 10.0**decades,
                "interval_level": level,
            }
        )
    return rows


def _least_error(published: list[Run], tuned: list[Run]) -> tuple[list[Run], bool]:
    """Runs to fit to, with or without benchmarks, and whether the length of a run counts: what errs least.

    Errors are those on families left out. The plainest comes first, and stays unless another errs less. A slope below 0
    is noise, or columns in each other's place: longer runs lose less to their start, and by such a slope more FLOP could
    take fewer hours.
    """
    plain = (published, False)
    if len({run.family for run in published if not run.is_throughput}) < priors.LEAST_FAMILIES:
        return plain
    choices = [plain, (published, True)]
    if tuned:
        choices += [([*published, *tuned], True), ([*published, *tuned], False)]
    tried = [(choice, pooling.predicted(choice[0], (), with_slope=choice[1])) for choice in choices]
    rising = [(choice, found) for choice, found in tried if found.slope >= 0.0]
    return min(rising, key=lambda pair: pair[1].held_out.mean_of_medians())[0]


def _evidence(run: FitRun) -> Run:
    is_throughput = run.hours_scope == "throughput"
    flop, ideal_h = np.array([run.training_flop]), np.array([run.ideal_device_hours() / run.devices])
    return Run(
        place=run.device.place(),
        organisation=run.organisation,
        family=run.family,
        ln_utilisation=run.ln_utilisation(),
        # What shows throughput alone is a piece of a run: its length says nothing.
        ideal_decades=0.0 if is_throughput else float(ideal_decades(flop, ideal_h)[0]),
        error=_error(run),
        is_throughput=is_throughput,
        is_own=run.is_own,
    )


def _error(run: FitRun) -> float:
    """Standard deviation of a run about its family, or about its project."""
    within = priors.BETWEEN_OWN_RUNS if run.is_own else priors.WITHIN_FAMILY
    return math.hypot(within, priors.CONVENTION) if run.flop_basis == "reported" else within


def _tuned(benchmarks: pa.Table | None, known: Mapping[str, FitDevice]) -> Iterator[Run]:
    for row in [] if benchmarks is None else benchmarks.to_pylist():
        if row["device"] in known:
            yield Run(
                place=known[row["device"]].place(),
                organisation="benchmark",
                family=row["model"],
                ln_utilisation=math.log(row["utilisation"]),
                is_throughput=True,
                is_benchmark=True,
            )


def _pool(used: Sequence[FitRun], device: FitDevice) -> Pool:
    here = tuple(run for run in used if run.device.device == device.device)
    own = tuple(run for run in here if run.is_own)
    if own:
        return Pool(own, "own_runs")
    return Pool(here, "device_runs") if here else peers(used, device)
