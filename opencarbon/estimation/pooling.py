r"""Pooled utilisation: what a new run reaches on each device, from the runs seen so far.

Model
-----
y = ln(mean throughput / dense peak) of a run is a sum of random effects,

.. math:: y = \mu + g_{generation} + d_{device} + o_{organisation} + f_{family} + \beta x + r + \epsilon_{run},

x the decades of ideal wall-hours above the origin (:func:`opencarbon.estimation.hours.ideal_decades`) and r a
goodput that all rows share which show throughput alone, without the interruptions of a whole run. Benchmarks of
tuned code are rows of that kind. For runs of the own fleet the fleet on its device stands in place of the family
and the project below it.

Prior
-----
Every effect is normal about 0 with the standard deviation stated below; :math:`\mu` is vague. All variances share an
unknown scale with a scaled inverse chi-squared prior of :data:`PRIOR_DEGREES` degrees of freedom. Runs far from
what any device reaches (:data:`FAR`) get an error to match, so that one wrong figure moves little.

Solver
------
The posterior is normal given the scale, in closed form (best linear unbiased prediction), and Student's t after it:
one inverse of a matrix of the size of the runs, nothing to converge and nothing random. Rows are put in
order first, so that the order they come in leaves no trace.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEVEL: Final = 0.8
"""Share of new runs of new families that an interval is to hold, where nothing else is asked for."""

BETWEEN_FAMILIES: Final = 0.34
"""Standard deviation of ln utilisation between families of one organisation on one device.

With :data:`BETWEEN_ORGANISATIONS` it makes the 0.42 measured between 16-34 families of published runs whose FLOP was
counted, reported or measured (Epoch AI, 2025-11); restricted maximum likelihood on 92 runs of 62 families splits it
0.26 to 0.31.
"""

BETWEEN_ORGANISATIONS: Final = 0.25
"""Standard deviation of ln utilisation between organisations: their clusters and code bases. See above."""

WITHIN_FAMILY: Final = 0.16
"""Standard deviation of ln utilisation between runs of one family on one device, from the same runs."""

CONVENTION: Final = 0.22
"""Further standard deviation where the FLOP was only reported: conventions of counting differ by as much as
6.31e23 and 5.04e23 FLOP of Gopher."""

BETWEEN_DEVICES: Final = 0.20
"""Standard deviation of ln utilisation between devices of one generation, and between generations.

Median utilisation of published runs is .38 (A100 80GB), .29 (A100 40GB), .26 (H100), .33 (TPU v4), .30 (TPU v3)
and .23 (V100): a standard deviation of 0.18 in logs, on few runs each.
"""

BETWEEN_PROJECTS: Final = 0.15
"""Standard deviation of ln utilisation between projects of the own fleet on one device: taken to be that within a
published family."""

SLOPE: Final = 0.3
"""Prior standard deviation of the change of ln utilisation per decade of ideal wall-hours: from 100 h to 10 h a run
loses a quarter, give or take. Wide against what the runs say, 0.4 with an error of 0.07."""

GOODPUT: Final = 0.3
"""Prior standard deviation of what throughput alone leaves out, and tuned code gains, in ln utilisation."""

TUNED_CODE: Final = 0.2
"""Standard deviation of what benchmarks of one code gain on one device more than on another, in ln utilisation."""

VAGUE: Final = 5.0
"""Prior standard deviation of the mean of all: it says nothing."""

CENTRE: Final = float(np.log(1.0 / 3.0))
"""Utilisation that runs are measured from: between the 0.30 and 0.40 that Epoch AI assumes where nothing is known
(https://epoch.ai/blog/estimating-training-compute). The mean is estimated; this only says what is far."""

FAR: Final = 2.0
"""Standard deviations of a run from :data:`CENTRE` beyond which its own error is widened."""

LEAST_FAMILIES: Final = 20
"""Families from which on errors of families left out decide: with fewer, they are known no better than to a third."""

PRIOR_DEGREES: Final = 10.0
"""Degrees of freedom of the prior of the scale: it weighs as ten runs."""

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


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Runs as predicted from all runs that are not of their family, in ln utilisation, each array of shape (runs,).

    Only published runs count whose hours were billed.

    Parameters
    ----------
    family : ndarray of str
    error : ndarray
    scale : ndarray
        Standard deviation of the prediction, before the common scale of all variances.
    """

    family: NDArray[np.str_]
    error: Floats
    scale: Floats

    def mean_of_medians(self) -> float:
        """Mean over families of the median of the absolute error."""
        size = np.abs(self.error)
        _, of = np.unique(self.family, return_inverse=True)
        order = np.argsort(of, kind="stable")
        groups = np.split(size[order], np.flatnonzero(np.diff(of[order])) + 1)
        return float(np.mean([np.median(group) if len(group) > 1 else group[0] for group in groups]))

    def quantile(self, level: float) -> float:
        """Standardised error that a share of new families keeps within; infinite where there are too few.

        Every family weighs the same, and one more that is not known yet: the rank is that among families + 1.

        Parameters
        ----------
        level : float

        Returns
        -------
        float
        """
        _, of, runs = np.unique(self.family, return_inverse=True, return_counts=True)
        size = np.abs(self.error) / self.scale
        order = np.lexsort((of, size))
        within = np.cumsum(1.0 / runs[of][order]) / (len(runs) + 1.0)
        rank = int(np.searchsorted(within, level - 1e-12))
        return float(size[order][rank]) if rank < len(size) else float("inf")


@dataclass(frozen=True, slots=True)
class Prediction:
    """ln utilisation of one new run on each place, at the origin of ideal wall-hours.

    Parameters
    ----------
    centre : ndarray of shape (places,)
        Predictive median.
    deviation : ndarray of shape (places,)
        Standard deviation about it, before the common scale of all variances.
    common_scale : float
        Root of that scale.
    degrees : float
        Degrees of freedom behind it.
    slope : float
        Change per decade of ideal wall-hours.
    held_out : HeldOut
        The same model, one family left out at a time.
    """

    centre: Floats
    deviation: Floats
    common_scale: float
    degrees: float
    slope: float
    held_out: HeldOut

    def half_width(self, level: float) -> Floats:
        """Half the interval that is to hold a share of new runs of new families.

        With at least :data:`LEAST_FAMILIES` families it is conformal: as wide, in standard deviations, as the errors
        of that share of families that were left out, all devices together. With fewer, or for a share that no
        rank among them reaches, Student's t decides.

        Parameters
        ----------
        level : float
            Between 0 and 1.

        Returns
        -------
        ndarray of shape (places,)
        """
        student = self.common_scale * float(stdtrit(self.degrees, (1.0 + level) / 2.0))
        if len(np.unique(self.held_out.family)) < LEAST_FAMILIES:
            return self.deviation * student
        ranked = self.held_out.quantile(level)
        if math.isinf(ranked):
            ranked = max(student, float(np.max(np.abs(self.held_out.error) / self.held_out.scale)))
        return self.deviation * ranked


def predicted(runs: Sequence[Run], places: Sequence[Place], *, with_slope: bool = True) -> Prediction:
    """Predict one new run on each place: of the own fleet where runs of it are given, else of a new family.

    Parameters
    ----------
    runs : sequence of Run
        At least one; their order does not matter.
    places : sequence of Place
        Where the new run could be, with or without runs there.
    with_slope : bool, optional
        Let utilisation depend on ideal wall-hours.

    Returns
    -------
    Prediction
    """
    own = [run for run in runs if run.is_own]
    if own:
        return _of_own_fleet([run for run in runs if not run.is_own], own, places, with_slope=with_slope)
    return _of_new_family(runs, places, with_slope=with_slope)


def _of_own_fleet(
    published: Sequence[Run], own: Sequence[Run], places: Sequence[Place], *, with_slope: bool
) -> Prediction:
    """The fleet as seen against all that is published, whose slope and errors stay what they are.

    Own runs of a project on a device are one observation: they may be tens of thousands, and a slope within one fleet
    is not one between families.
    """
    known = _of_new_family(published, places, with_slope=with_slope) if published else None
    slope = known.slope if known else 0.0
    level = [run._replace(ln_utilisation=run.ln_utilisation - slope * run.ideal_decades) for run in own]
    flat = [run._replace(ln_utilisation=run.ln_utilisation - slope * run.ideal_decades) for run in published]
    found = _of_new_family([*flat, *_merged(level)], places, with_slope=False)
    return replace(found, slope=slope, held_out=known.held_out if known else found.held_out)


def _merged(own: Sequence[Run]) -> list[Run]:
    """Runs of one project on one device as one, by the precision of each."""
    groups: dict[tuple[Place, str], list[Run]] = {}
    for run in _in_order(own):
        groups.setdefault((run.place, run.family), []).append(run)
    merged = []
    for runs in groups.values():
        values = np.array([run.ln_utilisation for run in runs])
        weights = 1.0 / (np.array([run.error for run in runs]) ** 2 + _beyond(values))
        mean = float(values @ weights / weights.sum())
        merged.append(runs[0]._replace(ln_utilisation=mean, error=float(weights.sum()) ** -0.5))
    return merged


def _of_new_family(runs: Sequence[Run], places: Sequence[Place], *, with_slope: bool) -> Prediction:
    ordered = _in_order(runs)
    seen = _Evidence(ordered, with_slope)
    precision: Floats = np.asarray(np.linalg.inv(seen.covariance()), dtype=np.float64)
    rest = precision @ (seen.values - CENTRE)
    reach, unknown = seen.reach(places)
    degrees = PRIOR_DEGREES + len(runs)
    return Prediction(
        centre=CENTRE + reach.T @ rest,
        deviation=np.sqrt(unknown - np.einsum("ij,ij->j", reach, precision @ reach)),
        common_scale=math.sqrt((PRIOR_DEGREES + float((seen.values - CENTRE) @ rest)) / degrees),
        degrees=degrees,
        slope=float(SLOPE**2 * (seen.decades @ rest)) if with_slope else 0.0,
        held_out=_held_out(ordered, seen, precision, rest),
    )


def _held_out(runs: Sequence[Run], seen: "_Evidence", precision: Floats, rest: Floats) -> HeldOut:
    """Leave one family out at a time, in closed form from the precision of all."""
    counts = np.array([not (run.is_throughput or run.is_own or run.is_benchmark) for run in runs])
    error, scale = np.full(len(runs), np.nan), np.full(len(runs), np.nan)
    _, of, sizes = np.unique(seen.family, return_inverse=True, return_counts=True)
    alone = sizes[of] == 1
    error[alone] = rest[alone] / np.diag(precision)[alone]
    scale[alone] = np.diag(precision)[alone] ** -0.5
    for family in np.unique(of[counts & ~alone]):
        out = np.flatnonzero((of == family) & ~seen.benchmark)
        covariance = np.linalg.inv(precision[np.ix_(out, out)])
        error[out], scale[out] = covariance @ rest[out], np.sqrt(np.diag(covariance))
    return HeldOut(seen.family[counts], error[counts], scale[counts])


def _in_order(runs: Sequence[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.place, run.organisation, run.family, *map(repr, run[3:])))


class _Evidence:
    """The runs as columns, and the covariances that their effects make."""

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
        """Covariance of the runs."""
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
        """Covariance of the runs with a new run on each place (runs, places), and its variance (places,)."""
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
        return np.asarray(self.error**2 + _beyond(self.values))


def _beyond(values: Floats) -> Floats:
    """Variance that widens the error of runs beyond :data:`FAR`."""
    spread = math.hypot(BETWEEN_FAMILIES, BETWEEN_ORGANISATIONS, BETWEEN_DEVICES, BETWEEN_DEVICES)
    return np.asarray(spread**2 * np.maximum(0.0, ((values - CENTRE) / (FAR * spread)) ** 2 - 1.0))


def _names(names: Iterable[str]) -> NDArray[np.str_]:
    return np.array(list(names), dtype=np.str_)


def _same(names: NDArray[np.str_]) -> NDArray[np.bool_]:
    _, codes = np.unique(names, return_inverse=True)
    return np.asarray(codes[:, None] == codes[None, :])
