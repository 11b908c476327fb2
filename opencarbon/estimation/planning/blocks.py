"""A block of jobs in question: what staying and moving costs each of them, and whether a place holds as a move."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.plans import Field
from opencarbon.estimation.planning.schedules import Places, place_jobs
from opencarbon.estimation.planning.windows import Windows
from opencarbon.units import GRAMS_PER_KILOGRAM

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TIE: Final = 1e-9
"""Costs nearer to each other than this, relative, are equal."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of jobs in question, each array of shape (jobs,); costs are emissions over energy [gCO2e/kWh].

    Parameters
    ----------
    jobs : ndarray of int
        Indices into the estimates.
    home : ndarray of int
        Region of the baseline; negative where there is none.
    base_cost : ndarray
        Of the baseline; NaN where there is none.
    embodied_cost : ndarray
        Embodied emissions: the same wherever the job runs.
    highest_cost : ndarray
        That is worth leaving the baseline for.
    may_stay : ndarray of bool
        The job may run where it is.
    transfer : ndarray
        Cost of moving.
    estimates : JobEstimates
    windows : Windows
    field : Field
    """

    jobs: Integers
    home: Integers
    base_cost: Floats
    embodied_cost: Floats
    highest_cost: Floats
    may_stay: Flags
    transfer: Floats
    estimates: JobEstimates
    windows: Windows
    field: Field

    def place(self, rows: Integers, region: Integers, form: Integers) -> Places:
        """When some of the jobs run in places, see :func:`~opencarbon.estimation.planning.schedules.place_jobs`.

        Parameters
        ----------
        rows : ndarray of int of shape (places,)
            Jobs, counted within the block.
        region, form : ndarray of int of shape (places,)

        Returns
        -------
        Places
        """
        return place_jobs(self.jobs[rows], region, form, self.estimates, self.windows, self.field)

    def moving_cost(self, rows: Integers, region: Integers) -> Floats:
        """Cost of moving some of the jobs' data to regions; 0 at home.

        Parameters
        ----------
        rows : ndarray of int
            Jobs, counted within the block.
        region : ndarray of int
            Of any shape that goes with ``rows``.

        Returns
        -------
        ndarray
        """
        return np.where(region == self.home[rows], 0.0, self.transfer[rows])

    def cost_in(self, rows: Integers, region: Integers, places: Places) -> Floats:
        """Cost of some of the jobs in places, resumes among it.

        Parameters
        ----------
        rows, region : ndarray of int of shape (places,)
        places : Places

        Returns
        -------
        ndarray of shape (places,)
        """
        pue = self.field.regions.pue[region]
        return pue * (places.intensity + places.restart) + self.moving_cost(rows, region)

    def is_worth(self, cost: Floats, rows: Integers | slice = slice(None)) -> Flags:
        """Whether costs are worth leaving the baseline for; any is where the job may not stay.

        Parameters
        ----------
        cost : ndarray of shape (rows,)
        rows : ndarray of int or slice, optional
            Jobs, counted within the block.

        Returns
        -------
        ndarray of bool
        """
        gains = (cost <= self.highest_cost[rows]) & (cost < self.base_cost[rows])
        return np.isfinite(cost) & (gains | ~self.may_stay[rows])


def make_block(
    jobs: Integers,
    estimates: JobEstimates,
    windows: Windows,
    allowed: Flags,
    transfer_kgco2e: Floats,
    field: Field,
    min_saving_pct: float,
) -> Block:
    """Some jobs, with what staying and moving costs.

    Parameters
    ----------
    jobs : ndarray of int of shape (jobs,)
        Indices into the estimates.
    estimates : JobEstimates
    windows : Windows
    allowed : ndarray of bool of shape (jobs, regions)
        Of these jobs.
    transfer_kgco2e : ndarray
        Emissions of moving the data of every job of the estimates [kgCO2e].
    field : Field
    min_saving_pct : float
        Least saving worth leaving the baseline, of its total [%].

    Returns
    -------
    Block
    """
    base, energy = estimates.baseline, estimates.energy_kwh[jobs]
    home, base_cost = base.region[jobs], (base.intensity * base.pue)[jobs]
    embodied = estimates.embodied_kgco2e[jobs] * GRAMS_PER_KILOGRAM / energy
    least = np.maximum(TIE * base_cost, min_saving_pct / 100.0 * (base_cost + embodied))
    return Block(
        jobs=jobs,
        home=home,
        base_cost=base_cost,
        embodied_cost=embodied,
        highest_cost=base_cost - least,
        may_stay=(home >= 0) & base.rankable[jobs] & allowed[np.arange(len(jobs)), home],
        transfer=transfer_kgco2e[jobs] * GRAMS_PER_KILOGRAM / energy,
        estimates=estimates,
        windows=windows,
        field=field,
    )
