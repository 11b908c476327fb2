"""The runs of a release, and the way back to one of them."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opencarbon.errors import PublishConflictError, PublishError
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.local import LocalLayout, publisher_lock, sweep_staging
from opencarbon.publishing.objects import follow
from opencarbon.publishing.past_runs import PastRun, sound_runs
from opencarbon.publishing.records import check_run_id, whole_run
from opencarbon.publishing.release import point_at
from opencarbon.sources.object_versions import read_version, swap
from opencarbon.sources.places import Place


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The runs of a release.

    Parameters
    ----------
    runs : tuple of PastRun
        Those with a sound record, oldest first.
    latest_run_id : str or None
        The one that readers follow.
    """

    runs: tuple[PastRun, ...]
    latest_run_id: str | None


def runs_of(root: str | Path) -> StoredRuns:
    """List the runs of a release.

    Parameters
    ----------
    root : str or Path
        Root of the release: a path or URI.

    Returns
    -------
    StoredRuns

    Raises
    ------
    PublishError
        If the release cannot be read.
    """
    layout = Layout(Place.of(root))
    return StoredRuns(tuple(sound_runs(layout)), layout.latest_run())


def roll_back(root: str | Path, run_id: str, *, now_utc: datetime) -> bool:
    """Make a stored run the one that readers follow; no run is changed, and the next night moves them on again.

    Parameters
    ----------
    root : str or Path
        Root of the release: a path or URI.
    run_id : str
    now_utc : datetime
        Now, aware.

    Returns
    -------
    bool
        Whether it was not the one before.

    Raises
    ------
    PublishConflictError
        If a publisher is at work; nothing is done.
    PublishError
        If there is no such run, it is damaged, or the file system fails.
    """
    check_run_id(run_id)
    place = Place.of(root)
    layout = Layout(place)
    if whole_run(layout, run_id) is None:
        raise PublishError(
            f"run {run_id} in {layout.runs} is not there or not whole: `opencarbon release list` names those that are"
        )
    try:
        if place.local is None:
            return _swap_manifest(layout, run_id)
        local = LocalLayout(place.local)
        with publisher_lock(local, run_id, now_utc=now_utc):
            sweep_staging(local, keep=None, now_utc=now_utc)
            return point_at(local, run_id)
    except OSError as problem:
        raise PublishError(f"going back to run {run_id} in {layout.base} failed: {problem}") from problem


def _swap_manifest(layout: Layout, run_id: str) -> bool:
    read, record = read_version(layout.manifest), layout.record(run_id).read_bytes()
    changed = read is None or read.content != record
    if changed and not swap(layout.manifest, record, read=read):
        raise PublishConflictError(
            f"{layout.manifest} was changed at this moment: a night was published. Look at it before you go back"
        )
    latest, copied = follow(layout, run_id)
    if latest != run_id:
        raise PublishConflictError(
            f"run {latest} was published at this moment: look at it before you go back"
        )
    return changed or copied
