"""Forecasts are believed by how reliable they are, and that is learnt from those that came true."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from opencarbon.estimation.grid.forecast_error import LEAD_FROM_H, PRIOR, ForecastError
from opencarbon.estimation.grid.forecast_learning import learn_forecast_error

Floats = npt.NDArray[np.float64]

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
LEADS = np.arange(72.0)


def expect(
    error: ForecastError, forecast: Floats, usual: float, usual_sd: float, zone: str = "AA"
) -> tuple[Floats, Floats]:
    """Value and standard deviation of the hours of one zone, the first of which has lead 0."""
    hours = len(forecast)
    found = error.expect(
        [zone],
        forecast[None, :],
        np.arange(hours, dtype=np.float64)[None, :],
        np.full((1, hours), usual),
        np.full((1, hours), usual_sd),
    )
    return found.value[0], found.sd[0]


def test_a_forecast_is_believed_by_the_variance_of_the_truth_over_that_and_its_error() -> None:
    """They depart by 60 everywhere, so that the truth is taken to move more than the usual 40 of the zone."""
    value, sd = expect(PRIOR, np.full(72, 260.0), usual=200.0, usual_sd=40.0)
    own = 60.0**2 - 200.0**2 * (6 * 0.07**2 + 18 * 0.09**2 + 24 * 0.11**2 + 24 * 0.13**2) / 72
    variance = (72 * own + 24 * 40.0**2) / 96

    for lead, relative in ((0, 0.07), (5, 0.07), (6, 0.09), (24, 0.11), (48, 0.13), (71, 0.13)):
        error = 200.0 * relative
        slope = variance / (variance + error**2)
        assert 200 + slope * 60 == pytest.approx(value[lead])
        assert math.sqrt(slope) * error == pytest.approx(sd[lead])


def test_without_a_history_the_spread_of_the_forecasts_speaks_for_itself() -> None:
    wide = 200.0 + 60.0 * np.where(LEADS % 2, 1.0, -1.0)
    value, _ = expect(PRIOR, wide, math.nan, math.nan)
    error = 200.0 * 0.07
    off = 200.0**2 * (6 * 0.07**2 + 18 * 0.09**2 + 24 * 0.11**2 + 24 * 0.13**2) / 72
    variance = ((60.0**2 - off) * 72 + 24 * 34.0**2) / 96
    flat, _ = expect(PRIOR, np.full(72, 200.0), math.nan, math.nan)

    assert 200 - 60 * variance / (variance + error**2) == pytest.approx(value[0])
    assert np.full(72, 200.0) == pytest.approx(flat)


def test_an_hour_without_a_forecast_stays_unknown_and_none_is_below_nothing() -> None:
    value, sd = expect(PRIOR, np.array([np.nan, 0.0]), usual=1.0, usual_sd=500.0)

    assert [True, False] == np.isnan(value).tolist() == np.isnan(sd).tolist()
    assert value[1] >= 0.0


def test_what_was_learnt_survives_a_table() -> None:
    learnt = learn_forecast_error(archive(days=40))
    again = ForecastError.from_table(learnt.table())

    assert ("AA", "BB") == learnt.zones == again.zones
    for name in ("relative_sd", "days", "zone_relative_sd", "slope", "left_relative_sd"):
        assert np.array_equal(getattr(learnt, name), getattr(again, name))
    prior = ForecastError.from_table(PRIOR.table())
    assert () == prior.zones
    assert PRIOR.relative_sd.tolist() == prior.relative_sd.tolist()


def archive(days: int, *, noise: float = 0.2, damped: bool = False) -> pa.Table:
    """Two zones whose hours move by 30 % from day to day, and a forecast a day of 72 hours.

    A forecast is the truth with noise of its own, or, damped, a mean of what may come: the truth has the noise.
    """
    rng = np.random.default_rng(3)
    hours = np.arange(24 * (days + 4))
    rows = []
    for zone, level in (("AA", 100.0), ("BB", 400.0)):
        moves = np.repeat(rng.normal(0, 0.3, days + 4), 24) + rng.normal(0, 0.1, len(hours))
        truth = level * np.clip(1.0 + moves, 0.05, None)
        measured = truth * (1 + rng.normal(0, noise, len(hours)) if damped else 1)
        for day in range(days):
            at = hours[24 * day : 24 * day + 72]
            said = truth[at] * (1 if damped else 1 + rng.normal(0, noise, len(at)))
            rows += [
                {
                    "zone": zone,
                    "issued_at_utc": FIRST + timedelta(days=day),
                    "hour_start_utc": FIRST + timedelta(hours=int(hour)),
                    "forecast_gco2e_per_kwh": float(one),
                    "measured_gco2e_per_kwh": float(two),
                }
                for hour, one, two in zip(at, said, measured[at], strict=True)
            ]
    return pa.Table.from_pylist(rows)


def test_nothing_is_learnt_from_less_than_thirty_days_nor_from_hours_that_are_not_measured() -> None:
    unknown = archive(days=40)
    at = unknown.schema.get_field_index("measured_gco2e_per_kwh")
    unknown = unknown.set_column(at, "measured_gco2e_per_kwh", pa.nulls(unknown.num_rows, pa.float64()))

    assert PRIOR is learn_forecast_error(archive(days=29))
    assert PRIOR is learn_forecast_error(unknown)
    assert PRIOR is not learn_forecast_error(archive(days=30))


def test_errors_are_learnt_by_zone_and_shared_with_zones_that_have_none() -> None:
    learnt = learn_forecast_error(archive(days=60, noise=0.2))

    # noise is a share of the hour, whose root mean square is 1.05 of the mean
    assert np.full(4, 0.21) == pytest.approx(learnt.relative_sd, rel=0.1)
    assert np.full((2, 4), 0.21) == pytest.approx(learnt.zone_relative_sd, rel=0.15)
    value, _ = expect(learnt, np.full(6, 150.0), usual=100.0, usual_sd=30.0, zone="elsewhere")
    error = 100.0 * learnt.relative_sd[0]
    variance = (6 * (2500 - error**2) + 24 * 900) / 30
    assert 100 + 50 * variance / (variance + error**2) == pytest.approx(value[0])


def test_a_share_learnt_counts_for_as_restless_a_time_as_it_was_learnt_in() -> None:
    """Forecasts as quiet as their own error say that the truth is quieter than usual, and less of them comes true."""
    learnt = ForecastError(
        np.full(4, 0.1),
        ("AA",),
        np.array([50.0]),
        np.full((1, 4), 0.1),
        np.full((1, 4), 0.8),
        np.full((1, 4), 0.1),
    )
    for departure in (5.0, 40.0):
        value, sd = expect(learnt, np.full(72, 100.0 + departure), usual=100.0, usual_sd=20.0)
        restless = (72 * max(departure**2 - 10.0**2, 0.0) / 20.0**2 + 24) / 96
        plain = (
            restless * 4.0 / (restless * 4.0 + 1.0)
        )  # 20 usual to 10 of error: odds of 4 to 1, and 0.8 learnt too
        assert np.full(72, 100 + departure * plain) == pytest.approx(value)
        # 50 days learnt against 10 of prior
        assert np.full(72, math.sqrt((plain * 100 + 5 * 100) / 6)) == pytest.approx(sd)


def test_a_forecast_that_is_a_mean_of_what_may_come_is_believed_whole() -> None:
    """Both have the same error, 20 %: only how departures come true tells them apart."""
    noisy, damped = (learn_forecast_error(archive(days=60, damped=one)) for one in (False, True))

    assert (noisy.slope < 0.9).all()
    assert (damped.slope > 0.93).all()
    low, lower = (expect(one, np.full(72, 40.0), 100.0, 32.0, "AA")[0] for one in (noisy, damped))
    assert (lower < low).all()


def test_leads_that_were_never_forecast_have_the_errors_of_those_before_them() -> None:
    whole = archive(days=40).to_pandas()
    near = whole[whole["hour_start_utc"] - whole["issued_at_utc"] < timedelta(hours=24)]
    learnt = learn_forecast_error(pa.Table.from_pandas(near, preserve_index=False))

    assert 4 == len(LEAD_FROM_H)
    assert (learnt.zone_relative_sd[:, 1] == learnt.zone_relative_sd[:, 3]).all()
    assert np.isfinite(learnt.slope).all()


def test_the_lowest_of_many_forecasts_is_promised_no_lower_than_it_turns_out() -> None:
    """Hours of independent truth and noise: the expected value of the picked hour is what comes."""
    rng = np.random.default_rng(4)
    truth = rng.normal(200.0, 30.0, (4000, 24))
    forecast = truth + rng.normal(0.0, 0.07 * 200.0, truth.shape)
    zones = [f"zone-{n}" for n in range(len(truth))]
    usual = np.full(truth.shape, 200.0)
    found = PRIOR.expect(zones, forecast, np.zeros(truth.shape), usual, np.full(truth.shape, 30.0)).value
    picked = found.argmin(axis=1)[:, None]
    came = np.take_along_axis(truth, picked, axis=1).mean()

    assert came == pytest.approx(np.take_along_axis(found, picked, axis=1).mean(), rel=0.01)
    assert np.take_along_axis(forecast, picked, axis=1).mean() < 0.93 * came
