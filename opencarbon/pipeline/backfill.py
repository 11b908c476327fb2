"""Past hours of the grid: what the store lacks of a range is fetched into it, one file for every answer."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import ConfigError
from opencarbon.pipeline.context import settings_catalog
from opencarbon.pipeline.grid import http_limits
from opencarbon.pipeline.night import Progress, silent
from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps_bodies import SANDBOX_SOURCE_ID
from opencarbon.sources.electricity_maps_past import Past, Span, pull_past, spans_of
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import TokenBucket
from opencarbon.sources.intensity_store import append, read_as_of
from opencarbon.tables.events import Event

_HOUR: Final = timedelta(hours=1)
_SETTLES: Final = timedelta(days=1)
"""After so long an estimate, or a null, is asked for once more; Electricity Maps fetches its own sources again then.

Wiki of electricitymaps-contrib, Automatic data refetches: after a day, a week, a month and three months.
"""

_STEP: Final = "pull past intensities"
_LOG: Final = logging.getLogger("opencarbon.pipeline")


@dataclass(frozen=True, slots=True)
class ZonePull:
    """What came of the past hours of a zone.

    Parameters
    ----------
    zone : str
    there_hours, fetched_hours, missing_hours : int
        Hours of the range that the store had before, that were fetched, and that it still lacks.
    null_hours : int
        Fetched hours for which the source has no value.
    reason : str or None
        Why hours are missing.
    """

    zone: str
    there_hours: int
    fetched_hours: int
    missing_hours: int
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
    """Puts what the store lacks of each answer into it, and remembers which hours these were."""

    def __init__(self, root: str, lacking: Mapping[str, set[datetime]]) -> None:
        self._root, self._lacking = root, lacking
        self._lock = threading.Lock()
        self.brought: dict[str, dict[datetime, bool]] = {zone: {} for zone in lacking}
        """Zone to hour to whether the source has a value for it."""

    def __call__(self, zone: str, rows: pa.Table, fetched_at_utc: datetime) -> None:
        found = list(_tuples(rows, "hour_start_utc", "carbon_intensity_gco2e_per_kwh"))
        is_new = [hour in self._lacking[zone] for hour, _ in found]
        if any(is_new):
            append(self._root, rows.filter(pa.array(is_new)), fetched_at_utc=fetched_at_utc)
        with self._lock:
            self.brought[zone].update(
                {hour: value is not None for (hour, value), new in zip(found, is_new, strict=True) if new}
            )


def zones_in_force(settings: Settings) -> list[str]:
    """Zones of all regions, the user's among them.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of str
        In alphabetical order.
    """
    regions = settings_catalog(settings).regions
    return sorted({zone for (zone,) in _tuples(regions, "zone") if zone is not None})


def pull_past_grid(
    settings: Settings,
    zones: Sequence[str],
    span: Span,
    *,
    clock: Callable[[], datetime],
    progress: Progress = silent,
) -> GridPull:
    """Fetch into the store what it lacks of past hours.

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
    An hour counts as there where its measured row of this emission factor type was fetched after the hour had ended,
    whether it holds a value or a null. One that was estimated or null within a day of the hour is asked for again once
    that day has passed. What is fetched is dated with the moment of the fetch: no night before it sees it.
    """
    options = settings.electricity_maps
    if options.token is None:
        raise ConfigError("no token is set: put it into OPENCARBON_ELECTRICITY_MAPS__TOKEN")
    hours = {span.start_utc + lead * _HOUR for lead in range((span.end_utc - span.start_utc) // _HOUR)}
    there, unreadable = _hours_there(settings, zones, span, clock())
    lacking = {zone: hours - there.get(zone, set()) for zone in dict.fromkeys(zones)}
    wanted = {zone: spans_of(missing) for zone, missing in lacking.items() if missing}
    keep = _Keeper(settings.store.root, lacking)
    past = Past(options.emission_factor_type, options.allow_sandbox, keep, clock)
    bucket = TokenBucket(options.requests_per_minute, burst=10)
    with Client(options.base_url, token=options.token, limits=http_limits(settings), bucket=bucket) as client:
        warnings, stopped_by = pull_past(client, wanted, past, done=_counter(wanted, progress))
    result = GridPull(
        span,
        options.emission_factor_type,
        tuple(
            _of_zone(zone, len(hours), missing, keep.brought[zone], warnings)
            for zone, missing in lacking.items()
        ),
        (*unreadable, *warnings),
        stopped_by is not None,
    )
    _LOG.info(
        "past pulled: zones=%d hours_fetched=%d hours_missing=%d warnings=%d",
        *(len(lacking), result.fetched_hours, result.missing_hours, len(result.events)),
    )
    return result


def _hours_there(
    settings: Settings, zones: Sequence[str], span: Span, now_utc: datetime
) -> tuple[dict[str, set[datetime]], list[Event]]:
    """Hours by zone that need not be fetched, and warnings of files that cannot be read."""
    options = settings.electricity_maps
    stored, unreadable = read_as_of(settings.store.root, now_utc, since_utc=span.start_utc, zones=zones)
    hour, fetched = pc.field("hour_start_utc"), pc.field("fetched_at_utc")
    day_ago = pa.scalar(now_utc - _SETTLES, stored.schema.field("hour_start_utc").type)
    is_asked_for = (pc.field("intensity_kind") == pa.scalar("measured")) & (
        pc.field("emission_factor_type") == pa.scalar(options.emission_factor_type)
    )
    if not options.allow_sandbox:
        is_asked_for &= ~(pc.field("source_id") == pa.scalar(SANDBOX_SOURCE_ID))
    is_final = pc.is_valid(pc.field("carbon_intensity_gco2e_per_kwh")) & ~pc.field("is_estimated")
    had_settled = fetched >= hour + pa.scalar(_SETTLES)
    is_there = (fetched >= hour + pa.scalar(_HOUR)) & (is_final | had_settled | (hour > day_ago))
    found = stored.filter(is_asked_for & is_there)
    there: dict[str, set[datetime]] = {}
    for zone, start in _tuples(found, "zone", "hour_start_utc"):
        there.setdefault(zone, set()).add(start)
    return there, unreadable


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
    zone: str, hours: int, lacking: set[datetime], brought: dict[datetime, bool], warnings: Sequence[Event]
) -> ZonePull:
    said = [event for event in warnings if event.subject == zone and event.code != "null_intensity"]
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    return ZonePull(
        zone,
        there_hours=hours - len(lacking),
        fetched_hours=len(brought),
        missing_hours=len(lacking) - len(brought),
        null_hours=list(brought.values()).count(False),
        reason=f"{said[0].detail}{more}" if said else None,
    )
