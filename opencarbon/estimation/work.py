"""How long jobs take: device-hours and wall-hours from the work a manifest states and the fit of the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import FitError
from opencarbon.physics.compute import training_flop
from opencarbon.physics.throughput import device_hours, log10_alpha
from opencarbon.units import FLOP_PER_TFLOP, SECONDS_PER_HOUR

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Work:
    """Work of a batch of jobs over all their repeats, each array of shape (jobs,).

    Parameters
    ----------
    training_flop : ndarray
        [FLOP]; NaN where nothing in the manifest says them.
    device_hours, wall_hours : ndarray
        Central [h].
    up, down : ndarray
        Half-widths of the interval in logs; 0 where the manifest states the hours.
    fit_source, fit_source_id, status : ndarray of object
        Where the throughput came from, its source, and its standing.
    """

    training_flop: Floats
    device_hours: Floats
    wall_hours: Floats
    up: Floats
    down: Floats
    fit_source: Objects
    fit_source_id: Objects
    status: Objects


def numbers(jobs: pa.Table, name: str) -> Floats:
    """A column of numbers with NaN for null.

    Parameters
    ----------
    jobs : pa.Table
    name : str

    Returns
    -------
    ndarray of float64
    """
    return np.asarray(jobs[name].to_numpy(zero_copy_only=False), dtype=np.float64)


def texts(column: pa.ChunkedArray[Any]) -> Objects:
    """A column of texts as objects, None for null.

    Parameters
    ----------
    column : pa.ChunkedArray of string

    Returns
    -------
    ndarray of object
    """
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)


def device_index(jobs: pa.Table, table: pa.Table) -> Integers:
    """Row of ``table`` that holds the device of each job.

    Parameters
    ----------
    jobs, table : pa.Table
        Both with the column ``device``.

    Returns
    -------
    ndarray of int of shape (jobs,)

    Raises
    ------
    FitError
        Where the table has no row for a device of the jobs.
    """
    found = pc.index_in(jobs["device"], value_set=table["device"].combine_chunks())
    if found.null_count:
        lost = pc.unique(jobs["device"].filter(pc.is_null(found))).to_pylist()
        raise FitError(
            f"no row for the device {', '.join(map(repr, lost))}; device fits need one for every device of the "
            "catalog: write them anew with `opencarbon fit`"
        )
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def work_of_jobs(jobs: pa.Table, fits: pa.Table, devices: pa.Table, *, paper: bool) -> Work:
    """Work of every job.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    fits : pa.Table
        ``fact_device_fit``.
    devices : pa.Table
        ``dim_device``.
    paper : bool
        Take the mean of the hours at the two ends of the interval, as OpenCarbonEval's tables do, instead of the
        hours at the central parameter.

    Returns
    -------
    Work
    """
    source = texts(jobs["work_source"])
    count, repeats = numbers(jobs, "device_count"), numbers(jobs, "repeats")
    flop = known_training_flop(jobs)
    low, central, high, fit_source, fit_source_id, status = _parameters(jobs, flop, fits, devices)
    given = (source == "device_hours") | (source == "wall_hours")
    slow, middle, fast = (device_hours(flop, parameter) for parameter in (low, central, high))
    fitted = (slow + fast) / 2.0 if paper else middle
    wall = numbers(jobs, "wall_hours")
    stated = np.where(source == "device_hours", numbers(jobs, "device_hours"), wall * count)
    hours = np.where(given, stated, fitted)
    with np.errstate(invalid="ignore"):
        up = np.where(given, 0.0, np.maximum(np.log(slow / hours), 0.0))
        down = np.where(given, 0.0, np.maximum(np.log(hours / fast), 0.0))
    fit_source[given], fit_source_id[given], status[given] = "work_given", None, "estimated"
    return Work(
        training_flop=flop * repeats,
        device_hours=hours * repeats,
        wall_hours=np.where(source == "wall_hours", wall, hours / count) * repeats,
        up=up,
        down=down,
        fit_source=fit_source,
        fit_source_id=fit_source_id,
        status=status,
    )


def known_training_flop(jobs: pa.Table) -> Floats:
    """FLOP of one run from whatever says them, whether they are the work that counts or not.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.

    Returns
    -------
    ndarray of shape (jobs,)
        [FLOP]; NaN where nothing says them.
    """
    flop = numbers(jobs, "training_flop").copy()
    dense = np.isnan(flop) & np.isfinite(numbers(jobs, "training_tokens"))
    dense &= np.isfinite(numbers(jobs, "parameters")) | np.isfinite(numbers(jobs, "active_parameters"))
    flop[dense] = training_flop(
        parameters=numbers(jobs, "parameters")[dense],
        training_tokens=numbers(jobs, "training_tokens")[dense],
        active_parameters=numbers(jobs, "active_parameters")[dense],
    )
    forward = np.isnan(flop) & np.isfinite(
        numbers(jobs, "forward_flop_per_sample") * numbers(jobs, "samples")
    )
    flop[forward] = training_flop(
        forward_flop_per_sample=numbers(jobs, "forward_flop_per_sample")[forward],
        samples=numbers(jobs, "samples")[forward],
    )
    return flop


def _parameters(
    jobs: pa.Table, flop: Floats, fits: pa.Table, devices: pa.Table
) -> tuple[Floats, Floats, Floats, Objects, Objects, Objects]:
    """log10 alpha, low, central and high, with fit_source, fit_source_id and status of each job."""
    at = device_index(jobs, fits)
    low, central, high = (
        numbers(fits, name)[at] for name in ("log10_alpha_low", "log10_alpha", "log10_alpha_high")
    )
    source, source_id, status = (
        texts(fits[name])[at] for name in ("fit_source", "fit_source_id", "fit_status")
    )
    utilisation = numbers(jobs, "utilisation")
    own = np.isfinite(numbers(jobs, "log10_alpha_low"))
    used = np.isfinite(utilisation) & np.isfinite(flop) & ~own
    if used.any():
        peak = numbers(devices, "peak_dense_tflop_per_s")[device_index(jobs, devices)][used]
        hours = flop[used] / (FLOP_PER_TFLOP * peak * utilisation[used] * SECONDS_PER_HOUR)
        low[used] = central[used] = high[used] = log10_alpha(flop[used], hours)
    low[own], high[own] = (
        numbers(jobs, "log10_alpha_low")[own],
        numbers(jobs, "log10_alpha_high")[own],
    )
    central[own] = (low[own] + high[own]) / 2.0
    stated = own | used
    source[stated], source_id[stated], status[stated] = "manifest", None, "estimated"
    return low, central, high, source, source_id, status
