"""Sukprasert et al., EuroSys'24, reproduced; the same code on a series of our own against trying everything."""

from functools import cache

import numpy as np
import pytest

from tests.benchmarks.published.folder import Floats, expected_means, hourly_2022, needs_published_data
from tests.benchmarks.published.limits_of_shifting import (
    saved_by_deferral,
    saved_by_one_migration,
    saved_by_perfect_migration,
    submissions,
)

JOB_HOURS = (1, 6, 12, 24, 48, 96, 168)
SLACK_HOURS = (24, 168, 480, 720, 8760)

SAVED_WITHIN_A_DAY = {1: 57.380, 6: 46.474, 12: 31.374, 24: 13.280, 48: 8.630, 96: 4.948}
"""Published saving by deferral within 24 h, mean of 123 zones, by job hours [gCO2e/kWh] (slack_24.csv)."""

SAVED_WITHIN_A_DAY_BY_WEEK_LONG_JOBS = 2.912
"""The same for 168 h, mean of 122 zones: the published results of SE-SE1 are empty [gCO2e/kWh]."""

SAVED_WITHIN_A_DAY_BY_WEEK_LONG_JOBS_EVERYWHERE = 2.890
"""The same with SE-SE1, from the published curves [gCO2e/kWh]."""

SAVED_WITHIN_THE_YEAR = {
    1: 153.938,
    6: 143.853,
    12: 126.656,
    24: 104.490,
    48: 94.515,
    96: 81.725,
    168: 69.888,
}
"""Published saving by deferral within the year, mean of 123 zones, by job hours [gCO2e/kWh]."""

SAVED_BY_ONE_MIGRATION = 352.476
"""Published saving by moving everything to the greenest zone, mean of 123 zones [gCO2e/kWh] (sim_spatial/one_and_inf)."""

SAVED_BY_PERFECT_MIGRATION = 353.566
"""Published saving by moving every hour to the zone that is greenest then [gCO2e/kWh] (the same)."""

_published_curves = cache(hourly_2022)


def made_curves() -> Floats:
    """Three zones with a day, a week and some unrest, 60 h [gCO2e/kWh]."""
    hour, zone = np.arange(60.0), np.arange(3.0)[:, None]
    day, week = np.cos(2 * np.pi * (hour + 5 * zone) / 24), np.sin(2 * np.pi * hour / 168)
    return np.asarray(300 + 90 * zone + 120 * day + 60 * week + (37 * hour + 11 * zone) % 17)


@pytest.mark.parametrize("slack_hours", [0, 1, 5, 60])
@pytest.mark.parametrize("job_hours", [1, 2, 3])
def test_means_are_those_of_trying_every_start_and_of_the_lowest_hours(
    job_hours: int, slack_hours: int
) -> None:
    curves = made_curves()
    job = submissions(60, job_hours, slack_hours)
    for zone, curve in enumerate(curves):
        sums: list[tuple[float, float, float]] = []
        for first in range(60 - job_hours + (slack_hours == 60)):
            window = curve[first : first + slack_hours + job_hours].tolist()
            steady = [sum(window[at : at + job_hours]) for at in range(len(window) - job_hours + 1)]
            sums.append((steady[0], min(steady), sum(sorted(window)[:job_hours])))
        expected = np.mean(sums, axis=0)
        found = (job.baseline(curves), job.deferred(curves), job.interrupted(curves))
        np.testing.assert_allclose([means[zone] for means in found], expected, rtol=1e-12)


def test_one_migration_runs_everything_in_the_zone_with_the_lowest_mean() -> None:
    curves = np.array([[100.0, 300.0], [150.0, 150.0], [400.0, 400.0]])
    assert saved_by_one_migration(curves) == pytest.approx((200.0 + 150.0 + 400.0) / 3 - 150.0)
    assert saved_by_perfect_migration(curves) == pytest.approx((200.0 + 150.0 + 400.0) / 3 - 125.0)


@needs_published_data
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("job_hours", JOB_HOURS)
@pytest.mark.parametrize("slack_hours", SLACK_HOURS)
def test_every_zone_has_the_published_means(job_hours: int, slack_hours: int) -> None:
    zones, curves = _published_curves()
    rows = [row for row in expected_means() if (row.job_hours, row.slack_hours) == (job_hours, slack_hours)]
    assert rows
    here = curves[[zones.index(row.zone) for row in rows]]
    job = submissions(curves.shape[1], job_hours, slack_hours)
    assert {row.starts for row in rows} == {job.submitted_h.size}
    for found, published in (
        (job.baseline(here), [row.baseline for row in rows]),
        (job.deferred(here), [row.deferred for row in rows]),
        (job.interrupted(here), [row.interruptible for row in rows]),
    ):
        np.testing.assert_allclose(found, published, rtol=1e-6)


@needs_published_data
@pytest.mark.parametrize(("job_hours", "published"), SAVED_WITHIN_A_DAY.items())
def test_a_day_of_slack_saves_what_was_published(job_hours: int, published: float) -> None:
    _, curves = _published_curves()
    assert published == pytest.approx(saved_by_deferral(curves, job_hours, 24).mean(), abs=6e-4)


@needs_published_data
def test_week_long_jobs_save_what_was_published_without_the_zone_that_is_empty_there() -> None:
    zones, curves = _published_curves()
    saved = saved_by_deferral(curves, 168, 24)
    others = np.delete(saved, zones.index("SE-SE1"))
    assert pytest.approx(others.mean(), abs=6e-4) == SAVED_WITHIN_A_DAY_BY_WEEK_LONG_JOBS
    assert pytest.approx(saved.mean(), abs=6e-4) == SAVED_WITHIN_A_DAY_BY_WEEK_LONG_JOBS_EVERYWHERE


@needs_published_data
@pytest.mark.parametrize(("job_hours", "published"), SAVED_WITHIN_THE_YEAR.items())
def test_a_year_of_slack_saves_what_was_published(job_hours: int, published: float) -> None:
    _, curves = _published_curves()
    assert published == pytest.approx(saved_by_deferral(curves, job_hours, 8760).mean(), abs=1e-3)


@needs_published_data
def test_migration_saves_what_was_published() -> None:
    _, curves = _published_curves()
    assert pytest.approx(saved_by_one_migration(curves), abs=6e-4) == SAVED_BY_ONE_MIGRATION
    assert pytest.approx(saved_by_perfect_migration(curves), abs=6e-4) == SAVED_BY_PERFECT_MIGRATION
