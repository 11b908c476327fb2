"""Planning curves: carbon intensity ahead by zone, every hour with its kind, and what a run on them is exposed to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.grid.grid_layers import WORLD

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

KINDS: Final = (
    "measured",
    "forecast",
    "climatology",
    "annual",
    "country_annual",
    "world",
    "example",
    "fixed",
)
"""Kinds of intensity from best to poorest; a made-up example taints all it touches, so it stands behind the world."""

KIND_CODE: Final = {kind: code for code, kind in enumerate(KINDS)}
MISSING: Final = -1

RELATIVE_SD: Final = {
    # Electricity Maps re-fetches its sources for months; grids moved by 1-8 % between two vintages of one year.
    "measured": 0.03,
    # An hour against the mean of the year before: median over 120 zones of 2022, 26 % (day means 20 %).
    "annual": 0.25,
    # Assumed: half as wide again, for the grids a country's mean averages over.
    "country_annual": 0.38,
    # Assumed: the interquartile range of zones about the world's mean is a factor of three.
    "world": 0.60,
    # Made up; carried like a forecast so that intervals can be seen.
    "example": 0.10,
}
"""Standard deviation of an hour over its intensity, for kinds that do not bring their own; errors are taken as common to
all hours of a job, which makes long jobs look less sure than they are: a mean over 48 h is off by 0.76 of an hour's."""

ESTIMATED_RELATIVE_SD: Final = 0.08
"""The same for a measured hour that its source calls an estimate, or that fills a short gap: the upper end of the moves
between two vintages of one year."""

TOUCH_H: Final = 1e-8
"""Less time than this in an hour is rounding: the hour is not touched [h]."""

_AHEAD: Final = ("measured", "forecast", "example")
_WORLD_CODE: Final = KIND_CODE["world"]


class Exposure(NamedTuple):
    """Integrals of planning curves over stretches of time, each of shape (stretches,).

    Attributes
    ----------
    hours : ndarray
        Length [h].
    intensity_hours : ndarray
        Integral of the carbon intensity [gCO2e/kWh x h]; NaN where an hour is not known.
    sd_hours : ndarray
        Integral of its standard deviation [gCO2e/kWh x h].
    forecast_hours : ndarray
        Hours that a forecast, a measurement or an example covers [h].
    kind : ndarray of int
        Code of the poorest kind touched; ``MISSING`` where an hour is not known.
    rankable : ndarray of bool
        Every hour is known, and none by the mean of the world, which reports and never ranks.
    """

    hours: Floats
    intensity_hours: Floats
    sd_hours: Floats
    forecast_hours: Floats
    kind: Integers
    rankable: Flags


@dataclass(frozen=True, slots=True)
class PlanningCurves:
    """Carbon intensity ahead, by zone.

    Parameters
    ----------
    start_utc : datetime
        Start of the first hour: ``as_of`` floored to the hour.
    now_h : float
        ``as_of``, from ``start_utc`` [h].
    zones : tuple of str
        Names of the curves: zones, sorted, then ``country:XX`` and the world for places without a zone.
    values : ndarray of shape (zones, horizon)
        [gCO2e/kWh]; NaN where nothing is known.
    sd : ndarray of shape (zones, horizon)
        Standard deviation of each hour [gCO2e/kWh]; NaN where nothing is known.
    kinds : ndarray of shape (zones, horizon)
        Codes into :data:`KINDS`.
    tail, tail_sd, tail_kinds : ndarray of shape (zones,)
        The same behind the horizon.
    sources : ndarray of object of shape (zones, kinds)
        ``source_id`` of each kind in each zone, None where the kind has no part in its curve.
    hourly : pa.Table
        ``fact_grid_intensity_hourly`` without ``run_id``.
    """

    start_utc: datetime
    now_h: float
    zones: tuple[str, ...]
    values: Floats
    sd: Floats
    kinds: Integers
    tail: Floats
    tail_sd: Floats
    tail_kinds: Integers
    sources: Objects
    hourly: pa.Table

    @property
    def horizon(self) -> int:
        """Number of hours before the tail."""
        return int(self.values.shape[1])

    @property
    def network_gco2e_per_kwh(self) -> float:
        """Intensity of the network between data centres, whose path is not known: the world's mean.

        Where that may not be used (it is a lifecycle mean), the mean of all known hours of all zones.
        """
        world = float(self.tail[self.zones.index(WORLD)])
        if np.isfinite(world):
            return world
        known = self.values[np.isfinite(self.values)]
        return float(known.mean()) if known.size else world

    def extended(self, hours: int) -> Floats:
        """Values with this many hours of the tail behind them, shape (zones, horizon + hours).

        Parameters
        ----------
        hours : int

        Returns
        -------
        ndarray
        """
        return np.hstack([self.values, np.repeat(self.tail[:, None], hours, axis=1)])

    def extended_kinds(self, hours: int) -> Integers:
        """Kinds with this many hours of the tail behind them, shape (zones, horizon + hours).

        Parameters
        ----------
        hours : int

        Returns
        -------
        ndarray of int
        """
        return np.hstack([self.kinds, np.repeat(self.tail_kinds[:, None], hours, axis=1)])

    def head_kinds(self) -> Integers:
        """Poorest kind before the horizon by zone, shape (zones,).

        Returns
        -------
        ndarray of int
        """
        return np.asarray(self.kinds.max(axis=1), dtype=np.int64)

    def exposure(self, zone: Integers, start_h: Floats, finish_h: Floats) -> Exposure:
        """Integrals over stretches of time.

        Parameters
        ----------
        zone : ndarray of int of shape (stretches,)
            Index of the zone; negative where there is none.
        start_h, finish_h : ndarray of shape (stretches,)
            Hours from ``start_utc``, not negative [h].

        Returns
        -------
        Exposure
        """
        known = zone >= 0
        stretch = _Stretch.of(np.where(known, zone, 0), start_h, finish_h, self.horizon)
        values, kinds = np.nan_to_num(self.extended(1)), self.extended_kinds(1)
        sd = np.nan_to_num(np.hstack([self.sd, self.tail_sd[:, None]]))
        missing = np.isnan(self.extended(1))
        kind = np.full(zone.shape, MISSING, dtype=np.int64)
        ahead, of_world = np.zeros(zone.shape), np.zeros(zone.shape)
        for code in np.unique(kinds):
            touched = stretch.integral((kinds == code).astype(np.float64))
            kind = np.where(touched > TOUCH_H, code, kind)
            ahead += touched if KINDS[code] in _AHEAD else 0.0
            of_world += touched if code == _WORLD_CODE else 0.0
        lost = ~known
        if missing.any():
            lost = lost | (stretch.integral(missing.astype(np.float64)) > TOUCH_H)
        return Exposure(
            hours=finish_h - start_h,
            intensity_hours=np.where(lost, np.nan, stretch.integral(values)),
            sd_hours=np.where(lost, np.nan, stretch.integral(sd)),
            forecast_hours=np.where(known, ahead, 0.0),
            kind=np.where(lost, MISSING, kind),
            rankable=~lost & (of_world <= TOUCH_H),
        )


class _Stretch(NamedTuple):
    """Stretches cut at hour boundaries: time in the first hour, whole hours, time in the last hour, time in the tail."""

    zone: Integers
    first: Integers
    first_h: Floats
    whole_from: Integers
    last: Integers
    last_h: Floats
    beyond_h: Floats

    @classmethod
    def of(cls, zone: Integers, start_h: Floats, finish_h: Floats, horizon: int) -> "_Stretch":
        start, finish = np.minimum(start_h, horizon), np.minimum(finish_h, horizon)
        first, last = start.astype(np.int64), finish.astype(np.int64)
        within = first == last
        return cls(
            zone=zone,
            first=first,
            first_h=np.where(within, finish - start, first + 1 - start),
            whole_from=np.where(within, first, first + 1),
            last=last,
            last_h=np.where(within, 0.0, finish - last),
            beyond_h=np.maximum(finish_h - horizon, 0.0) - np.maximum(start_h - horizon, 0.0),
        )

    def integral(self, rates: Floats) -> Floats:
        """Integral of hourly rates of shape (zones, horizon + 1), the last of which is that of the tail."""
        hours = rates.shape[1]
        sums = np.zeros(rates.shape)  # of the hours before each one
        np.cumsum(rates[:, :-1], axis=1, out=sums[:, 1:])
        before, flat, row = sums.ravel(), rates.ravel(), self.zone * hours
        return np.asarray(
            self.first_h * flat[row + self.first]
            + (before[row + self.last] - before[row + self.whole_from])
            + self.last_h * flat[row + self.last]
            + self.beyond_h * flat[row + hours - 1]
        )
