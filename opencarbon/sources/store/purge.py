"""What the intensity store holds, and deleting what was fetched before a moment."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.sources.store.compaction import FOREVER, put_part, read_all, remove_files
from opencarbon.sources.store.files import find
from opencarbon.sources.store.layout import FOLDER, stored_files
from opencarbon.sources.store.reading import STORE, Query, rows_of
from opencarbon.sources.store.rows import newest, ordered
from opencarbon.tables.events import Event


@dataclass(frozen=True, slots=True)
class Contents:
    """What the intensity store holds.

    Parameters
    ----------
    fetches, merged : int
        Files of one fetch, and files that compaction made.
    size_bytes : int
    first_hour_utc, last_hour_utc : datetime or None
        Bounds of the hours by the names of the files; None in an empty store, the first also where only files of
        format 1 are.
    first_fetch_utc, last_fetch_utc : datetime or None
    """

    fetches: int
    merged: int
    size_bytes: int
    first_hour_utc: datetime | None
    last_hour_utc: datetime | None
    first_fetch_utc: datetime | None
    last_fetch_utc: datetime | None


@dataclass(frozen=True, slots=True)
class Purge:
    """What was deleted of the intensity store, or would be.

    Parameters
    ----------
    files : int
        Files that go away, those among them that are written anew without the rows.
    rows : int
        Fetched before the moment.
    lost_hours : int
        Hours that nothing was fetched of since: one for each zone, kind, emission factor type and accounting basis.
    events : tuple of Event
        A warning for each file that cannot be read.
    """

    files: int
    rows: int
    lost_hours: int
    events: tuple[Event, ...]


def contents_of(root: str) -> Contents:
    """What the intensity store holds, by the names of its files.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store.

    Returns
    -------
    Contents

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be listed.
    """
    system, files = find(root, FOLDER, stored_files, store=STORE)
    dated = [file for file in files if file.names_its_hours]
    return Contents(
        fetches=sum(not file.is_merged for file in files),
        merged=sum(file.is_merged for file in files),
        size_bytes=sum(info.size or 0 for info in system.get_file_info([file.path for file in files])),
        first_hour_utc=min((file.first_hour_utc for file in dated), default=None),
        last_hour_utc=max((file.last_hour_utc for file in dated), default=None),
        first_fetch_utc=min((file.first_fetch_utc for file in files), default=None),
        last_fetch_utc=max((file.last_fetch_utc for file in files), default=None),
    )


def purge(root: str, *, before_utc: datetime, is_for_real: bool) -> Purge:
    """Delete what was fetched before a moment.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store.
    before_utc : datetime
        With a time zone.
    is_for_real : bool
        Otherwise nothing is changed.

    Returns
    -------
    Purge

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be read or written.

    Notes
    -----
    A merged file that holds later fetches too is written anew without the rows before the old one is removed. A file
    that cannot be read is deleted where its name says that all of it was fetched before the moment.
    """
    before = before_utc.astimezone(UTC)
    system, files = find(root, FOLDER, stored_files, store=STORE)
    files = [file for file in files if file.first_fetch_utc < before]
    rows, gone, events = 0, [], []
    for file in files:
        found, problems = read_all(root, system, [file], Query(FOREVER, every=True))
        events += problems
        if problems and file.last_fetch_utc >= before:
            continue
        kept = found.filter(pc.field("fetched_at_utc") >= pa.scalar(before))
        rows += found.num_rows - kept.num_rows
        if file.kind and kept.num_rows and is_for_real:
            put_part(root, f"{file.first_hour_utc:%Y-%m}", file.kind, ordered(kept), file.until_utc)
        gone.append(file)
    known, _ = rows_of(root, Query(FOREVER))
    lost = newest(known).filter(pc.field("fetched_at_utc") < pa.scalar(before)).num_rows
    if is_for_real:
        remove_files(root, system, gone)
    return Purge(len(gone), rows, lost, tuple(events))
