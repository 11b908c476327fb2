"""The jobs that a back-test plans: one device of 1 kW each, so that emissions are carbon intensities."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa

from opencarbon.tables.inputs import PLANNED_JOBS

DEVICE: Final = "NVIDIA H100 SXM5 80GB"
"""Only its embodied emissions matter, and these are on both sides of a saving."""

POWER_W: Final = 1000.0
"""Power at the servers [W]: an hour of the job is a kilowatt-hour."""


@dataclass(frozen=True, slots=True)
class StandardJob:
    """A job as it is planned anew at every moment.

    Parameters
    ----------
    home : str
        Region of the baseline.
    regions : tuple of str
        Regions that it may run in; only its home if empty.
    hours : float
        Duration [h].
    interruptible : bool
    """

    home: str
    regions: tuple[str, ...]
    hours: float
    interruptible: bool

    @property
    def job_id(self) -> str:
        """Name of the job: home, duration, and what it may."""
        may = (" pausing" if self.interruptible else "") + (" anywhere" if self.regions else " at home")
        return f"{self.home} {self.hours:g} h{may}"


def standard_jobs(
    homes: Iterable[str], regions: Sequence[str], job_hours: Sequence[float]
) -> list[StandardJob]:
    """Jobs of every home and duration, pausable and not, that may move to all regions and that may only wait.

    Parameters
    ----------
    homes : iterable of str
    regions : sequence of str
        Regions to move to; with fewer than two no job may move.
    job_hours : sequence of float
        [h]

    Returns
    -------
    list of StandardJob
    """
    reaches = [(), tuple(regions)] if len(regions) > 1 else [()]
    return [
        StandardJob(home, reach, hours, pauses)
        for home in homes
        for reach in reaches
        for hours in job_hours
        for pauses in (False, True)
    ]


def planned_jobs(jobs: Sequence[StandardJob], as_of_utc: datetime, *, slack_hours: float) -> pa.Table:
    """The jobs as they stand in a queue at a moment.

    Parameters
    ----------
    jobs : sequence of StandardJob
    as_of_utc : datetime
        Aware; they may start at once.
    slack_hours : float
        Longest that they may be put off [h].

    Returns
    -------
    pa.Table
        ``PLANNED_JOBS``.
    """
    rows = [
        {
            "job_id": job.job_id,
            "manifest": "backtest",
            "row": row,
            "state": "queued",
            "device_as_given": DEVICE,
            "device": DEVICE,
            "device_count": 1.0,
            "repeats": 1,
            "finish_by_utc": as_of_utc + timedelta(hours=job.hours + slack_hours),
            "interruptible": job.interruptible,
            "current_region": job.home,
            "allowed_regions": ";".join(job.regions),
            "work_source": "wall_hours",
            "wall_hours": job.hours,
            "power_w": POWER_W,
        }
        for row, job in enumerate(jobs)
    ]
    return pa.Table.from_pylist(rows, schema=PLANNED_JOBS.schema())
