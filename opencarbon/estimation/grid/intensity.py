"""One planning curve per zone: the best intensity known for every hour ahead, and what it stands on.

An hour takes the first of: measured, forecast, what is usual in that hour of the week (climatology), the example series,
the annual mean of the zone, of its country where the country is one zone, of the world. Forecasts are drawn towards the
usual by how unreliable they are; the usual is joined by the anomaly of the last known day, which fades; see
:mod:`opencarbon.estimation.grid.blending`. Every hour says its kind. Behind the zones stand flat curves for places without a
zone: one per country that is one zone, and the world.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.grid.blending import Blend, blend
from opencarbon.estimation.grid.curves import KIND_CODE, KINDS, RELATIVE_SD, PlanningCurves
from opencarbon.estimation.grid.forecast_error import PRIOR, ForecastError
from opencarbon.estimation.grid.grid_layers import (
    WORLD,
    annual_means,
    hourly_rows,
    layers,
    measured_sources,
    usable_rows,
    with_short_gaps,
)
from opencarbon.tables.inputs import FLOW_TRACED
from opencarbon.units import whole_hour

__all__ = ["KIND_CODE", "PlanningCurves", "hours_after", "planning_curves", "stand_in"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]


def planning_curves(
    grid: pa.Table,
    zones: pa.Table,
    as_of_utc: datetime,
    *,
    horizon_hours: int,
    emission_factor_type: str,
    accounting_basis: str = FLOW_TRACED,
    forecast_error: ForecastError = PRIOR,
) -> PlanningCurves:
    """Join what is known about every zone into one curve each.

    Parameters
    ----------
    grid : pa.Table
        ``GRID_INTENSITY``: measured, forecast and example rows known at ``as_of_utc``.
    zones : pa.Table
        ``dim_zone``, with the zone ``WORLD``.
    as_of_utc : datetime
        Aware.
    horizon_hours : int
        Hours ahead before the tail.
    emission_factor_type : str
        Only rows of this type are used; the annual means are lifecycle means.
    accounting_basis : str, optional
        Only rows of this basis are used; the annual means are flow-traced.
    forecast_error : ForecastError, optional
        What forecasts are worth by lead; what is assumed beforehand if not given.

    Returns
    -------
    PlanningCurves
    """
    start = whole_hour(as_of_utc)
    hours = pd.date_range(start, periods=horizon_hours, freq="h", unit="us")
    flats = _flats(zones, emission_factor_type, accounting_basis)
    names = [name for name in flats if name in set(zones["zone"].to_pylist()) - {WORLD}]
    flat = np.array([one.gco2e_per_kwh for one in flats.values()])
    flat_kinds = np.array([KIND_CODE[one.kind] for one in flats.values()], dtype=np.int64)
    flat_sources = np.array([one.source_id for one in flats.values()], dtype=object)
    frame = usable_rows(grid, names, emission_factor_type, accounting_basis)
    frame = with_short_gaps(frame, start)
    named = blend(
        names,
        layers(frame, names, start, horizon_hours),
        flat[: len(names)],
        flat_kinds[: len(names)],
        start.weekday() * 24 + start.hour,
        forecast_error,
    )
    curves = _with_flat(named, flat[len(names) :], flat_kinds[len(names) :])
    hourly = hourly_rows(
        names,
        hours,
        named.values,
        np.array(KINDS, dtype=object)[named.kinds],
        frame,
        flat_sources[: len(names)],
        emission_factor_type,
    )
    by_measurement = measured_sources(frame)
    tail_sources = [
        by_measurement[zone] if kind == KIND_CODE["climatology"] else source
        for zone, kind, source in zip(flats, curves.tail_kinds, flat_sources, strict=True)
    ]
    return PlanningCurves(
        start_utc=start,
        now_h=hours_after(start, as_of_utc),
        zones=tuple(flats),
        sources=_sources(hourly, tuple(flats), curves.tail_kinds, np.array(tail_sources, dtype=object)),
        hourly=hourly,
        **curves._asdict(),
    )


def _with_flat(named: Blend, flat: Floats, kinds: Integers) -> Blend:
    """Curves of zones, and flat ones behind them."""
    sd = np.array([RELATIVE_SD[KINDS[kind]] for kind in kinds]) * flat
    horizon = named.values.shape[1]

    def over_hours(ahead: npt.NDArray[Any], value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.vstack([ahead, np.repeat(value[:, None], horizon, axis=1)])

    return Blend(
        values=over_hours(named.values, flat),
        sd=over_hours(named.sd, sd),
        kinds=over_hours(named.kinds, kinds),
        tail=np.append(named.tail, flat),
        tail_sd=np.append(named.tail_sd, sd),
        tail_kinds=np.append(named.tail_kinds, kinds),
    )


def hours_after(start_utc: datetime, moment_utc: datetime) -> float:
    """Hours from one moment to another, to the microsecond.

    Parameters
    ----------
    start_utc, moment_utc : datetime
        Aware.

    Returns
    -------
    float
        [h]
    """
    return (moment_utc - start_utc) // timedelta(microseconds=1) / 3.6e9


class _Flat(NamedTuple):
    gco2e_per_kwh: float
    kind: str
    source_id: str | None


def _flats(zones: pa.Table, emission_factor_type: str, accounting_basis: str) -> dict[str, _Flat]:
    """The mean that holds where nothing else is known, by curve: zones, countries that are one zone, the world."""
    means, whole, sources = annual_means(zones, emission_factor_type, accounting_basis)

    def flat(zone: str, kind: str) -> _Flat:
        return _Flat(means.get(zone, float("nan")), kind, sources.get(zone))

    def of_zone(zone: str, country: str | None) -> _Flat:
        if zone in means:
            return flat(zone, "annual")
        return flat(whole[country], "country_annual") if country in whole else flat(WORLD, "world")

    rows = {row["zone"]: row["country_code"] for row in zones.to_pylist() if row["zone"] != WORLD}
    flats = {zone: of_zone(zone, rows[zone]) for zone in sorted(rows)}
    flats |= {stand_in(country): flat(whole[country], "country_annual") for country in sorted(whole)}
    return flats | {WORLD: flat(WORLD, "world")}


def stand_in(country_code: str) -> str:
    """Name of the curve that stands in for a place without a zone in a country that is one zone.

    Parameters
    ----------
    country_code : str

    Returns
    -------
    str
    """
    return f"country:{country_code}"


def _sources(
    hourly: pa.Table, names: tuple[str, ...], tail_kinds: Integers, tail_sources: Objects
) -> Objects:
    sources = np.full((len(names), len(KINDS)), None, dtype=object)
    row = {name: at for at, name in enumerate(names)}
    distinct = hourly.select(["zone", "intensity_kind", "source_id"]).group_by(
        ["zone", "intensity_kind", "source_id"], use_threads=False
    )
    for zone, kind, source in zip(
        *(distinct.aggregate([])[name].to_pylist() for name in ("zone", "intensity_kind", "source_id")),
        strict=True,
    ):
        if sources[row[zone], KIND_CODE[kind]] is None:
            sources[row[zone], KIND_CODE[kind]] = source
    sources[np.arange(len(names)), tail_kinds] = tail_sources
    return sources
