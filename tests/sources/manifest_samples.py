"""Small manifests for tests: one good job, and ways to change it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.catalog.names import squeeze
from opencarbon.sources.manifests import (
    Rules,
    check_columns,
    found_manifests,
    partitions,
    read_partitions,
    scan_job_ids,
)
from opencarbon.sources.manifests.arrow import AnyArray
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import PLANNED_JOBS, REJECTED_ROWS

DEVICES = ("NVIDIA A100 SXM4 40GB", "NVIDIA A100 SXM4 80GB", "NVIDIA V100 PCIe 16GB", "Google TPU v3")

RULES_OF_TESTS = Rules(
    device_units={squeeze(name): (name, 1.0) for name in DEVICES}
    | {squeeze("A100-80GB"): (DEVICES[1], 1.0), squeeze("TPU v3 core"): ("Google TPU v3", 0.5)},
    squeeze=squeeze,
    device_names=DEVICES,
    regions=frozenset({"aws:eu-central-1", "aws:us-east-1", "gcp:us-central1", "azure:swedencentral"}),
    providers=frozenset({"aws", "gcp", "azure"}),
    countries=frozenset({"DE", "US", "SE", "NO"}),
)

GOOD = {"job_id": "good", "device": "A100-80GB", "device_count": 8.0, "device_hours": 100.0}

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

TYPES: Mapping[str, pa.DataType] = {
    "earliest_start_utc": pa.timestamp("us", tz="UTC"),
    "finish_by_utc": pa.timestamp("us", tz="UTC"),
    "repeats": pa.int64(),
    "state": pa.string(),
    "current_region": pa.string(),
    "interruptible": pa.bool_(),
}


def rules(**changes: Any) -> Rules:
    return replace(RULES_OF_TESTS, **changes)


def table_of(jobs: Iterable[Mapping[str, Any]], types: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    rows = list(jobs)
    known = dict(TYPES) | dict(types or {})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], known.get(name)) for name in names})


def write(path: Path, table: pa.Table, **options: Any) -> str:
    pq.write_table(table, path, **options)
    return str(path)


UNUSED = Path("unused")
"""Where text would be kept: there is none."""


def one_file(tmp_path: Path, table: pa.Table, **options: Any) -> str:
    return write(tmp_path / "queue.parquet", table, **options)


def read_all(
    *paths: str, against: Rules = RULES_OF_TESTS, rows_per_partition: int = 122_880
) -> tuple[pa.Table, pa.Table]:
    """Everything in manifests, held to its contracts on the way out."""
    with found_manifests(paths) as files:
        check_columns(files, against)
        duplicates = scan_job_ids(files, against)
        parts = partitions(files, rows_per_partition)
        results = list(read_partitions(parts, against, duplicates))
    extra = [pa.field(name, carried) for name, carried in against.carry.items()]
    return (
        conform(pa.concat_tables([planned for planned, _ in results]), PLANNED_JOBS, extra=extra),
        conform(pa.concat_tables([rejected for _, rejected in results]), REJECTED_ROWS),
    )


def planned_column(tmp_path: Path, name: str, values: AnyArray, against: Rules = RULES_OF_TESTS) -> list[Any]:
    """What a column comes to that was given as these values, in jobs that are good otherwise."""
    jobs = table_of({**GOOD, "job_id": f"job {number}"} for number in range(len(values)))
    if name in jobs.column_names:
        jobs = jobs.drop_columns([name])
    planned, rejected = read_all(one_file(tmp_path, jobs.append_column(name, values)), against=against)
    assert rejected.to_pylist() == []
    return list(planned[name].to_pylist())


def texts(table: pa.Table, name: str) -> list[str]:
    """A column of text without nulls."""
    return [str(value) for value in table[name].to_pylist()]
