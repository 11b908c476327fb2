"""Past advice as columns: where and when jobs were to run, and where and when they would have run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog.pue import UNKNOWN_PUE
from opencarbon.estimation.hindsight.best_in_hindsight import PlaceColumns
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves
from opencarbon.estimation.hindsight.stretches import Stretches, planned
from opencarbon.estimation.work import numbers, texts
from opencarbon.units import GRAMS_PER_KILOGRAM

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

ADVICE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "rec_job": (
        *("job_id", "advised_region", "advised_start_utc", "advised_finish_utc"),
        *("transfer_kgco2e", "saving_kgco2e"),
    ),
    "fact_job_estimate": (
        *("job_id", "baseline_region", "baseline_start_utc", "wall_hours", "device_hours"),
        *("power_w", "energy_kwh"),
    ),
    "dim_job": (
        *("job_id", "device", "current_region", "allowed_regions"),
        *("earliest_start_utc", "finish_by_utc"),
    ),
}
"""What the outcome of advice needs of a release, by table."""


@dataclass(frozen=True, slots=True)
class PastAdvice:
    """Advice of a past run for some of its jobs.

    Parameters
    ----------
    run_id : str
    as_of_utc : datetime
    profile : str
    jobs : pa.Table
        The columns of :data:`ADVICE_COLUMNS`, one row for each job, all with an advised place.
    segments : pa.Table
        Their rows of ``fact_job_segment``: a job that may pause has at least one.
    regions : pa.Table
        ``dim_region`` of the run.
    """

    run_id: str
    as_of_utc: datetime
    profile: str
    jobs: pa.Table
    segments: pa.Table
    regions: pa.Table


class AdvisedJobs(NamedTuple):
    """Past advice, each array of shape (jobs,).

    Regions are indices, negative where there is none; hours count from the start of the measured curves [h].
    """

    home: Integers
    home_start_h: Floats
    advised: Integers
    advised_start_h: Floats
    plan: Stretches
    interruptible: Flags
    transfer_kgco2e: Floats

    def transfer(self, region: Integers, energy: Floats) -> Floats:
        """What running in a region costs for leaving that of the baseline.

        Parameters
        ----------
        region : ndarray of int of shape (jobs,)
        energy : ndarray of shape (jobs,)
            [kWh]

        Returns
        -------
        ndarray of shape (jobs,)
            Over the energy [gCO2e/kWh]. Where the advice stays, what leaving would have cost is not known and taken as 0.
        """
        leaves = (region != self.home) & (self.home >= 0)
        return np.where(leaves, self.transfer_kgco2e * GRAMS_PER_KILOGRAM / energy, 0.0)


def places_of(advice: PastAdvice, measured: MeasuredCurves) -> PlaceColumns:
    """Regions of the run that gave the advice, with its PUE.

    Parameters
    ----------
    advice : PastAdvice
    measured : MeasuredCurves

    Returns
    -------
    PlaceColumns
    """
    regions = advice.regions.sort_by("region")
    pue = numbers(regions, "pue")
    known = np.ones(len(pue)) if advice.profile == "paper" else np.where(np.isnan(pue), UNKNOWN_PUE, pue)
    names, providers, countries = (texts(regions[name]) for name in ("region", "provider", "country_code"))
    zone = measured.rows_of(regions["zone"].to_pylist())
    return PlaceColumns(names, providers, countries, zone, known)


def region_index(places: PlaceColumns, names: Objects) -> Integers:
    """Index of each region.

    Parameters
    ----------
    places : PlaceColumns
    names : ndarray of object

    Returns
    -------
    ndarray of int
        Negative where it is none of these.
    """
    row = {name: at for at, name in enumerate(places.names)}
    return np.array([row.get(name, -1) for name in names], dtype=np.int64)


def jobs_of(advice: PastAdvice, places: PlaceColumns, measured: MeasuredCurves) -> AdvisedJobs:
    """Jobs of past advice as columns.

    Parameters
    ----------
    advice : PastAdvice
    places : PlaceColumns
    measured : MeasuredCurves

    Returns
    -------
    AdvisedJobs
    """
    table, segments = advice.jobs, advice.segments
    start, finish = (measured.hours(table[f"advised_{end}_utc"]) for end in ("start", "finish"))
    job = pc.index_in(segments["job_id"], table["job_id"].combine_chunks()).to_numpy()
    stretches = Stretches(job, *(measured.hours(segments[f"{end}_utc"]) for end in ("start", "finish")))
    return AdvisedJobs(
        home=region_index(places, texts(table["baseline_region"])),
        home_start_h=measured.hours(table["baseline_start_utc"]),
        advised=region_index(places, texts(table["advised_region"])),
        advised_start_h=start,
        plan=planned(start, finish, stretches),
        interruptible=np.isin(np.arange(len(start)), job),
        transfer_kgco2e=np.nan_to_num(numbers(table, "transfer_kgco2e")),
    )
