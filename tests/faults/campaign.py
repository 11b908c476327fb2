"""Faults one after another on one site, each followed by a look and by the next night; and what came of them.

``python -m tests.faults.campaign FILE...`` prints what reports in JSON hold, as one table.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tests.faults.checker import MINUTE, Published
from tests.faults.kinds import KINDS, POLL_S
from tests.faults.prefect_site import PrefectSite
from tests.faults.world import World


@dataclass(frozen=True)
class Told:
    """A fault, what readers found after it, and what the next night came to."""

    kind: str
    detail: str
    phase: str
    became: str
    said: str
    problems: tuple[str, ...]
    next_night: str
    unrepaired: tuple[str, ...]
    seconds: float

    @property
    def line(self) -> str:
        found = "; ".join((*self.problems, *self.unrepaired)) or "nothing lost or mixed, repaired"
        return (
            f"{self.kind} ({self.detail}; {self.phase}): {self.became}; next night {self.next_night}: {found}"
        )


def first_night(site: PrefectSite, world: World, *, attempts: int = 1) -> None:
    """Publish the run that no fault may lose; how long that takes is what moments are drawn from."""
    begun, as_of = time.monotonic(), world.next_as_of()
    night = world.start(site, as_of)
    while world.phase(as_of) == "nothing written" and night.status is None:
        time.sleep(POLL_S)
    publishing = time.monotonic()
    while world.phase(as_of) != "published" and night.status is None:
        time.sleep(POLL_S)
    world.publish_s = time.monotonic() - publishing
    if night.wait() == 0:
        world.usual_s = time.monotonic() - begun
    elif attempts > 1:
        first_night(site, world, attempts=attempts - 1)
    else:
        raise RuntimeError(f"the first night ended with {night.status}: {night.said}")


def meet(
    site: PrefectSite, world: World, kind: str, draw: random.Random, before: Published
) -> tuple[Told, Published]:
    """One fault, a look, and the next night, of the same moment or a later one; and what is published after it."""
    begun, reader = time.monotonic(), world.readers
    met = KINDS[kind](site, world, draw)
    left = reader.look()
    problems = reader.problems(before, left)
    if "Traceback" in met.said or "unexpected" in met.said:
        problems.append(f"what it said is not for a reader: {met.said}")
    is_later = draw.random() < 0.5
    as_of = world.next_as_of() if is_later else world.as_of_utc
    came, failed = _next_night(site, world, as_of, by_worker=draw.random() < 0.5)
    after = reader.look()
    unrepaired = [*failed, *reader.problems(left, after), *reader.debris(before, after, f"{as_of:{MINUTE}}")]
    came = f"{'a later' if is_later else 'the same'} moment: {came}"
    seconds = round(time.monotonic() - begun, 1)
    what = (kind, met.detail, met.phase, met.became, met.said)
    return Told(*what, tuple(problems), came, tuple(unrepaired), seconds), after


def _next_night(
    site: PrefectSite, world: World, as_of_utc: datetime, *, by_worker: bool
) -> tuple[str, list[str]]:
    """What became of a night without a fault, and what it said if it failed."""
    if by_worker and world.reader is None and any(worker.status is None for worker in site.workers):
        state = site.wait(site.trigger(world.parameters(as_of_utc)))["state"]
        return state["name"], [] if state["type"] == "COMPLETED" else [f"the next night: {state['message']}"]
    begun = time.monotonic()
    night = world.start(site, as_of_utc)
    status = night.wait()
    world.usual_s = time.monotonic() - begun  # a machine is not always as busy
    return f"exit status {status}", [f"the next night: {night.said}"] if status else []


def copy_of(world: World, folder: Path, out: Path | None = None) -> World:
    """A site of its own that begins with what another has published."""
    folder.mkdir(parents=True, exist_ok=True)
    out = out or folder / "out"
    shutil.copytree(world.folder / "queue", folder / "queue")
    shutil.copytree(world.out, out, symlinks=True)
    shutil.copytree(world.store, folder / "store")
    made = World(
        folder, world.base_url, world.models_url, str(out), str(folder / "store"), usual_s=world.usual_s
    )
    made.publish_s, made.as_of_utc = world.publish_s, world.as_of_utc
    return made


def report(faults: Iterable[Told]) -> str:
    """Faults by kind and phase as a table, and every fault that lost or mixed something."""
    faults = list(faults)
    by_kind = Counter(told.kind for told in faults)
    lines = [
        "| fault | count | the night was | what became of it | next night | lost, mixed or left |",
        "|---|---|---|---|---|---|",
    ]
    for kind, count in by_kind.items():
        of_kind = [told for told in faults if told.kind == kind]
        wrong = sum(1 for told in of_kind if told.problems or told.unrepaired)
        cells = (_counted(told.phase for told in of_kind), _counted(told.became for told in of_kind))
        came = _counted(told.next_night.partition(": ")[2] for told in of_kind)
        lines.append(f"| {kind} | {count} | {cells[0]} | {cells[1]} | {came} | {wrong} |")
    lines.append(
        f"{len(faults)} faults, {sum(1 for told in faults if told.problems or told.unrepaired)} with something wrong"
    )
    return "\n".join([*lines, *(told.line for told in faults if told.problems or told.unrepaired)])


def write_report(path: Path, faults: Iterable[Told]) -> None:
    """Everything that is told, as JSON."""
    path.write_text(json.dumps([asdict(told) for told in faults], indent=1))


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


if __name__ == "__main__":
    told = [Told(**fault) for path in sys.argv[1:] for fault in json.loads(Path(path).read_text())]
    print(report(told))
