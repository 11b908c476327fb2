"""What is free by device, hour and region, from the rows of a capacity file.

A region and device that are not listed have nothing free: a plan on machines that nobody has counted would hold nothing.
A span holds from its first hour to before its last; where either is not said, it holds from ever, or for ever. An hour
that no span covers has nothing free either; but behind the planning horizon, where files seldom reach, the last hour
before it stands for those that no span covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.estimation.allocation.queue import BEHIND_H, Supply

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

HOURS_BEHIND: Final = 7 * 24
"""Hours behind the horizon that capacity is told apart for; the last stands for all behind it, for jobs that reach it
together [h]."""

_HOUR_US: Final = 3_600_000_000


def hours_needed(ends_h: float, horizon: int) -> int:
    """Hours of capacity that are told apart.

    Parameters
    ----------
    ends_h : float
        Latest end of any job that starts as late as is looked at [h].
    horizon : int
        Of the curves [h].

    Returns
    -------
    int
    """
    return int(min(max(np.ceil(ends_h), horizon) + 1, horizon + BEHIND_H + HOURS_BEHIND))


def supply_of(
    capacities: pa.Table,
    devices: Sequence[str],
    regions: Objects,
    start_utc: datetime,
    horizon: int,
    hours: int,
) -> Supply:
    """Free devices by hour.

    Parameters
    ----------
    capacities : pa.Table
        region, device, devices, from_utc, to_utc: checked by :mod:`opencarbon.sources.capacities`.
    devices : sequence of str
    regions : ndarray of object
        Names, in the order wanted.
    start_utc : datetime
        First hour of the curves.
    horizon : int
        Hours before the tail of the curves.
    hours : int
        Hours wanted.

    Returns
    -------
    Supply
    """
    free = np.full((len(devices), hours, len(regions)), np.nan)
    device_at = {name: number for number, name in enumerate(devices)}
    region_at = {name: number for number, name in enumerate(regions)}
    begin = round(start_utc.timestamp() * 1e6)
    beyond = np.full(
        (len(devices), len(regions)), np.inf
    )  # least of what spans say behind the hours told apart
    for row in capacities.to_pylist():
        at = (device_at.get(row["device"]), region_at.get(row["region"]))
        if at[0] is None or at[1] is None:
            continue
        first, last = (
            _hour(row[name], begin, open_end) for name, open_end in (("from_utc", 0), ("to_utc", None))
        )
        free[at[0], max(first or 0, 0) : hours if last is None else max(last, 0), at[1]] = row["devices"]
        if last is None or last >= hours:
            beyond[at] = min(beyond[at], row["devices"])
    at_horizon = np.nan_to_num(free[:, max(horizon - 1, 0), :])
    free[:, horizon:, :] = np.where(
        np.isnan(free[:, horizon:, :]), at_horizon[:, None, :], free[:, horizon:, :]
    )
    free = np.nan_to_num(free)
    free[:, -1, :] = np.minimum(free[:, -1, :], beyond)
    return Supply(free)


def _hour(time: datetime | None, begin_us: int, open_end: int | None) -> int | None:
    if time is None:
        return open_end
    return (round(time.timestamp() * 1e6) - begin_us) // _HOUR_US
