"""Where the time of a night goes: ``python -m tests.benchmarks.engine.profile FOLDER``, as ``tests.large_queue`` makes it.

Its steps by the durations in its own record, then the functions of one partition under cProfile, which makes small ones look
longer than they are.
"""

import cProfile
import json
import os
import pstats
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from opencarbon import pipeline
from opencarbon.cli.options import settings_of
from tests import large_queue
from tests.benchmarks.engine.clock import print_table
from tests.benchmarks.engine.nights import Cost, cost_of_process, night_command

OWN_TIME: Final = 15
"""Functions shown by their own time."""

Rows = list[tuple[str, str, str]]


def steps(folder: Path, out: Path) -> Rows:
    """Steps of a night in a process of its own [s], and their share of its time on the clock."""
    cost = cost_of_process(night_command(folder, out))
    record = json.loads((out / "v1/manifest.json").read_text())
    return rows_of_steps(cost, record, side_by_side=os.cpu_count() or 1)


def rows_of_steps(cost: Cost, record: Mapping[str, Any], *, side_by_side: int) -> Rows:
    """Steps by their durations; what no step accounts for is the start, the checks of what was written and the swap."""
    facts = record["facts"]
    durations = dict(facts["durations_s"])
    durations["estimate"] /= max(1, min(side_by_side, facts["partitions"]))
    durations["start, verify, swap"] = cost.elapsed_s - sum(durations.values())
    return [
        *shares(list(durations.items()), cost.elapsed_s),
        ("whole night", f"{cost.elapsed_s:.2f}", "100 %"),
    ]


def shares(parts: Sequence[tuple[str, float]], whole: float) -> Rows:
    return [(name, f"{seconds:.2f}", f"{100 * seconds / whole:.0f} %") for name, seconds in parts]


def profile_of_partition(folder: Path, out: Path) -> pstats.Stats:
    """The first partition of a night, estimated in this process."""
    settings = settings_of(folder / "opencarbon.toml", None, str(out), completed=())
    at = datetime.fromisoformat(large_queue.AS_OF)
    manifests = [str(folder / "queue.parquet")]
    with pipeline.night_of(settings, manifests, as_of_utc=at, now_utc=at, offline=True) as night:
        pipeline.prepare(night, pipeline.read(night))
        profile = cProfile.Profile()
        profile.runcall(pipeline.estimate, night, 0)
    return pstats.Stats(profile)


def timings(stats: pstats.Stats) -> dict[tuple[str, int, str], Any]:
    """What was measured, by file, line and function; its stubs leave it out."""
    found: dict[tuple[str, int, str], Any] = vars(stats)["stats"]
    return found


def called_by(stats: pstats.Stats, function: str) -> Rows:
    """Functions that one calls itself, by the time in them and below [s], and their share of its own."""
    functions = stats.get_stats_profile().func_profiles
    whole = functions[function].cumtime
    found = {
        name: callers[caller][3]
        for (_, _, name), (_, _, _, _, callers) in timings(stats).items()
        for caller in callers
        if caller[2] == function
    }
    longest = sorted(found.items(), key=lambda item: -item[1])
    return [
        *shares([(n, s) for n, s in longest if s > whole / 100], whole),
        (function, f"{whole:.2f}", "100 %"),
    ]


def by_own_time(stats: pstats.Stats) -> Rows:
    """Functions by the time in them alone [s], and their share of everything."""
    timed = [
        (f"{Path(file).name}:{line} {name}", timing[2])
        for (file, line, name), timing in timings(stats).items()
    ]
    whole = sum(seconds for _, seconds in timed)
    return shares(sorted(timed, key=lambda one: -one[1])[:OWN_TIME], whole)


def main(folder: Path) -> None:
    with TemporaryDirectory() as made:
        out = Path(made)
        print_table("a night by its own record", ("step", "s", "share"), steps(folder, out / "whole"))
        stats = profile_of_partition(folder, out / "profiled")
    for function in ("estimate_partition", "plan_batch", "choose"):
        print_table(f"one partition: {function}", ("function", "s", "share"), called_by(stats, function))
    print_table("one partition: time in functions alone", ("function", "s", "share"), by_own_time(stats))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
