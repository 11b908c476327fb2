"""What is free by hour: spans, hours that none covers, and what stands for hours behind the horizon."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from opencarbon.estimation.allocation.supply import HOURS_BEHIND, hours_needed, supply_of

START = datetime(2026, 11, 16, tzinfo=UTC)
HORIZON, HOURS = 4, 8


def free(*spans: tuple[float, int | None, int | None]) -> list[float]:
    rows = [
        {
            "region": "here",
            "device": "Chip",
            "devices": devices,
            "from_utc": None if first is None else START + timedelta(hours=first),
            "to_utc": None if last is None else START + timedelta(hours=last),
        }
        for devices, first, last in spans
    ]
    names = np.array(["elsewhere", "here"], dtype=object)
    supply = supply_of(pa.Table.from_pylist(rows), ["Chip", "Other"], names, START, HORIZON, HOURS)
    assert not supply.free[:, :, 0].any()
    assert not supply.free[1].any()
    return [float(value) for value in supply.free[0, :, 1]]


def test_a_span_without_ends_holds_for_ever() -> None:
    assert [5.0] * HOURS == free((5.0, None, None))


def test_an_hour_that_no_span_covers_has_nothing_free() -> None:
    assert [0.0, 2.0, 0.0, 3.0] == free((2.0, 1, 2), (3.0, 3, None))[:HORIZON]


def test_behind_the_horizon_the_last_hour_before_it_stands_for_hours_that_no_span_covers() -> None:
    assert [7.0, 7.0, 7.0, 3.0, 3.0, 3.0, 3.0, 3.0] == free((7.0, None, 3), (3.0, 3, 4))
    assert [7.0] * 4 + [1.0, 7.0, 7.0, 7.0] == free((7.0, None, 4), (1.0, 4, 5))


def test_the_last_hour_holds_no_more_than_any_span_behind_it() -> None:
    assert [7.0] * 7 + [2.0] == free((7.0, None, 20), (2.0, 20, None))


def test_a_span_that_began_before_the_first_hour_holds_from_there() -> None:
    assert [4.0, 4.0, 0.0, 0.0] == free((4.0, -30, 2))[:HORIZON]
    assert [0.0] * HOURS == free((4.0, -30, -2))


def test_hours_are_told_apart_as_far_as_jobs_reach_but_no_further_than_a_week_behind() -> None:
    assert 91 == hours_needed(89.2, 72)
    assert 73 == hours_needed(5.0, 72)
    assert 72 + 24 + HOURS_BEHIND == hours_needed(9_000.0, 72)
