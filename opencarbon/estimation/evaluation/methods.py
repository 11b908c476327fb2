"""Methods that are evaluated: each learns from the same runs, and predicts hours from what is known before a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog.catalog import PaperDevice
from opencarbon.errors import FitError
from opencarbon.estimation.baselines.throughput import CONSTANT_UTILISATION
from opencarbon.estimation.evaluation.paper_form import PaperForm, mean_of_ends
from opencarbon.estimation.evaluation.rows import Floats, Integers, Rows, Work
from opencarbon.estimation.evaluation.widths import INNER_FOLDS, Central, symmetric_width
from opencarbon.estimation.fitting.fits import fit_devices
from opencarbon.estimation.fitting.regressors import LEAST_RUNS, Kind, fit_regression
from opencarbon.estimation.hours import fitted_device_hours
from opencarbon.physics.llmcarbon import chip_of, tflop_per_s

CALIBRATED: Final = "calibrated"


@dataclass(frozen=True, slots=True)
class LnHours:
    """Logarithms of predicted device-hours, each array of shape (runs,); NaN where a method cannot say.

    Parameters
    ----------
    low, central, high : ndarray
        ln of [h].
    """

    low: Floats
    central: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Facts:
    """What methods know besides runs.

    Parameters
    ----------
    devices : pa.Table
        ``dim_device``.
    paper : mapping of str to PaperDevice
        Device -> what OpenCarbonEval publishes about it.
    level : float
        Share of runs that intervals are to hold.
    benchmarks : pa.Table or None
        Throughput that tuned code was measured to reach, as the calibrated fit takes it.
    """

    devices: pa.Table
    paper: Mapping[str, PaperDevice]
    level: float
    benchmarks: pa.Table | None = None


Predictor = Callable[[Work], LnHours]
Train = Callable[[Rows, Facts], Predictor]


@dataclass(frozen=True, slots=True)
class EvaluatedMethod:
    """A method with its description.

    Parameters
    ----------
    name, title : str
    description : str
        How it predicts, and where its interval comes from.
    train : callable
        Training runs and facts -> a function from work to ln hours.
    is_in_sample : bool
        Whether the runs it is scored on may be behind its parameters.
    """

    name: str
    title: str
    description: str
    train: Train = field(repr=False)
    is_in_sample: bool = False


def _calibrated(rows: Rows, facts: Facts) -> Predictor:
    # Any device that a run may be on; those that no run is on would cost time alone.
    names = rows.table["device"].to_pylist()
    measured = [] if facts.benchmarks is None else facts.benchmarks["device"].to_pylist()
    devices = facts.devices.filter(pc.is_in(facts.devices["device"], value_set=pa.array([*names, *measured])))
    fits = fit_devices(rows.runs(), devices, level=facts.level, benchmarks=facts.benchmarks)

    def predict(work: Work) -> LnHours:
        hours = fitted_device_hours(
            fits,
            devices,
            device=pa.array(work.device_name.tolist(), pa.string()),
            training_flop=work.training_flop,
            device_count=work.device_count,
        )
        return LnHours(np.log(hours.low), np.log(hours.central), np.log(hours.high))

    return predict


def _paper_form(rows: Rows, facts: Facts) -> Predictor:
    form = PaperForm(rows)
    factor = form.factor_that_holds(facts.level)

    def predict(work: Work) -> LnHours:
        return LnHours(*form.ln_hours(work, factor))

    return predict


def _paper_published(rows: Rows, facts: Facts) -> Predictor:
    del rows
    nothing = PaperDevice(np.nan, np.nan, np.nan, None)

    def predict(work: Work) -> LnHours:
        known = [facts.paper.get(name, nothing) for name in work.device_name]
        low, high = np.array([sorted((one.log10_alpha_low, one.log10_alpha_high)) for one in known]).T
        return LnHours(*mean_of_ends(work.training_flop, low, high))

    return predict


def _constant(rows: Rows) -> Callable[[Work], Floats]:
    del rows
    return lambda work: work.ln_ideal_hours() - np.log(CONSTANT_UTILISATION)


def _family_median(rows: Rows) -> Callable[[Work], Floats]:
    middle = np.median(_medians(rows.ln_utilisation(), rows.family))
    return lambda work: work.ln_ideal_hours() - middle


def _medians(values: Floats, group: Integers) -> Floats:
    """Median of the values of each group."""
    order = np.lexsort((values, group))
    ordered, groups = values[order], group[order]
    start = np.flatnonzero(np.diff(groups, prepend=-1))
    count = np.diff(start, append=len(groups))
    return np.asarray((ordered[start + (count - 1) // 2] + ordered[start + count // 2]) / 2.0)


def _device_median(rows: Rows) -> Callable[[Work], Floats]:
    utilisation = rows.ln_utilisation()

    def middle(device: int, generation: int) -> float:
        for members in (rows.work.device == device, rows.work.generation == generation):
            if members.any():
                return float(np.median(utilisation[members]))
        return float(np.median(utilisation))

    def predict(work: Work) -> Floats:
        places = list(zip(work.device.tolist(), work.generation.tolist(), strict=True))
        found = {place: middle(*place) for place in set(places)}
        return np.asarray(work.ln_ideal_hours() - np.array([found[place] for place in places]))

    return predict


def _llmcarbon(rows: Rows) -> Callable[[Work], Floats]:
    del rows

    def predict(work: Work) -> Floats:
        known = [chip_of(name) is not None for name in work.device_name]
        speed = tflop_per_s(work.parameters, np.where(known, work.memory_gb, np.nan), clamped=True)
        return np.asarray(work.ln_ideal_hours() - np.log(speed / work.peak_tflop_per_s))

    return predict


def _regression(rows: Rows, kind: Kind) -> Callable[[Work], Floats]:
    if len(rows) < LEAST_RUNS:
        raise FitError(
            f"the regression {kind} needs at least {LEAST_RUNS} training runs, here are {len(rows)}"
        )
    model = fit_regression(kind, rows.work.training_flop, rows.device_hours, rows.work.peak_tflop_per_s)
    return lambda work: np.asarray(np.log(model.device_hours(work.training_flop, work.peak_tflop_per_s)))


def _symmetric(central: Central, *, most_folds: int | None = None) -> Train:
    """A method with an interval that is symmetric in logs, as wide as held-out training families were off."""

    def train(rows: Rows, facts: Facts) -> Predictor:
        predict = central(rows)
        width = symmetric_width(central, rows, facts.level, most_folds=most_folds)

        def with_interval(work: Work) -> LnHours:
            middle = predict(work)
            return LnHours(middle - width, middle, middle + width)

        return with_interval

    return train


_OWN_WIDTH: Final = (
    "Interval: symmetric in logs, as wide as holds 80 % of the training families, each left out in turn."
)

EVALUATED: Final[dict[str, EvaluatedMethod]] = {
    method.name: method
    for method in (
        EvaluatedMethod(
            CALIBRATED,
            "Calibrated",
            "Utilisation of the device pooled with its generation and all others, with the interval of the fit.",
            _calibrated,
        ),
        EvaluatedMethod(
            "opencarboneval-refitted",
            "OpenCarbonEval's form, refitted",
            "Mean of the hours at mean log10 alpha -/+ 0.6 sigma of the device. Interval: mean -/+ k sigma, k as holds "
            "80 % of the training families, each left out in turn.",
            _paper_form,
        ),
        EvaluatedMethod(
            "device-median",
            "Median utilisation of the device",
            f"Of its generation where the device has no run, of all where that has none. {_OWN_WIDTH}",
            _symmetric(_device_median),
        ),
        EvaluatedMethod(
            "family-median",
            "Median utilisation of all families",
            f"One utilisation for every device: the median of the families' medians. {_OWN_WIDTH}",
            _symmetric(_family_median),
        ),
        EvaluatedMethod(
            "constant-utilisation",
            "A constant 33 % of the dense peak",
            _OWN_WIDTH,
            _symmetric(_constant, most_folds=0),
        ),
        EvaluatedMethod(
            "svr",
            "Support vector regression",
            "Utilisation from FLOP and peak. Interval as above, five groups of families left out in turn.",
            _symmetric(partial(_regression, kind="svr"), most_folds=INNER_FOLDS),
        ),
        EvaluatedMethod(
            "dtr",
            "Decision tree regression",
            "Utilisation from FLOP and peak. Interval as above, five groups of families left out in turn.",
            _symmetric(partial(_regression, kind="dtr"), most_folds=INNER_FOLDS),
        ),
        EvaluatedMethod(
            "llmcarbon",
            "LLMCarbon",
            f"Throughput from parameters, on the five chips it knows; its curves learn from no run here. {_OWN_WIDTH}",
            _symmetric(_llmcarbon, most_folds=0),
        ),
        EvaluatedMethod(
            "opencarboneval",
            "OpenCarbonEval, Table 1 as published",
            "In-sample: the runs scored may be among those behind the published intervals of alpha, which are not named. "
            "Only its devices. Interval: its two ends, which hold no stated share.",
            _paper_published,
            is_in_sample=True,
        ),
    )
}
"""Methods by name, ours first, then by how much they learn from the runs; what is in-sample comes last."""
