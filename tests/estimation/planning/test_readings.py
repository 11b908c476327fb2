"""Moves hold at both ends of a PUE that nobody measured, and under both readings of a disputed zone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.planning import delays, selection
from opencarbon.estimation.planning.blocks import Block
from tests.estimation.oracle import World
from tests.estimation.planning.test_advice import START, published, with_forecast
from tests.estimation.worlds import AS_OF, Planned, job, plan, random_job, reading, world


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


@contextmanager
def every_place_tried() -> Iterator[None]:
    """No place is left out for what it costs: each is tried when its turn comes."""

    def may_hold(block: Block, rows: Any, region: Any, cost: Any) -> Any:
        return np.ones(cost.shape, dtype=bool)

    with pytest.MonkeyPatch.context() as patch:
        for module in (selection, delays):
            patch.setattr(module, "may_hold", may_hold)
        yield


@contextmanager
def places_tried() -> Iterator[list[int]]:
    """How many places are tried at a time."""
    counts: list[int] = []
    is_sure = selection.is_sure

    def counted(block: Block, rows: Any, *rest: Any) -> Any:
        counts.append(len(rows))
        return is_sure(block, rows, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "is_sure", counted)
        yield counts


def disputed(seed: int) -> tuple[World, list[dict[str, Any]]]:
    """A queue in a world in which most regions are disputed."""
    dice, zones = random.Random(seed), ("AA", "BB-1", "CC", "DD-1", "EE", "FF", None)
    settings: dict[str, Any] = {"min_saving_pct_to_delay": 4.0} if seed % 2 else {}
    if seed % 3 == 2:
        settings["restart_kwh_per_device"] = 0.1
    here = world(seed, horizon=12, **settings)
    changes = {row["region"]: {"alternative_zone": dice.choice(zones)} for row in here.regions}
    return with_regions(here, changes), [random_job(dice, number) for number in range(60)]


def arrays(planned: Planned) -> Iterator[tuple[str, Any]]:
    for part in (planned.alternatives, planned.advice):
        yield from ((field.name, getattr(part, field.name)) for field in fields(part))


@pytest.mark.parametrize("seed", range(6))
def test_places_left_out_for_what_they_cost_are_those_that_fail_when_tried(seed: int) -> None:
    here, jobs = disputed(seed)
    with places_tried() as few:
        found = plan(jobs, here)
    with every_place_tried(), places_tried() as many:
        expected = plan(jobs, here)

    assert sum(few) <= sum(many)
    for (name, one), (_, other) in zip(arrays(found), arrays(expected), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_a_region_that_may_lie_in_the_cleanest_zone_is_not_left_place_by_place() -> None:
    changes = {"one:aa-west": {"alternative_zone": "CC"} | ends(1.1, 1.0, 1.1)}
    here = with_regions(with_forecast("AA", [300.0] * 8 + [290.0] * 16), changes)
    with places_tried() as tried:
        planned = plan([job(number) for number in range(5)], here)

    assert {"delay"} == set(planned.advice.action.tolist())
    assert len(tried) <= 1
