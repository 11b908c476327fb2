"""The kinds of faults: each meets a night at a moment that is drawn, and tells what became of the night."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.faults.checker import PHASES
from tests.faults.prefect_site import ENDED, PrefectSite, kill_session
from tests.faults.world import World

POLL_S: Final = 0.005
_LONGEST_OUTAGE_S: Final = 4.0
_MIB: Final = 1 << 20
_PAGE_BYTES: Final = 4096


@dataclass(frozen=True)
class Met:
    """What a fault was, and what became of the night that met it."""

    detail: str
    phase: str
    became: str
    said: str = ""


Fault = Callable[[PrefectSite, World, random.Random], Met]


def flow_killed(site: PrefectSite, world: World, draw: random.Random) -> Met:
    """SIGKILL to the process of the run, or to the worker and all its children."""
    site.ensure_workers(1)
    as_of = world.next_as_of()
    run = site.trigger(world.parameters(as_of))
    pid = site.wait_started(run)
    at = _wait_for_moment(world, draw, as_of, lambda: not _lives(pid))
    with_worker = draw.random() < 0.5
    if with_worker:
        site.workers[0].end()
    kill_session(pid, signal.SIGKILL)
    phase = world.phase(as_of)
    state = site.run(run)["state"]["name"] if with_worker else site.wait(run)["state"]["name"]
    who = "worker and run" if with_worker else "run"
    return Met(f"{who} killed {at}", phase, f"the server says {state}")


def server_stopped(site: PrefectSite, world: World, draw: random.Random) -> Met:
    """The Prefect server stopped or killed, and started again on its database and port."""
    site.ensure_workers(1)
    as_of = world.next_as_of()
    run = site.trigger(world.parameters(as_of))
    pid = site.wait_started(run)
    at = _sleep(draw.uniform(0, world.work_s), "the night")
    how = draw.choice((signal.SIGTERM, signal.SIGKILL))
    site.stop_server(how)
    phase = world.phase(as_of)
    pause_s = draw.uniform(0, _LONGEST_OUTAGE_S)
    time.sleep(pause_s)
    site.start_server()
    _wait_while(lambda: _lives(pid), seconds=120)
    _wait_while(lambda: site.run(run)["state_type"] not in ENDED, seconds=5)
    worker = "" if site.workers[0].status is None else ", worker ended"
    state = site.run(run)["state"]["name"]
    published = "" if world.phase(as_of) == "published" else ", not published"
    return Met(f"{how.name} {at}, away for {pause_s:.1f} s", phase, f"{state}{published}{worker}")


def disk_full(site: PrefectSite, world: World, draw: random.Random) -> Met:
    """A file system that fills up at a byte that is drawn."""
    mount = Path(world.out).parent
    used = shutil.disk_usage(mount).used
    size = used + round(draw.uniform(0, 1.2) * _bytes_of_a_night(world))
    remount(mount, size)
    as_of = world.next_as_of()
    night = world.start(site, as_of)
    status = night.wait()
    phase = "writing tables" if "tables of run" in night.said else world.phase(as_of)
    remount(mount, 64 * _MIB)
    return Met(f"{(size - used) >> 10} KiB free", phase, f"exit status {status}", night.said)


def store_unavailable(site: PrefectSite, world: World, draw: random.Random) -> Met:
    """An object store that answers 503 to a third of requests, with one publisher or two, one of which may be killed."""
    as_of = world.next_as_of()
    nights = [world.start(site, as_of) for _ in range(draw.choice((1, 1, 2)))]
    detail = "one publisher" if len(nights) == 1 else "two publishers of one run"
    if draw.random() < 0.5:
        while world.phase(as_of) == "nothing written" and nights[0].status is None:
            time.sleep(POLL_S)
        at = _sleep(draw.uniform(0, 1) * world.publish_s, "the upload")
        nights[0].end()
        detail += f", one killed {at} ({world.phase(as_of)})"
    became = " and ".join(f"exit status {night.wait()}" for night in nights)
    return Met(detail, world.phase(as_of), became, "".join(night.said for night in nights))


def clock_jumps(site: PrefectSite, world: World, draw: random.Random) -> Met:
    """A clock that is set across midnight, forwards or backwards, while the night goes on."""
    library = faketime_library()
    assert library is not None
    jump = timedelta(seconds=draw.choice((-86_400, -600, -5, 5, 600, 3_600, 90_000)))
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - now + (timedelta(seconds=1) if jump < timedelta(0) else -timedelta(seconds=6))
    stamp = world.folder / "clock"
    _set_clock(stamp, first)
    as_of = world.next_as_of() if draw.random() < 0.5 else None
    night = world.start(
        site,
        as_of,
        LD_PRELOAD=str(library),
        FAKETIME_TIMESTAMP_FILE=str(stamp),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    time.sleep(draw.uniform(0.3, 1) * world.usual_s)
    _set_clock(stamp, first + jump)
    phase = world.phase(as_of) if as_of else "unknown"
    status = night.wait()
    looks_from = "a given moment" if as_of else "its own start"
    return Met(
        f"{jump.total_seconds():+.0f} s, looking from {looks_from}",
        phase,
        f"exit status {status}",
        night.said,
    )


def two_workers(site: PrefectSite, world: World, draw: random.Random) -> Met:
    """Two workers with several runs at once, of one moment and of several; now and then one is killed."""
    site.ensure_workers(2)
    moments = [world.next_as_of(), world.next_as_of()]
    wanted = [draw.choice(moments) for _ in range(draw.choice((2, 3)))]
    runs = [site.trigger(world.parameters(as_of)) for as_of in wanted]
    killed = ""
    if draw.random() < 0.3:
        pid = site.wait_started(runs[0])
        killed = f", one killed {_wait_for_moment(world, draw, wanted[0], lambda: not _lives(pid))}"
        kill_session(pid, signal.SIGKILL)
    states = sorted(site.wait(run)["state"]["name"] for run in runs)
    return Met(
        f"{len(runs)} runs of {len(set(wanted))} moments{killed}", world.phase(max(wanted)), ", ".join(states)
    )


KILLED, RESTARTED, FULL = "run or worker killed", "Prefect server restarted", "disk full"
UNAVAILABLE, CLOCK, BOTH = "object store answers 503", "clock jumps across midnight", "two workers at once"
KINDS: Final[dict[str, Fault]] = {
    RESTARTED: server_stopped,
    UNAVAILABLE: store_unavailable,
    BOTH: two_workers,
    FULL: disk_full,
    CLOCK: clock_jumps,
    KILLED: flow_killed,
}
"""By name; a small sample is of the last."""


def mount_tmpfs(folder: Path) -> bool:
    """Mount a file system in memory; False where that is not to be had."""
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={64 * _MIB}", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def remount(folder: Path, size_bytes: int) -> None:
    """Give a mounted file system another size."""
    subprocess.run(["mount", "-o", f"remount,size={size_bytes}", str(folder)], check=True)


def unmount(folder: Path) -> None:
    """Take a mounted file system away."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def faketime_library() -> Path | None:
    """Library that lies about the clock to a process, where it does: that of the package from PyPI."""
    package = importlib.util.find_spec("libfaketime")
    if sys.platform != "linux" or package is None or package.origin is None:
        return None
    library = Path(package.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    words = [sys.executable, "-c", "import time; print(time.time())"]
    env = os.environ | {"LD_PRELOAD": str(library), "FAKETIME": "+1d"}
    told = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
    return library if float(told) > time.time() + 80_000 else None


def _bytes_of_a_night(world: World) -> int:
    """Size of the newest run, about what a night needs: files take whole pages."""
    files = [path for path in (Path(world.out) / "v1/latest").resolve().rglob("*") if path.is_file()]
    return sum(-(-path.stat().st_size // _PAGE_BYTES) * _PAGE_BYTES for path in files)


def _set_clock(stamp: Path, offset: timedelta) -> None:
    made = stamp.with_suffix(".new")
    made.write_text(f"{offset.total_seconds():+.3f}\n")
    made.replace(stamp)


def _wait_for_moment(
    world: World, draw: random.Random, as_of_utc: datetime, has_ended: Callable[[], bool]
) -> str:
    """Wait for a moment of a run that has begun: any, or soon after one of the steps of publishing."""
    if draw.random() < 0.3:
        return _sleep(draw.uniform(0, world.work_s), "the night")
    wanted = draw.randrange(1, len(PHASES))
    while PHASES.index(world.phase(as_of_utc)) < wanted and not has_ended():
        time.sleep(POLL_S)
    return _sleep(draw.uniform(0, 0.2 * world.publish_s), f"{PHASES[wanted]!r}")


def _sleep(seconds: float, since: str) -> str:
    time.sleep(seconds)
    return f"{seconds:.2f} s into {since}"


def _wait_while(look: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while look() and time.monotonic() < end:
        time.sleep(0.1)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
