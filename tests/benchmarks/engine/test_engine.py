"""The engine against what would be written instead: NumPy, Polars and DuckDB, on the same jobs in the same run.

``pytest -s tests/benchmarks/engine/test_engine.py`` prints seconds and ratios; ``OPENCARBON_BENCHMARK_JOBS=1000000``
sets the number of jobs. Everything is CPU time, so one core is compared with one core.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from opencarbon.physics.shifting import best_start, lowest_mean, start_of_lowest
from tests.benchmarks.engine import by_duckdb, by_numpy, by_polars, pausable, questions
from tests.benchmarks.engine.clock import JOBS, cpu_seconds, show_ratios
from tests.benchmarks.engine.questions import Best, Floats, Jobs

ANSWERS_WITHIN = 1e-9
"""Most that two lowest means may differ by, relative."""

Engine = Callable[[Floats, Jobs], Best]
Pausing = Callable[[Floats, Jobs], Floats]


def ours(curves: Floats, jobs: Jobs) -> Best:
    """As planning does: the lowest means of all zones, then the start in the best of them."""
    zone = lowest_mean(curves, *jobs).argmin(axis=1)
    start, mean = start_of_lowest(curves, zone, *jobs)
    return Best(mean, start)


def starts_in_every_zone(curves: Floats, jobs: Jobs) -> Best:
    """The public function, which finds the start in every zone."""
    start, mean = best_start(curves, *jobs)
    zone, job = mean.argmin(axis=0), np.arange(mean.shape[1])
    return Best(mean[zone, job], start[zone, job])


ENGINES: dict[str, Engine] = {
    "planning": ours,
    "best_start, in every zone": starts_in_every_zone,
    "NumPy, every boundary": by_numpy.every_boundary,
    "NumPy, boundaries in windows": by_numpy.within_windows,
    "Polars": by_polars.best,
    "DuckDB": by_duckdb.best,
}

AT_LEAST = {
    "NumPy, every boundary": 2.0,
    "NumPy, boundaries in windows": 1.0,
    "Polars": 2.0,
    "DuckDB": 3.0,
}
"""Least ratio to planning, with room for a busy machine: 2.6 to 3.7, 1.5 to 2.5, 5.7 and 11 were measured on one, and with
50,000 jobs 4.5 to 5.0, 2.1 to 2.4, 6.0 and 11."""

PAUSING: dict[str, Pausing] = {
    "planning": lambda curves, jobs: lowest_mean(curves, *jobs, interruptible=True).min(axis=1),
    "NumPy": pausable.by_numpy,
    "Polars": pausable.by_polars,
    "DuckDB": pausable.by_duckdb,
}


def test_engines_find_the_same_starts_and_planning_takes_least() -> None:
    zones, (jobs, _) = questions.curves(), questions.jobs(JOBS)
    best, seconds = {}, {}
    for name, engine in ENGINES.items():
        best[name], seconds[name] = cpu_seconds(partial(engine, zones, jobs))
    show_ratios(f"best of {len(zones)} zones x {zones.shape[1]} hours", JOBS, seconds)

    lowest = best["planning"].mean
    for name, found in best.items():
        np.testing.assert_allclose(found.mean, lowest, rtol=ANSWERS_WITHIN, err_msg=name)
        reached = questions.mean_from(zones, jobs, found.start_h)
        np.testing.assert_allclose(reached, lowest, rtol=ANSWERS_WITHIN, err_msg=f"{name}: starts")
    slow = {name: seconds[name] / seconds["planning"] for name in AT_LEAST}
    assert {} == {name: ratio for name, ratio in slow.items() if ratio < AT_LEAST[name]}


def test_engines_find_the_same_lowest_means_with_pauses() -> None:
    zones, (jobs, pausing) = questions.curves(), questions.jobs(JOBS)
    jobs = jobs.part(pausing)
    lowest, seconds = {}, {}
    for name, engine in PAUSING.items():
        lowest[name], seconds[name] = cpu_seconds(partial(engine, zones, jobs), rounds=1)
    show_ratios(f"lowest mean with pauses in the best of {len(zones)} zones", int(pausing.sum()), seconds)

    straight = by_numpy.within_windows(zones, jobs).mean
    for name, found in lowest.items():
        with_either = np.minimum(found, straight)
        np.testing.assert_allclose(with_either, lowest["planning"], rtol=ANSWERS_WITHIN, err_msg=name)
    assert np.any(lowest["planning"] < straight * 0.99)
