"""The usual is a mean whose parts are trusted by the history behind them."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from opencarbon.estimation.grid.climatology import DAYS_OF_HISTORY, Climatology, climatology

Floats = npt.NDArray[np.float64]

MONDAY = 0
NONE = np.array([np.nan])


def learn(history: Floats, annual: float = math.nan) -> Climatology:
    """What is usual from a history of one zone that ends at Monday 00:00 UTC."""
    return climatology(history[None, :], MONDAY, np.array([annual]))


def days_of(hours: int) -> float:
    """Days that hours up to now weigh, where the weight falls to 1/e in 10 days."""
    return sum(math.exp(-age / 24 / 10) for age in range(1, hours + 1)) / 24


def test_less_than_most_of_a_day_of_history_makes_no_climatology() -> None:
    day = np.where(np.arange(24) < 4, np.nan, 100.0)

    assert learn(day).known.all()
    assert not learn(np.where(np.arange(24) == 7, np.nan, day)).known.any()
    assert np.isnan(learn(day[5:]).usual).all()
    assert not climatology(np.empty((1, 0)), MONDAY, NONE).known.any()


def test_a_level_counts_days_against_one_day_of_the_annual_mean() -> None:
    for hours in (24, 240):
        found = learn(np.full(hours, 100.0), annual=400.0)
        days = days_of(hours)

        assert (days * 100 + 400) / (days + 1) == pytest.approx(found.usual[0, 0])


def test_a_level_without_an_annual_mean_is_that_of_the_recent_weeks() -> None:
    history = np.repeat([300.0, 100.0], 14 * 24)
    older, newer = days_of(28 * 24) - days_of(14 * 24), days_of(14 * 24)

    assert (older * 300 + newer * 100) / (older + newer) == pytest.approx(learn(history).usual.mean())


def test_an_hour_of_the_day_counts_days_against_one_flat_day() -> None:
    history = np.tile(np.where(np.arange(24) == 6, 340.0, 100.0), 10)
    found = learn(history).usual[0]
    days = sum(math.exp(-(10 * 24 - 6 - 24 * day) / 24 / 14) for day in range(10))

    assert 240 * days / (days + 1) == pytest.approx(found[6] - found[5], rel=0.03)
    assert found[6] == pytest.approx(found[24 + 6], rel=0.01)


def test_an_hour_of_the_week_counts_weeks_against_ten_plain_ones() -> None:
    weekend = np.tile(np.where(np.arange(168) >= 120, 40.0, 100.0), 8)
    found = learn(weekend).usual[0]
    weeks = sum(math.exp(-(8 * 7 - 6 - 7 * week) / 60) for week in range(8))

    assert 60 * weeks / (weeks + 10) == pytest.approx(found[:120].mean() - found[120:].mean(), rel=0.02)


def test_hours_older_than_ninety_days_are_not_used() -> None:
    history = np.full(DAYS_OF_HISTORY * 24, 100.0)
    old = np.full(5 * 24, 9_000.0)

    assert np.array_equal(learn(history).usual, learn(np.concatenate([old, history])).usual)
    assert np.array_equal(learn(history).sd, learn(np.concatenate([old, history])).sd)


def test_a_standard_deviation_counts_days_against_seven_of_other_zones() -> None:
    found = learn(np.full(240, 100.0))
    days = days_of(240)

    assert math.sqrt(7 * 17.0**2 / (days + 7)) == pytest.approx(found.sd[0])


def test_hours_to_come_are_less_sure_than_those_that_were_learnt() -> None:
    history = np.where(np.random.default_rng(1).random(30 * 24) < 0.5, 80.0, 120.0)
    found = learn(history)
    age = np.arange(len(history), 0, -1)
    left = history - found.usual[0][-age % 168]
    weight = np.exp(-age / 24 / 10)
    own, days = (weight * left**2).sum() / weight.sum(), weight.sum() / 24

    assert math.sqrt((days * 1.15**2 * own + 7 * 17.0**2) / (days + 7)) == pytest.approx(
        found.sd[0], rel=0.01
    )


def test_zones_do_not_mix_and_missing_hours_say_nothing() -> None:
    rng = np.random.default_rng(2)
    history = rng.uniform(50, 500, (2, 500))
    gappy = np.where(rng.random((2, 500)) < 0.3, np.nan, history)
    both = climatology(gappy, 17, np.array([300.0, np.nan]))

    for zone in range(2):
        alone = climatology(gappy[zone : zone + 1], 17, np.array([[300.0, np.nan][zone]]))
        assert both.usual[zone] == pytest.approx(alone.usual[0])
        assert both.sd[zone] == pytest.approx(alone.sd[0])
    assert np.isfinite(both.usual).all()


def test_the_usual_is_never_negative() -> None:
    spiky = np.zeros(24 * 60)
    spiky[::500] = 900.0

    assert learn(spiky).usual.min() >= 0.0
