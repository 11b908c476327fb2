"""A region or a zone of a run explained: how clean it is, when, from which data, and what is advised there."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.pipeline.explain.hours import ZoneHours, zone_hours
from opencarbon.pipeline.explain.rows import row_of, rows_where, sources_of
from opencarbon.publishing.parquet import read_row_groups
from opencarbon.sources.places import Place

_JOBS: Final = 10
_COLUMNS: Final = (
    "job_id",
    "advised_region",
    "action",
    "advised_start_utc",
    "advised_total_kgco2e",
    "saving_kgco2e",
)


@dataclass(frozen=True, slots=True)
class RegionExplanation:
    """What a run says of a region, or of all regions of a zone.

    Parameters
    ----------
    name : str
        Of the region or the zone.
    zone : mapping
        Row of ``dim_zone``; empty where the region lies in none.
    regions : sequence of mapping
        Rows of ``dim_region`` and ``rec_region`` side by side.
    hours : ZoneHours or None
    jobs : sequence of mapping
        The largest jobs that are advised there, of ``rec_job``.
    sources : sequence of mapping
        Rows of ``dim_source`` behind zone and regions.
    """

    name: str
    zone: Mapping[str, Any]
    regions: Sequence[Mapping[str, Any]]
    hours: ZoneHours | None
    jobs: Sequence[Mapping[str, Any]]
    sources: Sequence[Mapping[str, Any]]


def explain_region(run: Place, name: str, *, is_zone: bool) -> RegionExplanation:
    """Explain a region of a run.

    Parameters
    ----------
    run : Place
        Directory of the run.
    name : str
        A region, or a zone.
    is_zone : bool

    Returns
    -------
    RegionExplanation
    """
    regions = rows_where(run, "dim_region", "zone" if is_zone else "region", name)
    rows = [region | (row_of(run, "rec_region", "region", region["region"]) or {}) for region in regions]
    zone = name if is_zone else regions[0]["zone"]
    about = row_of(run, "dim_zone", "zone", zone) or {}
    hours = zone_hours(run, zone)
    known = sources_of(run)
    cited = [
        about.get("source_id"),
        *(hours.source_ids if hours else ()),
        *(row["source_id"] for row in regions),
    ]
    return RegionExplanation(
        name=name,
        zone=about,
        regions=rows,
        hours=hours,
        jobs=_largest_jobs(run, {row["region"] for row in regions}),
        sources=[known[source] for source in dict.fromkeys(cited) if source in known],
    )


def _largest_jobs(run: Place, regions: set[str]) -> list[dict[str, Any]]:
    wanted = pa.array(sorted(regions), pa.string())
    kept: list[dict[str, Any]] = []
    for group in read_row_groups(run, "rec_job", columns=_COLUMNS):
        found = group.filter(pc.is_in(group["advised_region"], value_set=wanted)).to_pylist()
        kept = heapq.nlargest(_JOBS, [*kept, *found], key=lambda job: job["advised_total_kgco2e"] or 0.0)
    return kept
