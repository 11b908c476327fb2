"""Advice: what it is called, what it saves, and how sure that is."""

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.job_tables import job_recommendation, job_regions, job_segments
from opencarbon.estimation.planning.beside import baselines_beside
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED
from tests.estimation.curve_oracle import SD
from tests.estimation.oracle import Z80, World
from tests.estimation.worlds import AS_OF, Planned, job, plan, reading, world

START = AS_OF.replace(minute=0, second=0, microsecond=0)


def with_forecast(zone: str, values: list[float], **settings: Any) -> World:
    """A world with nothing but annual means and one curve, whose hours are taken as they are: measured ones."""
    rows = [
        reading(zone, START + timedelta(hours=hour), value, "measured", "lifecycle", AS_OF)
        for hour, value in enumerate(values)
    ]
    return World(**{**vars(world(0, **settings)), "grid": rows})


def beside(planned: Planned) -> pa.Table:
    return baselines_beside(planned.estimates, planned.windows, planned.regions, planned.curves)


def published(planned: Planned, name: str) -> list[dict[str, Any]]:
    start, estimates = planned.curves.start_utc, planned.estimates
    tables = {
        "rec_job": job_recommendation(estimates, planned.advice, beside(planned), planned.regions, start),
        "fact_job_region": job_regions(
            estimates, planned.alternatives, planned.advice, planned.regions, start
        ),
        "fact_job_segment": job_segments(estimates, planned.alternatives, start),
    }
    rows = tables[name].append_column("run_id", pa.repeat("run", tables[name].num_rows))
    return [dict(row) for row in conform(rows, PUBLISHED[name]).to_pylist()]


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ("run_now", {"allowed_regions": "", "finish_by_utc": AS_OF + timedelta(hours=3)}),
        ("delay", {"allowed_regions": ""}),
        ("move", {"allowed_regions": "one:aa-west;two:ff", "finish_by_utc": AS_OF + timedelta(hours=3)}),
        ("move_and_delay", {"current_region": "two:ee", "allowed_regions": "one:aa-west"}),
        ("none", {"state": "running"}),
        ("delay", {"current_region": None, "allowed_regions": "one:aa-west"}),
    ],
)
def test_an_action_says_whether_to_move_and_whether_to_wait(action: str, changes: dict[str, Any]) -> None:
    here = with_forecast("AA", [300.0] * 8 + [150.0] * 16)

    assert [action] == plan([job(**changes)], here).advice.action.tolist()


def test_resting_on_the_way_is_a_delay() -> None:
    here = with_forecast("AA", [300.0, 100.0, 100.0, 300.0, 100.0, *[300.0] * 19])
    planned = plan([job(allowed_regions="", interruptible=True, wall_hours=3.0)], here)
    rows = published(planned, "fact_job_segment")

    assert ["delay"] == planned.advice.action.tolist()
    assert [(1, START + timedelta(hours=1)), (2, START + timedelta(hours=4))] == [
        (row["segment"], row["start_utc"]) for row in rows
    ]


def test_a_saving_is_the_baseline_less_the_advice_with_transfer_and_without_embodied() -> None:
    here = with_forecast("AA", [300.0] * 24)
    planned = plan([job(allowed_regions="two:cc", dataset_gb=100.0)], here)
    (row,) = published(planned, "rec_job")
    energy = float(planned.estimates.energy_kwh[0])
    moved = 100 * 0.001 * 470 / 1000

    assert moved == pytest.approx(row["transfer_kgco2e"])
    assert energy * (1.1 * 300 - 1.1 * 60) / 1000 - moved == pytest.approx(row["saving_kgco2e"])
    assert row["baseline_total_kgco2e"] - row["advised_total_kgco2e"] == pytest.approx(row["saving_kgco2e"])
    assert 100 * row["saving_kgco2e"] / row["baseline_total_kgco2e"] == pytest.approx(row["saving_pct"])
    own = energy * 1.1 * 300 / 1000 * math.hypot(SD["measured"], 0.02 / Z80)
    other = energy * 1.1 * 60 / 1000 * math.hypot(SD["annual"], 0.02 / Z80)
    half = Z80 * math.sqrt(own**2 + other**2 + moved**2)
    assert half == pytest.approx(row["saving_kgco2e"] - row["saving_low_kgco2e"])
    assert half == pytest.approx(row["saving_high_kgco2e"] - row["saving_kgco2e"])
    assert "potential" == row["saving_status"]


def test_hours_and_power_are_common_to_both_sides_of_a_saving() -> None:
    here = with_forecast("AA", [300.0] * 24)
    known = plan([job(allowed_regions="two:cc", wall_hours=3.0, power_w=430.0)], here)
    unsure = plan([job(allowed_regions="two:cc", wall_hours=3.0)], here)

    assert unsure.estimates.operational_up[0] > known.estimates.operational_up[0]
    assert known.advice.saving_to_sd_kgco2e[0] == pytest.approx(unsure.advice.saving_to_sd_kgco2e[0])


def test_hours_that_both_runs_share_carry_no_error_into_the_saving() -> None:
    here = with_forecast("AA", [300.0, 200.0, 200.0, 200.0, 100.0, *[300.0] * 19])
    when = START + timedelta(hours=0)
    here = World(**{**vars(here), "as_of": when})
    planned = plan([job(allowed_regions="", wall_hours=4.0)], here)
    energy = float(planned.estimates.energy_kwh[0])

    assert 1.0 == planned.advice.start_h[0]
    assert energy * 1.1 * 300 * SD["measured"] / 4 / 1000 == pytest.approx(
        planned.advice.saving_from_sd_kgco2e[0]
    )
    assert energy * 1.1 * 100 * SD["measured"] / 4 / 1000 == pytest.approx(
        planned.advice.saving_to_sd_kgco2e[0]
    )


def test_staying_saves_exactly_nothing_in_every_table() -> None:
    here = with_forecast("AA", [300.0 + hour for hour in range(24)])
    planned = plan([job(allowed_regions="", wall_hours=3.7)], here)
    (row,) = published(planned, "rec_job")
    advised = [one for one in published(planned, "fact_job_region") if one["is_advised"]]

    assert ("run_now", 0.0, 0.0, 0.0) == (
        row["action"],
        row["saving_kgco2e"],
        row["saving_low_kgco2e"],
        row["saving_high_kgco2e"],
    )
    assert [(0.0, row["baseline_total_kgco2e"], row["advised_start_utc"])] == [
        (one["saving_kgco2e"], one["total_kgco2e"], one["start_utc"]) for one in advised
    ]


@pytest.mark.parametrize(("level", "moves"), [(255.0, False), (245.0, True)])
def test_poorer_data_must_save_for_sure(level: float, moves: bool) -> None:
    """From a forecast of 300 to an annual mean: 255 saves with P = 0.78, 245 with 0.83."""
    here = with_forecast("AA", [300.0] * 24)
    zones = [dict(row) for row in here.zones]
    for row in zones:
        if row["zone"] == "FF":
            row["annual_carbon_intensity_gco2e_per_kwh"] = level
    planned = plan([job(allowed_regions="one:aa-west;two:ff")], World(**{**vars(here), "zones": zones}))
    shown = {row["region"] for row in published(planned, "fact_job_region")}
    saving = 1.1 * (300 - level)
    sd = 1.1 * math.hypot(
        300 * math.hypot(SD["measured"], 0.02 / Z80), level * math.hypot(SD["annual"], 0.02 / Z80)
    )

    assert moves == (0.5 * (1 + math.erf(saving / sd / math.sqrt(2))) >= 0.8)
    assert ["move" if moves else "run_now"] == planned.advice.action.tolist()
    assert "two:ff" in shown


def test_waiting_past_the_forecast_must_save_for_sure_even_at_home() -> None:
    unsure = with_forecast("AA", [310.0] * 6)
    sure = with_forecast("AA", [900.0] * 6)
    row = job(allowed_regions="", wall_hours=2.0)

    assert ["run_now"] == plan([row], unsure).advice.action.tolist()
    assert ["delay"] == plan([row], sure).advice.action.tolist()


def test_a_place_that_fails_is_asked_again_for_its_best_hour_on_good_data() -> None:
    here = with_forecast("AA", [360.0, 350.0, 345.0, 344.0, 360.0, 360.0])
    planned = plan([job(allowed_regions="", wall_hours=1.0)], here)
    rows = published(planned, "fact_job_region")

    assert ["delay"] == planned.advice.action.tolist()
    assert 3.0 == planned.advice.start_h[0]
    assert [("annual", False), ("measured", True)] == [
        (row["intensity_kind"], row["is_advised"]) for row in rows
    ]


def test_the_least_saving_counts_against_the_published_total() -> None:
    here = with_forecast("AA", [300.0] * 8 + [285.0] * 16)
    row = job(allowed_regions="", wall_hours=2.0)
    (free,) = published(plan([row], here), "rec_job")

    assert 3.0 < free["saving_pct"] < 5.0
    for least, action in ((free["saving_pct"] * 0.999, "delay"), (free["saving_pct"] * 1.001, "run_now")):
        bound = World(**{**vars(here), "min_saving_pct": least})
        assert [action] == plan([row], bound).advice.action.tolist()


@pytest.mark.parametrize(("budget", "status"), [(None, "no_budget"), (1e-3, "over"), (1e6, "within")])
def test_a_budget_is_held_against_the_advised_total(budget: float | None, status: str) -> None:
    here = with_forecast("AA", [300.0] * 24)
    rows = [job(carbon_budget_kgco2e=budget), job(1, carbon_budget_kgco2e=budget, state="running")]

    assert [status] * 2 == plan(rows, here).advice.budget_status.tolist()


def test_without_a_baseline_there_is_a_place_but_no_saving() -> None:
    here = with_forecast("AA", [300.0] * 24)
    (row,) = published(plan([job(current_region=None, dataset_gb=1e4)], here), "rec_job")

    assert "two:cc" == row["advised_region"]
    assert (None, None, None, 0.0) == (
        row["saving_kgco2e"],
        row["saving_low_kgco2e"],
        row["saving_pct"],
        row["transfer_kgco2e"],
    )
    assert row["advised_total_kgco2e"] > 0


def test_equal_places_go_to_the_earliest_then_home_then_by_name() -> None:
    here = with_forecast("AA", [300.0] * 24)
    at_home = plan([job(current_region="one:aa-west", allowed_regions="one:aa-east;one:aa-west")], here)
    elsewhere = plan([job(current_region=None, allowed_regions="one:aa-west;one:aa-east")], here)
    level = [0.0] * 24
    zero = with_forecast("AA", [5.0, 5.0, *level[2:]])
    rows = [*zero.grid, *with_forecast("FF", [5.0, *level[1:]]).grid]
    both = plan(
        [job(current_region=None, allowed_regions="*", wall_hours=1.0)], World(**{**vars(zero), "grid": rows})
    )

    assert ["one:aa-west"] == at_home.regions.names[at_home.advice.region].tolist()
    assert ["one:aa-east"] == elsewhere.regions.names[elsewhere.advice.region].tolist()
    assert ["two:ff"] == both.regions.names[both.advice.region].tolist()
    assert 1.0 == both.advice.start_h[0]


def test_zones_with_one_curve_tie_as_one_zone_would() -> None:
    """Cleanest in hours 3 and 7 of both zones: the earlier hour, then the region's name; home goes before others."""
    level = [300.0, 300.0, 300.0, 90.0, 300.0, 300.0, 300.0, 90.0, *[300.0] * 16]
    grids = [with_forecast(zone, level).grid for zone in ("AA", "FF")]
    here = World(**{**vars(with_forecast("AA", level)), "grid": [row for grid in grids for row in grid]})
    until = START + timedelta(hours=20)
    found = {
        home: plan(
            [job(current_region=home, wall_hours=1.0, finish_by_utc=until, allowed_regions=wish)], here
        )
        for home, wish in ((None, "two:ff;one:aa-east"), ("two:ff", "two:ff;one:aa-east"))
    }

    for home, planned in found.items():
        assert ["one:aa-east" if home is None else home] == planned.regions.names[
            planned.advice.region
        ].tolist()
        assert [3.0] == planned.advice.start_h.tolist()
        order = [row["region"] for row in published(planned, "fact_job_region")]
        assert order == (["one:aa-east", "two:ff"] if home is None else ["two:ff", "one:aa-east"])


def test_the_earlier_of_equal_hours_in_two_zones_goes_before_the_name() -> None:
    first = with_forecast("FF", [300.0, 300.0, 90.0, *[300.0] * 21])
    later = with_forecast("AA", [300.0] * 4 + [90.0] + [300.0] * 19)
    here = World(**{**vars(first), "grid": [*first.grid, *later.grid]})
    until = START + timedelta(hours=20)
    row = job(current_region=None, wall_hours=1.0, finish_by_utc=until, allowed_regions="two:ff;one:aa-east")
    planned = plan([row], here)

    assert ["two:ff"] == planned.regions.names[planned.advice.region].tolist()
    assert [2.0] == planned.advice.start_h.tolist()


def test_a_region_is_shown_once_at_its_better_start_beside_the_advice() -> None:
    """Annual means of 60 and 80 behind a dirty forecast: every region has a start before the horizon and one behind."""
    rows = [row for zone in ("AA", "CC", "FF") for row in with_forecast(zone, [300.0] * 24).grid]
    here = World(**{**vars(world(0, max_delay=40.0)), "grid": rows})
    planned = plan([job(allowed_regions="one:aa-west;two:cc;two:ff")], here, top_k=6)
    places = published(planned, "fact_job_region")
    others = [row["region"] for row in places if not row["is_advised"]]

    assert len(set(others)) == len(others)
    assert {"one:aa-west", "two:cc", "two:ff"} == {row["region"] for row in places}
    assert all(
        row["start_utc"] >= START + timedelta(hours=24) for row in places if row["region"] != "one:aa-west"
    )
    assert list(range(1, len(places) + 1)) == [row["rank"] for row in places]


def test_every_row_of_the_tables_keeps_its_contract() -> None:
    planned = plan(
        [job(number, interruptible=number % 2 == 0, wall_hours=1.5 + number) for number in range(40)],
        world(5),
    )
    places = published(planned, "fact_job_region")

    assert 40 == len(published(planned, "rec_job"))
    assert 40 == sum(row["is_advised"] for row in places)
    assert all(row["forecast_share"] <= 1.0 for row in places)
    assert {row["job_id"] for row in published(planned, "fact_job_segment")} == {
        f"job-{number:04d}" for number in range(0, 40, 2)
    }
    assert np.isfinite(planned.advice.saving_kgco2e).all()
