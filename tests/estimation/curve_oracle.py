"""The planning curve of one zone in plain Python, hour by hour, sharing no code with the package."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

Row = Mapping[str, Any]
Known = dict[int, float]

SD = {
    "measured": 0.03,
    "climatology": 0.17,
    "annual": 0.25,
    "country_annual": 0.38,
    "world": 0.60,
    "example": 0.10,
}
DOUBTFUL_SD = 0.08
FORECAST_SD = ((48, 0.13), (24, 0.11), (6, 0.09), (0, 0.07))
WEATHER_FADE, LASTING, LASTING_FADE, ANNUAL_FADE = 24.0, 0.4, 240.0, 168.0
FIRST_SURE, SURE_FADE = 0.54, 36.0


class Hour(NamedTuple):
    """An hour of a curve, or all hours behind it."""

    value: float
    kind: str
    sd: float


@dataclass(frozen=True)
class Usual:
    """What is usual in a zone: by hour of the week, or one mean for all hours."""

    week: list[float]
    sd: float | None
    kind: str

    def left(self, age: float) -> float:
        """Share of an anomaly that is left hours after the last known one."""
        if self.sd is None:
            return math.exp(-age / ANNUAL_FADE)
        return (1 - LASTING) * math.exp(-age / WEATHER_FADE) + LASTING * math.exp(-age / LASTING_FADE)


class ZoneCurve:
    """Curve of a zone from the rows that may be used, newest fetch last; hours count from the start of the curve."""

    def __init__(self, rows: Sequence[Row], start: datetime, horizon: int, annual: tuple[float, str]) -> None:
        self.start, self.horizon = start, horizon
        newest: dict[tuple[str, int], Row] = {}
        for row in rows:
            at = (row["hour_start_utc"] - start) // timedelta(hours=1)
            newest[row["intensity_kind"], at] = row
        self.newest = newest
        past = {
            at: self._value(row)
            for (kind, at), row in newest.items()
            if kind == "measured" and -2160 <= at < 0
        }
        self.usual = usual_of(past, start, annual)
        self.filled: set[tuple[str, int]] = set()
        measured = past | self._with_gaps("measured")
        forecast = {at: v for at, v in self._with_gaps("forecast").items() if 0 <= at < horizon}
        self.measured = {at: v for at, v in measured.items() if at < 0 or at < horizon}
        self.forecast = self._expected(forecast)
        self.known = {at: v for at, (v, _) in self.forecast.items()} | self.measured

    @staticmethod
    def _value(row: Row) -> float:
        return float(row["carbon_intensity_gco2e_per_kwh"])

    def _with_gaps(self, kind: str) -> Known:
        """Hours of a kind from the first one on, with short gaps filled."""
        rows = {at: row for (one, at), row in self.newest.items() if one == kind and at >= -4}
        filled = {at: self._value(row) for at, row in rows.items() if at >= 0}
        hours = sorted(rows)
        for left, right in pairwise(hours):
            same = kind == "measured" or rows[left]["issued_at_utc"] == rows[right]["issued_at_utc"]
            if 2 <= right - left <= 4 and same:
                for at in range(max(left + 1, 0), right):
                    share = (at - left) / (right - left)
                    filled[at] = (1 - share) * self._value(rows[left]) + share * self._value(rows[right])
                    self.filled.add((kind, at))
        return filled

    def usual_at(self, at: int) -> float:
        return self.usual.week[_week_hour(self.start, at)]

    def departure(self, known: Known, at: int) -> tuple[float, float]:
        """Anomaly that is left in an hour, and the age of the last known hour."""
        before = [one for one in known if one <= at]
        if not before or math.isnan(self.usual_at(at)):
            return 0.0, math.inf
        last = max(before)
        day = sum(known[h] - self.usual_at(h) for h in range(last - 23, last + 1) if h in known) / 24
        return day * self.usual.left(at - last), float(at - last)

    def climate_sd(self, age: float) -> float:
        assert self.usual.sd is not None
        return self.usual.sd * math.sqrt(1 - FIRST_SURE * math.exp(-age / SURE_FADE))

    def _expected(self, forecast: Known) -> dict[int, tuple[float, float]]:
        """Forecasts drawn towards what would be expected without them, with their standard deviation."""
        if not forecast:
            return {}
        mean, n = sum(forecast.values()) / len(forecast), len(forecast)
        climate = self.usual.sd is not None
        centres = {}
        for at in range(self.horizon):
            left, age = self.departure(self.measured, at) if climate else (0.0, 0.0)
            centres[at] = (max(self.usual_at(at) + left, 0.0), age) if climate else (mean, 0.0)
        level = sum(centre for centre, _ in centres.values()) / len(centres)
        usual = {
            at: SD["climatology"] * level if not climate else self.climate_sd(age)
            for at, (_, age) in centres.items()
        }
        own = sum(
            (v - centres[at][0]) ** 2 - (self._forecast_sd(at) * level) ** 2 for at, v in forecast.items()
        )
        typical = sum(usual[at] ** 2 for at in forecast)
        restless = (n * max(own, 0.0) / typical + 24) / (n + 24) if typical > 0 else 1.0
        expected = {}
        for at, said in forecast.items():
            centre, _ = centres[at]
            error = self._forecast_sd(at) * level
            variance = restless * usual[at] ** 2
            total = variance + error**2
            slope = variance / total if total > 0 else 1.0
            value = max(centre + slope * (said - centre), 0.0)
            expected[at] = value, math.hypot(math.sqrt(slope) * error, SD["measured"] * value)
        return expected

    def _forecast_sd(self, at: int) -> float:
        left = max(h for kind, h in self.newest if kind == "forecast" and h <= at)
        row = self.newest["forecast", left]
        issued = row["issued_at_utc"] or row["fetched_at_utc"]
        lead = max((self.start + timedelta(hours=at) - issued) / timedelta(hours=1), 0.0)
        return next(sd for least, sd in FORECAST_SD if lead >= least)

    def rest(self, at: int) -> float:
        """What an hour is expected to be that nothing is known of."""
        usual = self.usual_at(at)
        lowest = min([usual, *self.known.values()])
        return max(usual + self.departure(self.known, at)[0], lowest)

    def at(self, at: int) -> Hour:
        climate = self.usual.sd is not None
        if at in self.measured:
            estimated = (
                self.newest.get(("measured", at), {}).get("is_estimated") or ("measured", at) in self.filled
            )
            return Hour(
                self.measured[at],
                "measured",
                self.measured[at] * (DOUBTFUL_SD if estimated else SD["measured"]),
            )
        if at in self.forecast:
            return Hour(self.forecast[at][0], "forecast", self.forecast[at][1])
        if not climate and ("example", at) in self.newest:
            return flat_hour(self._value(self.newest["example", at]), "example")
        value = self.rest(at)
        if not climate:
            return flat_hour(value, self.usual.kind)
        sd = self.climate_sd(self.departure(self.known, at)[1])
        return Hour(value, "climatology", math.hypot(sd, SD["measured"] * value))

    def tail(self) -> Hour:
        week = [self.rest(at) for at in range(self.horizon, self.horizon + 168)]
        value = max(sum(week[:24]) / 24, sum(week) / 168)
        if self.usual.sd is None:
            return flat_hour(value, self.usual.kind)
        mean = sum(self.usual.week) / 168
        pattern = sum((one - mean) ** 2 for one in self.usual.week) / 168
        sd = math.sqrt(self.usual.sd**2 + pattern + (SD["measured"] * value) ** 2)
        return Hour(value, "climatology", sd)


def flat_hour(value: float, kind: str) -> Hour:
    """An hour that only an annual mean is known of."""
    return Hour(value, kind, SD[kind] * value)


def _week_hour(start: datetime, at: int) -> int:
    moment = start + timedelta(hours=at)
    return moment.weekday() * 24 + moment.hour


def usual_of(past: Known, start: datetime, annual: tuple[float, str]) -> Usual:
    """What is usual, from measured hours before the start (as negative hours)."""
    if len(past) < 20:
        return Usual([annual[0]] * 168, None, annual[1])
    weight = {at: math.exp(at / 24 / 10) for at in past}
    fast = {at: math.exp(at / 24 / 14) for at in past}
    slow = {at: math.exp(at / 24 / 60) for at in past}
    of_day: dict[int, list[int]] = {}
    of_week: dict[int, list[int]] = {}
    for at in past:
        of_day.setdefault(_week_hour(start, at) % 24, []).append(at)
        of_week.setdefault(_week_hour(start, at), []).append(at)

    def mean(hours: Sequence[int], weights: Known, values: Known) -> float:
        return sum(weights[at] * values[at] for at in hours) / sum(weights[at] for at in hours)

    everything = list(past)
    days = sum(weight.values()) / 24
    level = mean(everything, weight, past)
    if not math.isnan(annual[0]):
        level = (days * level + annual[0]) / (days + 1)
    by_day = {hour: mean(hours, fast, past) for hour, hours in of_day.items()}
    middle = sum(by_day.values()) / len(by_day)
    pattern = [0.0] * 24
    for hour, hours in of_day.items():
        n = sum(fast[at] for at in hours)
        pattern[hour] = (by_day[hour] - middle) * n / (n + 1)
    rest = {at: value - pattern[_week_hour(start, at) % 24] for at, value in past.items()}
    centre = mean(everything, slow, rest)
    week = [level + pattern[hour % 24] for hour in range(168)]
    for hour, hours in of_week.items():
        week[hour] += sum(slow[at] * (rest[at] - centre) for at in hours) / (
            sum(slow[at] for at in hours) + 10
        )
    squares = {at: (value - week[_week_hour(start, at)]) ** 2 for at, value in past.items()}
    own = 1.15**2 * mean(everything, weight, squares)
    sd = math.sqrt((days * own + 7 * (SD["climatology"] * level) ** 2) / (days + 7))
    return Usual([max(one, 0.0) for one in week], sd, "climatology")
