"""A whole night against what pyarrow alone needs to read its manifest and to write its tables, in the same run.

``pytest -s tests/benchmarks/engine/test_night_ratio.py`` prints it; ``OPENCARBON_BENCHMARK_JOBS=1000000`` sets the number of
jobs. A night has a fixed part, the start of Python and the refit of devices among it: the ratio falls with the queue.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests import large_queue
from tests.benchmarks.engine.clock import print_table
from tests.benchmarks.engine.nights import (
    Cost,
    cost_of_process,
    night_command,
    published,
    reading_alone,
    writing_alone,
)

JOBS: Final = int(os.environ.get("OPENCARBON_BENCHMARK_JOBS", "30000"))
FIXED_JOBS: Final = 10
"""Jobs of the night that tells what is fixed."""

AT_MOST: Final = 25.0
"""Most CPU time of a night beyond its fixed part, in that of pyarrow alone: 10 to 15 on a busy machine."""


@pytest.mark.slow
def test_a_night_takes_few_times_what_reading_and_writing_take(tmp_path: Path) -> None:
    costs = {}
    for jobs in (FIXED_JOBS, JOBS):
        folder = tmp_path / f"{jobs}"
        large_queue.write_all(folder, jobs)
        costs[jobs] = cost_of_process(night_command(folder, folder / "out"))
    tables, alone = published(folder / "out"), tmp_path / "alone"
    alone.mkdir()
    reading, writing = reading_alone(folder / "queue.parquet"), writing_alone(tables, alone)

    night, fixed, both = costs[JOBS], costs[FIXED_JOBS], reading + writing
    show({"night": night, "of it fixed": fixed, "pyarrow alone": both, "of it writing": writing}, both)
    sizes = [
        sum(path.stat().st_size for path in where.rglob("*.parquet"))
        for where in (folder / "out/v1/latest/", alone)
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)  # pyarrow wrote the same
    assert tables["rec_job"].num_rows == JOBS
    assert night.cpu_s - fixed.cpu_s <= AT_MOST * both.cpu_s


def show(costs: dict[str, Cost], alone: Cost) -> None:
    rows = [
        (
            name,
            *(f"{cost.elapsed_s:.2f}", f"{cost.elapsed_s / alone.elapsed_s:.1f}"),
            *(f"{cost.cpu_s:.2f}", f"{cost.cpu_s / alone.cpu_s:.1f}"),
            f"{cost.peak_bytes / 1e6:,.0f}" if cost.peak_bytes else "",
        )
        for name, cost in costs.items()
    ]
    print_table(f"a night of {JOBS:,} jobs", ("", "s", "ratio", "CPU s", "ratio", "peak MB"), rows)
