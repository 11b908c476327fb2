"""Where jobs may run: the regions each one is allowed, and what running there would emit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.work import numbers
from opencarbon.units import GRAMS_PER_KILOGRAM

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

TRANSFER_KWH_PER_GB: Final = 0.001
"""Network energy of moving data between data centres, from Cloud Carbon Footprint's methodology, section Networking
(https://www.cloudcarbonfootprint.org/docs/methodology/#networking): the smallest factor it knows, for links of high rate.
The factor is debated: the public internet of 2015 took 0.06 kWh/GB (Aslan et al. 2018, doi.org/10.1111/jiec.12630)."""

_WISH: Final = ("allowed_regions", "device", "current_region")
"""Columns that say where a job may run."""


@dataclass(frozen=True, slots=True)
class AllowedRegions:
    """Regions that jobs may run in, worked out once per kind of wish.

    Parameters
    ----------
    names, providers, countries : ndarray of object of shape (regions,)
    offers : mapping of str to frozenset of str
        Provider -> devices; a provider that is absent is taken to offer every device.
    """

    names: Objects
    providers: Objects
    countries: Objects
    offers: Mapping[str, frozenset[str]]

    def mask(self, jobs: pa.Table, default_region: str | None = None) -> Flags:
        """Whether each job may run in each region.

        Parameters
        ----------
        jobs : pa.Table
            ``PLANNED_JOBS``.
        default_region : str, optional
            Where jobs are that name no current region.

        Returns
        -------
        ndarray of bool of shape (jobs, regions)
        """
        columns = [jobs[name].combine_chunks().dictionary_encode() for name in _WISH]
        codes = [column.indices.fill_null(-1).to_numpy(zero_copy_only=False) for column in columns]
        sizes = [len(column.dictionary) + 1 for column in columns]
        keys = np.ravel_multi_index([code + 1 for code in codes], sizes)
        _, first, wish = np.unique(keys, return_index=True, return_inverse=True)
        masks = [
            self._one(row["allowed_regions"], row["device"], row["current_region"], default_region)
            for row in jobs.select(list(_WISH)).take(pa.array(first, pa.int64())).to_pylist()
        ]
        return np.stack(masks)[wish] if masks else np.zeros((0, len(self.names)), dtype=bool)

    def _one(self, allowed: str | None, device: str, current: str | None, default: str | None) -> Flags:
        names, providers, countries = self.names, self.providers, self.countries
        here = names == (default if current is None else current)
        if allowed is None:
            offered = np.array([device in self.offers.get(name, (device,)) for name in providers], dtype=bool)
            same = providers == current.split(":", 1)[0] if current else np.ones(len(names), dtype=bool)
            return np.asarray((offered & same) | here)
        mask = np.zeros(len(names), dtype=bool)
        for wish in allowed.split(";") if allowed else ():
            if wish == "*":
                mask[:] = True
            elif wish.endswith(":*"):
                mask |= providers == wish.removesuffix(":*")
            elif wish.startswith("country:"):
                mask |= countries == wish.removeprefix("country:")
            else:
                mask |= names == wish
        return mask if allowed else here


def transfer_kgco2e(jobs: pa.Table, leaves: Flags, gco2e_per_kwh: float) -> Floats:
    """Emissions of moving each job's data to another region.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    leaves : ndarray of bool of shape (jobs,)
        The job has a region that it would leave.
    gco2e_per_kwh : float
        Carbon intensity of the network between [gCO2e/kWh].

    Returns
    -------
    ndarray of shape (jobs,)
        [kgCO2e]; 0 where a job names no data or leaves no region; NaN where data move and the intensity is not known.
    """
    data_gb = np.where(leaves, np.nan_to_num(numbers(jobs, "dataset_gb")), 0.0)
    moved = data_gb * TRANSFER_KWH_PER_GB * gco2e_per_kwh / GRAMS_PER_KILOGRAM
    return np.where(data_gb > 0, moved, 0.0)
