"""Wiesner et al., Middleware'21, reproduced; the same code on a series of our own against trying everything."""

from functools import cache

import numpy as np
import pytest

from tests.benchmarks.published.folder import Floats, half_hours_2020, needs_published_data
from tests.benchmarks.published.waiting_awhile import (
    DEADLINES,
    ERROR,
    Jobs,
    nightly_baseline,
    nightly_saving_percent,
    project_jobs,
    project_saving_percent,
)

NIGHTLY_BASELINE = {"ger": 305.3, "gb": 184.1, "fr": 52.1}
"""Published mean intensity at 01:00 [gCO2e/kWh] (img/nightly_result.pdf)."""

NIGHTLY_SAVING = {
    "ger": {4: 1.40, 8: 2.20, 12: 5.46, 16: 11.74},
    "gb": {4: 4.77, 8: 6.30, 12: 6.74, 16: 7.95},
    "fr": {4: 3.00, 8: 4.08, 12: 5.00, 16: 5.58},
}
"""Published saving by half-hours of shift, 5 % error [%] (img/nightly_result.pdf)."""

PROJECT_SAVING = {
    ("next_workday", False): {"ger": 5.91, "gb": 6.56, "fr": 4.77},
    ("next_workday", True): {"ger": 7.93, "gb": 9.03, "fr": 5.92},
    ("semi_weekly", False): {"ger": 14.1, "gb": 14.7, "fr": 11.1},
    ("semi_weekly", True): {"ger": 18.1, "gb": 19.7, "fr": 13.3},
}
"""Published saving by policy and whether jobs may pause, 5 % error [%] (img/ml_results.pdf, evaluation.ipynb)."""

_published_curve = cache(half_hours_2020)


def made_curve() -> Floats:
    """Three weeks of half-hours with a day, a week and some unrest [gCO2e/kWh]."""
    step = np.arange(21.0 * 48)
    day, week = np.cos(2 * np.pi * (step - 26) / 48), np.sin(2 * np.pi * step / 336)
    return np.asarray(250 - 80 * day + 40 * week + (37 * step) % 29)


def noisy(truth: Floats, seed: int) -> list[float]:
    noise = np.random.default_rng(seed).normal(0.0, ERROR * truth.mean(), truth.size)
    return list((truth + noise).tolist())


@pytest.mark.parametrize("shift", [0, 1, 4, 16])
def test_nights_move_to_the_lowest_half_hour_of_the_forecast(shift: int) -> None:
    truth, nights = made_curve(), 20
    baseline, whole, published = 0.0, 0.0, 0.0
    for seed in range(2):
        forecast = noisy(truth, seed)
        for night in range(nights):
            planned = night * 48 + 2
            window = range(max(planned - shift, 0), planned + shift + 1)
            ran = truth[min(window, key=forecast.__getitem__)]
            baseline += truth[planned]
            whole += ran
            published += ran if planned >= shift else 0.0
    found = [
        nightly_saving_percent(truth, shift, nights, as_published=kind, repetitions=2)
        for kind in (False, True)
    ]
    expected = [100 * (1 - whole / baseline), 100 * (1 - published / baseline)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("policy", list(DEADLINES))
@pytest.mark.parametrize("interruptible", [False, True])
def test_projects_move_to_the_lowest_half_hours_of_the_forecast(policy: str, interruptible: bool) -> None:
    truth = made_curve()
    jobs = Jobs(
        np.array([18.0, 30.0, 70.0, 121.0, 270.0, 365.0]), np.array([8.0, 20.0, 31.0, 90.0, 50.0, 179.0])
    )
    baseline, emitted = 0.0, 0.0
    for seed in range(2):
        forecast = noisy(truth, seed)
        for arrival, duration in zip(jobs.arrival.astype(int), jobs.duration.astype(int), strict=True):
            finish_by = DEADLINES[policy](int(arrival + duration))
            steps = range(arrival, finish_by)
            runs = [range(at, at + duration) for at in range(arrival, finish_by - duration + 1)]
            steady = min(runs, key=lambda run: sum(forecast[step] for step in run))
            ran = sorted(steps, key=forecast.__getitem__)[:duration] if interruptible else list(steady)
            baseline += truth[arrival : arrival + duration].sum()
            emitted += truth[ran].sum()
    found = project_saving_percent(truth, jobs, policy, interruptible=interruptible, repetitions=2)
    assert 100 * (1 - emitted / baseline) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize(
    ("finish", "workday", "twice_a_week"),
    [  # (day from 0 = Wednesday 1 January 2020, half-hour of the day)
        ((0, 20), (0, 20), (1, 18)),
        ((0, 34), (0, 34), (1, 18)),
        ((0, 35), (1, 18), (1, 18)),
        ((1, 10), (1, 18), (1, 18)),
        ((1, 18), (1, 18), (1, 18)),
        ((1, 19), (1, 19), (5, 18)),
        ((3, 20), (5, 18), (5, 18)),
        ((4, 20), (5, 18), (5, 18)),
        ((5, 18), (5, 18), (5, 18)),
        ((5, 19), (5, 19), (8, 18)),
        ((6, 40), (7, 18), (8, 18)),
    ],
)
def test_deadlines_are_nine_o_clock_of_the_days_of_the_policy(
    finish: tuple[int, int], workday: tuple[int, int], twice_a_week: tuple[int, int]
) -> None:
    at, early, late = (day * 48 + slot for day, slot in (finish, workday, twice_a_week))
    assert (early, late) == (DEADLINES["next_workday"](at), DEADLINES["semi_weekly"](at))


@needs_published_data
@pytest.mark.parametrize("country", list(NIGHTLY_SAVING))
def test_nightly_jobs_save_what_was_published(country: str) -> None:
    truth = _published_curve(country)
    assert NIGHTLY_BASELINE[country] == pytest.approx(nightly_baseline(truth), abs=0.05)
    for shift, published in NIGHTLY_SAVING[country].items():
        assert published == pytest.approx(nightly_saving_percent(truth, shift, as_published=True), abs=0.01)


@needs_published_data
@pytest.mark.parametrize("country", ["ger", "gb", "fr"])
@pytest.mark.parametrize(("policy", "interruptible"), list(PROJECT_SAVING))
def test_projects_save_what_was_published(country: str, policy: str, interruptible: bool) -> None:
    found = project_saving_percent(
        _published_curve(country), project_jobs(), policy, interruptible=interruptible
    )
    assert PROJECT_SAVING[policy, interruptible][country] == pytest.approx(found, abs=0.2)
