"""The shipped published training runs."""

import tomllib
from collections import Counter
from datetime import date
from importlib.resources import files
from io import BytesIO
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

DATA: Final = files("opencarbon.catalog") / "data"
NUMBERS: Final = (
    *("devices", "wall_hours", "device_hours", "parameters", "active_parameters", "training_flop"),
    *("energy_kwh", "power_w", "pue", "carbon_intensity_gco2e_per_kwh", "actual_kgco2e"),
)
COLUMNS: Final = [
    "run",
    "model",
    "family",
    "organisation",
    "year",
    "device",
    "devices",
    "wall_hours",
    "device_hours",
    "parameters",
    "active_parameters",
    "training_flop",
    "flop_basis",
    "hours_scope",
    "energy_kwh",
    "power_w",
    "power_status",
    "pue",
    "carbon_intensity_gco2e_per_kwh",
    "actual_kgco2e",
    "precision",
    "model_kind",
    "publication_date",
    "source_id",
    "note",
]
SAYS_THROUGHPUT: Final = {"counted", "reported", "measured_throughput"}
TFLOP: Final = 1e12
SECONDS_PER_HOUR: Final = 3600

# Run -> mean throughput [TFLOP/s per device] that its source prints or implies.
PRINTED_TFLOP_PER_S: Final = {
    "t5-11b": 45.6,
    "meena-2.6b": 42.3,
    "gshard-600b": 48.0,
    "switch-1.5t": 34.4,
    "gpt-3-175b": 24.6,
    "lamda-137b": 0.565 * 123,
    "xlm": 26.5,
    "palm-540b": 0.302 * 275,
    "lstm-1b-word": 1.09,
    "moe-high-budget": 1.56,
    "vit-22b": 0.549 * 275,
}


def rows_of(name: str) -> list[dict[str, Any]]:
    """A data file, all text but the numbers; only the empty cell is null."""
    data = (DATA / name).read_bytes()
    header = data.split(b"\n", 1)[0].decode().split(",")
    types: dict[str, pa.DataType] = {
        column: pa.float64() if column in NUMBERS else pa.string() for column in header
    }
    types |= {column: pa.int64() for column in header if column == "year"}
    options = pacsv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    return list(pacsv.read_csv(BytesIO(data), convert_options=options).to_pylist())


RUNS: Final = rows_of("published_runs.csv")
SOURCES: Final = {row["source_id"]: row for row in rows_of("sources-runs.csv")}
PEAK_TFLOP_PER_S: Final = {
    entry["device"]: entry["peak_dense_tflop_per_s"]
    for entry in tomllib.loads((DATA / "devices.toml").read_text("utf-8"))["device"]
}
USABLE: Final = [
    run for run in RUNS if run["flop_basis"] in SAYS_THROUGHPUT and run["hours_scope"] == "billed"
]


def tflop_per_s(run: dict[str, Any]) -> float:
    """Mean throughput of one device over the run."""
    return float(run["training_flop"] / TFLOP / (run["device_hours"] * SECONDS_PER_HOUR))


def test_columns_are_those_announced() -> None:
    assert list(RUNS[0]) == COLUMNS


def test_every_run_is_listed_once() -> None:
    counts = Counter(run["run"] for run in RUNS)

    assert [name for name, count in counts.items() if count > 1] == []


def test_at_least_60_runs_can_be_fitted_on_from_many_families_and_devices() -> None:
    assert len(USABLE) >= 60
    assert len({run["family"] for run in USABLE}) >= 30
    assert len({run["device"] for run in USABLE}) >= 10


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["run"])
def test_a_run_states_what_a_fit_and_its_reader_need(run: dict[str, Any]) -> None:
    for column in ("model", "family", "organisation", "year", "device", "device_hours", "training_flop"):
        assert run[column] is not None, column
    assert run["flop_basis"] in SAYS_THROUGHPUT | {"assumed_utilisation", "geometric_mean"}
    assert run["hours_scope"] in {"billed", "throughput", "calendar_bound"}
    assert run["precision"] in {None, "bf16", "fp16", "fp32", "fp8"}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["run"])
def test_a_run_names_a_device_of_the_catalog(run: dict[str, Any]) -> None:
    assert run["device"] in PEAK_TFLOP_PER_S


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["run"])
def test_mean_throughput_lies_below_the_dense_peak(run: dict[str, Any]) -> None:
    utilisation = tflop_per_s(run) / PEAK_TFLOP_PER_S[run["device"]]

    assert 0.04 < utilisation < 0.75


@pytest.mark.parametrize(
    "run", [r for r in RUNS if r["devices"] and r["wall_hours"]], ids=lambda run: run["run"]
)
def test_device_hours_are_devices_times_wall_hours(run: dict[str, Any]) -> None:
    assert run["device_hours"] == pytest.approx(run["devices"] * run["wall_hours"], rel=1e-4)


@pytest.mark.parametrize("run", [r for r in RUNS if r["power_w"]], ids=lambda run: run["run"])
def test_energy_is_device_hours_times_power_and_says_how_it_is_known(run: dict[str, Any]) -> None:
    assert run["energy_kwh"] == pytest.approx(run["device_hours"] * run["power_w"] / 1000, rel=1e-6)
    assert run["power_status"] in {"measured", "estimated", "assumed"}


def test_energy_without_power_is_not_stated() -> None:
    powerless = [run for run in RUNS if run["power_w"] is None]

    assert [run["run"] for run in powerless if run["energy_kwh"] or run["power_status"]] == []


@pytest.mark.parametrize(("name", "printed"), list(PRINTED_TFLOP_PER_S.items()))
def test_implied_throughput_is_the_one_printed(name: str, printed: float) -> None:
    run = next(run for run in RUNS if run["run"] == name)

    assert tflop_per_s(run) == pytest.approx(printed, rel=0.02)


def test_figures_that_say_nothing_about_throughput_are_told_apart() -> None:
    circular = {run["run"] for run in RUNS if run["flop_basis"] not in SAYS_THROUGHPUT}

    assert {"pangu-sigma", "stable-diffusion-v1"} == circular
    assert circular.isdisjoint(run["run"] for run in USABLE)


def test_a_fine_tune_does_not_carry_the_flop_of_its_base_model() -> None:
    nekomata = next(run for run in RUNS if run["run"] == "nekomata-14b")

    assert nekomata["training_flop"] == pytest.approx(6 * 14.2e9 * 66e9, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "reported", "convention"),
    [("opt-175b", 4.3e23, 6 * 175e9 * 300e9), ("gopher-280b", 6.31e23, 6 * 280e9 * 300e9)],
)
def test_flop_are_counted_by_one_convention_whatever_else_is_reported(
    name: str, reported: float, convention: float
) -> None:
    run = next(run for run in RUNS if run["run"] == name)

    assert run["training_flop"] == pytest.approx(convention)
    assert 1.2 < reported / run["training_flop"] < 1.4


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["run"])
def test_a_run_says_what_kind_its_model_is_and_when_it_was_published(run: dict[str, Any]) -> None:
    assert run["model_kind"] in {"decoder_language_model", "other"}
    if run["publication_date"]:
        assert date.fromisoformat(run["publication_date"]).year in {run["year"] - 1, run["year"]}


def test_every_decoder_states_its_parameters() -> None:
    decoders = [run for run in RUNS if run["model_kind"] == "decoder_language_model"]

    assert [run["run"] for run in decoders if run["parameters"] is None] == []
    assert len({run["family"] for run in decoders if run["parameters"] >= 1e9}) >= 30


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("t5-11b", "other"),
        ("ul2-20b", "other"),
        ("switch-1.5t", "other"),
        ("meena-2.6b", "other"),
        ("esm2-15b", "other"),
        ("xlnet-large", "other"),
        ("vit-22b", "other"),
        ("gpt-3-175b", "decoder_language_model"),
        ("glam-600b-tokens", "decoder_language_model"),
        ("santacoder-1.1b", "decoder_language_model"),
        ("kolibri-1", "decoder_language_model"),
    ],
)
def test_encoders_and_encoder_decoders_are_not_decoders(name: str, kind: str) -> None:
    assert next(run for run in RUNS if run["run"] == name)["model_kind"] == kind


def test_every_source_named_is_listed_and_every_source_listed_is_named() -> None:
    assert {run["source_id"] for run in RUNS} == set(SOURCES)


def test_no_source_is_listed_for_devices_and_for_runs() -> None:
    of_devices = {row["source_id"] for row in rows_of("sources-devices.csv")}

    assert sorted(of_devices & set(SOURCES)) == []


@pytest.mark.parametrize("source", list(SOURCES.values()), ids=lambda source: source["source_id"])
def test_a_source_has_title_address_licence_and_date(source: dict[str, Any]) -> None:
    assert source["title"]
    assert source["url"].startswith("https://")
    assert source["licence"] in {"facts, cited", "CC BY 4.0"}
    assert source["attribution"]
    assert date.fromisoformat(source["retrieved_date"]) == date(2026, 11, 22)


@pytest.mark.parametrize("run", [run for run in RUNS if run["actual_kgco2e"]], ids=lambda run: run["run"])
def test_reported_emissions_come_with_their_intensity_and_follow_from_plausible_power(
    run: dict[str, Any],
) -> None:
    intensity, pue = run["carbon_intensity_gco2e_per_kwh"], run["pue"] or 1.0
    power_w = run["actual_kgco2e"] / (run["device_hours"] * intensity * pue) * 1e6

    assert 150 < power_w < 800


def test_active_parameters_are_fewer_than_all() -> None:
    sparse = {run["run"]: run for run in RUNS if run["active_parameters"]}

    assert {"glam-600b-tokens", "llama-4-scout", "llama-4-maverick", "jetmoe-8b"} <= set(sparse)
    assert all(run["active_parameters"] < run["parameters"] for run in sparse.values())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("gpt-3-175b", 175e9), ("bloom-176b", 176.247e9), ("llama-2-70b", 68.977e9), ("palm-540b", 540.35e9)],
)
def test_parameters_are_those_printed(name: str, parameters: float) -> None:
    assert next(run for run in RUNS if run["run"] == name)["parameters"] == parameters
