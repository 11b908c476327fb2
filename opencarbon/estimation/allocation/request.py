"""What planned jobs ask of an allocation, as a table that passes from step to step, and the ground it is made on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.allocation.queue import Queue, Terrain
from opencarbon.estimation.grid.curves import KIND_CODE
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.plans import Field
from opencarbon.estimation.planning.windows import Windows
from opencarbon.estimation.work import numbers, texts
from opencarbon.units import GRAMS_PER_KILOGRAM

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

_TIE: Final = 1e-9
"""Costs nearer to each other than this, relative, are equal."""


def ask(
    estimates: JobEstimates,
    windows: Windows,
    allowed: Flags,
    move_kgco2e: Floats,
    field: Field,
    *,
    min_saving_pct: float,
    min_saving_pct_to_delay: float,
) -> pa.Table:
    """What the jobs of a batch that can be planned ask for.

    Parameters
    ----------
    estimates : JobEstimates
    windows : Windows
    allowed : ndarray of bool of shape (jobs, regions)
    move_kgco2e : ndarray of shape (jobs,)
        Emissions of moving the job's data [kgCO2e].
    field : Field
    min_saving_pct, min_saving_pct_to_delay : float
        As in :func:`~opencarbon.estimation.planning.choices.choose` [%].

    Returns
    -------
    pa.Table
        A row for every planned job that could run somewhere if it were alone: its index in the batch, the columns of
        :class:`Queue`, the name of its device, and the regions it may run in as packed bits.
    """
    base, energy, regions = estimates.baseline, estimates.energy_kwh, field.regions
    base_kg = np.where(base.region >= 0, energy * base.pue * base.intensity, np.nan) / GRAMS_PER_KILOGRAM
    stays = (base.region >= 0) & base.rankable & allowed[np.arange(len(energy)), base.region]
    total = base_kg + estimates.embodied_kgco2e
    worth = np.maximum(_TIE * base_kg, min_saving_pct / 100.0 * total)
    may_run = np.zeros_like(allowed)
    may_run[:, field.index] = allowed[:, field.index]
    held = np.flatnonzero(~np.isfinite(move_kgco2e))  # what moving their data emits is not known: they stay
    may_run[held] &= np.arange(allowed.shape[1]) == base.region[held][:, None]
    of = np.where(np.isnan(total), 0.0, total)
    columns = {
        "devices": numbers(estimates.jobs, "device_count"),
        "priority": np.nan_to_num(numbers(estimates.jobs, "priority")),
        "energy_kwh": energy,
        "run_h": estimates.run_h,
        "earliest_h": windows.earliest_h,
        "latest_h": windows.latest_h,
        "interruptible": windows.interruptible,
        "home": base.region,
        "home_zone": np.where(base.region >= 0, regions.zone[base.region], -1),
        "home_pue": base.pue,
        "home_pue_sd": base.pue_half_width / regions.z,
        "base_kgco2e": base_kg,
        "base_sd_kgco2e": energy * base.pue * base.intensity_sd / GRAMS_PER_KILOGRAM,
        "base_start_h": base.start_h,
        "base_kind": base.kind,
        "least_kgco2e": base_kg * _least_share(estimates, field),
        "stays_below_kgco2e": np.where(stays, base_kg - worth, np.inf),
        "delay_kgco2e": min_saving_pct_to_delay / 100.0 * of,
        "transfer_kgco2e": np.nan_to_num(move_kgco2e),
        "restart_h": windows.restart_h,
    }
    asking = np.flatnonzero(windows.planned & may_run.any(axis=1))
    bits = np.packbits(may_run[asking], axis=1)
    return pa.table(
        {
            "job": pa.array(asking, pa.int64()),
            "device": estimates.jobs["device"].combine_chunks().take(pa.array(asking, pa.int64())),
            **{name: pa.array(values[asking]) for name, values in columns.items()},
            "allowed": pa.array([row.tobytes() for row in bits], pa.binary()),
        }
    )


def _least_share(estimates: JobEstimates, field: Field) -> Floats:
    """What a baseline would emit at the lowest PUE, in the cleaner zone, of what it emits."""
    base, regions, curves = estimates.baseline, field.regions, field.curves
    home = np.where(base.region >= 0, base.region, 0)
    share = regions.pue_low[home] / regions.pue[home]
    disputed = np.flatnonzero((regions.other_zone != regions.zone)[home] & (base.region >= 0))
    if len(disputed):
        start = base.start_h[disputed]
        other = curves.exposure(regions.other_zone[home[disputed]], start, start + estimates.run_h[disputed])
        mean = np.where(other.rankable, other.intensity_hours / other.hours, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            share[disputed] *= np.minimum(mean / base.intensity[disputed], 1.0)
    return np.asarray(np.where(np.isnan(share), 0.0, share))


def queue_of(asked: pa.Table, devices: Sequence[str], listed: Integers, regions: int, pairs: Flags) -> Queue:
    """The queue of all batches.

    Parameters
    ----------
    asked : pa.Table
        What :func:`ask` gave, of all batches.
    devices : sequence of str
        Names of the devices of the supply.
    listed : ndarray of int
        Regions of the supply, as indices among all regions.
    regions : int
        Number of all regions.
    pairs : ndarray of bool of shape (devices, listed)
        Whether a device is listed in a region.

    Returns
    -------
    Queue
        Regions count among those listed.
    """

    def of(name: str) -> Floats:
        return np.asarray(asked[name].to_numpy(), dtype=np.float64)

    code = {name: number for number, name in enumerate(devices)}
    names = texts(asked["device"])
    device = np.array([code.get(str(name), -1) for name in names], dtype=np.int64)
    rows = [np.frombuffer(row or b"", dtype=np.uint8) for row in asked["allowed"].to_pylist()]
    bits = np.stack(rows) if rows else np.zeros((0, (regions + 7) // 8), dtype=np.uint8)
    allowed = np.unpackbits(bits, axis=1, count=regions).astype(bool)[:, listed]
    place = np.full(regions, -1, dtype=np.int64)
    place[listed] = np.arange(len(listed))
    home = of("home").astype(np.int64)
    return Queue(
        device=np.maximum(device, 0),
        devices=of("devices"),
        priority=of("priority").astype(np.int64),
        energy_kwh=of("energy_kwh"),
        run_h=of("run_h"),
        earliest_h=of("earliest_h"),
        latest_h=of("latest_h"),
        interruptible=np.asarray(asked["interruptible"].to_numpy(), dtype=bool),
        home=np.where(home >= 0, place[home], -1),
        home_zone=of("home_zone").astype(np.int64),
        home_pue=of("home_pue"),
        home_pue_sd=of("home_pue_sd"),
        base_kgco2e=of("base_kgco2e"),
        base_sd_kgco2e=of("base_sd_kgco2e"),
        base_start_h=of("base_start_h"),
        base_kind=of("base_kind").astype(np.int64),
        least_kgco2e=of("least_kgco2e"),
        stays_below_kgco2e=of("stays_below_kgco2e"),
        delay_kgco2e=of("delay_kgco2e"),
        transfer_kgco2e=of("transfer_kgco2e"),
        restart_h=of("restart_h"),
        allowed=allowed & np.vstack([pairs, np.zeros(len(listed), dtype=bool)])[device],
    )


def terrain_of(field: Field, listed: Integers) -> Terrain:
    """Emissions by hour in some regions.

    Parameters
    ----------
    field : Field
    listed : ndarray of int
        Regions of the supply, as indices among all regions.

    Returns
    -------
    Terrain
        Of these regions.
    """
    regions, curves = field.regions, field.curves
    zone, other = regions.zone[listed], regions.other_zone[listed]
    pue = regions.pue[listed] / GRAMS_PER_KILOGRAM
    highest = regions.pue_high[listed] / GRAMS_PER_KILOGRAM
    hours = field.values.shape[1]
    kinds = curves.extended_kinds(hours - curves.horizon)
    values = np.where(kinds == KIND_CODE["world"], np.nan, curves.extended(hours - curves.horizon))
    sd = np.hstack([curves.sd, np.repeat(curves.tail_sd[:, None], hours - curves.horizon, axis=1)])
    return Terrain(
        rate=(values[zone] * pue[:, None]).T,
        sd=(np.nan_to_num(sd[zone]) * pue[:, None]).T,
        kind=kinds[zone].T,
        zone=zone,
        pue=regions.pue[listed],
        pue_sd=regions.pue_half_width[listed] / regions.z,
        worst=(np.maximum(values[zone], values[other]) * highest[:, None]).T,
        is_disputed=zone != other,
        horizon_h=curves.horizon,
    )
