"""The shipped embodied figures of several sources."""

import csv
from collections import defaultdict
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.catalog.files import read_csv
from opencarbon.estimation.embodied_spread import embodied_spread
from opencarbon.tables.conform import conform, foreign_key_violations
from opencarbon.tables.contracts import PUBLISHED

DATA: Final = files("opencarbon.catalog") / "data"
COLUMNS: Final = [
    "device",
    "embodied_method",
    "device_embodied_kgco2e",
    "embodied_boundary",
    "source_id",
    "note",
]
H100: Final = "NVIDIA H100 SXM5 80GB"
A100: Final = "NVIDIA A100 SXM4 80GB"

# Device -> area [cm2] and emissions per area [kgCO2e/cm2] of LLMCarbon's data/hardware.csv.
LLMCARBON: Final = {
    "Google TPU v3": (7.0, 1.0),
    "Google TPU v4": (4.0, 1.6),
    "NVIDIA V100 SXM2 32GB": (8.15, 1.2),
    H100: (8.14, 1.8),
}
# Device -> kgCO2e per card, boaviztapi 2.5.0.
BOAVIZTA: Final = {
    "NVIDIA P100 PCIe 16GB": 158.8,
    "NVIDIA P100 SXM2 16GB": 158.8,
    "NVIDIA V100 PCIe 16GB": 203.2,
    "NVIDIA V100 PCIe 32GB": 290.0,
    "NVIDIA V100 SXM2 16GB": 205.6,
    "NVIDIA V100 SXM2 32GB": 290.0,
    "NVIDIA T4": 130.7,
    "NVIDIA A10": 184.1,
    "NVIDIA L4": 123.5,
    "NVIDIA L40S": 277.1,
    "NVIDIA A100 PCIe 40GB": 321.6,
    "NVIDIA A100 PCIe 80GB": 569.4,
    "NVIDIA A100 SXM4 40GB": 319.3,
    A100: 567.7,
    "NVIDIA H100 PCIe 80GB": 566.7,
    "NVIDIA H100 NVL 94GB": 667.8,
    H100: 575.1,
    "NVIDIA H200 SXM5 141GB": 1066.9,
    "NVIDIA B200": 1414.9,
    "NVIDIA B300": 2543.0,
    "AMD Instinct MI300X": 1497.2,
}
# (device, source) -> kgCO2e per device, as the source prints it or an eighth of what it prints for eight.
PRINTED: Final = {
    (H100, "nvidia-hgx-h100-pcf"): 1312 / 8,
    ("NVIDIA B200", "nvidia-hgx-b200-pcf"): 2274 / 8,
    (H100, "ecologits-0.11.3"): 273,
    ("NVIDIA H800 SXM5 80GB", "ecologits-video"): 273,
    ("NVIDIA H200 SXM5 141GB", "ecologits-video"): 364,
    ("Google TPU v6e", "ecologits-video"): 323,
    (A100, "ecologits-a100"): 143,
    ("NVIDIA A100 SXM4 40GB", "falk-2025"): 127.6,
    ("Google TPU v4i", "schneider-2025"): 386,
    ("Google TPU v5p", "schneider-2025"): 1101,
    ("Google TPU v6e", "schneider-2025"): 692,
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def rows() -> list[dict[str, Any]]:
    """The rows of the file."""
    return read_csv(DATA / "embodied_figures.csv").to_pylist()


def listed_sources() -> dict[str, dict[str, str]]:
    """The rows of the topic's source list by their id."""
    lines = (DATA / "sources-embodied.csv").read_text("utf-8").splitlines()
    return {row["source_id"]: row for row in csv.DictReader(lines)}


def figure(device: str, source_id: str) -> float:
    """The one figure of a source for a device."""
    (found,) = [
        row["device_embodied_kgco2e"]
        for row in rows()
        if (row["device"], row["source_id"]) == (device, source_id)
    ]
    return float(found)


def methods() -> dict[str, set[str]]:
    """Device -> how its figures come about."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows():
        found[row["device"]].add(row["embodied_method"])
    return found


def test_the_catalog_holds_at_least_45_devices_and_140_regions(catalog: Catalog) -> None:
    assert catalog.devices.num_rows >= 45
    assert catalog.regions.num_rows >= 140


def test_the_file_has_its_columns_in_plain_ascii_and_is_sorted_by_key() -> None:
    assert read_csv(DATA / "embodied_figures.csv").column_names == COLUMNS
    assert (DATA / "embodied_figures.csv").read_bytes().isascii()
    assert (DATA / "sources-embodied.csv").read_bytes().isascii()
    keys = [(row["device"], row["embodied_method"], row["source_id"]) for row in rows()]
    assert keys == sorted(set(keys))


def test_no_figure_is_lost_between_the_file_and_the_catalog(catalog: Catalog) -> None:
    contract = PUBLISHED["dim_device_embodied"]

    assert [{name: row[name] for name in contract.columns} for row in rows()] == catalog.embodied.to_pylist()
    assert conform(catalog.embodied, contract).equals(catalog.embodied)


def test_every_device_is_named_as_the_catalog_names_it(catalog: Catalog) -> None:
    assert {row["device"] for row in rows()} - set(catalog.device_names()) == set()


def test_every_source_is_declared_and_every_source_of_the_topic_is_used(catalog: Catalog) -> None:
    named = {row["source_id"] for row in rows()}

    assert named - set(catalog.sources["source_id"].to_pylist()) == set()
    assert set(listed_sources()) - named == set()


@pytest.mark.parametrize("source", list(listed_sources().values()), ids=lambda source: source["source_id"])
def test_a_source_has_title_address_licence_and_date(source: dict[str, str]) -> None:
    assert source["title"]
    assert source["url"].startswith("https://")
    assert source["licence"] == "facts, cited"
    assert source["attribution"]
    assert date.fromisoformat(source["retrieved_date"]) == date(2026, 11, 25)


@pytest.mark.parametrize(("device", "factors"), list(LLMCARBON.items()))
def test_a_die_only_figure_is_area_times_emissions_per_area(
    device: str, factors: tuple[float, float]
) -> None:
    area_cm2, kgco2e_per_cm2 = factors

    assert figure(device, "llmcarbon-hardware") == pytest.approx(area_cm2 * kgco2e_per_cm2, rel=1e-9)


def test_the_paper_s_a100_is_its_grams_an_hour_over_a_year_and_its_area_within_rounding() -> None:
    a100 = figure(A100, "opencarboneval-2024")

    assert a100 == pytest.approx(1.5 * 8760 / 1000)
    assert 8.26 * 1.6 == pytest.approx(a100, abs=0.05 * 8760 / 1000)


def test_devices_of_one_die_have_one_die_only_figure(catalog: Catalog) -> None:
    areas = dict(zip(catalog.device_names(), catalog.devices["die_mm2"].to_pylist(), strict=True))
    found = {
        (areas[row["device"]], row["device_embodied_kgco2e"])
        for row in rows()
        if row["embodied_method"] == "die_only"
    }

    assert found == {(700.0, 7.0), (None, 6.4), (814.0, 14.652), (815.0, 9.78), (826.0, 13.14)}


@pytest.mark.parametrize(("device", "kgco2e"), list(BOAVIZTA.items()))
def test_boavizta_s_card_is_the_one_printed_and_the_high_scenario(
    catalog: Catalog, device: str, kgco2e: float
) -> None:
    high = dict(zip(catalog.device_names(), catalog.devices["embodied_high_kgco2e"].to_pylist(), strict=True))

    assert figure(device, "boavizta-2.5.0") == kgco2e
    assert high[device] == kgco2e


@pytest.mark.parametrize(("key", "kgco2e"), list(PRINTED.items()))
def test_a_figure_is_the_one_its_source_prints(key: tuple[str, str], kgco2e: float) -> None:
    assert figure(*key) == pytest.approx(kgco2e, rel=1e-9)


def test_a_flat_rate_is_150_kg_for_every_gpu_and_for_no_other_chip() -> None:
    flat = {
        row["device"]: row["device_embodied_kgco2e"]
        for row in rows()
        if row["embodied_method"] == "flat_rate"
    }

    assert set(flat.values()) == {150.0}
    assert set(flat) == {device for device in methods() if not device.startswith("Google")}


def test_what_a_figure_includes_follows_from_how_it_comes_about() -> None:
    found = defaultdict(set)
    for row in rows():
        found[row["embodied_method"]].add(row["embodied_boundary"])

    assert found == {
        "die_only": {"die"},
        "vendor_footprint": {"card"},
        "bottom_up": {"card"},
        "flat_rate": {"card"},
        "lca": {"card", "server"},
    }


def test_at_least_four_devices_have_three_kinds_of_source() -> None:
    rich = {device for device, kinds in methods().items() if len(kinds) >= 3}

    assert {H100, A100, "NVIDIA A100 SXM4 40GB", "NVIDIA V100 SXM2 32GB", "NVIDIA V100 SXM2 16GB"} <= rich


def test_sources_of_the_h100_differ_about_39_times(catalog: Catalog) -> None:
    (h100,) = [row for row in embodied_spread(catalog.embodied).to_pylist() if row["device"] == H100]

    assert (h100["lowest_kgco2e"], h100["highest_kgco2e"], h100["sources"]) == (14.652, 575.1, 5)
    assert 35 < h100["ratio"] < 45


def test_no_scenario_in_use_is_as_low_as_a_bare_die(catalog: Catalog) -> None:
    low = dict(zip(catalog.device_names(), catalog.devices["embodied_low_kgco2e"].to_pylist(), strict=True))
    die_only = [row for row in rows() if row["embodied_method"] == "die_only"]

    assert len(die_only) == 13
    assert [row["device"] for row in die_only if low[row["device"]] < 3 * row["device_embodied_kgco2e"]] == []


class TestDevicesOfTheUser:
    @pytest.fixture
    def overridden(self, tmp_path: Path) -> Catalog:
        path = tmp_path / "devices.toml"
        path.write_text(
            f'[[device]]\ndevice = "{A100}"\nembodied_central_kgco2e = 200\n\n'
            '[[device]]\ndevice = "ACME T1"\nvendor = "ACME"\ntdp_w = 300\npeak_dense_tflop_per_s = 100\n'
            "die_mm2 = 600\nprocess_nm = 7\n"
        )
        return load_catalog([str(path)])

    def test_leave_the_published_figures_alone(self, catalog: Catalog, overridden: Catalog) -> None:
        tables = {
            "dim_device": overridden.devices,
            "dim_source": overridden.sources,
            "dim_device_embodied": overridden.embodied,
        }

        assert overridden.embodied.equals(catalog.embodied)
        assert foreign_key_violations(tables, PUBLISHED) == []

    def test_own_the_embodied_figures_they_state(self, overridden: Catalog) -> None:
        found = {row["device"]: row for row in overridden.devices.to_pylist()}

        assert (found[A100]["embodied_central_kgco2e"], found[A100]["embodied_source_id"]) == (
            200.0,
            "user-catalog",
        )
        assert found[H100]["embodied_source_id"] == "ecologits-0.11.3"
        assert found["ACME T1"]["embodied_source_id"] is None

    def test_have_their_die_and_process_published(self, overridden: Catalog) -> None:
        found = {row["device"]: (row["die_mm2"], row["process_nm"]) for row in overridden.devices.to_pylist()}

        assert (found["ACME T1"], found[H100]) == ((600.0, 7.0), (814.0, 4.0))
        assert found["Google TPU v5p"] == (None, None)
