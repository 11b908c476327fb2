"""What a method is: jobs as it sees them, what it must answer, and the facts it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog.catalog import PaperDevice
from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.hours import row_of_device
from opencarbon.estimation.region_columns import Regions
from opencarbon.estimation.work import known_training_flop, numbers, texts

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class MethodContext:
    """Facts that methods estimate with.

    Parameters
    ----------
    devices : pa.Table
        ``dim_device``.
    fits : mapping of str to pa.Table
        Profile -> ``fact_device_fit``.
    runs : pa.Table
        ``training_runs``.
    paper : mapping of str to PaperDevice
        What OpenCarbonEval publishes about devices.
    regions : Regions
        With the PUE of each.
    curves : PlanningCurves
    default_region : str or None
        Region of jobs that name none.
    lifetime_h : float
        Service life of a device [h].
    fleet_utilisation : float
        Share of its life that a device is in use.
    """

    devices: pa.Table
    fits: Mapping[str, pa.Table]
    runs: pa.Table
    paper: Mapping[str, PaperDevice]
    regions: Regions
    curves: PlanningCurves
    default_region: str | None
    lifetime_h: float
    fleet_utilisation: float


@dataclass(frozen=True, slots=True)
class MethodJobs:
    """Jobs as methods see them, each array of shape (jobs,); work is that of one run.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    device : ndarray of object
    tdp_w, peak_tflop_per_s, memory_gb : ndarray
        Of the device [W], [TFLOP/s], [GB].
    provider : ndarray of object
        Of the region the job is in; None where it is in none.
    training_flop : ndarray
        [FLOP]; NaN where nothing says it.
    parameters, active_parameters : ndarray
        NaN where not stated.
    known_hours : ndarray
        Device-hours that the job states [h]; NaN where it states none.
    stated_hours : ndarray
        The same, for methods that predict hours: NaN where they are to.
    device_count, repeats : ndarray
    """

    jobs: pa.Table
    device: Objects
    tdp_w: Floats
    peak_tflop_per_s: Floats
    memory_gb: Floats
    provider: Objects
    training_flop: Floats
    parameters: Floats
    active_parameters: Floats
    known_hours: Floats
    stated_hours: Floats
    device_count: Floats
    repeats: Floats

    def filled(self, value: float = np.nan) -> Floats:
        """The same number for every job.

        Parameters
        ----------
        value : float, optional

        Returns
        -------
        ndarray of shape (jobs,)
        """
        return np.full(len(self.device_count), value)

    def unexplained(self) -> Objects:
        """No reason for any job.

        Returns
        -------
        ndarray of object of shape (jobs,)
        """
        return np.full(len(self.device_count), None, dtype=object)


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """What a method makes of jobs, each array of shape (jobs,) and over all repeats.

    Parameters
    ----------
    device_hours : ndarray
        [h]; NaN where the method cannot say, and ``reason`` then says why.
    power_w : ndarray
        Mean power of a device with what the method counts of its host [W].
    reason : ndarray of object
        Why there is no figure, or what is missing from it; None where nothing is.
    hours_up, hours_down, power_up, power_down : ndarray
        Half-widths of the intervals in logs; NaN where the method states none.
    pue, pue_half_width : ndarray or None
        Its own PUE; None takes that of the region.
    world_gco2e_per_kwh : float
        Intensity that the method assumes where no region is known [gCO2e/kWh]; NaN where it assumes none.
    traffic_kwh : ndarray
        Energy of data traffic, outside the data centre [kWh].
    embodied_kgco2e : mapping of str to ndarray
        ``low``, ``central`` and ``high`` [kgCO2e], NaN where the method lacks a figure of the device; empty for a
        method that counts no embodied emissions.
    optimal_device_count : ndarray, optional
        Devices that the method would take, for one that says so [1]; the job's own count stays.
    """

    device_hours: Floats
    power_w: Floats
    reason: Objects
    hours_up: Floats
    hours_down: Floats
    power_up: Floats
    power_down: Floats
    pue: Floats | None
    pue_half_width: Floats | None
    world_gco2e_per_kwh: float
    traffic_kwh: Floats
    embodied_kgco2e: Mapping[str, Floats]
    optimal_device_count: Floats | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A method with its description.

    Parameters
    ----------
    name, title : str
    needs : str
        What a job must state.
    formula : str
    limits : str
        What it does not know.
    source_id : str
    figures : callable
        Jobs and context -> figures.
    predicts_hours : bool
        Whether it predicts device-hours from the work, or needs them.
    """

    name: str
    title: str
    needs: str
    formula: str
    limits: str
    source_id: str
    figures: Callable[[MethodJobs, MethodContext], MethodFigures] = field(repr=False)
    predicts_hours: bool


def jobs_for_methods(jobs: pa.Table, context: MethodContext, *, is_predicting: bool = False) -> MethodJobs:
    """Jobs as methods see them.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    context : MethodContext
    is_predicting : bool, optional
        Withhold stated device-hours wherever the FLOP are known, so that they are predicted.

    Returns
    -------
    MethodJobs
    """
    at, source = row_of_device(jobs["device"], context.devices), texts(jobs["work_source"])
    count, flop = numbers(jobs, "device_count"), known_training_flop(jobs)
    known = np.where(source == "device_hours", numbers(jobs, "device_hours"), np.nan)
    known = np.where(source == "wall_hours", numbers(jobs, "wall_hours") * count, known)
    stated = known
    if is_predicting:
        foretold = np.isfinite(flop)
        stated = np.where(foretold, np.nan, known)
        jobs = _with_work(jobs, flop, foretold)
    region = texts(jobs["current_region"])
    region[pd.isna(region)] = context.default_region
    place = context.regions.index_of(region)
    return MethodJobs(
        jobs=jobs,
        device=texts(jobs["device"]),
        tdp_w=numbers(context.devices, "tdp_w")[at],
        peak_tflop_per_s=numbers(context.devices, "peak_dense_tflop_per_s")[at],
        memory_gb=numbers(context.devices, "memory_gb")[at],
        provider=only_where(place >= 0, context.regions.providers[place]),
        training_flop=flop,
        parameters=numbers(jobs, "parameters"),
        active_parameters=numbers(jobs, "active_parameters"),
        known_hours=known,
        stated_hours=stated,
        device_count=count,
        repeats=numbers(jobs, "repeats"),
    )


def of_each(names: Objects, value: Callable[[Any], object]) -> Objects:
    """Value of every name, asked for once for each that is distinct.

    Parameters
    ----------
    names : ndarray of object
        None where there is none; it is asked for too.
    value : callable
        Takes a name.

    Returns
    -------
    ndarray of object of the shape of ``names``
    """
    codes, distinct = pd.factorize(names, use_na_sentinel=False)
    values = np.full(len(distinct), None, dtype=object)
    for code, name in enumerate(distinct):
        values[code] = value(None if pd.isna(name) else name)
    return values[codes]


def only_where(holds: Flags, words: Objects | str) -> Objects:
    """Words where something holds, None elsewhere.

    Parameters
    ----------
    holds : ndarray of bool
    words : ndarray of object of the same shape, or str
        Words of each element, or the same for all.

    Returns
    -------
    ndarray of object
    """
    found = np.full(holds.shape, None, dtype=object)
    found[holds] = words if isinstance(words, str) else words[holds]
    return found


def _with_work(jobs: pa.Table, flop: Floats, foretold: Flags) -> pa.Table:
    """The jobs with their FLOP as the work, where it is known."""
    source = pc.if_else(pa.array(foretold), "training_flop", jobs["work_source"])
    work = pa.array(np.where(foretold, flop, np.nan), from_pandas=True)
    changed = {"work_source": source, "training_flop": work}
    for name, values in changed.items():
        jobs = jobs.set_column(jobs.column_names.index(name), jobs.schema.field(name), values)
    return jobs
