"""The hours-times-power family of methods: coefficients as their tools have them, and the tools' own examples."""

from collections.abc import Mapping
from typing import Final, get_args

import pytest

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.catalog.files import packaged, packaged_sources, read_csv
from opencarbon.catalog.methods import (
    DevicePowerBasis,
    HoursPowerMethod,
    PueBasis,
    load_hours_power_methods,
)
from opencarbon.physics.carbon import operational_kgco2e
from opencarbon.physics.power import facility_energy_kwh, hours_power_energy_kwh, traffic_energy_kwh

METHODS: Final = load_hours_power_methods()
DEVICES_PER_HOST: Final = 8

TPU_V3: Final = "Google TPU v3"
A100_SXM: Final = "NVIDIA A100 SXM4 80GB"
A100_PCIE: Final = "NVIDIA A100 PCIe 40GB"
H100: Final = "NVIDIA H100 SXM5 80GB"

# Method -> power fraction, PUE, world intensity [gCO2e/kWh], as the tools' code and papers have them.
CONSTANTS: Final = {
    "mlco2": (1.0, None, None),
    "green-algorithms": (1.0, 1.56, 475.0),
    "cumulator": (1.0, None, 447.0),
    "codecarbon": (1.0, 1.0, 475.0),
    "eco2ai": (1.0, 1.0, 436.529),
    "carbontracker": (0.5, 1.58, 445.0),
    "experiment-impact-tracker": (1.0, 1.58, None),
    "tdp": (1.0, 1.1, None),
    "bloom": (1.0, None, None),
}
# Method -> processors [W per host], memory [W/GB], memory [GB per host] where nothing is known of the machine.
HOST: Final = {
    "green-algorithms": (0.0, 0.3725, 512),
    "codecarbon": (85 * 0.5, (4 * 5 + 4 * 4.5) / 512, 512),
    "eco2ai": (100.1, 3 / 8, 512),
    "carbontracker": (35.61, 0.0, 0.0),
}
# Method -> device -> W, as the tool lists it.
LISTED_W: Final = {
    "mlco2": {
        "Google TPU v2": 221,
        TPU_V3: 283,
        A100_PCIE: 250,
        "NVIDIA A100 PCIe 80GB": 250,
        A100_SXM: 400,
        "NVIDIA GeForce GTX 1080 Ti": 250,
        "NVIDIA GeForce GTX TITAN X": 250,
        "NVIDIA GeForce RTX 2080 Ti": 250,
        "NVIDIA GeForce RTX 3090": 350,
        "NVIDIA K40": 245,
        "NVIDIA K80": 300,
        "NVIDIA P100 PCIe 16GB": 250,
        "NVIDIA P100 SXM2 16GB": 250,
        "NVIDIA P40": 250,
        "NVIDIA RTX A6000": 300,
        "NVIDIA T4": 70,
        "NVIDIA V100 PCIe 16GB": 300,
        "NVIDIA V100 SXM2 16GB": 250,
        "NVIDIA V100 SXM2 32GB": 300,
    },
    "green-algorithms": {
        "Google TPU v2": 280,
        TPU_V3: 220,
        "Google TPU v4": 170,
        A100_PCIE: 250,
        "NVIDIA A100 PCIe 80GB": 300,
        "NVIDIA GeForce GTX 1080 Ti": 250,
        "NVIDIA GeForce GTX TITAN X": 250,
        "NVIDIA GeForce RTX 2080 Ti": 250,
        "NVIDIA K80": 300,
        "NVIDIA P100 PCIe 16GB": 250,
        "NVIDIA P100 SXM2 16GB": 250,
        "NVIDIA T4": 70,
        "NVIDIA V100 PCIe 16GB": 300,
        "NVIDIA V100 PCIe 32GB": 300,
        "NVIDIA V100 SXM2 16GB": 300,
        "NVIDIA V100 SXM2 32GB": 300,
    },
    "cumulator": {
        "AMD Instinct MI100": 300,
        "AMD Instinct MI250X": 500,
        "NVIDIA A10": 150,
        A100_PCIE: 250,
        "NVIDIA A100 PCIe 80GB": 250,
        "NVIDIA A100 SXM4 40GB": 400,
        A100_SXM: 400,
        "NVIDIA A40": 300,
        "NVIDIA GeForce GTX 1080 Ti": 250,
        "NVIDIA GeForce GTX TITAN X": 250,
        "NVIDIA GeForce RTX 2080 Ti": 250,
        "NVIDIA GeForce RTX 3090": 350,
        "NVIDIA K40": 245,
        "NVIDIA K80": 300,
        "NVIDIA P100 PCIe 16GB": 250,
        "NVIDIA P100 SXM2 16GB": 300,
        "NVIDIA P40": 250,
        "NVIDIA RTX A6000": 300,
        "NVIDIA T4": 70,
        "NVIDIA V100 PCIe 16GB": 300,
        "NVIDIA V100 PCIe 32GB": 250,
        "NVIDIA V100 SXM2 16GB": 250,
        "NVIDIA V100 SXM2 32GB": 250,
    },
    "experiment-impact-tracker": {
        "Google TPU v2": 250,
        TPU_V3: 200,
        "NVIDIA GeForce GTX 1080 Ti": 250,
        "NVIDIA GeForce GTX TITAN X": 250,
        "NVIDIA GeForce RTX 2080 Ti": 250,
        "NVIDIA K40": 235,
        "NVIDIA K80": 300,
        "NVIDIA P100 PCIe 16GB": 250,
        "NVIDIA V100 PCIe 16GB": 250,
        "NVIDIA V100 PCIe 32GB": 250,
        "NVIDIA V100 SXM2 16GB": 300,
        "NVIDIA V100 SXM2 32GB": 300,
    },
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def tdp_w(catalog: Catalog) -> Mapping[str, float]:
    rows = catalog.devices.select(["device", "tdp_w"]).to_pylist()
    return {row["device"]: row["tdp_w"] for row in rows}


def it_kwh(method: HoursPowerMethod, device_hours: float, device: str, tdp_w: float | None) -> float:
    """IT energy of a run by the method's coefficients, memory as it assumes it."""
    power_w = method.device_power_w(device, tdp_w)
    assert power_w is not None
    return float(
        hours_power_energy_kwh(
            device_hours,
            power_w,
            device_power_fraction=method.device_power_fraction,
            idle_w=method.idle_w_per_device,
            processor_power_w=method.processor_power_w_per_device,
            memory_w_per_gb=method.memory_w_per_gb,
            memory_gb=method.memory_gb_per_device,
        )
    )


def kgco2e(it_energy_kwh: float, method: HoursPowerMethod, gco2e_per_kwh: float) -> float:
    return float(operational_kgco2e(facility_energy_kwh(it_energy_kwh, method.pue_at(None)), gco2e_per_kwh))


class TestRows:
    def test_there_are_nine_methods_each_under_its_name(self) -> None:
        assert list(CONSTANTS) == list(METHODS)
        assert [method.method for method in METHODS.values()] == list(METHODS)

    @pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
    def test_a_row_is_whole(self, method: HoursPowerMethod) -> None:
        assert method.device_power_basis in get_args(DevicePowerBasis)
        assert method.pue_basis in get_args(PueBasis)
        assert (method.device_power_basis == "tdp") == (not method.device_powers_w)
        assert (method.pue_basis == "none") == (method.pue is None)
        assert (method.pue_basis == "provider") == bool(method.provider_pues)
        texts = (method.title, method.needs, method.formula, method.limits, method.note)
        assert all(text.endswith(".") for text in texts[1:])
        assert method.title

    def test_every_source_is_declared(self) -> None:
        assert {m.source_id for m in METHODS.values()} <= set(packaged_sources()["source_id"].to_pylist())

    def test_every_listed_device_and_provider_is_known_to_the_catalog(self, catalog: Catalog) -> None:
        for method in METHODS.values():
            assert set() == set(method.device_powers_w) - set(catalog.device_names()), method.method
            assert set() == set(method.provider_pues) - set(catalog.regions["provider"].to_pylist())

    def test_a_method_lists_a_device_or_a_provider_once(self) -> None:
        for file in ("hours_power_devices.csv", "hours_power_pue.csv"):
            keys = [tuple(row.values())[:2] for row in read_csv(packaged(file)).to_pylist()]
            assert len(set(keys)) == len(keys), file

    def test_methods_cannot_be_changed_by_their_reader(self) -> None:
        with pytest.raises(TypeError):
            METHODS["mlco2"] = METHODS["tdp"]  # type: ignore[index]
        with pytest.raises(TypeError):
            METHODS["mlco2"].device_powers_w[TPU_V3] = 1.0  # type: ignore[index]


class TestCoefficients:
    @pytest.mark.parametrize(("name", "constants"), CONSTANTS.items(), ids=CONSTANTS)
    def test_fraction_pue_and_world_intensity_are_the_tools(
        self, name: str, constants: tuple[float, float | None, float | None]
    ) -> None:
        method = METHODS[name]

        assert constants == (
            method.device_power_fraction,
            method.pue,
            method.world_intensity_gco2e_per_kwh,
        )

    @pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
    def test_processors_and_memory_of_a_host_are_the_fallbacks_of_the_tool(
        self, method: HoursPowerMethod
    ) -> None:
        processors_w, memory_w_per_gb, memory_gb = HOST.get(method.method, (0.0, 0.0, 0.0))

        assert method.processor_power_w_per_device * DEVICES_PER_HOST == pytest.approx(
            processors_w, abs=0.005
        )
        assert method.memory_w_per_gb == memory_w_per_gb
        assert method.memory_gb_per_device * DEVICES_PER_HOST == memory_gb

    @pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
    def test_listed_powers_are_the_tools(self, method: HoursPowerMethod) -> None:
        assert LISTED_W.get(method.method, {}) == dict(method.device_powers_w)

    def test_only_bloom_has_idle_power_and_embodied_emissions(self) -> None:
        assert ["bloom"] == [name for name, method in METHODS.items() if method.idle_w_per_device]
        known = [name for name, m in METHODS.items() if m.embodied_g_per_device_hour is not None]
        assert ["bloom"] == known

    def test_only_cumulator_counts_traffic(self) -> None:
        assert ["cumulator"] == [name for name, method in METHODS.items() if method.traffic_kwh_per_gb]

    def test_green_algorithms_takes_its_pue_from_the_provider(self) -> None:
        method = METHODS["green-algorithms"]

        assert {"aws": 1.2, "azure": 1.12, "gcp": 1.12} == dict(method.provider_pues)
        assert [1.2, 1.56, 1.56] == [method.pue_at(name) for name in ("aws", "onprem", None)]

    def test_without_a_pue_the_facility_draws_what_the_servers_draw(self) -> None:
        assert [1.0, 1.0] == [METHODS["mlco2"].pue_at("aws"), METHODS["bloom"].pue_at(None)]

    def test_a_constant_pue_holds_at_every_provider(self) -> None:
        assert [1.58, 1.58] == [METHODS["carbontracker"].pue_at(name) for name in ("gcp", None)]


class TestPowerOfADevice:
    def test_the_list_of_the_tool_comes_before_the_tdp(self) -> None:
        assert 283 == METHODS["mlco2"].device_power_w(TPU_V3, 450.0)

    def test_a_device_that_is_not_listed_has_its_tdp(self) -> None:
        assert 700 == METHODS["green-algorithms"].device_power_w(H100, 700.0)

    def test_cumulator_gives_every_other_device_250_w(self) -> None:
        assert 250 == METHODS["cumulator"].device_power_w(H100, 700.0)

    def test_a_device_of_which_nothing_is_known_has_the_default_or_no_power(self) -> None:
        powers = {name: method.device_power_w("a device", None) for name, method in METHODS.items()}

        known = {name: power for name, power in powers.items() if power is not None}
        assert {"green-algorithms": 200.0, "cumulator": 250.0} == known


class TestPublishedExamples:
    @pytest.mark.parametrize(
        ("device_hours", "printed_kgco2e"), [(150_000, 11_250), (200_000, 15_000)], ids=["v1", "v2"]
    )
    def test_mlco2_gives_the_cards_of_stable_diffusion(
        self, tdp_w: Mapping[str, float], device_hours: float, printed_kgco2e: float
    ) -> None:
        # 0.30 kg/kWh is what both cards imply for AWS, US-east.
        kwh = it_kwh(METHODS["mlco2"], device_hours, A100_PCIE, tdp_w[A100_PCIE])

        assert kgco2e(kwh, METHODS["mlco2"], 300) == pytest.approx(printed_kgco2e)

    def test_mlco2_gives_the_card_of_dalle_mini(self, tdp_w: Mapping[str, float]) -> None:
        # A TPU v3-8, four chips, for 72 h in GCP us-east1 (0.37 kg/kWh).
        kwh = it_kwh(METHODS["mlco2"], 4 * 72, TPU_V3, tdp_w[TPU_V3])

        assert kgco2e(kwh, METHODS["mlco2"], 370) == pytest.approx(30.16, abs=0.005)

    def test_green_algorithms_gives_its_example_with_its_list_and_memory(self) -> None:
        # TensorQTL: eight Tesla P100 PCIe and 192 GB for 1:14:26 at the PUE of that time, 1.67.
        method = METHODS["green-algorithms"]
        power_w = method.device_power_w("NVIDIA P100 PCIe 16GB", None)
        assert power_w is not None
        kwh = hours_power_energy_kwh(
            8 * (1 + 14 / 60 + 26 / 3600), power_w, memory_w_per_gb=method.memory_w_per_gb, memory_gb=192 / 8
        )

        assert facility_energy_kwh(kwh, 1.67) == pytest.approx(4.292, abs=0.0005)

    @pytest.mark.parametrize(
        ("device_hours", "printed_mwh", "printed_tco2e"),
        [
            (809_472, 356, 137),
            (82_432, 36, 14),
            (135_168, 59, 23),
            (530_432, 233, 90),
            (1_022_362, 449, 173),
        ],
        ids=["OPT-175B", "LLaMA-7B", "LLaMA-13B", "LLaMA-33B", "LLaMA-65B"],
    )
    def test_tdp_gives_the_table_of_llama(
        self, tdp_w: Mapping[str, float], device_hours: float, printed_mwh: int, printed_tco2e: int
    ) -> None:
        method = METHODS["tdp"]
        kwh = it_kwh(method, device_hours, A100_SXM, tdp_w[A100_SXM])

        # Table 15 cuts the MWh off and rounds the tonnes.
        assert printed_mwh == int(facility_energy_kwh(kwh, method.pue_at(None)) / 1000)
        assert printed_tco2e == round(kgco2e(kwh, method, 385) / 1000)

    @pytest.mark.parametrize(
        ("device_hours", "printed_tco2e"),
        [(184_320, 31.22), (368_640, 62.44), (1_720_320, 291.42)],
        ids=["Llama 2 7B", "Llama 2 13B", "Llama 2 70B"],
    )
    def test_tdp_gives_the_card_of_llama_2(
        self, tdp_w: Mapping[str, float], device_hours: float, printed_tco2e: float
    ) -> None:
        kwh = it_kwh(METHODS["tdp"], device_hours, A100_SXM, tdp_w[A100_SXM])

        assert kgco2e(kwh, METHODS["tdp"], 385) / 1000 == pytest.approx(printed_tco2e, abs=0.01)

    @pytest.mark.parametrize(
        ("device_hours", "printed_tco2e", "digits"),
        [(1.3e6, 390, -1), (6.4e6, 1900, -2)],
        ids=["Llama 3 8B", "Llama 3 70B"],
    )
    def test_tdp_gives_the_card_of_llama_3_to_its_two_digits(
        self, tdp_w: Mapping[str, float], device_hours: float, printed_tco2e: float, digits: int
    ) -> None:
        kwh = it_kwh(METHODS["tdp"], device_hours, H100, tdp_w[H100])

        assert printed_tco2e == round(kgco2e(kwh, METHODS["tdp"], 385) / 1000, digits)

    def test_bloom_gives_its_dynamic_idle_embodied_and_total_emissions(
        self, tdp_w: Mapping[str, float]
    ) -> None:
        method, gpu_hours = METHODS["bloom"], 1_082_990
        dynamic_kwh = float(hours_power_energy_kwh(gpu_hours, tdp_w[A100_SXM]))
        all_kwh = it_kwh(method, gpu_hours, A100_SXM, tdp_w[A100_SXM])
        assert method.embodied_g_per_device_hour is not None
        embodied_kg = gpu_hours * method.embodied_g_per_device_hour / 1000

        assert dynamic_kwh == pytest.approx(433_196, abs=0.5)
        assert all_kwh - dynamic_kwh == pytest.approx(256_646, abs=0.5)
        assert kgco2e(dynamic_kwh, method, 57) == pytest.approx(24_690, abs=5)
        assert kgco2e(all_kwh - dynamic_kwh, method, 57) == pytest.approx(14_600, abs=50)
        assert embodied_kg == pytest.approx(7_570 + 3_640, abs=5)
        assert kgco2e(all_kwh, method, 57) + embodied_kg == pytest.approx(50_500, abs=50)

    def test_cumulator_gives_its_two_indicators(self) -> None:
        # Its README: 112 gCO2e for an hour of a GPU, 31 gCO2e for 1 GB of traffic.
        method = METHODS["cumulator"]
        assert method.world_intensity_gco2e_per_kwh is not None
        hour_kwh = it_kwh(method, 1, "a GPU", None)
        gigabyte_kwh = float(traffic_energy_kwh(1, method.traffic_kwh_per_gb))

        assert 112 == round(hour_kwh * method.world_intensity_gco2e_per_kwh)
        assert 31 == round(gigabyte_kwh * method.world_intensity_gco2e_per_kwh)
        assert gigabyte_kwh == pytest.approx(6.894e-8 * 1e6)
