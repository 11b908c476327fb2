"""Allocations of many random queues against their bound, and of a large one against its plan: long, so on demand.

``OPENCARBON_LONG_BENCHMARKS=1 pytest -s tests/benchmarks/test_allocation.py``
"""

import os
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

import numpy as np
import pytest

from opencarbon.estimation.allocation.queue import Queue, Supply, Terrain
from opencarbon.estimation.allocation.solution import Allocation, allocate
from tests.estimation.allocation.queues import broken_hours, random_case, taken

pytestmark = pytest.mark.skipif(
    not os.environ.get("OPENCARBON_LONG_BENCHMARKS"), reason="takes an hour: set OPENCARBON_LONG_BENCHMARKS=1"
)

QUEUES, JOBS = 200, 50
WITHIN = 0.01
BROKEN = 0.3
"""Least share of the hours in which each job alone breaks the capacity, for a queue to count."""

LARGE: Final = int(os.environ.get("OPENCARBON_BENCHMARK_JOBS", "100000"))
"""Jobs of the large queue."""

RATIO = 20.0
"""Most CPU time of an allocation in that of the same jobs with room for all, in the same run: 9 to 12 at 5,000 jobs, where
the search for prices, which does not grow with the queue, weighs most."""


def without_limits(supply: Supply) -> Supply:
    return Supply(np.full(supply.free.shape, 1e9))


def crowded() -> Iterator[tuple[int, Queue, Terrain, Supply]]:
    """Random queues that break the capacity of enough hours if each job is planned alone."""
    for seed in count():
        regions, hours = 5 + seed % 4, 48 + 12 * (seed % 3)
        queue, ground, supply = random_case(seed, jobs=JOBS, regions=regions, hours=hours)
        alone = allocate(queue, ground, without_limits(supply))
        if broken_hours(queue, ground, supply, alone) >= BROKEN:
            yield seed, queue, ground, supply


def test_two_hundred_crowded_queues_of_fifty_jobs_are_within_one_percent() -> None:
    gaps: dict[int, float] = {}
    for seed, queue, ground, supply in crowded():
        found = allocate(queue, ground, supply)
        assert np.all(taken(queue, supply, found) <= supply.free * (1.0 + 1e-9)), f"queue {seed}"
        gaps[seed] = found.gap
        print(
            f"\nqueue {seed}: {(found.region >= 0).sum()} placed, {found.method}, gap {100 * found.gap:.3f} %"
        )
        if len(gaps) == QUEUES:
            break

    assert {} == {seed: gap for seed, gap in gaps.items() if gap > WITHIN}


def timed(work: Callable[[], Allocation], name: str) -> tuple[Allocation, float]:
    """What work gives, and the CPU time it takes [s]."""
    began, began_cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    print(f"\n{LARGE} jobs, {name}: {seconds:.1f} s, {cpu:.1f} CPU s, gap {100 * found.gap:.2f} %")
    return found, cpu


def test_a_large_queue_keeps_capacity_close_to_its_bound_at_a_small_multiple_of_its_plan() -> None:
    sizes = (8, 16, 32, 64, 128, 256)
    queue, ground, supply = random_case(
        5, jobs=LARGE, regions=60, hours=72, pausable=0.1, levels=3, sizes=sizes
    )
    alone, plan = timed(lambda: allocate(queue, ground, without_limits(supply)), "room for all")
    found, cpu = timed(lambda: allocate(queue, ground, supply), "capacity")

    assert alone.gap <= 0.001
    assert np.all(taken(queue, supply, found) <= supply.free * (1.0 + 1e-9))
    assert found.gap <= 0.12
    assert cpu <= RATIO * plan
