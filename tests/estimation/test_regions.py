"""Regions: what the advice puts there hour by hour, and how clean each one is."""

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.claims import claims_of, partial_steps
from opencarbon.estimation.regions import (
    BEST_WINDOW_HOURS,
    hourly_overlap,
    partial_loads,
    region_advice,
    region_loads,
    run_dates,
)
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED
from tests.estimation.worlds import AS_OF, REGIONS, Planned, job, plan, random_job, world

START = AS_OF.replace(minute=0, second=0, microsecond=0)


def parts(*batches: Planned) -> tuple[list[pa.Table], list[pa.Table]]:
    found = [
        partial_loads(one.estimates, one.advice, one.alternatives, one.regions, one.curves.horizon)
        for one in batches
    ]
    return [hourly for hourly, _ in found], [sums for _, sums in found]


def loads(*batches: Planned) -> list[dict[str, Any]]:
    rows = region_loads(parts(*batches)[0], START)
    table = conform(
        rows.append_column("run_id", pa.repeat("run", rows.num_rows)), PUBLISHED["fact_region_load_hourly"]
    )
    return [dict(row) for row in table.to_pylist()]


def advice(
    *batches: Planned, claim_up_to_mw: float = 1e9, saving_status: str = "potential"
) -> dict[str, dict[str, Any]]:
    steps = [partial_steps(one.estimates, one.advice, one.alternatives, one.regions) for one in batches]
    claims = claims_of(steps, claim_up_to_mw=claim_up_to_mw, saving_status=saving_status)
    rows = region_advice(parts(*batches)[1], batches[0].regions, batches[0].curves, claims)
    table = conform(rows.append_column("run_id", pa.repeat("run", rows.num_rows)), PUBLISHED["rec_region"])
    return {str(row["region"]): dict(row) for row in table.to_pylist()}


def same(row: dict[str, Any]) -> dict[str, Any]:
    """A row with numbers that compare up to rounding."""
    return {name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in row.items()}


def test_overlap_counts_part_hours_by_their_share() -> None:
    found = hourly_overlap(
        np.array([0, 0, 1, 1]),
        np.array([0.5, 2.25, 1.0, 3.5]),
        np.array([2.5, 2.75, 3.0, 99.0]),
        np.array([2.0, 4.0, 1.0, 8.0]),
        2,
        5,
    )

    assert [[1.0, 2.0, 3.0, 0.0, 0.0], [0.0, 1.0, 1.0, 4.0, 8.0]] == found.tolist()


def test_overlap_leaves_no_residue_of_huge_stretches() -> None:
    found = hourly_overlap(
        np.array([0, 0, 0]),
        np.array([0.1, 0.3, 4.0]),
        np.array([1.7, 2.9, 4.5]),
        np.array([1e9, 3e8, 1e-6]),
        1,
        6,
    )

    assert [0.0, 0.0] == found[0, [3, 5]].tolist()
    assert 5e-7 == pytest.approx(found[0, 4], abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_device_hours_inside_the_horizon_are_all_there(seed: int) -> None:
    dice = random.Random(seed)
    planned = plan([random_job(dice, number) for number in range(80)], world(seed))
    horizon = planned.curves.horizon
    shown, count = planned.alternatives, planned.estimates.jobs["device_count"].to_numpy()
    expected = 0.0
    for at in np.flatnonzero(planned.advice.advised):
        mine = shown.stretch_job == at
        stretches = zip(shown.stretch_start_h[mine], shown.stretch_finish_h[mine], strict=True)
        if not mine.any():
            stretches = zip([planned.advice.start_h[at]], [planned.advice.finish_h[at]], strict=True)
        expected += count[at] * sum(
            max(min(end, horizon) - min(begin, horizon), 0.0) for begin, end in stretches
        )

    assert expected == pytest.approx(sum(row["devices_advised"] for row in loads(planned)), rel=1e-6)


def test_a_job_is_at_work_from_its_start_to_its_end() -> None:
    planned = plan(
        [job(allowed_regions="", wall_hours=2.0, finish_by_utc=AS_OF + timedelta(hours=2))], world(1)
    )
    into = 20 / 60 + 30.25 / 3600
    rows = loads(planned)

    assert pytest.approx([8 * (1 - into), 8.0, 8 * into]) == [row["devices_advised"] for row in rows]
    assert [START + timedelta(hours=hour) for hour in range(3)] == [row["hour_start_utc"] for row in rows]
    assert {("one:aa-west", "Chip A", None)} == {
        (row["region"], row["device"], row["devices_capacity"]) for row in rows
    }
    watts = float(planned.estimates.power.power_w[0])
    assert 8 * watts * 1.1 / 1e6 == pytest.approx(advice(planned)["one:aa-west"]["peak_power_mw"])


def test_a_resting_job_counts_only_while_it_runs() -> None:
    planned = plan([job(allowed_regions="", wall_hours=6.0, interruptible=True)], world(1, max_delay=12.0))
    shown = planned.alternatives
    busy = {row["hour_start_utc"] for row in loads(planned)}

    assert len(shown.stretch_job) > 1
    assert busy == {
        START + timedelta(hours=hour)
        for begin, end in zip(shown.stretch_start_h, shown.stretch_finish_h, strict=True)
        for hour in range(int(begin), int(end))
    }


def test_batches_add_up() -> None:
    dice, here = random.Random(7), world(7)
    rows = [random_job(dice, number) for number in range(60)]
    at_once, in_parts = plan(rows, here), [plan(rows[:23], here), plan(rows[23:], here)]

    assert [same(row) for row in loads(at_once)] == [same(row) for row in loads(*in_parts)]
    assert [same(row) for row in advice(at_once).values()] == [
        same(row) for row in advice(*in_parts).values()
    ]


def test_sums_of_a_region_are_those_of_the_jobs_advised_there() -> None:
    dice = random.Random(8)
    planned = plan([random_job(dice, number) for number in range(80)], world(8))
    found = advice(planned)
    for at, name in enumerate(planned.regions.names):
        here = planned.advice.advised & (planned.advice.region == at)
        assert int(here.sum()) == found[name]["jobs"]
        assert planned.estimates.work.device_hours[here].sum() == pytest.approx(found[name]["device_hours"])
        assert planned.advice.advised_total_kgco2e[here].sum() == pytest.approx(
            found[name]["advised_total_kgco2e"]
        )
        assert np.nansum(planned.advice.saving_kgco2e[here]) == pytest.approx(found[name]["saving_kgco2e"])


def test_means_and_the_best_window_lie_ahead() -> None:
    planned = plan([], world(2))
    curves, now = planned.curves, planned.curves.now_h
    row = advice(planned)["one:aa-west"]
    zone = curves.zones.index("AA")
    values = np.append(curves.values[zone], [curves.tail[zone]] * 60)
    weights = np.clip(np.arange(1, 85) - now, 0, 1) - np.clip(np.arange(1, 85) - now - 24, 0, 1)
    means = [values[hour : hour + BEST_WINDOW_HOURS].mean() for hour in range(1, 24 - BEST_WINDOW_HOURS + 1)]

    assert (weights * values[:84]).sum() / 24 == pytest.approx(row["carbon_intensity_next_24h_gco2e_per_kwh"])
    assert min(means) == pytest.approx(row["best_window_carbon_intensity_gco2e_per_kwh"])
    assert START + timedelta(hours=1 + int(np.argmin(means))) == row["best_window_start_utc"]
    assert timedelta(hours=6) == row["best_window_finish_utc"] - row["best_window_start_utc"]


def test_regions_are_ranked_within_their_kind_by_what_the_building_makes_of_it() -> None:
    found = advice(plan([], world(2)))
    annual = sorted(
        (row for row in found.values() if row["intensity_kind"] == "annual"), key=lambda row: row["rank"]
    )
    cost = [
        row["carbon_intensity_next_72h_gco2e_per_kwh"]
        * next(region[3] for region in REGIONS if region[0] == row["region"])
        for row in annual
    ]

    assert list(range(1, len(annual) + 1)) == [row["rank"] for row in annual]
    assert sorted(cost) == cost


def test_the_world_reports_and_never_ranks() -> None:
    found = advice(plan([], world(2)))
    nowhere, country, partly = found["one:nowhere"], found["two:cc-no-zone"], found["one:dd"]

    assert ("no_zone", None, "world") == (
        nowhere["advice_status"],
        nowhere["rank"],
        nowhere["intensity_kind"],
    )
    assert ("ok", "country_annual") == (country["advice_status"], country["intensity_kind"])
    assert ("ok", None, "world") == (partly["advice_status"], partly["rank"], partly["intensity_kind"])


def test_what_is_not_known_is_null() -> None:
    found = advice(plan([], world(2, factor="direct")))

    assert ("no_intensity", None, None, None) == tuple(
        found["one:bb"][name]
        for name in ("advice_status", "rank", "intensity_kind", "carbon_intensity_next_24h_gco2e_per_kwh")
    )
    assert "ok" == found["one:aa-west"]["advice_status"]


def test_days_cover_the_horizon() -> None:
    rows = run_dates(START, 72).to_pylist()

    assert [4, 5, 6, 7] == [row["day"] for row in rows]
    assert [(3, False), (4, False), (5, False), (6, True)] == [
        (row["weekday"], row["is_weekend"]) for row in rows
    ]
