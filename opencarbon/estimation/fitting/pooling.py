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
Every effect is normal about 0 with a standard deviation of :mod:`opencarbon.estimation.fitting.pooling_priors`;
:math:`\mu` is vague. All variances share an unknown scale with a scaled inverse chi-squared prior of
``PRIOR_DEGREES`` degrees of freedom. Runs far from what any device reaches (``FAR``) get an error to match, so that
one wrong figure moves little.

Solver
------
The posterior is normal given the scale, in closed form (best linear unbiased prediction), and Student's t after it:
one inverse of a matrix of the size of the runs, nothing to converge and nothing random. Rows are put in
order first, so that the order they come in leaves no trace.

Interval
--------
Symmetric in logs and conformal: as many standard deviations of the prediction as hold the share asked for of the
families left out one at a time, each family weighing the same, at the rank among families + 1, all devices together.
With fewer than ``LEAST_FAMILIES``, or beyond the last rank, Student's t.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from opencarbon.estimation.fitting.pooling_evidence import Evidence, Place, Run, beyond
from opencarbon.estimation.fitting.pooling_priors import (
    CENTRE,
    LEAST_FAMILIES,
    PRIOR_DEGREES,
    SLOPE,
)

Floats = NDArray[np.float64]


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

        With at least ``LEAST_FAMILIES`` families it is conformal: as wide, in standard deviations, as the errors
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
        weights = 1.0 / (np.array([run.error for run in runs]) ** 2 + beyond(values))
        mean = float(values @ weights / weights.sum())
        merged.append(runs[0]._replace(ln_utilisation=mean, error=float(weights.sum()) ** -0.5))
    return merged


def _of_new_family(runs: Sequence[Run], places: Sequence[Place], *, with_slope: bool) -> Prediction:
    ordered = _in_order(runs)
    seen = Evidence(ordered, with_slope)
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


def _held_out(runs: Sequence[Run], seen: Evidence, precision: Floats, rest: Floats) -> HeldOut:
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
