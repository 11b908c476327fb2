"""What advice claims against what comes true over a year; the same code on a series of our own.

``pytest -s`` shows the scores of the year.
"""

from datetime import UTC, datetime, timedelta
from functools import cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opencarbon.estimation.backtest import scores
from tests.benchmarks.published.folder import annual_means, hourly_2022, needs_published_data
from tests.benchmarks.published.replay_2022 import (
    CORRELATION,
    FIRST_ERROR,
    FORECAST_HOURS,
    JOB_HOURS,
    LAST_ERROR,
    Year,
    replay_year,
)

MOST_CLAIMED = 1.10
"""Claims over realised savings of a kind of data, at most."""

FIRST_HOUR, EVERY_HOURS, LAST_HOUR = 31 * 24, 97, 8760 - 8 * 24
"""A month is known before the first moment; moments fall on every hour of the day and every day of the week."""

HOMES = 20


def made_year() -> Year:
    """Nine zones with a day, a week, and a weather of their own, 40 days [gCO2e/kWh]."""
    rng = np.random.default_rng(7)
    hour, zone = np.arange(40.0 * 24), np.arange(9.0)[:, None]
    weather = rng.normal(size=(9, len(hour)))
    for at in range(1, len(hour)):
        weather[:, at] = 0.97 * weather[:, at - 1] + np.sqrt(1 - 0.97**2) * weather[:, at]
    day, week = np.cos(2 * np.pi * (hour + 3 * zone) / 24), np.sin(2 * np.pi * hour / 168)
    curves = (150.0 + 50.0 * zone) * (1.0 + 0.25 * day + 0.05 * week + 0.12 * weather)
    names = tuple(f"M{number}" for number in range(9))
    return Year(names, np.asarray(curves), np.asarray(curves.mean(axis=1) * 1.02))


def test_errors_of_forecasts_are_as_large_as_stated_and_alike_from_hour_to_hour() -> None:
    year = made_year()
    errors = np.concatenate([year.errors(hour) for hour in range(300)])
    assert errors.shape == (900, FORECAST_HOURS)
    assert pytest.approx(errors[:, 0].std(), rel=0.06) == FIRST_ERROR
    assert pytest.approx(errors[:, -1].std(), rel=0.06) == LAST_ERROR
    alike = [np.corrcoef(errors[:, lead], errors[:, lead + 1])[0, 1] for lead in (0, 30, 70)]
    assert alike == pytest.approx([CORRELATION] * 3, abs=0.03)
    assert np.abs(errors).mean() == pytest.approx(0.076, abs=0.002)


def test_a_moment_knows_what_came_before_it_and_forecasts_issued_then() -> None:
    year = made_year()
    moment = year.start_utc + timedelta(hours=500)
    known = year.known_at(500)
    measured = known.filter(pc.equal(known["intensity_kind"], pa.scalar("measured")))
    forecasts = known.filter(pc.equal(known["intensity_kind"], pa.scalar("forecast")))
    assert measured.num_rows == 6 * 500
    assert forecasts.num_rows == 3 * FORECAST_HOURS
    assert pc.max(measured["fetched_at_utc"]).as_py() == moment
    assert pc.unique(forecasts["issued_at_utc"]).to_pylist() == [moment]
    first = forecasts.slice(0, 1).to_pylist()[0]
    truth = year.curves[year.zones.index(first["zone"]), 500]
    assert 0 < abs(first["carbon_intensity_gco2e_per_kwh"] / truth - 1.0) < 5 * FIRST_ERROR
    assert len({*measured["zone"].to_pylist()}) == 6
    assert sorted(np.bincount(year.third)) == [3, 3, 3]


def test_what_comes_of_advice_is_the_truth_of_the_hours_it_runs() -> None:
    year = made_year()
    hours = range(30 * 24, 34 * 24, 41)
    rows = replay_year(year, hours, lambda moment: year.jobs_at(moment, 4), slack_hours=24.0).to_pylist()
    assert len(rows) == len(hours) * 4 * 2 * len(JOB_HOURS) * 2
    steady = [row for row in rows if not row["interruptible"]]
    for row in steady:
        begin = (row["advised_start_utc"] - year.start_utc) / timedelta(hours=1)
        left, taken = (
            mean(year, row[name], start, row["job_hours"])
            for name, start in (
                ("current_region", hour_of(year, row["as_of_utc"])),
                ("advised_region", begin),
            )
        )
        assert row["baseline_gco2e_per_kwh"] == pytest.approx(left, rel=1e-9)
        assert row["realised_saving_gco2e_per_kwh"] == pytest.approx(left - taken, abs=1e-6)
        assert row["regret_gco2e_per_kwh"] >= -1e-6
    assert {"forecast", "climatology", "annual"} <= {row["intensity_kind"] for row in rows}


def hour_of(year: Year, moment: datetime) -> float:
    return (moment - year.start_utc) / timedelta(hours=1)


def mean(year: Year, region: str, start: float, hours: float) -> float:
    curve = year.curves[year.zones.index(region.removeprefix("grid:"))]
    sums = np.concatenate([[0.0], np.cumsum(curve)])
    begin, end = np.interp([start, start + hours], np.arange(len(sums)), sums)
    return float(end - begin) / hours


@cache
def year_2022() -> Year:
    zones, curves = hourly_2022()
    before = annual_means(2021)
    return Year(
        tuple(zones),
        curves,
        np.array([before.get(zone, np.nan) for zone in zones]),
        datetime(2022, 1, 1, tzinfo=UTC),
    )


@cache
def outcomes_of_2022(slack_hours: float) -> pa.Table:
    year = year_2022()
    jobs_at = partial(year.jobs_at, homes=HOMES)
    return replay_year(year, range(FIRST_HOUR, LAST_HOUR, EVERY_HOURS), jobs_at, slack_hours=slack_hours)


def waits_of_2022(slack_hours: float) -> pa.Table:
    year = year_2022()
    hours = range(FIRST_HOUR, LAST_HOUR, EVERY_HOURS)
    return replay_year(year, hours, year.waits_at, slack_hours=slack_hours)


@needs_published_data
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("slack_hours", [24.0, 120.0])
@pytest.mark.parametrize("key", ["intensity_kind", "job_hours", "may_move"])
def test_no_kind_of_data_claims_a_tenth_more_than_comes_true(slack_hours: float, key: str) -> None:
    found = scores(outcomes_of_2022(slack_hours), list(dict.fromkeys(["intensity_kind", key])))
    print(found.to_pandas().round(2).to_string())
    for row in found.to_pylist():
        claimed, realised = row["claimed_saving_gco2e_per_kwh"], row["realised_saving_gco2e_per_kwh"]
        assert claimed <= MOST_CLAIMED * realised, row
    assert {"forecast", "climatology", "annual"} <= {*found["intensity_kind"].to_pylist()}


@needs_published_data
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("slack_hours", [24.0, 120.0])
def test_waiting_alone_claims_no_tenth_more_than_comes_true_whatever_the_length(slack_hours: float) -> None:
    """By the data a job is advised on, and by those it would start on now: long waits end on poorer ones."""
    outcomes = waits_of_2022(slack_hours)
    for kind in ("intensity_kind", "baseline_intensity_kind"):
        found = outcomes.group_by([kind, "job_hours"]).aggregate(
            [(f"{what}_saving_gco2e_per_kwh", "sum") for what in ("claimed", "realised")]
        )
        print(found.to_pandas().round(2).to_string())
        assert len(JOB_HOURS) * 2 == found.num_rows
        for row in found.to_pylist():
            claimed, realised = (row[f"{what}_saving_gco2e_per_kwh_sum"] for what in ("claimed", "realised"))
            assert claimed <= MOST_CLAIMED * realised, row
