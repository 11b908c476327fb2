"""Advice by region: how clean each one is, and what the advice would put there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.arrow_columns import kind_names, moment, named, number, text
from opencarbon.estimation.claims import NOT_CLAIMED, Claims, advised_stretches
from opencarbon.estimation.grid.curves import KIND_CODE, MISSING, PlanningCurves
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.advice import Advice
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.region_columns import Regions
from opencarbon.estimation.running_sums import sums_by_key
from opencarbon.estimation.work import numbers

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

BEST_WINDOW_HOURS: Final = 6
"""Length of the best window that is shown per region [h]."""

_TOUCH_H: Final = 1e-9
"""Less time than this in an hour is rounding [h]."""


def partial_loads(
    estimates: JobEstimates, advice: Advice, alternatives: Alternatives, regions: Regions, horizon: int
) -> tuple[pa.Table, pa.Table]:
    """What the advice for a batch of jobs puts into each region.

    Parameters
    ----------
    estimates : JobEstimates
    advice : Advice
    alternatives : Alternatives
    regions : Regions
    horizon : int
        Hours ahead that are told apart [h].

    Returns
    -------
    hourly : pa.Table
        region and device (names), hour (from 0), devices_advised.
    sums : pa.Table
        region, jobs, device_hours, advised_total_kgco2e, saving_kgco2e.
    """
    count = numbers(estimates.jobs, "device_count")
    job, start, finish = advised_stretches(advice, alternatives)
    device = estimates.jobs["device"].combine_chunks().dictionary_encode()
    names = np.array(device.dictionary.to_pylist(), dtype=object)
    device_code = device.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    label, place = pd.factorize(advice.region[job] * len(names) + device_code[job])
    devices = hourly_overlap(label, start, finish, count[job], len(place), horizon)
    key, hour = np.nonzero(devices > 0)
    region, device_of = np.divmod(place[key], max(len(names), 1))
    hourly = pa.table(
        {
            "region": named(regions.names, region),
            "device": named(names, device_of),
            "hour": pa.array(hour, pa.int64()),
            "devices_advised": number(devices[key, hour]),
        }
    )
    return hourly, _sums(estimates, advice, regions)


def _sums(estimates: JobEstimates, advice: Advice, regions: Regions) -> pa.Table:
    advised = np.flatnonzero(advice.advised)
    region, size = advice.region[advised], len(regions.names)
    jobs = np.bincount(region, minlength=size)
    there = np.flatnonzero(jobs)
    columns = {
        "device_hours": estimates.work.device_hours,
        "advised_total_kgco2e": advice.advised_total_kgco2e,
        "saving_kgco2e": np.nan_to_num(advice.saving_kgco2e),
    }
    sums = {
        name: np.asarray(np.bincount(region, values[advised], minlength=size)[there], dtype=np.float64)
        for name, values in columns.items()
    }
    return pa.table(
        {
            "region": named(regions.names, there),
            "jobs": pa.array(jobs[there], pa.int64()),
            **{name: number(values) for name, values in sums.items()},
        }
    )


def hourly_overlap(
    key: npt.NDArray[np.intp], start_h: Floats, finish_h: Floats, weight: Floats, keys: int, hours: int
) -> Floats:
    """Weighted time that stretches spend in each hour.

    Parameters
    ----------
    key : ndarray of int of shape (stretches,)
        Row of the result.
    start_h, finish_h, weight : ndarray of shape (stretches,)
        [h] and whatever is summed.
    keys, hours : int
        Shape of the result.

    Returns
    -------
    ndarray of shape (keys, hours)
    """
    start, finish = np.clip(start_h, 0.0, hours), np.clip(finish_h, 0.0, hours)
    kept = finish - start > _TOUCH_H
    row, start, finish, weight = key[kept] * (hours + 1), start[kept], finish[kept], weight[kept]
    first, last = (start + _TOUCH_H).astype(np.int64), np.ceil(finish - _TOUCH_H).astype(np.int64)

    def steps(at: Integers, by: Floats) -> Floats:
        total = np.bincount(row + at, by, minlength=keys * (hours + 1))
        return np.asarray(total, dtype=np.float64).reshape(keys, hours + 1)

    one = np.ones(len(weight))
    busy = np.cumsum(steps(first, one) - steps(last, one), axis=1)[:, :hours] > 0
    whole = np.cumsum(steps(first, weight) - steps(last, weight), axis=1)
    # The first and the last hour of a stretch count by their share.
    whole -= steps(first, weight * (start - first)) + steps(last - 1, weight * (last - finish))
    return np.where(busy, np.maximum(whole[:, :hours], 0.0), 0.0)


def region_loads(
    hourly: Iterable[pa.Table], start_utc: datetime, capacity: pa.Table | None = None
) -> pa.Table:
    """``fact_region_load_hourly`` from the loads of all batches, without ``run_id``.

    Parameters
    ----------
    hourly : iterable of pa.Table
    start_utc : datetime
        First hour of the curves.
    capacity : pa.Table, optional
        region, device, hour, devices_capacity: what was free for the queue.

    Returns
    -------
    pa.Table
    """
    load = sums_by_key(hourly, ("region", "device", "hour")).reset_index()
    free = np.full(len(load), np.nan)
    if capacity is not None:
        joined = load.merge(capacity.to_pandas(), on=["region", "device", "hour"], how="left")
        free = joined["devices_capacity"].to_numpy(dtype=np.float64)
    hours = moment(start_utc, load["hour"].to_numpy(dtype=np.float64))
    return pa.table(
        {
            "region": pa.array(load["region"], pa.string()),
            "device": pa.array(load["device"], pa.string()),
            "hour_start_utc": hours,
            "date_utc": hours.cast(pa.date32()),
            "devices_advised": number(load["devices_advised"].to_numpy()),
            "devices_capacity": number(free),
        }
    )


def region_advice(
    sums: Iterable[pa.Table], regions: Regions, curves: PlanningCurves, claims: Claims
) -> pa.Table:
    """``rec_region``: every region, the advised ones with what is advised there, without ``run_id``.

    Parameters
    ----------
    sums : iterable of pa.Table
        What :func:`partial_loads` gave.
    regions : Regions
    curves : PlanningCurves
    claims : Claims

    Returns
    -------
    pa.Table
    """
    names = list(regions.names)
    peak, shifted = (
        np.array([by_region.get(name, 0.0) for name in names])
        for by_region in (claims.peak_power_mw, claims.shifted_peak_power_mw)
    )
    unclaimed = np.isin(names, sorted(claims.unclaimed))
    total = pd.concat([table.to_pandas() for table in sums]).groupby("region").sum()
    total = total.reindex(names, fill_value=0.0)
    zone, size = regions.zone, np.ones(len(names))
    day, days = (curves.exposure(zone, size * curves.now_h, size * curves.now_h + span) for span in (24, 72))
    next_day, next_days = day.intensity_hours / day.hours, days.intensity_hours / days.hours
    best_start, best = _best_window(curves)
    start = np.where(np.isfinite(best), best_start, np.nan)[zone]
    return pa.table(
        {
            "region": pa.array(names, pa.string()),
            "rank": _rank_within(np.where(days.rankable, days.kind, MISSING), next_days * regions.pue),
            "intensity_kind": kind_names(days.kind),
            "carbon_intensity_next_24h_gco2e_per_kwh": number(next_day),
            "carbon_intensity_next_72h_gco2e_per_kwh": number(next_days),
            "best_window_start_utc": moment(curves.start_utc, start),
            "best_window_finish_utc": moment(curves.start_utc, start + BEST_WINDOW_HOURS),
            "best_window_carbon_intensity_gco2e_per_kwh": number(best[zone]),
            "jobs": pa.array(total["jobs"].astype("int64"), pa.int64()),
            "device_hours": number(total["device_hours"].to_numpy()),
            "peak_power_mw": number(peak),
            "advised_total_kgco2e": number(total["advised_total_kgco2e"].to_numpy()),
            "saving_kgco2e": number(np.where(unclaimed, np.nan, total["saving_kgco2e"].to_numpy())),
            "advice_status": text(_advice_status(regions, curves)),
            "saving_status": text(np.where(unclaimed, NOT_CLAIMED, claims.saving_status).astype(object)),
            "shifted_peak_power_mw": number(shifted),
        }
    )


def _best_window(curves: PlanningCurves) -> tuple[Floats, Floats]:
    """First hour and mean of the best window of each zone that begins from now on; the first of equal ones."""
    first = math.ceil(curves.now_h)
    values = curves.extended(max(first + BEST_WINDOW_HOURS - curves.horizon, 0))[:, first:]
    means = np.lib.stride_tricks.sliding_window_view(values, BEST_WINDOW_HOURS, axis=1).mean(axis=2)
    means = np.where(np.isnan(means), np.inf, means)
    start = means.argmin(axis=1)
    best = means[np.arange(len(means)), start]
    return first + start.astype(np.float64), np.where(np.isinf(best), np.nan, best)


def _rank_within(kind: Integers, cost: Floats) -> pa.Array[Any]:
    """Rank of each cost among those of its kind, by name where equal; null where the kind is ``MISSING``."""
    ranks = pd.Series(cost).groupby(pd.Series(kind)).rank(method="first").to_numpy()
    return pa.array(np.nan_to_num(ranks).astype(np.int64), pa.int64(), mask=kind == MISSING)


def _advice_status(regions: Regions, curves: PlanningCurves) -> Objects:
    """Whether some hour can be ranked, or is known at all."""
    values, kinds = curves.extended(1), curves.extended_kinds(1)
    known: Flags = np.isfinite(values)
    ranked: Flags = np.any(known & (kinds != KIND_CODE["world"]), axis=1)
    reported: Flags = np.any(known, axis=1)
    status = np.full(len(regions.names), "no_intensity", dtype=object)
    status[reported[regions.zone]] = "reported_only"
    status[~regions.has_zone] = "no_zone"
    status[ranked[regions.zone]] = "ok"
    return status


def run_dates(start_utc: datetime, hours: int) -> pa.Table:
    """``dim_date`` for the days of the planning curves.

    Parameters
    ----------
    start_utc : datetime
    hours : int

    Returns
    -------
    pa.Table
    """
    first, last = start_utc.date(), (start_utc + timedelta(hours=max(hours - 1, 0))).date()
    days = pd.date_range(first, last, freq="D")
    return pa.table(
        {
            "date_utc": pa.array(days.date, pa.date32()),
            "year": pa.array(days.year, pa.int64()),
            "quarter": pa.array(days.quarter, pa.int64()),
            "month": pa.array(days.month, pa.int64()),
            "day": pa.array(days.day, pa.int64()),
            "weekday": pa.array(days.day_of_week + 1, pa.int64()),
            "is_weekend": pa.array(days.day_of_week >= 5, pa.bool_()),
        }
    )
