"""Plans of random queues are those of the slow reading of the contract, job by job."""

import math
import random
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.job_tables import baseline_status
from opencarbon.estimation.planning import choices
from tests.estimation.oracle import Z80, Curve, Expected, World, curve_of, expect
from tests.estimation.worlds import Planned, job, plan, random_job, world

SETTINGS: list[dict[str, Any]] = [
    {},
    {"default_region": "two:cc", "min_saving_pct": 5.0},
    {"factor": "direct"},
    {"horizon": 12, "max_delay": 60.0},
    {"horizon": 40, "max_delay": 0.0, "default_region": "one:nowhere"},
    {"min_saving_pct_to_delay": 8.0, "min_saving_pct": 1.0},
    {"restart_kwh_per_device": 0.3, "horizon": 14},
    {"restart_kwh_per_device": 0.05, "horizon": 12, "max_delay": 30.0, "min_saving_pct_to_delay": 3.0},
]
SEEDS = range(12)


def queue(seed: int) -> tuple[World, list[dict[str, Any]]]:
    dice, settings = random.Random(seed), SETTINGS[seed % len(SETTINGS)]
    count = 30 if "restart_kwh_per_device" in settings else 60  # trying run and rest in every hour is slow
    return world(seed, **settings), [random_job(dice, number) for number in range(count)]


def curves(here: World) -> dict[str, Curve]:
    return {row["region"]: curve_of(here, row["zone"], row["country_code"]) for row in here.regions}


@cache
def expected(seed: int) -> list[Expected]:
    here, jobs = queue(seed)
    known = curves(here)
    return [expect(row, here, known) for row in jobs]


def labels(planned: Planned, at: int) -> dict[str, str | None]:
    region = int(planned.advice.region[at])
    return {
        "baseline_status": baseline_status(planned.estimates)[at],
        "plan_status": planned.advice.plan_status[at],
        "action": planned.advice.action[at],
        "region": planned.regions.names[region] if region >= 0 else None,
    }


def figures(planned: Planned, at: int) -> dict[str, float]:
    advice, estimates = planned.advice, planned.estimates
    sd = math.hypot(advice.saving_from_sd_kgco2e[at], advice.saving_to_sd_kgco2e[at])
    return {
        "wall_hours": estimates.work.wall_hours[at],
        "energy_kwh": estimates.energy_kwh[at],
        "operational": estimates.operational_kgco2e[at],
        "baseline_total": advice.baseline_total_kgco2e[at],
        "advised_total": advice.advised_total_kgco2e[at],
        "transfer": advice.transfer_kgco2e[at],
        "saving": advice.saving_kgco2e[at],
        "saving_low": advice.saving_kgco2e[at] - Z80 * sd,
    }


def of(one: Expected, names: Mapping[str, object]) -> dict[str, Any]:
    return {name: math.nan if getattr(one, name) is None else getattr(one, name) for name in names}


@pytest.mark.parametrize("seed", SEEDS)
def test_plans_are_those_of_the_oracle(seed: int) -> None:
    here, jobs = queue(seed)
    planned = plan(jobs, here)
    for at, (row, one) in enumerate(zip(jobs, expected(seed), strict=True)):
        said = labels(planned, at)
        assert {name: getattr(one, name) for name in said} == said, row
        found = figures(planned, at)
        near = 1e-9 * (1.0 + (one.baseline_total or 0.0))
        assert of(one, found) == pytest.approx(found, rel=1e-7, abs=near, nan_ok=True), row
        if one.start is not None and not row["interruptible"]:
            assert one.start == pytest.approx(planned.advice.start_h[at], abs=1e-6), row


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_places_are_shown_in_order(seed: int) -> None:
    here, jobs = queue(seed)
    planned = plan(jobs, here, top_k=4)
    shown = planned.alternatives
    for at, (row, one) in enumerate(zip(jobs, expected(seed), strict=True)):
        picked = shown.region[at] >= 0
        listed = np.flatnonzero(picked[:4])
        least = [
            cost * one.energy_kwh / 1000.0 + planned.estimates.embodied_kgco2e[at] for cost in one.costs[:4]
        ]
        assert least == pytest.approx(planned.advice.totals_kgco2e[at, listed].tolist(), rel=1e-7), row
        ranks = shown.rank[at, picked].tolist()
        assert len(set(ranks)) == len(ranks)
        in_order = planned.advice.totals_kgco2e[at, picked][np.argsort(ranks)]
        assert np.all(np.diff(in_order) >= -1e-8 * in_order[1:])
        assert int(shown.advised[at].sum()) == (1 if one.region is not None else 0)


@pytest.mark.parametrize("seed", [1, 3])
def test_jobs_planned_in_small_blocks_are_planned_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    here, jobs = queue(seed)
    together = plan(jobs, here).alternatives
    monkeypatch.setattr(choices, "_CELLS", 40)
    apart = plan(jobs, here).alternatives
    for field in fields(together):
        np.testing.assert_array_equal(getattr(together, field.name), getattr(apart, field.name))


@pytest.mark.parametrize("seed", range(6))
def test_pausing_schedules_hold_their_window_and_their_length(seed: int) -> None:
    here, jobs = queue(seed)
    planned = plan([row | {"interruptible": True} for row in jobs if (row["wall_hours"] or 0) < 1e3], here)
    shown, windows = planned.alternatives, planned.windows
    advised = np.flatnonzero(planned.advice.advised)

    assert advised.tolist() == np.unique(shown.stretch_job).tolist()
    for at in advised:
        mine = shown.stretch_job == at
        start, finish = shown.stretch_start_h[mine], shown.stretch_finish_h[mine]
        assert windows.run_h[at] == pytest.approx((finish - start).sum(), rel=1e-9)
        assert np.all(start[1:] > finish[:-1])
        assert start[0] >= windows.earliest_h[at] - 1e-9
        assert finish[-1] <= windows.latest_h[at] + windows.run_h[at] + 1e-8
        whole = np.concatenate([start[1:], finish[:-1]])
        assert whole == pytest.approx(np.rint(whole), abs=1e-9)
        assert [start[0], finish[-1]] == [planned.advice.start_h[at], planned.advice.finish_h[at]]


def test_pausing_is_never_worse_than_a_run_without_a_pause() -> None:
    here = world(3)
    rows = [
        job(wall_hours=wall, allowed_regions="", finish_by_utc=None) for wall in (2.5, 10.0, 23.0, 30.0, 90.4)
    ]
    here_long = world(3, max_delay=50.0)
    for setting in (here, here_long):
        straight = plan(rows, setting).advice.advised_total_kgco2e
        pausing = plan([row | {"interruptible": True} for row in rows], setting).advice.advised_total_kgco2e
        assert np.all(pausing <= straight * (1 + 1e-12))


def test_a_job_that_ends_after_the_last_year_of_calendars_is_infeasible() -> None:
    planned = plan([job(device_count=1e-6, work_source="device_hours", device_hours=1e12)], world(1))

    assert ["infeasible"] == planned.advice.plan_status.tolist()
    assert not planned.advice.advised.any()


def test_a_job_too_short_to_measure_is_planned_at_the_intensity_of_its_moment() -> None:
    planned = plan([job(device_count=1e9, work_source="device_hours", device_hours=1e-9)], world(1))

    assert ["ok"] == planned.advice.plan_status.tolist()
    assert np.all(np.isfinite(planned.advice.saving_kgco2e))


def test_a_job_that_may_not_stay_and_finds_nothing_sure_is_shown_alternatives_only() -> None:
    here = world(1)
    planned = plan([job(current_region="two:cc", allowed_regions="two:ff")], here)

    assert [False] == planned.advice.advised.tolist()
    assert ["ok"] == planned.advice.plan_status.tolist()
    assert (planned.alternatives.region >= 0).any()


def test_no_job_at_all_gives_empty_plans() -> None:
    planned = plan([], world(1))

    assert (0, 4) == planned.alternatives.region.shape
