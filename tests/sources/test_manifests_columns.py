"""Columns of manifests: matched, mapped, carried, ignored, refused."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.errors import ConfigError, ManifestError
from opencarbon.sources.manifests import INPUT_COLUMNS, Rules, check_columns, find_manifests
from opencarbon.sources.manifests.arrow import AnyArray
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import PLANNED_JOBS
from tests.sources.manifest_samples import (
    GOOD,
    RULES_OF_TESTS,
    UNUSED,
    one_file,
    read_all,
    rules,
    table_of,
    write,
)


def check(path: str, against: Rules = RULES_OF_TESTS) -> list[Event]:
    return check_columns(find_manifests([path], UNUSED), against)


def refusal(path: str, against: Rules = RULES_OF_TESTS) -> str:
    with pytest.raises(ManifestError) as caught:
        check(path, against)
    return str(caught.value)


def with_column(name: str, values: AnyArray) -> pa.Table:
    return table_of([GOOD]).append_column(name, values)


def test_every_column_of_planned_jobs_but_those_that_are_derived_may_be_given() -> None:
    derived = {"manifest", "row", "device_as_given", "work_source"}
    assert set(PLANNED_JOBS.columns) - derived == set(INPUT_COLUMNS)


def test_a_good_manifest_raises_nothing_and_says_nothing(tmp_path: Path) -> None:
    assert check(one_file(tmp_path, table_of([GOOD]))) == []


@pytest.mark.parametrize("name", ["job_id", "device", "device_count"])
def test_a_required_column_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    words = refusal(one_file(tmp_path, table_of([GOOD]).drop_columns([name])))
    assert f"queue.parquet: required column {name!r} is missing" in words
    assert "manifest.columns" in words


def test_a_near_miss_of_a_required_column_is_suggested(tmp_path: Path) -> None:
    table = table_of([GOOD]).rename_columns(["job_id", "device", "devices_count", "device_hours"])
    words = refusal(one_file(tmp_path, table))
    assert "required column 'device_count' is missing, did you mean 'devices_count'?" in words


def test_a_manifest_without_any_work_is_refused(tmp_path: Path) -> None:
    assert "no column says how much work a job is" in refusal(
        one_file(tmp_path, table_of([GOOD]).drop_columns(["device_hours"]))
    )


def test_everything_wrong_is_in_one_error_and_each_thing_once(tmp_path: Path) -> None:
    bad = table_of([GOOD]).drop_columns(["device"])
    bad = bad.append_column("finish_by_utc", pa.array([0], pa.timestamp("us")))
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.parquet", bad)
    words = refusal(str(tmp_path))
    assert words.count("required column 'device' is missing") == 1
    assert words.count("column 'finish_by_utc' holds timestamps without a time zone") == 1
    assert "a.parquet and 2 more files" in words


def test_a_very_wrong_queue_gives_an_error_that_can_be_read(tmp_path: Path) -> None:
    for number in range(70):
        bad = table_of([GOOD]).append_column("state", pa.array([{f"field {number}": 1}]))
        write(tmp_path / f"{number:02}.parquet", bad)
    assert "and 20 more" in refusal(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("device_hours", pa.array([True]), "has type bool, which is not read as a number"),
        ("repeats", pa.array([True]), "has type bool, which is not read as a whole number"),
        ("device_hours", pa.array([[1.0]]), "has type list"),
        ("power_w", pa.array([b"1"]), "has type binary"),
        ("power_w", pa.array([{"w": 1}]), "has type struct"),
        ("team", pa.array([1.5]), "has type double, which is not read as text; cast it to string"),
        ("interruptible", pa.array([1]), "has type int64, which is not read as true or false"),
        ("interruptible", pa.array([1.5]), "has type double, which is not read as true or false"),
        ("allowed_regions", pa.array([[1.5]]), "has type double, which is not read as text"),
        ("allowed_regions", pa.array([[["*"]]]), "has type list"),
        ("finish_by_utc", pa.array([1_700_000_000]), "has type int64, which is not read as a timestamp"),
        ("finish_by_utc", pa.array([0], pa.date32()), "holds dates; write timestamps with a time zone"),
        ("finish_by_utc", pa.array([0], pa.timestamp("ns")), "holds timestamps without a time zone"),
    ],
)
def test_a_type_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, values: AnyArray, words: str
) -> None:
    table = table_of([GOOD | {"training_flop": 1e20}])
    table = table.drop_columns([name]) if name in table.column_names else table
    assert f"column {name!r} {words}" in refusal(one_file(tmp_path, table.append_column(name, values)))


def test_dates_are_refused_even_where_naive_times_are_utc(tmp_path: Path) -> None:
    path = one_file(tmp_path, with_column("finish_by_utc", pa.array([0], pa.date32())))
    assert "holds dates" in refusal(path, rules(naive_timestamps="UTC"))


@pytest.mark.parametrize("names", [("Team", "team"), ("team", "team"), ("cost", "COST")])
def test_names_that_collide_once_case_is_gone_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    table = table_of([GOOD])
    for name in names:
        table = table.append_column(name, pa.array(["x"]))
    words = refusal(one_file(tmp_path, table))
    assert f"columns {names[0]!r}, {names[1]!r} mean the same" in words


def test_a_mapped_name_that_collides_with_ours_is_refused(tmp_path: Path) -> None:
    path = one_file(tmp_path, with_column("gpu", pa.array(["A100-80GB"])))
    assert "columns 'device', 'gpu' mean the same" in refusal(path, rules(columns={"gpu": "device"}))


def test_their_names_are_mapped_to_ours_and_case_does_not_matter(tmp_path: Path) -> None:
    table = table_of([GOOD]).rename_columns(["ID", "GPU Type", "Device_Count", "DEVICE_HOURS"])
    against = rules(columns={"id": "job_id", "GPU Type": "device"})
    planned, _ = read_all(one_file(tmp_path, table), against=against)
    assert planned["job_id"].to_pylist() == ["good"]
    assert planned["device"].to_pylist() == ["NVIDIA A100 SXM4 80GB"]


def test_columns_that_are_not_ours_are_counted_and_ignored(tmp_path: Path) -> None:
    table = with_column("colour", pa.array(["red"])).append_column("nested", pa.array([{"a": 1}]))
    path = one_file(tmp_path, table)
    (event,) = check(path)
    assert ("info", "manifests", path, "columns_ignored") == (
        event.severity,
        event.source,
        event.subject,
        event.code,
    )
    assert event.detail.startswith("2 columns")
    assert "'colour', 'nested'" in event.detail
    assert read_all(path)[0].num_rows == 1


def test_an_ignored_column_close_to_an_absent_one_is_a_warning(tmp_path: Path) -> None:
    events = check(one_file(tmp_path, with_column("finish_by", pa.array(["2026-12-01"]))))
    (warning,) = [event for event in events if event.severity == "warning"]
    assert warning.code == "column_near_miss"
    assert "'finish_by' was ignored; if it is 'finish_by_utc'" in warning.detail


@pytest.mark.parametrize(
    ("carried", "given", "expected"),
    [
        (pa.string(), pa.array(["a", None]), ["a", None]),
        (pa.string(), pa.array([1, 2]), ["1", "2"]),
        (pa.int64(), pa.array([1.0, float("nan")]), [1, None]),
        (pa.int64(), pa.array(["9007199254740993", "+2.0"]), [9007199254740993, 2]),
        (pa.float64(), pa.array([1, 2], pa.uint8()), [1.0, 2.0]),
        (pa.bool_(), pa.array([True, None]), [True, None]),
        (pa.date32(), pa.array(["2026-11-22", " "]).cast(pa.large_string()), ["2026-11-22", None]),
        (
            pa.timestamp("us", tz="UTC"),
            pa.array(["2026-11-22T10:00:00+01:00", None]),
            ["2026-11-22 09:00:00+00:00", None],
        ),
    ],
)
def test_carried_columns_are_passed_on_in_their_type(
    tmp_path: Path, carried: pa.DataType, given: AnyArray, expected: list[Any]
) -> None:
    table = table_of([GOOD, GOOD | {"job_id": "other"}]).append_column("Cost_Center", given)
    planned, rejected = read_all(one_file(tmp_path, table), against=rules(carry={"cost_center": carried}))
    assert rejected.to_pylist() == []
    assert carried == planned.schema.field("cost_center").type
    found = planned["cost_center"].to_pylist()
    assert expected == [
        str(value) if carried in (pa.date32(), pa.timestamp("us", tz="UTC")) and value else value
        for value in found
    ]


@pytest.mark.parametrize(
    ("carried", "given", "code"),
    [
        (pa.int64(), pa.array(["eight", "1"]), "wrong_type"),
        (pa.int64(), pa.array([2**63, 1], pa.uint64()), "not_whole"),
        (pa.int64(), pa.array(["99999999999999999999", "1"]), "not_whole"),
        (pa.int64(), pa.array([2.5, 1.0]), "not_whole"),
        (pa.date32(), pa.array(["22.11.2026", "2026-11-22"]), "wrong_type"),
        (pa.timestamp("us", tz="UTC"), pa.array(["2026-11-22T10:00:00", None]), "naive_timestamp"),
    ],
)
def test_a_carried_value_that_would_lose_something_rejects_its_row(
    tmp_path: Path, carried: pa.DataType, given: AnyArray, code: str
) -> None:
    table = table_of([GOOD, GOOD | {"job_id": "other"}]).append_column("extra", given)
    planned, rejected = read_all(one_file(tmp_path, table), against=rules(carry={"extra": carried}))
    assert planned["job_id"].to_pylist() == ["other"]
    assert [(0, "extra", code)] == [
        (row["row"], row["column"], row["rule_code"]) for row in rejected.to_pylist()
    ]


def test_a_carried_column_of_an_unreadable_type_is_refused(tmp_path: Path) -> None:
    path = one_file(tmp_path, with_column("extra", pa.array([[1]])))
    assert "column 'extra' has type list" in refusal(path, rules(carry={"extra": pa.string()}))


def test_a_carried_column_that_no_manifest_has_is_null_and_a_warning(tmp_path: Path) -> None:
    path = one_file(tmp_path, table_of([GOOD]))
    against = rules(carry={"extra": pa.string()})
    (event,) = check(path, against)
    assert (event.severity, event.code) == ("warning", "carried_column_missing")
    assert read_all(path, against=against)[0]["extra"].to_pylist() == [None]


@pytest.mark.parametrize("name", ["team", "Team", "manifest", "run_id", "work_source"])
def test_a_carried_column_takes_no_name_that_is_taken(name: str) -> None:
    with pytest.raises(ConfigError, match=r"manifest\.carry"):
        rules(carry={name: pa.string()})


def test_two_carried_columns_differ_in_more_than_case() -> None:
    with pytest.raises(ConfigError, match=r"manifest\.carry"):
        rules(carry={"extra": pa.string(), "Extra": pa.string()})


def test_a_name_mapped_to_no_column_is_an_error_with_the_near_miss() -> None:
    with pytest.raises(ConfigError, match=r"'gpu' is mapped to 'devise', .* did you mean 'device'"):
        rules(columns={"gpu": "devise"})
