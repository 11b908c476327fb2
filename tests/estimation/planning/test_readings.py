"""Moves hold at both ends of a PUE that nobody measured, and under both readings of a disputed zone."""

from datetime import timedelta
from typing import Any

import pytest

from tests.estimation.oracle import World
from tests.estimation.planning.test_advice import START, published, with_forecast
from tests.estimation.worlds import AS_OF, job, plan, reading


def with_regions(here: World, changes: dict[str, dict[str, Any]]) -> World:
    """The world with some columns of some regions changed."""
    rows = [dict(row) | changes.get(row["region"], {}) for row in here.regions]
    return World(**{**vars(here), "regions": rows})


def ends(pue: float, low: float, high: float, status: str = "assumed") -> dict[str, Any]:
    return {"pue": pue, "pue_low": low, "pue_high": high, "pue_status": status}


def action(here: World, **changes: Any) -> str:
    return str(plan([job(**changes)], here).advice.action[0])


@pytest.mark.parametrize(
    ("left", "taken", "moves"),
    [
        (ends(1.10, 1.10, 1.10, "measured"), ends(1.05, 1.05, 1.05, "measured"), True),
        (ends(1.10, 1.10, 1.10, "measured"), ends(1.05, 1.00, 1.09), True),
        (ends(1.10, 1.10, 1.10, "measured"), ends(1.05, 1.00, 1.11), False),
        (ends(1.10, 1.06, 1.30), ends(1.05, 1.05, 1.05, "measured"), True),
        (ends(1.10, 1.04, 1.30), ends(1.05, 1.05, 1.05, "measured"), False),
        (ends(1.10, 1.08, 1.30), ends(1.05, 1.00, 1.09), False),
    ],
    ids=[
        "both measured",
        "dear end holds",
        "dear end fails",
        "cheap end holds",
        "cheap end fails",
        "together",
    ],
)
def test_a_move_saves_at_the_lowest_pue_it_leaves_and_the_highest_it_takes(
    left: dict[str, Any], taken: dict[str, Any], moves: bool
) -> None:
    here = with_regions(with_forecast("AA", [300.0] * 24), {"one:aa-west": left, "two:aa": taken})
    planned = plan([job(allowed_regions="one:aa-west;two:aa")], here)

    assert ["move" if moves else "run_now"] == planned.advice.action.tolist()
    assert {"one:aa-west", "two:aa"} == {row["region"] for row in published(planned, "fact_job_region")}


def test_the_next_place_that_holds_is_advised_in_the_place_of_a_cheaper_one() -> None:
    here = with_regions(
        with_forecast("AA", [300.0] * 24),
        {"two:aa": ends(1.0, 1.0, 1.2), "one:aa-east": ends(1.05, 1.05, 1.05)},
    )
    planned = plan([job(allowed_regions="one:aa-west;one:aa-east;two:aa")], here)
    rows = published(planned, "fact_job_region")

    assert [("two:aa", False), ("one:aa-east", True), ("one:aa-west", False)] == [
        (row["region"], row["is_advised"]) for row in rows
    ]


def test_waiting_at_home_needs_no_proof_of_its_pue() -> None:
    here = with_regions(with_forecast("AA", [300.0] * 8 + [290.0] * 16), {"one:aa-west": ends(1.1, 1.0, 1.5)})

    assert "delay" == action(here, allowed_regions="")


def test_a_job_that_may_not_stay_is_moved_whatever_the_ends() -> None:
    here = with_regions(
        with_forecast("AA", [300.0] * 24), {"two:aa": ends(1.2, 1.0, 1.5) | {"alternative_zone": "EE"}}
    )

    assert "move" == action(here, allowed_regions="two:aa")


@pytest.mark.parametrize(
    ("other", "moves"),
    [(None, True), ("FF", True), ("EE", False), ("DD-1", False)],
    ids=["not disputed", "cleaner either way", "dirtier by the other", "the other is not known"],
)
def test_a_move_into_a_disputed_region_saves_in_either_zone(other: str | None, moves: bool) -> None:
    """From a forecast of 300 to an annual mean of 60 (CC), read otherwise 80 (FF), 450 (EE) or by the world's mean."""
    here = with_regions(with_forecast("AA", [300.0] * 24), {"two:cc": {"alternative_zone": other}})
    planned = plan([job(allowed_regions="one:aa-west;two:cc")], here)

    assert ["move" if moves else "run_now"] == planned.advice.action.tolist()
    assert "two:cc" in {row["region"] for row in published(planned, "fact_job_region")}


@pytest.mark.parametrize(("other", "moves"), [("FF", True), ("CC", False), ("EE", True)])
def test_a_move_out_of_a_disputed_region_saves_in_either_zone(other: str, moves: bool) -> None:
    """From 300, read otherwise 80 (FF), 60 (CC) or 450 (EE), to 60."""
    here = with_regions(with_forecast("AA", [300.0] * 24), {"one:aa-west": {"alternative_zone": other}})

    assert ("move" if moves else "run_now") == action(here, allowed_regions="one:aa-west;two:cc")


def test_the_other_zone_counts_at_the_hours_of_the_run() -> None:
    """The run is at the hours in which its own zone is cleanest; there the other zone is as dirty as home."""
    hours = [200.0] * 4 + [50.0] * 3 + [200.0] * 17
    other = [50.0] * 4 + [310.0] * 3 + [50.0] * 17
    here = with_forecast("AA", [300.0] * 24)
    rows = [
        reading(zone, START + timedelta(hours=hour), value, "measured", "lifecycle", AS_OF)
        for zone, values in (("FF", hours), ("CC", other))
        for hour, value in enumerate(values)
    ]
    here = World(**{**vars(here), "grid": [*here.grid, *rows]})
    row = job(allowed_regions="one:aa-west;two:ff", finish_by_utc=START + timedelta(hours=24))
    plain = plan([row], here)
    disputed = plan([row], with_regions(here, {"two:ff": {"alternative_zone": "CC"}}))

    assert (["move_and_delay"], [4.0]) == (plain.advice.action.tolist(), plain.advice.start_h.tolist())
    assert ["run_now"] == disputed.advice.action.tolist()
