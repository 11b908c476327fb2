"""Windows: feasible at the upper end, tight at the central one, and the risk between."""

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from tests.estimation.oracle import Z80
from tests.estimation.worlds import AS_OF, Planned, job, plan, random_job, world


def windows(**changes: Any) -> Planned:
    row = job(work_source="training_flop", wall_hours=None, training_flop=3e19, device_count=64.0)
    return plan([row | changes], world(1))


def due(share_of_high: float) -> Any:
    """Deadline that leaves the central duration and a share of the way to the upper end."""
    found = windows().windows
    run, high = found.run_h[0], found.run_high_h[0]
    return AS_OF + timedelta(hours=run + share_of_high * (high - run))


@pytest.mark.parametrize(
    ("share", "status"), [(-0.1, "infeasible"), (0.0, "tight"), (0.9, "tight"), (1.0, "ok"), (1.1, "ok")]
)
def test_feasible_is_at_the_upper_end_and_tight_at_the_central_one(share: float, status: str) -> None:
    finish = due(share) + timedelta(microseconds=2)

    assert [status] == windows(finish_by_utc=finish).advice.plan_status.tolist()


@pytest.mark.parametrize("interruptible", [False, True])
def test_a_tight_job_starts_at_once(interruptible: bool) -> None:
    found = windows(finish_by_utc=due(0.5), interruptible=interruptible)

    assert found.windows.earliest_h[0] == pytest.approx(found.advice.start_h[0])
    assert found.windows.run_h[0] == pytest.approx(found.advice.finish_h[0] - found.advice.start_h[0])


def test_an_advised_job_ends_in_time_even_if_it_takes_the_upper_end() -> None:
    dice, late = random.Random(5), 0
    planned = plan([random_job(dice, number) for number in range(80)], world(5))
    for at in np.flatnonzero(planned.advice.advised & (planned.windows.plan_status == "ok")):
        late += planned.advice.action[at] in ("delay", "move_and_delay")
        more = planned.windows.run_high_h[at] - planned.windows.run_h[at]
        assert more == pytest.approx(planned.advice.finish_high_h[at] - planned.advice.finish_h[at], abs=1e-9)
        assert not planned.advice.finish_high_h[at] > planned.estimates.finish_by_h[at] + 1e-8
    assert late > 5


def test_without_a_deadline_a_job_starts_within_the_longest_delay() -> None:
    for hours in (0.0, 5.0):
        found = plan([job(allowed_regions="", wall_hours=4.0)], world(1, max_delay=hours))
        assert found.advice.start_h[0] <= found.windows.earliest_h[0] + hours + 1e-9


def test_the_risk_is_that_of_a_lognormal_duration() -> None:
    found = windows(finish_by_utc=due(0.6), allowed_regions="")
    run, high = found.windows.run_h[0], found.windows.run_high_h[0]
    room = found.estimates.finish_by_h[0] - found.advice.start_h[0]
    expected = norm.sf(np.log(room / run), scale=np.log(high / run) / Z80)

    assert expected == pytest.approx(found.advice.deadline_risk[0], rel=1e-6)
    assert 0.1 < expected < 0.5


@pytest.mark.parametrize(
    ("risk", "changes"),
    [
        (0.0, {"finish_by_utc": AS_OF + timedelta(hours=3)}),
        (1.0, {"finish_by_utc": AS_OF + timedelta(hours=2.99)}),
        (1.0, {"finish_by_utc": AS_OF - timedelta(hours=1)}),
        (np.nan, {"finish_by_utc": None}),
        (np.nan, {"finish_by_utc": AS_OF + timedelta(hours=9), "state": "running"}),
    ],
    ids=["just in time", "too late", "already past", "no deadline", "running since nobody knows when"],
)
def test_stated_hours_are_late_or_they_are_not(risk: float, changes: dict[str, Any]) -> None:
    assert risk == pytest.approx(plan([job(**changes)], world(1)).advice.deadline_risk[0], nan_ok=True)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("running", {"state": "running", "finish_by_utc": AS_OF - timedelta(hours=1)}),
        ("deadline_passed", {"finish_by_utc": AS_OF, "carbon_intensity_gco2e_per_kwh": 1.0}),
        ("fixed_intensity", {"carbon_intensity_gco2e_per_kwh": 1.0, "current_region": "one:nowhere"}),
        ("no_intensity", {"current_region": "one:nowhere", "finish_by_utc": AS_OF + timedelta(hours=1)}),
        ("infeasible", {"finish_by_utc": AS_OF + timedelta(hours=1)}),
        ("no_intensity", {"current_region": None, "allowed_regions": "one:nowhere"}),
    ],
)
def test_what_cannot_be_planned_says_why_and_saves_nothing(status: str, changes: dict[str, Any]) -> None:
    advice = plan([job(**changes)], world(1)).advice

    assert ([status], ["none"]) == (advice.plan_status.tolist(), advice.action.tolist())
    assert advice.saving_kgco2e[0] == 0.0 or np.isnan(advice.baseline_total_kgco2e[0])
    assert [-1] == advice.region.tolist()
