"""Resumes that take energy: pauses only where they pay, and their emissions in what is advised and nowhere else."""

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from tests.estimation.oracle import World
from tests.estimation.planning.test_advice import START, published, with_forecast
from tests.estimation.worlds import Planned, job, plan, random_job, world

DIPS = [300.0, 100.0, 100.0, 300.0, 90.0, *[300.0] * 19]


def pausing(kwh: float, **changes: Any) -> Planned:
    here = World(**{**vars(with_forecast("AA", DIPS)), "restart_kwh_per_device": kwh})
    return plan([job(allowed_regions="", interruptible=True, wall_hours=3.0) | changes], here)


def test_the_emissions_of_a_resume_are_in_the_advised_total_and_the_saving_alone() -> None:
    """8 devices resume once, in the hour of 90, with 0.5 kWh each."""
    free, costly = pausing(0.0), pausing(0.5)
    (before,), (after,) = published(free, "rec_job"), published(costly, "rec_job")
    resumed = 8 * 0.5 * 1.1 * 90.0 / 1000.0

    assert published(free, "fact_job_segment") == published(costly, "fact_job_segment")
    assert 2 == len(published(costly, "fact_job_segment"))
    assert before["baseline_total_kgco2e"] == after["baseline_total_kgco2e"]
    assert resumed == pytest.approx(after["advised_total_kgco2e"] - before["advised_total_kgco2e"])
    assert resumed == pytest.approx(before["saving_kgco2e"] - after["saving_kgco2e"])
    assert costly.estimates.energy_kwh.tolist() == free.estimates.energy_kwh.tolist()
    shown = [row for row in published(costly, "fact_job_region") if row["is_advised"]]
    assert after["advised_total_kgco2e"] == shown[0]["total_kgco2e"]
    assert (100 + 100 + 90) / 3 == pytest.approx(shown[0]["carbon_intensity_gco2e_per_kwh"])


@pytest.mark.parametrize(("share", "stretches"), [(0.99, 2), (1.01, 1)])
def test_a_pause_is_kept_as_long_as_it_pays(share: float, stretches: int) -> None:
    """Hours of 100, 300 and 90 in a row cost 490, of 100, 100 and 90 with a rest 290: a resume in the last may cost 200."""
    hour_kwh = pausing(0.0).estimates.energy_kwh[0] / 3.0 / 8.0
    planned = pausing(share * hour_kwh * 200.0 / 90.0)

    assert stretches == len(published(planned, "fact_job_segment"))


def test_dear_resumes_plan_a_pausable_job_as_one_that_may_not_pause() -> None:
    dice = random.Random(11)
    rows = [random_job(dice, number) | {"interruptible": True} for number in range(60)]
    rows = [row for row in rows if (row["wall_hours"] or 0.0) < 1e3]
    straight = plan([row | {"interruptible": False} for row in rows], world(11))
    planned = plan(rows, world(11, restart_kwh_per_device=1e4))
    within = (
        planned.windows.latest_h < 24
    )  # behind the horizon a pausable job is looked for from the horizon on

    assert within.sum() > 10
    assert straight.advice.advised_total_kgco2e[within] == pytest.approx(
        planned.advice.advised_total_kgco2e[within], rel=1e-9, nan_ok=True
    )


def test_places_are_in_order_of_what_they_cost_with_resumes() -> None:
    """Three hours of 100 apart from each other, against steady 130: two resumes of 0.6 h each make them 140."""
    dips, steady = [300.0, *[100.0, 300.0] * 3, *[300.0] * 17], [130.0] * 24
    here = with_forecast("AA", dips)
    here = World(**{**vars(here), "grid": [*here.grid, *with_forecast("CC", steady).grid]})
    until = START + timedelta(hours=12)
    row = job(allowed_regions="one:aa-west;two:cc", interruptible=True, finish_by_utc=until)
    device_kw = float(plan([row], here).estimates.energy_kwh[0]) / 3.0 / 8.0
    orders = []
    for hours in (0.0, 0.6):
        planned = plan([row], World(**{**vars(here), "restart_kwh_per_device": hours * device_kw}))
        orders.append([one["region"] for one in published(planned, "fact_job_region")])

    assert [["one:aa-west", "two:cc"], ["two:cc", "one:aa-west"]] == orders


def test_a_night_without_restarts_asks_for_none() -> None:
    planned = plan([job(interruptible=True, wall_hours=5.0), job(1)], world(2))

    assert not planned.alternatives.restart.any()
    assert np.array_equal(planned.windows.restart_h, [0.0, 0.0])
