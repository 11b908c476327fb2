"""Errors of forecasts by zone and lead, learnt from an archive of forecasts beside what was measured later."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.grid.climatology import DAYS_OF_LEVEL, climatology
from opencarbon.estimation.grid.forecast_error import LEAD_FROM_H, PRIOR, ForecastError
from opencarbon.estimation.grid.joins import share_left
from opencarbon.units import SECONDS_PER_HOUR

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_DAYS: Final = 30
"""Days of issues, of some zone, that an archive must hold before anything is learnt from it."""

DAYS_OF_ARCHIVE: Final = 60
"""Older issues are not used: forecasts and grids change. Assumed: twice what is needed."""

_LEVEL_DECAY: Final = float(np.exp(-1.0 / (DAYS_OF_LEVEL * 24)))
"""Weight of an hour in the level over that of the next one, as in the climatology."""

_LEADS: Final = len(LEAD_FROM_H)
_COLUMNS: Final = [
    *("zone", "issued_at_utc", "hour_start_utc"),
    *("forecast_gco2e_per_kwh", "measured_gco2e_per_kwh"),
]


class _Issued(NamedTuple):
    """Forecasts that came true or did not, each of shape (forecasts,); hours count from the first one measured."""

    zone: Integers
    issue_h: Integers
    hour: Integers
    lead: Integers
    forecast: Floats
    measured: Floats


def learn_forecast_error(archive: pa.Table) -> ForecastError:
    """Learn how far forecasts were off, and how much of what they said came true.

    Parameters
    ----------
    archive : pa.Table
        zone, issued_at_utc, hour_start_utc, forecast_gco2e_per_kwh and measured_gco2e_per_kwh, which is null where it
        is not known; every issue of every hour.

    Returns
    -------
    ForecastError
        What is assumed beforehand where no zone has issues of 30 days.

    Notes
    -----
    A departure is counted from what would have been expected at the issue without a forecast: the pattern of the week
    over the whole archive, on the level of the hours before the issue, with the fading anomaly of the last day. Its
    pattern knows the hours it is compared with, so that it is a little too good and the slope a little too small.
    """
    came_true = archive.select(_COLUMNS).filter(pc.is_valid(archive["measured_gco2e_per_kwh"]))
    if not came_true.num_rows:
        return PRIOR
    frame = came_true.to_pandas(categories=["zone"])
    rows, names, first = _issued(frame)
    days = _days_of_issues(rows, len(names))
    if days.max() < LEAST_DAYS:
        return PRIOR
    measured = _measured(rows, len(names))
    usual = _usual_at_issue(measured, rows, first)
    mean = np.nanmean(measured, axis=1)[rows.zone]
    mean = np.where(mean > 0, mean, np.nan)
    said, came = (rows.forecast - usual) / mean, (rows.measured - usual) / mean
    usable = np.isfinite(said) & np.isfinite(came)
    cell = rows.zone * _LEADS + rows.lead

    def means(values: Floats) -> Floats:
        sums = np.bincount(cell[usable], values[usable], minlength=len(names) * _LEADS)
        count = np.bincount(cell[usable], minlength=len(names) * _LEADS)
        mean = np.divide(sums, count, out=np.full(len(sums), np.nan), where=count > 0)
        return np.asarray(mean).reshape(-1, _LEADS)

    error, both, squared, truth = (
        means((said - came) ** 2),
        means(said * came),
        means(said**2),
        means(came**2),
    )
    slope = np.clip(
        np.divide(both, squared, out=np.where(np.isnan(both), np.nan, 1.0), where=squared > 0), 0.0, 1.0
    )
    left = np.sqrt(np.maximum(truth - 2 * slope * both + slope**2 * squared, 0.0))
    return _pooled(tuple(names), days, np.sqrt(error), slope, left)


def _issued(frame: pd.DataFrame) -> tuple[_Issued, list[str], pd.Timestamp]:
    """Forecasts as numbers, the names of their zones, and the first hour."""
    code, names = pd.factorize(frame["zone"], sort=True)
    first = min(frame["hour_start_utc"].min(), frame["issued_at_utc"].min()).floor("h")
    hour = (frame["hour_start_utc"] - first) // pd.Timedelta(hours=1)
    lead_h = (frame["hour_start_utc"] - frame["issued_at_utc"]).dt.total_seconds() / SECONDS_PER_HOUR
    lead = np.clip(np.searchsorted(LEAD_FROM_H, lead_h, side="right") - 1, 0, None)
    issue = (frame["issued_at_utc"] - first) // pd.Timedelta(hours=1)
    return (
        _Issued(
            zone=np.asarray(code, dtype=np.int64),
            issue_h=issue.to_numpy(np.int64),
            hour=hour.to_numpy(np.int64),
            lead=np.asarray(lead, dtype=np.int64),
            forecast=frame["forecast_gco2e_per_kwh"].to_numpy(np.float64),
            measured=frame["measured_gco2e_per_kwh"].to_numpy(np.float64),
        ),
        list(names),
        first,
    )


def _days_of_issues(rows: _Issued, zones: int) -> Floats:
    """Days on which forecasts of each zone were issued."""
    days = int(rows.issue_h.max()) // 24 + 1
    pairs = np.unique(rows.zone * days + rows.issue_h // 24)
    return np.bincount(pairs // days, minlength=zones).astype(np.float64)


def _measured(rows: _Issued, zones: int) -> Floats:
    series = np.full((zones, int(max(rows.hour.max(), rows.issue_h.max())) + 1), np.nan)
    series[rows.zone, rows.hour] = rows.measured
    return series


def _usual_at_issue(measured: Floats, rows: _Issued, first: pd.Timestamp) -> Floats:
    """What would have been expected of each hour at the issue of its forecast; NaN before a day was measured."""
    from scipy.signal import lfilter  # slow to import, and needed only where an archive is learnt from

    zones, hours = measured.shape
    first_hour_of_week = first.day_of_week * 24 + first.hour
    usual = climatology(measured, (first_hour_of_week + hours) % 168, np.full(zones, np.nan)).usual
    pattern = usual - usual.mean(axis=1, keepdims=True)
    known = np.isfinite(measured)
    rest = np.where(known, measured - pattern[:, (first_hour_of_week + np.arange(hours)) % 168], 0.0)
    rest, known = np.nan_to_num(rest), known & np.isfinite(rest)
    decay = [1.0, -_LEVEL_DECAY]
    weight = lfilter([1.0], decay, known, axis=1)
    total = lfilter([1.0], decay, rest, axis=1)
    level = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    # hours before the issue: those up to the last whole one
    at = np.maximum(rows.issue_h - 1, 0)
    day = (
        np.cumsum(np.pad(known, ((0, 0), (24, 0))), axis=1),
        np.cumsum(np.pad(rest, ((0, 0), (24, 0))), axis=1),
    )
    count, sums = (one[rows.zone, at + 24] - one[rows.zone, at] for one in day)
    before = np.where(rows.issue_h > 0, level[rows.zone, at], np.nan)
    anomaly = (sums - count * np.nan_to_num(before)) / 24.0
    age = (rows.hour - at).astype(np.float64)
    week = (first_hour_of_week + rows.hour) % 168
    return np.asarray(pattern[rows.zone, week] + before + anomaly * share_left(age))


def _pooled(
    names: tuple[str, ...], days: Floats, error: Floats, slope: Floats, left: Floats
) -> ForecastError:
    """What each zone showed, and the median of the zones for all others; a lead never seen has that before it."""
    some: npt.NDArray[np.bool_] = np.any(np.isfinite(error), axis=1)
    if not some.any():
        return PRIOR
    error, slope, left = (
        pd.DataFrame(values[some]).ffill(axis=1).bfill(axis=1).to_numpy() for values in (error, slope, left)
    )
    return ForecastError(
        relative_sd=np.median(error, axis=0),
        zones=tuple(name for name, has in zip(names, some, strict=True) if has),
        days=days[some],
        zone_relative_sd=error,
        slope=slope,
        left_relative_sd=left,
    )
