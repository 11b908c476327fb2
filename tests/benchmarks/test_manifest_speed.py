"""How reading manifests grows: ratios on one machine, never seconds."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.sources.manifests import find_manifests, partitions, read_partitions, scan_job_ids
from tests.sources.manifest_samples import DEVICES, NOON, RULES_OF_TESTS, UNUSED

ROWS_PER_PARTITION = 20_000


def queue(path: Path, rows: int, row_group_size: int) -> str:
    random = np.random.default_rng(rows)
    start = np.datetime64(NOON.replace(tzinfo=None), "us").astype(np.int64)
    earliest = start + random.integers(0, 48 * 3600, rows) * 1_000_000
    regions = sorted(RULES_OF_TESTS.regions)
    table = pa.table(
        {
            "job_id": [f"job-{row:09d}-0123456789abcdef" for row in range(rows)],
            "device": pa.array(random.choice(DEVICES, rows)),
            "device_count": pa.array(random.integers(1, 512, rows)),
            "training_flop": pa.array(10 ** random.uniform(18, 24, rows)),
            "earliest_start_utc": pa.array(earliest, pa.timestamp("us", tz="UTC")),
            "finish_by_utc": pa.array(earliest + 86_400_000_000, pa.timestamp("us", tz="UTC")),
            "current_region": pa.array(random.choice(regions, rows)),
            "allowed_regions": pa.array(
                random.choice(["aws:*", "*", "country:DE;gcp:us-central1", ""], rows)
            ),
            "team": pa.array(random.choice([f"team {number}" for number in range(40)], rows)),
        }
    )
    pq.write_table(table, path, row_group_size=row_group_size)
    return str(path)


def least_seconds(work: Callable[[], object], tries: int = 3) -> float:
    seconds = []
    for _ in range(tries):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def read(path: str) -> tuple[int, int]:
    """Rows read, and the most Arrow memory held between two partitions [bytes]."""
    files = find_manifests([path], UNUSED)
    duplicates = scan_job_ids(files, RULES_OF_TESTS)
    before = pa.total_allocated_bytes()
    rows, held = 0, 0
    for planned, _ in read_partitions(partitions(files, ROWS_PER_PARTITION), RULES_OF_TESTS, duplicates):
        rows += planned.num_rows
        held = max(held, pa.total_allocated_bytes() - before)
    return rows, held


def test_time_grows_with_rows_and_not_with_their_square(tmp_path: Path) -> None:
    small = queue(tmp_path / "small.parquet", 40_000, 20_000)
    large = queue(tmp_path / "large.parquet", 160_000, 20_000)
    assert least_seconds(lambda: read(large)) < 3 * 4 * least_seconds(lambda: read(small))


def test_one_huge_row_group_costs_no_more_than_many_small_ones(tmp_path: Path) -> None:
    many = queue(tmp_path / "many.parquet", 160_000, 20_000)
    one = queue(tmp_path / "one.parquet", 160_000, 160_000)
    assert least_seconds(lambda: read(one)) < 3 * least_seconds(lambda: read(many))


@pytest.mark.parametrize("row_group_size", [20_000, 200_000])
def test_memory_is_that_of_a_partition_however_long_the_manifest(tmp_path: Path, row_group_size: int) -> None:
    short = queue(tmp_path / "short.parquet", 20_000, row_group_size)
    long = queue(tmp_path / "long.parquet", 200_000, row_group_size)
    (_, held), (rows, held_by_ten_times_as_many) = read(short), read(long)
    assert 200_000 == rows
    assert held_by_ten_times_as_many < 3 * held


def test_a_partition_costs_few_times_its_decoding(tmp_path: Path) -> None:
    path = queue(tmp_path / "queue.parquet", 100_000, 20_000)
    decoding = least_seconds(lambda: pq.read_table(path))
    assert least_seconds(lambda: read(path)) < 40 * decoding
