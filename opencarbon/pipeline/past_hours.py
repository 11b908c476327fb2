"""Past hours of the grid: what the store lacks of a range is fetched into it, one file for every answer."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from opencarbon.errors import ConfigError
from opencarbon.pipeline.context import settings_catalog
from opencarbon.pipeline.grid import electricity_maps_client
from opencarbon.pipeline.night import Progress, silent
from opencarbon.pipeline.refetch import TRAILING, HoursOfZone, hours_in_store
from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps.past import Past, Span, pull_past, spans_of
from opencarbon.sources.electricity_maps.rights import known_rights
from opencarbon.sources.store.intensities import append
from opencarbon.tables.events import Event
from opencarbon.units import HOUR

_STEP: Final = "pull past intensities"
_LOG: Final = logging.getLogger("opencarbon.pipeline")


@dataclass(frozen=True, slots=True)
class ZonePull:
    """What came of the past hours of a zone.

    Parameters
    ----------
    zone : str
    there_hours, fetched_hours, missing_hours : int
        Hours of the range that the store had before; hours that were fetched, once more those that were to be revised;
        hours of the range that the store still lacks.
    unrevised_hours : int
        Hours that the store has, that were to be fetched once more, and did not come.
    null_hours : int
        Fetched hours for which the source has no value.
    reason : str or None
        Why hours are missing.
    """

    zone: str
    there_hours: int
    fetched_hours: int
    missing_hours: int
    unrevised_hours: int
    null_hours: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class GridPull:
    """What came of a range of past hours.

    Parameters
    ----------
    span : Span
    emission_factor_type : str
    zones : tuple of ZonePull
    events : tuple of Event
        A warning for everything that failed, is missing or is null.
    is_stopped : bool
        The service refused, throttled or was silent so often that not all was asked for.
    """

    span: Span
    emission_factor_type: str
    zones: tuple[ZonePull, ...]
    events: tuple[Event, ...]
    is_stopped: bool

    @property
    def fetched_hours(self) -> int:
        """Hours fetched, of all zones."""
        return sum(zone.fetched_hours for zone in self.zones)

    @property
    def missing_hours(self) -> int:
        """Hours that the store still lacks, of all zones."""
        return sum(zone.missing_hours for zone in self.zones)


class _Keeper:
    """Puts the hours of each answer that were asked for into the store, and remembers which these were."""

    def __init__(self, root: str, asked: Mapping[str, set[datetime]]) -> None:
        self._root, self._asked = root, asked
        self._lock = threading.Lock()
        self.brought: dict[str, dict[datetime, bool]] = {zone: {} for zone in asked}
        """Zone to hour to whether the source has a value for it."""

    def __call__(self, zone: str, rows: pa.Table, fetched_at_utc: datetime) -> None:
        found = list(_tuples(rows, "hour_start_utc", "carbon_intensity_gco2e_per_kwh"))
        is_new = [hour in self._asked[zone] for hour, _ in found]
        if any(is_new):
            append(self._root, rows.filter(pa.array(is_new)), fetched_at_utc=fetched_at_utc)
        with self._lock:
            self.brought[zone].update(
                {hour: value is not None for (hour, value), new in zip(found, is_new, strict=True) if new}
            )


def zones_in_force(settings: Settings) -> list[str]:
    """Zones, and zones by the other reading, of all regions, the user's among them: those that nights ask for.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of str
        In alphabetical order.
    """
    regions = settings_catalog(settings).regions
    zones = (zone for both in _tuples(regions, "zone", "alternative_zone") for zone in both)
    return sorted({zone for zone in zones if zone is not None})


def pull_past_grid(
    settings: Settings,
    zones: Sequence[str],
    span: Span,
    *,
    clock: Callable[[], datetime],
    revise_older: bool = False,
    revise_from: int = 1,
    progress: Progress = silent,
) -> GridPull:
    """Fetch into the store what it lacks of past hours, and what is revised by now.

    Parameters
    ----------
    settings : Settings
        With a token.
    zones : sequence of str
        Repeated ones are asked once.
    span : Span
        Past hours.
    clock : callable
        The moment it is, with a time zone.
    revise_older : bool, optional
        Also ask again for hours before the range that the store has and that are to be revised.
    revise_from : int, optional
        Hours of a zone that must be to be revised before any is asked for again: who asks every hour would else spend a
        request on each of them.
    progress : callable, optional
        Told about ranges of at most ten days.

    Returns
    -------
    GridPull

    Raises
    ------
    ConfigError
        No token, or a store of another format.
    SourceUnavailableError
        The store cannot be read or written.

    Notes
    -----
    An hour counts as there where its measured row of this emission factor type and basis was fetched after the hour had
    ended, whether it holds a value or a null; see :data:`opencarbon.pipeline.refetch.REVISED_AFTER` for when it is asked
    for again. What is fetched is dated with the moment of the fetch: no night before it sees it.
    """
    options = settings.electricity_maps
    if options.token is None:
        raise ConfigError("no token is set: put it into OPENCARBON_ELECTRICITY_MAPS__TOKEN")
    zones = list(dict.fromkeys(zones))
    hours = {span.start_utc + lead * HOUR for lead in range((span.end_utc - span.start_utc) // HOUR)}
    start = min(span.start_utc, span.end_utc - TRAILING) if revise_older else span.start_utc
    there, unreadable = hours_in_store(settings, zones, Span(start, span.end_utc), clock())
    there = {
        zone: found if len(found.due) >= revise_from else replace(found, due=set())
        for zone, found in there.items()
    }
    asked = {zone: (hours - there[zone].known) | there[zone].due for zone in zones}
    wanted = {zone: spans_of(some) for zone, some in asked.items() if some}
    keep = _Keeper(settings.store.root, asked)
    past = Past(
        *(options.emission_factor_type, options.allow_sandbox, keep, clock, options.flow_traced),
        rights=known_rights(settings.store.root, options.base_url, clock()),
    )
    with electricity_maps_client(settings) as client:
        warnings, stopped_by = pull_past(
            client, wanted, past, done=_counter(wanted, progress), workers=options.concurrency
        )
    result = GridPull(
        span,
        options.emission_factor_type,
        tuple(_of_zone(zone, hours, there[zone], keep.brought[zone], warnings) for zone in zones),
        (*unreadable, *warnings),
        stopped_by is not None,
    )
    _LOG.info(
        "past pulled: zones=%d hours_fetched=%d hours_missing=%d warnings=%d",
        *(len(zones), result.fetched_hours, result.missing_hours, len(result.events)),
    )
    return result


def _tuples(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in columns), strict=True)


def _counter(wanted: dict[str, list[Span]], progress: Progress) -> Callable[[int], None]:
    """Adds up what threads have dealt with."""
    lock, total, dealt_with = threading.Lock(), sum(map(len, wanted.values())), 0
    progress(_STEP, 0, total)

    def done(ranges: int) -> None:
        nonlocal dealt_with
        with lock:
            dealt_with += ranges
            progress(_STEP, dealt_with, total)

    return done


def _of_zone(
    zone: str,
    hours: set[datetime],
    there: HoursOfZone,
    brought: dict[datetime, bool],
    warnings: Sequence[Event],
) -> ZonePull:
    said = [event for event in warnings if event.subject == zone and event.code != "null_intensity"]
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    return ZonePull(
        zone,
        there_hours=len(hours & there.known),
        fetched_hours=len(brought),
        missing_hours=len(hours - there.known - brought.keys()),
        unrevised_hours=len(there.due - brought.keys()),
        null_hours=list(brought.values()).count(False),
        reason=f"{said[0].detail}{more}" if said else None,
    )
