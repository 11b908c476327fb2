"""A job is not left out of a place that jobs of lower priority hold."""

from collections.abc import Callable

import numpy as np
import pytest

from opencarbon.estimation.allocation.large import allocate_large
from opencarbon.estimation.allocation.placement import Placement, Taken
from opencarbon.estimation.allocation.places import Ground
from opencarbon.estimation.allocation.precedence import give_precedence
from opencarbon.estimation.allocation.queue import Queue, Supply
from opencarbon.estimation.allocation.small import allocate_small
from tests.estimation.allocation.queues import queue_of, random_case, terrain

FLAT = np.full((40, 1), 0.1)


def test_the_smallest_of_the_lowest_priority_make_room_and_no_more_than_needed() -> None:
    ground = terrain(FLAT, 30)
    queue = queue_of(
        ground,
        run_h=[4.0, 4.0, 3.0, 2.0, 4.0],
        devices=[2.0, 2.0, 2.0, 2.0, 4.0],
        latest_h=np.zeros(5),
        priority=[3, 1, 0, 0, 2],
    )
    supply = Supply(np.full((1, 39, 1), 8.0))
    placement = Placement(queue, supply.free.copy())
    for job, hours in ((0, 4), (1, 4), (2, 3), (3, 2)):
        placement.put(job, Taken(0, 0.0, 1.0, 1.0, slice(0, hours)))

    assert 2 == give_precedence(placement, Ground(ground, supply))
    assert [0, 1, 4] == placement.jobs().tolist()
    assert [0.0] * 4 + [8.0] == placement.free[0, :5, 0].tolist()


def test_a_job_that_makes_room_goes_where_there_is_still_some() -> None:
    ground = terrain(np.tile([0.1, 0.3], (40, 1)), 30)
    queue = queue_of(
        ground, run_h=[4.0, 4.0], latest_h=[0.0, 0.0], priority=[1, 0], allowed=[[True, False], [True, True]]
    )
    supply = Supply(np.ones((1, 39, 2)))
    placement = Placement(queue, supply.free.copy())
    placement.put(1, Taken(0, 0.0, 0.4, 0.4, slice(0, 4)))

    assert 1 == give_precedence(placement, Ground(ground, supply))
    assert {0: 0, 1: 1} == {job: place.region for job, place in placement.taken.items()}


def in_small_queue(queue: Queue, ground: Ground) -> tuple[Placement, float]:
    placement, bound, _ = allocate_small(queue, ground, queue.base_kgco2e)
    return placement, bound


def with_room(queue: Queue, supply: Supply, placement: Placement) -> list[int]:
    """Jobs without a place that a start on a clock hour, or the first start, would have if lower ones were not there."""
    found = []
    for job in np.setdiff1d(np.arange(len(queue)), placement.jobs()).tolist():
        room = supply.free[0].copy()
        for other, place in placement.taken.items():
            if queue.priority[other] >= queue.priority[job]:
                room[place.hours, place.region] -= queue.devices[other]
        first, last, run = queue.earliest_h[job], queue.latest_h[job], queue.run_h[job]
        for start in [first, *range(int(np.ceil(first)), int(last) + 1)]:
            hours = slice(int(start), int(np.ceil(start + run - 1e-9)))
            if np.any(room[hours][:, queue.allowed[job]].min(axis=0) >= queue.devices[job]):
                found.append(job)
                break
    return found


@pytest.mark.parametrize(
    ("solve", "jobs", "seed"), [(allocate_large, 40, 3), (allocate_large, 40, 5), (in_small_queue, 10, 0)]
)
def test_no_queue_leaves_a_job_out_of_a_place_of_lower_ones(
    solve: Callable[[Queue, Ground], tuple[Placement, float]], jobs: int, seed: int
) -> None:
    queue, ground, supply = random_case(
        seed, jobs=jobs, regions=3, hours=36, share=2.0, levels=3, sizes=(1, 2, 4)
    )
    placement, _ = solve(queue, Ground(ground, supply))

    assert len(placement.taken) < jobs
    assert [] == with_room(queue, supply, placement)
