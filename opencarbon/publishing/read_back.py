"""A written table held whole, to say in words what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.errors import ContractError, PublishError
from opencarbon.publishing.footers import footer_violations
from opencarbon.publishing.parquet import part_paths
from opencarbon.publishing.soundness import JOB_REFERENCE, JOBS
from opencarbon.tables.conform import (
    conform,
    is_ascending,
    key_violations,
    reference_violations,
    schema_with,
)
from opencarbon.tables.contracts import MANIFEST_ORDER, Contract
from opencarbon.tables.value_rules import examples_of

if TYPE_CHECKING:  # generic in the stubs only
    Field = pa.Field[Any]
    Chunk = pa.Array[Any]
    Values = pa.ChunkedArray[Any]


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What reading leaves to judge a table by.

    Parameters
    ----------
    contract : Contract
    paths : tuple of Path
        Its files.
    violations : tuple of str
        What is wrong with files and values.
    columns : mapping of str to pa.ChunkedArray
        Its key and order, whole.
    referring : mapping of str to pa.ChunkedArray
        Values of its references, in each row group once.
    rows : int
    """

    contract: Contract
    paths: tuple[Path, ...]
    violations: tuple[str, ...]
    columns: Mapping[str, Values]
    referring: Mapping[str, Values]
    rows: int


def read_back(directory: Path, contract: Contract, extra: Sequence[Field]) -> ReadBack:
    """Read every row group once: hold it against the contract, and keep what the whole table is judged by.

    Parameters
    ----------
    directory : Path
        Directory of the run.
    contract : Contract
    extra : sequence of pa.Field
        Columns a user carries.

    Returns
    -------
    ReadBack
    """
    try:
        paths = tuple(part_paths(directory, contract.name))
    except PublishError as problem:
        return ReadBack(contract, (), (str(problem),), {}, {}, 0)
    schema = schema_with(contract, extra)
    kept, used = _kept_columns(contract), {column for one in contract.references for column in one.columns}
    columns: dict[str, list[Chunk]] = {name: [] for name in kept}
    referring: dict[str, list[Chunk]] = {name: [] for name in used - kept}
    violations: list[str] = []
    rows = 0
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                found = list(footer_violations(file.metadata, contract, schema))
                for group in _sound_groups(file, contract, extra, found):
                    rows += group.num_rows
                    for name, chunks in columns.items():
                        chunks += group[name].chunks
                    for name, chunks in referring.items():
                        chunks.append(pc.unique(group[name].combine_chunks()))
        except (OSError, pa.ArrowException) as problem:
            found = [f"cannot be read back: {problem}"]
        violations += (f"{contract.name}/{path.name}: {words}" for words in found)
    return ReadBack(
        contract,
        paths,
        tuple(violations),
        {name: pa.chunked_array(chunks, schema.field(name).type) for name, chunks in columns.items()},
        {name: pa.chunked_array(chunks, schema.field(name).type) for name, chunks in referring.items()},
        rows,
    )


def violations_of(table: ReadBack, targets: Mapping[str, ReadBack]) -> tuple[str, ...]:
    """What is wrong with a table: files and values, or else key, order and foreign keys.

    Parameters
    ----------
    table : ReadBack
    targets : mapping of str to ReadBack
        The tables that are referred to, by name.

    Returns
    -------
    tuple of str
        A sentence each.
    """
    contract = table.contract
    if table.violations:
        return table.violations
    jobs = targets.get(JOBS)
    sound = {name: target.columns for name, target in targets.items() if not target.violations}
    references = tuple(one for one in contract.references if one.table in sound or one.table not in targets)
    if JOB_REFERENCE in references and contract.keeps_manifest_order and jobs is not None:
        references = tuple(one for one in references if one != JOB_REFERENCE)
        found = _job_violations(table.columns, contract, jobs.columns["job_id"])
    else:
        found = key_violations(table.columns, contract)
    return (
        *(f"{contract.name}: {words}" for words in found),
        *reference_violations(
            contract.name,
            {**table.columns, **table.referring},
            replace(contract, references=references),
            sound,
        ),
    )


def _kept_columns(contract: Contract) -> set[str]:
    order = set(MANIFEST_ORDER) & set(contract.columns) if contract.keeps_manifest_order else set()
    return {*contract.key, *order}


def _sound_groups(
    file: pq.ParquetFile, contract: Contract, extra: Sequence[Field], violations: list[str]
) -> Iterator[pa.Table]:
    """Row groups up to the first that breaks the contract; its violations are added to those given."""
    # the key is checked over the whole table; here its columns only stay required
    by_value = replace(contract, key=(), required=(*contract.key, *contract.required))
    rows = 0
    for number in range(0 if violations else file.num_row_groups):
        group = file.read_row_group(number)
        rows += group.num_rows
        try:
            yield conform(group, by_value, extra=extra)
        except ContractError as problem:
            violations += (f"row group {number}: {words}" for words in problem.violations)
            return
    if not violations and rows != file.metadata.num_rows:
        violations.append(f"{file.metadata.num_rows} rows by the footer, {rows} read back")


def _job_violations(columns: Mapping[str, Values], contract: Contract, jobs: Values) -> list[str]:
    """Check the reference to the jobs, their order and the key by one look-up of every job's place.

    A table whose key is the job has a row for every job.
    """
    job_id = columns["job_id"]
    place = pa.chunked_array([pc.index_in(job_id.combine_chunks(), value_set=jobs.combine_chunks())])
    if place.null_count:
        lost = pc.unique(job_id.filter(pc.is_null(place)))
        examples = ", ".join(map(repr, lost.slice(0, 3).to_pylist()))
        return [f"job_id holds {len(lost)} values that {JOBS}.job_id lacks: {examples}"]
    violations, rest = [], contract.key[1:]
    in_order = is_ascending([place], strictly=False)
    if not in_order:
        violations.append(f"jobs do not stand in the order of {JOBS}: sort them so before they are published")
    if not is_ascending([place, *(columns[name] for name in rest)], strictly=True):
        repeated = key_violations(columns, replace(contract, columns=contract.key))
        violations += repeated
        if in_order and not repeated:
            violations.append(
                f"rows of a job are not sorted by {', '.join(rest)}: sort them so before they are published"
            )
    if contract.key == ("job_id",) and (missing := jobs.filter(pc.invert(pc.is_in(jobs, value_set=job_id)))):
        violations.append(f"{len(missing)} jobs of {JOBS} have no row: {examples_of(missing)}")
    return violations
