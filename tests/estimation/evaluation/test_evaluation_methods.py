"""What each method learns, and how wide it takes its interval: planted, by hand, and against the product's own fits."""

import math
from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.evaluation import EVALUATED, evaluation_rows
from opencarbon.estimation.evaluation.methods import LnHours
from opencarbon.estimation.evaluation.paper_form import PaperForm
from opencarbon.estimation.evaluation.rows import Rows, Work
from opencarbon.estimation.evaluation.widths import inner_folds, width_of
from opencarbon.estimation.fitting.fits import fit_devices
from opencarbon.estimation.hours import fitted_device_hours
from opencarbon.physics.throughput import device_hours, log10_alpha, mean_of_ends_device_hours
from tests.estimation.evaluation.samples import (
    A100,
    A100_40,
    FLOP_PER_TFLOP_HOUR,
    H100,
    L40,
    TPU,
    V100,
    catalog,
    facts,
    peak,
    planted,
    run,
    table,
)


def rows_of(runs: list[dict[str, Any]]) -> Rows:
    return evaluation_rows(table(runs), catalog().devices)


def trained(method: str, runs: list[dict[str, Any]], work: list[dict[str, Any]]) -> LnHours:
    """Predictions of work by a method that has learnt from other runs; codes of names are those of both."""
    both = rows_of([*runs, *work])
    wanted = {row["run"] for row in work}
    is_work = np.array([name in wanted for name in both.table["run"].to_pylist()])
    return EVALUATED[method].train(both.take(~is_work), facts())(both.take(is_work).work)


def utilisation(hours: float, device: str, flop: float = 1e22) -> float:
    return flop / (math.exp(hours) * peak(device) * FLOP_PER_TFLOP_HOUR)


@pytest.mark.parametrize("device", [A100, H100, TPU, L40])
def test_a_constant_is_a_third_of_the_peak_whatever_the_runs_say(device: str) -> None:
    hours = trained("constant-utilisation", [run("a", utilisation=0.5)], [run("x", device)])
    assert utilisation(hours.central[0], device) == pytest.approx(0.33)


def test_the_median_of_families_counts_a_family_once() -> None:
    many = [run(f"a{number}", utilisation=0.2, family="a") for number in range(5)]
    runs = [*many, run("b", utilisation=0.4), run("c", H100, utilisation=0.5)]
    hours = trained("family-median", runs, [run("x", TPU)])
    assert utilisation(hours.central[0], TPU) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        pytest.param(A100, 0.3, id="its own runs"),
        pytest.param(A100_40, 0.4, id="of its generation, PCIe with it"),
        pytest.param(TPU, 0.3, id="of all"),
    ],
)
def test_the_median_of_a_device_falls_back_to_its_generation_and_to_all(device: str, expected: float) -> None:
    pcie = "NVIDIA A100 PCIe 80GB"
    levels = [
        (A100, 0.3),
        (A100, 0.3),
        (pcie, 0.4),
        (pcie, 0.5),
        (pcie, 0.5),
        (V100, 0.2),
        (V100, 0.2),
        (V100, 0.1),
    ]
    runs = [run(f"run {at}", *level) for at, level in enumerate(levels)]
    hours = trained("device-median", runs, [run("x", device)])
    assert utilisation(hours.central[0], device) == pytest.approx(expected)


def test_the_calibrated_method_is_the_fit_of_the_product() -> None:
    runs, work = planted(), [run("x", H100, devices=64.0), run("y", TPU, devices=None)]
    hours = trained("calibrated", runs, work)
    found = fitted_device_hours(
        fit_devices(table(runs), catalog().devices),
        catalog().devices,
        device=table(work)["device"],
        training_flop=np.full(2, 1e22),
        device_count=np.array([64.0, np.nan]),
    )
    for ours, theirs in zip(
        (hours.low, hours.central, hours.high), (found.low, found.central, found.high), strict=True
    ):
        assert np.exp(ours) == pytest.approx(theirs, rel=1e-9)


def test_the_refitted_form_is_that_of_the_paper_profile_with_its_interval_from_k_sigma() -> None:
    runs, names = planted(), [A100, A100_40, H100, V100, TPU, L40]
    work = [run(f"x{at}", device) for at, device in enumerate(names)]
    hours, fits = (
        trained("opencarboneval-refitted", runs, work),
        {
            row["device"]: row
            for row in fit_devices(table(runs), catalog().devices, profile="paper").to_pylist()
        },
    )
    factor = PaperForm(rows_of(runs)).factor_that_holds(0.8)
    for at, device in enumerate(names):
        fit = fits[device]
        low, middle, high = (fit[f"log10_alpha{end}"] for end in ("_low", "", "_high"))
        sigma = (high - middle) / 0.6
        assert np.exp(hours.central[at]) == pytest.approx(float(mean_of_ends_device_hours(1e22, low, high)))
        assert np.exp(hours.low[at]) == pytest.approx(float(device_hours(1e22, middle + factor * sigma)))
        assert np.exp(hours.high[at]) == pytest.approx(float(device_hours(1e22, middle - factor * sigma)))


def test_k_is_the_deviation_that_holds_four_fifths_of_the_families_left_out_in_turn() -> None:
    runs = planted(9, seed=3)
    rows = rows_of(runs)
    off = np.full(len(rows), np.nan)
    kept = rows.table.to_pylist()
    for family in {row["family"] for row in kept}:
        rest = table([row for row in kept if row["family"] != family])
        fits = {
            row["device"]: row for row in fit_devices(rest, catalog().devices, profile="paper").to_pylist()
        }
        for at, row in enumerate(kept):
            if row["family"] == family:
                fit = fits[row["device"]]
                sigma = (fit["log10_alpha_high"] - fit["log10_alpha"]) / 0.6
                own = float(log10_alpha(row["training_flop"], row["device_hours"]))
                off[at] = abs(own - fit["log10_alpha"]) / sigma
    expected = width_of(off, rows, 0.8)
    assert PaperForm(rows).factor_that_holds(0.8) == pytest.approx(expected)


def test_published_table_1_predicts_its_devices_alone_and_is_in_sample() -> None:
    hours = trained("opencarboneval", planted(), [run("x", A100), run("y", L40)])
    paper = catalog().paper_devices[A100]
    ends = (paper.log10_alpha_low, paper.log10_alpha_high)
    assert np.exp(hours.central[0]) == pytest.approx(float(mean_of_ends_device_hours(1e22, *ends)))
    assert np.exp(hours.high[0]) == pytest.approx(float(device_hours(1e22, min(ends))))
    assert np.isnan([hours.low[1], hours.central[1], hours.high[1]]).all()
    assert [method.name for method in EVALUATED.values() if method.is_in_sample] == ["opencarboneval"]


def test_llmcarbon_needs_a_chip_it_knows_and_parameters() -> None:
    work = [run("x", A100), run("y", L40), run("z", A100, parameters=None)]
    hours = trained("llmcarbon", planted(), work)
    assert np.isfinite(hours.central).tolist() == [True, False, False]


@pytest.mark.parametrize("method", ["svr", "dtr"])
def test_regressions_learn_the_level_of_the_runs(method: str) -> None:
    runs = [run(f"a{at}", utilisation=0.45, flop=10.0 ** (20 + at / 4)) for at in range(12)]
    hours = trained(method, runs, [run("x")])
    assert utilisation(hours.central[0], A100) == pytest.approx(0.45, rel=0.17)


def test_a_width_holds_four_fifths_of_families_not_of_runs() -> None:
    names = ["a"] * 10 + ["b", "c", "d", "e"]
    rows = rows_of([run(f"r{at:02}", family=name) for at, name in enumerate(names)])
    residual = np.array([1.0] * 10 + [0.1, 0.2, 0.3, 0.4])
    assert width_of(residual, rows, 0.8) == 0.4
    assert width_of(residual, rows, 0.81) == 1.0
    assert np.isnan(width_of(np.full(14, np.nan), rows, 0.8))


def test_widths_are_of_billed_runs_where_there_are_any() -> None:
    runs = [run("a"), run("b"), run("c", hours_scope="throughput")]
    assert width_of(np.array([0.1, 0.2, 9.0]), rows_of(runs), 1.0) == 0.2
    none = [row | {"hours_scope": "throughput"} for row in runs]
    assert width_of(np.array([0.1, 0.2, 9.0]), rows_of(none), 1.0) == 9.0


def test_the_interval_of_a_simple_method_is_as_wide_as_families_were_off_when_left_out() -> None:
    # The median of all but one of these is 0.4 or, left out one 0.4 of three, still 0.4.
    runs = [
        run(name, utilisation=level) for name, level in zip("abcde", (0.4, 0.4, 0.4, 0.2, 0.8), strict=True)
    ]
    hours = trained("family-median", runs, [run("x")])
    assert hours.high[0] - hours.central[0] == pytest.approx(np.log(2.0))
    assert hours.central[0] - hours.low[0] == pytest.approx(np.log(2.0))


@pytest.mark.parametrize("most", [None, 3])
def test_inner_folds_leave_out_whole_families_each_once(most: int | None) -> None:
    family = np.array([5, 5, 2, 9, 9, 7, 1])
    parts = list(inner_folds(family, most))
    assert len(parts) == (5 if most is None else most)
    assert np.sum(parts, axis=0).tolist() == [1] * 7
    assert all(not set(family[part]) & set(family[~part]) for part in parts)
    assert list(inner_folds(np.array([4, 4]))) == []


def test_work_says_nothing_of_hours() -> None:
    assert not any("hours" in name for name in Work.__slots__)
