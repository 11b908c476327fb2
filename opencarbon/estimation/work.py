"""How long jobs take: device-hours and wall-hours from the work a manifest states and the fit of the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.hours import FittedHours, fitted_device_hours, row_of_device
from opencarbon.physics.compute import training_flop
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR, device_hours

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
    hours, fit_source, fit_source_id, status = _predicted(jobs, flop, fits, devices)
    given = (source == "device_hours") | (source == "wall_hours")
    fitted = (hours.high + hours.low) / 2.0 if paper else hours.central
    wall = numbers(jobs, "wall_hours")
    stated = np.where(source == "device_hours", numbers(jobs, "device_hours"), wall * count)
    central = np.where(given, stated, fitted)
    with np.errstate(invalid="ignore"):
        up = np.where(given, 0.0, np.maximum(np.log(hours.high / central), 0.0))
        down = np.where(given, 0.0, np.maximum(np.log(central / hours.low), 0.0))
    fit_source[given], fit_source_id[given], status[given] = "work_given", None, "estimated"
    return Work(
        training_flop=flop * repeats,
        device_hours=central * repeats,
        wall_hours=np.where(source == "wall_hours", wall, central / count) * repeats,
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


def _predicted(
    jobs: pa.Table, flop: Floats, fits: pa.Table, devices: pa.Table
) -> tuple[FittedHours, Objects, Objects, Objects]:
    """Device-hours of one run from what the job states of its throughput, else from the fit; where they come from."""
    device = jobs["device"]
    hours = fitted_device_hours(
        *(fits, devices), device=device, training_flop=flop, device_count=numbers(jobs, "device_count")
    )
    at = row_of_device(device, fits)
    source, source_id, status = (
        texts(fits[name])[at] for name in ("fit_source", "fit_source_id", "fit_status")
    )
    utilisation, alpha = numbers(jobs, "utilisation"), numbers(jobs, "log10_alpha_low")
    own = np.isfinite(alpha)
    used = np.isfinite(utilisation) & np.isfinite(flop) & ~own
    if used.any():
        peak = numbers(devices, "peak_dense_tflop_per_s")[row_of_device(device, devices)][used]
        stated = flop[used] / (peak * utilisation[used] * FLOP_PER_TFLOP_HOUR)
        hours.low[used] = hours.central[used] = hours.high[used] = stated
    if own.any():
        slow, fast = alpha[own], numbers(jobs, "log10_alpha_high")[own]
        hours.low[own], hours.high[own] = device_hours(flop[own], fast), device_hours(flop[own], slow)
        hours.central[own] = device_hours(flop[own], (slow + fast) / 2.0)
    by_job = own | used
    source[by_job], source_id[by_job], status[by_job] = "manifest", None, "estimated"
    return hours, source, source_id, status
