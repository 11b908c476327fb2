"""From planned jobs to a queue, and from an allocation back to advice: both count the same emissions."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.allocation.assignment import Assignment, assigned
from opencarbon.estimation.allocation.queue import Queue, Supply
from opencarbon.estimation.allocation.request import ask, queue_of, terrain_of
from opencarbon.estimation.allocation.solution import Allocation, allocate
from opencarbon.estimation.planning.advice import Advice, advise
from opencarbon.estimation.planning.candidates import AllowedRegions, transfer_kgco2e
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.planning.plans import field_of_regions
from opencarbon.estimation.work import texts
from tests.estimation.worlds import OFFERS, Planned, job, plan, random_job, world

HOURS = 24 * 9
DEVICES = ("Chip A", "Chip B", "Chip C")


class Allocated:
    """Jobs of a world with capacity, through the package."""

    def __init__(self, planned: Planned, devices_each: float, **options: Any) -> None:
        self.planned = planned
        jobs, estimates, regions = planned.estimates.jobs, planned.estimates, planned.regions
        field = field_of_regions(regions, planned.curves)
        mask = AllowedRegions(regions.names, regions.providers, regions.countries, OFFERS).mask(jobs)
        self.move = transfer_kgco2e(
            jobs, estimates.baseline.region >= 0, planned.curves.network_gco2e_per_kwh
        )
        least = {"min_saving_pct": 0.0, "min_saving_pct_to_delay": 0.0} | options
        asked = ask(estimates, planned.windows, mask, self.move, field, **least)
        self.job = asked["job"].to_numpy()
        everything = np.ones((len(DEVICES), len(field.index)), dtype=bool)
        self.queue: Queue = queue_of(asked, DEVICES, field.index, len(regions.names), everything)
        free = np.full((len(DEVICES), HOURS, len(field.index)), devices_each)
        self.found: Allocation = allocate(self.queue, terrain_of(field, field.index), Supply(free))
        region = np.append(field.index, -1)[self.found.region]
        given = Assignment(
            self.job,
            region,
            self.found.start_h,
            self.job[self.found.stretch_job],
            self.found.stretch_start_h,
            self.found.stretch_finish_h,
        )
        self.alternatives: Alternatives = assigned(
            planned.alternatives, given, estimates, planned.windows, self.move, field
        )
        self.advice: Advice = advise(estimates, planned.windows, self.alternatives, regions, self.move)


def crowd(seed: int, count: int = 40) -> Planned:
    dice = random.Random(seed)
    return plan([random_job(dice, number) for number in range(count)], world(seed))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("devices_each", [100.0, 1e6])
def test_the_advice_emits_what_the_allocation_counted(seed: int, devices_each: float) -> None:
    made = Allocated(crowd(seed), devices_each)
    placed = made.job[made.found.region >= 0]

    assert list(placed) == list(np.flatnonzero(made.advice.advised))
    advised = made.advice.advised_operational_kgco2e + made.advice.transfer_kgco2e
    assert advised[placed].sum() == pytest.approx(made.found.emits_kgco2e, rel=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_with_room_for_all_no_steady_job_emits_more_than_alone(seed: int) -> None:
    planned = crowd(seed)
    made = Allocated(planned, 1e6)
    steady = made.job[~made.queue.interruptible]

    assert np.all((made.found.region >= 0) | ~planned.advice.advised[made.job])
    alone, together = (one.advised_total_kgco2e[steady] for one in (planned.advice, made.advice))
    known = np.isfinite(alone)
    assert np.all(together[known] <= alone[known] * (1.0 + 1e-7))
    pausing = made.job[made.queue.interruptible]
    alone, together = (np.nansum(one.advised_total_kgco2e[pausing]) for one in (planned.advice, made.advice))
    assert together <= alone * 1.02


def test_a_job_without_room_keeps_its_baseline_and_its_other_places() -> None:
    planned = plan([job(0)], world(1))
    made = Allocated(planned, 1.0)

    assert [-1] == made.found.region.tolist()
    assert not made.advice.advised.any()
    assert ["none"] == made.advice.action.tolist()
    assert [0.0] == made.advice.saving_kgco2e.tolist()
    shown = np.sort(planned.alternatives.region[0, :3])
    assert list(shown) == list(np.sort(made.alternatives.region[0, :3]))


def test_jobs_that_ask_are_those_that_can_be_planned() -> None:
    planned = plan([job(0), job(1, state="running"), job(2, carbon_intensity_gco2e_per_kwh=100.0)], world(1))

    assert [0] == Allocated(planned, 1e6).job.tolist()


def test_a_resume_costs_what_it_takes() -> None:
    pausable = job(0, interruptible=True, wall_hours=6.0, allowed_regions="")
    planned = plan([pausable], world(2, restart_kwh_per_device=0.05))
    made = Allocated(planned, 1e6)
    advised = made.advice.advised_operational_kgco2e + made.advice.transfer_kgco2e

    assert advised[0] == pytest.approx(made.found.emits_kgco2e, rel=1e-9)


def test_priorities_and_devices_pass_through_the_table() -> None:
    planned = plan([job(0, priority=3), job(1, device="Chip B", device_count=2.0)], world(1))
    made = Allocated(planned, 1e6)

    assert [3, 0] == made.queue.priority.tolist()
    assert [8.0, 2.0] == made.queue.devices.tolist()
    assert ["Chip A", "Chip B"] == [DEVICES[code] for code in made.queue.device]
    assert ["Chip A", "Chip B"] == texts(
        pa.chunked_array([planned.estimates.jobs["device"].combine_chunks()])
    ).tolist()
