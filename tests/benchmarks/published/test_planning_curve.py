"""The planning curve against the hours of 2022 of zones that its constants were not chosen on."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

import numpy as np
import pytest

from opencarbon.estimation.grid.blending import blend
from opencarbon.estimation.grid.curves import KIND_CODE
from opencarbon.estimation.grid.forecast_error import PRIOR
from opencarbon.estimation.grid.grid_layers import Layers
from tests.benchmarks.published.folder import Floats, hourly_2022, needs_published_data

WEEK_H = 168
FIRST = datetime(2022, 1, 1, tzinfo=UTC)
FIRST_HOUR_OF_WEEK = FIRST.weekday() * 24
LEADS = {"day": slice(0, 24), "three days": slice(24, 72), "week": slice(72, WEEK_H)}


@cache
def held_out() -> Floats:
    """Zones of 2022 whose name has an odd SHA-256, shape (zones, hours)."""
    zones, curves = hourly_2022()
    odd = [sha256(zone.encode()).digest()[0] % 2 == 1 for zone in zones]
    return np.asarray(curves[np.array(odd) & (curves.std(axis=1) > 0)])


def errors(predict: Callable[[int], Floats]) -> dict[str, float]:
    """Root mean square error over the mean of each zone, mean over zones, at 70 random moments of the year."""
    truth = held_out()
    moments = np.random.default_rng(7).choice(np.arange(24 * 90, truth.shape[1] - WEEK_H), 70, replace=False)
    off = [(predict(at) - truth[:, at : at + WEEK_H]) / truth.mean(axis=1, keepdims=True) for at in moments]
    return {
        name: float(np.sqrt((np.array(off)[:, :, lead] ** 2).mean(axis=(0, 2))).mean())
        for name, lead in LEADS.items()
    }


def curve(at: int, days: int) -> Floats:
    """Planning curve of a moment from some days of measured hours."""
    truth = held_out()
    unknown, doubtful = np.full((len(truth), WEEK_H), np.nan), np.zeros((len(truth), WEEK_H), dtype=bool)
    layers = Layers(truth[:, at - 24 * days : at], unknown, unknown, unknown, doubtful, unknown)
    nowhere = np.full(len(truth), np.nan)
    kinds = np.full(len(truth), KIND_CODE["annual"])
    names = [str(row) for row in range(len(truth))]
    return blend(names, layers, nowhere, kinds, (FIRST_HOUR_OF_WEEK + at) % WEEK_H, PRIOR).values


def same_hour_of_the_last_week(at: int) -> Floats:
    """Mean of the same hour of the day over seven days."""
    day = held_out()[:, at - WEEK_H : at].reshape(-1, 7, 24).mean(axis=1)
    return np.tile(day, WEEK_H // 24)


def mean_of_the_year(at: int) -> Floats:
    """Mean of this very year, which no planner knows."""
    return np.repeat(held_out().mean(axis=1, keepdims=True), WEEK_H, axis=1)


@needs_published_data
@pytest.mark.parametrize(
    ("days", "most"),
    [
        (7, {"day": 0.15, "three days": 0.185, "week": 0.205}),
        (90, {"day": 0.147, "three days": 0.18, "week": 0.2}),
    ],
)
def test_zones_held_out_are_foreseen_as_well_as_stated(days: int, most: dict[str, float]) -> None:
    found = errors(lambda at: curve(at, days))

    assert all(found[name] <= most[name] for name in LEADS), found


@needs_published_data
def test_the_curve_is_better_than_last_week_and_than_the_mean_of_the_year() -> None:
    found, last_week, year = (
        errors(one) for one in (lambda at: curve(at, 30), same_hour_of_the_last_week, mean_of_the_year)
    )

    assert all(found[name] < last_week[name] for name in LEADS), (found, last_week)
    assert all(found[name] < 0.85 * year[name] for name in LEADS), (found, year)
