"""How writing and reading back a release grows with the queue: ratios on one machine, and bytes, never seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.publishing import footers, parquet
from opencarbon.publishing.parquet import TableWriter, part_paths, write_table
from opencarbon.publishing.verify import verify_tables
from opencarbon.tables.contracts import PUBLISHED
from tests.benchmarks.test_manifest_speed import least_seconds
from tests.tables.make_tables import AS_OF_UTC, RUN_ID, make_release, make_table

JOB_TABLES = ("dim_job", "fact_job_estimate", "rec_job", "fact_job_region", "fact_job_segment")
ROWS_PER_GROUP = 2_000
SHORT, LONG = 4_000, 40_000
Tables = dict[str, pa.Table]

_POOLS: list[pa.MemoryPool] = []
"""Kept: what was taken from a pool may be given back to it later."""


def release(jobs: int) -> Tables:
    """A release of so many jobs, and of a few rows of everything else."""
    tables = make_release(rows=40)
    for name in JOB_TABLES:
        tables[name] = make_table(PUBLISHED[name], rows=jobs, parents=tables)
    return tables


@pytest.fixture(scope="module")
def queues() -> dict[int, Tables]:
    return {jobs: release(jobs) for jobs in (SHORT, LONG)}


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parquet, footers):
        monkeypatch.setattr(module, "ROW_GROUP_ROWS", ROWS_PER_GROUP)


def stage(directory: Path, tables: Tables) -> Path:
    for name, table in tables.items():
        write_table(directory, table, PUBLISHED[name])
    return directory


def verify(directory: Path) -> None:
    verify_tables(directory, PUBLISHED, run_id=RUN_ID, as_of_utc=AS_OF_UTC, extra={})


def peak_bytes(work: Callable[[], object]) -> int:
    """Most Arrow memory that work needs at once [bytes]: the least of three, for it depends on how threads meet."""
    return min(_peak_bytes(work) for _ in range(3))


def _peak_bytes(work: Callable[[], object]) -> int:
    usual = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(usual)
    _POOLS.append(counting)
    pa.set_memory_pool(counting)
    try:
        work()
    finally:
        pa.set_memory_pool(usual)
    return int(counting.max_memory() or 0)


def test_reading_a_release_back_takes_no_more_memory_for_a_longer_queue(
    queues: dict[int, Tables], tmp_path: Path
) -> None:
    """17 bytes of hashes for each job are NumPy's, and are all that grows."""
    short, long = (stage(tmp_path / str(jobs), queues[jobs]) for jobs in (SHORT, LONG))
    assert peak_bytes(lambda: verify(long)) < 2 * peak_bytes(lambda: verify(short))  # of ten times the jobs


def test_writing_takes_no_more_memory_for_a_longer_queue(queues: dict[int, Tables], tmp_path: Path) -> None:
    def pieces(table: pa.Table) -> Iterator[pa.Table]:
        """Parts of a table as large as a row group, less some: what partitions with rejected rows give."""
        rows = ROWS_PER_GROUP - 7
        return (table.slice(at, rows) for at in range(0, table.num_rows, rows))

    def write(jobs: int) -> None:
        with TemporaryDirectory(dir=tmp_path) as directory:
            for name in JOB_TABLES:
                with TableWriter(Path(directory), PUBLISHED[name]) as writer:
                    for piece in pieces(queues[jobs][name]):
                        writer.write(piece)

    assert peak_bytes(lambda: write(LONG)) < 1.5 * peak_bytes(lambda: write(SHORT))


def test_reading_back_costs_few_times_what_decoding_costs(queues: dict[int, Tables], tmp_path: Path) -> None:
    directory = stage(tmp_path, queues[LONG])

    def decode() -> None:
        for name in JOB_TABLES:
            for path in part_paths(directory, name):
                pq.read_table(path)

    assert least_seconds(lambda: verify(directory)) < 5 * least_seconds(decode)


def test_the_time_of_reading_back_grows_with_rows_and_not_with_their_square(
    queues: dict[int, Tables], tmp_path: Path
) -> None:
    short, long = (stage(tmp_path / str(jobs), queues[jobs]) for jobs in (SHORT, LONG))
    grown = least_seconds(lambda: verify(long)) / least_seconds(lambda: verify(short))
    assert grown < 1.5 * LONG / SHORT
