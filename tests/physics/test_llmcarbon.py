"""LLMCarbon: its curves, its validations, and the column that OpenCarbonEval prints under its name."""

from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

from opencarbon.catalog.catalog import load_catalog
from opencarbon.catalog.files import packaged, packaged_sources, read_csv
from opencarbon.physics import llmcarbon
from opencarbon.physics.carbon import embodied_kgco2e, operational_kgco2e
from opencarbon.physics.compute import training_flop
from opencarbon.physics.llmcarbon import (
    BATCH_SIZE,
    CHIPS,
    DEVICE_COUNT,
    FLEET_UTILISATION,
    LIFETIME_H,
    PIPELINE_TFLOP_PER_S,
    TENSOR_TFLOP_PER_S,
    a100_pipeline_device_hours,
    chip_of,
    device_hours_at,
    parallel_layout,
    tflop_per_s,
    training_days,
)
from opencarbon.physics.power import energy_kwh, facility_energy_kwh

FloatArray = NDArray[np.float64]
VALIDATIONS: Final = read_csv(packaged("llmcarbon_validation.csv")).to_pylist()
CATALOG: Final = load_catalog([], []).devices
HARDWARE: Final = read_csv(packaged("llmcarbon_hardware.csv")).to_pylist()

# Narayanan et al. 2021, Table 1: parameters [1e9], tensor- and pipeline-parallel size, GPUs, batch, TFLOP/s per GPU.
MEGATRON: Final = np.array(
    [
        (1.7, 1, 1, 32, 512, 137),
        (3.6, 2, 1, 64, 512, 138),
        (7.5, 4, 1, 128, 512, 142),
        (18.4, 8, 1, 256, 1024, 135),
        (39.1, 8, 2, 512, 1536, 138),
        (76.1, 8, 4, 1024, 1792, 140),
        (145.6, 8, 8, 1536, 2304, 148),
        (310.1, 8, 16, 1920, 2160, 155),
        (529.6, 8, 35, 2520, 2520, 163),
        (1008.0, 8, 64, 3072, 3072, 163),
    ]
)
PARAMETERS: Final = MEGATRON[:, 0] * 1e9
V100_OVER_A100: Final = 0.307725  # (1 - 7.76 / 33.46) x 125 / 312, the authors' model.py


# curves


@pytest.mark.parametrize(
    ("curve", "square", "linear", "constant"),
    [
        pytest.param(TENSOR_TFLOP_PER_S, -8.82079068e-20, 1.68591116e-09, 1.33954735e02, id="tensor"),
        pytest.param(PIPELINE_TFLOP_PER_S, -5.60233749e-23, 8.45435587e-11, 1.34546129e02, id="pipeline"),
        pytest.param(DEVICE_COUNT, -2.12910565e-21, 4.39684339e-09, 7.99173057e02, id="devices"),
        pytest.param(BATCH_SIZE, -4.29439186e-01, 5.21376002e01, 1.43737095e03, id="batch"),
    ],
)
def test_the_coefficients_are_those_that_the_authors_publish(
    curve: llmcarbon.Quadratic, square: float, linear: float, constant: float
) -> None:
    assert (square, linear, constant) == (curve.square, curve.linear, curve.constant)


@pytest.mark.parametrize(
    ("curve", "x", "y", "rel"),
    [
        pytest.param(TENSOR_TFLOP_PER_S, PARAMETERS[:4], MEGATRON[:4, 5], 1e-3, id="tensor"),
        pytest.param(PIPELINE_TFLOP_PER_S, PARAMETERS[3:], MEGATRON[3:, 5], 1e-5, id="pipeline"),
        pytest.param(DEVICE_COUNT, PARAMETERS[5:], MEGATRON[5:, 3], 1e-4, id="devices"),
        pytest.param(BATCH_SIZE, MEGATRON[3:, 2], MEGATRON[3:, 4], 1e-8, id="batch"),
    ],
)
def test_a_curve_is_the_least_squares_fit_to_the_rows_of_megatron_it_is_clamped_to(
    curve: llmcarbon.Quadratic, x: FloatArray, y: FloatArray, rel: float
) -> None:
    refit = Polynomial.fit(x, y, 2)(x)

    assert curve.at(x, clamped=False) == pytest.approx(refit, rel=rel)
    assert curve.highest == x[-1]
    assert curve.lowest <= x[0]


def test_inside_the_fitted_rows_clamping_changes_nothing() -> None:
    published = tflop_per_s(PARAMETERS, 80.0)

    assert published == pytest.approx(MEGATRON[:, 5], rel=0.02)
    assert np.array_equal(published, tflop_per_s(PARAMETERS, 80.0, clamped=True))


def test_clamped_throughput_stays_at_the_ends_of_the_fit() -> None:
    small, large, largest = tflop_per_s([1e8, 2e12, 3e12], 80.0, clamped=True)

    assert pytest.approx(tflop_per_s(1.7e9, 80.0)) == small
    assert pytest.approx(PIPELINE_TFLOP_PER_S.at(np.array(1008e9), clamped=False)) == large == largest


def test_published_curves_decline_beyond_the_fit_and_end_in_nan() -> None:
    assert tflop_per_s(2e12, 80.0) == pytest.approx(79.54, abs=0.01)
    assert np.isnan(tflop_per_s(3e12, 80.0))
    assert np.isnan(TENSOR_TFLOP_PER_S.at(np.array(70e9), clamped=False))
    assert np.isnan(parallel_layout(2.3e12, 80.0).device_count)
    assert parallel_layout(2.3e12, 80.0, clamped=True).device_count > 0


@pytest.mark.parametrize(
    ("memory_gb", "device"),
    [(16.0, "V100"), (32.0, "TPU v3 or v4"), (40.0, "A100"), (94.0, "H100 NVL")],
)
def test_a_device_without_80_gb_is_a_v100(memory_gb: float, device: str) -> None:
    del device
    a100 = PIPELINE_TFLOP_PER_S.at(np.array(100e9), clamped=False)

    assert tflop_per_s(100e9, memory_gb) == pytest.approx(V100_OVER_A100 * a100, rel=1e-5)


@given(st.floats(1e6, 1e14), st.sampled_from([16.0, 32.0, 40.0, 80.0, 141.0]))
def test_clamped_results_are_always_there_and_below_the_peak_of_an_a100(
    parameters: float, memory_gb: float
) -> None:
    layout = parallel_layout(parameters, memory_gb, clamped=True)
    throughput = tflop_per_s(parameters, memory_gb, clamped=True)

    assert 40.0 < throughput < 170.0
    assert 1.0 <= layout.tensor_parallel <= 8.0
    assert layout.tensor_parallel == 8.0 or layout.pipeline_parallel == 1.0


# layout


@pytest.mark.parametrize(
    ("billions", "memory_gb", "expected"),
    [
        # One GPU per 2.4e9 parameters at 80 GB; 7.99e2 + 4.40e-9 P - 2.13e-21 P^2 devices in whole copies.
        pytest.param(1.7, 80.0, (1, 1, 807, 807), id="one A100"),
        pytest.param(18.4, 80.0, (8, 1, 880, 880), id="one node of A100s"),
        pytest.param(175.0, 80.0, (8, 10, 1520, 1912), id="GPT-3 on A100s"),
        pytest.param(175.0, 32.0, (8, 23, 3680, 3680), id="GPT-3 on V100s: 2.5 times as many"),
        pytest.param(175.0, 40.0, (8, 19, 7600, 7600), id="GPT-3 on A100s of 40 GB: 5 times as many"),
    ],
)
def test_a_model_is_spread_by_memory_nodes_and_whole_copies(
    billions: float, memory_gb: float, expected: tuple[int, ...]
) -> None:
    assert expected == tuple(float(part) for part in parallel_layout(billions * 1e9, memory_gb))


def test_missing_parameters_or_memory_stay_missing() -> None:
    for layout in (parallel_layout(np.nan, 80.0), parallel_layout(1e9, np.nan)):
        assert np.isnan(layout).all()
    assert np.isnan([tflop_per_s(np.nan, 80.0), tflop_per_s(100e9, np.nan)]).all()
    assert np.isnan([a100_pipeline_device_hours(np.nan, 1e9), device_hours_at(1e21, np.nan)]).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: parallel_layout(0.0, 80.0), "parameters must be greater than 0"),
        (lambda: tflop_per_s(1e9, 0.0), "memory_gb must be greater than 0"),
        (lambda: a100_pipeline_device_hours(1e21, -1.0), "parameters must be greater than 0"),
        (lambda: device_hours_at(1e21, 0.0), "tflop_per_s must be greater than 0"),
        (lambda: training_days(1.0, 0.0), "device_count must be greater than 0"),
    ],
)
def test_impossible_arguments_are_refused_by_name(call: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()


# devices


def test_devices_without_area_and_carbon_per_area_cannot_be_done() -> None:
    can = {device for device in map(str, CATALOG["device"].to_pylist()) if chip_of(device)}

    assert can == {
        "Google TPU v3",
        "Google TPU v4",
        "NVIDIA V100 PCIe 16GB",
        "NVIDIA V100 PCIe 32GB",
        "NVIDIA V100 SXM2 16GB",
        "NVIDIA V100 SXM2 32GB",
        "NVIDIA A100 PCIe 40GB",
        "NVIDIA A100 PCIe 80GB",
        "NVIDIA A100 SXM4 40GB",
        "NVIDIA A100 SXM4 80GB",
        "NVIDIA H100 PCIe 80GB",
        "NVIDIA H100 NVL 94GB",
        "NVIDIA H100 SXM5 80GB",
    }


@pytest.mark.parametrize("row", HARDWARE, ids=lambda row: row["hardware"])
def test_the_area_of_a_chip_is_that_of_the_hardware_list(row: dict[str, Any]) -> None:
    chips = {name.split(maxsplit=1)[1]: chip for name, chip in CHIPS.items()}
    if row["hardware"] in chips:
        assert chips[row["hardware"]] == (float(row["amount"]), float(row["kgco2e_per_amount"]))
    assert set(chips) - {row["hardware"] for row in HARDWARE} == {"A100"}


@pytest.mark.parametrize(
    ("device", "printed_g_per_hour"),
    [("NVIDIA A100", 1.5), ("NVIDIA H100", 1.7), ("Google TPU v3", 0.8), ("NVIDIA V100", 1.1)],
)
def test_a_chip_over_a_year_is_the_figure_of_opencarboneval(device: str, printed_g_per_hour: float) -> None:
    assert printed_g_per_hour == round(CHIPS[device].embodied_kgco2e * 1000.0 / 8760.0, 1)


# validations of the authors


@pytest.mark.parametrize("row", VALIDATIONS, ids=lambda row: row["model"])
def test_a_validation_gives_the_error_of_the_authors_code(row: dict[str, Any]) -> None:
    # Parameters of the dense base for a mixture of experts; utilisation, power and devices as measured.
    flop = training_flop(
        parameters=row["parameters"],
        active_parameters=row["active_parameters"],
        training_tokens=row["training_tokens"],
    )
    hours = device_hours_at(flop, row["peak_dense_tflop_per_s"] * row["utilisation"])
    energy = facility_energy_kwh(energy_kwh(hours, row["power_w"]), row["pue"])
    emitted = operational_kgco2e(energy, row["carbon_intensity_gco2e_per_kwh"])

    assert 100.0 * (emitted / row["actual_kgco2e"] - 1.0) == pytest.approx(row["error_pct"], abs=0.006)


def test_the_five_errors_are_those_of_the_authors_code() -> None:
    errors = {row["model"]: row["error_pct"] for row in VALIDATIONS}

    assert errors == {"T5": -2.06, "GPT-3": 0.23, "GShard": 3.26, "Switch": 7.92, "XLM": -3.54}


@pytest.mark.parametrize(
    ("model", "measured_days", "off_pct"), [("T5", 20.0, 2.0), ("GPT-3", 14.8, 0.1), ("XLM", 20.4, 3.5)]
)
def test_days_of_a_dense_validation_are_near_those_measured(
    model: str, measured_days: float, off_pct: float
) -> None:
    row = next(row for row in VALIDATIONS if row["model"] == model)
    flop = training_flop(parameters=row["parameters"], training_tokens=row["training_tokens"])
    hours = device_hours_at(flop, row["peak_dense_tflop_per_s"] * row["utilisation"])

    assert training_days(hours, row["devices"]) == pytest.approx(measured_days, rel=off_pct / 100.0)


def test_the_embodied_example_is_1_8_percent_below_the_published_tonnes() -> None:
    # XLM: 20.4 days, 0.66 t after Wu et al. 2022 (authors' llmcarbon_tutorial.py).
    total = sum(
        float(
            embodied_kgco2e(
                float(row["amount"]) * float(row["kgco2e_per_amount"]),
                float(row["units"]) * 20.4 * 24.0,
                LIFETIME_H,
                FLEET_UTILISATION,
            )
        )
        for row in HARDWARE
    )

    assert 100.0 * (total / 660.0 - 1.0) == pytest.approx(-1.81, abs=0.01)


def test_data_names_devices_of_the_catalog_and_listed_sources() -> None:
    devices = set(CATALOG["device"].to_pylist())
    sources = packaged_sources()["source_id"].to_pylist()
    ours = read_csv(packaged("sources-llmcarbon.csv"))["source_id"].to_pylist()
    used = {row["source_id"] for row in (*VALIDATIONS, *HARDWARE)}

    assert {row["device"] for row in VALIDATIONS} <= devices
    assert all(sources.count(source) == 1 for source in (*used, *ours))
    assert set(ours) <= used


# the column of OpenCarbonEval

# Table 2: parameters, ZettaFLOP, TDP [W], PUE, intensity [g/kWh]. Table 3: embodied [g/h]. Printed tonnes and kilograms.
TABLE_2: Final = {
    "GLM": (130e9, 312.0, 400.0, 1.1, 581.0, 1.5, 153.11, 898.37),
    "BLOOM": (176e9, 387.0, 400.0, 1.2, 57.0, 1.5, 19.89, 1090.65),
    "StarCoder": (15e9, 93.0, 400.0, 1.2, 155.0, 1.5, 14.14, 285.23),
    "LLaMa-3": (70e9, 6300.0, 700.0, 1.1, 424.0, 1.7, 4074.63, 21211.80),
    "ViT-L/16": (307e6, 0.53, 450.0, 1.1, 369.0, 0.8, 0.20, 0.88),
    "Swin-L": (197e6, 0.40, 300.0, 1.1, 369.0, 1.1, 0.10, 0.91),
}


def tonnes(model: str, hours: ArrayLike, *, pue: float | None = None) -> float:
    _, _, tdp_w, stated_pue, intensity, _, _, _ = TABLE_2[model]
    energy = facility_energy_kwh(energy_kwh(hours, tdp_w), stated_pue if pue is None else pue)
    return float(operational_kgco2e(energy, intensity)) / 1000.0


@pytest.mark.parametrize("model", TABLE_2)
def test_the_llmcarbon_column_is_an_a100_s_pipeline_throughput_at_design_power(model: str) -> None:
    parameters, zettaflop, *_, g_per_hour, printed_t, printed_kg = TABLE_2[model]
    hours = a100_pipeline_device_hours(zettaflop * 1e21, parameters)

    assert tonnes(model, hours) == pytest.approx(printed_t, rel=0.0015, abs=0.0051)
    assert hours * g_per_hour / 1000.0 == pytest.approx(printed_kg, rel=0.0015, abs=0.0051)


@pytest.mark.parametrize(
    ("model", "parameters", "rel"),
    [
        pytest.param("GLM", 130e9, 6e-6, id="GLM"),
        pytest.param("BLOOM", 176e9, 1e-5, id="BLOOM"),
        pytest.param("StarCoder", 15.5e9, 2e-5, id="StarCoder, which has 15.5e9"),
        pytest.param("LLaMa-3", 70e9, 6e-6, id="LLaMa-3"),
    ],
)
def test_two_digits_exchanged_in_the_slope_explain_the_rest_of_the_embodied_column(
    model: str, parameters: float, rel: float
) -> None:
    # 8.54e-11 for 8.45e-11: printed nowhere, but with it every kilogram agrees to a hundred-thousandth.
    _, zettaflop, *_, g_per_hour, _, printed_kg = TABLE_2[model]
    exchanged = PIPELINE_TFLOP_PER_S._replace(linear=8.54435587e-11)
    throughput = exchanged.at(np.array(parameters), clamped=False)

    hours = device_hours_at(zettaflop * 1e21, throughput)

    assert hours * g_per_hour / 1000.0 == pytest.approx(printed_kg, rel=rel)


def test_one_leaf_of_the_tree_gives_both_printed_figures_only_with_the_two_pues() -> None:
    # Column DTR: GLM and BLOOM follow from one throughput with 1.1 and 1.2, not with one PUE for both.
    glm, bloom = (device_hours_at(zettaflop * 1e21, 137.28) for zettaflop in (312.0, 387.0))

    assert (161.39, 21.42) == (round(tonnes("GLM", glm), 2), round(tonnes("BLOOM", bloom), 2))
    assert tonnes("BLOOM", bloom, pue=1.1) == pytest.approx(19.64, abs=0.01)
