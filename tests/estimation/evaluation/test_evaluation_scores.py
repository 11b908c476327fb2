"""Scores in closed form, interval scores by hand, binomial intervals as published."""

import math

import numpy as np
import pytest

from opencarbon.estimation.evaluation.scores import (
    DRAWS,
    bootstrapped_mean,
    exact_share,
    interval_score,
    paired_difference,
    score,
)


def names(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def test_the_interval_score_is_the_width_and_ten_times_what_is_outside_at_80_percent() -> None:
    actual = np.array([0.0, 1.5, -1.25])
    low, high = np.full(3, -1.0), np.full(3, 1.0)
    assert interval_score(actual, low, high, 0.8).tolist() == pytest.approx([2.0, 7.0, 4.5])
    assert interval_score(actual, low, high, 0.5).tolist() == pytest.approx([2.0, 4.0, 3.0])


@pytest.mark.parametrize(
    ("ones", "runs", "low", "high"),
    [
        pytest.param(0, 10, 0.0, 0.2589, id="none of ten: 1 - 0.05^(1/10)"),
        pytest.param(10, 10, 0.7411, 1.0, id="ten of ten: 0.05^(1/10)"),
        pytest.param(5, 10, 0.2224, 0.7776, id="half of ten"),
        pytest.param(0, 59, 0.0, 0.0495, id="the rule of 59"),
    ],
)
def test_the_share_has_the_interval_of_clopper_and_pearson(
    ones: int, runs: int, low: float, high: float
) -> None:
    share = exact_share(np.array([1.0] * ones + [0.0] * (runs - ones)))
    assert share == pytest.approx((ones / runs, low, high), abs=6e-5)


def test_a_family_counts_once_however_many_runs_it_has() -> None:
    errors = np.array([0.1, -0.1, 0.3, -0.9])
    family = names("a", "a", "a", "b")
    found = score(errors, np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 4.0, 8.0]), family)
    assert (found.runs, found.families) == (4, 2)
    assert found.family_error.value == pytest.approx((0.1 + 0.9) / 2)
    assert found.family_median_pct == pytest.approx(100 * math.expm1(0.5))
    assert found.median_error == pytest.approx(0.2)
    assert found.mean_error == pytest.approx(0.35)
    assert found.p90_error == pytest.approx(0.3 + 0.7 * 0.6)
    assert found.bias == pytest.approx(-0.15)
    assert found.interval_score == pytest.approx((2.0 + 8.0) / 2)
    assert found.coverage.value == pytest.approx(0.5)
    assert found.family_coverage.value == pytest.approx((2 / 3 + 0.0) / 2)


def test_scores_do_not_depend_on_the_order_of_the_runs() -> None:
    random = np.random.default_rng(1)
    errors, covered = random.normal(size=40), random.integers(0, 2, 40).astype(float)
    scores, family = random.uniform(size=40), names(*(f"f{number}" for number in random.integers(0, 9, 40)))
    order = random.permutation(40)
    assert score(errors, covered, scores, family) == score(
        errors[order], covered[order], scores[order], family[order]
    )


def test_a_method_without_an_interval_has_no_coverage_and_no_interval_score() -> None:
    nothing = np.full(2, np.nan)
    found = score(np.array([0.1, 0.2]), nothing, nothing, names("a", "b"))
    assert found.family_error.value == pytest.approx(0.15)
    assert np.isnan([found.interval_score, *found.coverage, *found.family_coverage]).all()


def test_the_bootstrap_draws_families() -> None:
    # The mean of two draws of 0 and 1 is 0, 0.5 or 1, the ends with a quarter each: 5 % and 95 % are the ends.
    assert bootstrapped_mean(np.array([0.0, 1.0])) == (0.5, 0.0, 1.0)
    assert bootstrapped_mean(np.full(5, 0.3)) == pytest.approx((0.3, 0.3, 0.3))
    many = np.random.default_rng(3).normal(0.0, 1.0, 400)
    value, low, high = bootstrapped_mean(many)
    assert (value - low, high - value) == pytest.approx([1.645 * many.std() / 20] * 2, rel=0.1)
    assert DRAWS == 2_000


def test_a_difference_is_paired_by_run_and_by_family() -> None:
    ours, theirs = np.array([0.1, -0.2, 0.4, 0.5]), np.array([-0.2, 0.3, np.nan, 0.7])
    difference, families = paired_difference(ours, theirs, names("a", "a", "b", "c"))
    assert families == 2
    assert difference.value == pytest.approx((-0.1 + -0.2) / 2)
    assert (difference.low, difference.high) == pytest.approx((-0.2, -0.1))
