"""The shipped facts about accelerators."""

import tomllib
from datetime import date
from importlib.resources import files
from typing import Any, Final

import pyarrow.csv as pacsv
import pytest

from opencarbon.catalog.names import squeeze

DATA: Final = files("opencarbon.catalog") / "data"
STATUSES: Final = {"measured", "estimated", "assumed"}
REQUIRED: Final = (
    "device",
    "vendor",
    "generation",
    "release_date",
    "tdp_w",
    "tdp_status",
    "peak_dense_tflop_per_s",
    "peak_format",
    "memory_gb",
    "embodied_low_kgco2e",
    "embodied_central_kgco2e",
    "embodied_high_kgco2e",
    "embodied_boundary",
    "embodied_status",
    "embodied_source_id",
    "aliases",
    "source_id",
)
OPTIONAL: Final = (
    "process_nm",
    "die_mm2",
    "power_fraction",
    "host_power_w",
    "power_boundary",
    "power_status",
    "power_source_id",
    "published_log10_alpha_low",
    "published_log10_alpha_high",
    "published_tdp_w",
    "published_embodied_g_per_device_hour",
    "part_aliases",
    "note",
)
POWER: Final = ("power_fraction", "power_boundary", "power_status", "power_source_id")

# Device -> dense peak [TFLOP/s] and the sparse peak of its data sheet, which must not slip in.
DENSE_AND_SPARSE: Final = {
    "NVIDIA A10": (125, 250),
    "NVIDIA A10G": (70, 140),
    "NVIDIA A40": (149.7, 299.4),
    "NVIDIA RTX A6000": (154.8, 309.7),
    "NVIDIA A100 SXM4 40GB": (312, 624),
    "NVIDIA A100 SXM4 80GB": (312, 624),
    "NVIDIA A100 PCIe 40GB": (312, 624),
    "NVIDIA A100 PCIe 80GB": (312, 624),
    "NVIDIA L4": (121, 242),
    "NVIDIA L40S": (362, 733),
    "NVIDIA H100 SXM5 80GB": (989.4, 1979),
    "NVIDIA H100 PCIe 80GB": (756, 1513),
    "NVIDIA H100 NVL 94GB": (835.5, 1671),
    "NVIDIA H200 SXM5 141GB": (989.4, 1979),
    "NVIDIA GH200 96GB": (989.4, 1979),
    "NVIDIA B200": (2250, 4500),
    "NVIDIA GB200": (2500, 5000),
    "AMD Instinct MI300X": (1307.4, 2614.9),
}
TDP_W: Final = {
    "Google TPU v2": 280,
    "Google TPU v3": 450,
    "NVIDIA K80": 300,
    "NVIDIA P100 PCIe 16GB": 250,
    "NVIDIA P100 SXM2 16GB": 300,
    "NVIDIA V100 PCIe 16GB": 250,
    "NVIDIA V100 PCIe 32GB": 250,
    "NVIDIA V100 SXM2 16GB": 300,
    "NVIDIA V100 SXM2 32GB": 300,
    "NVIDIA T4": 70,
    "NVIDIA A100 PCIe 40GB": 250,
    "NVIDIA A100 PCIe 80GB": 300,
    "NVIDIA A100 SXM4 40GB": 400,
    "NVIDIA A100 SXM4 80GB": 400,
    "NVIDIA H100 PCIe 80GB": 350,
    "NVIDIA H100 SXM5 80GB": 700,
    "NVIDIA B200": 1000,
    "AMD Instinct MI250X": 560,
    "AMD Instinct MI300X": 750,
}
# Family, as a prefix of the device's name -> interval of Table 1 of the OpenCarbonEval paper.
PUBLISHED_LOG10_ALPHA: Final = {
    "Google TPU v2": (-1, -0.5),
    "Google TPU v3": (3, 13),
    "Google TPU v4": (15, 40),
    "NVIDIA K80": (-6.7, -6.6),
    "NVIDIA P100": (-4.5, -3.8),
    "NVIDIA V100": (-2, 10),
    "NVIDIA A100": (20, 50),
    "NVIDIA H100": (100, 110),
}
# Spelling -> device, as Epoch AI, MLCO2, the clouds, drivers and people write them.
SPELLINGS: Final = {
    "Google TPU v4": "Google TPU v4",
    "Google TPU v6e Trillium": "Google TPU v6e",
    "NVIDIA Tesla K80": "NVIDIA K80",
    "NVIDIA P100": "NVIDIA P100 SXM2 16GB",
    "NVIDIA V100": "NVIDIA V100 SXM2 32GB",
    "NVIDIA Tesla V100 DGXS 32 GB": "NVIDIA V100 SXM2 32GB",
    "NVIDIA Tesla V100 DGXS 16 GB": "NVIDIA V100 SXM2 16GB",
    "NVIDIA Tesla V100 PCIe 32 GB": "NVIDIA V100 PCIe 32GB",
    "NVIDIA A100": "NVIDIA A100 SXM4 80GB",
    "NVIDIA A100 SXM4 40 GB": "NVIDIA A100 SXM4 40GB",
    "NVIDIA A100 SXM4 80 GB": "NVIDIA A100 SXM4 80GB",
    "NVIDIA A100 PCIe": "NVIDIA A100 PCIe 40GB",
    "NVIDIA A800 SXM": "NVIDIA A800 SXM4 80GB",
    "NVIDIA H100 SXM5 80GB": "NVIDIA H100 SXM5 80GB",
    "NVIDIA H100 PCIe": "NVIDIA H100 PCIe 80GB",
    "NVIDIA H800 SXM5": "NVIDIA H800 SXM5 80GB",
    "NVIDIA H200 SXM": "NVIDIA H200 SXM5 141GB",
    "NVIDIA GeForce RTX 2080 Ti 11GB": "NVIDIA GeForce RTX 2080 Ti",
    "AMD Radeon Instinct MI250X": "AMD Instinct MI250X",
    "Amazon Trainium1": "AWS Trainium1",
    "Huawei Ascend 910": "Huawei Ascend 910",
    "TPUv3 Chip": "Google TPU v3",
    "A100 PCIe 40/80GB": "NVIDIA A100 PCIe 40GB",
    "Tesla V100-PCIE-16GB": "NVIDIA V100 PCIe 16GB",
    "Tesla V100-SXM2-16GB": "NVIDIA V100 SXM2 16GB",
    "GTX TITAN X": "NVIDIA GeForce GTX TITAN X",
    "nvidia-tesla-p100": "NVIDIA P100 PCIe 16GB",
    "nvidia-tesla-v100": "NVIDIA V100 SXM2 16GB",
    "nvidia-tesla-a100": "NVIDIA A100 SXM4 40GB",
    "nvidia-a100-80gb": "NVIDIA A100 SXM4 80GB",
    "nvidia-h100-80gb": "NVIDIA H100 SXM5 80GB",
    "ct5p": "Google TPU v5p",
    "ct5lp": "Google TPU v5e",
    "NVIDIA A100-SXM4-80GB": "NVIDIA A100 SXM4 80GB",
    "NVIDIA A100 80GB PCIe": "NVIDIA A100 PCIe 80GB",
    "NVIDIA H100 80GB HBM3": "NVIDIA H100 SXM5 80GB",
    "a100": "NVIDIA A100 SXM4 80GB",
    "V100": "NVIDIA V100 SXM2 32GB",
    "H100": "NVIDIA H100 SXM5 80GB",
    "P100": "NVIDIA P100 SXM2 16GB",
    "tpu_v3": "Google TPU v3",
}
DEVICES_PER_PART: Final = {
    "TPU v2 core": ("Google TPU v2", 0.5),
    "TPU v3 core": ("Google TPU v3", 0.5),
    "K80 die": ("NVIDIA K80", 0.5),
    "MI250X GCD": ("AMD Instinct MI250X", 0.5),
    "GB200 Superchip": ("NVIDIA GB200", 2.0),
}


def entries() -> list[dict[str, Any]]:
    """The ``[[device]]`` entries."""
    return list(tomllib.loads((DATA / "devices.toml").read_text("utf-8"))["device"])


def sources() -> dict[str, dict[str, Any]]:
    """The rows of the source list by their id."""
    with (DATA / "sources-devices.csv").open("rb") as file:
        rows = pacsv.read_csv(file).to_pylist()
    return {row["source_id"]: row for row in rows}


ENTRIES: Final = entries()
DEVICES: Final = {entry["device"]: entry for entry in ENTRIES}
SOURCES: Final = sources()


def units() -> list[tuple[str, str, float]]:
    """Every squeezed spelling with its device and the devices per unit."""
    found = []
    for entry in ENTRIES:
        spellings = [(name, 1.0) for name in (entry["device"], *entry["aliases"])]
        spellings += list(entry.get("part_aliases", {}).items())
        found += [(squeeze(name), entry["device"], per_unit) for name, per_unit in spellings]
    return found


def test_at_least_34_devices_of_six_vendors_are_shipped_each_once() -> None:
    assert len(DEVICES) == len(ENTRIES)
    assert len(DEVICES) >= 34
    assert {"Google", "NVIDIA", "AMD", "Intel", "AWS", "Huawei"} <= {entry["vendor"] for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["device"])
def test_an_entry_states_what_it_must_and_nothing_unknown(entry: dict[str, Any]) -> None:
    assert [key for key in REQUIRED if key not in entry] == []
    assert set(entry) <= {*REQUIRED, *OPTIONAL}
    assert isinstance(entry["release_date"], date)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["device"])
def test_figures_are_within_what_such_a_device_can_be(entry: dict[str, Any]) -> None:
    assert 50 <= entry["tdp_w"] <= 2000
    assert 1 <= entry["peak_dense_tflop_per_s"] <= 5000
    assert 4 <= entry["memory_gb"] <= 300
    assert 100 <= entry.get("die_mm2", 500) <= 1700
    assert entry["peak_format"] in {"bf16", "fp16", "fp32"}
    assert entry["tdp_status"] in STATUSES


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["device"])
def test_embodied_carbon_is_ordered_and_says_what_it_covers(entry: dict[str, Any]) -> None:
    low, central, high = (entry[f"embodied_{bound}_kgco2e"] for bound in ("low", "central", "high"))
    assert 0 < low <= central <= high
    assert entry["embodied_boundary"] in {"die", "card", "server"}
    assert entry["embodied_status"] in STATUSES


def test_embodied_carbon_derived_by_a_rule_is_marked_assumed() -> None:
    derived = [entry for entry in ENTRIES if entry["embodied_source_id"].startswith("rule-")]

    assert derived
    assert {entry["embodied_status"] for entry in derived} == {"assumed"}


@pytest.mark.parametrize("entry", [e for e in ENTRIES if "power_fraction" in e], ids=lambda e: e["device"])
def test_a_power_fraction_has_its_boundary_status_and_source(entry: dict[str, Any]) -> None:
    assert [key for key in POWER if key not in entry] == []
    assert 0.3 <= entry["power_fraction"] <= 1.2
    assert entry["power_boundary"] in {"chip", "board", "server"}
    assert entry["power_status"] in STATUSES


def test_no_part_of_a_power_figure_stands_alone_but_the_share_of_the_host() -> None:
    pooled = [entry for entry in ENTRIES if "power_fraction" not in entry]

    assert {key for entry in pooled for key in POWER if key in entry} == set()
    assert {entry["device"].split()[1] for entry in pooled if "host_power_w" in entry} == {"A100", "A800"}


def test_a_fraction_stands_only_where_it_is_cited_from_elsewhere_and_says_so() -> None:
    cited = [entry for entry in ENTRIES if "power_fraction" in entry]

    assert {entry["generation"] for entry in cited} == {"hopper"}
    assert {(entry["power_source_id"], entry["power_status"]) for entry in cited} == {
        ("morrison-2025-power", "assumed")
    }
    assert [entry["device"] for entry in cited if "Power fraction cited" not in entry["note"]] == []


@pytest.mark.parametrize(("device", "dense", "sparse"), [(k, *v) for k, v in DENSE_AND_SPARSE.items()])
def test_a_peak_is_dense_and_not_the_sparse_one(device: str, dense: float, sparse: float) -> None:
    assert DEVICES[device]["peak_dense_tflop_per_s"] == pytest.approx(dense, rel=0.005)
    assert DEVICES[device]["peak_dense_tflop_per_s"] < 0.6 * sparse


@pytest.mark.parametrize(
    ("device", "peak"),
    [("Intel Gaudi 3", 1835), ("NVIDIA A10", 125), ("NVIDIA K80", 8.73), ("AMD Instinct MI250X", 383)],
)
def test_a_peak_often_misprinted_is_right(device: str, peak: float) -> None:
    assert DEVICES[device]["peak_dense_tflop_per_s"] == peak


@pytest.mark.parametrize(("device", "tdp_w"), list(TDP_W.items()))
def test_the_tdp_is_the_makers(device: str, tdp_w: float) -> None:
    assert DEVICES[device]["tdp_w"] == tdp_w
    assert DEVICES[device]["tdp_status"] == "measured"


@pytest.mark.parametrize(
    "device",
    ["Google TPU v4", "Google TPU v5e", "Google TPU v5p", "Google TPU v6e", "Google TPU v7", "AWS Trainium1"],
)
def test_a_tdp_that_nobody_published_is_marked_assumed(device: str) -> None:
    assert DEVICES[device]["tdp_status"] == "assumed"


def test_16_bit_peaks_of_chips_without_16_bit_units_are_fp32() -> None:
    fp32 = {entry["device"] for entry in ENTRIES if entry["peak_format"] == "fp32"}

    assert {"NVIDIA K80", "NVIDIA P40"} <= fp32
    assert not any(name.startswith(("NVIDIA P100", "NVIDIA V100")) for name in fp32)


def test_published_log10_alpha_is_on_every_member_of_its_family_and_nowhere_else() -> None:
    published = {
        name: (entry["published_log10_alpha_low"], entry["published_log10_alpha_high"])
        for name, entry in DEVICES.items()
        if "published_log10_alpha_low" in entry
    }
    expected = {
        name: interval
        for name in DEVICES
        for family, interval in PUBLISHED_LOG10_ALPHA.items()
        if name == family or name.startswith(f"{family} ")
    }

    assert expected == published


def test_no_spelling_stands_for_two_devices_or_is_listed_twice() -> None:
    spellings = [spelling for spelling, _, _ in units()]

    assert sorted({spelling for spelling in spellings if spellings.count(spelling) > 1}) == []


@pytest.mark.parametrize(("spelling", "device"), list(SPELLINGS.items()))
def test_a_spelling_in_use_finds_its_device(spelling: str, device: str) -> None:
    found = {name: (known, per_unit) for name, known, per_unit in units()}

    assert found.get(squeeze(spelling)) == (device, 1.0)


@pytest.mark.parametrize(("spelling", "unit"), list(DEVICES_PER_PART.items()))
def test_a_part_of_a_device_counts_as_that_part(spelling: str, unit: tuple[str, float]) -> None:
    found = {name: (known, per_unit) for name, known, per_unit in units()}

    assert found.get(squeeze(spelling)) == unit


def test_every_source_named_is_listed_and_every_source_listed_is_named() -> None:
    named = {
        entry[key]
        for entry in ENTRIES
        for key in ("source_id", "embodied_source_id", "power_source_id")
        if key in entry
    }

    assert named == set(SOURCES)


@pytest.mark.parametrize("source", list(SOURCES.values()), ids=lambda source: source["source_id"])
def test_a_source_has_title_address_licence_and_date(source: dict[str, Any]) -> None:
    assert source["title"]
    assert source["url"].startswith("https://")
    assert source["licence"] in {"facts, cited", "CC BY 4.0"}
    assert source["attribution"]
    assert source["retrieved_date"] == date(2026, 11, 22)


@pytest.mark.parametrize("kind", [".toml", ".csv"])
def test_the_files_are_plain_ascii(kind: str) -> None:
    name = {".toml": "devices.toml", ".csv": "sources-devices.csv"}[kind]

    assert (DATA / name).read_bytes().isascii()
