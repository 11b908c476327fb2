"""Manifests of text: CSV and JSON lines say what Parquet says, and what is wrong with a row costs that row alone."""

import csv as standard_csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencarbon.errors import ManifestError
from opencarbon.sources.manifests import check_columns, found_manifests
from tests.sources.manifest_samples import DEVICES, RULES_OF_TESTS, read_all, rules, write

HEADER = "job_id,device,device_count,device_hours"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def csv(tmp_path: Path, *lines: str, name: str = "queue.csv", encoding: str = "utf-8") -> str:
    path = tmp_path / name
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return str(path)


def jsonl(tmp_path: Path, *lines: str | dict[str, Any], name: str = "queue.jsonl") -> str:
    path = tmp_path / name
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join([*written, ""]), encoding="utf-8")
    return str(path)


def rows(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


class TestAlike:
    JOBS = (
        {
            "job_id": "007",
            "device": "A100-80GB",
            "device_count": 8.0,
            "device_hours": 1e3,
            "earliest_start_utc": NOON,
            "interruptible": True,
            "allowed_regions": ["aws:*", "country:DE"],
            "team": "a, b",
            "repeats": 2,
        },
        {
            "job_id": "x",
            "device": DEVICES[0],
            "device_count": 16.0,
            "device_hours": 0.5,
            "earliest_start_utc": None,
            "interruptible": None,
            "allowed_regions": [],
            "team": None,
            "repeats": None,
        },
    )
    CSV = (
        "job_id,device,device_count,device_hours,earliest_start_utc,interruptible,allowed_regions,team,repeats",
        '007,A100-80GB,8,1e3,2026-11-22T13:00:00+01:00,TRUE,aws:*;country:DE,"a, b",2.0',
        f"x,{DEVICES[0]},16.0,.5,,,none,,",
    )

    @pytest.fixture
    def expected(self, tmp_path: Path) -> pa.Table:
        jobs = [dict(job) for job in self.JOBS]
        path = write(tmp_path / "queue.parquet", pa.Table.from_pylist(jobs))
        planned, _ = read_all(path)
        return planned

    def assert_alike(self, expected: pa.Table, path: str) -> None:
        planned, rejected = read_all(path)
        assert rejected.num_rows == 0
        assert planned.drop_columns(["manifest"]).equals(expected.drop_columns(["manifest"]))
        assert set(planned["manifest"].to_pylist()) == {path}

    def test_csv_says_what_parquet_says(self, tmp_path: Path, expected: pa.Table) -> None:
        self.assert_alike(expected, csv(tmp_path, *self.CSV))

    @pytest.mark.parametrize("delimiter", [";", "\t", "|"])
    def test_another_delimiter_is_told_by_the_header(
        self, tmp_path: Path, expected: pa.Table, delimiter: str
    ) -> None:
        lines = (
            delimiter.join(f'"{cell}"' for cell in line.replace('"a, b"', "a\x00 b").split(","))
            for line in self.CSV
        )
        self.assert_alike(expected, csv(tmp_path, *(line.replace("\x00", ",") for line in lines)))

    def test_what_excel_adds_is_no_part_of_it(self, tmp_path: Path, expected: pa.Table) -> None:
        path = tmp_path / "queue.csv"
        path.write_bytes(("\r\n".join([*self.CSV, "", ""])).encode("utf-8-sig"))
        self.assert_alike(expected, str(path))

    def test_packed_it_is_the_same(self, tmp_path: Path, expected: pa.Table) -> None:
        path = tmp_path / "queue.csv.gz"
        path.write_bytes(gzip.compress("\n".join(self.CSV).encode()))
        self.assert_alike(expected, str(path))

    def test_json_lines_say_what_parquet_says(self, tmp_path: Path, expected: pa.Table) -> None:
        first, second = (dict(job) for job in self.JOBS)
        first |= {"earliest_start_utc": "2026-11-22T12:00:00Z"}
        assert isinstance(second["allowed_regions"], list)
        second = {name: value for name, value in second.items() if value is not None}
        self.assert_alike(expected, jsonl(tmp_path, first, "", second))

    def test_numbers_of_json_keep_every_digit(self, tmp_path: Path) -> None:
        line = f'{{"job_id": 12345678901234567890, "device": "A100-80GB", "device_count": 8, "training_flop": 3.14e23}}'  # noqa: F541
        planned, rejected = read_all(jsonl(tmp_path, line))
        assert rejected.num_rows == 0
        assert rows(planned, "job_id", "training_flop") == [("12345678901234567890", 3.14e23)]

    def test_files_of_all_kinds_are_one_queue(self, tmp_path: Path, expected: pa.Table) -> None:
        csv(tmp_path, HEADER, "c,A100-80GB,8,1")
        jsonl(tmp_path, {"job_id": "j", "device": "A100-80GB", "device_count": 8, "wall_hours": 2})
        write(
            tmp_path / "q.parquet",
            pa.table(
                {"job_id": ["p"], "device": ["A100-80GB"], "device_count": [8.0], "device_hours": [1.0]}
            ),
        )
        planned, _ = read_all(str(tmp_path), rows_per_partition=1)
        assert set(planned["job_id"].to_pylist()) >= {"c", "j", "p"}


PRINTED = st.characters(exclude_categories=["C", "Zl", "Zp"])
NAMES = st.text(PRINTED, min_size=1, max_size=12).filter(
    lambda name: name.strip() == name and name.isprintable()
)
ROWS = st.lists(
    st.tuples(NAMES, st.none() | NAMES, st.floats(1e-3, 1e6), st.sampled_from([None, True, False])),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[0],
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"), line_end=st.sampled_from(["\n", "\r\n"]))
def test_whatever_is_written_comes_back(
    tmp_path: Path, rows: list[tuple[str, str | None, float, bool | None]], delimiter: str, line_end: str
) -> None:
    names = ("job_id", "team", "device_hours", "interruptible", "device", "device_count")
    jobs = [dict(zip(names, (*row, "A100-80GB", 8.0), strict=True)) for row in rows]
    as_parquet, _ = read_all(write(tmp_path / "queue.parquet", pa.Table.from_pylist(jobs)))
    path = tmp_path / "queue.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = standard_csv.DictWriter(file, names, delimiter=delimiter, lineterminator=line_end)
        writer.writeheader()
        writer.writerows(jobs)
    as_csv, rejected = read_all(str(path))
    assert rejected.num_rows == 0
    as_jsonl, _ = read_all(jsonl(tmp_path, *jobs))
    for read in (as_csv, as_jsonl):
        assert read.drop_columns(["manifest"]).equals(as_parquet.drop_columns(["manifest"]))


class TestRows:
    def test_a_row_of_another_width_is_left_out_by_name_and_the_others_go_on(self, tmp_path: Path) -> None:
        lines = (HEADER, "a,A100-80GB,8,1", "b,A100-80GB,8", "c,A100-80GB,8,1,extra", "d,A100-80GB,8,1")
        planned, rejected = read_all(csv(tmp_path, *lines))
        assert rows(planned, "job_id", "row") == [("a", 0), ("d", 3)]
        assert rows(rejected, "row", "column", "rule_code") == [
            (1, "job_id", "unreadable_row"),
            (2, "job_id", "unreadable_row"),
        ]
        assert rejected["reason"].to_pylist() == [
            "line 3 has 3 fields where the header has 4",
            "line 4 has 5 fields where the header has 4",
        ]

    def test_lines_are_counted_as_an_editor_counts_them(self, tmp_path: Path) -> None:
        lines = (HEADER + ",note", 'a,A100-80GB,8,1,"two', 'lines"', "", "b,A100-80GB,8")
        planned, rejected = read_all(csv(tmp_path, *lines))
        assert rows(planned, "job_id", "row") == [("a", 0)]
        assert rows(rejected, "row", "reason") == [(1, "line 5 has 3 fields where the header has 5")]

    def test_bytes_that_are_no_utf8_cost_their_row(self, tmp_path: Path) -> None:
        path = tmp_path / "queue.csv"
        path.write_bytes(f"{HEADER}\nm\xfcller,A100-80GB,8,1\nb,A100-80GB,8,1\n".encode("latin-1"))
        planned, rejected = read_all(str(path))
        assert planned["job_id"].to_pylist() == ["b"]
        assert rejected["reason"].to_pylist() == ["line 2 holds bytes that are not UTF-8"]

    def test_a_line_that_is_no_object_is_left_out(self, tmp_path: Path) -> None:
        good = {"job_id": "a", "device": "A100-80GB", "device_count": 8, "device_hours": 1}
        planned, rejected = read_all(jsonl(tmp_path, "{", "[1]", good, '"x"'))
        assert rows(planned, "job_id", "row") == [("a", 2)]
        reasons = rejected["reason"].to_pylist()
        assert [str(reason).partition(" (")[0] for reason in reasons] == [
            "line 1 is not JSON",
            "line 2 is no JSON object",
            "line 4 is no JSON object",
        ]

    @pytest.mark.parametrize(
        ("column", "cell", "code"),
        [
            ("interruptible", "maybe", "wrong_type"),
            ("device_hours", "ten", "wrong_type"),
            ("repeats", "1.5", "not_whole"),
            ("finish_by_utc", "2026-11-22T10:00:00", "naive_timestamp"),
            ("finish_by_utc", "22.11.2026", "wrong_type"),
            ("finish_by_utc", "2026-11-22", "wrong_type"),
            ("device_count", "1,5", "wrong_type"),
        ],
    )
    def test_a_cell_that_says_nothing_is_named(
        self, tmp_path: Path, column: str, cell: str, code: str
    ) -> None:
        job = {"job_id": "a", "device": "A100-80GB", "device_count": "8", "device_hours": "1"} | {
            column: cell
        }
        path = csv(tmp_path, ",".join(job), ",".join(f'"{value}"' for value in job.values()))
        _, rejected = read_all(path)
        assert rows(rejected, "column", "value", "rule_code") == [(column, cell, code)]

    def test_times_without_an_offset_are_utc_where_the_settings_say_so(self, tmp_path: Path) -> None:
        path = csv(tmp_path, HEADER + ",finish_by_utc", "a,A100-80GB,8,1,2026-11-22 12:00")
        planned, rejected = read_all(path, against=rules(naive_timestamps="UTC"))
        assert rejected.num_rows == 0
        assert planned["finish_by_utc"].to_pylist() == [NOON]

    def test_many_rows_come_in_order_over_all_blocks(self, tmp_path: Path) -> None:
        count = 70_000
        path = csv(tmp_path, HEADER, *(f"job {at},A100-80GB,8,{at + 1}" for at in range(count)))
        planned, rejected = read_all(path, rows_per_partition=1_000)
        assert rejected.num_rows == 0
        assert planned["row"].to_pylist() == list(range(count))
        assert planned["device_hours"].to_pylist() == [float(at + 1) for at in range(count)]


class TestFiles:
    def refusal(self, path: str) -> str:
        with pytest.raises(ManifestError) as caught, found_manifests([path]) as files:
            check_columns(files, RULES_OF_TESTS)
        return str(caught.value)

    def test_columns_are_checked_as_those_of_parquet(self, tmp_path: Path) -> None:
        told = self.refusal(csv(tmp_path, "job,device,device_count,hours", "a,A100-80GB,8,1"))
        assert "required column 'job_id' is missing" in told
        assert "no column says how much work a job is" in told

    def test_a_name_that_stands_twice_is_refused(self, tmp_path: Path) -> None:
        told = self.refusal(csv(tmp_path, HEADER + ",Device", "a,A100-80GB,8,1,H100"))
        assert "'device', 'Device' mean the same" in told
        told = self.refusal(csv(tmp_path, HEADER + ",device", "a,A100-80GB,8,1,H100"))
        assert "'device', 'device' mean the same" in told

    def test_utf16_is_refused_with_what_to_save_it_as(self, tmp_path: Path) -> None:
        path = csv(tmp_path, HEADER, "a,A100-80GB,8,1", encoding="utf-16")
        assert "is UTF-16: save it as UTF-8" in self.refusal(path)

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
    def test_an_empty_table_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "queue.csv"
        path.write_bytes(content)
        assert "is empty: write a header" in self.refusal(str(path))

    def test_a_header_alone_is_a_queue_of_no_row(self, tmp_path: Path) -> None:
        with found_manifests([csv(tmp_path, HEADER)]) as (file,):
            assert file.rows == 0

    def test_a_quotation_mark_that_stays_open_is_told(self, tmp_path: Path) -> None:
        path = csv(tmp_path, HEADER, '"a,A100-80GB,8,1', "x" * 1_100_000)
        assert "is a quotation mark left open above?" in self.refusal(path)

    def test_a_packed_file_that_is_cut_off_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "queue.csv.gz"
        text = "\n".join([HEADER, *(f"job {at},A100-80GB,8,{at}" for at in range(9_000))])
        path.write_bytes(gzip.compress(text.encode())[:-2_000])
        assert "whole if it is packed" in self.refusal(str(path))

    def test_a_file_of_another_name_says_how_it_may_be_called(self, tmp_path: Path) -> None:
        assert "name the file after what it is: .csv or .jsonl" in self.refusal(
            csv(tmp_path, HEADER, name="queue.txt")
        )

    def test_the_parquet_it_was_brought_into_goes(self, tmp_path: Path) -> None:
        with found_manifests([csv(tmp_path, HEADER, "a,A100-80GB,8,1")]) as (file,):
            kept = Path(file.path)
            assert kept.is_file()
            assert pq.read_metadata(kept).num_rows == 1
            assert file.source.path == str(tmp_path / "queue.csv")
        assert not kept.exists()

    def test_an_own_column_takes_no_part_in_what_is_ignored(self, tmp_path: Path) -> None:
        with found_manifests([csv(tmp_path, HEADER, "a,A100-80GB,8,1")]) as files:
            assert check_columns(files, RULES_OF_TESTS) == []
