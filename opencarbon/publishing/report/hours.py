"""Which coming hours the report draws: of the regions that jobs are advised to, and of those that they are planned in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.publishing.figures.hours import AdvisedWindow, HourlyCurve
from opencarbon.publishing.parquet import read_row_groups
from opencarbon.publishing.report.queue import MOVED, Queue
from opencarbon.sources.places import Place

_BEST: Final = 3
_CURRENT: Final = 2
_WINDOWS: Final = 8
_LONGEST_NAME: Final = 28
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ComingHours:
    """What the figure of the coming hours shows, and what it cannot.

    Parameters
    ----------
    start_utc : datetime
        First hour.
    curves : sequence of HourlyCurve
    windows : sequence of AdvisedWindow
        Jobs that save most and run in the hours shown.
    missing : sequence of str
        Zones that would be drawn, of which no hours are published.
    kinds : mapping of str to sequence of str
        Zone -> kinds of its hours.
    """

    start_utc: datetime
    curves: Sequence[HourlyCurve]
    windows: Sequence[AdvisedWindow]
    missing: Sequence[str]
    kinds: Mapping[str, Sequence[str]]


def coming_hours_of(run: Place, as_of_utc: datetime, queue: Queue, regions: Rows) -> ComingHours:
    """Choose zones, and read their hours.

    Parameters
    ----------
    run : Place
        Directory of the run.
    as_of_utc : datetime
    queue : Queue
    regions : sequence of mapping
        Rows of ``rec_region`` with the ``zone`` of each.

    Returns
    -------
    ComingHours
    """
    zones = {row["region"]: row["zone"] for row in regions if row["zone"]}
    moved = [job["advised_region"] for job in queue.savers if job["action"] in MOVED]
    ranked = sorted(regions, key=lambda row: (-row["jobs"], row["rank"] or len(regions), row["region"]))
    planned = queue.planned_kgco2e_by_region
    best = _by_zone([*moved, *(row["region"] for row in ranked)], zones, _BEST)
    sources = [region for region in sorted(planned, key=lambda name: (-planned[name], name))]
    current = _by_zone(sources, {name: zone for name, zone in zones.items() if zone not in best}, _CURRENT)
    hours = _hours(run, as_of_utc, {*best, *current})
    curves = [
        HourlyCurve(zone, _name(zone, names), [value for value, _ in hours[zone]], is_current=zone in current)
        for zone, names in {**best, **current}.items()
        if zone in hours
    ]
    length = max((len(curve.values) for curve in curves), default=0)
    return ComingHours(
        as_of_utc,
        curves,
        list(_windows(run, as_of_utc, queue, length, zones)),
        [_name(zone, names) for zone, names in {**best, **current}.items() if zone not in hours],
        {zone: sorted({kind for _, kind in found if kind}) for zone, found in hours.items()},
    )


def _by_zone(regions: Sequence[str], zones: Mapping[str, str], most: int) -> dict[str, list[str]]:
    """The first zones of regions, each with those of the regions that lie in it."""
    found: dict[str, list[str]] = {}
    for region in dict.fromkeys(regions):
        zone = zones.get(region)
        if zone in found or (zone and len(found) < most):
            found.setdefault(zone, []).append(region)
    return found


def _name(zone: str, regions: Sequence[str]) -> str:
    more = f" +{len(regions) - 1}" if len(regions) > 1 else ""
    return f"{zone}: {regions[0]}{more}"


def _hours(
    run: Place, as_of_utc: datetime, zones: set[str]
) -> dict[str, list[tuple[float | None, str | None]]]:
    """Intensity and kind of every hour from the as-of time on, by zone."""
    columns = ["zone", "hour_start_utc", "carbon_intensity_gco2e_per_kwh", "intensity_kind"]
    wanted = pa.array(sorted(zones), pa.string())
    found: dict[str, dict[int, tuple[float, str]]] = {}
    for group in read_row_groups(run, "fact_grid_intensity_hourly", columns=columns):
        for row in group.filter(pc.is_in(group["zone"], value_set=wanted)).to_pylist():
            hour = int((row["hour_start_utc"] - as_of_utc).total_seconds() // 3600)
            if hour >= 0:
                values = found.setdefault(row["zone"], {})
                values[hour] = (row["carbon_intensity_gco2e_per_kwh"], row["intensity_kind"])
    return {
        zone: [values.get(hour, (None, None)) for hour in range(max(values) + 1)]
        for zone, values in found.items()
    }


def _windows(
    run: Place, as_of_utc: datetime, queue: Queue, hours: int, zones: Mapping[str, str]
) -> Iterator[AdvisedWindow]:
    """The jobs that save most among those that begin in the hours shown."""
    shown = [
        job
        for job in queue.savers
        if job["advised_start_utc"] is not None
        and (job["advised_start_utc"] - as_of_utc).total_seconds() < hours * 3600
    ][:_WINDOWS]
    stretches = _segments(run, [job["job_id"] for job in shown])
    for job in shown:
        whole = [(job["advised_start_utc"], job["advised_finish_utc"])]
        yield AdvisedWindow(
            f"{_short(job['job_id'])}, {job['advised_region']}",
            zones.get(job["advised_region"], ""),
            stretches.get(job["job_id"], whole),
        )


def _short(name: str) -> str:
    """A name of one short line."""
    line = "".join(character if character.isprintable() else " " for character in name)
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"


def _segments(run: Place, jobs: Sequence[str]) -> dict[str, list[tuple[datetime, datetime]]]:
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    wanted = pa.array(jobs, pa.string())
    columns = ["job_id", "start_utc", "finish_utc"]
    for group in read_row_groups(run, "fact_job_segment", columns=columns):
        for row in group.filter(pc.is_in(group["job_id"], value_set=wanted)).to_pylist():
            found.setdefault(row["job_id"], []).append((row["start_utc"], row["finish_utc"]))
    return found
