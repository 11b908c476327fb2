"""A job_id that stands more than once keeps its first row by path and row."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencarbon.sources.manifests import find_manifests, partitions, scan_job_ids
from tests.sources.manifest_samples import (
    GOOD,
    RULES_OF_TESTS,
    UNUSED,
    one_file,
    read_all,
    rules,
    table_of,
    texts,
    write,
)


def jobs(job_ids: Sequence[str | None]) -> pa.Table:
    return table_of([{**GOOD, "job_id": job_id} for job_id in job_ids], {"job_id": pa.string()})


def repeats(tmp_path: Path) -> list[tuple[int, int]]:
    files = find_manifests([str(tmp_path)], UNUSED)
    duplicates = scan_job_ids(files, RULES_OF_TESTS)
    return list(zip(duplicates.positions.tolist(), duplicates.first_positions.tolist(), strict=True))


def test_a_repeat_within_a_file_names_the_first_row(tmp_path: Path) -> None:
    planned, rejected = read_all(one_file(tmp_path, jobs(["a", "b", "a", "c", "a", "b"])))
    assert [0, 1, 3] == planned["row"].to_pylist()
    assert [(2, "a", 0), (4, "a", 0), (5, "b", 1)] == [
        (row["row"], row["value"], int(row["reason"].split()[-1])) for row in rejected.to_pylist()
    ]


def test_a_repeat_across_files_keeps_the_file_that_sorts_first(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", jobs(["x", "y"]))
    write(tmp_path / "a.parquet", jobs(["z", "x"]))
    planned, rejected = read_all(str(tmp_path / "b.parquet"), str(tmp_path / "a.parquet"))
    assert ["z", "x", "y"] == planned["job_id"].to_pylist()
    (row,) = rejected.to_pylist()
    assert (str(tmp_path / "b.parquet"), 0) == (row["manifest"], row["row"])
    assert f"stands already in {tmp_path / 'a.parquet'}, row 1" in row["reason"]


@pytest.mark.parametrize("row_group_size", [2, 5, 100])
@pytest.mark.parametrize("rows_per_partition", [1, 3, 100])
def test_repeats_are_found_across_row_groups_and_partitions(
    tmp_path: Path, row_group_size: int, rows_per_partition: int
) -> None:
    path = one_file(tmp_path, jobs([f"job {row % 7}" for row in range(20)]), row_group_size=row_group_size)
    planned, rejected = read_all(path, rows_per_partition=rows_per_partition)
    assert list(range(7)) == planned["row"].to_pylist()
    assert list(range(7, 20)) == rejected["row"].to_pylist()


def test_missing_ids_repeat_nothing(tmp_path: Path) -> None:
    _, rejected = read_all(one_file(tmp_path, jobs([None, "", None, "", "  ", "a"])))
    assert ["missing"] * 5 == rejected["rule_code"].to_pylist()


def test_ids_that_differ_in_case_space_or_form_are_different(tmp_path: Path) -> None:
    planned, _ = read_all(one_file(tmp_path, jobs(["a", "A", "a ", "é", "e\u0301", "1", "01"])))
    assert 7 == planned.num_rows


def test_the_first_row_counts_even_where_it_is_rejected_itself(tmp_path: Path) -> None:
    table = table_of([GOOD | {"device_count": -1.0}, GOOD])
    planned, rejected = read_all(one_file(tmp_path, table))
    assert 0 == planned.num_rows
    assert ["out_of_range", "duplicate_job_id"] == rejected["rule_code"].to_pylist()


def test_ids_of_numbers_dictionaries_and_mapped_columns_are_the_same_ids(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", jobs(["1", "2"]))
    numbers = jobs(["", ""]).drop_columns(["job_id"])
    write(tmp_path / "b.parquet", numbers.append_column("run", pa.array([2, 3])))
    write(tmp_path / "c.parquet", numbers.append_column("run", pa.array(["3", "4"]).dictionary_encode()))
    planned, rejected = read_all(str(tmp_path), against=rules(columns={"run": "job_id"}))
    assert ["1", "2", "3", "4"] == planned["job_id"].to_pylist()
    assert 2 == rejected.num_rows


def test_files_without_rows_do_not_shift_positions(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", jobs(["x"]))
    write(tmp_path / "b.parquet", jobs([]))
    write(tmp_path / "c.parquet", jobs(["y", "x"]))
    _, rejected = read_all(str(tmp_path))
    assert f"{tmp_path / 'a.parquet'}, row 0" in texts(rejected, "reason")[0]


def test_no_rows_at_all_repeat_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", jobs([]))
    files = find_manifests([str(tmp_path)], UNUSED)
    assert 0 == len(scan_job_ids(files, RULES_OF_TESTS))
    assert [] == partitions(files)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.one_of(st.none(), st.text("abé", max_size=2)), min_size=1, max_size=40),
    cut=st.integers(0, 40),
)
def test_repeats_are_those_that_a_dictionary_finds(tmp_path: Path, ids: list[str | None], cut: int) -> None:
    write(tmp_path / "a.parquet", jobs(ids[:cut]))
    write(tmp_path / "b.parquet", jobs(ids[cut:]))
    first: dict[str, int] = {}
    expected = []
    for position, job_id in enumerate(ids):
        if job_id and first.setdefault(job_id, position) != position:
            expected.append((position, first[job_id]))
    assert expected == repeats(tmp_path)
