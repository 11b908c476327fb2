"""Capacity is kept in every hour, the best allocation is found, and priorities decide who gets in."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from opencarbon.estimation.allocation.large import allocate_large
from opencarbon.estimation.allocation.places import Ground, last_start
from opencarbon.estimation.allocation.queue import Queue, Supply, Terrain
from opencarbon.estimation.allocation.solution import Allocation, allocate, as_allocation
from tests.estimation.allocation.queues import (
    CLIMATOLOGY,
    broken_hours,
    emissions,
    queue_of,
    random_case,
    stretches,
    taken,
    terrain,
    total,
)

FLAT = np.tile([0.1, 0.3], (40, 1))
"""Two regions that never change, the first the cleaner [kgCO2e/kWh]."""


def free(devices: float, hours: int = 39, regions: int = 2) -> Supply:
    return Supply(np.full((1, hours, regions), devices))


def optimum(queue: Queue, ground: Terrain, supply: Supply) -> float:
    """Least emissions of all jobs together, over starts and ends on clock hours and at the ends of the windows."""
    columns = []
    for job in range(len(queue)):
        run, first, last = queue.run_h[job], queue.earliest_h[job], last_start(queue, ground.horizon_h)[job]
        starts = {float(first), float(last)}
        starts |= {float(hour) for hour in range(int(np.ceil(first)), int(last) + 1)}
        starts |= {hour - run for hour in range(int(first + run) + 1, int(last + run) + 1)}
        for region in np.flatnonzero(queue.allowed[job]).tolist():
            for start in sorted(starts):
                finish = start + run
                hours = range(int(start + 1e-9), int(np.ceil(finish - 1e-9)))
                if finish > ground.horizon_h:  # poorer data: not on these queues
                    continue
                weight = queue.energy_kwh[job] / run
                moving = 0.0 if region == queue.home[job] else queue.transfer_kgco2e[job]
                columns.append(
                    (job, region, hours, weight * emissions(ground.rate, region, start, finish) + moving)
                )
    size = supply.hours * supply.free.shape[2]
    matrix = lil_matrix((size + len(queue), len(columns)))
    for column, (job, region, hours, _) in enumerate(columns):
        for hour in hours:
            matrix[hour * supply.free.shape[2] + region, column] = queue.devices[job]
        matrix[size + job, column] = 1.0
    low = np.concatenate([np.zeros(size), np.ones(len(queue))])
    high = np.concatenate([supply.free[0].ravel(), np.ones(len(queue))])
    answer = milp(
        [cost for *_, cost in columns],
        integrality=np.ones(len(columns), dtype=np.int64),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(matrix.tocsr(), low, high),
        options={"mip_rel_gap": 1e-6},
    )
    return float(np.asarray(answer.fun))


def on_prices(queue: Queue, ground: Terrain, supply: Supply) -> Allocation:
    placement, bound = allocate_large(queue, Ground(ground, supply))
    return as_allocation(queue, placement.taken, bound=bound, method="heuristic")


@pytest.mark.parametrize("method", [allocate, on_prices])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), pausable=st.sampled_from([0.0, 0.5]), share=st.sampled_from([0.4, 0.9]))
def test_no_hour_holds_more_than_is_free_and_every_run_is_whole_and_in_its_window(
    method: Callable[[Queue, Terrain, Supply], Allocation], seed: int, pausable: float, share: float
) -> None:
    queue, ground, supply = random_case(
        seed, jobs=8, regions=3, hours=36, share=share, pausable=pausable, levels=2, sizes=(1, 2, 4)
    )
    found = method(queue, ground, supply)

    assert np.all(taken(queue, supply, found) <= supply.free * (1.0 + 1e-9))
    assert found.emits_kgco2e == pytest.approx(total(queue, ground, found))
    assert found.bound_kgco2e <= found.emits_kgco2e * (1.0 + 1e-6)
    for job in np.flatnonzero(found.region >= 0).tolist():
        times = stretches(queue, found, job)
        assert queue.allowed[job, found.region[job]]
        assert sum(finish - start for start, finish in times) == pytest.approx(queue.run_h[job])
        assert times[0][0] >= queue.earliest_h[job] - 1e-9
        assert times[-1][1] <= queue.latest_h[job] + queue.run_h[job] + 1e-9
        assert len(times) == 1 or queue.interruptible[job]
        assert all(before[1] < after[0] for before, after in pairwise(times))


@pytest.mark.parametrize("seed", [0, 2, 4, 5])
def test_a_small_queue_is_within_one_percent_of_the_optimum(seed: int) -> None:
    queue, ground, supply = random_case(seed, jobs=14, regions=5, hours=48, share=0.5, sizes=(1, 2))
    alone = allocate(queue, ground, Supply(np.full(supply.free.shape, 1e9)))
    found = allocate(queue, ground, supply)

    assert broken_hours(queue, ground, supply, alone) > 0.3
    assert np.all(found.region >= 0)
    assert optimum(queue, ground, supply) <= total(queue, ground, found) * (1.0 + 1e-5)
    assert total(queue, ground, found) <= 1.01 * optimum(queue, ground, supply)


def test_with_room_for_all_every_job_takes_its_own_best_place() -> None:
    queue, ground, supply = random_case(3, jobs=20, regions=4, hours=48)
    ample = Supply(np.full(supply.free.shape, 1e6))
    found = allocate(queue, ground, ample)
    each = [allocate(queue.take(np.array([job])), ground, ample) for job in range(len(queue))]

    assert [one.region[0] for one in each] == found.region.tolist()
    assert [one.start_h[0] for one in each] == found.start_h.tolist()
    assert 0 == pytest.approx(found.gap, abs=1e-6)


def test_the_higher_priority_gets_in_even_where_the_lower_one_would_emit_less() -> None:
    ground = terrain(FLAT[:, 1:], 30)
    jobs = queue_of(
        ground,
        run_h=[20.0, 20.0],
        devices=[1.0, 1.0],
        latest_h=[2.0, 2.0],
        priority=[1, 5],
        energy_kwh=[1.0, 90.0],
    )
    for order in ([0, 1], [1, 0]):
        found = allocate(jobs.take(np.array(order)), ground, free(1.0, regions=1))
        assert [order[job] for job in np.flatnonzero(found.region >= 0)] == [1]


def test_two_small_jobs_get_in_before_a_large_one_of_the_same_priority() -> None:
    ground = terrain(FLAT[:, :1], 30)
    jobs = queue_of(ground, run_h=[20.0, 20.0, 20.0], devices=[2.0, 1.0, 1.0], latest_h=[2.0] * 3)

    assert [-1, 0, 0] == allocate(jobs, ground, free(2.0, regions=1)).region.tolist()
    urgent = replace(jobs, priority=np.array([3, 0, 0]))
    assert [0, -1, -1] == allocate(urgent, ground, free(2.0, regions=1)).region.tolist()


def test_the_clean_region_goes_to_the_job_that_gains_most_in_it() -> None:
    ground = terrain(FLAT, 30)
    jobs = queue_of(
        ground,
        run_h=[6.0, 6.0],
        latest_h=[0.0, 0.0],
        home=[1, 1],
        energy_kwh=[10.0, 30.0],
    )
    found = allocate(jobs, ground, free(1.0))

    assert [1, 0] == found.region.tolist()
    assert 10 * 0.3 + 30 * 0.1 == pytest.approx(found.emits_kgco2e)


def test_a_job_takes_its_devices_in_every_hour_that_it_touches() -> None:
    ground = terrain(FLAT[:, :1], 30)
    jobs = queue_of(ground, run_h=[0.5, 0.5], earliest_h=[0.0, 0.6], latest_h=[0.0, 0.9])

    assert 1 == (allocate(jobs, ground, free(1.0, regions=1)).region >= 0).sum()
    assert 2 == (allocate(jobs, ground, free(2.0, regions=1)).region >= 0).sum()


def test_a_full_home_delays_a_job_even_where_that_emits_more() -> None:
    rate = np.full((40, 1), 0.3)
    rate[:5] = 0.1
    ground = terrain(rate, 30)
    supply = free(1.0, regions=1)
    supply.free[0, :5] = 0.0
    found = allocate(queue_of(ground, run_h=[2.0]), ground, supply)

    assert [5.0] == found.start_h.tolist()
    assert 0.6 == pytest.approx(found.emits_kgco2e)


@pytest.mark.parametrize(("cleaner", "region"), [(0.099, 0), (0.05, 1)])
def test_a_place_on_poorer_data_must_save_surely(cleaner: float, region: int) -> None:
    rate = np.tile([0.1, cleaner], (40, 1))
    ground = terrain(rate, 30)
    ground.kind[:, 1] = CLIMATOLOGY
    found = allocate(queue_of(ground, run_h=[3.0]), ground, free(9.0))

    assert [region] == found.region.tolist()


@pytest.mark.parametrize(("worst", "region"), [(0.099, 1), (0.101, 0)])
def test_a_move_must_save_at_the_highest_pue_it_may_meet(worst: float, region: int) -> None:
    ground = terrain(np.tile([0.1, 0.08], (40, 1)), 30)
    ground.worst[:, 1] = worst
    found = allocate(queue_of(ground, run_h=[3.0]), ground, free(9.0))

    assert [region] == found.region.tolist()


@pytest.mark.parametrize("pausable", [False, True])
def test_a_doubtful_region_on_the_list_changes_nothing_for_moves_to_others(pausable: bool) -> None:
    rate = np.tile([0.1, 0.2, 0.9], (40, 1))
    sure, doubtful = terrain(rate, 30), terrain(rate, 30)
    doubtful.worst[:, 2] = 1.0
    supply = free(9.0, regions=3)
    supply.free[:, :, 0] = 0.0
    for ground in (sure, doubtful):
        found = allocate(queue_of(ground, run_h=[3.0], interruptible=[pausable]), ground, supply)
        assert [1] == found.region.tolist()


def test_a_move_from_a_home_whose_pue_is_in_doubt_must_save_against_its_lowest() -> None:
    ground = terrain(np.tile([0.1, 0.09], (40, 1)), 30)
    for least, region in ((0.28, 1), (0.26, 0)):  # 0.27 is what the other region emits
        queue = queue_of(ground, run_h=[3.0], least_kgco2e=[least])
        assert [region] == allocate(queue, ground, free(9.0)).region.tolist()


def test_a_pausable_job_runs_in_the_clean_hours_that_are_left() -> None:
    rate = np.full((40, 1), 0.4)
    rate[[2, 5, 9]] = 0.1
    ground = terrain(rate, 30)
    supply = free(1.0, regions=1)
    jobs = queue_of(ground, run_h=[2.5], interruptible=[True])
    alone = allocate(jobs, ground, supply)
    supply.free[0, 5] = 0.0
    found = allocate(jobs, ground, supply)

    assert [(2.0, 3.0), (5.0, 6.0), (9.0, 9.5)] == stretches(jobs, alone, 0)
    assert 0.25 == pytest.approx(alone.emits_kgco2e)
    assert not any(start <= 5.0 < finish for start, finish in stretches(jobs, found, 0))
    assert 0.1 + 0.1 + 0.5 * 0.4 == pytest.approx(found.emits_kgco2e)


def test_pauses_that_cost_more_to_resume_than_they_save_are_not_made() -> None:
    rate = np.full((40, 1), 0.4)
    rate[[2, 9]] = 0.3
    ground = terrain(rate, 30)
    jobs = queue_of(ground, run_h=[2.0], interruptible=[True], restart_h=[1.0])
    found = allocate(jobs, ground, free(1.0, regions=1))

    assert 1 == len(stretches(jobs, found, 0))
    assert 0.7 == pytest.approx(found.emits_kgco2e)


def test_a_saving_below_what_a_move_is_worth_leaves_the_job_where_it_is() -> None:
    ground = terrain(np.tile([0.1, 0.098], (40, 1)), 30)
    jobs = queue_of(ground, run_h=[3.0])

    assert [1] == allocate(jobs, ground, free(9.0)).region.tolist()
    picky = replace(jobs, stays_below_kgco2e=jobs.base_kgco2e * 0.95)
    found = allocate(picky, ground, free(9.0))
    assert ([0], [0.0]) == (found.region.tolist(), found.start_h.tolist())


def test_a_queue_on_prices_is_close_to_its_bound() -> None:
    queue, ground, supply = random_case(7, jobs=600, regions=6, hours=48, share=0.5, sizes=(1, 2))
    found = on_prices(queue, ground, supply)

    assert np.all(found.region >= 0)
    assert found.bound_kgco2e < found.emits_kgco2e <= 1.03 * found.bound_kgco2e


def test_the_gap_is_a_part_of_the_bound() -> None:
    known = as_allocation(queue_of(terrain(FLAT, 30), run_h=[1.0]), {}, bound=80.0, method="heuristic")

    assert 0.25 == pytest.approx(replace(known, emits_kgco2e=100.0).gap)
    assert 0.0 == replace(known, emits_kgco2e=79.0).gap
    assert np.inf == replace(known, emits_kgco2e=1.0, bound_kgco2e=0.0).gap


def test_where_nothing_is_listed_nobody_is_placed() -> None:
    ground = terrain(FLAT[:, :0], 30)
    queue = queue_of(terrain(FLAT, 30), run_h=[1.0, 2.0], allowed=np.zeros((2, 0), dtype=bool))

    assert [-1, -1] == allocate(queue, ground, Supply(np.zeros((0, 39, 0)))).region.tolist()


def test_nothing_asks_for_nothing() -> None:
    ground = terrain(FLAT, 30)
    found = allocate(queue_of(ground, run_h=[]), ground, free(1.0))

    assert (0, 0.0, 0.0) == (len(found.region), found.emits_kgco2e, found.gap)
