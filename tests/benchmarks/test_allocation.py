"""Allocations of many random queues against the optimum, and of a large one against the clock: long, so on demand.

``OPENCARBON_LONG_BENCHMARKS=1 pytest tests/benchmarks/test_allocation.py``
"""

import os
import time

import numpy as np
import pytest

from opencarbon.estimation.allocation.queue import Supply
from opencarbon.estimation.allocation.solution import allocate
from tests.estimation.allocation.queues import broken_hours, random_case, taken

pytestmark = pytest.mark.skipif(
    not os.environ.get("OPENCARBON_LONG_BENCHMARKS"), reason="takes an hour: set OPENCARBON_LONG_BENCHMARKS=1"
)

QUEUES, JOBS = 200, 50
WITHIN = 0.01
SECONDS = 60.0
"""For 100,000 jobs by 60 regions on two cores that have nothing else to do."""


@pytest.mark.parametrize("seed", range(QUEUES))
def test_a_queue_of_fifty_jobs_is_within_one_percent(seed: int) -> None:
    queue, ground, supply = random_case(seed, jobs=JOBS, regions=5 + seed % 4, hours=48 + 12 * (seed % 3))
    alone = allocate(queue, ground, Supply(np.full(supply.free.shape, 1e9)))
    if broken_hours(queue, ground, supply, alone) < 0.3:
        pytest.skip("each job alone breaks the capacity of too few hours")
    found = allocate(queue, ground, supply)

    assert np.all(taken(queue, supply, found) <= supply.free * (1.0 + 1e-9))
    assert found.gap <= WITHIN


def test_a_hundred_thousand_jobs_are_allocated_in_a_minute() -> None:
    sizes = (8, 16, 32, 64, 128, 256)
    queue, ground, supply = random_case(
        5, jobs=100_000, regions=60, hours=72, pausable=0.1, levels=3, sizes=sizes
    )
    began = time.perf_counter()
    found = allocate(queue, ground, supply)
    spent = time.perf_counter() - began

    assert np.all(taken(queue, supply, found) <= supply.free * (1.0 + 1e-9))
    assert found.gap <= 0.10
    assert spent <= SECONDS
