"""The question that all engines are asked: when does each job run with the lowest mean in the best of all zones?"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tests import large_queue

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TOLERANCE_H = 1e-9
"""What windows are wider than they say, so that rounding shuts out no run that fills one [h]."""

MAX_DELAY_H = 24.0
"""Latest start after the earliest for jobs without a deadline: the default of the settings [h]."""


class Jobs(NamedTuple):
    """Windows of jobs, each array of shape (jobs,), in hours from the first of the curves."""

    duration_h: Floats
    earliest_h: Floats
    finish_h: Floats

    def part(self, which: npt.NDArray[np.intp] | Flags | slice) -> "Jobs":
        """Some of the jobs."""
        return Jobs(self.duration_h[which], self.earliest_h[which], self.finish_h[which])


class Best(NamedTuple):
    """Lowest mean over all zones [gCO2e/kWh], and a start that reaches it [h]; each of shape (jobs,)."""

    mean: Floats
    start_h: Floats


def curves() -> Floats:
    """Hourly intensities of the zones of the large queue, shape (zones, hours) [gCO2e/kWh]."""
    zones = large_queue.zones()
    table = large_queue.intensities()
    values = table["carbon_intensity_gco2e_per_kwh"].to_numpy().reshape(-1, large_queue.HOURS)
    of_zone = dict(zip(table["zone"].to_pylist()[:: large_queue.HOURS], values, strict=True))
    return np.array([of_zone[zone] for zone in zones])


def jobs(count: int) -> tuple[Jobs, Flags]:
    """Windows of the first jobs of the large queue, cut where the curves end, and which of the jobs may pause."""
    table = large_queue.jobs(0, count)
    begin = np.datetime64(large_queue.AS_OF[:-1], "us")
    hours = [
        (table[name].to_numpy().astype("datetime64[us]") - begin) / np.timedelta64(1, "h")
        for name in ("earliest_start_utc", "finish_by_utc")
    ]
    duration, earliest, finish = table["wall_hours"].to_numpy(), *hours
    open_end = earliest + duration + MAX_DELAY_H
    finish = np.where(np.isnan(finish), open_end, finish) + TOLERANCE_H
    finish = np.minimum(finish, large_queue.HOURS)
    return Jobs(duration, earliest, finish), table["interruptible"].to_numpy(zero_copy_only=False)


def arrow_table(columns: Mapping[str, npt.NDArray[Any]]) -> pa.Table:
    """Arrays as a table."""
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def mean_from(zones: Floats, jobs: Jobs, start_h: Floats) -> Floats:
    """Lowest mean over all zones of runs without a pause that start then [gCO2e/kWh]."""
    total = np.hstack([np.zeros((len(zones), 1)), np.cumsum(zones, axis=1)])
    hours = np.arange(total.shape[1])
    ends = start_h + jobs.duration_h
    sums = [np.interp(ends, hours, zone) - np.interp(start_h, hours, zone) for zone in total]
    return np.asarray(np.min(sums, axis=0) / jobs.duration_h)
