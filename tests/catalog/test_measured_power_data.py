"""The shipped measurements of power in training."""

import math
from collections import Counter, defaultdict
from typing import Any, Final

import pytest

from opencarbon.catalog import load_catalog
from opencarbon.catalog.files import packaged, packaged_sources, read_csv
from opencarbon.estimation.energy.power_fractions import POWER_FRACTIONS_SOURCE

CATALOG: Final = load_catalog()
ROWS: Final = CATALOG.measured_power.to_pylist()
DEVICES: Final = {row["device"]: row for row in CATALOG.devices.to_pylist()}
PUBLISHED_RUNS: Final = {row["run"]: row for row in CATALOG.runs.to_pylist()}

# Run -> measured mean power of one accelerator [W], as the papers print it.
PRINTED_W: Final = {
    "t5-11b": 310,
    "meena-2.6b": 289,
    "gshard-600b": 288,
    "gpt-3-175b": 330,
    "transformer-big-tpu-v2": 229,
    "evolved-transformer-medium": 227,
    "evolved-transformer-nas": 208,
    "transformer-big-p100-google": 296,
    "evolved-transformer-p100-google": 271,
    "glam-280b-tokens": 326,
    "palm-540b": 378.5,
}

# Run -> kWh, GPUs and hours that Dodge et al. 2022 print.
DODGE: Final = {
    "bert-finetune-azure": (3.1, 4, 6),
    "bert-pretrain-azure": (37.3, 8, 36),
    "transformer-6b-azure": (13812.4, 256, 192),
    "densenet-121-azure": (0.02, 1, 0.3),
    "densenet-169-azure": (0.03, 1, 0.3),
    "densenet-201-azure": (0.04, 1, 0.4),
    "vit-tiny-azure": (1.7, 1, 19),
    "vit-small-azure": (2.2, 1, 19),
    "vit-base-azure": (4.7, 1, 21),
    "vit-large-azure": (93.3, 4, 90),
    "vit-huge-azure": (237.6, 4, 216),
}

# Run -> energy that the paper prints, PUE included, with its PUE [MWh].
PRINTED_MWH: Final = {
    "t5-11b": (85.7, 1.12),
    "meena-2.6b": (232, 1.09),
    "gshard-600b": (24.1, 1.09),
    "gpt-3-175b": (1287, 1.10),
    "evolved-transformer-nas": (7.5, 1.10),
    "transformer-big-tpu-v2": (0.040, 1.11),
    "evolved-transformer-medium": (0.030, 1.11),
    "transformer-big-p100-google": (0.316, 1.59),
    "evolved-transformer-p100-google": (0.185, 1.11),
    "glam-280b-tokens": (213, 1.11),
}

each_row = pytest.mark.parametrize("row", ROWS, ids=[row["run"] for row in ROWS])


def run(name: str) -> dict[str, Any]:
    return next(row for row in ROWS if row["run"] == name)


@each_row
def test_a_row_states_what_was_measured_where_and_by_whom(row: dict[str, Any]) -> None:
    assert row["power_boundary"] in {"chip", "board", "server"}
    assert row["evidence"] in {"measured", "sensitivity"}
    assert row["source_group"]
    assert row["note"].endswith(".")
    assert row["source_id"] in packaged_sources()["source_id"].to_pylist()


@each_row
def test_the_tdp_is_that_of_the_device_and_power_is_within_reach_of_it(row: dict[str, Any]) -> None:
    assert DEVICES[row["device"]]["tdp_w"] == row["tdp_w"]
    assert 0.2 < row["power_w"] / row["tdp_w"] < 1.4


def test_every_run_stands_once() -> None:
    assert [] == [name for name, count in Counter(row["run"] for row in ROWS).items() if count > 1]


@pytest.mark.parametrize(("name", "power_w"), PRINTED_W.items(), ids=list(PRINTED_W))
def test_power_at_the_server_is_the_printed_one(name: str, power_w: float) -> None:
    row = run(name)

    assert (power_w, "server", "measured") == (row["power_w"], row["power_boundary"], row["evidence"])


@pytest.mark.parametrize(("name", "printed"), DODGE.items(), ids=list(DODGE))
def test_power_of_the_gpu_alone_is_printed_energy_over_gpu_hours(
    name: str, printed: tuple[float, float, float]
) -> None:
    (kwh, gpus, hours), row = printed, run(name)

    assert ("board", "measured", "dodge-2022") == (
        row["power_boundary"],
        row["evidence"],
        row["source_group"],
    )
    assert pytest.approx(gpus * hours) == row["device_hours"]
    assert pytest.approx(1000 * kwh / (gpus * hours), abs=0.006) == row["power_w"]


@pytest.mark.parametrize(("name", "printed"), PRINTED_MWH.items(), ids=list(PRINTED_MWH))
def test_power_times_hours_and_pue_is_the_printed_energy(name: str, printed: tuple[float, float]) -> None:
    (mwh, pue), row = printed, run(name)

    assert pytest.approx(mwh, rel=0.02) == row["power_w"] * row["device_hours"] * pue / 1e6


def test_the_mean_of_two_runs_on_the_v100_is_the_printed_one() -> None:
    two = [run(name)["power_w"] for name in ("gpt-3-175b", "transformer-big-v100-google")]

    assert 325 == sum(two) / 2


def test_what_was_estimated_borrowed_averaged_or_sampled_elsewhere_is_not_measured() -> None:
    apart = {row["run"] for row in ROWS if row["evidence"] == "sensitivity"}

    assert apart == {
        "switch-1.5t",
        "glam-600b-tokens",
        "tpu-v4-production",
        "lamda-137b",
        "gopher-280b",
        "xlm",
        "transformer-base",
        "transformer-big",
        "elmo-strubell",
        "h100-node-benchmarks",
    }


def test_nothing_was_measured_on_an_h100() -> None:
    measured = {row["device"] for row in ROWS if row["evidence"] == "measured"}

    assert [] == [name for name in measured if DEVICES[name]["generation"] == "hopper"]


def test_no_measured_power_is_the_tdp() -> None:
    measured = [row for row in ROWS if row["evidence"] == "measured"]

    assert [] == [row["run"] for row in measured if math.isclose(row["power_w"], row["tdp_w"], rel_tol=0.005)]


def test_a_run_that_is_also_published_has_its_device_hours_and_power() -> None:
    both = [row for row in ROWS if row["run"] in PUBLISHED_RUNS]

    assert len(both) >= 10
    for row in both:
        published = PUBLISHED_RUNS[row["run"]]
        assert published["device"] == row["device"]
        assert pytest.approx(published["device_hours"]) == row["device_hours"]
        assert pytest.approx(published["power_w"], rel=0.001) == row["power_w"]


def test_papers_of_one_measuring_house_are_one_source() -> None:
    groups = defaultdict(set)
    for row in ROWS:
        if row["evidence"] == "measured":
            groups[row["source_group"]].add(row["source_id"])

    assert groups == {
        "google": {"patterson-2021-power", "du-2021-glam", "chowdhery-2022-palm"},
        "openai": {"patterson-2021-power"},
        "dodge-2022": {"dodge-2022-power"},
    }


def test_sources_of_power_are_declared_once() -> None:
    ours = read_csv(packaged("sources-power.csv"))["source_id"].to_pylist()
    every = Counter(packaged_sources()["source_id"].to_pylist())

    assert {row["source_id"] for row in ROWS} - set(ours) == {
        *("du-2021-glam", "chowdhery-2022-palm", "thoppilan-2022-lamda", "rae-2021-gopher", "llmcarbon-2023")
    }
    assert set(ours) - {row["source_id"] for row in ROWS} == {POWER_FRACTIONS_SOURCE}
    assert {1} == {every[name] for name in ours}
