"""The allocation of a queue: by HiGHS where it is small, by prices and placing one after the other where it is large."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.large import allocate_large
from opencarbon.estimation.allocation.placement import Taken
from opencarbon.estimation.allocation.places import Ground
from opencarbon.estimation.allocation.queue import Queue, Supply, Terrain

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

Method = Literal["exact", "improved", "heuristic"]

SMALL: Final = 300
"""Jobs up to which HiGHS is asked."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who runs where, and how good that is.

    Parameters
    ----------
    region : ndarray of int of shape (jobs,)
        Negative where a job found no place.
    start_h : ndarray of shape (jobs,)
        First moment; NaN without a place [h from the first hour of the curves].
    stretch_job : ndarray of int of shape (stretches,)
        Jobs that pause, ascending.
    stretch_start_h, stretch_finish_h : ndarray of shape (stretches,)
        When they run, by time [h from the first hour of the curves].
    method : {"exact", "improved", "heuristic"}
        exact: HiGHS proved that there is nothing better over the places looked at; improved: it stopped before that, or
        the result was close enough to the bound; heuristic: the queue was too large to ask it.
    emits_kgco2e : float
        Of all jobs placed, with transfer.
    bound_kgco2e : float
        The least that could be.
    """

    region: Integers
    start_h: Floats
    stretch_job: Integers
    stretch_start_h: Floats
    stretch_finish_h: Floats
    method: Method
    emits_kgco2e: float
    bound_kgco2e: float

    @property
    def gap(self) -> float:
        """How far the emissions lie above the bound, as a part of the bound; infinite where it says nothing."""
        above = self.emits_kgco2e - self.bound_kgco2e
        if above <= 0:
            return 0.0
        return above / self.bound_kgco2e if self.bound_kgco2e > 0 else float("inf")


def allocate(queue: Queue, terrain: Terrain, supply: Supply) -> Allocation:
    """Give every job a place that capacity holds, as well as can be.

    Parameters
    ----------
    queue : Queue
    terrain : Terrain
    supply : Supply

    Returns
    -------
    Allocation
    """
    if not len(queue) or not supply.free.size:
        return as_allocation(queue, {}, bound=0.0, method="exact")
    ground = Ground(terrain, supply)
    if len(queue) > SMALL:
        placement, bound = allocate_large(queue, ground)
        return as_allocation(queue, placement.taken, bound=bound, method="heuristic")
    from opencarbon.estimation.allocation.small import allocate_small  # HiGHS is slow to import

    dearest = queue.energy_kwh * ground.rate.max() + queue.transfer_kgco2e
    reference = np.where(np.isfinite(queue.base_kgco2e), queue.base_kgco2e, dearest)
    placement, bound, proved = allocate_small(queue, ground, reference)
    return as_allocation(queue, placement.taken, bound=bound, method="exact" if proved else "improved")


def as_allocation(queue: Queue, taken: dict[int, Taken], *, bound: float, method: Method) -> Allocation:
    """Places as arrays.

    Parameters
    ----------
    queue : Queue
    taken : dict of int to Taken
        By job.
    bound : float
        [kgCO2e]
    method : {"exact", "improved", "heuristic"}

    Returns
    -------
    Allocation
    """
    region, start = np.full(len(queue), -1, dtype=np.int64), np.full(len(queue), np.nan)
    stretches: list[tuple[int, float, float]] = []
    for job, place in sorted(taken.items()):
        region[job], start[job] = place.region, place.start_h
        if not isinstance(place.hours, slice):
            stretches += [(job, *one) for one in _stretches(place, float(queue.run_h[job]))]
    columns = np.array(stretches, dtype=np.float64).reshape(-1, 3)
    return Allocation(
        region=region,
        start_h=start,
        stretch_job=columns[:, 0].astype(np.int64),
        stretch_start_h=columns[:, 1],
        stretch_finish_h=columns[:, 2],
        method=method,
        emits_kgco2e=sum(place.emits for _, place in sorted(taken.items())),
        bound_kgco2e=bound,
    )


def _stretches(place: Taken, run_h: float) -> list[tuple[float, float]]:
    """Stretches of a schedule with pauses, adjacent hours as one."""
    hours = np.asarray(place.hours)
    spared = len(hours) - run_h
    first = np.flatnonzero(np.diff(hours, prepend=hours[0] - 2) > 1)
    last = np.flatnonzero(np.diff(hours, append=hours[-1] + 2) > 1)
    starts, finishes = hours[first].astype(np.float64), hours[last] + 1.0
    if place.part_first:
        starts[0] += spared
    else:
        finishes[-1] -= spared
    return list(zip(starts.tolist(), finishes.tolist(), strict=True))
