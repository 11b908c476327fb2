from collections.abc import Callable

import numpy as np
import pytest

from opencarbon.physics.carbon import operational_kgco2e
from opencarbon.physics.power import (
    energy_kwh,
    facility_energy_kwh,
    hours_power_energy_kwh,
    node_power_w,
    traffic_energy_kwh,
)

GA_MEMORY_W_PER_GB = 0.3725
GA_WORLD_GCO2E_PER_KWH = 475

# Examples of Green Algorithms (Lannelongue et al. 2021) as its repository works them out, in
# data/curated_algorithms_details.csv at commit 07d16ff9: inputs, PUE, and the kWh and kgCO2e (world) printed there.
# What a device is differs: a GPU, a TPU pod or a processor core; memory is shared out among them.
GREEN_ALGORITHMS = {
    "BERT on 64 V100": ({"device_hours": 64 * 79, "device_power_w": 300}, 1.67, 2533.056, 1203.202),
    "BERT, older PUE": ({"device_hours": 64 * 79, "device_power_w": 300}, 1.58, 2396.544, 1138.358),
    "BERT 100 times": (
        {"device_hours": 64 * 79, "device_power_w": 300, "repeats": 100},
        1.67,
        253305.600,
        120320.160,
    ),
    "Meena on a TPU v3 pod": ({"device_hours": 720, "device_power_w": 288_000}, 1.67, 346291.200, 164488.320),
    "TensorQTL on 8 P100, 192 GB": (
        {"device_hours": 8 * (1 + 14 / 60 + 26 / 3600), "device_power_w": 250, "memory_gb": 192 / 8},
        1.67,
        4.292,
        2.039,
    ),
    "metaSPAdes on 32 cores, 512 GB": (
        {"device_hours": 32 * (4 + 14 / 60 + 32 / 3600), "device_power_w": 7.5, "memory_gb": 512 / 32},
        1.67,
        3.051,
        1.449,
    ),
    "Geant4-DNA on 12 cores, 10 GB, 11 energies": (
        {"device_hours": 12 * 504, "device_power_w": 10, "memory_gb": 10 / 12, "repeats": 11},
        1.67,
        1145.505,
        544.115,
    ),
}


def test_a_measured_average_is_taken_as_given() -> None:
    assert 433.0 == node_power_w(measured_power_w=433.0, tdp_w=400.0, power_fraction=0.8, host_power_w=100.0)


def test_otherwise_power_is_a_fraction_of_tdp_plus_the_share_of_the_host() -> None:
    assert 400.0 * 0.8 + 100.0 == node_power_w(tdp_w=400.0, power_fraction=0.8, host_power_w=100.0)


def test_without_more_power_is_tdp() -> None:
    assert 400.0 == node_power_w(tdp_w=400.0)


def test_elements_choose_and_nothing_known_is_nan() -> None:
    power = node_power_w(measured_power_w=[500.0, np.nan, np.nan], tdp_w=[400.0, 300.0, np.nan])
    np.testing.assert_array_equal([500.0, 300.0, np.nan], power)


def test_energy_is_hours_times_kilowatts() -> None:
    np.testing.assert_array_equal([400.0, np.nan], energy_kwh([1000.0, np.nan], 400.0))


def test_facility_energy_is_it_energy_times_pue() -> None:
    np.testing.assert_array_equal([125.0, 150.0], facility_energy_kwh(100.0, [1.25, 1.5]))


@pytest.mark.parametrize(
    ("inputs", "pue", "printed_kwh", "printed_kgco2e"), GREEN_ALGORITHMS.values(), ids=GREEN_ALGORITHMS
)
def test_the_formula_gives_the_examples_of_green_algorithms(
    inputs: dict[str, float], pue: float, printed_kwh: float, printed_kgco2e: float
) -> None:
    it_kwh = hours_power_energy_kwh(**inputs, memory_w_per_gb=GA_MEMORY_W_PER_GB)
    facility_kwh = facility_energy_kwh(it_kwh, pue)

    assert facility_kwh == pytest.approx(printed_kwh, abs=0.000501)
    assert operational_kgco2e(facility_kwh, GA_WORLD_GCO2E_PER_KWH) == pytest.approx(
        printed_kgco2e, abs=0.000501
    )


def test_every_power_of_the_formula_is_per_device_and_hour() -> None:
    kwh = hours_power_energy_kwh(
        1000.0,
        [400.0, np.nan],
        device_power_fraction=0.5,
        idle_w=30.0,
        processor_power_w=7.0,
        memory_w_per_gb=0.25,
        memory_gb=64.0,
        repeats=3.0,
    )

    np.testing.assert_allclose([3.0 * (200.0 + 30.0 + 7.0 + 16.0), np.nan], kwh, rtol=1e-15)


def test_idle_power_over_all_gpu_hours_is_the_idle_energy_of_bloom() -> None:
    gpu_hours, idle_kwh = 1_082_990, 256_646  # Luccioni et al. 2022, section 4.3

    with_idle = hours_power_energy_kwh(gpu_hours, 400.0, idle_w=idle_kwh / gpu_hours * 1000)

    assert 433_196 + idle_kwh == pytest.approx(with_idle, abs=1)


def test_traffic_energy_is_data_sent_times_energy_of_a_gigabyte() -> None:
    kwh_per_gb = 6.894e-8 * 1e6  # Cumulator 0.1.0, base.py: kWh/kB

    np.testing.assert_allclose([0.06894, 0.0, np.nan], traffic_energy_kwh([1.0, 0.0, np.nan], kwh_per_gb))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: hours_power_energy_kwh(1.0, 1.0, repeats=[1.0, 0.5]),
            "repeats must be at least 1 and finite, got 0.5 at index 1",
        ),
        (lambda: hours_power_energy_kwh(-1.0, 1.0), "device_hours must be at least 0"),
        (lambda: hours_power_energy_kwh(1.0, -1.0), "device_power_w must be at least 0"),
        (
            lambda: hours_power_energy_kwh(1.0, 1.0, device_power_fraction=-1.0),
            "device_power_fraction must be at least 0",
        ),
        (lambda: hours_power_energy_kwh(1.0, 1.0, idle_w=-1.0), "idle_w must be at least 0"),
        (
            lambda: hours_power_energy_kwh(1.0, 1.0, processor_power_w=-1.0),
            "processor_power_w must be at least 0",
        ),
        (
            lambda: hours_power_energy_kwh(1.0, 1.0, memory_w_per_gb=-1.0),
            "memory_w_per_gb must be at least 0",
        ),
        (lambda: hours_power_energy_kwh(1.0, 1.0, memory_gb=np.inf), "memory_gb must be .* finite, got inf"),
        (lambda: traffic_energy_kwh(-1.0, 1.0), "traffic_gb must be at least 0"),
        (lambda: traffic_energy_kwh(1.0, -1.0), "kwh_per_gb must be at least 0"),
        (
            lambda: facility_energy_kwh(1.0, [1.1, 0.9]),
            "pue must be at least 1 and finite, got 0.9 at index 1",
        ),
        (lambda: energy_kwh(-1.0, 1.0), "device_hours must be at least 0"),
        (lambda: node_power_w(tdp_w=np.inf), "tdp_w must be .* finite, got inf"),
        (lambda: node_power_w(measured_power_w=-5.0), "measured_power_w must be at least 0"),
    ],
)
def test_values_out_of_range_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
