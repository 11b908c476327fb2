"""Speed of a year of windows of a week in 123 zones, as a ratio to a plain sliding minimum in the same run."""

import numpy as np
import numpy.typing as npt

from opencarbon.physics.shifting import best_start, lowest_mean
from tests.benchmarks.test_physics_speed import best_ratio

ZONES, HOURS, WINDOW_HOURS, JOB_HOURS = 123, 8760, 168, 24
WANTED = 1 / 20
"""About 1 / 9 on a quiet machine of two cores, 0.06 s to 0.55 s there: 1 / 20 is 1.3 s. Starts take 1 / 8, 0.47 s."""

Floats = npt.NDArray[np.float64]


def sliding_minimum(curves: Floats) -> Floats:
    """Lowest mean of every window by sums of every start on the hour: fast, and only for whole hours."""
    return np.asarray(sums_by_start(curves).min(axis=2) / JOB_HOURS)


def first_lowest(curves: Floats) -> npt.NDArray[np.intp]:
    """Hours from the begin of every window to the first of its lowest starts on the hour."""
    return np.array([sums_by_start(curve[None])[0].argmin(axis=1) for curve in curves])


def sums_by_start(curves: Floats) -> Floats:
    """Sum over the job for every start on the hour of every window."""
    total = np.concatenate([np.zeros((len(curves), 1)), np.cumsum(curves, axis=1)], axis=1)
    sums = total[:, JOB_HOURS:] - total[:, :-JOB_HOURS]
    return np.lib.stride_tricks.sliding_window_view(sums, WINDOW_HOURS - JOB_HOURS + 1, axis=1)


def test_a_year_of_windows_costs_few_times_a_sliding_minimum() -> None:
    curves = np.random.default_rng(0).uniform(20.0, 900.0, (ZONES, HOURS))
    earliest = np.arange(float(HOURS - WINDOW_HOURS + 1))
    finish = earliest + WINDOW_HOURS
    found = lowest_mean(curves, JOB_HOURS, earliest, finish)
    np.testing.assert_allclose(found.T, sliding_minimum(curves), rtol=1e-12)
    ratio = best_ratio(
        lambda: sliding_minimum(curves), lambda: lowest_mean(curves, JOB_HOURS, earliest, finish), WANTED
    )
    assert ratio >= WANTED


def test_a_year_of_starts_costs_few_times_a_sliding_minimum() -> None:
    curves = np.random.default_rng(0).integers(20, 90, (ZONES, HOURS)).astype(float)  # whole numbers tie
    earliest = np.arange(float(HOURS - WINDOW_HOURS + 1))
    finish = earliest + WINDOW_HOURS
    found = best_start(curves, JOB_HOURS, earliest, finish)
    np.testing.assert_array_equal(found.start_h, earliest + first_lowest(curves))
    np.testing.assert_allclose(found.mean_intensity_gco2e_per_kwh, sliding_minimum(curves), rtol=1e-12)
    ratio = best_ratio(
        lambda: sliding_minimum(curves), lambda: best_start(curves, JOB_HOURS, earliest, finish), WANTED
    )
    assert ratio >= WANTED
