"""Jobs that ask for capacity, what is free for them, and the regions they may run in."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BEHIND_H: Final = 24
"""Starts behind the horizon are looked at for this long after the first of them [h]."""

HOUR_TOLERANCE: Final = 1e-9
"""Less time than this in an hour is rounding: the hour is not touched [h]."""

DEVICE_TOLERANCE: Final = 1e-9
"""Relative rounding of sums of device counts."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs that ask for capacity, each array of shape (jobs,).

    Parameters
    ----------
    device : ndarray of int
        Index into the devices of the supply.
    devices : ndarray
        How many the job takes.
    priority : ndarray of int
        Higher first.
    energy_kwh : ndarray
        At the servers [kWh].
    run_h, earliest_h, latest_h : ndarray
        Duration, first and last start [h from the first hour of the curves].
    interruptible : ndarray of bool
    home : ndarray of int
        Region of the baseline; negative where there is none, or nothing can be free in it.
    home_zone : ndarray of int
        Its zone; negative where there is none.
    home_pue, home_pue_sd : ndarray
        Its PUE and the standard deviation of its logarithm.
    base_kgco2e, base_sd_kgco2e, base_start_h : ndarray
        Operational emissions of the baseline, what the intensity gives to their standard deviation [kgCO2e], and its
        start [h]; NaN without a baseline.
    base_kind : ndarray of int
        Code of the poorest kind of intensity of the baseline.
    least_kgco2e : ndarray
        The same at the lowest PUE, in the cleaner zone, that the region of the baseline may have: what a move must save
        against [kgCO2e].
    stays_below_kgco2e : ndarray
        Dearest place worth leaving the baseline for; infinite where the job may not stay [kgCO2e].
    delay_kgco2e : ndarray
        What a start after the first clock hour of the window must save beside one in it [kgCO2e].
    transfer_kgco2e : ndarray
        Emissions of moving [kgCO2e].
    restart_h : ndarray
        Energy of a resume after a pause, in hours of the run's power [h].
    allowed : ndarray of bool of shape (jobs, regions)
    """

    device: Integers
    devices: Floats
    priority: Integers
    energy_kwh: Floats
    run_h: Floats
    earliest_h: Floats
    latest_h: Floats
    interruptible: Flags
    home: Integers
    home_zone: Integers
    home_pue: Floats
    home_pue_sd: Floats
    base_kgco2e: Floats
    base_sd_kgco2e: Floats
    base_start_h: Floats
    base_kind: Integers
    least_kgco2e: Floats
    stays_below_kgco2e: Floats
    delay_kgco2e: Floats
    transfer_kgco2e: Floats
    restart_h: Floats
    allowed: Flags

    def __len__(self) -> int:
        """Number of jobs."""
        return len(self.device)

    def take(self, jobs: Integers) -> Self:
        """Some of the jobs.

        Parameters
        ----------
        jobs : ndarray of int

        Returns
        -------
        Queue
        """
        return type(self)(**{field.name: getattr(self, field.name)[jobs] for field in fields(self)})


@dataclass(frozen=True, slots=True)
class Terrain:
    """Regions by clock hour, hours first: what running there emits, and how well that is known.

    The last hour stands for all hours behind it.

    Parameters
    ----------
    rate : ndarray of shape (hours + 1, regions)
        Facility emissions per energy at the servers [kgCO2e/kWh]; NaN where an hour is not known.
    sd : ndarray of shape (hours + 1, regions)
        Its standard deviation [kgCO2e/kWh].
    kind : ndarray of int of shape (hours + 1, regions)
        Code of the kind of intensity.
    zone : ndarray of int of shape (regions,)
    pue, pue_sd : ndarray of shape (regions,)
        PUE and the standard deviation of its logarithm.
    worst : ndarray of shape (hours + 1, regions)
        ``rate`` at the highest PUE, in the dirtier zone, that a region may have; NaN where that is not known
        [kgCO2e/kWh].
    is_disputed : ndarray of bool of shape (regions,)
        The zone is.
    horizon_h : int
        Hours ahead that are told apart by the curves [h].
    """

    rate: Floats
    sd: Floats
    kind: Integers
    zone: Integers
    pue: Floats
    pue_sd: Floats
    worst: Floats
    is_disputed: Flags
    horizon_h: int


@dataclass(frozen=True, slots=True)
class Supply:
    """What is free for the queue.

    Parameters
    ----------
    free : ndarray of shape (devices, hours, regions)
        Free devices of a kind in a region by clock hour, from the first hour of the curves; the last hour stands for
        all hours behind it.
    """

    free: Floats

    @property
    def hours(self) -> int:
        """Hours that are told apart."""
        return int(self.free.shape[1])
