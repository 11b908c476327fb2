"""Jobs of a run with what other forms ask of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opencarbon.publishing.joined import job_batches
from opencarbon.publishing.parquet import read_table
from opencarbon.sources.places import Place

Row = dict[str, Any]

_COLUMNS: Final = {
    "dim_job": ("team", "project", "model", "device", "device_count"),
    "fact_job_estimate": (
        *("baseline_region", "baseline_start_utc", "wall_hours", "device_hours", "power_w", "pue"),
        *("energy_kwh", "facility_energy_kwh", "carbon_intensity_gco2e_per_kwh", "operational_kgco2e"),
        *("operational_low_kgco2e", "operational_high_kgco2e", "embodied_kgco2e", "total_kgco2e"),
        "sci_kgco2e_per_run",
    ),
    "rec_job": ("advised_region", "advised_start_utc", "advised_total_kgco2e", "transfer_kgco2e", "action"),
}


@dataclass(slots=True)
class Exchange:
    """The run that jobs are exchanged from.

    Parameters
    ----------
    run : mapping
        Row of ``dim_run``.
    regions : mapping of str to mapping
        Rows of ``dim_region`` by region.
    devices : mapping of str to mapping
        Rows of ``dim_device`` by device.
    level : float or None
        Share that intervals are to hold.
    given, without_figure : int
        Jobs given so far, and jobs left out because their emissions are not known.
    """

    run: Mapping[str, Any]
    regions: Mapping[str, Mapping[str, Any]]
    devices: Mapping[str, Mapping[str, Any]]
    level: float | None = None
    given: int = 0
    without_figure: int = 0
    missing: set[str] = field(default_factory=set)
    """Jobs that were asked for by name and have not come yet."""

    @classmethod
    def of(cls, run: Place) -> Exchange:
        """Read what all jobs of a run share.

        Parameters
        ----------
        run : Place
            Its directory.

        Returns
        -------
        Exchange
        """
        (about,) = read_table(run, "dim_run").to_pylist()
        regions, devices = (
            {row[key]: row for row in read_table(run, table).to_pylist()}
            for table, key in (("dim_region", "region"), ("dim_device", "device"))
        )
        levels = set(
            read_table(run, "fact_device_fit", columns=["interval_level"])["interval_level"].to_pylist()
        )
        return cls(about, regions, devices, levels.pop() if len(levels) == 1 else None)


def jobs_to_exchange(run: Place, exchange: Exchange, jobs: frozenset[str] = frozenset()) -> Iterator[Row]:
    """Jobs with a figure, a row group at a time.

    Parameters
    ----------
    run : Place
        Directory of the run.
    exchange : Exchange
        Keeps count.
    jobs : frozenset of str
        Only these; all unless given.

    Yields
    ------
    dict
        Columns of ``dim_job``, ``fact_job_estimate`` and ``rec_job``, and ``runs``, the training runs of the job.
    """
    exchange.missing = set(jobs)
    for batch in job_batches(run, _COLUMNS):
        for job in batch.to_pylist():
            if jobs and job["job_id"] not in jobs:
                continue
            exchange.missing.discard(job["job_id"])
            if job["operational_kgco2e"] is None or not job["sci_kgco2e_per_run"]:
                exchange.without_figure += 1
                continue
            exchange.given += 1
            yield job | {"runs": round(job["total_kgco2e"] / job["sci_kgco2e_per_run"])}
