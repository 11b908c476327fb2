"""Small runs to publish, and what a reader of a release must find at any moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.publishing.parquet import part_paths, read_table, write_table
from opencarbon.publishing.release import PublishOutcome, publish, run_id_for, stage_directory
from opencarbon.publishing.verify import digest_parts
from opencarbon.tables.contracts import PUBLISHED, Contract
from tests.tables.make_tables import make_release

CONTRACTS = {
    name: PUBLISHED[name] for name in ("dim_run", "dim_source", "dim_device", "fact_total", "fact_device_fit")
}
"""Few tables, so that tests are quick; three of the history are among them."""
FEWEST = {name: CONTRACTS[name] for name in ("dim_run", "dim_source", "fact_total")}
"""Fewer still, to publish hundreds of times."""


def run_of(day: int, *, hour: int = 21, inputs: str = "0") -> str:
    """Name of a run in November 2026."""
    return run_id_for(datetime(2026, 11, day, hour, tzinfo=UTC), inputs * 64)


def as_of(run_id: str) -> datetime:
    """Moment of a run."""
    return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)


@cache
def tables_of(run_id: str) -> dict[str, pa.Table]:
    """Tables of a run; another run has other values."""
    seed = int(run_id[:8]) + int(run_id[-8:], 16)
    return make_release(CONTRACTS, rows=3, run_id=run_id, as_of_utc=as_of(run_id), seed=seed)


def stage_run(root: str | Path, run_id: str, contracts: Mapping[str, Contract] = CONTRACTS) -> Path:
    """Write the tables of a run and its page, ready to be published."""
    staged = stage_directory(root, run_id)
    for name, contract in contracts.items():
        write_table(staged, tables_of(run_id)[name], contract)
    (staged / "report.html").write_text(f"<p>{run_id}</p>")
    return staged


def publish_run(
    root: str | Path,
    run_id: str,
    *,
    now_utc: datetime,
    keep_runs: int = 9,
    contracts: Mapping[str, Contract] = CONTRACTS,
) -> PublishOutcome:
    """Stage and publish a run."""
    staged = stage_run(root, run_id, contracts)
    return publish(
        root,
        run_id,
        as_of(run_id),
        staged,
        contracts,
        facts={"durations_s": {"estimate": 1.5}},
        keep_runs=keep_runs,
        now_utc=now_utc,
    )


def reader_faults(root: Path, allowed: set[str]) -> list[str]:
    """What is wrong for whoever follows ``latest``, the manifest or the history."""
    base = root / "v1"
    linked = (base / "latest").resolve()
    faults = [f"latest: {words}" for words in run_faults(linked, allowed)]
    manifest = json.loads((base / "manifest.json").read_bytes())
    named = base / manifest["path"]
    faults += [f"manifest: {words}" for words in run_faults(named, allowed)]
    if json.loads((named / "release.json").read_bytes()) != manifest:
        faults.append("manifest: not the record of the run it names")
    return faults + _history_faults(base)


def run_faults(directory: Path, allowed: set[str]) -> list[str]:
    """What is wrong with a stored run."""
    if directory.name not in allowed:
        return [f"names {directory.name}"]
    record: dict[str, Any] = json.loads((directory / "release.json").read_bytes())
    faults = [] if record["run_id"] == directory.name else [f"{directory.name} holds {record['run_id']}"]
    for name, table in record["tables"].items():
        if digest_parts(part_paths(directory, name)) != (table["bytes"], table["sha256"]):
            faults.append(f"{name} is not what was recorded")
        if "run_id" in CONTRACTS[name].columns:
            found = pc.unique(read_table(directory, name, columns=["run_id"])["run_id"].combine_chunks())
            if found.to_pylist() != [directory.name]:
                faults.append(f"{name} mixes {found.to_pylist()}")
    for name, document in record["documents"].items():
        content = (directory / name).read_bytes()
        if (len(content), sha256(content).hexdigest()) != (document["bytes"], document["sha256"]):
            faults.append(f"{name} is not what was recorded")
    return faults + [f"{name} is missing" for name in set(FEWEST) - set(record["tables"])]


def _history_faults(base: Path) -> list[str]:
    faults = []
    for path in sorted((base / "history").glob("*/*")):
        contract = CONTRACTS[path.parent.name]
        key = ("run_id", *(name for name in contract.key if name != "run_id"))
        with pq.ParquetFile(path) as file:
            rows = file.read(columns=list(key)).to_pylist()
        keys = [tuple(row[name] for name in key) for row in rows]
        if keys != sorted(set(keys)):
            faults.append(f"history {path.parent.name} repeats rows or has lost its order")
    return faults
