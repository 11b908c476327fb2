"""Reading the intensity store while fetches are added to it and merged."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from opencarbon.errors import ContractError, SourceUnavailableError
from opencarbon.sources.locations import public_name
from opencarbon.sources.storage import reason_of
from opencarbon.sources.store.files import content_of, digest_of, find, name_of
from opencarbon.sources.store.layout import FOLDER, StoredFile, merged_files, needed, stored_files
from opencarbon.tables.conform import conform
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY, with_accounting_basis

STORE: Final = "intensity store"
"""What messages call it."""

_READERS: Final = 4
_READERS_ELSEWHERE: Final = 16
"""Files read at once: from this machine, and from an object store, where most of the time is waiting."""
_TRIES: Final = 10
"""Every compaction that goes on meanwhile costs one."""

_EMPTY: Final = GRID_INTENSITY.schema().empty_table()


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows are wanted.

    Parameters
    ----------
    as_of_utc : datetime
        Only fetches up to then count.
    since_utc, until_utc : datetime or None
        Hours that start at a time or later, and before another.
    zones, kinds : collection of str or None
        Leave out others.
    every : bool
        Also what a newer fetch has replaced.
    """

    as_of_utc: datetime
    since_utc: datetime | None = None
    until_utc: datetime | None = None
    zones: Collection[str] | None = None
    kinds: Collection[str] | None = None
    every: bool = False


def rows_of(root: str, query: Query) -> tuple[pa.Table, list[Event]]:
    """Rows that the store holds, as they were fetched.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. Where nothing is, the store is empty.
    query : Query

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY``, each with its accounting basis, in no order; a row that two files hold may stand
        twice. And a warning for each file that is damaged or cannot be read, whose rows are missing.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be listed, or files went away under every attempt to read it.
    """
    for _ in range(_TRIES):
        system, files = find(root, FOLDER, stored_files, store=STORE)
        wanted = [
            file
            for file in needed(files, query.as_of_utc, query.kinds, every=query.every)
            if file.may_hold(query.since_utc, query.until_utc)
        ]
        try:
            read = read_files(system, wanted, query)
        except FileNotFoundError:
            continue  # merged meanwhile
        _, merged = find(root, FOLDER, merged_files, store=STORE)
        if merged == [file for file in files if file.is_merged]:
            return read
    raise SourceUnavailableError(
        f"the {STORE} at {public_name(root)} cannot be read: its files change while they are read"
    )


def read_files(
    system: pafs.FileSystem, files: Sequence[StoredFile], query: Query
) -> tuple[pa.Table, list[Event]]:
    """Rows of some files of the store.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    files : sequence of StoredFile
    query : Query

    Returns
    -------
    tuple of pa.Table and list of Event
        See :func:`rows_of`.

    Raises
    ------
    FileNotFoundError
        If a file is gone.
    """
    readers = _READERS if isinstance(system, pafs.LocalFileSystem) else _READERS_ELSEWHERE
    with ThreadPoolExecutor(max_workers=readers, thread_name_prefix="intensity-store") as pool:
        found = list(pool.map(partial(_read, system, query=query), files))
    events = [one for one in found if isinstance(one, Event)]
    tables = [one for one in found if isinstance(one, pa.Table)]
    return pa.concat_tables([_EMPTY, *tables]).combine_chunks(), events


def _read(system: pafs.FileSystem, file: StoredFile, *, query: Query) -> pa.Table | Event:
    name = name_of(file.path)
    try:
        content = content_of(system, file.path)
        if digest_of(content) != file.digest:
            return _skipped(name, "its content does not match the digest in its name")
        with pq.ParquetFile(BytesIO(content)) as parquet:
            rows = parquet.read(use_threads=False)
        if not rows.schema.equals(_EMPTY.schema):  # rows of this schema were checked before they were written
            rows = conform(with_accounting_basis(rows), GRID_INTENSITY)
        return _only(rows, file, query)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as problem:
        return _skipped(name, reason_of(problem))
    except ContractError as problem:
        return _skipped(name, problem.violations[0])


def _only(rows: pa.Table, file: StoredFile, query: Query) -> pa.Table:
    """Rows that are wanted; what the name of the file promises is not looked for in its rows."""
    hours = rows["hour_start_utc"]
    if file.last_fetch_utc > query.as_of_utc:
        rows = rows.filter(pc.less_equal(rows["fetched_at_utc"], pa.scalar(query.as_of_utc, hours.type)))
    if query.since_utc is not None and file.first_hour_utc < query.since_utc:
        rows = rows.filter(pc.greater_equal(rows["hour_start_utc"], pa.scalar(query.since_utc, hours.type)))
    if query.until_utc is not None and file.last_hour_utc >= query.until_utc:
        rows = rows.filter(pc.less(rows["hour_start_utc"], pa.scalar(query.until_utc, hours.type)))
    for name, wanted in (("zone", query.zones), ("intensity_kind", None if file.kind else query.kinds)):
        if wanted is not None:
            rows = rows.filter(pc.is_in(rows[name], value_set=pa.array(sorted(wanted), pa.string())))
    return rows


def _skipped(name: str, reason: str) -> Event:
    detail = f"stored intensities of this file are left out: {reason}"
    return Event("warning", "intensity_store", name, "unreadable_file", detail)
