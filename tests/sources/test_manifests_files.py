"""Manifests as files: found, described, refused, cut into partitions."""

import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import ManifestError
from opencarbon.sources.manifests import (
    Partition,
    check_columns,
    find_manifests,
    partitions,
    read_partition,
    read_partitions,
    scan_job_ids,
)
from tests.sources.manifest_samples import GOOD, RULES_OF_TESTS, UNUSED, one_file, read_all, table_of, write


def jobs(count: int, prefix: str = "job") -> pa.Table:
    return table_of({**GOOD, "job_id": f"{prefix} {number}"} for number in range(count))


def shape(parts: list[Partition]) -> list[tuple[int, int, tuple[int, ...], int]]:
    return [(part.first_row, part.rows, part.row_groups, part.skip) for part in parts]


def test_manifests_are_sorted_by_name_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "b.parquet", jobs(2, "b"))
    write(tmp_path / "a.parquet", jobs(1, "a"))
    (tmp_path / "link.parquet").symlink_to(tmp_path / "a.parquet")
    files = find_manifests(["b.parquet", ".", "./b.parquet", str(tmp_path / "b.parquet")], UNUSED)
    assert [(str(tmp_path / "b.parquet"), 2), ("a.parquet", 1)] == [(file.name, file.rows) for file in files]


def test_a_file_without_rows_is_fine_and_gives_no_partition(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"whatever": pa.array([], pa.null())}))
    write(tmp_path / "b.parquet", jobs(2))
    planned, rejected = read_all(str(tmp_path))
    assert (planned.num_rows, rejected.num_rows) == (2, 0)
    assert find_manifests([str(tmp_path / "a.parquet")], UNUSED)[0].rows == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"is not Parquet: it is empty \(0 bytes\)"),
        (b"job_id,device\n1,A100\n", "is not Parquet: it does not begin as Parquet does"),
        (b"PAR1", "is cut off"),
        (b"PAR1 and then nothing of use", "is cut off"),
        (b"PAR1" + b"\x00" * 40 + b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "queue.parquet").write_bytes(content)
    with pytest.raises(ManifestError, match=words) as caught:
        find_manifests([str(tmp_path / "queue.parquet")], UNUSED)
    assert "queue.parquet" in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = Path(one_file(tmp_path, jobs(100)))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ManifestError, match="cut off"):
        find_manifests([str(path)], UNUSED)


def test_damage_behind_a_good_footer_is_an_error_of_that_file(tmp_path: Path) -> None:
    path = Path(one_file(tmp_path, jobs(1000)))
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=r"queue\.parquet cannot be read as Parquet"):
        read_all(str(path))


@pytest.mark.parametrize("paths", [[], [""], ["  "]])
def test_no_path_is_an_error_and_never_the_current_folder(paths: list[str]) -> None:
    with pytest.raises(ManifestError, match="no manifest is given"):
        find_manifests(paths, UNUSED)


def test_a_file_that_may_not_be_opened_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "queue.parquet").symlink_to(tmp_path / "gone")
    with pytest.raises(ManifestError, match=r"queue\.parquet"):
        find_manifests([str(tmp_path / "queue.parquet")], UNUSED)


def test_whole_row_groups_are_put_together_while_they_fit(tmp_path: Path) -> None:
    files = find_manifests([one_file(tmp_path, jobs(25), row_group_size=4)], UNUSED)
    assert shape(partitions(files, 9)) == [(0, 8, (0, 1), 0), (8, 8, (2, 3), 0), (16, 9, (4, 5, 6), 0)]


def test_a_large_row_group_is_cut(tmp_path: Path) -> None:
    files = find_manifests([one_file(tmp_path, jobs(25), row_group_size=20)], UNUSED)
    assert shape(partitions(files, 8)) == [
        (0, 8, (0,), 0),
        (8, 8, (0,), 8),
        (16, 4, (0,), 16),
        (20, 5, (1,), 0),
    ]


def test_no_partition_spans_two_files(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", jobs(3, "a"))
    write(tmp_path / "b.parquet", jobs(3, "b"))
    assert [part.rows for part in partitions(find_manifests([str(tmp_path)], UNUSED))] == [3, 3]


def test_partitions_of_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        partitions(find_manifests([one_file(tmp_path, jobs(3))], UNUSED), 0)


@pytest.mark.parametrize("row_group_size", [1, 3, 7, 50])
@pytest.mark.parametrize("rows_per_partition", [1, 4, 13, 100])
def test_rows_are_the_same_however_they_are_cut(
    tmp_path: Path, row_group_size: int, rows_per_partition: int
) -> None:
    path = one_file(tmp_path, jobs(40), row_group_size=row_group_size)
    planned, _ = read_all(path, rows_per_partition=rows_per_partition)
    assert [(f"job {row}", row) for row in range(40)] == list(
        zip(planned["job_id"].to_pylist(), planned["row"].to_pylist(), strict=True)
    )


def test_a_partition_read_alone_is_the_same_as_in_the_stream(tmp_path: Path) -> None:
    files = find_manifests([one_file(tmp_path, jobs(40), row_group_size=30)], UNUSED)
    duplicates = scan_job_ids(files, RULES_OF_TESTS)
    parts = partitions(files, 7)
    streamed = list(read_partitions(parts, RULES_OF_TESTS, duplicates))
    alone = [read_partition(part, RULES_OF_TESTS, duplicates) for part in parts]
    assert streamed == alone


def test_partitions_in_any_order_keep_their_rows(tmp_path: Path) -> None:
    files = find_manifests([one_file(tmp_path, jobs(20), row_group_size=20)], UNUSED)
    duplicates = scan_job_ids(files, RULES_OF_TESTS)
    chosen = [part for part in reversed(partitions(files, 5)) if part.first_row != 5]
    rows = [planned["row"].to_pylist() for planned, _ in read_partitions(chosen, RULES_OF_TESTS, duplicates)]
    assert rows == [[15, 16, 17, 18, 19], [10, 11, 12, 13, 14], [0, 1, 2, 3, 4]]


def test_partitions_and_duplicates_travel_between_processes(tmp_path: Path) -> None:
    files = find_manifests([one_file(tmp_path, jobs(5))], UNUSED)
    part, duplicates = pickle.loads(  # noqa: S301 - made two lines above
        pickle.dumps((partitions(files)[0], scan_job_ids(files, RULES_OF_TESTS)))
    )
    planned, _ = read_partition(part, RULES_OF_TESTS, duplicates)
    assert planned.num_rows == 5


def test_a_file_that_shrinks_between_scan_and_reading_is_an_error(tmp_path: Path) -> None:
    path = one_file(tmp_path, jobs(40))
    files = find_manifests([path], UNUSED)
    duplicates = scan_job_ids(files, RULES_OF_TESTS)
    write(Path(path), jobs(10))
    with pytest.raises(ManifestError, match="changed while it was read"):
        read_partition(partitions(files)[0], RULES_OF_TESTS, duplicates)


def test_manifests_of_different_schemas_stand_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", jobs(1, "a"))
    write(
        tmp_path / "b.parquet",
        pa.table(
            {
                "training_flop": pa.array([1e20], pa.float32()),
                "device": pa.array(["TPU v3 core"]).dictionary_encode(),
                "JOB_ID": pa.array([7]),
                "device_count": pa.array([16], pa.int16()),
                "team": pa.array(["vision"], pa.large_string()),
            }
        ),
    )
    planned, rejected = read_all(str(tmp_path))
    assert rejected.num_rows == 0
    assert planned["job_id"].to_pylist() == ["a 0", "7"]
    assert planned["work_source"].to_pylist() == ["device_hours", "training_flop"]
    assert planned["team"].to_pylist() == [None, "vision"]


def test_a_dictionary_that_changes_between_row_groups_is_read(tmp_path: Path) -> None:
    path = tmp_path / "queue.parquet"
    schema = jobs(1).schema.set(1, pa.field("device", pa.dictionary(pa.int8(), pa.string())))
    with pq.ParquetWriter(path, schema) as writer:
        for number, device in enumerate(("A100-80GB", "V100 PCIe", "TPU v3 core")):
            table = jobs(1, f"{number}").set_column(1, "device", pa.array([device]).dictionary_encode())
            writer.write_table(table.cast(schema))
    planned, rejected = read_all(str(path))
    assert planned["device_as_given"].to_pylist() == ["A100-80GB", "TPU v3 core"]
    assert list(zip(rejected["row"].to_pylist(), rejected["rule_code"].to_pylist(), strict=True)) == [
        (1, "unknown_device")
    ]


def test_columns_are_checked_before_any_row(tmp_path: Path) -> None:
    files = find_manifests([one_file(tmp_path, jobs(3).drop_columns(["device"]))], UNUSED)
    with pytest.raises(ManifestError, match="required column 'device' is missing"):
        check_columns(files, RULES_OF_TESTS)
