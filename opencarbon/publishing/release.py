"""Publishing a run: stage, read back, verify, put in place, history, move ``latest``, manifest last.

Whoever follows ``latest`` or ``manifest.json`` sees one whole run, the old one or the new one, at whatever
point a publisher dies; the next publisher finishes or removes what the dead one began.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from opencarbon.errors import PublishError
from opencarbon.publishing.dictionary import datapackage
from opencarbon.publishing.history import update_history
from opencarbon.publishing.layout import (
    RUN_ID_FORM,
    RUN_MINUTE,
    Layout,
    age,
    discard,
    make_staging,
    publisher_lock,
    put_in_place,
    sweep_staging,
    sync_tree,
    write_durably,
)
from opencarbon.publishing.parquet import part_paths, read_table
from opencarbon.publishing.verify import TableRecord, digest_parts, verify_tables
from opencarbon.tables.contracts import Contract

if TYPE_CHECKING:
    import pyarrow as pa

    Field = pa.Field[Any]  # generic in the stubs only
    Json = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

KEPT_AT_LEAST: Final = timedelta(hours=24)
"""Age below which no run is deleted: someone may be reading it."""
RECORD_VERSION: Final = 1
"""Version of ``release.json`` and ``manifest.json``."""
_MINUTE_LENGTH: Final = len("20261122T2100Z")


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
    directory : Path
        Where this run is stored.
    tables : mapping of str to TableRecord
        Its tables as they lie on disk.
    removed_run_ids : tuple of str
        Runs deleted because more than ``keep_runs`` were stored.
    """

    status: Literal["published", "unchanged", "superseded"]
    run_id: str
    latest_run_id: str
    directory: Path
    tables: Mapping[str, TableRecord]
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
    _check_run_id(run_id)
    return run_id


def stage_directory(root: Path, run_id: str) -> Path:
    """Make the directory in which the tables of a run are written before they are published.

    Parameters
    ----------
    root : Path
        Root of the release.
    run_id : str
        As :func:`run_id_for` gives it.

    Returns
    -------
    Path
        An empty directory below ``<root>/v1/.staging``. :func:`publish` takes it away; that of a process that
        ended without publishing goes with the next publication.

    Raises
    ------
    PublishError
        If the run id is none.
    """
    _check_run_id(run_id)
    return make_staging(Layout(root), run_id)


def publish(
    root: Path,
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
    root : Path
        Root of the release, on the local file system.
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
    layout = Layout(root)
    _check_arguments(layout, run_id, as_of_utc, staged, contracts, keep_runs)
    with publisher_lock(layout, run_id, now_utc=now_utc):
        try:
            sweep_staging(layout, keep=staged, now_utc=now_utc)
            tables = whole_run(layout, run_id)
            placed = tables is None
            if tables is None:
                tables = _place(layout, run_id, as_of_utc, staged, contracts, facts=facts, extra=extra or {})
            else:
                discard(layout, staged)
            update_history(layout, contracts, replaced=run_id if placed else None)
            latest = _newest(layout, run_id)
            changed = [_move_latest(layout, latest), _put_manifest(layout, latest)]
            removed = _prune(layout, keep_runs, now_utc)
        except OSError as problem:
            raise PublishError(
                f"publishing run {run_id} in {layout.base} failed: {problem}; publish it again to finish"
            ) from problem
    status: Literal["published", "unchanged", "superseded"] = "superseded"
    if latest == run_id:
        status = "published" if placed or any(changed) else "unchanged"
    return PublishOutcome(status, run_id, latest, layout.runs / run_id, tables, removed)


def _check_run_id(run_id: str) -> None:
    if not RUN_ID_FORM.fullmatch(run_id):
        raise PublishError(
            f"run_id {run_id!r}: expected a moment and 8 hex digits, such as 20261122T2100Z-0123abcd"
        )


def _check_arguments(
    layout: Layout,
    run_id: str,
    as_of_utc: datetime,
    staged: Path,
    contracts: Mapping[str, Contract],
    keep_runs: int,
) -> None:
    if run_id != run_id_for(as_of_utc, run_id.rpartition("-")[2]):
        raise PublishError(f"run_id {run_id!r} is not that of as_of_utc {as_of_utc.isoformat()}")
    if not staged.is_dir() or staged.parent.resolve() != layout.staging.resolve():
        raise PublishError(f"{staged} is no directory that stage_directory({str(layout.root)!r}, ...) made")
    if "dim_run" not in contracts:
        raise PublishError("a release holds dim_run: its contract is not among those given")
    if keep_runs < 1:
        raise PublishError(f"keep_runs is {keep_runs}: keep at least 1 run")


def whole_run(layout: Layout, run_id: str) -> dict[str, TableRecord] | None:
    """Tables of a stored run whose every byte is the one recorded.

    Parameters
    ----------
    layout : Layout
    run_id : str

    Returns
    -------
    dict of str to TableRecord, or None
        None where there is no such run, or it is damaged: it is made again.
    """
    try:
        record = json.loads(layout.record(run_id).read_bytes())
        tables = {name: TableRecord(**table) for name, table in record["tables"].items()}
        for name, table in tables.items():
            if digest_parts(part_paths(layout.runs / run_id, name)) != (table.bytes, table.sha256):
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, PublishError):
        return None
    return tables


def _place(
    layout: Layout,
    run_id: str,
    as_of_utc: datetime,
    staged: Path,
    contracts: Mapping[str, Contract],
    *,
    facts: Mapping[str, Json],
    extra: Mapping[str, Sequence[Field]],
) -> dict[str, TableRecord]:
    """Verify a staged run, write its record and dictionary, and move it among the runs in one step."""
    tables = verify_tables(staged, contracts, run_id=run_id, as_of_utc=as_of_utc, extra=extra)
    sources = read_table(staged, "dim_source") if "dim_source" in contracts else None
    parts = {name: table.parts for name, table in tables.items()}
    package = datapackage(contracts, parts=parts, extra=extra, sources=sources)
    write_durably(staged / "datapackage.json", _json(package))
    (run,) = read_table(staged, "dim_run", columns=["version", "inputs_sha256"]).to_pylist()
    record = {
        "record_version": RECORD_VERSION,
        "run_id": run_id,
        "as_of_utc": as_of_utc.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **run,
        "path": f"runs/{run_id}",
        "tables": {name: asdict(table) for name, table in tables.items()},
        "facts": facts,
    }
    write_durably(staged / layout.record(run_id).name, _json(record))
    sync_tree(staged)
    layout.runs.mkdir(exist_ok=True)
    if (layout.runs / run_id).exists():  # half or damaged by other hands
        discard(layout, layout.runs / run_id)
    put_in_place(staged, layout.runs / run_id)
    return tables


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _newest(layout: Layout, run_id: str) -> str:
    """Run that ``latest`` should point to: this one, unless it points to a later moment."""
    current = layout.latest_run()
    if current is None or current[:_MINUTE_LENGTH] <= run_id[:_MINUTE_LENGTH]:
        return run_id
    return current


def _move_latest(layout: Layout, run_id: str) -> bool:
    if layout.latest_run() == run_id:
        return False
    link = layout.work / "latest"
    os.symlink(Path("runs") / run_id, link)
    put_in_place(link, layout.latest)
    return True


def _put_manifest(layout: Layout, run_id: str) -> bool:
    """Make the manifest the record of the newest run, if it is not."""
    record = layout.record(run_id).read_bytes()
    if layout.manifest.exists() and layout.manifest.read_bytes() == record:
        return False
    made = layout.work / "manifest.json"
    write_durably(made, record)
    put_in_place(made, layout.manifest)
    return True


def _prune(layout: Layout, keep_runs: int, now_utc: datetime) -> tuple[str, ...]:
    named = json.loads(layout.manifest.read_bytes())["run_id"]
    removed = tuple(
        run_id
        for run_id in layout.stored_runs()[:-keep_runs]
        if run_id != named and age(layout.runs / run_id, now_utc) >= KEPT_AT_LEAST
    )
    for run_id in removed:
        discard(layout, layout.runs / run_id)
    return removed
