"""A release on the local file system, and the few ways in which its files may change.

Beside what every release holds (:mod:`opencarbon.publishing.layout`)::

    <root>/v1/latest -> runs/<run_id>   a symbolic link
    <root>/v1/.staging/                 runs in the making
    <root>/v1/.lock                     held by the one publisher at work
"""

import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from opencarbon.errors import PublishConflictError
from opencarbon.publishing.layout import RECORD, Layout
from opencarbon.sources.places import Place

STALE_AFTER: Final = timedelta(hours=24)
"""Age from which a staging directory is abandoned, whoever made it."""


@dataclass(frozen=True, slots=True)
class LocalLayout:
    """Paths of a release on this machine.

    Parameters
    ----------
    root : Path
        Root of the release, ``publish.root`` of the settings.
    """

    root: Path

    @property
    def places(self) -> Layout:
        """The same as places, as readers know them."""
        return Layout(Place.of(self.root))

    @property
    def base(self) -> Path:
        """Directory of this major version of the contracts."""
        return self.root / "v1"

    @property
    def runs(self) -> Path:
        """Directory of the runs."""
        return self.base / "runs"

    @property
    def latest(self) -> Path:
        """Link to the newest run."""
        return self.base / "latest"

    @property
    def manifest(self) -> Path:
        """Record of the newest run."""
        return self.base / "manifest.json"

    @property
    def history(self) -> Path:
        """Directory of the tables that keep every run."""
        return self.base / "history"

    @property
    def staging(self) -> Path:
        """Directory of runs in the making."""
        return self.base / ".staging"

    @property
    def work(self) -> Path:
        """Scratch directory of the publisher that holds the lock."""
        return self.staging / "work"

    @property
    def lock(self) -> Path:
        """File that the publisher at work holds locked."""
        return self.base / ".lock"

    def record(self, run_id: str) -> Path:
        """Record of a run: the file whose presence says that the run is whole."""
        return self.runs / run_id / RECORD

    def stored_runs(self) -> list[str]:
        """Ids of the runs that are here, oldest first."""
        return self.places.stored_runs()

    def latest_run(self) -> str | None:
        """Id of the run that ``latest`` points to, None where it points nowhere."""
        return self.places.latest_run()


def make_staging(layout: LocalLayout, run_id: str) -> Path:
    """Make an empty directory in which a run is written.

    Parameters
    ----------
    layout : LocalLayout
    run_id : str

    Returns
    -------
    Path
        ``.staging/<run_id>-<host>-<pid>-<random>``, on the file system of the release.
    """
    path = layout.staging / f"{run_id}-{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    path.mkdir(parents=True)
    return path


def sweep_staging(layout: LocalLayout, *, keep: Path | None, now_utc: datetime) -> None:
    """Remove what dead publishers left behind; only for the holder of the lock.

    Parameters
    ----------
    layout : LocalLayout
    keep : Path or None
        Staging directory of this publisher.
    now_utc : datetime
        Now.
    """
    if layout.work.exists():
        shutil.rmtree(layout.work)
    layout.work.mkdir(parents=True)
    for path in sorted(set(layout.staging.iterdir()) - {keep, layout.work}):
        abandoned = path.is_dir() and (_is_orphan(path) or age(path, now_utc) > STALE_AFTER)
        if abandoned:
            discard(layout, path)


def age(path: Path, now_utc: datetime) -> timedelta:
    """Time since a directory last changed.

    Parameters
    ----------
    path : Path
    now_utc : datetime
        Now.

    Returns
    -------
    timedelta
    """
    return timedelta(seconds=now_utc.timestamp() - path.stat().st_mtime)


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file and wait until the disk has it.

    Parameters
    ----------
    path : Path
        A path that no reader looks at.
    content : bytes
    """
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a directory.

    Parameters
    ----------
    path : Path
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Wait until the disk has every file and name below a directory.

    Parameters
    ----------
    directory : Path
    """
    for folder, _, files in os.walk(directory, topdown=False):
        for file in files:
            sync(Path(folder) / file)
        sync(Path(folder))


def put_in_place(made: Path, target: Path) -> None:
    """Give a finished file, link or directory its published name in one step.

    Parameters
    ----------
    made : Path
        On the same file system; its content is on disk.
    target : Path
        What stood here, if anything, is gone at once; never a directory that holds something.
    """
    os.replace(made, target)
    sync(target.parent)


def discard(layout: LocalLayout, path: Path) -> None:
    """Take a directory out of sight in one step, then delete it.

    Parameters
    ----------
    layout : LocalLayout
    path : Path
    """
    trash = layout.work / f"trash-{path.name}"
    os.rename(path, trash)
    sync(path.parent)
    shutil.rmtree(trash)


@contextmanager
def publisher_lock(layout: LocalLayout, run_id: str, *, now_utc: datetime) -> Iterator[None]:
    """Be the only publisher of a release; the kernel frees the lock of a publisher that dies.

    Parameters
    ----------
    layout : LocalLayout
    run_id : str
        Run to be published, named to whoever comes second.
    now_utc : datetime
        Now.

    Raises
    ------
    PublishConflictError
        If another publisher is at work; says which.
    """
    layout.base.mkdir(parents=True, exist_ok=True)
    with open(layout.lock, "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise PublishConflictError(_conflict(layout, run_id)) from problem
        try:
            holder = {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "run_id": run_id,
                "since_utc": now_utc.isoformat(),
            }
            file.truncate(0)
            file.write(json.dumps(holder).encode())
            file.flush()
            yield
        finally:
            file.truncate(0)
            fcntl.flock(file, fcntl.LOCK_UN)


def _conflict(layout: LocalLayout, run_id: str) -> str:
    told = f"run {run_id} is not published: another publisher is at work on {layout.base}"
    try:
        holder = json.loads(layout.lock.read_bytes())
    except ValueError:  # it has the lock and has not said so yet
        return f"{told}; publish again when it is done"
    return (
        f"{told}: process {holder['pid']} on {holder['host']} publishes run {holder['run_id']} "
        f"since {holder['since_utc']}; publish again when it is done"
    )


def _is_orphan(path: Path) -> bool:
    """Whether a staging directory was made by a process of this host that is no more."""
    made_by = path.name.rsplit("-", 3)[1:3]
    if made_by[:1] != [_host()] or not made_by[-1].isdigit():
        return False
    try:
        os.kill(int(made_by[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, under another user
        return False
    return False


def _host() -> str:
    return socket.gethostname().replace("-", "_")
