"""Speed of the physics as ratios to a reference on the same machine in the same run, never as wall-clock time."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import wrightomega

from opencarbon.physics.shifting import lowest_mean
from opencarbon.physics.throughput import device_hours

SOLVES = 400_000
FloatArray = npt.NDArray[np.float64]


def best_of(call: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def best_ratio(slow: Callable[[], object], fast: Callable[[], object], wanted: float) -> float:
    """Best of a few rounds of seconds(slow) / seconds(fast); a busy machine gets more rounds."""
    ratio = 0.0
    for _ in range(6):
        ratio = max(ratio, best_of(slow, 5) / best_of(fast, 5))
        if ratio >= wanted:
            break
    return ratio


def textbook_hours(flop: FloatArray, log10_alpha: FloatArray) -> FloatArray:
    """Device-hours by the formula as it is written, through Lambert's W; it cancels where alpha C is small."""
    load = np.log(10.0) * (log10_alpha - 12.0) + np.log(flop)
    large = load > 36.0  # there alpha C - 1 is alpha C
    argument = np.where(large, load, np.log(np.maximum(np.expm1(np.minimum(load, 36.0)), 1e-300)))
    u = 1.0 + wrightomega(argument - 1.0)
    return np.asarray(flop / 3.6e15 / (u / -np.expm1(-u) - 1.0))


def test_hours_are_solved_faster_than_by_the_textbook() -> None:
    rng = np.random.default_rng(0)
    flop, exponent = 10.0 ** rng.uniform(18.0, 26.0, SOLVES), rng.uniform(-10.0, 120.0, SOLVES)
    modern = exponent > 0.0
    wanted = 1.25
    ratio = best_ratio(lambda: textbook_hours(flop, exponent), lambda: device_hours(flop, exponent), wanted)
    np.testing.assert_allclose(
        device_hours(flop, exponent)[modern], textbook_hours(flop, exponent)[modern], rtol=1e-12
    )
    assert ratio >= wanted


@pytest.mark.parametrize("interruptible", [False, True])
def test_a_flat_tail_costs_nearly_nothing(interruptible: bool) -> None:
    rng = np.random.default_rng(0)
    head = rng.uniform(100.0, 500.0, (20, 72))
    longer = np.hstack([head, np.full((20, 1000), 250.0)])
    duration = rng.uniform(1.0, 20.0, 1000)
    windows = (np.zeros(1000), duration + rng.uniform(0.0, 40.0, 1000))
    ratio = best_ratio(
        lambda: lowest_mean(head, duration, *windows, interruptible=interruptible),
        lambda: lowest_mean(longer, duration, *windows, interruptible=interruptible),
        0.5,
    )
    assert ratio >= 0.5
