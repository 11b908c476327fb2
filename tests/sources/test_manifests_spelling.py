"""Every lossless spelling of a value comes to the same; the rest is rejected row by row."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencarbon.sources.manifests.arrow import AnyArray
from opencarbon.sources.manifests.spelling import spelled
from tests.sources.manifest_samples import GOOD, NOON, one_file, planned_column, read_all, rules, table_of

UTC_TYPE = pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([8.0, 0.5]),
        pa.array([8.0, 0.5], pa.float32()),
        pa.array(np.array([8.0, 0.5], dtype=np.float16)),
        pa.array([Decimal("8.00"), Decimal("0.50")], pa.decimal128(10, 2)),
        pa.array([Decimal("8.0"), Decimal("0.5")], pa.decimal256(60, 10)),
        pa.array(["8", " 5e-1 "]),
        pa.array(["8.", ".5"], pa.large_string()),
        pa.array(["+8.0", "0.5"], pa.string_view()),
        pa.array(["8", "0.5"]).dictionary_encode(),
        pa.array([8.0, 0.5]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_a_number_may_be_spelled_in_any_type(tmp_path: Path, values: AnyArray) -> None:
    assert planned_column(tmp_path, "device_count", values) == [8.0, 0.5]


@pytest.mark.parametrize(
    "wanted",
    [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()],
    ids=str,
)
def test_whole_numbers_are_numbers(tmp_path: Path, wanted: pa.DataType) -> None:
    assert planned_column(tmp_path, "device_count", pa.array([8, 100], wanted)) == [8.0, 100.0]


def test_counts_beyond_53_bits_are_rounded_to_the_nearest_number(tmp_path: Path) -> None:
    values = pa.array([10**18 + 1, 2**64 - 1], pa.uint64())
    assert planned_column(tmp_path, "training_flop", values) == [1e18, 2.0**64]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([3, None], pa.int32()),
        pa.array([3, None], pa.uint64()),
        pa.array([3.0, float("nan")]),
        pa.array([3.0, None], pa.float32()),
        pa.array([Decimal("3.00"), None], pa.decimal128(5, 2)),
        pa.array(["3", ""]),
        pa.array(["3.0", None]),
    ],
    ids=lambda values: str(values.type),
)
def test_a_whole_number_may_be_spelled_in_any_type_and_null_is_the_default(
    tmp_path: Path, values: AnyArray
) -> None:
    assert planned_column(tmp_path, "repeats", values) == [3, 1]


def test_nullable_integers_that_pandas_wrote_as_doubles_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame([GOOD, GOOD | {"job_id": "two"}]).assign(
        repeats=[2.0, np.nan], dataset_gb=[np.nan, 5.0]
    )
    frame.to_parquet(tmp_path / "queue.parquet")
    planned, rejected = read_all(str(tmp_path / "queue.parquet"))
    assert rejected.num_rows == 0
    assert planned["repeats"].to_pylist() == [2, 1]
    assert planned["dataset_gb"].to_pylist() == [None, 5.0]


@pytest.mark.parametrize(
    "wanted",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_text_may_be_of_any_kind(tmp_path: Path, wanted: pa.DataType) -> None:
    texts = ["vision", "größe 東京 🌍", None]
    values: AnyArray = pa.array(texts, pa.string())
    values = (
        values.dictionary_encode().cast(wanted) if pa.types.is_dictionary(wanted) else values.cast(wanted)
    )
    assert texts == planned_column(tmp_path, "team", values)


def test_blank_optional_text_is_null(tmp_path: Path) -> None:
    values = pa.array(["", "  ", "\u00a0", "x "])
    assert planned_column(tmp_path, "team", values) == [None, None, None, "x "]


def test_a_column_of_nulls_only_is_null(tmp_path: Path) -> None:
    for name in ("team", "power_w", "finish_by_utc", "allowed_regions", "current_region"):
        assert planned_column(tmp_path, name, pa.nulls(2)) == [None, None]
    assert planned_column(tmp_path, "interruptible", pa.nulls(2)) == [False, False]
    assert planned_column(tmp_path, "state", pa.nulls(2)) == ["queued", "queued"]


def test_nan_is_null_in_an_optional_number(tmp_path: Path) -> None:
    assert planned_column(tmp_path, "power_w", pa.array([float("nan"), 300.0])) == [None, 300.0]


def test_interruptible_is_false_unless_said(tmp_path: Path) -> None:
    assert planned_column(tmp_path, "interruptible", pa.array([True, False, None])) == [True, False, False]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:30"])
def test_an_aware_timestamp_of_any_unit_and_zone_is_the_same_moment(
    tmp_path: Path, unit: str, zone: str
) -> None:
    values = pa.array([NOON, None]).cast(pa.timestamp(unit, tz=zone))
    assert planned_column(tmp_path, "finish_by_utc", values) == [NOON, None]


def test_nanoseconds_are_rounded_down_to_microseconds(tmp_path: Path) -> None:
    values = pa.array([1_700_000_000_000_000_999], pa.timestamp("ns", tz="UTC"))
    assert [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)] == planned_column(
        tmp_path, "finish_by_utc", values
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22 12:00:00z",
        "2026-11-22T13:00:00+01:00",
        "2026-11-22T13:00:00+0100",
        "2026-11-22T07:00-05",
        "2026-11-22T12:00:00.000000999Z",
        " 2026-11-22T12:00:00.000Z ",
    ],
)
def test_a_time_with_an_offset_may_be_text(tmp_path: Path, text: str) -> None:
    assert planned_column(tmp_path, "earliest_start_utc", pa.array([text])) == [NOON]


@pytest.mark.parametrize("text", ["2026-11-22T12:00:00", "2026-11-22 12:00", "2026-11-22T12"])
def test_a_time_without_an_offset_rejects_its_row_only(tmp_path: Path, text: str) -> None:
    jobs = table_of(
        [GOOD | {"finish_by_utc": text}, GOOD | {"job_id": "b", "finish_by_utc": "2026-11-22T12:00Z"}],
        {"finish_by_utc": pa.string()},
    )
    planned, rejected = read_all(one_file(tmp_path, jobs))
    assert planned["job_id"].to_pylist() == ["b"]
    assert rejected["rule_code"].to_pylist() == ["naive_timestamp"]


def test_naive_times_are_utc_where_configured(tmp_path: Path) -> None:
    against = rules(naive_timestamps="UTC")
    typed = pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("ms"))
    texts = pa.array(["2026-11-22T12:00:00", "2026-11-22T13:00:00+01:00"])
    assert planned_column(tmp_path, "finish_by_utc", typed, against) == [NOON, None]
    assert planned_column(tmp_path, "finish_by_utc", texts, against) == [NOON, NOON]


def test_a_date_as_text_is_no_time_even_where_naive_times_are_utc(tmp_path: Path) -> None:
    jobs = table_of([GOOD | {"finish_by_utc": "2026-11-22"}], {"finish_by_utc": pa.string()})
    _, rejected = read_all(one_file(tmp_path, jobs), against=rules(naive_timestamps="UTC"))
    assert rejected["rule_code"].to_pylist() == ["wrong_type"]


def test_int96_is_utc(tmp_path: Path) -> None:
    path = tmp_path / "queue.parquet"
    jobs = table_of([GOOD]).append_column(
        "finish_by_utc", pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us"))
    )
    pq.write_table(jobs, path, use_deprecated_int96_timestamps=True)
    assert pq.ParquetFile(path).metadata.schema.column(4).physical_type == "INT96"
    planned, _ = read_all(str(path))
    assert planned["finish_by_utc"].to_pylist() == [NOON]


def test_int96_beyond_the_nanosecond_years_does_not_wrap_into_them(tmp_path: Path) -> None:
    path = tmp_path / "queue.parquet"
    late = pa.array([datetime(2600, 1, 1), None], pa.timestamp("us"))
    jobs = table_of([GOOD, GOOD | {"job_id": "b"}]).append_column("finish_by_utc", late)
    pq.write_table(jobs, path, use_deprecated_int96_timestamps=True, store_schema=False)
    planned, rejected = read_all(str(path))
    assert planned["job_id"].to_pylist() == ["b"]
    assert rejected["rule_code"].to_pylist() == ["time_out_of_range"]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("count", [2**63 - 1, -(2**63) + 1, 9 * 10**18, -1])
def test_an_absurd_timestamp_is_rejected_and_never_wraps(tmp_path: Path, unit: str, count: int) -> None:
    values = pa.array([count], pa.int64()).cast(pa.timestamp(unit, tz="UTC"))
    jobs = table_of([GOOD]).append_column("earliest_start_utc", values)
    _, rejected = read_all(one_file(tmp_path, jobs))
    assert rejected["rule_code"].to_pylist() == ["time_out_of_range"]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("device_count", ["eight", "8 GPUs", "0x10", "1,000", "1_000", "nan", "inf", "8e", "--8", "٨"]),
        ("repeats", ["two", "2 times"]),
        (
            "finish_by_utc",
            ["tomorrow", "2026-13-01T00:00Z", "22.11.2026 12:00Z", "2026-11-22T25:00:00Z", "1700000000"],
        ),
    ],
)
def test_text_that_is_not_of_the_type_rejects_its_row_only(
    tmp_path: Path, name: str, texts: list[str]
) -> None:
    good = {"device_count": "8", "repeats": "2", "finish_by_utc": "2026-11-22T12:00Z"}[name]
    jobs = table_of(
        [GOOD | {"job_id": str(row), name: text} for row, text in enumerate([good, *texts, good])],
        {"finish_by_utc": pa.string(), "repeats": pa.string()},
    )
    planned, rejected = read_all(one_file(tmp_path, jobs))
    assert [0, len(texts) + 1] == planned["row"].to_pylist()
    assert [(name, text, "wrong_type") for text in texts] == [
        (row["column"], row["value"], row["rule_code"]) for row in rejected.to_pylist()
    ]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([2.5, 2.0, float("inf")]),
        pa.array([Decimal("2.5"), Decimal("2.0"), Decimal("9e20")], pa.decimal128(30, 1)),
        pa.array([Decimal("2.5"), Decimal("2.0"), Decimal("9e40")], pa.decimal256(60, 1)),
        pa.array(["2.5", "2.0", "1e3"]),
        pa.array(["2.0000001", "2", "99999999999999999999"]),
    ],
    ids=lambda values: str(values.type),
)
def test_a_count_that_is_not_whole_or_does_not_fit_rejects_its_row_only(
    tmp_path: Path, values: AnyArray
) -> None:
    jobs = table_of(GOOD | {"job_id": str(row)} for row in range(3)).append_column("repeats", values)
    planned, rejected = read_all(one_file(tmp_path, jobs))
    assert [2] == planned["repeats"].to_pylist()
    assert [(0, "not_whole"), (2, "not_whole")] == [
        (row["row"], row["rule_code"]) for row in rejected.to_pylist()
    ]


def invalid_text(raw: list[bytes]) -> AnyArray:
    """A column of text with bytes that are no UTF-8, as careless writers leave them."""
    binary = pa.array(raw, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(raw), binary.buffers())


@pytest.mark.parametrize(
    "name", ["job_id", "device", "team", "device_count", "current_region", "allowed_regions"]
)
def test_bytes_that_are_no_utf8_reject_their_row_only(tmp_path: Path, name: str) -> None:
    good = {"job_id": b"one", "device": b"A100-80GB", "team": b"x", "device_count": b"8"}.get(
        name, b"aws:us-east-1"
    )
    jobs = table_of([GOOD, GOOD | {"job_id": "b"}])
    jobs = jobs.drop_columns([name]) if name in jobs.column_names else jobs
    jobs = jobs.append_column(name, invalid_text([good, b"\xff\xfe" + good]))
    planned, rejected = read_all(one_file(tmp_path, jobs))
    assert planned["row"].to_pylist() == [0]
    (row,) = rejected.to_pylist()
    assert (1, name, "not_utf8") == (row["row"], row["column"], row["rule_code"])
    assert row["value"].startswith("\\xff\\xfe")


def test_bytes_that_are_no_utf8_in_a_list_reject_their_row_only(tmp_path: Path) -> None:
    items = invalid_text([b"*", b"*", b"\xff"])
    jobs = table_of([GOOD, GOOD | {"job_id": "b"}]).append_column(
        "allowed_regions", pa.ListArray.from_arrays(pa.array([0, 1, 3], pa.int32()), items)
    )
    planned, rejected = read_all(one_file(tmp_path, jobs))
    assert planned["allowed_regions"].to_pylist() == ["*"]
    assert rejected["rule_code"].to_pylist() == ["not_utf8"]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1))
def test_a_float_survives_being_written_as_text(values: list[float | None]) -> None:
    texts = pa.chunked_array(
        [pa.array([None if value is None else repr(value) for value in values], pa.string())]
    )
    result = spelled(texts, pa.float64(), naive_as_utc=False)
    assert [
        None if value is None or np.isinf(value) else value for value in values
    ] == result.values.to_pylist()


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1))
def test_a_whole_number_survives_as_text_or_is_called_wrong(values: list[int]) -> None:
    texts = pa.chunked_array([pa.array([str(value) for value in values])])
    result = spelled(texts, pa.int64(), naive_as_utc=False)
    assert [value if value < 2**63 else None for value in values] == result.values.to_pylist()
    assert [value >= 2**63 for value in values] == result.wrong["not_whole"].tolist()


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.datetimes(
            min_value=datetime(1970, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.timezones()
        ),
        min_size=1,
    )
)
def test_a_time_survives_being_written_as_text(values: list[datetime]) -> None:
    texts: Any = pa.chunked_array([pa.array([value.astimezone(UTC).isoformat() for value in values])])
    result = spelled(texts, UTC_TYPE, naive_as_utc=False)
    assert [value.astimezone(UTC) for value in values] == result.values.to_pylist()
