from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from opencarbon.physics import _alike, _contiguous, _interruptible, _plans, _suffix_sums
from opencarbon.physics.shifting import best_start, lowest_mean, segments, start_of_lowest
from tests.physics import shifting_oracle as oracle

Job = tuple[float, float, float]  # duration, earliest, finish by
Batch = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]  # curves, times, interruptible

LEVELS = st.sampled_from([0.0, 50.0, 100.0, 100.0, 210.5, 400.0, 800.0, float("nan")])
CURVES = st.one_of(
    st.lists(LEVELS, min_size=1, max_size=9),
    st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=9),
    st.tuples(st.lists(LEVELS, min_size=0, max_size=4), LEVELS, st.integers(1, 7)).map(
        lambda drawn: drawn[0] + [drawn[1]] * drawn[2]
    ),
)
HOURS = st.one_of(st.integers(0, 9).map(float), st.integers(0, 40).map(lambda q: q / 4), st.floats(0.0, 9.0))
DURATIONS = HOURS.filter(lambda hours: hours >= 0.05)
QUICK = settings(deadline=None, max_examples=150)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    duration = draw(DURATIONS)
    earliest = draw(HOURS) / 2 - draw(st.sampled_from([0.0, 0.0, 1.5]))
    return duration, earliest, earliest + duration + draw(HOURS)


def best(curve: ArrayLike, job: Job, *, interruptible: bool = False) -> tuple[float, float]:
    found = best_start(curve, *job, interruptible=interruptible)
    return float(found.start_h), float(found.mean_intensity_gco2e_per_kwh)


def segment_list(curve: ArrayLike, job: Job, *, interruptible: bool = True) -> list[tuple[float, float]]:
    found = segments(
        np.atleast_2d(np.asarray(curve)), [0], *([value] for value in job), interruptible=interruptible
    )
    return list(zip(found.start_h.tolist(), found.finish_h.tolist(), strict=True))


# ---- against everything tried ----


@QUICK
@given(CURVES, jobs(), st.booleans())
def test_start_and_mean_are_those_of_trying_everything(
    curve: list[float], job: Job, interruptible: bool
) -> None:
    expected = oracle.best(curve, *job, interruptible=interruptible)
    assert expected == pytest.approx(
        best(curve, job, interruptible=interruptible), rel=3e-9, abs=1e-6, nan_ok=True
    )


@QUICK
@given(CURVES, jobs())
def test_no_start_on_a_dense_grid_is_better(curve: list[float], job: Job) -> None:
    start, mean = best(curve, job)
    assume(not np.isnan(start))
    earliest, finish = oracle.clipped(curve, job[1], job[2])
    grid = np.linspace(earliest, max(finish - job[0], earliest), 201)
    lowest = np.fmin.reduce([oracle.integral(curve, at, at + job[0]) / job[0] for at in grid], initial=np.inf)
    assert mean <= lowest * (1 + 1e-9) + 1e-9


@QUICK
@given(CURVES, jobs(), st.booleans())
def test_segments_run_the_duration_inside_the_window_at_the_mean(
    curve: list[float], job: Job, interruptible: bool
) -> None:
    start, mean = best(curve, job, interruptible=interruptible)
    runs = segment_list(curve, job, interruptible=interruptible)
    if np.isnan(start):
        assert runs == []
        return
    earliest, finish = oracle.clipped(curve, job[1], job[2])
    assert start == runs[0][0]
    assert start >= earliest - 1e-8
    assert runs[-1][1] <= finish + 1e-8
    assert all(after[0] > before[1] + 1e-6 for before, after in pairwise(runs))
    assert job[0] == pytest.approx(sum(end - begin for begin, end in runs), abs=1e-8)
    total = sum(oracle.integral(curve, begin, end) for begin, end in runs)
    assert mean == pytest.approx(total / job[0], rel=3e-9, abs=1e-6)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    hours = draw(st.integers(1, 14))
    zones = draw(st.integers(1, 3))
    flat = draw(st.integers(0, hours))
    rows = [draw(st.lists(LEVELS, min_size=hours, max_size=hours)) for _ in range(zones)]
    curves = np.array([row[:flat] + [row[-1]] * (hours - flat) for row in rows])
    batch = draw(st.lists(jobs(), min_size=1, max_size=6))
    pauses = draw(st.lists(st.booleans(), min_size=len(batch), max_size=len(batch)))
    return curves, np.array(batch).T, np.array(pauses)


@QUICK
@given(batches())
def test_all_ways_of_asking_agree(batch: Batch) -> None:
    curves, times, pauses = batch
    together = best_start(curves, *times, interruptible=pauses)
    lowest = lowest_mean(curves, *times, interruptible=pauses)
    np.testing.assert_allclose(lowest.T, together.mean_intensity_gco2e_per_kwh, rtol=3e-9, atol=1e-9)
    for zone in range(len(curves)):
        alone = best_start(curves[zone], *times, interruptible=pauses)
        index = np.full(pauses.size, zone)
        chosen = start_of_lowest(curves, index, *times, interruptible=pauses)
        np.testing.assert_array_equal(together.start_h[zone], alone.start_h)
        np.testing.assert_array_equal(together.start_h[zone], chosen.start_h)
        np.testing.assert_array_equal(
            chosen.mean_intensity_gco2e_per_kwh, together.mean_intensity_gco2e_per_kwh[zone]
        )


@QUICK
@given(batches())
def test_small_blocks_give_the_same_as_large_ones(batch: Batch) -> None:
    curves, times, pauses = batch
    lowest = lowest_mean(curves, *times, interruptible=pauses)
    found = segments(curves, [0], *times, interruptible=pauses)
    with pytest.MonkeyPatch.context() as patch:
        for module in (_contiguous, _interruptible, _plans):
            for name in ("_ELEMENTS", "_MATRIX", "_TABLE", "_SLOTS", "_TABLE_OF_ALL"):
                if hasattr(module, name):
                    patch.setattr(module, name, 4)
        np.testing.assert_array_equal(lowest, lowest_mean(curves, *times, interruptible=pauses))
        for large, small in zip(found, segments(curves, [0], *times, interruptible=pauses), strict=True):
            np.testing.assert_array_equal(large, small)


@QUICK
@given(batches())
def test_jobs_of_one_duration_together_give_the_same_as_one_by_one(batch: Batch) -> None:
    curves, times, pauses = batch
    duration = np.repeat(times[0], pauses.size)  # every duration in every window
    earliest, slack = (np.tile(values, pauses.size) for values in (times[1], times[2] - times[1] - times[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_alike, "_TABLES", 40)
        found = []
        for boundaries_worth_tables in (0.0, np.inf):
            patch.setattr(_alike, "_BOUNDARIES_PER_HOUR", boundaries_worth_tables)
            found.append(best_start(curves, duration, earliest, earliest + duration + slack))
    for together, alone in zip(*found, strict=True):
        np.testing.assert_array_equal(together, alone)


@QUICK
@given(batches())
def test_tables_of_one_end_give_the_same_as_tables_of_one_duration(batch: Batch) -> None:
    curves, times, pauses = batch
    lowest = lowest_mean(curves, *times, interruptible=pauses)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_interruptible, "_LANES_WORTH_ALL", 1)
        by_end = lowest_mean(curves, *times, interruptible=pauses)
    np.testing.assert_array_equal(lowest, by_end)


@QUICK
@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_every_way_to_sum_the_lowest_hours_of_suffixes_is_right(
    length: int, whole: int, data: st.DataObject
) -> None:
    values = st.one_of(st.floats(0.0, 1e3), st.just(float("inf")))
    hours = np.array(
        data.draw(st.lists(st.lists(values, min_size=3, max_size=3), min_size=length, max_size=length))
    )
    sums = [np.sort(hours[row:], axis=0)[:whole].sum(axis=0) for row in range(length)]
    enough = (length - np.arange(length) >= whole)[:, None]
    expected = np.where(enough, sums, np.inf)
    every = np.full(3, whole)
    heaps = np.stack([_suffix_sums.by_heap(hours[:, lane], whole) for lane in range(3)], axis=1)
    np.testing.assert_allclose(heaps, expected, rtol=1e-12, atol=1e-9)
    by_recursion = _suffix_sums.by_recursion(hours, every)
    np.testing.assert_allclose(by_recursion, expected, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(_suffix_sums.every_suffix_sum(hours, whole)[:, whole], by_recursion)
    found = _suffix_sums.lowest_suffix_sums(hours, every)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)
    deepest = np.array([whole, 1, whole])
    mixed = _suffix_sums.by_recursion(hours, deepest)
    np.testing.assert_array_equal(mixed[:, [0, 2]], by_recursion[:, [0, 2]])
    np.testing.assert_array_equal(mixed[:, 1], np.minimum.accumulate(hours[::-1, 1])[::-1])


# ---- properties ----


@QUICK
@given(CURVES, jobs())
def test_pausing_never_hurts(curve: list[float], job: Job) -> None:
    _, steady = best(curve, job)
    _, pausing = best(curve, job, interruptible=True)
    assert np.isnan(steady) or pausing <= steady * (1 + 1e-12)


@QUICK
@given(CURVES, jobs(), st.booleans())
def test_the_mean_lies_within_the_curve(curve: list[float], job: Job, interruptible: bool) -> None:
    _, mean = best(curve, job, interruptible=interruptible)
    assume(not np.isnan(mean))
    assert np.nanmin(curve) * (1 - 1e-9) - 1e-9 <= mean <= np.nanmax(curve) * (1 + 1e-9) + 1e-9


@QUICK
@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), jobs(), st.integers(1, 500), st.booleans())
def test_a_higher_curve_shifts_the_mean_and_keeps_the_start(
    curve: list[float], job: Job, more: float, interruptible: bool
) -> None:
    start, mean = best(curve, job, interruptible=interruptible)
    shifted = best(np.array(curve) + more, job, interruptible=interruptible)
    assert mean + more == pytest.approx(shifted[1], rel=1e-9, nan_ok=True)
    spread = abs(
        oracle.integral(curve, start, start + job[0])
        - oracle.integral(curve, shifted[0], shifted[0] + job[0])
    )
    assert interruptible or np.isnan(start) or spread <= 1e-6 * job[0]


@QUICK
@given(CURVES, jobs(), st.floats(0.0, 5.0), st.floats(0.0, 5.0), st.booleans())
def test_a_wider_window_never_hurts(
    curve: list[float], job: Job, before: float, after: float, interruptible: bool
) -> None:
    _, mean = best(curve, job, interruptible=interruptible)
    wider = (job[0], job[1] - before, job[2] + after)
    assume(not np.isnan(mean))
    assert best(curve, wider, interruptible=interruptible)[1] <= mean * (1 + 3e-9) + 1e-9


@QUICK
@given(st.integers(1, 12), st.floats(0.0, 1000.0, allow_subnormal=False), jobs(), st.booleans())
def test_a_constant_curve_starts_at_once(hours: int, level: float, job: Job, interruptible: bool) -> None:
    start, mean = best([level] * hours, job, interruptible=interruptible)
    assume(not np.isnan(start))
    assert max(job[1], 0.0) == pytest.approx(start, abs=2e-9)
    assert level == pytest.approx(mean, rel=1e-9)


# ---- rules, one by one ----


def test_starts_on_hour_boundaries_alone_are_not_enough() -> None:
    start, mean = best([500.0, 100.0, 100.0, 500.0], (1.5, 0.0, 2.75))
    assert (1.0, 100.0) == (start, mean)
    start, mean = best([100.0, 300.0, 100.0, 500.0], (1.5, 1.0, 4.0))
    assert (1.5, (0.5 * 300.0 + 100.0) / 1.5) == pytest.approx((start, mean))
    assert mean < min(300.0 + 0.5 * 100.0, 100.0 + 0.5 * 500.0) / 1.5


def test_the_earliest_start_and_the_latest_are_tried() -> None:
    assert best([100.0, 900.0, 900.0], (1.0, 0.5, 2.5))[0] == 0.5
    assert best([900.0, 900.0, 100.0], (1.0, 0.5, 2.5))[0] == 1.5


def test_the_earliest_of_equal_means_wins() -> None:
    assert best([200.0, 100.0, 300.0, 100.0], (1.0, 0.0, 4.0)) == (1.0, 100.0)
    assert best([200.0, 100.0 * (1 + 5e-10), 300.0, 100.0], (1.0, 0.0, 4.0))[0] == 1.0
    assert best([200.0, 100.0 * (1 + 5e-9), 300.0, 100.0], (1.0, 0.0, 4.0))[0] == 3.0


def test_a_job_that_fits_exactly_starts_at_once_despite_rounding() -> None:
    assert 0.3 - 0.1 < 0.2
    assert (0.1, 100.0) == pytest.approx(best([100.0], (0.2, 0.1, 0.3)))


@pytest.mark.parametrize("window", [(0.0, 1.5), (2.5, 9.0), (-5.0, 1.0), (np.nan, 4.0), (0.0, np.nan)])
@pytest.mark.parametrize("interruptible", [False, True])
def test_a_window_that_cannot_hold_the_job_gives_nan(
    window: tuple[float, float], interruptible: bool
) -> None:
    found = best_start([1.0, 2.0, 3.0, 4.0], 2.0, *window, interruptible=interruptible)
    assert np.isnan(found).all()
    assert segment_list([1.0, 2.0, 3.0, 4.0], (2.0, *window)) == []


def test_an_open_window_is_clipped_to_the_curve() -> None:
    assert best([3.0, 2.0, 1.0], (1.0, -np.inf, np.inf)) == (2.0, 1.0)


def test_a_nan_duration_gives_nan() -> None:
    np.testing.assert_array_equal([np.nan, 1.0], best_start([2.0, 1.0], [np.nan, 1.0], 0.0, 2.0).start_h)


@pytest.mark.parametrize("interruptible", [False, True])
def test_missing_hours_are_avoided_not_free(interruptible: bool) -> None:
    curve = [np.nan, 300.0, 100.0, np.nan, 200.0, 50.0]
    start, mean = best(curve, (1.5, 0.0, 6.0), interruptible=interruptible)
    expected = (2.5, (0.5 * 100.0 + 50.0) / 1.5) if interruptible else (4.5, (0.5 * 200.0 + 50.0) / 1.5)
    assert expected == pytest.approx((start, mean))


def test_a_pause_can_bridge_a_missing_hour() -> None:
    assert np.isnan(best([10.0, np.nan, 20.0], (2.0, 0.0, 3.0))[0])
    assert best([10.0, np.nan, 20.0], (2.0, 0.0, 3.0), interruptible=True) == (0.0, 15.0)


def test_a_window_without_a_usable_hour_gives_nan() -> None:
    assert np.isnan(best([np.nan, np.nan, 5.0], (1.5, 0.0, 3.0), interruptible=True)).all()


def test_whole_hours_may_be_far_apart() -> None:
    assert segment_list([100.0, 900.0, 100.0, 900.0, 100.0], (3.0, 0.0, 5.0)) == [
        (0.0, 1.0),
        (2.0, 3.0),
        (4.0, 5.0),
    ]


def test_the_part_may_come_first_at_the_end_of_its_hour() -> None:
    assert segment_list([100.0, 900.0, 200.0, 50.0, 900.0], (2.25, 0.0, 5.0)) == [(0.75, 1.0), (2.0, 4.0)]


def test_the_part_may_come_last_at_the_beginning_of_its_hour() -> None:
    assert segment_list([50.0, 900.0, 200.0, 900.0], (1.25, 0.0, 4.0)) == [(0.0, 1.0), (2.0, 2.25)]


def test_a_part_beside_its_neighbour_is_one_segment() -> None:
    assert segment_list([100.0, 50.0, 900.0, 60.0], (2.25, 0.0, 4.0)) == [(0.75, 2.0), (3.0, 4.0)]


def test_running_through_wins_a_tie_with_pausing() -> None:
    assert segment_list([100.0, 900.0, 100.0, 100.0], (2.0, 0.0, 4.0)) == [(2.0, 4.0)]


def test_running_through_is_kept_where_whole_hours_do_not_fit() -> None:
    assert segment_list([100.0, 200.0, 300.0], (2.0, 0.5, 2.75)) == [(0.5, 2.5)]


def test_equally_clean_hours_are_taken_early() -> None:
    assert segment_list([100.0, 900.0, 100.0, 900.0, 100.0], (2.0, 0.0, 5.0)) == [(0.0, 1.0), (2.0, 3.0)]


@pytest.mark.parametrize("part", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("level", [100.0, 150.0, 1000.0])
def test_a_long_job_on_a_flat_tail_does_as_well_as_one_with_noise_too_small_to_matter(
    part: float, level: float
) -> None:
    rng = np.random.default_rng(7)
    flat = np.concatenate([rng.uniform(50.0, 250.0, 12), np.full(400, level)])
    rough = flat + np.where(np.arange(flat.size) >= 12, rng.uniform(0.0, 1e-9, flat.size), 0.0)
    durations = np.array([1.0, 5.0, 11.0, 14.0, 30.0, 200.0, 390.0, 411.0]) + part
    windows = (np.tile([0.0, 3.4, 14.2], 8), 412.0)
    durations = np.repeat(durations, 3)
    means = [lowest_mean([curve], durations, *windows, interruptible=True) for curve in (flat, rough)]
    np.testing.assert_allclose(means[0], means[1], rtol=1e-9)
    found = segments([flat], np.zeros(24, dtype=int), durations, *windows)
    ran = np.bincount(found.job_index, found.finish_h - found.start_h, minlength=24)
    fits = ~np.isnan(means[0][:, 0])
    np.testing.assert_allclose(ran[fits], durations[fits], rtol=1e-9)


def test_segments_are_numbered_from_one_and_sorted_by_job() -> None:
    curve = [100.0, 900.0, 100.0, 900.0, 100.0]
    found = segments([curve], [0, 0, 0], [3.0, 9.0, 1.0], 0.0, 5.0, interruptible=[True, True, False])
    assert [0, 0, 0, 2] == found.job_index.tolist()
    assert [1, 2, 3, 1] == found.segment_number.tolist()


def test_no_jobs_and_no_zones_give_empty_results() -> None:
    assert (0, 2) == lowest_mean([[1.0], [2.0]], [], [], []).shape
    assert (1, 0) == lowest_mean(np.empty((0, 4)), [1.0], [0.0], [4.0]).shape
    assert (0,) == best_start([1.0, 2.0], [], [], [], interruptible=True).start_h.shape
    assert (2, 0) == best_start([[1.0], [2.0]], [], [], []).start_h.shape
    assert (0,) == segments([[1.0]], [], [], [], []).start_h.shape


def test_scalars_give_numpy_scalars() -> None:
    assert isinstance(best_start([1.0, 2.0], 1, 0, 2).start_h, np.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: best_start([1.0], [1.0, 0.0], 0.0, 1.0),
            "duration_h must be greater than 0 .* got 0.0 at index 1",
        ),
        (lambda: best_start([1.0], -1.0, 0.0, 1.0), "duration_h must be greater than 0 and finite, got -1.0"),
        (
            lambda: best_start([1.0], np.inf, 0.0, 1.0),
            "duration_h must be greater than 0 and finite, got inf",
        ),
        (
            lambda: best_start([1.0, -1.0], 1.0, 0.0, 1.0),
            "intensity_gco2e_per_kwh must be .* -1.0 at index 1",
        ),
        (lambda: best_start([[[1.0]]], 1.0, 0.0, 1.0), "intensity_gco2e_per_kwh must be of shape"),
        (lambda: lowest_mean([1.0], 1.0, 0.0, 1.0), r"must be of shape \(zones, hours\), got \(1,\)"),
        (lambda: best_start([1.0], [[1.0]], 0.0, 1.0), r"duration_h must be a scalar or of shape \(jobs,\)"),
        (lambda: best_start([1.0], 1.0, 0.0, 1.0, interruptible=2), "interruptible must be of type bool"),
        (
            lambda: start_of_lowest([[1.0]], [0, 1], 1.0, 0.0, [1.0, 1.0]),
            "zone_index must be .* got 1 at index 1",
        ),
        (lambda: start_of_lowest([[1.0]], [0.5], 1.0, 0.0, [1.0]), "zone_index must be of an integer type"),
    ],
)
def test_arguments_out_of_range_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# ---- to the second, and every choice of hours of half a day ----

SECOND_H = 1.0 / 3600.0
CURVES_OF_A_DAY = st.lists(st.floats(0.0, 1000.0, allow_subnormal=False), min_size=2, max_size=24)


def lowest_of_every_second(curve: list[float], job: Job) -> float:
    """Lowest mean over starts on whole seconds; the window is in whole seconds."""
    duration, earliest, finish = job
    seconds = np.arange(round(earliest * 3600), int((finish - duration) * 3600 + 1e-6) + 1)
    boundary, integral = np.arange(len(curve) + 1.0), np.concatenate([[0.0], np.cumsum(curve)])
    start = seconds * SECOND_H
    ran = np.interp(start + duration, boundary, integral) - np.interp(start, boundary, integral)
    return float(ran.min() / duration)


@QUICK
@given(CURVES_OF_A_DAY, st.data())
def test_no_start_on_a_second_is_better_than_one_of_whole_seconds(
    curve: list[float], data: st.DataObject
) -> None:
    earliest = data.draw(st.integers(0, len(curve) * 3600 - 1))
    duration = data.draw(st.integers(1, len(curve) * 3600 - earliest))
    finish = data.draw(st.integers(earliest + duration, len(curve) * 3600))
    job = (duration * SECOND_H, earliest * SECOND_H, finish * SECOND_H)
    allowance = 1e-11 * max(curve) * (1.0 + 3600.0 / duration)  # sums are rounded, then divided by hours
    assert best(curve, job)[1] == pytest.approx(lowest_of_every_second(curve, job), rel=1e-9, abs=allowance)


@QUICK
@given(CURVES_OF_A_DAY, st.data())
def test_starts_on_seconds_are_at_most_a_second_worse(curve: list[float], data: st.DataObject) -> None:
    earliest = data.draw(st.integers(0, len(curve) * 3600 - 60))
    duration = data.draw(st.floats(60.0, len(curve) * 3600 - earliest)) * SECOND_H
    finish = data.draw(st.integers(int(np.ceil(earliest + duration * 3600)), len(curve) * 3600)) * SECOND_H
    job = (duration, earliest * SECOND_H, finish)
    mean, by_second = best(curve, job)[1], lowest_of_every_second(curve, job)
    assert mean <= by_second * (1 + 1e-9) + 1e-9
    assert by_second <= mean + (max(curve) - min(curve)) * SECOND_H / duration + 1e-6


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.0, 0.25, 0.7]),
    st.data(),
)
def test_pausing_equals_every_choice_of_up_to_twelve_hours(
    curve: list[float], part: float, data: st.DataObject
) -> None:
    duration = data.draw(st.integers(1, len(curve))) + part
    expected = oracle.best(curve, duration, 0.0, float(len(curve)), interruptible=True)[1]
    mean = best(curve, (duration, 0.0, float(len(curve))), interruptible=True)[1]
    assert expected == pytest.approx(mean, rel=1e-9, abs=1e-9, nan_ok=True)
    lowest = lowest_mean([curve], [duration], [0.0], [float(len(curve))], interruptible=True)[0, 0]
    assert expected == pytest.approx(float(lowest), rel=1e-9, abs=1e-9, nan_ok=True)
