"""Reading a staged run back, file by file and table against table, before anyone else may."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opencarbon.errors import PublishError
from opencarbon.publishing.layout import REPORT
from opencarbon.publishing.parquet import part_paths, read_table
from opencarbon.publishing.read_back import ReadBack, read_back, violations_of
from opencarbon.publishing.soundness import JOB_REFERENCE, JOBS, sound_rows
from opencarbon.tables.contracts import Contract

if TYPE_CHECKING:
    import pyarrow as pa

    Field = pa.Field[Any]  # generic in the stubs only

_BLOCK: Final = 1 << 20
_THREADS: Final = 4
"""Tables read at once, at most: each holds a row group."""


@dataclass(frozen=True, slots=True)
class TableRecord:
    """What a table of a run is, to the byte.

    Parameters
    ----------
    contract_version : str
        ``major.minor`` of its contract.
    rows, bytes, parts : int
        Rows, bytes and files.
    sha256 : str
        Digest of the bytes of its parts, one after another.
    """

    contract_version: str
    rows: int
    bytes: int
    parts: int
    sha256: str


def verify_tables(
    directory: Path,
    contracts: Mapping[str, Contract],
    *,
    run_id: str,
    as_of_utc: datetime,
    extra: Mapping[str, Sequence[Field]],
) -> dict[str, TableRecord]:
    """Read every table of a run back and hold it against its contract and against the other tables.

    Parameters
    ----------
    directory : Path
        Directory of the run.
    contracts : mapping of str to Contract
        The tables that must be there, by name; no others may be.
    run_id : str
        The one run in ``dim_run``.
    as_of_utc : datetime
        Its moment.
    extra : mapping of str to sequence of pa.Field
        Columns a user carries, by table.

    Returns
    -------
    dict of str to TableRecord

    Raises
    ------
    PublishError
        With everything that is wrong: tables, footers, schemas, values, keys, order, foreign keys.
    """
    there = {path.name for path in directory.iterdir()} - {REPORT}
    violations = [f"table {name} is missing" for name in contracts if name not in there]
    violations += [f"{name} is no table of this release" for name in sorted(there - set(contracts))]
    present = [contract for name, contract in contracts.items() if name in there]
    checked = _checked(directory, present, extra)
    violations += chain.from_iterable(one.violations for one in checked)
    if not violations:
        violations += _run_violations(directory, run_id, as_of_utc)
    if violations:
        listed = "\n".join(f"  - {violation}" for violation in violations)
        raise PublishError(f"run {run_id} is not published, its tables in {directory} are wrong:\n{listed}")
    records = {one.name: one.record for one in checked if one.record is not None}
    return {name: records[name] for name in contracts}


def _checked(
    directory: Path, contracts: Sequence[Contract], extra: Mapping[str, Sequence[Field]]
) -> list[_Checked]:
    """Tables that others refer to, then the others; only those at fault, and what they refer to, are held whole."""
    named = {reference.table for contract in contracts for reference in contract.references}
    small = [contract for contract in contracts if contract.name in named - {JOBS}]
    large = [contract for contract in contracts if contract.name not in named - {JOBS}]
    large.sort(key=lambda contract: contract.name != JOBS)

    def read(contract: Contract) -> ReadBack:
        return read_back(directory, contract, extra.get(contract.name, ()))

    # Arrow and hashlib leave the interpreter free while they work: threads share the cores, a table each
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as pool:
        targets = {table.contract.name: table for table in pool.map(read, small)}
        checked = list(pool.map(lambda contract: _check(targets[contract.name], targets), small))
        streamed = pool.map(lambda contract: _sound(directory, contract, extra, targets), large)
        found = dict(zip((contract.name for contract in large), streamed, strict=True))
    faulty = [contract for contract in large if found[contract.name] is None]
    if any(contract.name == JOBS or JOB_REFERENCE in contract.references for contract in faulty):
        targets |= {contract.name: read(contract) for contract in large if contract.name == JOBS}
    for contract in faulty:
        found[contract.name] = _check(targets.get(contract.name) or read(contract), targets)
    return [*checked, *(one for one in found.values() if one is not None)]


def _sound(
    directory: Path,
    contract: Contract,
    extra: Mapping[str, Sequence[Field]],
    targets: Mapping[str, ReadBack],
) -> _Checked | None:
    """A table that is as it should be, without holding it; None for any other."""
    try:
        paths = part_paths(directory, contract.name)
        jobs = part_paths(directory, JOBS) if JOB_REFERENCE in contract.references else []
    except PublishError:
        return None
    distinct = {
        one.table: None
        if targets[one.table].violations
        else targets[one.table].columns[one.target[0]].combine_chunks()
        for one in contract.references
        if one.table in targets
    }
    rows = sound_rows(paths, contract, extra.get(contract.name, ()), distinct, jobs)
    return None if rows is None else _Checked(contract.name, (), _record(contract, rows, paths))


def digest_parts(paths: Sequence[Path]) -> tuple[int, str]:
    """Bytes and digest of files, one after another.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    bytes : int
    sha256 : str
    """
    size, digest = 0, hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                size += len(block)
                digest.update(block)
    return size, digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Checked:
    name: str
    violations: tuple[str, ...]
    record: TableRecord | None


def _check(table: ReadBack, targets: Mapping[str, ReadBack]) -> _Checked:
    violations = violations_of(table, targets)
    record = None if violations else _record(table.contract, table.rows, table.paths)
    return _Checked(table.contract.name, violations, record)


def _record(contract: Contract, rows: int, paths: Sequence[Path]) -> TableRecord:
    size, digest = digest_parts(paths)
    return TableRecord(contract.version, rows, size, len(paths), digest)


def _run_violations(directory: Path, run_id: str, as_of_utc: datetime) -> Iterator[str]:
    runs = read_table(directory, "dim_run", columns=["run_id", "as_of_utc"]).to_pylist()
    if runs != [{"run_id": run_id, "as_of_utc": as_of_utc}]:
        found = json.dumps(runs[:3], default=str)
        yield f"dim_run: expected the one run {run_id} as of {as_of_utc.isoformat()}, found {found}"
