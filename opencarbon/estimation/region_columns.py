"""Regions as columns, ready for arithmetic, and what their intensity and PUE add to an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.catalog.pue import UNKNOWN_PUE
from opencarbon.estimation.fitting.pooling_priors import LEVEL
from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.grid.grid_layers import WORLD
from opencarbon.estimation.grid.intensity import stand_in
from opencarbon.estimation.work import numbers, texts
from opencarbon.physics.carbon import Z80, normal_half_width

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

PUE_HALF_WIDTH: Final = {"measured": 0.02, "estimated": 0.05, "assumed": 0.10}
"""80 % half-width of ln PUE by its status. Assumed: the regions of a provider differ by about this much (the figures
AWS and Microsoft publish by region, 2024); published yearly means move by 1-2 % from year to year."""


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions as columns, in the order of their names, with the index of their curve.

    Parameters
    ----------
    names, providers, countries : ndarray of shape (regions,)
    zone : ndarray of int of shape (regions,)
        Index into the planning curves: that of the zone, else of its country where that is one zone, else of the world.
    has_zone : ndarray of bool of shape (regions,)
    other_zone : ndarray of int of shape (regions,)
        The same by the other reading of a disputed zone; ``zone`` itself where there is none.
    pue, pue_half_width : ndarray of shape (regions,)
        PUE and the half-width of its logarithm.
    pue_low, pue_high : ndarray of shape (regions,)
        Ends between which the PUE lies; both are ``pue`` where it is measured.
    assumed_pue : ndarray of bool of shape (regions,)
    pue_nowhere, pue_half_width_nowhere : float
        The same for a job that names no region.
    z : float
        Standard deviations of a normal that half the intervals span.
    """

    names: Objects
    providers: Objects
    countries: Objects
    zone: Integers
    has_zone: Flags
    other_zone: Integers
    pue: Floats
    pue_half_width: Floats
    pue_low: Floats
    pue_high: Floats
    assumed_pue: Flags
    pue_nowhere: float
    pue_half_width_nowhere: float
    z: float

    def index_of(self, names: Objects) -> Integers:
        """Index of each name, negative where it is none.

        Parameters
        ----------
        names : ndarray of object

        Returns
        -------
        ndarray of int
        """
        return np.asarray(pd.Index(self.names).get_indexer(pd.Index(names)), dtype=np.int64)


def regions_as_columns(
    regions: pa.Table, curves: PlanningCurves, profile: str, *, level: float = LEVEL
) -> Regions:
    """Regions of the catalog, ready for arithmetic.

    Parameters
    ----------
    regions : pa.Table
        ``dim_region``.
    curves : PlanningCurves
    profile : {"calibrated", "paper"}
        The paper knows no PUE: it is 1 there.
    level : float, optional
        Share that intervals are to hold.

    Returns
    -------
    Regions
    """
    regions = regions.sort_by("region")
    paper = profile == "paper"
    pue = numbers(regions, "pue")
    pue = np.ones(len(pue)) if paper else np.where(np.isnan(pue), UNKNOWN_PUE, pue)
    low, high = (np.ones(len(pue)) if paper else numbers(regions, name) for name in ("pue_low", "pue_high"))
    status = [one or "assumed" for one in regions["pue_status"].to_pylist()]
    z = normal_half_width(level)
    width = np.array([PUE_HALF_WIDTH[one] for one in status]) * (z / Z80)
    zones, countries = texts(regions["zone"]), texts(regions["country_code"])
    row = {name: at for at, name in enumerate(curves.zones)}
    world = row[WORLD]
    zone = [
        row.get(stand_in(country), world) if name is None else row[name]
        for name, country in zip(zones, countries, strict=True)
    ]
    zone_at = np.array(zone, dtype=np.int64)
    other = [row.get(name, -1) for name in texts(regions["alternative_zone"])]
    return Regions(
        names=texts(regions["region"]),
        providers=texts(regions["provider"]),
        countries=countries,
        zone=zone_at,
        has_zone=np.array([name is not None for name in zones], dtype=bool),
        other_zone=np.where(np.array(other, dtype=np.int64) < 0, zone_at, other),
        pue=pue,
        pue_half_width=np.zeros(len(pue)) if paper else width,
        pue_low=np.fmin(low, pue),
        pue_high=np.fmax(high, pue),
        assumed_pue=np.array([one == "assumed" and not paper for one in status], dtype=bool),
        pue_nowhere=1.0 if paper else UNKNOWN_PUE,
        pue_half_width_nowhere=0.0 if paper else PUE_HALF_WIDTH["assumed"] * (z / Z80),
        z=z,
    )


def place_half_width(intensity: Floats, intensity_sd: Floats, pue_half_width: Floats, z: float) -> Floats:
    """Half-width that intensity and PUE give to the logarithm of operational emissions.

    Parameters
    ----------
    intensity, intensity_sd : ndarray
        Mean over the run and its standard deviation [gCO2e/kWh].
    pue_half_width : ndarray
    z : float
        Standard deviations of the intensity that half the interval spans.

    Returns
    -------
    ndarray
        NaN where the intensity is not known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(intensity == 0, 0.0, np.log1p(z * intensity_sd / intensity))
    return np.hypot(spread, pue_half_width)
