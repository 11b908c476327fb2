"""Methods that multiply known hours by power: figures by hand, and published ones through the whole chain."""

from dataclasses import replace
from typing import ClassVar

import pytest

from opencarbon.catalog.methods import load_hours_power_methods
from opencarbon.estimation.baselines.estimates import NO_INTENSITY, OWN_INTENSITY
from opencarbon.estimation.baselines.hours_power import NO_HOURS
from opencarbon.tables.reproduction import METHOD_ESTIMATE
from tests.estimation.baselines.contexts import A100, Row, catalog_context, estimate, estimates, planned

FAMILY = tuple(load_hours_power_methods())
AMOUNTS = [
    name
    for name in METHOD_ESTIMATE.columns
    if name.endswith(("_kwh", "_kgco2e", "_hours")) and not name.endswith("per_kwh")
]

POWER_AND_PUE: tuple[tuple[str, str, float, float], ...] = (
    # method, device, power of one device with what the method counts of its host [W], PUE in gcp:europe-west4
    ("mlco2", A100, 400.0, 1.0),
    ("mlco2", "Google TPU v3", 283.0, 1.0),
    ("mlco2", "NVIDIA H100 SXM5 80GB", 700.0, 1.0),
    ("green-algorithms", A100, 400.0 + 64 * 0.3725, 1.12),
    ("green-algorithms", "NVIDIA T4", 70.0 + 64 * 0.3725, 1.12),
    ("cumulator", A100, 400.0, 1.0),
    ("cumulator", "NVIDIA H100 SXM5 80GB", 250.0, 1.0),
    ("codecarbon", A100, 400.0 + 85 * 0.5 / 8 + 38 / 8, 1.0),
    ("codecarbon", "Google TPU v4", 340.0 + 85 * 0.5 / 8 + 38 / 8, 1.0),
    ("eco2ai", A100, 400.0 + 100.1 / 8 + 512 * 3 / 8 / 8, 1.0),
    ("eco2ai", "NVIDIA T4", 70.0 + 100.1 / 8 + 512 * 3 / 8 / 8, 1.0),
    ("carbontracker", A100, 200.0 + 35.61 / 8, 1.58),
    ("carbontracker", "NVIDIA T4", 35.0 + 35.61 / 8, 1.58),
    ("experiment-impact-tracker", A100, 400.0, 1.58),
    ("experiment-impact-tracker", "NVIDIA V100 PCIe 16GB", 250.0, 1.58),
    ("tdp", A100, 400.0, 1.1),
    ("tdp", "NVIDIA V100 SXM2 32GB", 300.0, 1.1),
    ("bloom", A100, 400.0 + 256_646e3 / 1_082_990, 1.0),
    ("bloom", "NVIDIA V100 SXM2 32GB", 300.0 + 256_646e3 / 1_082_990, 1.0),
)


class TestByHand:
    @pytest.mark.parametrize(("method", "device", "power_w", "pue"), POWER_AND_PUE)
    def test_energy_is_hours_times_power_times_pue(
        self, method: str, device: str, power_w: float, pue: float
    ) -> None:
        row = estimate(
            method,
            device=device,
            device_hours=2_000.0,
            current_region="gcp:europe-west4",
            carbon_intensity_gco2e_per_kwh=250.0,
        )

        facility_kwh = 2_000.0 * power_w * pue / 1000
        expected = [power_w, pue, 2.0 * power_w, facility_kwh, facility_kwh * 0.25]
        names = ("power_w", "pue", "energy_kwh", "facility_energy_kwh", "operational_kgco2e")
        assert expected == pytest.approx([row[name] for name in names], rel=2e-5)

    def test_every_method_of_the_family_is_among_them(self) -> None:
        assert set(FAMILY) == {method for method, *_ in POWER_AND_PUE}

    @pytest.mark.parametrize(
        ("region", "pue"),
        [
            ("aws:us-east-1", 1.2),
            ("azure:eastus", 1.12),
            ("gcp:us-central1", 1.12),
            ("oci:eu-frankfurt-1", 1.56),
            (None, 1.56),
        ],
    )
    def test_green_algorithms_takes_the_pue_of_the_provider_of_the_region(
        self, region: str | None, pue: float
    ) -> None:
        row = estimate("green-algorithms", device_hours=10.0, current_region=region)

        assert pue == row["pue"]
        assert row["facility_energy_kwh"] == pytest.approx(row["energy_kwh"] * pue)

    def test_cumulator_adds_the_traffic_of_the_data_set_and_takes_no_pue_on_it(self) -> None:
        row = estimate("cumulator", device_hours=1_000.0, dataset_gb=5_000.0)
        without = estimate("cumulator", device_hours=1_000.0)

        assert row["energy_kwh"] == without["energy_kwh"] == 400.0
        assert row["facility_energy_kwh"] == pytest.approx(400.0 + 5_000 * 0.06894)
        assert 400.0 == without["facility_energy_kwh"]

    @pytest.mark.parametrize("method", [name for name in FAMILY if name != "cumulator"])
    def test_no_other_method_counts_traffic(self, method: str) -> None:
        assert estimate(method, device_hours=10.0, dataset_gb=5_000.0) == estimate(method, device_hours=10.0)

    @pytest.mark.parametrize("method", FAMILY)
    def test_repeats_multiply_everything_that_adds_up(self, method: str) -> None:
        once, thrice = (
            estimate(method, device_hours=10.0, dataset_gb=3.0, repeats=repeats) for repeats in (1, 3)
        )

        assert {name for name in AMOUNTS if once[name] is not None} >= {"device_hours", "total_kgco2e"}
        for name in AMOUNTS:
            assert thrice[name] == (None if once[name] is None else pytest.approx(3 * once[name]))
        assert (once["power_w"], once["pue"]) == (thrice["power_w"], thrice["pue"])

    def test_wall_hours_are_hours_of_every_device(self) -> None:
        row = estimate("mlco2", wall_hours=12.5, device_count=16.0, repeats=2)

        assert (400.0, 25.0, "stated") == (row["device_hours"], row["wall_hours"], row["hours_source"])


class TestPublished:
    @pytest.mark.parametrize(
        ("method", "tonnes"), [("mlco2", 24.69), ("bloom", 24.69 + 14.6)], ids=["dynamic", "with idle"]
    )
    def test_bloom_emits_in_operation_what_its_paper_says(self, method: str, tonnes: float) -> None:
        assert bloom(method)["operational_kgco2e"] / 1000 == pytest.approx(tonnes, abs=0.05)

    def test_bloom_embodies_and_totals_what_its_paper_says(self) -> None:
        row = bloom("bloom")

        assert row["embodied_kgco2e"] / 1000 == pytest.approx(11.2, abs=0.05)
        assert row["total_kgco2e"] / 1000 == pytest.approx(50.5, abs=0.05)

    @pytest.mark.parametrize(
        ("device_hours", "tonnes"), [(184_320.0, 31.22), (368_640.0, 62.44), (1_720_320.0, 291.42)]
    )
    def test_llama_2_emits_by_tdp_what_its_card_says(self, device_hours: float, tonnes: float) -> None:
        row = estimate("tdp", device_hours=device_hours, carbon_intensity_gco2e_per_kwh=385.0)

        assert row["total_kgco2e"] / 1000 == pytest.approx(tonnes, abs=0.01)

    def test_stable_diffusion_v1_emits_by_mlco2_what_its_card_says(self) -> None:
        row = estimate(
            "mlco2",
            device="NVIDIA A100 PCIe 40GB",
            device_hours=150_000.0,
            carbon_intensity_gco2e_per_kwh=300.0,
        )

        assert 11_250.0 == pytest.approx(row["total_kgco2e"])

    def test_cumulator_gives_its_two_indicators(self) -> None:
        # Its README: 112 gCO2e for an hour of a GPU, 31 gCO2e for 1 GB of traffic.
        hour = estimate("cumulator", device="NVIDIA H100 SXM5 80GB", device_hours=1.0, current_region=None)
        sent = estimate(
            "cumulator",
            device="NVIDIA H100 SXM5 80GB",
            device_hours=1.0,
            current_region=None,
            dataset_gb=1.0,
        )

        assert 112 == round(1000 * hour["total_kgco2e"])
        assert 31 == round(1000 * (sent["total_kgco2e"] - hour["total_kgco2e"]))


def bloom(method: str) -> Row:
    """BLOOM as its paper has it: A100 hours at the Jean Zay cluster, 57 gCO2e/kWh."""
    return estimate(
        method, device_hours=1_082_990.0, current_region=None, carbon_intensity_gco2e_per_kwh=57.0
    )


class TestWithoutHours:
    @pytest.mark.parametrize("method", FAMILY)
    def test_is_one_reason_and_no_figure(self, method: str) -> None:
        row = estimate(method, training_flop=1e21, dataset_gb=50.0)

        assert ("not_applicable", NO_HOURS) == (row["method_status"], row["reason"])
        assert {None} == {row[name] for name in (*AMOUNTS, "hours_source", "pue", "intensity_kind")}
        assert row["carbon_intensity_gco2e_per_kwh"] is None

    def test_other_jobs_go_on(self) -> None:
        rows = estimates("tdp", planned(training_flop=1e21), planned(device_hours=5.0))

        assert ["not_applicable", "estimated"] == [row["method_status"] for row in rows]
        assert [None, 5.0] == [row["device_hours"] for row in rows]


class TestIntensity:
    WORLD: ClassVar = {
        "green-algorithms": 475.0,
        "cumulator": 447.0,
        "codecarbon": 475.0,
        "eco2ai": 436.529,
        "carbontracker": 445.0,
    }

    @pytest.mark.parametrize("method", FAMILY)
    def test_without_a_region_is_that_of_the_world_where_the_method_has_one_else_null(
        self, method: str
    ) -> None:
        row = estimate(method, device_hours=10.0, current_region=None)

        world = self.WORLD.get(method)
        assert "estimated" == row["method_status"]
        assert (world, None if world is None else "world") == (
            row["carbon_intensity_gco2e_per_kwh"],
            row["intensity_kind"],
        )
        assert row["energy_kwh"] > 0
        assert (OWN_INTENSITY if world else NO_INTENSITY) == row["reason"]
        if world is None:
            assert [None] * 4 == [
                row[name] for name in ("operational_kgco2e", "total_kgco2e", "pue", "facility_energy_kwh")
            ]
        else:
            assert row["operational_kgco2e"] == pytest.approx(row["facility_energy_kwh"] * world / 1000)

    @pytest.mark.parametrize("method", FAMILY)
    def test_of_a_region_or_a_job_goes_before_that_of_the_world(self, method: str) -> None:
        there = estimate(method, device_hours=10.0, current_region="aws:eu-north-1")
        own = estimate(method, device_hours=10.0, carbon_intensity_gco2e_per_kwh=31.0, current_region=None)

        assert ("annual", "fixed") == (there["intensity_kind"], own["intensity_kind"])
        assert there["carbon_intensity_gco2e_per_kwh"] < 100
        assert 31.0 == own["carbon_intensity_gco2e_per_kwh"]
        assert (None, None) == (there["reason"], own["reason"])

    @pytest.mark.parametrize("method", FAMILY)
    def test_no_interval_is_stated_where_the_method_states_none(self, method: str) -> None:
        row = estimate(method, device_hours=10.0)

        ends = [name for name in METHOD_ESTIMATE.columns if "_low" in name or "_high" in name]
        known = {name for name in ends if row[name] is not None}
        assert {"carbon_intensity_low_gco2e_per_kwh", "carbon_intensity_high_gco2e_per_kwh"} == known


@pytest.mark.parametrize("method", [name for name in FAMILY if name != "bloom"])
def test_embodied_emissions_are_null_and_the_total_is_operational(method: str) -> None:
    row = estimate(method, device_hours=10.0)

    assert row["embodied_kgco2e"] is None
    assert row["operational_kgco2e"] == row["total_kgco2e"] > 0


def test_hours_are_never_withheld_from_methods_that_need_them() -> None:
    job = planned(device_hours=10.0, training_flop=1e21)

    for method in FAMILY:
        (row,) = estimates(method, job, is_predicting=True)
        assert (10.0, "stated") == (row["device_hours"], row["hours_source"])


def test_the_default_region_gives_its_provider_too() -> None:
    context = replace(catalog_context(), default_region="aws:us-east-1")
    row = estimate("green-algorithms", context=context, device_hours=1.0, current_region=None)

    assert ("aws:us-east-1", 1.2) == (row["baseline_region"], row["pue"])
