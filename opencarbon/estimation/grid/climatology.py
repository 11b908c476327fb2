"""What an hour of the week is usually like in a grid: a level, a pattern of the day and one of the week.

Every part is a mean over past hours whose weight fades with their age, drawn towards the next simpler part where few
hours stand behind it: the level towards the annual mean, the hour of the day towards the level, the hour of the week
towards the hour of the day. Recent weeks are the season: hours of the same season a year earlier, given any weight up
to that of the last weeks, left the error as it was (16.4 % of the mean at 1 to 24 h, last 45 days of 2022).

The constants were chosen on hourly intensities of 2022 of those of 123 zones whose name has an even SHA-256
(Electricity Maps, flow-traced lifecycle means), at 70 random moments. Root mean square errors over the other zones,
relative to their mean, 25 to 72 h ahead, joined by the anomaly of the last day: 20.6 % with one day of history, 17.9 %
with seven, 17.6 % with thirty or more; 29.0 % for the mean of the year before, 18.6 % for the same hour of the last seven
days.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DAYS_OF_HISTORY: Final = 90
"""Older hours are not used: 300 days are no better than 90 (errors within 0.02 % of the mean)."""

LEAST_HOURS: Final = 20
"""Measured hours from which a climatology is made: the last day, some hours of which are late. With one day it is already
better than the annual mean, even when that is joined by the anomaly of the same day (20.6 % against 21.7 % of the mean at
25 to 72 h)."""

RELATIVE_SD: Final = 0.17
"""Standard deviation of an hour about the climatology until the zone's own is known: same hour one to four days earlier
against the hour, median over 123 zones of 2022, 13-17 % of the mean."""

OUT_OF_SAMPLE: Final = 1.15
"""What the standard deviation of the hours that a climatology was made of is to be raised by for hours to come: root
mean square error at 72 to 168 h over that within the history, median over the zones of the fit."""

_HOURS_PER_DAY: Final = 24
_HOURS_PER_WEEK: Final = 168

DAYS_OF_LEVEL: Final = 10.0
"""Days in which the weight of an hour in the level falls to 1/e. The error is flat from 7 to 21 days; of these the one by
which what waiting is said to save came true: for jobs of 48 h that may wait one day, or five, 1.01 and 1.06 times what
was realised is claimed at 7 days and at 10, 1.01 and 1.08 at 14."""

# The same for the patterns. Of the day: flat from 7 to 30. Of the week: flat from 30 to 120.
_DAYS_OF_DAY_PATTERN: Final = 14.0
_DAYS_OF_WEEK_PATTERN: Final = 60.0

# Days, or weeks for an hour of the week, of history that weigh as much as the next simpler part. Level and pattern of the
# day: flat from 0 to 2; one keeps a single day from ruling. Pattern of the week: flat from 8 to 16; without it the error
# grows by 1 %.
_DAYS_OF_ANNUAL_MEAN: Final = 1.0
_DAYS_OF_FLAT_DAY: Final = 1.0
_WEEKS_OF_PLAIN_WEEK: Final = 10.0

_DAYS_OF_USUAL_SD: Final = 7.0
"""Assumed: days of history that weigh as much as the standard deviation of other zones."""


class Climatology(NamedTuple):
    """Usual carbon intensity of zones by hour of the week.

    Attributes
    ----------
    usual : ndarray of shape (zones, 168)
        By hour of the week from Monday 00:00 UTC [gCO2e/kWh]; NaN where the history is too short.
    sd : ndarray of shape (zones,)
        Standard deviation of an hour about it [gCO2e/kWh]; NaN where the history is too short.
    """

    usual: Floats
    sd: Floats

    @property
    def known(self) -> Flags:
        """Whether there is enough history, shape (zones,)."""
        return np.isfinite(self.sd)


def climatology(history: Floats, next_hour_of_week: int, annual: Floats) -> Climatology:
    """Learn what is usual from past hours.

    Parameters
    ----------
    history : ndarray of shape (zones, hours)
        Measured intensities up to now, the newest last; NaN where not known [gCO2e/kWh].
    next_hour_of_week : int
        Hours from Monday 00:00 UTC of the hour after the last one of the history.
    annual : ndarray of shape (zones,)
        Annual means; NaN where there is none, which leaves the level of the history alone [gCO2e/kWh].

    Returns
    -------
    Climatology
    """
    history = history[:, -DAYS_OF_HISTORY * _HOURS_PER_DAY :]
    back = np.arange(history.shape[1], 0, -1)
    week = (next_hour_of_week - back) % _HOURS_PER_WEEK
    known = np.isfinite(history)
    values = np.where(known, history, 0.0)
    age_days = back / _HOURS_PER_DAY
    level, days = _level(values, known * np.exp(-age_days / DAYS_OF_LEVEL), annual)
    day = _day_pattern(values, known * np.exp(-age_days / _DAYS_OF_DAY_PATTERN), week % _HOURS_PER_DAY)
    weight = known * np.exp(-age_days / _DAYS_OF_WEEK_PATTERN)
    usual = level[:, None] + day + _week_pattern(values - day[:, week], weight, week)
    sd = _sd(values - usual[:, week], known * np.exp(-age_days / DAYS_OF_LEVEL), days, level)
    enough = np.count_nonzero(known, axis=1) >= LEAST_HOURS
    return Climatology(
        usual=np.where(enough[:, None], np.maximum(usual, 0.0), np.nan), sd=np.where(enough, sd, np.nan)
    )


def _level(values: Floats, weight: Floats, annual: Floats) -> tuple[Floats, Floats]:
    """Level of the recent weeks, and the days of history behind it."""
    days = weight.sum(axis=1) / _HOURS_PER_DAY
    recent = _mean(values, weight)
    trust = np.where(np.isfinite(annual), days / (days + _DAYS_OF_ANNUAL_MEAN), 1.0)
    return trust * recent + (1.0 - trust) * np.nan_to_num(annual), days


def _day_pattern(values: Floats, weight: Floats, hour: Integers) -> Floats:
    """Hours of the day less the level, repeated over the week, shape (zones, 168)."""
    sums, days = _by(values * weight, hour, _HOURS_PER_DAY), _by(weight, hour, _HOURS_PER_DAY)
    mean = np.divide(sums, days, out=np.zeros_like(sums), where=days > 0)
    level = _mean(mean, (days > 0).astype(np.float64))
    pattern = np.where(days > 0, mean - level[:, None], 0.0) * days / (days + _DAYS_OF_FLAT_DAY)
    return np.tile(pattern, _HOURS_PER_WEEK // _HOURS_PER_DAY)


def _week_pattern(values: Floats, weight: Floats, week: Integers) -> Floats:
    """Hours of the week less the pattern of the day, shape (zones, 168)."""
    values = values - _mean(values, weight)[:, None]
    sums, weeks = _by(values * weight, week, _HOURS_PER_WEEK), _by(weight, week, _HOURS_PER_WEEK)
    return sums / (weeks + _WEEKS_OF_PLAIN_WEEK)


def _sd(residual: Floats, weight: Floats, days: Floats, level: Floats) -> Floats:
    own = OUT_OF_SAMPLE**2 * _mean(residual**2, weight)
    usual = (RELATIVE_SD * level) ** 2
    return np.sqrt((days * own + _DAYS_OF_USUAL_SD * usual) / (days + _DAYS_OF_USUAL_SD))


def _mean(values: Floats, weight: Floats) -> Floats:
    """Weighted mean over the last axis, 0 where there is no weight."""
    total = weight.sum(axis=1)
    mean = np.divide((values * weight).sum(axis=1), total, out=np.zeros(len(values)), where=total > 0)
    return np.asarray(mean, dtype=np.float64)


def _by(values: Floats, group: Integers, groups: int) -> Floats:
    """Sums over the last axis by group, shape (zones, groups)."""
    return np.asarray(values @ np.eye(groups)[group])
