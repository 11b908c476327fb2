"""A release on an object store, which has neither links nor renames nor locks: it stands on swaps and on what never changes.

A run is uploaded file by file and is there once its record is, which comes last. The files of the history and
``manifest.json`` are swapped: put only in the place of the version that was read; whoever comes second reads again and
decides again, so the manifest never goes back. ``latest/`` is a copy for readers that want a fixed address; while it
is being copied it may hold tables of two runs, which ``run_id`` tells apart. A publisher that dies leaves a manifest
that names a whole run, and the next one finishes or removes what it began.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from opencarbon.errors import PublishConflictError
from opencarbon.publishing.documents import documents_of_record
from opencarbon.publishing.history import read_month, update_history
from opencarbon.publishing.layout import DICTIONARY, RECORD, Layout
from opencarbon.publishing.parquet import write_pieces
from opencarbon.publishing.queries import queries_of
from opencarbon.publishing.records import (
    KEPT_AT_LEAST,
    Placed,
    Staged,
    as_json,
    describe,
    newest,
    tables_of_record,
    whole_run,
)
from opencarbon.publishing.verify import TableRecord
from opencarbon.sources.object_versions import Found, copy, objects_below, read_version, swap, tag_of, upload
from opencarbon.sources.places import Place
from opencarbon.tables.contracts import Contract

COPIED: Final = "files.json"
"""Name of the file in ``latest/`` that says which content each of its files was given."""
_AT_ONCE: Final = 4
"""Files uploaded or copied at a time."""
_TRIES: Final = 20
"""Publishers that may be first, one after another, before this one gives up."""


def publish_objects(layout: Layout, staged: Staged, *, keep_runs: int, now_utc: datetime) -> Placed:
    """Publish a staged run on an object store.

    Parameters
    ----------
    layout : Layout
    staged : Staged
    keep_runs : int
    now_utc : datetime

    Returns
    -------
    Placed

    Raises
    ------
    PublishConflictError
        If another publisher made another run of the same name meanwhile, or others are first every time.
    PublishError
        If the staged tables are wrong.
    OSError
        If the store fails.
    """
    tables = whole_run(layout, staged.run_id)
    is_new = tables is None
    if tables is None:
        tables = _upload(layout, staged)
    replaced = staged.run_id if is_new else None
    update_history(layout, staged.contracts, replaced=replaced, keep=_keep)
    latest, changed = _move_manifest(layout, staged.run_id)
    latest, copied = follow(layout, latest)
    removed = _prune(layout, keep_runs, now_utc)
    return Placed(tables, latest, is_new or changed or copied, removed)


def _upload(layout: Layout, staged: Staged) -> dict[str, TableRecord]:
    """Put the files of a run, and its record when all are there."""
    tables, files = describe(staged)
    target = layout.runs / staged.run_id
    is_recorded = layout.record(staged.run_id).is_file()
    there = whole_run(layout, staged.run_id)
    if there is not None:  # another publisher was first while the tables were looked at
        return _agreed(target, tables, there)
    if is_recorded:  # what is not whole is no run while it is written anew
        layout.record(staged.run_id).delete()
    paths = {str(path.relative_to(staged.directory)): path for path in staged.directory.rglob("*.parquet")}
    _each(lambda name: upload(target / name, paths[name]), paths)
    record = files.pop(RECORD)
    for name, content in files.items():
        (target / name).write_bytes(content)
    for name in set(objects_below(target)) - set(paths) - set(files) - {RECORD}:
        (target / name).delete()
    if not swap(target / RECORD, record, read=None):
        read = read_version(target / RECORD)
        return _agreed(target, tables, None if read is None else tables_of_record(read.content))
    return tables


def _agreed(
    run: Place, tables: dict[str, TableRecord], there: dict[str, TableRecord] | None
) -> dict[str, TableRecord]:
    """Tables of a run that another publisher put as well: the same ones, or it is a conflict."""
    if there != tables:
        raise PublishConflictError(
            f"run {run.name} is not published: another publisher put other tables to {run} at the same time; delete that "
            "folder, then publish again"
        )
    return tables


def _keep(
    place: Place, contract: Contract, merged: Callable[[Iterable[pa.Table]], Iterator[pa.Table]]
) -> None:
    for _ in range(_TRIES):
        read = read_version(place)
        rows = merged(() if read is None else read_month(place, content=read.content))
        with tempfile.TemporaryDirectory(prefix="opencarbon-") as folder:
            write_pieces(Path(folder), rows, contract)
            content = (Path(folder) / contract.name / "part-0.parquet").read_bytes()
        if (read is not None and read.content == content) or swap(place, content, read=read):
            return
    raise _crowded(place)


def _move_manifest(layout: Layout, run_id: str) -> tuple[str, bool]:
    """Make the manifest the record of the newest run, if it is not; which run that is."""
    for _ in range(_TRIES):
        read = read_version(layout.manifest)
        latest = newest(layout.named_run(b"" if read is None else read.content), run_id)
        record = layout.record(latest).read_bytes()
        if read is not None and read.content == record:
            return latest, False
        if swap(layout.manifest, record, read=read):
            return latest, True
    raise _crowded(layout.manifest)


def follow(layout: Layout, latest: str) -> tuple[str, bool]:
    """Bring what is read beside the manifest up to the run it names, until it names no other meanwhile.

    Parameters
    ----------
    layout : Layout
    latest : str
        Run that the manifest names.

    Returns
    -------
    tuple of str and bool
        The run it names in the end, and whether there was anything to do.
    """
    changed = False
    for _ in range(_TRIES):
        changed |= _copy_latest(layout, latest)
        for name, text in queries_of(layout, latest).items():
            _put(layout.base / name, text.encode())
        named = layout.latest_run()
        if named is None or named == latest:
            return latest, changed
        latest = named
    raise _crowded(layout.latest)


def _put(place: Place, content: bytes) -> None:
    read = read_version(place)
    if read is None or read.content != content:
        place.write_bytes(content)


def _copy_latest(layout: Layout, run_id: str) -> bool:
    """Copy a run to ``latest/``, but for the files that are there already; whether there was anything to do.

    What a file holds is known where the store still calls it what it was called when it was copied: looked up file by
    file, as another publisher may be copying another run.
    """
    source, target = layout.runs / run_id, layout.latest
    wanted = _contents(source)
    there, copied = objects_below(target), _copied(target)
    named = {name: copied.get(name) for name in there}
    missing = [
        name for name, content in wanted.items() if named.get(name) != [content, _tag(there.get(name))]
    ]
    left = sorted(set(there) - set(wanted) - {COPIED})
    if not missing and not left:
        return False
    tags = {name: _tag(found) for name, found in there.items()}

    def put(name: str) -> None:
        copy(source / name, target / name)
        tags[name] = tag_of(target / name)

    _each(put, missing)
    for name in left:
        (target / name).delete()
    files = {name: [content, tags[name]] for name, content in wanted.items()}
    (target / COPIED).write_bytes(as_json({"run_id": run_id, "files": files}))
    return True


def _contents(run: Place) -> dict[str, str]:
    """What the files of a run hold, by digests."""
    record = (run / RECORD).read_bytes()
    found = {
        f"{name}/part-{number}.parquet": f"{table.sha256}-{number}-of-{table.parts}"
        for name, table in tables_of_record(record).items()
        for number in range(table.parts)
    }
    found |= {name: document.sha256 for name, document in documents_of_record(record).items()}
    for name, content in ((DICTIONARY, (run / DICTIONARY).read_bytes()), (RECORD, record)):
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def _copied(latest: Place) -> Mapping[str, list[str | None]]:
    try:
        files: Mapping[str, list[str | None]] = json.loads((latest / COPIED).read_bytes())["files"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}
    return files


def _prune(layout: Layout, keep_runs: int, now_utc: datetime) -> tuple[str, ...]:
    """Delete runs beyond those to keep, and what is left of publishers that died."""
    stored = layout.stored_runs()
    whole = [run_id for run_id in stored if layout.record(run_id).is_file()]
    removed = []
    for run_id in [*whole[:-keep_runs], *sorted(set(stored) - set(whole))]:
        run = layout.runs / run_id
        changed = [found.changed_utc for found in objects_below(run).values()]
        is_young = not changed or now_utc - max(changed) < KEPT_AT_LEAST
        if is_young or layout.latest_run() == run_id:
            continue
        layout.record(run_id).delete()  # first: a run that is half deleted is none
        run.delete()
        removed += [run_id] if run_id in whole else []
    return tuple(removed)


def _tag(found: Found | None) -> str | None:
    return None if found is None else found.e_tag


def _each(work: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="objects") as pool:
        list(pool.map(work, names))


def _crowded(place: Place) -> PublishConflictError:
    return PublishConflictError(f"{place} changes whenever it is to be changed: publish again in a while")
