"""What may be claimed of a saving: not more than the places that advice fills can be thought to hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.arrow_columns import named, number
from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.advice import Advice
from opencarbon.estimation.planning.choices import Alternatives
from opencarbon.estimation.region_columns import Regions
from opencarbon.estimation.running_sums import sums_by_key
from opencarbon.estimation.work import numbers
from opencarbon.units import WATTS_PER_MEGAWATT

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

POTENTIAL: Final = "potential"
ALLOCATED: Final = "allocated"
NOT_CLAIMED: Final = "not_claimed"

_ROUNDING_H: Final = 1e-9
"""Less time than this in an hour is rounding [h]."""
_ROUNDING: Final = 1e-9
"""Relative; a load that is the limit up to rounding is not above it."""
_HOURS: Final = 1 << 32
"""More hours than any calendar holds."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What may be claimed in each region.

    Parameters
    ----------
    saving_status : str
        ``potential``, or ``allocated`` where capacity was reserved for the advice.
    peak_power_mw, shifted_peak_power_mw : mapping of str to float
        Greatest facility power of any hour by region, of all jobs advised there and of those that advice puts there
        [MW]; regions without a job are left out.
    unclaimed : frozenset of str
        Regions whose savings enter no sum.
    """

    saving_status: str
    peak_power_mw: Mapping[str, float]
    shifted_peak_power_mw: Mapping[str, float]
    unclaimed: frozenset[str]


def puts_there(estimates: JobEstimates, advice: Advice) -> Flags:
    """Whether a job adds to the load of its advised region because it follows the advice.

    A job that runs where and when it would anyway is no new load: a large site could never claim anything else. One
    that comes from another region, from none, or from other hours is.

    Parameters
    ----------
    estimates : JobEstimates
    advice : Advice

    Returns
    -------
    ndarray of bool of shape (jobs,)
    """
    stays = (advice.region == estimates.baseline.region) & (advice.action == "run_now")
    return np.asarray(advice.advised & ~stays, dtype=bool)


def advised_stretches(advice: Advice, alternatives: Alternatives) -> tuple[Integers, Floats, Floats]:
    """When advised jobs are at work.

    Parameters
    ----------
    advice : Advice
    alternatives : Alternatives

    Returns
    -------
    job : ndarray of int of shape (stretches,)
        Index of the job.
    start_h, finish_h : ndarray of shape (stretches,)
        [h from the first hour of the curves].
    """
    advised = np.flatnonzero(advice.advised)
    straight = advised[~np.isin(advised, alternatives.stretch_job)]
    return (
        np.concatenate([straight, alternatives.stretch_job]),
        np.concatenate([advice.start_h[straight], alternatives.stretch_start_h]),
        np.concatenate([advice.finish_h[straight], alternatives.stretch_finish_h]),
    )


def partial_steps(
    estimates: JobEstimates, advice: Advice, alternatives: Alternatives, regions: Regions
) -> pa.Table:
    """How the advice for a batch of jobs changes the load of each region from hour to hour, however far ahead.

    Parameters
    ----------
    estimates : JobEstimates
    advice : Advice
    alternatives : Alternatives
    regions : Regions

    Returns
    -------
    pa.Table
        region, hour (from the first of the curves), step_mw and shifted_step_mw: mean facility power of the hour less
        that of the hour before, of all jobs and of those that :func:`puts_there` names [MW].
    """
    job, start, finish = advised_stretches(advice, alternatives)
    count = numbers(estimates.jobs, "device_count")
    load_mw = count * estimates.power.power_w * regions.pue[advice.region] / WATTS_PER_MEGAWATT
    hour, step = _steps(start, finish, load_mw[job])
    here = np.tile(advice.region[job], 4)
    shifted = np.where(np.tile(puts_there(estimates, advice)[job], 4), step, 0.0)
    label, distinct = pd.factorize(here * _HOURS + hour)
    region, hours = np.divmod(np.asarray(distinct, dtype=np.int64), _HOURS)
    return pa.table(
        {
            "region": named(regions.names, region),
            "hour": pa.array(hours, pa.int64()),
            "step_mw": number(_summed(label, step, len(region))),
            "shifted_step_mw": number(_summed(label, shifted, len(region))),
        }
    )


def _summed(label: npt.NDArray[np.intp], values: Floats, labels: int) -> Floats:
    return np.asarray(np.bincount(label, values, minlength=labels), dtype=np.float64)


def _steps(start_h: Floats, finish_h: Floats, load: Floats) -> tuple[Integers, Floats]:
    """Hours in which the mean load of stretches changes, and by how much: four for each stretch, one after another."""
    first = np.floor(start_h + _ROUNDING_H).astype(np.int64)
    last = np.maximum(np.ceil(finish_h - _ROUNDING_H).astype(np.int64) - 1, first)
    in_first = load * (np.minimum(finish_h, first + 1.0) - start_h)
    in_last = np.where(last > first, load * (finish_h - last), 0.0)
    between = np.where(last > first, load, 0.0)
    hours = np.concatenate([first, first + 1, last, last + 1])
    return hours, np.concatenate([in_first, between - in_first, in_last - between, -in_last])


def claims_of(steps: Iterable[pa.Table], *, claim_up_to_mw: float, saving_status: str = POTENTIAL) -> Claims:
    """What may be claimed of the savings of a night.

    Where no capacity was reserved, a region into which the advice puts more than a limit is not believed to take it.

    Parameters
    ----------
    steps : iterable of pa.Table
        What :func:`partial_steps` gave for every batch.
    claim_up_to_mw : float
        Greatest load that may be put into one region [MW].
    saving_status : {"potential", "allocated"}, optional

    Returns
    -------
    Claims
    """
    loads = sums_by_key(steps, ("region", "hour"))
    peaks = loads.groupby(level="region").cumsum().groupby(level="region").max()
    regions = [str(name) for name in peaks.index]
    peak, shifted = (
        dict(zip(regions, (float(value) for value in peaks[name]), strict=True))
        for name in ("step_mw", "shifted_step_mw")
    )
    limit = claim_up_to_mw * (1.0 + _ROUNDING)
    above = (name for name, load in shifted.items() if load > limit)
    return Claims(saving_status, peak, shifted, frozenset(above if saving_status == POTENTIAL else ()))
