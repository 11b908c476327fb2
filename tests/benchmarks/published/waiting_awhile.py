"""The two scenarios of Wiesner et al., "Let's Wait Awhile", Middleware'21 (github.com/dos-group/lets-wait-awhile,
simulate.py and strategy.py), of jobs that are placed by a forecast and emit by the truth.

The unit of time is the half-hour of the published curves. The package's unit is the step of its curve, so half-hours
take the place of hours and nothing is scaled; means of the same length compare alike. Forecasts are the truth plus
normal noise of a share of the yearly mean; each is raised until it is nowhere negative, which changes no choice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opencarbon.physics.shifting import best_start, lowest_mean, segments

STEPS_PER_DAY = 48
DAYS_OF_2020 = 366
FIRST_WEEKDAY_OF_2020 = 2  # Wednesday
NINE, SEVENTEEN = 18, 34  # half-hours of the day
SATURDAY, SUNDAY = 5, 6

NIGHTS = 365
ONE_AT_NIGHT = 2
PROJECT_JOBS = 3387
SHORTEST_STEPS, LONGEST_STEPS = 8, 179  # 4 h to 89.5 h
REPETITIONS = 10  # seeds 0 to 9
ERROR = 0.05  # standard deviation of the noise, in yearly means

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Jobs:
    """When jobs arrive and how long they run, each of shape (jobs,) [half-hours]."""

    arrival: Floats
    duration: Floats


def forecasts(truth: Floats, repetitions: int = REPETITIONS) -> Floats:
    """Forecasts of shape (repetitions, steps) [gCO2e/kWh]."""
    noise = [
        np.random.default_rng(seed).normal(0.0, ERROR * truth.mean(), truth.size)
        for seed in range(repetitions)
    ]
    noisy = truth + np.array(noise)
    return np.asarray(noisy - np.minimum(noisy.min(axis=1, keepdims=True), 0.0))


def mean_over(truth: Floats, start: Floats, duration: Floats) -> Floats:
    """Mean intensity of runs that start then, shape (runs,) [gCO2e/kWh]."""
    return np.asarray(lowest_mean(truth[None], duration, start, start + duration)[:, 0])


def nightly_baseline(truth: Floats, nights: int = NIGHTS) -> float:
    """Mean intensity of half an hour at 01:00 every night [gCO2e/kWh]."""
    planned = np.arange(float(nights)) * STEPS_PER_DAY + ONE_AT_NIGHT
    return float(mean_over(truth, planned, np.ones(nights)).mean())


def nightly_saving_percent(
    truth: Floats,
    shift: int,
    nights: int = NIGHTS,
    *,
    as_published: bool = False,
    repetitions: int = REPETITIONS,
) -> float:
    """Saving if that half-hour may move by up to `shift` half-hours in both directions [%].

    The published simulation skips nights whose window begins before the curve and still divides by all nights, so
    their share counts as saved; `as_published` does the same. Otherwise such windows begin with the curve.
    """
    planned = np.arange(float(nights)) * STEPS_PER_DAY + ONE_AT_NIGHT
    start = best_start(forecasts(truth, repetitions), 1.0, planned - shift, planned + shift + 1.0).start_h
    counted = planned >= shift if as_published else np.ones(nights, dtype=bool)
    ran = [mean_over(truth, row[counted], np.ones(row[counted].size)).sum() / nights for row in start]
    return 100.0 * (1.0 - float(np.mean(ran)) / nightly_baseline(truth, nights))


def project_jobs() -> Jobs:
    """The published jobs of a machine-learning project: the same draws from the same generator."""
    rng = np.random.default_rng(0)
    workdays = [day for day in range(DAYS_OF_2020) if (FIRST_WEEKDAY_OF_2020 + day) % 7 < SATURDAY]
    counts = rng.multinomial(PROJECT_JOBS, [1.0 / len(workdays)] * len(workdays))
    slots = np.arange(NINE, SEVENTEEN)
    arrival = [
        day * STEPS_PER_DAY + np.sort(rng.choice(slots, size=count))
        for day, count in zip(workdays, counts, strict=True)
    ]
    duration = rng.choice(np.arange(SHORTEST_STEPS, LONGEST_STEPS + 1), size=PROJECT_JOBS)
    return Jobs(np.concatenate(arrival).astype(float), duration.astype(float))


def next_workday(finish: int) -> int:
    """Nine o'clock of the next workday where a job would finish off hours, else that finish [half-hours]."""
    day, slot = divmod(finish, STEPS_PER_DAY)
    weekday = (FIRST_WEEKDAY_OF_2020 + day) % 7
    if weekday == SATURDAY:
        return (day + 2) * STEPS_PER_DAY + NINE
    if weekday == SUNDAY or slot > SEVENTEEN:
        return (day + 1) * STEPS_PER_DAY + NINE
    return day * STEPS_PER_DAY + NINE if slot < NINE else finish


def semi_weekly(finish: int) -> int:
    """Nine o'clock of the next Monday or Thursday [half-hours]."""
    day, slot = divmod(finish, STEPS_PER_DAY)
    weekday = (FIRST_WEEKDAY_OF_2020 + day) % 7 + (slot > NINE) / 2
    ahead = next(target for target in (0, 3, 7) if target >= weekday) - int(weekday)
    return (day + ahead) * STEPS_PER_DAY + NINE


DEADLINES = {"next_workday": next_workday, "semi_weekly": semi_weekly}


def project_saving_percent(
    truth: Floats, jobs: Jobs, policy: str, *, interruptible: bool, repetitions: int = REPETITIONS
) -> float:
    """Saving if jobs may finish as late as the policy allows [%]."""
    finish_by = np.array([DEADLINES[policy](int(at)) for at in jobs.arrival + jobs.duration], dtype=float)
    zone = np.zeros(jobs.arrival.size, dtype=int)
    baseline = float(mean_over(truth, jobs.arrival, jobs.duration) @ jobs.duration)
    emitted = []
    for forecast in forecasts(truth, repetitions):
        runs = segments(
            forecast[None], zone, jobs.duration, jobs.arrival, finish_by, interruptible=interruptible
        )
        length = runs.finish_h - runs.start_h
        emitted.append(float(mean_over(truth, runs.start_h, length) @ length))
    return 100.0 * (1.0 - float(np.mean(emitted)) / baseline)
