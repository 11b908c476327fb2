"""The paper's form on arrays: mean and deviation of log10 alpha over the runs of a device, its variants together."""

from __future__ import annotations

import numpy as np

from opencarbon.estimation.evaluation.rows import Flags, Floats, Rows, Work
from opencarbon.estimation.evaluation.widths import inner_folds, width_of
from opencarbon.estimation.fitting.paper_fits import PAPER_HALF_WIDTH
from opencarbon.physics.throughput import device_hours, log10_alpha, mean_of_ends_device_hours

LEAST_RUNS = 2
"""Runs that tell a mean and a deviation; with fewer, those of the generation, then all, stand in."""


class PaperForm:
    """Fits in the form of ``fit_devices(profile="paper")`` that can leave out runs cheaply.

    Parameters
    ----------
    rows : Rows
        Training runs.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._alphas: dict[int, Floats] = {}

    def ln_hours(self, work: Work, factor: float) -> tuple[Floats, Floats, Floats]:
        """Hours at mean log10 alpha plus and minus `factor` deviations, and between them the paper's prediction.

        Parameters
        ----------
        work : Work
        factor : float
            Half the interval in standard deviations.

        Returns
        -------
        tuple of ndarray
            Low, central, high: ln of [h].
        """
        mean, sigma = self._moments(work, np.ones(len(self._rows), dtype=np.bool_))
        half = PAPER_HALF_WIDTH * sigma
        _, central, _ = mean_of_ends(work.training_flop, mean - half, mean + half)
        fast, slow = (
            np.log(device_hours(work.training_flop, mean + sign * factor * sigma)) for sign in (1, -1)
        )
        return fast, central, slow

    def factor_that_holds(self, level: float) -> float:
        """Deviations either way that hold a share of the training families, each left out in turn.

        Parameters
        ----------
        level : float

        Returns
        -------
        float
        """
        rows, off = self._rows, np.full(len(self._rows), np.nan)
        own = np.array(
            [self._column(device, peak)[at] for at, (device, peak) in enumerate(_places(rows.work))]
        )
        for left_out in inner_folds(rows.family):
            mean, sigma = self._moments(rows.work.take(left_out), ~left_out)
            with np.errstate(divide="ignore"):  # two equal runs have no deviation
                off[left_out] = np.abs(own[left_out] - mean) / sigma
        return width_of(off, rows, level)

    def _moments(self, work: Work, is_kept: Flags) -> tuple[Floats, Floats]:
        """Mean and standard deviation of log10 alpha for each piece of work, from the runs that are kept."""
        found: dict[int, tuple[float, float]] = {}
        for device, generation, group, peak in zip(
            work.device.tolist(),
            work.generation.tolist(),
            work.device_group.tolist(),
            work.peak_tflop_per_s,
            strict=True,
        ):
            if device not in found:
                alphas = self._column(device, peak)[self._pool(generation, group, is_kept)]
                found[device] = float(np.mean(alphas)), float(np.std(alphas))
        mean, sigma = np.array([found[device] for device in work.device.tolist()]).T
        return mean, sigma

    def _pool(self, generation: int, group: int, is_kept: Flags) -> Flags:
        known = self._rows.work
        for members in (known.device_group == group, known.generation == generation):
            pool = members & is_kept
            if np.count_nonzero(pool) >= LEAST_RUNS:
                return np.asarray(pool)
        return is_kept

    def _column(self, device: int, peak_tflop_per_s: float) -> Floats:
        """log10 alpha of every run as if on a device: its FLOP scaled with the dense peak."""
        if device not in self._alphas:
            known = self._rows.work
            flop = known.training_flop * (peak_tflop_per_s / known.peak_tflop_per_s)
            self._alphas[device] = np.asarray(log10_alpha(flop, self._rows.device_hours))
        return self._alphas[device]


def mean_of_ends(
    training_flop: Floats, log10_alpha_low: Floats, log10_alpha_high: Floats
) -> tuple[Floats, Floats, Floats]:
    """Hours at the fast end, the mean of both ends, and hours at the slow end.

    Parameters
    ----------
    training_flop : ndarray
        [FLOP].
    log10_alpha_low, log10_alpha_high : ndarray
        [log10(1/s)]; NaN gives NaN.

    Returns
    -------
    tuple of ndarray
        Low, central, high: ln of [h].
    """
    central = mean_of_ends_device_hours(training_flop, log10_alpha_low, log10_alpha_high)
    fast, slow = (device_hours(training_flop, end) for end in (log10_alpha_high, log10_alpha_low))
    return np.log(fast), np.log(central), np.log(slow)


def _places(work: Work) -> list[tuple[int, float]]:
    return list(zip(work.device.tolist(), work.peak_tflop_per_s.tolist(), strict=True))
