"""Publishing a run: stage, read back, verify, put in place, history, the newest run, its record last.

Whoever follows ``latest`` or ``manifest.json`` on this machine sees one whole run, the old one or the new one, at
whatever point a publisher dies; the next publisher finishes or removes what the dead one began. On an object store
the same holds for ``manifest.json``: :mod:`opencarbon.publishing.objects`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa

from opencarbon.errors import PublishError
from opencarbon.publishing.history import Keep, read_month, update_history
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.local import (
    LocalLayout,
    age,
    discard,
    make_staging,
    publisher_lock,
    put_in_place,
    sweep_staging,
    sync,
    sync_tree,
    write_durably,
)
from opencarbon.publishing.objects import publish_objects
from opencarbon.publishing.parquet import write_pieces
from opencarbon.publishing.queries import queries_of
from opencarbon.publishing.records import (
    KEPT_AT_LEAST,
    Placed,
    Staged,
    check_run_id,
    describe,
    newest,
    run_id_for,
    whole_run,
)
from opencarbon.publishing.verify import TableRecord
from opencarbon.sources.places import Place
from opencarbon.tables.contracts import Contract

if TYPE_CHECKING:
    from opencarbon.publishing.records import Json

    Field = pa.Field[Any]  # generic in the stubs only

__all__ = ["PublishOutcome", "publish", "run_id_for", "stage_directory", "whole_run"]

_STAGING: Final = "opencarbon-night-staged-"
"""What the name of a temporary staging directory begins with: as work folders do, of which nights remove what killed ones
left."""


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What came of publishing a run.

    Parameters
    ----------
    status : {"published", "unchanged", "superseded"}
        ``published``: ``latest`` is this run now. ``unchanged``: it already was, nothing was written.
        ``superseded``: the run is stored, and ``latest`` stays with a run of a later moment.
    run_id, latest_run_id : str
        This run and the one that ``latest`` points to.
    directory : Place
        Where this run is stored.
    tables : mapping of str to TableRecord
        Its tables as they are stored.
    removed_run_ids : tuple of str
        Runs deleted because more than ``keep_runs`` were stored.
    """

    status: Literal["published", "unchanged", "superseded"]
    run_id: str
    latest_run_id: str
    directory: Place
    tables: Mapping[str, TableRecord]
    removed_run_ids: tuple[str, ...]


def stage_directory(root: str | Path, run_id: str) -> Path:
    """Make the directory in which the tables of a run are written before they are published.

    Parameters
    ----------
    root : str or Path
        Root of the release: a path or URI.
    run_id : str
        As :func:`run_id_for` gives it.

    Returns
    -------
    Path
        An empty directory of this machine: below ``<root>/v1/.staging``, or a temporary one where the release lies
        elsewhere. :func:`publish` takes it away; that of a process that ended without publishing goes with the next
        publication, a temporary one with a night a day later.

    Raises
    ------
    PublishError
        If the run id is none, or nothing can be written there.
    """
    check_run_id(run_id)
    path = Place.of(root).local
    if path is None:
        return Path(tempfile.mkdtemp(prefix=f"{_STAGING}{run_id}-"))
    try:
        return make_staging(LocalLayout(path), run_id)
    except OSError as problem:
        raise PublishError(f"run {run_id} cannot be written to {path / 'v1'}: {problem}") from problem


def publish(
    root: str | Path,
    run_id: str,
    as_of_utc: datetime,
    staged: Path,
    contracts: Mapping[str, Contract],
    *,
    facts: Mapping[str, Json],
    keep_runs: int,
    now_utc: datetime,
    extra: Mapping[str, Sequence[Field]] | None = None,
) -> PublishOutcome:
    """Publish a staged run, or nothing of it.

    A run that is already stored and whole is left as it is and the staged one is dropped: the same id is the
    same run. ``latest`` moves to a run of the same or a later moment only.

    Parameters
    ----------
    root : str or Path
        Root of the release: a path, or a URI of an object store.
    run_id : str
        As :func:`run_id_for` gives it.
    as_of_utc : datetime
        Moment the run looks from, aware.
    staged : Path
        Directory from :func:`stage_directory` with a table written for every contract.
    contracts : mapping of str to Contract
        The tables of the release by name; ``dim_run`` is one of them.
    facts : mapping of str to JSON
        What else the record of the run should tell: durations, counts.
    keep_runs : int
        Runs to keep, at least 1. Never deleted: the run the manifest names, and runs younger than 24 hours.
    now_utc : datetime
        Now, aware: the moment of publication, which a backfill does not pin.
    extra : mapping of str to sequence of pa.Field, optional
        Columns a user carries, by table.

    Returns
    -------
    PublishOutcome

    Raises
    ------
    PublishConflictError
        If another publisher is at work; nothing is done.
    PublishError
        If the staged tables are wrong, with everything that is; nothing of the run is published. Also if the
        file system fails; publishing again finishes what was begun.
    """
    staged_run = Staged(run_id, as_of_utc, staged, contracts, facts, extra or {})
    place = Place.of(root)
    _check_arguments(place, staged_run, keep_runs)
    try:
        if place.local is None:
            try:
                placed = publish_objects(Layout(place), staged_run, keep_runs=keep_runs, now_utc=now_utc)
            finally:
                shutil.rmtree(staged)
        else:
            layout = LocalLayout(place.local)
            placed = _publish_local(layout, staged_run, keep_runs=keep_runs, now_utc=now_utc)
    except OSError as problem:
        raise PublishError(
            f"publishing run {run_id} in {place / 'v1'} failed: {problem}; publish it again to finish"
        ) from problem
    status: Literal["published", "unchanged", "superseded"] = "superseded"
    if placed.latest_run_id == run_id:
        status = "published" if placed.changed else "unchanged"
    directory = Layout(place).runs / run_id
    return PublishOutcome(
        status, run_id, placed.latest_run_id, directory, placed.tables, placed.removed_run_ids
    )


def _check_arguments(place: Place, staged: Staged, keep_runs: int) -> None:
    if staged.run_id != run_id_for(staged.as_of_utc, staged.run_id.rpartition("-")[2]):
        raise PublishError(
            f"run_id {staged.run_id!r} is not that of as_of_utc {staged.as_of_utc.isoformat()}"
        )
    is_ours = staged.directory.name.startswith(_STAGING)
    if place.local is not None:
        is_ours = staged.directory.parent.resolve() == LocalLayout(place.local).staging.resolve()
    if not (is_ours and staged.directory.is_dir()):
        raise PublishError(
            f"{staged.directory} is no directory that stage_directory({str(place)!r}, ...) made"
        )
    if "dim_run" not in staged.contracts:
        raise PublishError("a release holds dim_run: its contract is not among those given")
    if keep_runs < 1:
        raise PublishError(f"keep_runs is {keep_runs}: keep at least 1 run")


def _publish_local(layout: LocalLayout, staged: Staged, *, keep_runs: int, now_utc: datetime) -> Placed:
    run_id, places = staged.run_id, layout.places
    with publisher_lock(layout, run_id, now_utc=now_utc):
        sweep_staging(layout, keep=staged.directory, now_utc=now_utc)
        tables = whole_run(places, run_id)
        is_new = tables is None
        if tables is None:
            tables = _place(layout, staged)
        else:
            discard(layout, staged.directory)
        replaced = run_id if is_new else None
        update_history(places, staged.contracts, replaced=replaced, keep=_keeper(layout))
        latest = newest(layout.latest_run(), run_id)
        changed = point_at(layout, latest)
        removed = _prune(layout, keep_runs, now_utc)
    return Placed(tables, latest, is_new or changed, removed)


def point_at(layout: LocalLayout, run_id: str) -> bool:
    """Make a stored run the one that readers follow; only for the holder of the lock.

    Parameters
    ----------
    layout : LocalLayout
    run_id : str

    Returns
    -------
    bool
        Whether it was not the one before.
    """
    changed = [_move_latest(layout, run_id), _put_manifest(layout, run_id)]
    for name, text in queries_of(layout.places, run_id).items():
        _put(layout, layout.base / name, text.encode())
    return any(changed)


def _place(layout: LocalLayout, staged: Staged) -> dict[str, TableRecord]:
    """Verify a staged run, write what goes with its tables, and move it among the runs in one step."""
    tables, files = describe(staged)
    for name, content in files.items():
        write_durably(staged.directory / name, content)
    sync_tree(staged.directory)
    layout.runs.mkdir(exist_ok=True)
    run = layout.runs / staged.run_id
    if run.exists():  # half or damaged by other hands
        discard(layout, run)
    put_in_place(staged.directory, run)
    return tables


def _keeper(layout: LocalLayout) -> Keep:
    def keep(
        place: Place, contract: Contract, merged: Callable[[Iterable[pa.Table]], Iterator[pa.Table]]
    ) -> None:
        write_pieces(layout.work, merged(read_month(place) if place.exists() else ()), contract)
        made, target = layout.work / contract.name / "part-0.parquet", Path(place.path)
        sync(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(made, target)
        made.parent.rmdir()

    return keep


def _move_latest(layout: LocalLayout, run_id: str) -> bool:
    if layout.latest_run() == run_id:
        return False
    link = layout.work / "latest"
    os.symlink(Path("runs") / run_id, link)
    put_in_place(link, layout.latest)
    return True


def _put_manifest(layout: LocalLayout, run_id: str) -> bool:
    """Make the manifest the record of the newest run, if it is not."""
    return _put(layout, layout.manifest, layout.record(run_id).read_bytes())


def _put(layout: LocalLayout, path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    made = layout.work / path.name
    write_durably(made, content)
    put_in_place(made, path)
    return True


def _prune(layout: LocalLayout, keep_runs: int, now_utc: datetime) -> tuple[str, ...]:
    named = json.loads(layout.manifest.read_bytes())["run_id"]
    removed = tuple(
        run_id
        for run_id in layout.stored_runs()[:-keep_runs]
        if run_id != named and age(layout.runs / run_id, now_utc) >= KEPT_AT_LEAST
    )
    for run_id in removed:
        discard(layout, layout.runs / run_id)
    return removed
