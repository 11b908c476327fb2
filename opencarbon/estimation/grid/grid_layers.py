"""What is known of the grid hour by hour, one layer per kind of intensity."""

from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.grid.climatology import DAYS_OF_HISTORY
from opencarbon.tables.inputs import FLOW_TRACED, with_accounting_basis
from opencarbon.units import SECONDS_PER_HOUR

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

WORLD: Final = "WORLD"
"""Row of the annual means that stands for the world."""

LONGEST_GAP_H: Final = 3
"""Hours of a gap that is filled: root mean square error 2.3, 3.3 and 4.4 % of the mean for 1, 2 and 3 h, 6.9 % for 6 h
(median over 59 zones of 2022); the climatology is 15 % off."""

INTENSITY: Final = "carbon_intensity_gco2e_per_kwh"
_HOUR: Final = pd.Timedelta(hours=1)


def usable_rows(
    grid: pa.Table, names: list[str], emission_factor_type: str, accounting_basis: str = FLOW_TRACED
) -> pd.DataFrame:
    """Known intensities of these zones, the newest of each zone, hour and kind.

    Parameters
    ----------
    grid : pa.Table
        ``GRIDINTENSITY``.
    names : list of str
        Zones.
    emission_factor_type : str
    accounting_basis : str, optional
        One of :data:`opencarbon.tables.inputs.ACCOUNTING_BASES`.

    Returns
    -------
    pd.DataFrame
    """
    frame = with_accounting_basis(grid).to_pandas()
    is_comparable = (frame["emission_factor_type"] == emission_factor_type) & (
        frame["accounting_basis"] == accounting_basis
    )
    frame = frame[is_comparable & frame["zone"].isin(names)]
    frame = frame[frame[INTENSITY].notna()]
    newest_last = frame.sort_values(["fetched_at_utc", "issued_at_utc"], na_position="first", kind="stable")
    return newest_last.drop_duplicates(["zone", "hour_start_utc", "intensity_kind"], keep="last")


class Layers(NamedTuple):
    """What is known hour by hour [gCO2e/kWh], NaN where it is not.

    Attributes
    ----------
    history : ndarray of shape (zones, hours)
        Measured before the curve begins, the newest hour last.
    measured, forecast, example : ndarray of shape (zones, horizon)
    is_doubtful : ndarray of bool of shape (zones, horizon)
        The measured value is an estimate of its source, or fills a short gap.
    lead_h : ndarray of shape (zones, horizon)
        From the issue of the forecast, else its fetch, to the start of the hour [h].
    """

    history: Floats
    measured: Floats
    forecast: Floats
    example: Floats
    is_doubtful: Flags
    lead_h: Floats


def layers(frame: pd.DataFrame, names: list[str], start_utc: datetime, horizon_hours: int) -> Layers:
    """Hourly intensities by kind.

    Parameters
    ----------
    frame : pd.DataFrame
        What :func:`with_short_gaps` gave.
    names : list of str
        Zones.
    start_utc : datetime
        Start of the first hour of the curve.
    horizon_hours : int

    Returns
    -------
    Layers
    """
    at = ((frame["hour_start_utc"] - start_utc) // _HOUR).to_numpy(np.int64)
    zone = pd.Index(names).get_indexer(pd.Index(frame["zone"]))
    kind, value = frame["intensity_kind"].to_numpy(), frame[INTENSITY].to_numpy(np.float64)
    issued = frame["issued_at_utc"].fillna(frame["fetched_at_utc"])
    lead_h = np.asarray(
        (frame["hour_start_utc"] - issued).dt.total_seconds() / SECONDS_PER_HOUR, dtype=np.float64
    )
    doubtful = (frame["is_estimated"].fillna(False) | frame["is_interpolated"]).to_numpy(bool)
    ahead = (at >= 0) & (at < horizon_hours)

    def wide(values: Floats, of_kind: str) -> Floats:
        some = ahead & (kind == of_kind)
        filled = np.full((len(names), horizon_hours), np.nan)
        filled[zone[some], at[some]] = values[some]
        return filled

    past = (
        (kind == "measured")
        & (at < 0)
        & (at >= -DAYS_OF_HISTORY * 24)
        & ~frame["is_interpolated"].to_numpy(bool)
    )
    history = np.full((len(names), int(-at[past].min(initial=0))), np.nan)
    history[zone[past], at[past]] = value[past]
    return Layers(
        history=history,
        measured=wide(value, "measured"),
        forecast=wide(value, "forecast"),
        example=wide(value, "example"),
        is_doubtful=wide(doubtful.astype(np.float64), "measured") == 1.0,
        lead_h=np.maximum(wide(lead_h, "forecast"), 0.0),
    )


def with_short_gaps(frame: pd.DataFrame, start_utc: datetime) -> pd.DataFrame:
    """Fill gaps of up to three hours between known hours of one kind, and of one issue of a forecast, linearly.

    Parameters
    ----------
    frame : pd.DataFrame
        What :func:`usable_rows` gave.
    start_utc : datetime
        Gaps that end before are left: nothing runs in them.

    Returns
    -------
    pd.DataFrame
        With ``is_interpolated``; hours that were filled have the source and the issue of the hour before the gap, and
        are not said to be estimates of the source.
    """
    frame = frame.assign(is_interpolated=False, is_estimated=frame["is_estimated"].astype("boolean"))
    near = frame["hour_start_utc"] >= start_utc - (LONGEST_GAP_H + 1) * _HOUR
    some = frame[near & frame["intensity_kind"].isin(("measured", "forecast"))]
    some = some.sort_values(["zone", "intensity_kind", "hour_start_utc"], kind="stable")
    after = some.shift(-1)
    missing = (after["hour_start_utc"] - some["hour_start_utc"]).dt.total_seconds() // SECONDS_PER_HOUR - 1
    issue, next_issue = some["issued_at_utc"], after["issued_at_utc"]
    is_gap = (
        (some["zone"] == after["zone"])
        & (some["intensity_kind"] == after["intensity_kind"])
        & (
            (some["intensity_kind"] == "measured")
            | (issue == next_issue)
            | (issue.isna() & next_issue.isna())
        )
        & missing.between(1, LONGEST_GAP_H)
    ).to_numpy(bool)
    if not is_gap.any():
        return frame
    lengths = np.asarray(missing[is_gap], dtype=np.int64)
    filled: pd.DataFrame = some.iloc[np.repeat(np.flatnonzero(is_gap), lengths)]
    step = np.arange(len(filled)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    rise = (after[INTENSITY] - some[INTENSITY])[is_gap].to_numpy(np.float64)
    filled = filled.assign(
        hour_start_utc=filled["hour_start_utc"] + pd.to_timedelta(step, unit="h"),
        is_estimated=None,
        is_interpolated=True,
        **{INTENSITY: filled[INTENSITY] + np.repeat(rise / (lengths + 1), lengths) * step},
    )
    return pd.concat([frame, filled.astype(frame.dtypes.to_dict())], ignore_index=True)


def annual_means(
    zones: pa.Table, emission_factor_type: str, accounting_basis: str = FLOW_TRACED
) -> tuple[dict[str, float], dict[str, str], dict[str, str]]:
    """Annual means that may be used: they are flow-traced lifecycle means, and stand in for no others.

    Parameters
    ----------
    zones : pa.Table
        ``dim_zone``.
    emission_factor_type : str
    accounting_basis : str, optional

    Returns
    -------
    means : dict of str to float
        Zone -> annual mean [gCO2e/kWh], without zones that have none.
    whole : dict of str to str
        Country -> the zone that covers all of it, where that zone has a mean.
    sources : dict of str to str
        Zone -> source of its row.
    """
    means: dict[str, float] = {}
    whole: dict[str, str] = {}
    sources: dict[str, str] = {}
    for row in zones.to_pylist():
        zone, mean = row["zone"], row["annual_carbon_intensity_gco2e_per_kwh"]
        if mean is None or (emission_factor_type, accounting_basis) != ("lifecycle", FLOW_TRACED):
            continue
        means[zone] = mean
        sources[zone] = row["source_id"]
        if row["is_whole_country"] and row["country_code"] is not None:
            whole[row["country_code"]] = zone
    return means, whole, sources


def measured_sources(frame: pd.DataFrame) -> dict[str, str]:
    """Source of the measured hours of each zone, which a climatology is made of.

    Parameters
    ----------
    frame : pd.DataFrame
        What :func:`usable_rows` gave.

    Returns
    -------
    dict of str to str
    """
    measured = frame.loc[frame["intensity_kind"] == "measured", ["zone", "source_id"]].drop_duplicates("zone")
    return dict(zip(measured["zone"], measured["source_id"], strict=True))


def hourly_rows(
    names: list[str],
    hours: pd.DatetimeIndex,
    values: Floats,
    kinds: Objects,
    frame: pd.DataFrame,
    annual_sources: Objects,
    emission_factor_type: str,
) -> pa.Table:
    """``fact_grid_intensity_hourly`` without ``run_id``.

    Parameters
    ----------
    names : list of str
        Zones.
    hours : pd.DatetimeIndex
    values : ndarray of shape (zones, hours)
        [gCO2e/kWh]; NaN where nothing is known, which gives no row.
    kinds : ndarray of object of shape (zones, hours)
    frame : pd.DataFrame
        What :func:`with_short_gaps` gave: the source and the standing of hourly values.
    annual_sources : ndarray of object of shape (zones,)
        Source of the annual mean.
    emission_factor_type : str

    Returns
    -------
    pa.Table
    """
    rows = pd.DataFrame(
        {
            "zone": np.repeat(np.array(names, dtype=object), len(hours)),
            "hour_start_utc": pd.DatetimeIndex(np.tile(hours.to_numpy(), len(names)), tz="UTC").as_unit("us"),
            INTENSITY: values.ravel(),
            "intensity_kind": kinds.ravel(),
            "annual_source_id": np.repeat(annual_sources, len(hours)),
        }
    )
    columns = ["is_estimated", "is_interpolated", "issued_at_utc", "source_id"]
    known = frame.loc[
        frame["hour_start_utc"] >= hours[0], ["zone", "hour_start_utc", "intensity_kind", *columns]
    ]
    rows = rows.merge(known, on=["zone", "hour_start_utc", "intensity_kind"], how="left")
    of_climatology = rows["zone"].map(measured_sources(frame))
    source = rows["source_id"].where(rows["intensity_kind"] != "climatology", of_climatology)
    rows["source_id"] = source.where(source.notna(), rows["annual_source_id"])
    rows["date_utc"] = rows["hour_start_utc"].dt.date
    rows["hour_utc"] = rows["hour_start_utc"].dt.hour.astype("int64")
    rows["emission_factor_type"] = emission_factor_type
    rows["is_estimated"] = rows["is_estimated"].astype("boolean")
    rows["is_interpolated"] = rows["is_interpolated"].eq(True)
    rows = rows[rows[INTENSITY].notna()].drop(columns="annual_source_id")
    return pa.Table.from_pandas(rows, preserve_index=False)
