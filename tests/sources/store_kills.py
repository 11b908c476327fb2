"""Kill a compaction with SIGKILL before and after everything it does to the file system; read what is left.

``python -m tests.sources.store_kills <directory> [all]`` prints a JSON object: the points, and every fault found: at one
point of each step, or at all. Every compaction is a fork of this process.
"""

import json
import os
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from opencarbon.sources.store.compaction import compact
from opencarbon.sources.store.forecast_archive import forecast_archive
from opencarbon.sources.store.intensities import append, read_as_of
from tests.publishing.kill_points import Killer, in_child
from tests.sources.fetches import HOUR, LATER, T0, fetched, snapshot_digest

MOMENTS = [T0 + hours * HOUR for hours in (0, 3, 10_000)]


def prepare(root: Path) -> list[str]:
    """A store of two months of hours: what compaction merged before, and fetches since."""
    put(root, 0)
    merge(root, 0)
    put(root, 30)
    return known(root)


def put(root: Path, at: int) -> None:
    """Fetches of measured and forecast hours on both sides of the turn of a month."""
    for hours in (at, at + 1):
        when = T0 + hours * HOUR
        rows = [("DE", hour, float(10 + hours + hour)) for hour in range(-3, 3)]
        append(str(root), fetched(when, *rows), fetched_at_utc=when)
        issue = fetched(when, *rows, kind="forecast", issued_at_utc=when - HOUR)
        append(str(root), issue, fetched_at_utc=when)


def merge(root: Path, at: int) -> list[str]:
    """Merge until the given point; the points passed, where there was no such point."""
    killer = Killer(at)
    killer.arm()
    compact(str(root), now_utc=LATER, told=lambda done, total: None)
    return killer.points


def known(root: Path) -> list[str]:
    """What is read from every moment, as fingerprints, and what is wrong with files."""
    found = []
    for moment in MOMENTS:
        rows, events = read_as_of(str(root), moment)
        archive, _ = forecast_archive(str(root), moment, T0 - timedelta(days=1))
        found += [snapshot_digest(rows), str(archive.to_pylist()), str(events)]
    return found


def look_and_resume(root: Path, expected: list[str]) -> list[str]:
    """Faults that readers see after a death, and after the compaction that follows it."""
    faults = [] if known(root) == expected else ["another answer after the death"]
    merge(root, 0)
    faults += [] if known(root) == expected else ["another answer after the next compaction"]
    names = sorted(path.name[:15] for path in root.rglob("[!.]*.parquet"))
    return faults if names == sorted(names_expected()) else [*faults, f"left {names}"]


def names_expected() -> list[str]:
    """Two months, two kinds, what is newest and what is earlier."""
    return 2 * [
        f"{kind}-{part}"[:15]
        for kind in ("measured", "forecast")
        for part in ("newest-20261101", "earlier-20261101")
    ]


def steps_of(points: list[str]) -> list[int]:
    """Numbers of points: within a write, after the first, a middle and the last of the writes and of the removals."""
    chosen = [points.index("before replace") + 1]
    for name in ("after replace", "after unlink"):
        numbers = [number for number, point in enumerate(points, 1) if point == name]
        chosen += [numbers[0], numbers[len(numbers) // 2], numbers[-1]]
    return chosen


def main(directory: Path, *, is_all: bool) -> dict[str, Any]:
    """Kill at one point of each step, or at every point."""
    base, whole = directory / "base", directory / "whole"
    _, expected = in_child(lambda: prepare(base))
    shutil.copytree(base, whole)
    _, points = in_child(lambda: merge(whole, 0))
    faults = []
    for number in range(1, len(points) + 1) if is_all else steps_of(points):
        point = points[number - 1]
        root = directory / f"killed-{number}"
        shutil.copytree(base, root)
        status, answer = in_child(lambda root=root, number=number: merge(root, number))  # type: ignore[misc]  # defaults bind the loop's values
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            faults.append(f"{number} {point}: was not killed: {answer}")
        _, found = in_child(lambda root=root: look_and_resume(root, expected))  # type: ignore[misc]  # as above
        faults += [f"{number} {point}: {words}" for words in found]
        shutil.rmtree(root)
    return {"points": points, "faults": faults}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), is_all="all" in sys.argv[2:])))
