"""Completed jobs are read from CSV and Parquet; what cannot be used is rejected with where, what and the remedy."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.sources.completed_jobs import CompletedJobs, read_completed, sentences
from opencarbon.tables.inputs import COMPLETED_JOBS, REJECTED_ROWS

REGIONS = ("aws:eu-central-1", "aws:eu-north-1")
HEADER = "job_id,started_utc,finished_utc,region,device_hours,energy_kwh"
GOOD = "one,2026-11-16T01:00:00Z,2026-11-16T06:30:00+01:00,aws:eu-north-1,44,52.5"


def read(path: Path | str, **options: Any) -> CompletedJobs:
    found = read_completed([str(path)], regions=REGIONS, **options)
    assert found.jobs.schema.equals(COMPLETED_JOBS.schema(), check_metadata=True)
    assert found.rejected.schema.equals(REJECTED_ROWS.schema(), check_metadata=True)
    return found


def csv(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "done.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def codes(found: CompletedJobs) -> list[tuple[int, str | None, str, str | None, str]]:
    names = ("row", "job_id", "column", "value", "rule_code")
    return [tuple(row[name] for name in names) for row in found.rejected.to_pylist()]


def test_a_row_is_read_in_our_units_and_in_utc(tmp_path: Path) -> None:
    (row,) = read(csv(tmp_path, GOOD)).jobs.to_pylist()

    assert {
        "job_id": "one",
        "manifest": str(tmp_path / "done.csv"),
        "row": 0,
        "started_utc": datetime(2026, 11, 16, 1, tzinfo=UTC),
        "finished_utc": datetime(2026, 11, 16, 5, 30, tzinfo=UTC),
        "region": "aws:eu-north-1",
        "device_hours": 44.0,
        "energy_kwh": 52.5,
    } == row


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    berlin = timezone(timedelta(hours=1))
    table = pa.table(
        {
            "job_id": ["one"],
            "started_utc": pa.array(
                [datetime(2026, 11, 16, 2, tzinfo=berlin)], pa.timestamp("ns", "Europe/Berlin")
            ),
            "finished_utc": ["2026-11-16T05:30:00Z"],
            "region": pa.array(["AWS:eu-north-1"]).dictionary_encode(),
            "energy_kwh": pa.array([52], pa.int32()),
        }
    )
    pq.write_table(table, tmp_path / "done.parquet")

    (row,) = read(tmp_path).jobs.to_pylist()

    assert ("aws:eu-north-1", 52.0, None) == (row["region"], row["energy_kwh"], row["device_hours"])
    assert (datetime(2026, 11, 16, 1, tzinfo=UTC), 4.5) == (
        row["started_utc"],
        (row["finished_utc"] - row["started_utc"]) / timedelta(hours=1),
    )


def test_optional_columns_may_be_absent_or_empty(tmp_path: Path) -> None:
    line = GOOD.removesuffix(",44,52.5")
    absent = read(csv(tmp_path, line, header=HEADER.removesuffix(",device_hours,energy_kwh"))).jobs
    empty = read(csv(tmp_path, f"{line},,")).jobs

    assert [(None, None)] == [(row["device_hours"], row["energy_kwh"]) for row in absent.to_pylist()]
    assert absent.equals(empty)


BAD = [
    ("one,2026-11-16T01:00:00Z,2026-11-16T01:00:00Z,aws:eu-north-1,,", "finished_utc", "finish_before_start"),
    ("one,2026-11-16T01:00:00,2026-11-16T05:00:00Z,aws:eu-north-1,,", "started_utc", "naive_timestamp"),
    ("one,yesterday,2026-11-16T05:00:00Z,aws:eu-north-1,,", "started_utc", "wrong_type"),
    ("one,2026-11-16T01:00:00Z,2226-11-16T05:00:00Z,aws:eu-north-1,,", "finished_utc", "time_out_of_range"),
    ("one,2026-11-16T01:00:00Z,,aws:eu-north-1,,", "finished_utc", "missing"),
    (",2026-11-16T01:00:00Z,2026-11-16T05:00:00Z,aws:eu-north-1,,", "job_id", "missing"),
    ("one,2026-11-16T01:00:00Z,2026-11-16T05:00:00Z,aws:eu-norht-1,,", "region", "unknown_region"),
    ("one,2026-11-16T01:00:00Z,2026-11-16T05:00:00Z,aws:eu-north-1,-1,", "device_hours", "out_of_range"),
    ("one,2026-11-16T01:00:00Z,2026-11-16T05:00:00Z,aws:eu-north-1,,0", "energy_kwh", "out_of_range"),
    ("one,2026-11-16T01:00:00Z,2026-11-16T05:00:00Z,aws:eu-north-1,,much", "energy_kwh", "wrong_type"),
    ("one,2026-11-16T01:00:00Z,2026-11-16T05:00:00Z", "finished_utc", "cut_row"),
]


@pytest.mark.parametrize(("line", "column", "code"), BAD, ids=[f"{code} {name}" for _, name, code in BAD])
def test_a_row_that_breaks_a_rule_is_rejected_and_the_others_go_on(
    tmp_path: Path, line: str, column: str, code: str
) -> None:
    found = read(csv(tmp_path, line, GOOD.replace("one", "two")))

    (rejected,) = found.rejected.to_pylist()
    assert (0, column, code) == (rejected["row"], rejected["column"], rejected["rule_code"])
    assert ["two"] == found.jobs["job_id"].to_pylist()


def test_a_row_that_is_cut_short_says_how(tmp_path: Path) -> None:
    (words,) = sentences(read(csv(tmp_path, "one,2026-11-16T01:00:00Z", GOOD.replace("one", "two"))).rejected)

    assert (
        f"{tmp_path / 'done.csv'}, row 0: the row is damaged: it has 2 cells where the header has 6;" in words
    )


def test_an_unknown_region_comes_with_the_near_miss_and_the_remedy(tmp_path: Path) -> None:
    line = "one,2026-11-16T01:00:00Z,2026-11-16T05:00:00Z,aws:eu-norht-1,,"

    (words,) = sentences(read(csv(tmp_path, line)).rejected)

    assert (
        f"{tmp_path / 'done.csv'}, row 0: region 'aws:eu-norht-1' is not in the catalog, did you mean 'aws:eu-north-1'"
    ) in words
    assert "a file that the setting regions names" in words


def test_every_column_at_fault_is_named(tmp_path: Path) -> None:
    found = read(csv(tmp_path, "one,16 Nov,2026-11-16T05:00:00Z,,,"))

    assert {
        (0, "one", "started_utc", "16 Nov", "wrong_type"),
        (0, "one", "region", "", "missing"),
    } == set(codes(found))


def test_of_a_job_that_stands_twice_the_first_row_stays(tmp_path: Path) -> None:
    csv(tmp_path, GOOD)
    (tmp_path / "more.csv").write_text(f"{HEADER}\n{GOOD.replace('44', '45')}\n", encoding="utf-8")

    found = read(tmp_path)

    assert [44.0] == found.jobs["device_hours"].to_pylist()
    assert [(0, "one", "job_id", "one", "duplicate_job_id")] == codes(found)
    assert f"stands already in {tmp_path / 'done.csv'}, row 0" in next(sentences(found.rejected))


def test_their_names_of_columns_become_ours(tmp_path: Path) -> None:
    path = csv(tmp_path, GOOD, header=HEADER.replace("job_id", "JobName").replace("region", "Site"))

    found = read(path, columns={"JobName": "job_id", "site": "region"})

    assert [("one", "aws:eu-north-1")] == [(row["job_id"], row["region"]) for row in found.jobs.to_pylist()]


def test_times_without_an_offset_are_utc_where_that_is_set(tmp_path: Path) -> None:
    line = "one,2026-11-16T01:00:00,2026-11-16T05:00:00+01:00,aws:eu-north-1,,"

    (row,) = read(csv(tmp_path, line), naive_as_utc=True).jobs.to_pylist()

    assert (1, 4) == (row["started_utc"].hour, row["finished_utc"].hour)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"job_id,region\none,aws:eu-north-1\n", "has no column started_utc, finished_utc"),
        (b"<html>", "is a web page"),
        (b"PAR1 and no more", "damaged or cut off Parquet"),
        (b"\xff\xfe\x00", "neither Parquet nor UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_spoils_no_other(tmp_path: Path, content: bytes, words: str) -> None:
    csv(tmp_path, GOOD)
    (tmp_path / "broken.csv").write_bytes(content)

    found = read(tmp_path)

    assert ["one"] == found.jobs["job_id"].to_pylist()
    (row,) = found.rejected.to_pylist()
    assert (str(tmp_path / "broken.csv"), "unread_file") == (row["manifest"], row["rule_code"])
    assert words in row["reason"]


def test_a_place_that_is_not_there_is_said(tmp_path: Path) -> None:
    found = read(tmp_path / "nowhere.csv")

    assert 0 == found.jobs.num_rows
    assert "does not exist" in next(sentences(found.rejected))


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    first = read(csv(tmp_path, GOOD)).sha256
    again, other = read(tmp_path).sha256, read(csv(tmp_path, GOOD.replace("44", "45"))).sha256

    assert first == again != other
