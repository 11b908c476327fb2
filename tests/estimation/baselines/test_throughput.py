"""Methods that predict hours and take the design power: by hand, and why they cannot."""

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.baselines.throughput import (
    NO_CURVE,
    NO_DIE,
    NO_MEMORY,
    NO_PARAMETERS,
    NO_WORK,
    UNKNOWN_CHIP,
)
from opencarbon.estimation.fitting.regressors import Kind, fit_regressor
from tests.estimation.baselines.contexts import A100, Row, catalog_context, estimate, estimates, planned

LLMCARBON = ("llmcarbon", "llmcarbon-as-published")
EVERY = (*LLMCARBON, "svr", "dtr", "constant-utilisation")
AT_TDP = ("svr", "dtr", "constant-utilisation")
REGRESSIONS: tuple[Kind, ...] = ("svr", "dtr")
BLOOM: Row = {"training_flop": 3.87038e23, "parameters": 1.76247e11}


def pipeline_tflop_per_s(parameters: float) -> float:
    """Throughput of an A100 with pipelines, after LLMCarbon's README."""
    return -5.60233749e-23 * parameters**2 + 8.45435587e-11 * parameters + 134.546129


class TestHours:
    def test_of_constant_utilisation_are_those_of_a_third_of_the_peak(self) -> None:
        # A100: 312 TFLOP/s, 400 W.
        row = estimate("constant-utilisation", training_flop=1e21)

        hours = 1e21 / (0.33 * 312e12) / 3600
        assert [hours, hours / 8, hours * 0.4] == pytest.approx(
            [row["device_hours"], row["wall_hours"], row["energy_kwh"]]
        )

    @pytest.mark.parametrize("method", LLMCARBON)
    def test_of_llmcarbon_follow_its_quadratic_of_the_parameters(self, method: str) -> None:
        row = estimate(method, **BLOOM)

        hours = 3.87038e23 / (pipeline_tflop_per_s(1.76247e11) * 1e12) / 3600
        assert hours == pytest.approx(row["device_hours"])

    @pytest.mark.parametrize("device", ["NVIDIA V100 SXM2 32GB", "Google TPU v3", "Google TPU v4"])
    def test_of_llmcarbon_are_those_of_a_v100_on_everything_without_80_gb(self, device: str) -> None:
        row = estimate("llmcarbon", device=device, **BLOOM)

        share = (1 - 7.76 / 33.46) / 312 * 125
        hours = 3.87038e23 / (share * pipeline_tflop_per_s(1.76247e11) * 1e12) / 3600
        assert hours == pytest.approx(row["device_hours"])

    def test_of_llmcarbon_come_with_the_devices_that_it_would_take(self) -> None:
        # 1,508 after the README's curve, in whole copies of 8 x 10 devices
        assert 1520 == estimate("llmcarbon", **BLOOM)["optimal_device_count"]
        assert estimate("svr", **BLOOM)["optimal_device_count"] is None

    def test_of_llmcarbon_go_by_the_active_parameters_of_a_mixture_of_experts(self) -> None:
        dense = estimate("llmcarbon", training_flop=1e23, parameters=1e11)
        mixture = estimate("llmcarbon", training_flop=1e23, parameters=1e12, active_parameters=1e11)

        assert dense["device_hours"] == mixture["device_hours"]

    @pytest.mark.parametrize("kind", REGRESSIONS)
    def test_of_a_regression_are_those_of_the_runs_of_the_device_fits(self, kind: Kind) -> None:
        context = catalog_context()
        model = fit_regressor(kind, context.runs, context.devices)
        flop, peak = [1e20, 1e23, 1e21], [312.0, 312.0, 123.0]

        rows = estimates(
            kind,
            *(
                planned(device=device, training_flop=one)
                for device, one in zip((A100, A100, "Google TPU v3"), flop, strict=True)
            ),
        )

        assert [row["device_hours"] for row in rows] == pytest.approx(model.device_hours(flop, peak).tolist())

    @pytest.mark.parametrize("method", EVERY)
    def test_that_are_stated_win_unless_they_are_withheld(self, method: str) -> None:
        stating, silent = planned(device_hours=10.0, **BLOOM), planned(**BLOOM)

        (stated,), (withheld,) = (estimates(method, stating, is_predicting=flag) for flag in (False, True))

        assert (10.0, "stated") == (stated["device_hours"], stated["hours_source"])
        assert "predicted" == withheld["hours_source"]
        assert [withheld] == estimates(method, silent)

    @pytest.mark.parametrize("method", EVERY)
    def test_without_flop_they_are_those_stated_even_where_hours_are_withheld(self, method: str) -> None:
        (row,) = estimates(method, planned(wall_hours=2.0, parameters=7e9), is_predicting=True)

        assert (16.0, "stated") == (row["device_hours"], row["hours_source"])

    @pytest.mark.parametrize("method", EVERY)
    @pytest.mark.parametrize("work", [BLOOM, {"device_hours": 10.0, "parameters": 7e9}])
    def test_are_those_of_all_repeats(self, method: str, work: Row) -> None:
        once, often = (estimate(method, repeats=repeats, **work) for repeats in (1, 5))

        for name in ("device_hours", "wall_hours", "energy_kwh", "operational_kgco2e", "total_kgco2e"):
            assert often[name] == pytest.approx(5 * once[name])

    @pytest.mark.parametrize("method", EVERY)
    def test_follow_from_parameters_and_tokens_too(self, method: str) -> None:
        by_tokens = estimate(method, parameters=7e9, training_tokens=1e12)
        by_flop = estimate(method, parameters=7e9, training_flop=6 * 7e9 * 1e12)

        assert by_flop["device_hours"] == pytest.approx(by_tokens["device_hours"])
        assert 4.2e22 == by_tokens["training_flop"]


class TestEnergyAndCarbon:
    @pytest.mark.parametrize("method", AT_TDP)
    def test_power_is_the_design_power_without_pue_host_interval_or_embodied(self, method: str) -> None:
        row = estimate(method, training_flop=1e21, carbon_intensity_gco2e_per_kwh=200.0)

        assert (400.0, 1.0) == (row["power_w"], row["pue"])
        assert row["device_hours"] * 0.4 * 0.2 == pytest.approx(row["total_kgco2e"])
        assert {None} == {
            row[name]
            for name in ("device_hours_low", "power_high_w", "operational_low_kgco2e", "total_high_kgco2e")
        }
        assert row["embodied_kgco2e"] is None

    @pytest.mark.parametrize("method", LLMCARBON)
    def test_llmcarbon_takes_the_pue_of_the_region(self, method: str) -> None:
        calibrated = estimate("calibrated", **BLOOM)

        row = estimate(method, **BLOOM)

        assert row["pue"] == calibrated["pue"] > 1.0
        assert row["facility_energy_kwh"] == pytest.approx(row["device_hours"] * 0.4 * row["pue"])

    @pytest.mark.parametrize(
        ("device", "kgco2e"),
        [
            (A100, 8.26 * 1.6),
            ("NVIDIA V100 SXM2 32GB", 8.15 * 1.2),
            ("NVIDIA H100 SXM5 80GB", 8.14 * 1.8),
            ("Google TPU v3", 7.0 * 1.0),
            ("Google TPU v4", 4.0 * 1.6),
        ],
    )
    def test_llmcarbon_spreads_the_carbon_of_the_die_over_five_years(
        self, device: str, kgco2e: float
    ) -> None:
        row = estimate("llmcarbon", device=device, **BLOOM)

        embodied = row["device_hours"] * kgco2e / (5 * 8760)
        assert embodied == pytest.approx(row["embodied_kgco2e"])
        assert row["total_kgco2e"] == pytest.approx(row["operational_kgco2e"] + embodied)
        assert (None, None) == (row["embodied_low_kgco2e"], row["reason"])


class TestWhatCannotBeEstimated:
    @pytest.mark.parametrize("method", LLMCARBON)
    @pytest.mark.parametrize("device", ["Google TPU v2", "NVIDIA A800 SXM4 80GB", "NVIDIA A10"])
    def test_llmcarbon_knows_five_chips(self, method: str, device: str) -> None:
        unknown, known = estimates(
            method, planned(device=device, parameters=1e9, training_flop=1e20), planned(**BLOOM)
        )

        assert ("not_applicable", UNKNOWN_CHIP) == (unknown["method_status"], unknown["reason"])
        assert {None} == {unknown[name] for name in ("device_hours", "energy_kwh", "total_kgco2e")}
        assert "estimated" == known["method_status"]

    @pytest.mark.parametrize("method", LLMCARBON)
    def test_llmcarbon_has_stated_hours_on_another_chip_and_no_total(self, method: str) -> None:
        row = estimate(method, device="Google TPU v2", device_hours=1_000.0)

        assert (1_000.0, 280.0, NO_DIE) == (row["device_hours"], row["energy_kwh"], row["reason"])
        assert row["operational_kgco2e"] > 0
        assert (None, None) == (row["embodied_kgco2e"], row["total_kgco2e"])

    @pytest.mark.parametrize("method", LLMCARBON)
    def test_llmcarbon_needs_parameters(self, method: str) -> None:
        row = estimate(method, training_flop=1e20)

        assert ("not_applicable", NO_PARAMETERS) == (row["method_status"], row["reason"])

    @pytest.mark.parametrize("method", LLMCARBON)
    def test_llmcarbon_needs_the_memory_of_the_device(self, method: str) -> None:
        context = catalog_context()
        at = context.devices.column_names.index("memory_gb")
        empty = pa.nulls(context.devices.num_rows, pa.float64())
        context = replace(context, devices=context.devices.set_column(at, "memory_gb", empty))

        row = estimate(method, context=context, **BLOOM)

        assert ("not_applicable", NO_MEMORY) == (row["method_status"], row["reason"])

    def test_llmcarbon_as_published_ends_where_its_curve_does(self) -> None:
        published, clamped = (
            estimate(method, training_flop=1e24, parameters=3e12) for method in LLMCARBON[::-1]
        )

        assert ("not_applicable", NO_CURVE) == (published["method_status"], published["reason"])
        hours = 1e24 / (pipeline_tflop_per_s(1.008e12) * 1e12) / 3600
        assert clamped["device_hours"] == pytest.approx(hours)

    @pytest.mark.parametrize("method", [*AT_TDP, "llmcarbon"])
    def test_jobs_that_state_no_work_are_said_to(self, method: str) -> None:
        silent = planned(device_hours=1.0, parameters=1e9) | {"device_hours": None}

        (row,) = estimates(method, silent)

        assert ("not_applicable", NO_WORK) == (row["method_status"], row["reason"])

    @pytest.mark.parametrize("method", REGRESSIONS)
    def test_without_scikit_learn_a_regression_says_so_and_other_jobs_go_on(
        self, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "sklearn", None)

        predicted, stated = estimates(method, planned(training_flop=1e20), planned(device_hours=7.0))

        assert "not_applicable" == predicted["method_status"]
        assert "pip install 'opencarbon[baselines]'" in predicted["reason"]
        assert (7.0, None) == (stated["device_hours"], stated["reason"])

    @pytest.mark.parametrize("method", REGRESSIONS)
    def test_with_too_few_runs_a_regression_says_so(self, method: str) -> None:
        context = catalog_context()

        row = estimate(method, context=replace(context, runs=context.runs.slice(0, 3)), training_flop=1e20)

        assert "not_applicable" == row["method_status"]
        assert "3 of 3 training runs can be used" in row["reason"]


def test_hours_are_never_infinite_or_zero_over_the_range_of_manifests() -> None:
    jobs = [planned(training_flop=flop, parameters=1e9) for flop in np.logspace(6, 32, 27).tolist()]

    for method in EVERY:
        hours = [row["device_hours"] for row in estimates(method, *jobs)]
        assert np.all(np.isfinite(hours))
        assert min(hours) > 0
