"""The places that jobs take, and what is left of the capacity."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.queue import Queue

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Taken(NamedTuple):
    """A place that a job takes.

    Attributes
    ----------
    region : int
    start_h : float
        First moment [h].
    emits : float
        With transfer [kgCO2e].
    cost : float
        What it is ranked by [kgCO2e].
    hours : slice or ndarray of int
        Hours touched, within the hours of the supply: a slice without pauses.
    part_first : bool
        With pauses: the part of an hour lies in the first of them.
    """

    region: int
    start_h: float
    emits: float
    cost: float
    hours: slice | Integers
    part_first: bool = False


@dataclass(slots=True)
class Placement:
    """Who runs where, and what is left.

    Parameters
    ----------
    queue : Queue
    free : ndarray of shape (devices, hours, regions)
        What is left.
    taken : dict of int to Taken
        By job.
    """

    queue: Queue
    free: Floats
    taken: dict[int, Taken] = field(default_factory=dict)

    def put(self, job: int, place: Taken) -> None:
        """Let a job run in a place.

        Parameters
        ----------
        job : int
        place : Taken
        """
        self.taken[job] = place
        self.free[self.queue.device[job], place.hours, place.region] -= self.queue.devices[job]

    def remove(self, job: int) -> Taken:
        """Take a job out of its place.

        Parameters
        ----------
        job : int

        Returns
        -------
        Taken
        """
        place = self.taken.pop(job)
        self.free[self.queue.device[job], place.hours, place.region] += self.queue.devices[job]
        return place

    def standing(self, levels: Integers, reference: Floats) -> tuple[tuple[int, ...], float]:
        """Jobs placed by priority, the highest first, and what they save against their reference: more is better.

        Parameters
        ----------
        levels : ndarray of int
            The priorities, highest first.
        reference : ndarray of shape (jobs,)
            What each job counts as without a place [kgCO2e].

        Returns
        -------
        placed : tuple of int
        less : float
            [kgCO2e]
        """
        jobs = self.jobs()
        placed = (self.queue.priority[jobs][:, None] == levels).sum(axis=0)
        return tuple(int(count) for count in placed), float(reference[jobs].sum()) - self.cost()

    def jobs(self) -> Integers:
        """Jobs that have a place, ascending.

        Returns
        -------
        ndarray of int
        """
        return np.sort(np.fromiter(self.taken, np.int64, len(self.taken)))

    def cost(self) -> float:
        """What the jobs placed are ranked by, together [kgCO2e].

        Returns
        -------
        float
        """
        return sum(place.cost for _, place in sorted(self.taken.items()))
