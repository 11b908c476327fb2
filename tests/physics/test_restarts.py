"""Schedules with resumes that cost energy: never worse than any subset of hours, and free resumes change nothing."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from opencarbon.physics.restarts import restart_schedules
from opencarbon.physics.shifting import segments, start_of_lowest

Floats = npt.NDArray[np.float64]


def lowest_of_all(curve: Floats, duration: float, earliest: float, finish: float, restart: float) -> float:
    """Least integral of every subset of whole hours, the part before or after, and of every straight run."""
    whole, part = int(duration + 1e-9), duration - int(duration + 1e-9)
    part = part if part > 1e-9 else 0.0
    first, end = int(np.ceil(earliest - 1e-9)), int(np.floor(finish + 1e-9))
    kinks = {
        earliest,
        finish - duration,
        *range(first, end + 1),
        *(hour - duration for hour in range(first, end + 1)),
    }
    least = min(
        (
            cost([(start, start + duration)], curve, restart)
            for start in kinks
            if earliest <= start <= finish - duration
        ),
        default=np.inf,
    )
    for chosen in combinations(range(first, end), whole):
        stretches = [(float(hour), hour + 1.0) for hour in chosen]
        if not part:
            least = min(least, cost(stretches, curve, restart))
            continue
        if not chosen:
            continue
        for hour in range(max(first - 1, 0), chosen[0]):
            if hour + 1 - part >= earliest:
                least = min(least, cost([(hour + 1 - part, hour + 1.0), *stretches], curve, restart))
        for hour in range(chosen[-1] + 1, len(curve)):
            if hour + part <= finish:
                least = min(least, cost([*stretches, (float(hour), hour + part)], curve, restart))
    return least


def cost(stretches: list[tuple[float, float]], curve: Floats, restart: float) -> float:
    """Integral over stretches, and a resume wherever one begins later than the last one ended."""
    total, last = 0.0, stretches[0][0]
    for start, finish in stretches:
        total += restart * curve[int(start)] if start > last else 0.0
        last = finish
        for hour in range(int(start), min(int(np.ceil(finish)), len(curve))):
            total += curve[hour] * max(min(finish, hour + 1) - max(start, hour), 0.0)
    return total


@pytest.mark.parametrize("seed", range(6))
def test_no_subset_of_hours_emits_less_than_the_schedule(seed: int) -> None:
    dice = np.random.default_rng(seed)
    curves = dice.choice([20.0, 60.0, 100.0, 250.0], (2, 10)) if seed % 2 else dice.uniform(10, 300, (2, 10))
    if seed == 5:
        curves[0, 4] = np.nan
    jobs = 40
    duration = dice.uniform(0.3, 6.0, jobs)
    duration[::3] = np.ceil(duration[::3])
    earliest = np.where(dice.random(jobs) < 0.5, np.floor(dice.uniform(0, 4, jobs)), dice.uniform(0, 4, jobs))
    finish = np.minimum(earliest + duration + dice.uniform(0, 7, jobs), 10.0)
    zone, restart = dice.integers(0, 2, jobs), dice.choice([0.0, 0.05, 0.3, 1.0, 4.0], jobs)
    found = restart_schedules(curves, zone, duration, earliest, finish, restart)
    paused = 0
    for job in range(jobs):
        fits = finish[job] - earliest[job] >= duration[job] - 1e-9
        curve = np.nan_to_num(curves[zone[job]], nan=1e12)
        least = (
            lowest_of_all(curve, duration[job], earliest[job], finish[job], restart[job]) if fits else np.inf
        )
        mean = found.mean_intensity_gco2e_per_kwh[job]
        if least > 1e9:
            assert np.isnan(mean)
            continue
        assert least == pytest.approx(mean * duration[job], rel=1e-9)
        mine = found.segments.job_index == job
        stretches = list(zip(found.segments.start_h[mine], found.segments.finish_h[mine], strict=True))
        assert duration[job] == pytest.approx(sum(end - start for start, end in stretches))
        assert cost(stretches, curve, restart[job]) == pytest.approx(mean * duration[job], rel=1e-9)
        resumes = cost(stretches, curve, restart[job]) - cost(stretches, curve, 0.0)
        assert resumes == pytest.approx(found.restart_gco2e_per_kwh[job] * duration[job], abs=1e-9)
        assert stretches[0][0] >= earliest[job] - 1e-9
        assert stretches[-1][1] <= finish[job] + 1e-9
        paused += len(stretches) > 1
    assert paused > 3


def test_free_resumes_give_the_schedules_of_jobs_that_pause_for_nothing() -> None:
    dice = np.random.default_rng(9)
    curves = dice.uniform(10, 300, (3, 60))
    jobs = 200
    duration, earliest = dice.uniform(0.2, 20, jobs), dice.uniform(0, 20, jobs)
    finish, zone = earliest + duration + dice.uniform(0, 20, jobs), dice.integers(0, 3, jobs)
    found = restart_schedules(curves, zone, duration, earliest, finish, np.zeros(jobs))
    plain = start_of_lowest(curves, zone, duration, earliest, finish, interruptible=True)
    stretches = segments(curves, zone, duration, earliest, finish)

    assert plain.mean_intensity_gco2e_per_kwh == pytest.approx(found.mean_intensity_gco2e_per_kwh, rel=1e-12)
    assert stretches.job_index.tolist() == found.segments.job_index.tolist()
    assert stretches.start_h == pytest.approx(found.segments.start_h, abs=1e-9)


@pytest.mark.parametrize(("restart", "stretches"), [(5.9, [(0.0, 1.0), (2.0, 4.0)]), (6.1, [(0.0, 3.0)])])
def test_a_pause_is_taken_only_where_it_pays(restart: float, stretches: list[tuple[float, float]]) -> None:
    """Resting through the hour at 100 and running the one at 40 saves 60; a resume costs its time at 10."""
    found = restart_schedules([[10.0, 100.0, 10.0, 40.0]], [0], [3.0], [0.0], [4.0], [restart])

    assert stretches == list(
        zip(found.segments.start_h.tolist(), found.segments.finish_h.tolist(), strict=True)
    )
    assert 10.0 * restart / 3.0 * (len(stretches) - 1) == pytest.approx(found.restart_gco2e_per_kwh[0])


def test_equal_schedules_go_to_the_run_without_a_pause_then_to_the_earliest() -> None:
    flat = restart_schedules(np.full((1, 8), 50.0), [0], [2.5], [1.2], [8.0], [0.1])
    twice = restart_schedules([[9.0, 9.0, 1.0, 9.0, 1.0, 9.0, 1.0, 9.0]], [0], [2.0], [0.0], [8.0], [0.5])

    assert [1.2] == flat.segments.start_h.tolist()
    assert [2.0, 4.0] == twice.segments.start_h.tolist()


@pytest.mark.parametrize("restart", [-1.0, np.inf])
def test_a_resume_that_costs_less_than_nothing_or_without_end_is_refused(restart: float) -> None:
    with pytest.raises(ValueError, match="restart_h"):
        restart_schedules([[1.0, 2.0]], [0], [1.0], [0.0], [2.0], [restart])
