"""Runs and their records: what a run is called, what is told of it, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.errors import PublishError
from opencarbon.publishing.dictionary import datapackage
from opencarbon.publishing.documents import (
    DocumentRecord,
    document_record,
    documents_of,
    documents_of_record,
)
from opencarbon.publishing.layout import DICTIONARY, RECORD, RUN_ID_FORM, RUN_MINUTE, Layout
from opencarbon.publishing.parquet import part_paths, read_table
from opencarbon.publishing.verify import TableRecord, digest_parts, verify_tables
from opencarbon.sources.object_versions import objects_below
from opencarbon.sources.places import Place
from opencarbon.tables.contracts import Contract

if TYPE_CHECKING:
    Field = pa.Field[Any]  # generic in the stubs only
    Json = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

RECORD_VERSION: Final = 1
"""Version of ``release.json`` and ``manifest.json``."""
KEPT_AT_LEAST: Final = timedelta(hours=24)
"""Age below which no run is deleted: someone may be reading it."""
_MINUTE_LENGTH: Final = len("20261122T2100Z")


@dataclass(frozen=True, slots=True)
class Staged:
    """A run that is written and ready to be described.

    Parameters
    ----------
    run_id : str
    as_of_utc : datetime
        Moment the run looks from, aware.
    directory : Path
        With a table for every contract.
    contracts : mapping of str to Contract
        Tables of the release by name.
    facts : mapping of str to JSON
        What else the record should tell.
    extra : mapping of str to sequence of pa.Field
        Columns a user carries, by table.
    """

    run_id: str
    as_of_utc: datetime
    directory: Path
    contracts: Mapping[str, Contract]
    facts: Mapping[str, Json]
    extra: Mapping[str, Sequence[Field]]


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of putting a run in place.

    Parameters
    ----------
    tables : mapping of str to TableRecord
    latest_run_id : str
    changed : bool
        The run is new here, or is now the newest one.
    removed_run_ids : tuple of str
    """

    tables: Mapping[str, TableRecord]
    latest_run_id: str
    changed: bool
    removed_run_ids: tuple[str, ...]


def run_id_for(as_of_utc: datetime, inputs_sha256: str) -> str:
    """Name of a run: its moment and the first 8 digits of its inputs.

    Parameters
    ----------
    as_of_utc : datetime
        Moment the run looks from, aware.
    inputs_sha256 : str
        Digest of everything the run was made from.

    Returns
    -------
    str
        Such as ``20261122T2100Z-0123abcd``; names sort by moment.

    Raises
    ------
    PublishError
        If the moment carries no time zone or the digest is none.
    """
    if as_of_utc.tzinfo is None:
        raise PublishError(f"as_of_utc {as_of_utc.isoformat()} carries no time zone: give it in UTC")
    run_id = f"{as_of_utc.astimezone(UTC).strftime(RUN_MINUTE)}-{inputs_sha256[:8]}"
    check_run_id(run_id)
    return run_id


def check_run_id(run_id: str) -> None:
    """Refuse what is no name of a run.

    Parameters
    ----------
    run_id : str

    Raises
    ------
    PublishError
    """
    if not RUN_ID_FORM.fullmatch(run_id):
        raise PublishError(
            f"run_id {run_id!r}: expected a moment and 8 hex digits, such as 20261122T2100Z-0123abcd"
        )


def newest(current: str | None, run_id: str) -> str:
    """Run to follow: the new one, unless the current one looks from a later moment.

    Parameters
    ----------
    current : str or None
    run_id : str

    Returns
    -------
    str
    """
    if current is None or current[:_MINUTE_LENGTH] <= run_id[:_MINUTE_LENGTH]:
        return run_id
    return current


def describe(staged: Staged) -> tuple[dict[str, TableRecord], dict[str, bytes]]:
    """Verify a staged run, and say what it is.

    Parameters
    ----------
    staged : Staged

    Returns
    -------
    tables : dict of str to TableRecord
    files : dict of str to bytes
        Documents, dictionary and record of the run by name, in the order in which they are to be written.

    Raises
    ------
    PublishError
        If the tables are wrong.
    """
    directory, contracts, run_id = staged.directory, staged.contracts, staged.run_id
    tables = verify_tables(
        directory, contracts, run_id=run_id, as_of_utc=staged.as_of_utc, extra=staged.extra
    )
    sources = read_table(directory, "dim_source") if "dim_source" in contracts else None
    parts = {name: table.parts for name, table in tables.items()}
    package = datapackage(contracts, parts=parts, extra=staged.extra, sources=sources)
    documents = documents_of(directory, package, contracts)
    (run,) = read_table(directory, "dim_run", columns=["version", "inputs_sha256"]).to_pylist()
    record = {
        "record_version": RECORD_VERSION,
        "run_id": run_id,
        "as_of_utc": staged.as_of_utc.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **run,
        "path": f"runs/{run_id}",
        "tables": {name: asdict(table) for name, table in tables.items()},
        "documents": {name: asdict(document_record(content)) for name, content in documents.items()},
        "facts": staged.facts,
    }
    return tables, {**documents, DICTIONARY: as_json(package), RECORD: as_json(record)}


def as_json(content: Mapping[str, Any]) -> bytes:
    """Content as the bytes of a JSON file.

    Parameters
    ----------
    content : mapping of str to Any

    Returns
    -------
    bytes
    """
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def tables_of_record(record: bytes) -> dict[str, TableRecord]:
    """Tables that the record of a run names.

    Parameters
    ----------
    record : bytes

    Returns
    -------
    dict of str to TableRecord

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        If it is no record.
    """
    tables = json.loads(record)["tables"]
    return {name: TableRecord(**table) for name, table in tables.items()}


def whole_run(layout: Layout, run_id: str) -> dict[str, TableRecord] | None:
    """Tables of a stored run that is as it was recorded.

    Parameters
    ----------
    layout : Layout
    run_id : str

    Returns
    -------
    dict of str to TableRecord, or None
        None where there is no such run, or it is damaged: it is made again. On this machine every byte is looked at;
        on an object store, which keeps bytes by itself, every file and its size.
    """
    try:
        record = layout.record(run_id).read_bytes()
        tables, documents = tables_of_record(record), documents_of_record(record)
        is_as_recorded = _has_sizes if layout.root.local is None else _has_digests
        return tables if is_as_recorded(layout.runs / run_id, tables, documents) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, PublishError):
        return None


def _has_digests(
    directory: Place, tables: Mapping[str, TableRecord], documents: Mapping[str, DocumentRecord]
) -> bool:
    return all(
        digest_parts(part_paths(Path(directory.path), name)) == (table.bytes, table.sha256)
        for name, table in tables.items()
    ) and all(
        document_record((directory / name).read_bytes()) == document for name, document in documents.items()
    )


def _has_sizes(
    directory: Place, tables: Mapping[str, TableRecord], documents: Mapping[str, DocumentRecord]
) -> bool:
    there = objects_below(directory)
    for name, table in tables.items():
        parts = [there.get(f"{name}/part-{number}.parquet") for number in range(table.parts)]
        if None in parts or sum(part.size for part in parts if part) != table.bytes:
            return False
    if any(name not in there or there[name].size != told.bytes for name, told in documents.items()):
        return False
    files = sum(table.parts for table in tables.values()) + len(documents)
    return len(there) == files + len((DICTIONARY, RECORD))
