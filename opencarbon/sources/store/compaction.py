"""Merging files of the intensity store: no row changes, and it can be read at every moment."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from opencarbon.errors import SourceUnavailableError
from opencarbon.sources.locations import public_name
from opencarbon.sources.storage import reason_of
from opencarbon.sources.store.files import digest_of, find, name_of, parquet_bytes, put, remove
from opencarbon.sources.store.layout import (
    FOLDER,
    StoredFile,
    bounds_of_month,
    merged_path,
    months_between,
    stored_files,
)
from opencarbon.sources.store.reading import STORE, Query, read_files
from opencarbon.sources.store.rows import changes, is_newest, ordered
from opencarbon.tables.events import Event

MOST_FETCHES: Final = 50
"""Fetches of the running month that are left as they are."""

FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""A moment from which every fetch is known."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was merged.

    Parameters
    ----------
    files_before, files_after : int
    rows : int
        In the files that were written.
    events : tuple of Event
        A warning for each file that cannot be read: it stays as it is.
    """

    files_before: int
    files_after: int
    rows: int
    events: tuple[Event, ...]


def compact(root: str, *, now_utc: datetime, told: Callable[[int, int], None]) -> Compaction:
    """Merge fetches made in past months or of hours in them, and those of the running month where they are many.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store.
    now_utc : datetime
        With a time zone.
    told : callable
        Is told the months that are merged, and all months.

    Returns
    -------
    Compaction

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be read or written.

    Notes
    -----
    Every row stays, with the moment of its fetch. What is merged is written before anything is removed: whoever reads
    meanwhile, or after a compaction was killed, finds rows twice, which count once. Memory holds one month of hours.
    """
    system, files = find(root, FOLDER, stored_files, store=STORE)
    loose, events = _with_hours(root, system, _to_merge(files, now_utc.astimezone(UTC)))
    merged = [file for file in files if file.is_merged]
    months = _months(loose, merged)
    written: set[str] = set()
    rows = 0
    for done, month in enumerate(months, 1):
        table, problems = _month(root, system, month, [*loose, *merged])
        events += problems
        rows += table.num_rows
        written |= write_parts(root, month, table)
        told(done, len(months))
    kept = written | {event.subject for event in events}
    replaced = (file for file in merged if f"{file.first_hour_utc:%Y-%m}" in months)
    remove_files(root, system, (file for file in (*loose, *replaced) if name_of(file.path) not in kept))
    _, after = find(root, FOLDER, stored_files, store=STORE)
    return Compaction(len(files), len(after), rows, tuple(dict.fromkeys(events)))


def write_parts(root: str, month: str, rows: pa.Table) -> set[str]:
    """Write rows of a month of hours, for each kind what is newest and what is earlier.

    Parameters
    ----------
    root : str
    month : str
        ``YYYY-MM``.
    rows : pa.Table
        ``GRID_INTENSITY``.

    Returns
    -------
    set of str
        Names of the files.
    """
    return {
        name_of(put_part(root, month, kind, part, until_utc))
        for kind in sorted(map(str, rows["intensity_kind"].unique().to_pylist()))
        for part, until_utc in _parts(rows.filter(pc.field("intensity_kind") == pa.scalar(kind)))
    }


def put_part(root: str, month: str, kind: str, rows: pa.Table, until_utc: datetime | None) -> str:
    """Put a merged file into the store.

    Parameters
    ----------
    root : str
    month : str
        ``YYYY-MM``.
    kind : str
    rows : pa.Table
        ``GRID_INTENSITY`` of that month and kind.
    until_utc : datetime or None
        See :class:`opencarbon.sources.store.layout.StoredFile`.

    Returns
    -------
    str
        Path below the root.
    """
    content = parquet_bytes(rows)
    fetched = rows["fetched_at_utc"]
    fetches = (pc.min(fetched).as_py(), pc.max(fetched).as_py())
    path = merged_path(month, kind, fetches, until_utc, digest_of(content))
    put(root, path, content, store=STORE)
    return path


def remove_files(root: str, system: pafs.FileSystem, files: Iterable[StoredFile]) -> None:
    """Remove files of a store.

    Parameters
    ----------
    root : str
        What messages call the store.
    system : pyarrow.fs.FileSystem
    files : iterable of StoredFile

    Raises
    ------
    SourceUnavailableError
        If one cannot be removed.
    """
    try:
        for file in files:
            remove(system, file.path)
    except (OSError, pa.ArrowException) as problem:
        reason = reason_of(problem)
    else:
        return
    raise SourceUnavailableError(f"a file of the {STORE} at {public_name(root)} cannot be removed: {reason}")


def read_all(
    root: str, system: pafs.FileSystem, files: list[StoredFile], query: Query
) -> tuple[pa.Table, list[Event]]:
    """Rows of files that nobody else is to remove meanwhile.

    Parameters
    ----------
    root : str
        What messages call the store.
    system : pyarrow.fs.FileSystem
    files : list of StoredFile
    query : Query

    Returns
    -------
    tuple of pa.Table and list of Event
        See :func:`opencarbon.sources.store.reading.rows_of`.

    Raises
    ------
    SourceUnavailableError
        If a file is gone.
    """
    try:
        return read_files(system, files, query)
    except FileNotFoundError:
        pass
    raise SourceUnavailableError(
        f"files of the {STORE} at {public_name(root)} went away: someone else is merging or deleting them"
    )


def _to_merge(files: list[StoredFile], now_utc: datetime) -> list[StoredFile]:
    running = now_utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    fetches = [file for file in files if not file.is_merged]
    is_running = [min(file.last_fetch_utc, file.last_hour_utc) >= running for file in fetches]
    if sum(is_running) > MOST_FETCHES:
        return fetches
    return [file for file, runs in zip(fetches, is_running, strict=True) if not runs]


def _with_hours(
    root: str, system: pafs.FileSystem, fetches: list[StoredFile]
) -> tuple[list[StoredFile], list[Event]]:
    """Fetches with the bounds of their hours, which those of format 1 do not name; without those that are damaged."""
    known, events = [], []
    for file in fetches:
        if not file.names_its_hours:
            rows, problems = read_all(root, system, [file], Query(FOREVER, every=True))
            events += problems
            if problems:
                continue
            hours = rows["hour_start_utc"]
            first, last = (bound(hours).as_py() or file.last_fetch_utc for bound in (pc.min, pc.max))
            file = replace(file, first_hour_utc=first, last_hour_utc=last)
        known.append(file)
    return known, events


def _months(loose: list[StoredFile], merged: list[StoredFile]) -> list[str]:
    """Months of hours of which there is something to merge; what was left twice by a kill among it."""
    parts = Counter((f"{file.first_hour_utc:%Y-%m}", file.kind, file.until_utc is None) for file in merged)
    months = {month for (month, _, _), count in parts.items() if count > 1}
    for file in loose:
        months.update(months_between(file.first_hour_utc, file.last_hour_utc))
    return sorted(months)


def _month(
    root: str, system: pafs.FileSystem, month: str, files: list[StoredFile]
) -> tuple[pa.Table, list[Event]]:
    since, until = bounds_of_month(month)
    sources = [file for file in files if file.may_hold(since, until)]
    return read_all(root, system, sources, Query(FOREVER, since, until, every=True))


def _parts(rows: pa.Table) -> Iterator[tuple[pa.Table, datetime | None]]:
    """Rows of one kind: the newest of each key, then the earlier ones with the moment from which nobody needs them."""
    rows = ordered(rows)
    rows = rows.filter(pa.array(changes(rows, tuple(rows.column_names))))
    newest = is_newest(rows)
    yield rows.filter(pa.array(newest)), None
    followers = np.flatnonzero(~newest)
    if len(followers):
        until: datetime = pc.max(rows["fetched_at_utc"].take(followers - 1)).as_py()
        yield rows.take(followers), until
