"""What a night tells of itself beside its tables: its zones, durations, counts, memory. No table depends on any of it."""

import resource
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from opencarbon.estimation.grid.curves import KIND_CODE, KINDS, PlanningCurves
from opencarbon.pipeline.grid import GridPulled
from opencarbon.pipeline.night import JobsRead, Prepared
from opencarbon.pipeline.outcomes import PartitionOutcome, ZoneOutcome

KNOWN_AHEAD: Final = ("measured", "forecast", "example")
"""Kinds that are about the very hour; the others say what is usual."""

_RSS_BYTES: Final = 1 if sys.platform == "darwin" else 1024
"""Unit of ``ru_maxrss``: getrusage(2) says kilobytes on Linux, and bytes on macOS."""


def zone_outcomes(zones: Iterable[str], curves: PlanningCurves, pulled: GridPulled) -> Iterator[ZoneOutcome]:
    """What a night knows of zones, and what asking for them brought.

    Parameters
    ----------
    zones : iterable of str
    curves : PlanningCurves
    pulled : GridPulled

    Yields
    ------
    ZoneOutcome
        In the order of the zones; one without a curve is none.
    """
    at = {zone: number for number, zone in enumerate(curves.zones)}
    is_known = np.isin(curves.kinds, [KIND_CODE[kind] for kind in KNOWN_AHEAD])
    hours = np.cumprod(is_known, axis=1).sum(axis=1)
    poorest = curves.head_kinds()
    problems = {event.subject: event.detail for event in reversed(pulled.events) if event.subject}
    for zone in zones:
        if zone in at:
            number = at[zone]
            kind = KINDS[int(poorest[number])]
            yield ZoneOutcome(zone, zone in pulled.asked, int(hours[number]), kind, problems.get(zone))


def facts_of_run(
    jobs: JobsRead, prepared: Prepared, partitions: Sequence[PartitionOutcome], *, publish_seconds: float
) -> Mapping[str, Any]:
    """Durations and counts for the record of a run.

    Parameters
    ----------
    jobs : JobsRead
    prepared : Prepared
    partitions : sequence of PartitionOutcome
    publish_seconds : float
        How long joining the partitions into a release took so far [s].

    Returns
    -------
    mapping
        ``durations_s`` by step: ``estimate`` adds up partitions that run side by side, and ``publish`` of a record ends
        where the tables are written, before they are verified. ``peak_memory_bytes`` is that of the process that publishes.
    """
    durations = {
        "read": jobs.seconds,
        "prepare": prepared.seconds,
        "allocate": prepared.allocate_seconds,
        "estimate": sum(one.seconds for one in partitions),
        "publish": publish_seconds,
    }
    return {
        "jobs_read": jobs.read,
        "jobs_rejected": jobs.rejected,
        "partitions": prepared.partitions,
        "partitions_failed": sum(one.problem is not None for one in partitions),
        "zones": len(prepared.zones),
        "zones_without_forecast": sum(zone.kind not in KNOWN_AHEAD for zone in prepared.zones),
        "requests": prepared.requests,
        "durations_s": {step: round(s, 3) for step, s in durations.items() if s is not None},
        "peak_memory_bytes": peak_memory_bytes(),
        "job_id_hash_bytes": jobs.job_id_hash_bytes,
        "partition_outcomes": [asdict(one) | {"seconds": round(one.seconds, 3)} for one in partitions],
        "zone_outcomes": [asdict(zone) for zone in prepared.zones],
    }


def durations_words(facts: Mapping[str, Any]) -> str:
    """Durations for a line of the log.

    Parameters
    ----------
    facts : mapping
        As of :func:`facts_of_run`.

    Returns
    -------
    str
    """
    return " ".join(f"{step}_s={seconds}" for step, seconds in facts["durations_s"].items())


def peak_memory_bytes() -> int:
    """Most memory that this process has held at once.

    Returns
    -------
    int
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_BYTES
