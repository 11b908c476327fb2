"""Of the published runs, those that are evidence of throughput are used, and every other says why not."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.catalog.catalog import load_catalog
from opencarbon.errors import ConfigError
from opencarbon.estimation.fitting import run_rows
from opencarbon.estimation.fitting import training_runs as judged
from opencarbon.estimation.fitting.provenance import counted_part, flop_basis, hours_scope
from opencarbon.estimation.fitting.training_runs import counts_by_reason, training_runs
from opencarbon.sources.epoch_ai import MODEL_ROWS, SOURCE_ID, parse_models
from opencarbon.tables.contracts import PUBLISHED

DATA = Path(__file__).parents[2] / "data" / "epoch_ai"

DEVICES = pa.table(
    {
        "device": ["NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB", "Google TPU v3", "NVIDIA K80"],
        "generation": ["ampere", "hopper", "tpu-v3", "kepler"],
        "peak_dense_tflop_per_s": [312.0, 989.0, 123.0, 8.73],
    }
)
UNITS = {
    "nvidiaa100sxm480gb": ("NVIDIA A100 SXM4 80GB", 1.0),
    "nvidiah100sxm580gb": ("NVIDIA H100 SXM5 80GB", 1.0),
    "googletpuv3": ("Google TPU v3", 1.0),
    "googletpuv3core": ("Google TPU v3", 0.5),
    "nvidiateslak80": ("NVIDIA K80", 1.0),
}

COUNTED = {
    "model": "Kite-3B",
    "organisation": "Example Lab",
    "hardware": "NVIDIA A100 SXM4 80 GB",
    "hardware_quantity": 64.0,
    "training_hours": 500.0,
    "parameters": 2e9,
    "numerical_format": "BF16",
    "publication_date": date(2024, 5, 1),
    "domain": "Language",
    "abstract": "A decoder-only transformer.",
    "training_flop": 1.2e22,
    "compute_notes": "6 * 2e9 parameters * 1e12 tokens = 1.2e22",
}
PUBLISHED_RUN = {
    "run": "kite-3b",
    "model": "Kite 3B",
    "family": "Kite",
    "organisation": "Example Lab",
    "device": "NVIDIA A100 SXM4 80GB",
    "devices": 64.0,
    "wall_hours": 500.0,
    "device_hours": 32_000.0,
    "training_flop": 1.2e22,
    "flop_basis": "counted",
    "hours_scope": "billed",
    "source_id": "kite-paper",
}


def epoch_rows(*changes: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([COUNTED | change for change in changes], schema=MODEL_ROWS)


def catalog_rows(*changes: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([PUBLISHED_RUN | change for change in changes])


def judge(
    epoch: pa.Table | None = None, published: pa.Table | None = None, **options: Any
) -> dict[str, dict[str, Any]]:
    runs = training_runs(epoch, published, devices=DEVICES, device_units=UNITS, **options)
    return {row["run"]: row for row in runs.to_pylist()}


def only_reason(change: dict[str, Any]) -> str | None:
    (row,) = judge(epoch_rows(change)).values()
    assert row["used"] is (row["reason"] is None)
    return row["reason"]  # type: ignore[no-any-return]  # a cell of a table


def test_a_counted_run_of_one_device_is_used() -> None:
    (row,) = judge(epoch_rows({})).values()
    assert {
        "run": f"{SOURCE_ID}/kite-3b",
        "model": "Kite-3B",
        "family": "Example Lab Kite",
        "device": "NVIDIA A100 SXM4 80GB",
        "devices": 64.0,
        "device_hours": 32_000.0,
        "training_flop": 1.2e22,
        "flop_basis": "counted",
        "hours_scope": "billed",
        "used": True,
        "reason": None,
        "source_id": SOURCE_ID,
        "parameters": 2e9,
        "active_parameters": None,
        "organisation": "Example Lab",
        "precision": "bf16",
        "publication_date": date(2024, 5, 1),
        "model_kind": "decoder_language_model",
        "device_as_given": "NVIDIA A100 SXM4 80 GB",
    } == row


def test_the_older_file_is_judged_row_by_row() -> None:
    rows = judge(parse_models((DATA / "models_2025.csv").read_bytes()))
    assert {row["model"]: row["reason"] for row in rows.values()} == {
        "Aurora-7B": None,
        "Borealis": judged.ASSUMED,
        "Corona XL": judged.GEOMETRIC_MEAN,
        "Dawn-Chat": run_rows.FINE_TUNE,
        "Eos": run_rows.SEVERAL_DEVICES,
        "Flare": run_rows.CORES,
        "Gleam": f"{run_rows.UNREADABLE}Training compute (FLOP), Training time (hours), Hardware quantity.",
    }


def test_the_newer_file_is_judged_row_by_row_and_gives_chip_hours() -> None:
    rows = judge(parse_models((DATA / "models_2026.csv").read_bytes()))
    found = {row["model"]: (row["reason"], row["flop_basis"], row["device_hours"]) for row in rows.values()}
    assert found == {
        "Helios-30B": (None, "counted", 1_500_000.5),
        "Iris-8B": (judged.ASSUMED, "assumed_utilisation", 700_000.0),
        "Juno-8B": (None, "measured_throughput", 700_000.0),
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hardware": None}, run_rows.NO_DEVICE),
        ({"hardware": "Abacus 3000"}, run_rows.UNKNOWN_DEVICE),
        ({"hardware": "NVIDIA A100 SXM4 80 GB,Google TPU v3"}, run_rows.SEVERAL_DEVICES),
        ({"hardware_quantity": None}, judged.NO_HOURS),
        ({"training_hours": 0.0}, judged.NO_HOURS),
        ({"training_flop": None}, judged.NO_FLOP),
        ({"training_flop": -1.0}, judged.NO_FLOP),
        ({"base_model": "Kite-1B"}, run_rows.FINE_TUNE),
        ({"base_model": "Kite-1B", "finetune_flop": 3e20}, run_rows.FINE_TUNE),
        ({"base_model": "Kite-1B", "finetune_flop": 1.2e22}, None),
        ({"training_hours": 166.0}, judged.ABOVE_PEAK),
        ({"training_hours": 168.0}, None),
        ({"training_hours": 33_500.0}, judged.BELOW_LEAST),
        ({"training_hours": 33_000.0}, None),
        ({"compute_notes": None}, judged.NO_BASIS),
        ({"time_notes": "From March 3 to June 9, 2024"}, judged.CALENDAR_BOUND),
        ({"time_notes": "From March 3 to June 9, 2024: 32,000 GPU hours"}, None),
        ({"hardware": "Google TPU v3", "time_notes": "on 64 TPU v3 cores"}, run_rows.CORES),
        ({"hardware": "Google TPU v3", "time_notes": "on 128 TPU v3 cores"}, None),
        ({"hardware": "Google TPU v3", "time_notes": "on a v3-64 slice"}, run_rows.CORES),
    ],
)
def test_each_rule_gives_its_reason(change: dict[str, Any], reason: str | None) -> None:
    assert reason == only_reason(change)


@pytest.mark.parametrize("utilisation", [0.30, 0.40])
def test_a_round_utilisation_is_no_reason_where_the_notes_count(utilisation: float) -> None:
    hours = 1.2e22 / (utilisation * 312e12 * 3600.0 * 64.0)
    assert only_reason({"training_hours": hours, "utilisation": utilisation}) is None


def test_cores_count_as_half_a_chip() -> None:
    (row,) = judge(epoch_rows({"hardware": "Google TPU v3 core", "training_hours": 3000.0})).values()
    assert (row["devices"], row["device_hours"], row["reason"]) == (32.0, 96_000.0, None)


@pytest.mark.parametrize(
    ("notes", "basis"),
    [
        ("64 GPUs * 312 TFLOPS * 1 week * 40% utilization = 4.8e21", "assumed_utilisation"),
        ("flops = (64) * (3.12e14) * (7*24*3600) * (0.4) = 4.8e21", "assumed_utilisation"),
        ("flops = (64) * (312 * 10**12) * (604800) * 3 // 10", "assumed_utilisation"),
        ("https://www.wolframalpha.com/input?i=64+*+312+teraFLOPS+*+1+week+*+0.4", "assumed_utilisation"),
        ("Trained for a week. Let's say 0.4 utilization rate.", "assumed_utilisation"),
        ("sqrt(2e21 * 1.15e22) = 4.8e21", "geometric_mean"),
        ("6ND: 6 * 1e9 * 8e11 = 4.8e21\nHardware: 64 * 3.12e14 * 604800 * 0.3 = 3.6e21", "counted"),
        (
            "6ND: 6 * 1e9 * 6e11 = 3.6e21\nHardware: 64 * 3.12e14 * 604800 * 0.4 = 4.8e21",
            "assumed_utilisation",
        ),
        ("The MFU is 40.0%: 64 * 3.12e14 * 604800 * 0.4 = 4.8e21", "measured_throughput"),
        ("They sustained a throughput of 124 TFLOP/s for a week", "measured_throughput"),
        ("Table 4 of the paper: 4.8*10^21", "reported"),
        ("See the thread.", None),
        ("", None),
    ],
)
def test_the_notes_tell_how_the_flop_is_known(notes: str, basis: str | None) -> None:
    assert basis == flop_basis(4.8e21, notes)


@pytest.mark.parametrize(
    ("method", "notes", "basis"),
    [
        ("Operation counting", "See the thread.", "counted"),
        ("Reported", "", "reported"),
        ("Hardware", "Table 3", "assumed_utilisation"),
        ("Hardware", "They reached an MFU of 41.3%", "measured_throughput"),
        ("Hardware,Operation counting", "Geometric mean: 4.8e21", "geometric_mean"),
        ("Hardware,Operation counting", "6ND = 4.8e21", "counted"),
        ("Hardware,Operation counting", "See the thread.", None),
        ("Benchmarks", "", None),
    ],
)
def test_the_listed_method_completes_the_notes(method: str, notes: str, basis: str | None) -> None:
    assert basis == flop_basis(4.8e21, notes, method=method)


@pytest.mark.parametrize(
    ("notes", "scope"),
    [
        ("1,720,320 GPU hours were used", "billed"),
        ("3e23 FLOP / (140 TFLOPS) = 600,000 hours", "throughput"),
        ("2023 June 25 to July 18", "calendar_bound"),
        ("Dividing the compute by 64 devices at a utilization of 31% gives 90 hours", "throughput"),
        ("Table 3: 1,210 sec per epoch * 40 epochs = 13.4 hours", "throughput"),
        ("410 ms / batch * 90,000 batches", "throughput"),
        ("each step took 0.4 seconds; it ran for 12 hours", "billed"),
        ("We were given access to the cluster for 40 days", "calendar_bound"),
        ("It took more than two weeks", "calendar_bound"),
        ("It took over a month", "calendar_bound"),
        ("a maximum of 30 hours", "calendar_bound"),
        ("It took slightly more than one month", "billed"),
        ("It saw more than 40 million sequences in 7 days", "billed"),
        ("Rumour has it that it took a month; we speculate", "calendar_bound"),
        ("Estimated to be about two months", "calendar_bound"),
        ("The 1B model took 20 hours; it should be longer for this one", "calendar_bound"),
        ("I assume it took as long as the other model", "calendar_bound"),
        ("9,000 GPU-hours; assuming 64 GPUs, that is 6 days", "billed"),
        ("15 days", "billed"),
        ("", "billed"),
    ],
)
def test_the_notes_tell_what_the_hours_span(notes: str, scope: str) -> None:
    assert scope == hours_scope(notes)


@pytest.mark.parametrize(
    ("time_notes", "other_notes", "scope"),
    [
        ("From June 1 to July 3", "It took 5,000 GPU hours", "billed"),
        ("From June 1 to July 3", "on 64 GPUs", "calendar_bound"),
        ("Table 5", "64 GPUs * 30 hours [assumed from a smaller model] * 3600", "calendar_bound"),
        ("30 hours", "64 GPUs * 30 hours * 0.3 [assumed utilization]", "billed"),
    ],
)
def test_other_notes_tell_of_device_hours_and_of_hours_that_are_assumed(
    time_notes: str, other_notes: str, scope: str
) -> None:
    assert scope == hours_scope(time_notes, other_notes)


@pytest.mark.parametrize(
    ("notes", "count"),
    [
        ("6ND: 6 * 2e9 * 5e11 = 6e21\nHardware: 8 * 3.12e14 * 86400 * 0.3 = 6.5e19\nGeometric mean", 6e21),
        ("6 FLOP / parameter / token * 2e9 * 5e11 = 6.0e+21 FLOP\nsqrt(6e21*2e22) = 1.1e22", 6e21),
        ("Operation counting: 6e21\nGeometric mean: 9e21", 6e21),
        ("6 * 2e9 * 5e11 = 6e21, about 6.1e21 by 6ND", 6.1e21),
        ("64 GPUs * 3.12e14 * 6 days * 24 * 3600 * 0.3 = 3e21\nGeometric mean: 4e21", None),
        ("6ND = 6e21\nthe forward pass costs 3 * 5e21 = 1.5e22\nGeometric mean: 9e21", None),
        ("Geometric mean of two guesses: 9e21", None),
        ("", None),
    ],
)
def test_the_counted_part_of_a_mean_is_found_where_it_is_stated(notes: str, count: float | None) -> None:
    assert count == counted_part(notes)


def test_a_geometric_mean_is_replaced_by_its_counted_part() -> None:
    notes = (
        "6ND = 6 * 2e9 * 1e12 = 1.2e22\n64 * 3.12e14 * 500 * 3600 * 0.3 = 1.08e22\nGeometric mean: 1.14e22"
    )
    (row,) = judge(epoch_rows({"training_flop": 1.14e22, "compute_notes": notes})).values()
    assert (row["training_flop"], row["flop_basis"], row["reason"]) == (1.2e22, "counted", None)


def test_a_geometric_mean_without_a_count_is_left_out() -> None:
    notes = "64 * 3.12e14 * 500 * 3600 * 0.3 = 1.08e22\nGeometric mean: 1.14e22"
    assert only_reason({"training_flop": 1.14e22, "compute_notes": notes}) == judged.GEOMETRIC_MEAN


@pytest.mark.parametrize(
    ("reported", "time_notes", "flop", "basis"),
    [
        (1.5e22, "500 hours", 1.2e22, "counted"),
        (1.7e22, "500 hours", 1.7e22, "reported"),
        (1.5e22, "1.5e22 FLOP / (64 * 130 TFLOPS) = 500 hours", 1.5e22, "reported"),
    ],
)
def test_a_count_of_the_same_work_replaces_a_report_unless_the_hours_follow_from_it(
    reported: float, time_notes: str, flop: float, basis: str
) -> None:
    notes = f"Table 2 of the paper reports {reported:.1e}\n6ND = 1.2e22"
    change = {"training_flop": reported, "compute_notes": notes, "time_notes": time_notes}
    (row,) = judge(epoch_rows(change)).values()
    assert (row["training_flop"], row["flop_basis"]) == (flop, basis)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"training_hours": 5.0}, judged.ABOVE_PEAK),
        ({"training_hours": 50_000.0}, judged.BELOW_LEAST),
        ({"training_flop": 1.2e24}, judged.ABOVE_PEAK),
        ({"training_flop": 1.2e20}, judged.BELOW_LEAST),
        ({"hardware_quantity": 6400.0}, judged.BELOW_LEAST),
    ],
)
def test_figures_a_hundred_times_off_are_named_as_implausible(change: dict[str, Any], reason: str) -> None:
    assert only_reason(change) == reason


@pytest.mark.parametrize("utilisation", [0.006, 0.02, 0.6, 0.99])
def test_no_counted_run_is_left_out_for_a_utilisation_that_is_possible(utilisation: float) -> None:
    hours = 1.2e22 / (utilisation * 312e12 * 3600.0 * 64.0)
    assert only_reason({"training_hours": hours}) is None


@pytest.mark.parametrize(
    ("unread", "change", "reason"),
    [
        ("Training compute (FLOP)", {"training_flop": None}, "Training compute (FLOP)."),
        (
            "Training time (hours);Hardware quantity",
            {"training_hours": None, "hardware_quantity": None},
            "Training time (hours), Hardware quantity.",
        ),
    ],
)
def test_text_in_a_number_that_is_needed_is_named(unread: str, change: dict[str, Any], reason: str) -> None:
    assert only_reason(change | {"unread_columns": unread}) == run_rows.UNREADABLE + reason


@pytest.mark.parametrize(
    "change",
    [
        {"unread_columns": "Parameters", "parameters": None},
        {"unread_columns": "Training time (hours)", "training_hours": None, "chip_hours": 32_000.0},
    ],
)
def test_text_in_a_number_that_is_not_needed_is_no_reason(change: dict[str, Any]) -> None:
    assert only_reason(change) is None


def test_a_renamed_device_is_named_as_it_was_given() -> None:
    (row,) = judge(epoch_rows({"hardware": "NVIDIA A100 renamed"})).values()
    assert (row["device"], row["device_as_given"]) == (None, "NVIDIA A100 renamed")
    assert row["reason"] == run_rows.UNKNOWN_DEVICE


def test_organisations_of_both_sources_have_one_name() -> None:
    rows = judge(
        epoch_rows({"organisation": "Facebook AI Research,Example Lab"}),
        catalog_rows({"organisation": "Meta", "model": "Teal", "run": "teal"}),
    )
    assert {row["organisation"] for row in rows.values()} == {"Meta, Example Lab", "Meta"}


def test_no_used_run_of_the_catalog_lacks_a_scope_a_kind_or_an_organisation() -> None:
    catalog = load_catalog()
    runs = training_runs(None, catalog.runs, devices=catalog.devices, device_units=catalog.device_units)
    used = [row for row in runs.to_pylist() if row["used"]]
    assert [
        row["run"] for row in used if None in (row["hours_scope"], row["model_kind"], row["organisation"])
    ] == []
    assert len(used) >= 85


def test_the_same_run_under_two_names_is_used_once() -> None:
    rows = judge(epoch_rows({"model": "Kite-3B (May)"}, {"model": "Kite-3B (March)"}))
    assert {None, judged.DUPLICATE} == {row["reason"] for row in rows.values()}


def test_two_rows_of_one_name_keep_a_key_each() -> None:
    rows = judge(epoch_rows({}, {"training_hours": 600.0}))
    assert [f"{SOURCE_ID}/kite-3b", f"{SOURCE_ID}/kite-3b.2"] == sorted(rows)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "Kite 3B (base)", "training_hours": 900.0},
        {
            "model": "Milvus",
            "training_hours": 505.0,
            "training_flop": 1.0e22,
            "compute_notes": "6ND = 1.0e22",
        },
    ],
)
def test_the_row_of_the_catalog_wins_by_name_or_by_figures(change: dict[str, Any]) -> None:
    rows = judge(epoch_rows(change), catalog_rows({}))
    assert rows.pop("kite-3b")["used"]
    (row,) = rows.values()
    assert row["reason"] == judged.IN_CATALOG


@pytest.mark.parametrize("change", [{"training_flop": 2.4e22}, {"training_hours": 540.0}])
def test_another_run_of_like_figures_is_not_the_run_of_the_catalog(change: dict[str, Any]) -> None:
    notes = {"model": "Milvus", "compute_notes": "Table 2 of the paper"}
    rows = judge(epoch_rows(notes | change), catalog_rows({}))
    assert rows[f"{SOURCE_ID}/milvus"]["used"]


def test_a_row_of_the_catalog_that_lacks_its_flop_gives_way() -> None:
    rows = judge(epoch_rows({}), catalog_rows({"training_flop": None}))
    assert rows["kite-3b"]["reason"] == judged.NO_FLOP
    assert rows[f"{SOURCE_ID}/kite-3b"]["used"]


def test_a_family_of_the_catalog_takes_in_the_rows_of_epoch() -> None:
    rows = judge(epoch_rows({"model": "Kite2-70B", "training_hours": 400.0}), catalog_rows({}))
    assert rows[f"{SOURCE_ID}/kite2-70b"]["family"] == "Kite"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"flop_basis": "assumed_utilisation"}, judged.ASSUMED),
        ({"flop_basis": "geometric_mean"}, judged.GEOMETRIC_MEAN),
        ({"flop_basis": None}, judged.NO_BASIS),
        ({"hours_scope": "calendar_bound"}, judged.CALENDAR_BOUND),
        ({"device_hours": 1.0}, judged.ABOVE_PEAK),
        ({"device_hours": None}, None),
    ],
)
def test_rows_of_the_catalog_follow_the_same_rules(change: dict[str, Any], reason: str | None) -> None:
    assert reason == judge(None, catalog_rows(change))["kite-3b"]["reason"]


@pytest.mark.parametrize("pattern", ["kite", "^KITE", "example lab k", "3b$"])
def test_a_model_left_out_is_left_out_of_every_source(pattern: str) -> None:
    rows = judge(epoch_rows({}), catalog_rows({"family": "Example Lab Kite"}), exclude_model=pattern)
    assert {judged.EXCLUDED} == {row["reason"] for row in rows.values()}


def test_a_pattern_that_finds_nothing_leaves_nothing_out() -> None:
    assert judge(epoch_rows({}), exclude_model="albatross")[f"{SOURCE_ID}/kite-3b"]["used"]


def test_a_broken_pattern_is_an_error_that_shows_it() -> None:
    with pytest.raises(ConfigError, match=r"'kite\('"):
        judge(epoch_rows({}), exclude_model="kite(")


def test_the_order_of_the_rows_changes_nothing() -> None:
    epoch = parse_models((DATA / "models_2025.csv").read_bytes())
    epoch = pa.concat_tables([epoch, epoch_rows({}, {"training_hours": 600.0}, {"model": "Kite-3B (May)"})])
    published = catalog_rows({}, {"run": "teal", "model": "Teal", "family": "Teal", "device_hours": 50_000.0})
    backwards = list(range(epoch.num_rows))[::-1]
    one = training_runs(epoch, published, devices=DEVICES, device_units=UNITS)
    other = training_runs(epoch.take(backwards), published.take([1, 0]), devices=DEVICES, device_units=UNITS)
    assert one.equals(other)


def test_reasons_are_counted_the_most_frequent_first() -> None:
    runs = training_runs(
        epoch_rows(
            {}, {"training_flop": None}, {"hardware": None, "model": "A"}, {"hardware": None, "model": "B"}
        ),
        None,
        devices=DEVICES,
        device_units=UNITS,
    )
    assert list(counts_by_reason(runs).items()) == [(run_rows.NO_DEVICE, 2), (judged.NO_FLOP, 1)]


def test_no_rows_at_all_are_a_table_of_the_contract() -> None:
    runs = training_runs(None, None, devices=DEVICES, device_units=UNITS)
    assert PUBLISHED["training_runs"].schema() == runs.schema
    assert runs.num_rows == 0


def test_every_row_of_the_files_stays() -> None:
    epoch = parse_models((DATA / "models_2025.csv").read_bytes())
    assert epoch.num_rows == len(judge(epoch))
