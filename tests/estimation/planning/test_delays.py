"""A delay is advised only where it saves enough beside the best start without delay."""

from datetime import timedelta

import pytest

from tests.estimation.oracle import World
from tests.estimation.planning.test_advice import START, published, with_forecast
from tests.estimation.worlds import AS_OF, job, plan, reading


def asking(here: World, pct: float) -> World:
    return World(**{**vars(here), "min_saving_pct_to_delay": pct})


@pytest.mark.parametrize("interruptible", [False, True])
def test_a_delay_at_home_counts_against_the_published_total(interruptible: bool) -> None:
    here = with_forecast("AA", [300.0, 300.0, 285.0, 300.0, 285.0, *[300.0] * 19])
    row = job(allowed_regions="", wall_hours=2.0, interruptible=interruptible)
    (free,) = published(plan([row], here), "rec_job")

    assert 1.0 < free["saving_pct"] < 5.0
    for least, action in ((free["saving_pct"] * 0.999, "delay"), (free["saving_pct"] * 1.001, "run_now")):
        assert [action] == plan([row], asking(here, least)).advice.action.tolist()


def test_a_move_now_goes_before_a_move_later_that_saves_hardly_more() -> None:
    here = with_forecast("AA", [300.0] * 24)
    later = [
        reading(
            "FF", START + timedelta(hours=hour), 100.0 if hour < 6 else 98.0, "measured", "lifecycle", AS_OF
        )
        for hour in range(24)
    ]
    here = World(**{**vars(here), "grid": [*here.grid, *later]})
    row = job(allowed_regions="one:aa-west;two:ff", finish_by_utc=START + timedelta(hours=24))
    for pct, action in ((0.0, "move_and_delay"), (0.1, "move_and_delay"), (1.0, "move")):
        planned = plan([row], asking(here, pct))
        assert [action] == planned.advice.action.tolist()
    rows = published(planned, "fact_job_region")

    assert [("two:ff", False, 6), ("two:ff", True, 0), ("one:aa-west", False, 0)] == [
        (one["region"], one["is_advised"], int((one["start_utc"] - START) / timedelta(hours=1)))
        for one in rows
    ]


def test_pauses_are_a_delay() -> None:
    here = with_forecast("AA", [285.0, 285.0, 300.0, 285.0, *[310.0] * 20])
    here = World(**{**vars(here), "as_of": START})
    row = job(allowed_regions="", wall_hours=3.0, interruptible=True)

    assert ["delay"] == plan([row], here).advice.action.tolist()
    assert ["run_now"] == plan([row], asking(here, 2.0)).advice.action.tolist()
    assert ["delay"] == plan([row], asking(here, 1.0)).advice.action.tolist()


def test_without_a_baseline_the_best_start_without_delay_is_what_counts() -> None:
    here = with_forecast("AA", [300.0] * 8 + [290.0] * 16)
    row = job(current_region=None, allowed_regions="one:aa-west;one:aa-east")
    waits, starts = (plan([row], asking(here, pct)).advice for pct in (2.0, 5.0))

    assert 8.0 == waits.start_h[0]
    assert starts.start_h[0] == pytest.approx((AS_OF - START) / timedelta(hours=1))


def test_a_job_that_can_only_wait_waits() -> None:
    """Nothing that starts at once is sure: the first hours of the zone are known only by its mean of the year."""
    here = with_forecast("BB-2", [120.0] * 24)
    late = job(
        current_region="one:aa-west", allowed_regions="two:bb", earliest_start_utc=AS_OF + timedelta(hours=30)
    )

    assert (
        plan([late], asking(here, 50.0)).advice.advised.tolist() == plan([late], here).advice.advised.tolist()
    )
