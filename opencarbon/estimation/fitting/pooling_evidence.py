"""Runs as evidence of utilisation: what each shares with the others, as covariances."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opencarbon.estimation.fitting.pooling_priors import (
    BETWEEN_DEVICES,
    BETWEEN_FAMILIES,
    BETWEEN_ORGANISATIONS,
    BETWEEN_PROJECTS,
    CENTRE,
    FAR,
    GOODPUT,
    SLOPE,
    TUNED_CODE,
    VAGUE,
    WITHIN_FAMILY,
)

Floats = NDArray[np.float64]


class Place(NamedTuple):
    """A device and the peers its utilisation is pooled with."""

    device: str
    generation: str


class Run(NamedTuple):
    """A run as evidence.

    Attributes
    ----------
    place : Place
    organisation, family : str
    ln_utilisation : float
        ln(mean throughput / dense peak).
    ideal_decades : float
        Decades of ideal wall-hours above the origin.
    error : float
        Standard deviation of its ln utilisation about that of its family.
    is_throughput : bool
        It shows throughput alone, not the hours that were billed.
    is_benchmark, is_own : bool
        It is a benchmark; it is of the own fleet.
    """

    place: Place
    organisation: str
    family: str
    ln_utilisation: float
    ideal_decades: float = 0.0
    error: float = WITHIN_FAMILY
    is_throughput: bool = False
    is_benchmark: bool = False
    is_own: bool = False


class Evidence:
    """The runs as columns, and the covariances that their effects make.

    Parameters
    ----------
    runs : sequence of Run
    with_slope : bool
        Let utilisation depend on ideal wall-hours.
    """

    def __init__(self, runs: Sequence[Run], with_slope: bool) -> None:
        self.values = np.array([run.ln_utilisation for run in runs])
        self.decades = np.array([run.ideal_decades if with_slope else 0.0 for run in runs])
        self.device, self.generation = (
            _names(run.place.device for run in runs),
            _names(run.place.generation for run in runs),
        )
        self.own = np.array([run.is_own for run in runs])
        self.benchmark = np.array([run.is_benchmark for run in runs])
        self.organisation = _names(run.organisation for run in runs)
        self.family = _names(run.family for run in runs)
        self.error = np.array([run.error for run in runs])
        self.throughput = np.array([float(run.is_throughput) for run in runs])

    def covariance(self) -> Floats:
        """Covariance of the runs.

        Returns
        -------
        ndarray of shape (runs, runs)
        """
        published = ~self.benchmark
        both = np.outer(published, published)
        here = _same(self.device)
        fleet = np.outer(self.own, self.own) & here
        family = _same(self.family)
        rows = self._common(_same(self.device), _same(self.generation))
        rows += SLOPE**2 * np.outer(self.decades, self.decades)
        rows += BETWEEN_ORGANISATIONS**2 * (both & _same(self.organisation))
        rows += BETWEEN_FAMILIES**2 * np.where(np.outer(self.own, self.own), fleet, both & family)
        rows += BETWEEN_PROJECTS**2 * (fleet & family)
        rows += GOODPUT**2 * np.outer(self.throughput, self.throughput)
        rows += TUNED_CODE**2 * (np.outer(self.benchmark, self.benchmark) & here)
        return rows + np.diag(self._error_variance())

    def reach(self, places: Sequence[Place]) -> tuple[Floats, Floats]:
        """Covariance of the runs with a new run on each place, and its variance.

        Parameters
        ----------
        places : sequence of Place

        Returns
        -------
        ndarray of shape (runs, places), ndarray of shape (places,)
        """
        device, generation = (
            _names(place.device for place in places),
            _names(place.generation for place in places),
        )
        here = self.device[:, None] == device[None, :]
        rows = self._common(here, self.generation[:, None] == generation[None, :])
        rows += self.own[:, None] * (BETWEEN_ORGANISATIONS**2 + BETWEEN_FAMILIES**2 * here)
        new = BETWEEN_ORGANISATIONS**2 + BETWEEN_FAMILIES**2 + WITHIN_FAMILY**2
        new += BETWEEN_PROJECTS**2 * float(self.own.any())
        return rows, np.full(len(places), VAGUE**2 + 2.0 * BETWEEN_DEVICES**2 + new)

    @staticmethod
    def _common(same_device: NDArray[np.bool_], same_generation: NDArray[np.bool_]) -> Floats:
        return np.asarray(VAGUE**2 + BETWEEN_DEVICES**2 * (same_device.astype(np.float64) + same_generation))

    def _error_variance(self) -> Floats:
        # The error of own runs has it already: those of a project are one row, and many that agree are no wrong figure.
        return np.asarray(self.error**2 + np.where(self.own, 0.0, beyond(self.values)))


def beyond(values: Floats) -> Floats:
    """Variance that widens the error of runs beyond ``FAR``.

    Parameters
    ----------
    values : ndarray
        ln utilisation.

    Returns
    -------
    ndarray
    """
    spread = math.hypot(BETWEEN_FAMILIES, BETWEEN_ORGANISATIONS, BETWEEN_DEVICES, BETWEEN_DEVICES)
    return np.asarray(spread**2 * np.maximum(0.0, ((values - CENTRE) / (FAR * spread)) ** 2 - 1.0))


def _names(names: Iterable[str]) -> NDArray[np.str_]:
    return np.array(list(names), dtype=np.str_)


def _same(names: NDArray[np.str_]) -> NDArray[np.bool_]:
    _, codes = np.unique(names, return_inverse=True)
    return np.asarray(codes[:, None] == codes[None, :])
