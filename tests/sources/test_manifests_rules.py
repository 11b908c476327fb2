"""Every rule about rows: what breaks it, what is said, and that the other rows go on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.sources.manifests import BOUNDS, INPUT_COLUMNS, RULES
from opencarbon.tables.columns import all_columns
from tests.sources.manifest_samples import GOOD, NOON, one_file, read_all, table_of, texts

NO_WORK = {"device_hours": None}
PAIR = {"device_hours": None, "parameters": 7e9, "training_tokens": 1e12}
SAMPLES = {"device_hours": None, "forward_flop_per_sample": 1e9, "samples": 1e6}

# What a job changes -> the rules it breaks, as (column, code), in the order in which they are listed.
BROKEN: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"job_id": None}, [("job_id", "missing")]),
    ({"job_id": "  "}, [("job_id", "missing")]),
    ({"job_id": "x" * 1001}, [("job_id", "too_long")]),
    ({"job_id": "a\x00b"}, [("job_id", "control_characters")]),
    ({"job_id": "first"}, [("job_id", "duplicate_job_id")]),
    ({"team": "two\nlines"}, [("team", "control_characters")]),
    ({"model": "é" * 1001}, [("model", "too_long")]),
    ({"device": None}, [("device", "missing")]),
    ({"device": ""}, [("device", "missing")]),
    ({"device": "A100 80G"}, [("device", "unknown_device")]),
    ({"device_count": None}, [("device_count", "missing")]),
    ({"device_count": float("nan")}, [("device_count", "missing")]),
    ({"device_count": 0.0}, [("device_count", "out_of_range")]),
    ({"device_count": -8.0}, [("device_count", "out_of_range")]),
    ({"device_count": 1.1e9}, [("device_count", "out_of_range")]),
    ({"device_count": 1e-300}, [("device_count", "out_of_range")]),
    ({"device_count": float("inf")}, [("device_count", "not_finite")]),
    (NO_WORK, [("device_hours", "no_work")]),
    ({"device_hours": float("nan")}, [("device_hours", "no_work")]),
    ({"device_hours": 0.0}, [("device_hours", "out_of_range")]),
    ({"device_hours": float("-inf")}, [("device_hours", "not_finite")]),
    ({"device_hours": 1.1e12}, [("device_hours", "out_of_range")]),
    (NO_WORK | {"wall_hours": -1.0}, [("wall_hours", "out_of_range")]),
    (NO_WORK | {"wall_hours": 1e7}, [("wall_hours", "out_of_range")]),
    (NO_WORK | {"training_flop": 1e33}, [("training_flop", "out_of_range")]),
    (NO_WORK | {"training_flop": 1.0}, [("training_flop", "out_of_range")]),
    (NO_WORK | {"parameters": 7e9}, [("training_tokens", "incomplete_work")]),
    (NO_WORK | {"training_tokens": 1e12}, [("parameters", "incomplete_work")]),
    (NO_WORK | {"samples": 1e6}, [("forward_flop_per_sample", "incomplete_work")]),
    (NO_WORK | {"forward_flop_per_sample": 1e9}, [("samples", "incomplete_work")]),
    (
        NO_WORK | {"parameters": 7e9, "samples": 1e6},
        [("training_tokens", "incomplete_work"), ("forward_flop_per_sample", "incomplete_work")],
    ),
    (PAIR | {"parameters": 0.5}, [("parameters", "out_of_range")]),
    (PAIR | {"parameters": 1e17, "training_tokens": 1e17}, [("parameters", "work_out_of_range")]),
    (PAIR | {"parameters": 7.0, "training_tokens": 1000.0}, [("parameters", "work_out_of_range")]),
    (
        SAMPLES | {"samples": 1e20, "forward_flop_per_sample": 1e26},
        [("forward_flop_per_sample", "work_out_of_range")],
    ),
    (SAMPLES | {"samples": -1.0}, [("samples", "out_of_range")]),
    (PAIR | {"active_parameters": 8e9}, [("active_parameters", "active_above_all")]),
    (PAIR | {"active_parameters": 0.0}, [("active_parameters", "out_of_range")]),
    ({"state": "done"}, [("state", "unknown_state")]),
    ({"repeats": 0}, [("repeats", "out_of_range")]),
    ({"repeats": 2**40}, [("repeats", "out_of_range")]),
    (
        {"earliest_start_utc": datetime(1969, 12, 31, tzinfo=UTC)},
        [("earliest_start_utc", "time_out_of_range")],
    ),
    ({"finish_by_utc": datetime(2200, 1, 1, tzinfo=UTC)}, [("finish_by_utc", "time_out_of_range")]),
    ({"earliest_start_utc": NOON, "finish_by_utc": NOON}, [("finish_by_utc", "finish_before_start")]),
    ({"current_region": "aws:moon-1"}, [("current_region", "unknown_region")]),
    ({"current_region": "eu-central-1"}, [("current_region", "malformed_region")]),
    ({"current_region": "aws:"}, [("current_region", "malformed_region")]),
    ({"current_region": ":eu-central-1"}, [("current_region", "malformed_region")]),
    ({"current_region": "aws:*"}, [("current_region", "unknown_region")]),
    ({"allowed_regions": ["aws:us-east-1", "aws:moon-1"]}, [("allowed_regions", "unknown_region")]),
    ({"allowed_regions": ["country:FR"]}, [("allowed_regions", "unknown_region")]),
    ({"allowed_regions": ["oracle:*"]}, [("allowed_regions", "unknown_region")]),
    ({"allowed_regions": ["DE"]}, [("allowed_regions", "malformed_region")]),
    ({"allowed_regions": ["aws:us-east-1,gcp:us-central1"]}, [("allowed_regions", "malformed_region")]),
    ({"allowed_regions": ["*", None]}, [("allowed_regions", "null_item")]),
    ({"power_w": 0.0}, [("power_w", "out_of_range")]),
    ({"power_w": 2e5}, [("power_w", "out_of_range")]),
    ({"carbon_intensity_gco2e_per_kwh": -1.0}, [("carbon_intensity_gco2e_per_kwh", "out_of_range")]),
    ({"carbon_intensity_gco2e_per_kwh": 2001.0}, [("carbon_intensity_gco2e_per_kwh", "out_of_range")]),
    ({"utilisation": 0.0}, [("utilisation", "out_of_range")]),
    ({"utilisation": 45.0}, [("utilisation", "out_of_range")]),
    ({"log10_alpha_low": 3.0}, [("log10_alpha_high", "incomplete_interval")]),
    ({"log10_alpha_high": 3.0}, [("log10_alpha_low", "incomplete_interval")]),
    ({"log10_alpha_low": 4.0, "log10_alpha_high": 3.0}, [("log10_alpha_high", "interval_upside_down")]),
    ({"log10_alpha_low": 3.0, "log10_alpha_high": 401.0}, [("log10_alpha_high", "out_of_range")]),
    ({"dataset_gb": -1.0}, [("dataset_gb", "out_of_range")]),
    ({"carbon_budget_kgco2e": 0.0}, [("carbon_budget_kgco2e", "out_of_range")]),
    ({"priority": float("inf")}, [("priority", "not_finite")]),
    (
        {
            "job_id": None,
            "device": "abacus",
            "device_count": -1.0,
            "power_w": -5.0,
            "priority": float("-inf"),
        },
        [
            ("job_id", "missing"),
            ("device", "unknown_device"),
            ("device_count", "out_of_range"),
            ("power_w", "out_of_range"),
            ("priority", "not_finite"),
        ],
    ),
]

# Codes that need a column of another type than the rest, tested with the spelling of values.
OF_SPELLING = {"wrong_type", "not_utf8", "naive_timestamp", "not_whole", "unreadable_row"}


def jobs_around(changes: dict[str, Any]) -> pa.Table:
    first, last = GOOD | {"job_id": "first"}, GOOD | {"job_id": "last"}
    return table_of([first, GOOD | changes, last], {"allowed_regions": pa.list_(pa.string())})


@pytest.mark.parametrize(("changes", "expected"), BROKEN, ids=lambda value: str(value)[:60])
def test_a_row_that_breaks_a_rule_is_rejected_and_the_rest_go_on(
    tmp_path: Path, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    planned, rejected = read_all(one_file(tmp_path, jobs_around(changes)))
    assert ["first", "last"] == planned["job_id"].to_pylist()
    assert [(1, column, code) for column, code in expected] == [
        (row["row"], row["column"], row["rule_code"]) for row in rejected.to_pylist()
    ]


def test_every_rule_is_broken_in_some_test() -> None:
    tried = {code for _, expected in BROKEN for _, code in expected}
    assert set(RULES) == tried | OF_SPELLING


@pytest.mark.parametrize(
    "changes",
    [
        {"job_id": "größe-東京-🌍"},
        {"job_id": "x" * 1000},
        {"device": "nvidia a100_sxm4/80gb"},
        {"device_count": 0.5},
        {"device_count": 1e9},
        {"device_hours": 1e12},
        {"state": " Running "},
        {"repeats": 1_000_000_000},
        {"earliest_start_utc": datetime(1970, 1, 1, tzinfo=UTC)},
        {"earliest_start_utc": NOON, "finish_by_utc": NOON + timedelta(microseconds=1)},
        {"current_region": " AWS:EU-Central-1 "},
        {"power_w": 1e5},
        {"carbon_intensity_gco2e_per_kwh": 0.0},
        {"utilisation": 1.0},
        {"log10_alpha_low": 3.0, "log10_alpha_high": 3.0},
        {"dataset_gb": 0.0},
        {"priority": -1e300},
        PAIR | {"active_parameters": 7e9},
        PAIR | {"device_hours": 5.0, "parameters": 7.0, "training_tokens": 9.0},
        SAMPLES,
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_row_at_the_edge_of_a_rule_is_accepted(tmp_path: Path, changes: dict[str, Any]) -> None:
    planned, rejected = read_all(one_file(tmp_path, jobs_around(changes)))
    assert [] == rejected.to_pylist()
    assert 3 == planned.num_rows


def rejection(tmp_path: Path, changes: dict[str, Any]) -> dict[str, Any]:
    _, rejected = read_all(one_file(tmp_path, jobs_around(changes)))
    (row,) = rejected.to_pylist()
    return dict(row)


def test_a_rejection_names_manifest_row_job_value_reason_and_remedy(tmp_path: Path) -> None:
    assert {
        "manifest": str(tmp_path / "queue.parquet"),
        "row": 1,
        "job_id": "good",
        "column": "power_w",
        "value": "200000.0",
        "rule_code": "out_of_range",
        "reason": "power_w 200000.0 is not above 0 and at most 100000 W",
        "remedy": "give power_w above 0 and at most 100000 W; check its unit",
    } == rejection(tmp_path, {"power_w": 2e5})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"job_id": "first"}, "job_id 'first' stands already in {manifest}, row 0"),
        (
            {"device": "A100-80GBB"},
            "device 'A100-80GBB' is not in the catalog, did you mean 'NVIDIA A100 SXM4 80GB'",
        ),
        ({"device": "V100"}, "did you mean 'NVIDIA V100 PCIe 16GB'?"),
        ({"device": "abacus"}, "device 'abacus' is not in the catalog"),
        ({"current_region": "aws:eu-central-2"}, "did you mean 'aws:eu-central-1'"),
        (
            {"current_region": "eu-central-1"},
            "is not of the form provider:region, did you mean 'aws:eu-central-1'?",
        ),
        ({"current_region": "aws/us-east-1"}, "did you mean 'aws:us-east-1'"),
        (
            {"allowed_regions": ["*", "aws:us-east-2", "x:y"]},
            "allowed_regions 'aws:us-east-2' is not in the catalog, did you mean",
        ),
        ({"allowed_regions": ["DE"]}, "did you mean 'country:DE'?"),
        ({"repeats": 0}, "repeats 0 is not at least 1 and at most 1e+09 runs"),
        ({"device": "TPU v3 core", "device_count": 4e9}, "(it is 2e+09 in whole devices)"),
        (PAIR | {"active_parameters": 8e9}, "active_parameters 8000000000.0 is above parameters 7000000000"),
        (
            PAIR | {"parameters": 7.0, "training_tokens": 9.0},
            "parameters with training_tokens comes to 378 FLOP",
        ),
        (NO_WORK | {"parameters": 7e9}, "parameters is given without training_tokens"),
        ({"team": "two\nlines"}, "team holds control characters"),
    ],
)
def test_the_reason_says_what_is_wrong_and_what_was_probably_meant(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    row = rejection(tmp_path, changes)
    assert words.format(manifest=row["manifest"]) in row["reason"]


def test_values_are_shown_short_and_on_one_line(tmp_path: Path) -> None:
    assert "two\\nlines" == rejection(tmp_path, {"team": "two\nlines"})["value"]
    assert 203 == len(rejection(tmp_path, {"job_id": "x" * 5000})["job_id"])


def test_braces_in_values_are_only_text(tmp_path: Path) -> None:
    row = rejection(tmp_path, {"device": "{column} {0} {"})
    assert "device '{column} {0} {' is not in the catalog" in row["reason"]


def test_all_rows_may_be_bad(tmp_path: Path) -> None:
    jobs = table_of(GOOD | {"job_id": f"job {row}", "device_count": -1.0} for row in range(500))
    planned, rejected = read_all(one_file(tmp_path, jobs, row_group_size=70), rows_per_partition=100)
    assert 0 == planned.num_rows
    assert list(range(500)) == rejected["row"].to_pylist()


def test_thousands_of_unknown_names_cost_a_bounded_search_for_near_misses(tmp_path: Path) -> None:
    jobs = table_of(GOOD | {"job_id": f"job {row}", "device": f"A100-80GB v{row}"} for row in range(3000))
    _, rejected = read_all(one_file(tmp_path, jobs))
    hinted = ["did you mean" in reason for reason in texts(rejected, "reason")]
    assert [True] * 50 + [False] * 2950 == hinted


def test_rejections_are_listed_by_row_then_column(tmp_path: Path) -> None:
    jobs = table_of(
        [
            GOOD | {"job_id": "a", "priority": float("inf"), "power_w": -1.0, "device": "abacus"},
            GOOD | {"job_id": "a", "device_count": 0.0},
            GOOD | {"job_id": None, "state": "done"},
        ]
    )
    _, rejected = read_all(one_file(tmp_path, jobs))
    found = [(row["row"], row["column"]) for row in rejected.to_pylist()]
    order = {name: number for number, name in enumerate(INPUT_COLUMNS)}
    assert sorted(found, key=lambda key: (key[0], order[key[1]])) == found
    assert [(0, "device"), (0, "power_w"), (0, "priority"), (1, "job_id"), (1, "device_count")] == found[:5]


def test_bounds_lie_within_those_of_the_vocabulary() -> None:
    for name, bounds in BOUNDS.items():
        column = all_columns()[name]
        assert column.minimum is None or column.minimum <= bounds.least, name
        assert column.maximum is None or column.maximum >= bounds.most, name


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"wall_hours": 1.0, "training_flop": 1e20} | PAIR | {"device_hours": 5.0}, "device_hours"),
        (PAIR | {"wall_hours": 1.0, "training_flop": 1e20}, "wall_hours"),
        (PAIR | {"training_flop": 1e20}, "training_flop"),
        (PAIR | SAMPLES, "parameters_tokens"),
        (SAMPLES | {"parameters": 7e9}, "forward_flop"),
    ],
)
def test_the_first_complete_measure_of_work_wins(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    planned, rejected = read_all(one_file(tmp_path, jobs_around(changes)))
    assert [] == rejected.to_pylist()
    assert expected == planned["work_source"].to_pylist()[1]


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    planned, _ = read_all(one_file(tmp_path, table_of([GOOD])))
    (job,) = planned.to_pylist()
    assert ("queued", 1, False, None) == (
        job["state"],
        job["repeats"],
        job["interruptible"],
        job["allowed_regions"],
    )
    assert ("A100-80GB", "NVIDIA A100 SXM4 80GB") == (job["device_as_given"], job["device"])


def test_parts_of_devices_become_whole_devices(tmp_path: Path) -> None:
    cores = {
        "device": "TPU v3 core",
        "device_count": 8.0,
        "device_hours": 100.0,
        "wall_hours": 12.5,
        "power_w": 60.0,
    }
    planned, _ = read_all(
        one_file(tmp_path, table_of([GOOD | cores, GOOD | {"job_id": "b", "power_w": 300.0}]))
    )
    core, chip = planned.to_pylist()
    assert ("Google TPU v3", 4.0, 50.0, 12.5, 120.0) == tuple(
        core[name] for name in ("device", "device_count", "device_hours", "wall_hours", "power_w")
    )
    assert (8.0, 100.0, 300.0) == tuple(chip[name] for name in ("device_count", "device_hours", "power_w"))
