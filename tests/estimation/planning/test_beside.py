"""Other baselines beside the one that is used: now, and the median and the worst start of the window."""

import math
import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from tests.estimation.oracle import Curve, World, curve_of
from tests.estimation.planning.test_advice import START, beside, published, with_forecast
from tests.estimation.worlds import AS_OF, Planned, job, plan, random_job, world

NAMES = ("start_now_total_kgco2e", "window_median_total_kgco2e", "window_worst_total_kgco2e")


def expected(planned: Planned, at: int, curve: Curve, pue: float) -> list[float]:
    """Totals by trying every start of the window, one by one."""
    windows = planned.windows
    earliest, latest = windows.earliest_h[at], windows.latest_h[at]
    starts = [earliest, *range(math.floor(earliest + 1e-9) + 1, math.floor(latest + 1e-9) + 1)]

    def total(start: float) -> float:
        pieces = curve.pieces(start, start + windows.run_h[at])
        mean = sum(length * hour.value for length, hour in pieces) / windows.run_h[at]
        energy = planned.estimates.energy_kwh[at]
        return float(energy * pue * mean / 1000.0 + planned.estimates.embodied_kgco2e[at])

    totals = [one for one in map(total, starts) if not math.isnan(one)]
    middle, worst = (float(np.median(totals)), max(totals)) if totals else (math.nan, math.nan)
    return [total(planned.estimates.now_h), middle, worst]


@pytest.mark.parametrize("seed", range(4))
def test_they_are_those_of_every_start_tried_one_by_one(seed: int) -> None:
    dice = random.Random(seed)
    here = world(seed, horizon=(24, 10)[seed % 2], factor=("lifecycle", "direct")[seed // 2], max_delay=30.0)
    jobs = [random_job(dice, number) for number in range(50)]
    planned = plan(jobs, here)
    found = beside(planned).to_pydict()
    regions = {row["region"]: row for row in here.regions}
    compared = 0
    for at, row in enumerate(jobs):
        totals = [found[name][at] for name in NAMES]
        gone = planned.advice.plan_status[at] in ("running", "deadline_passed")
        if gone or row["current_region"] is None or row["carbon_intensity_gco2e_per_kwh"]:
            continue
        region = regions[row["current_region"]]
        known = expected(planned, at, curve_of(here, region["zone"], region["country_code"]), region["pue"])
        assert known == pytest.approx(
            [math.nan if one is None else one for one in totals], nan_ok=True, rel=1e-9
        ), row
        compared += 1
    assert compared > 25


def test_the_median_and_the_worst_of_a_known_curve() -> None:
    """Starts in hours 0, 1, 2, 3 and 4 of 300, 200, 100, 400 and 500: median 300, worst 500."""
    here = with_forecast("AA", [300.0, 200.0, 100.0, 400.0, 500.0, *[50.0] * 19], max_delay=4.0)
    planned = plan([job(wall_hours=1.0)], World(**{**vars(here), "as_of": START}))
    (row,) = published(planned, "rec_job")
    now, median, worst = (row[name] for name in NAMES)

    assert row["baseline_total_kgco2e"] == pytest.approx(now)
    assert now == pytest.approx(median)
    assert planned.estimates.energy_kwh[0] * 1.1 * (500 - 300) / 1000 == pytest.approx(worst - now)


def test_starting_now_does_not_wait_for_the_window() -> None:
    here = with_forecast("AA", [900.0] * 12 + [100.0] * 12)
    (row,) = published(plan([job(earliest_start_utc=START + timedelta(hours=14))], here), "rec_job")

    assert row["start_now_total_kgco2e"] > 3 * row["baseline_total_kgco2e"]


@pytest.mark.parametrize(
    "changes",
    [{"state": "running"}, {"finish_by_utc": AS_OF}, {"current_region": None}],
    ids=["running", "too late", "nowhere"],
)
def test_they_are_null_where_there_is_nothing_to_start(changes: dict[str, Any]) -> None:
    (row,) = published(plan([job(**changes)], world(1)), "rec_job")

    assert [None, None, None] == [row[name] for name in NAMES]


def test_an_intensity_of_the_jobs_own_is_the_same_at_every_start() -> None:
    (row,) = published(plan([job(carbon_intensity_gco2e_per_kwh=155.0)], world(1)), "rec_job")

    assert {row["baseline_total_kgco2e"]} == {row[name] for name in NAMES}
