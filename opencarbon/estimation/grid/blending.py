"""What is expected of every hour of a zone: the best kind of data known for it, joined to the next without a step."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.grid.climatology import Climatology, climatology
from opencarbon.estimation.grid.curves import ESTIMATED_RELATIVE_SD, KIND_CODE, KINDS, RELATIVE_SD
from opencarbon.estimation.grid.forecast_error import Expected, ForecastError
from opencarbon.estimation.grid.grid_layers import Layers
from opencarbon.estimation.grid.joins import Anomaly, anomaly

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_DAY_H: Final = 24
_WEEK_H: Final = 168

_SD_OF_KIND: Final = np.array([RELATIVE_SD.get(kind, np.nan) for kind in KINDS])
_MEASURED_SD: Final = RELATIVE_SD["measured"]


class Blend(NamedTuple):
    """Curves of zones; intensities and their standard deviations [gCO2e/kWh].

    Attributes
    ----------
    values, sd : ndarray of shape (zones, horizon)
        NaN where nothing is known.
    kinds : ndarray of int of shape (zones, horizon)
    tail, tail_sd : ndarray of shape (zones,)
        Behind the horizon.
    tail_kinds : ndarray of int of shape (zones,)
    """

    values: Floats
    sd: Floats
    kinds: Integers
    tail: Floats
    tail_sd: Floats
    tail_kinds: Integers


class _Usual(NamedTuple):
    """What is usual in every hour from the first of the history to a week behind the horizon, shape (zones, hours)."""

    values: Floats
    climate: Climatology
    hour_of_week: Integers

    @classmethod
    def of(cls, layers: Layers, annual: Floats, hour_of_week: int) -> "_Usual":
        climate = climatology(layers.history, hour_of_week, annual)
        past, horizon = layers.history.shape[1], layers.measured.shape[1]
        week = (hour_of_week + np.arange(-past, horizon + _WEEK_H)) % _WEEK_H
        values = np.where(climate.known[:, None], climate.usual[:, week], annual[:, None])
        return cls(values, climate, week)

    def sd(self, departure: Anomaly) -> Floats:
        """Standard deviation of an hour that only a climatology knows; NaN without one."""
        return self.climate.sd[:, None] * departure.sd_factor()


def blend(
    names: list[str],
    layers: Layers,
    annual: Floats,
    annual_kinds: Integers,
    hour_of_week: int,
    error: ForecastError,
) -> Blend:
    """Join what is known about zones into one curve each.

    A measured hour is taken as it is. A forecast is drawn towards what would be expected without it, see
    :mod:`opencarbon.estimation.grid.forecast_error`. Every other hour is the climatology, else the annual mean, with what is
    left of the anomaly of the last known day; it is no lower than the lowest hour known. An example is put over the
    annual mean. Behind the horizon the value is flat: the higher of the means over the first day and the first week there,
    so that neither a short run nor a long one is promised more than it will find.

    Parameters
    ----------
    names : list of str
        Zones.
    layers : Layers
    annual : ndarray of shape (zones,)
        Mean that holds where nothing else is known; NaN where there is none [gCO2e/kWh].
    annual_kinds : ndarray of int of shape (zones,)
        Kind of that mean.
    hour_of_week : int
        Of the first hour of the curves, from Monday 00:00 UTC.
    error : ForecastError

    Returns
    -------
    Blend
    """
    past, horizon = layers.history.shape[1], layers.measured.shape[1]
    usual = _Usual.of(layers, annual, hour_of_week)
    ahead = slice(past, past + horizon)
    forecast = _expected_forecast(names, layers, usual, error)
    known = np.full(usual.values.shape, np.nan)
    known[:, :past] = layers.history
    known[:, ahead] = np.where(np.isfinite(layers.measured), layers.measured, forecast.value)
    departure = anomaly(known, usual.values)
    rest = np.maximum(usual.values + departure.faded(usual.climate.known), _lowest(known, usual.values))
    values, climate = rest[:, ahead], usual.climate
    kinds = np.where(climate.known, KIND_CODE["climatology"], annual_kinds)
    usual_sd = np.hypot(usual.sd(departure)[:, ahead], _MEASURED_SD * values)
    sd = np.where(climate.known[:, None], usual_sd, _SD_OF_KIND[annual_kinds][:, None] * values)
    behind = rest[:, past + horizon :]
    tail = np.maximum(behind[:, :_DAY_H].mean(axis=1), behind.mean(axis=1))
    # one value for all hours of the day: their pattern is part of its error
    pattern_sd = np.hypot(climate.sd, climate.usual.std(axis=1))
    return Blend(
        *_with_known(layers, forecast, values, sd, kinds),
        tail=tail,
        tail_sd=np.where(
            climate.known, np.hypot(pattern_sd, _MEASURED_SD * tail), _SD_OF_KIND[annual_kinds] * tail
        ),
        tail_kinds=kinds,
    )


def _with_known(
    layers: Layers, forecast: Expected, values: Floats, sd: Floats, kinds: Integers
) -> tuple[Floats, Floats, Integers]:
    """Put what is known over what is usual, whose kind is that of the zone: values, standard deviations and kinds."""
    over_kinds = np.repeat(kinds[:, None], values.shape[1], axis=1)
    is_poorer = (kinds != KIND_CODE["climatology"])[:, None]
    vague = np.where(layers.is_doubtful, ESTIMATED_RELATIVE_SD, _MEASURED_SD)
    for kind, layer, layer_sd in (
        ("example", np.where(is_poorer, layers.example, np.nan), RELATIVE_SD["example"] * layers.example),
        ("forecast", forecast.value, np.hypot(forecast.sd, _MEASURED_SD * forecast.value)),
        ("measured", layers.measured, vague * layers.measured),
    ):
        has = np.isfinite(layer)
        values, sd = np.where(has, layer, values), np.where(has, layer_sd, sd)
        over_kinds = np.where(has, KIND_CODE[kind], over_kinds)
    return values, sd, over_kinds


def _expected_forecast(names: list[str], layers: Layers, usual: _Usual, error: ForecastError) -> Expected:
    """What is expected of the hours that have a forecast: that of the zone's own history, else of its forecasts alone."""
    past, horizon = layers.history.shape[1], layers.measured.shape[1]
    measured = np.hstack([layers.history, layers.measured])
    values = usual.values[:, : past + horizon]
    departure = anomaly(measured, values)
    is_climate = usual.climate.known
    without = np.where(is_climate[:, None], values + departure.faded(is_climate), np.nan)
    return error.expect(
        names,
        layers.forecast,
        layers.lead_h,
        np.maximum(without, 0.0)[:, past:],
        usual.sd(departure)[:, past:],
    )


def _lowest(known: Floats, usual: Floats) -> Floats:
    """Lowest hour known of each zone, but no higher than what is usual; shape (zones, hours)."""
    lowest = np.where(np.isfinite(known), known, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    return np.asarray(np.minimum(lowest, usual))
