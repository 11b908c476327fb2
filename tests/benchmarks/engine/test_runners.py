"""The same night on every runner, and through Prefect: seconds side by side, and the same bytes. Long, so on demand.

``OPENCARBON_LONG_BENCHMARKS=1 pytest -s tests/benchmarks/engine/test_runners.py``
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests import large_queue
from tests.benchmarks.engine.clock import print_table
from tests.benchmarks.engine.nights import Cost, cost_of_process, night_command
from tests.example import example_arguments

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("OPENCARBON_LONG_BENCHMARKS"),
        reason="takes minutes: set OPENCARBON_LONG_BENCHMARKS=1",
    ),
    pytest.mark.timeout(1800),
]

PARTITIONS, ROWS = 64, 2000
WORKERS: Final = "2"

FLOW: Final = (sys.executable, "flows/nightly.py")
RUNNERS: Final = {
    "threads": ("threads", ()),
    "processes": ("processes", ()),
    "flow, threads": ("threads", FLOW),
    "flow, processes": ("processes", FLOW),
    "flow, Dask": ("dask", FLOW),
    "flow, Ray": ("ray", FLOW),
}
"""The setting of each, and the program where it is not ``opencarbon run``."""

NEEDS: Final = {"dask": "prefect_dask", "ray": "prefect_ray"}

CPU_AT_MOST_S: Final = 15.0
"""Most CPU time that Prefect may add to a night on a home that has its database; the clock is printed, for a quiet machine."""


def hashes(out: Path) -> dict[str, str]:
    """What every Parquet file of the newest run holds."""
    latest = (out / "v1/latest").resolve()
    files = sorted(latest.rglob("*.parquet"))
    return {str(path.relative_to(latest)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of flows whose temporary server has made its database in a night before."""
    folder = tmp_path_factory.mktemp("home")
    environment = {"PREFECT_HOME": str(folder), "OPENCARBON_STORE__ROOT": str(folder / "store")}
    with pytest.MonkeyPatch.context() as patch:
        # An empty address is none to the client, but the worker that sends events fails at it time and again.
        for name in ("PREFECT_API_URL", "PREFECT_SERVER_EPHEMERAL_ENABLED"):
            patch.delenv(name, raising=False)
        cost_of_process([*FLOW, *example_arguments(folder / "out")], environment)
        yield environment


def test_every_runner_publishes_the_same_bytes(tmp_path: Path, prefect_home: dict[str, str]) -> None:
    large_queue.write_all(tmp_path, PARTITIONS * ROWS)
    costs: dict[str, Cost] = {}
    found: dict[str, dict[str, str]] = {}
    missing = []
    for name, (runner, program) in RUNNERS.items():
        if runner in NEEDS and find_spec(NEEDS[runner]) is None:
            missing.append(runner)
            continue
        settings = {"RUNNER": runner, "WORKERS": WORKERS, "ROWS_PER_PARTITION": f"{ROWS}"}
        environment = {f"OPENCARBON_RUN__{key}": value for key, value in settings.items()}
        out = tmp_path / name.replace(", ", "-")
        home = prefect_home | {"OPENCARBON_STORE__ROOT": str(tmp_path / f"store of {name}")}
        costs[name] = cost_of_process(night_command(tmp_path, out, *program), home | environment)
        found[name] = hashes(out)
    base = costs["threads"].elapsed_s
    rows = [
        (name, f"{cost.elapsed_s:.1f}", f"{cost.elapsed_s - base:+.1f}", f"{cost.cpu_s:.1f}")
        for name, cost in costs.items()
    ]
    title = f"{PARTITIONS} partitions of {ROWS:,} jobs, {WORKERS} workers"
    print_table(title, ("runner", "s", "beside threads", "CPU s"), rows)

    assert len(found["threads"]) > 20
    assert {name: "same" for name in found} == {
        name: "same" if files == found["threads"] else "other" for name, files in found.items()
    }
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; the others gave the same bytes")


def test_prefect_adds_few_seconds_to_a_night(tmp_path: Path, prefect_home: dict[str, str]) -> None:
    script = str(Path(sys.executable).with_name("opencarbon"))
    costs = {}
    for name, program in (("opencarbon run", (script, "run")), ("python flows/nightly.py", FLOW)):
        out = tmp_path / name.partition(" ")[0]
        tries = [
            cost_of_process([*program, *example_arguments(out / f"{number}")], prefect_home)
            for number in range(3)
        ]
        costs[name] = min(tries, key=lambda cost: cost.elapsed_s)
    rows = [(name, f"{cost.elapsed_s:.1f}", f"{cost.cpu_s:.1f}") for name, cost in costs.items()]
    print_table("the example queue", ("", "s", "CPU s"), rows)
    plain, flow = costs.values()
    assert flow.cpu_s - plain.cpu_s < CPU_AT_MOST_S
