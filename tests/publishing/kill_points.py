"""Kill a publisher with SIGKILL before and after everything it does to the file system; look at what is left.

``python -m tests.publishing.kill_points <directory> <share> <shares>`` prints a JSON object: the points, and
every fault found at its share of them. Every publisher is a fork of this process.
"""

from __future__ import annotations

import builtins
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

from opencarbon.publishing.local import LocalLayout as Layout
from tests.publishing.runs import FEWEST, publish_run, reader_faults, run_faults, run_of, tables_of

OLDER, OLD, NEW, NEXT = (run_of(day) for day in (19, 20, 21, 22))
KEEP_RUNS = 2
_CALLS = ("replace", "rename", "symlink", "mkdir", "unlink", "rmdir", "fsync")


class Killer:
    """Counts what a publisher does, and ends it at one count."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.points: list[str] = []

    def point(self, name: str) -> None:
        """A moment at which the power may go."""
        self.points.append(name)
        if len(self.points) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with a point before and one after."""

        def called(*arguments: Any, **options: Any) -> Any:
            self.point(f"before {name}")
            result = call(*arguments, **options)
            self.point(f"after {name}")
            return result

        return called

    def arm(self) -> None:
        """Watch this process from now on."""
        for name in _CALLS:
            setattr(os, name, self.around(name, getattr(os, name)))
        for name in ("__init__", "write_table", "close"):
            setattr(pq.ParquetWriter, name, self.around(f"parquet {name}", getattr(pq.ParquetWriter, name)))
        really_open = builtins.open

        def watched_open(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+"):
                return really_open(path, mode, *arguments, **options)
            return _WatchedFile(self, self.around("open", really_open)(path, mode, *arguments, **options))

        setattr(builtins, "open", watched_open)  # noqa: B010  # assigning would not type


class _WatchedFile:
    """A file that may be cut in the middle of a write."""

    def __init__(self, killer: Killer, file: Any) -> None:
        self._killer = killer
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> None:
        self._killer.point("before write")
        half = len(content) // 2
        self._file.write(content[:half])
        self._file.flush()
        self._killer.point("within write")
        self._file.write(content[half:])
        self._file.flush()
        self._killer.point("after write")


def in_child(work: Callable[[], Any]) -> tuple[int, Any]:
    """Wait status of a fork that does the work, and what the work returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = work()
        except BaseException:  # noqa: BLE001  # the parent reports it
            answer = [traceback.format_exc()]
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return status, json.loads(told) if told else None


def prepare(root: Path, now_utc: datetime) -> list[str]:
    """A release with two runs, the older one due to go, and what a dead publisher left."""
    long_ago = now_utc - timedelta(days=3)
    for run_id in (OLDER, OLD):
        publish_run(root, run_id, now_utc=now_utc, contracts=FEWEST)
    os.utime(Layout(root).runs / OLDER, (long_ago.timestamp(), long_ago.timestamp()))
    left = Layout(root).staging / f"{OLD}-elsewhere-1-00000000"
    (left / "dim_run").mkdir(parents=True)
    (left / "dim_run" / "part-0.parquet").write_bytes(b"half")
    os.utime(left, (long_ago.timestamp(), long_ago.timestamp()))
    return []


def publish_and_die(root: Path, at: int, now_utc: datetime) -> list[str]:
    """Publish until the given point; the points passed, where there was no such point."""
    killer = Killer(at)
    killer.arm()
    publish_run(root, NEW, now_utc=now_utc, keep_runs=KEEP_RUNS, contracts=FEWEST)
    return killer.points


def look_and_repair(root: Path, run_id: str, now_utc: datetime) -> list[str]:
    """Faults that readers see after a death, and faults that are left by the publication after it."""
    faults = [f"dead: {words}" for words in reader_faults(root, {OLD, NEW})]
    outcome = publish_run(root, run_id, now_utc=now_utc, keep_runs=KEEP_RUNS, contracts=FEWEST)
    faults += [f"repaired: {words}" for words in reader_faults(root, {run_id})]
    layout = Layout(root)
    stored = layout.stored_runs()
    for one in stored:
        faults += [f"repaired: {words}" for words in run_faults(layout.runs / one, {OLD, NEW, NEXT})]
    left = [str(path) for path in layout.staging.rglob("*") if path != layout.work]
    with pq.ParquetFile(layout.history / "dim_run" / "2026-11.parquet") as file:
        lost = set(stored) - set(file.read(columns=["run_id"])["run_id"].to_pylist())
    for words, fault in (
        (f"latest is {outcome.latest_run_id}", outcome.latest_run_id != run_id),
        (f"left {left}", left),
        (f"{OLDER} was not deleted", OLDER in stored),
        (f"{OLD} was deleted", OLD not in stored),
        (f"the history lacks {lost}", lost),
    ):
        faults += [f"repaired: {words}"] if fault else []
    return faults


def main(directory: Path, share: int, shares: int) -> dict[str, Any]:
    """Kill at this share of the points."""
    now_utc = datetime.now(UTC)
    for run_id in (OLDER, OLD, NEW, NEXT):
        tables_of(run_id)  # once, for all the forks
    base = directory / "base"
    _, faults = in_child(lambda: prepare(base, now_utc))
    whole = directory / "whole"
    shutil.copytree(base, whole, symlinks=True)
    _, points = in_child(lambda: publish_and_die(whole, 0, now_utc))
    for number, point in list(enumerate(points, 1))[share::shares]:
        root = directory / f"killed-{number}"
        shutil.copytree(base, root, symlinks=True)
        status, answer = in_child(lambda root=root, number=number: publish_and_die(root, number, now_utc))  # type: ignore[misc]  # defaults bind the loop's values
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            faults.append(f"{number} {point}: was not killed: {answer}")
        after = (NEW, NEXT)[number // shares % 2]
        _, found = in_child(lambda root=root, after=after: look_and_repair(root, after, now_utc))  # type: ignore[misc]  # as above
        faults += [f"{number} {point}, then {after}: {words}" for words in found]
        shutil.rmtree(root)
    return {"points": points, "faults": faults}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
