"""Grid intensities: pulled into the store, and read from it as of the night."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import ContractError, SourceError
from opencarbon.estimation.grid.climatology import DAYS_OF_HISTORY
from opencarbon.pipeline.freshness import fresh_zones
from opencarbon.pipeline.night import Night
from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps.night import pull_zones
from opencarbon.sources.electricity_maps.rights import rights_in_force
from opencarbon.sources.electricity_maps.zone import Wanted
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits, RequestBudget, TokenBucket
from opencarbon.sources.intensity_files.forms import FileForm
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.sources.locations import public_name
from opencarbon.sources.storage import scheme_of
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY

_LOOK_BACK: Final = timedelta(days=DAYS_OF_HISTORY)
"""What the climatology is made of."""

_LATE: Final = timedelta(days=8)
"""How far back kinds other than measured ones are read: hours of the last days that were not measured yet."""

_LIVE: Final = timedelta(hours=2)
_SOURCE: Final = "electricity_maps"
_STORE: Final = "intensity_store"
_FILES: Final = "intensity_files"


def http_limits(settings: Settings) -> HttpLimits:
    """How long and how often the sources are asked.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    HttpLimits
    """
    usual, timeout_s = HttpLimits(), settings.http.timeout_s
    return HttpLimits(
        connect_s=min(usual.connect_s, timeout_s),
        read_s=timeout_s,
        total_s=max(usual.total_s, timeout_s),
        attempts=settings.http.attempts,
    )


def electricity_maps_client(settings: Settings, budget: RequestBudget | None = None) -> Client:
    """A connection to Electricity Maps that keeps to the requests per minute, and to those of one run.

    Parameters
    ----------
    settings : Settings
        With a token.
    budget : RequestBudget, optional
        Of ``electricity_maps.requests_per_night`` if not given.

    Returns
    -------
    Client
    """
    options = settings.electricity_maps
    return Client(
        options.base_url,
        token=options.token,
        limits=http_limits(settings),
        bucket=TokenBucket(options.requests_per_minute, burst=10),
        budget=budget or RequestBudget(options.requests_per_night),
    )


@dataclass(frozen=True, slots=True)
class GridPulled:
    """What asking for a night brought.

    Parameters
    ----------
    rows : pa.Table
        ``GRID_INTENSITY``: what was fetched.
    events : list of Event
        One warning for every zone that gave less than it should.
    asked : frozenset of str
        Zones that Electricity Maps was asked for.
    requests : int
        Requests made of it.
    """

    rows: pa.Table
    events: list[Event] = field(default_factory=list)
    asked: frozenset[str] = frozenset()
    requests: int = 0


def pull_grid(night: Night, zones: tuple[str, ...]) -> GridPulled:
    """Ask Electricity Maps for those of these zones that the store has nothing fresh of.

    Fresh is what was fetched in the hour that the night looks from: forecast and measured hours. What is fetched within
    two hours of the as-of time goes into the store, dated with the as-of time; what is fetched later is used for this
    run and not kept, since the store must not know on one night what came days after. Of what is kept, measured hours
    that had not begun at the as-of time are dropped. A night that looks from more than a day ago asks nothing.

    Parameters
    ----------
    night : Night
    zones : tuple of str

    Returns
    -------
    GridPulled
        No error is raised for a source that fails, nor for a store that cannot be written.
    """
    nothing = GRID_INTENSITY.schema().empty_table()
    options = night.settings.electricity_maps
    if night.offline:
        detail = "the run was asked to stay offline: stored, example and annual intensities are used"
        return GridPulled(nothing, [Event("info", _SOURCE, None, "offline", detail)])
    if night.is_past:
        detail = "the run looks from more than a day ago: what was stored by then is used, nothing is asked"
        return GridPulled(nothing, [Event("info", _SOURCE, None, "past_night", detail)])
    # a night that looks from a moment to come must not date what it fetches after the fetch
    fetched_at_utc = min(night.as_of_utc, night.now_utc)
    fresh = fresh_zones(night.settings, zones, fetched_at_utc=fetched_at_utc, now_utc=night.now_utc)
    stale = tuple(zone for zone in zones if zone not in fresh)
    if not stale:
        return GridPulled(nothing)
    if options.token is None:
        detail = "no token is set: stored, example and annual intensities are used"
        return GridPulled(nothing, [Event("warning", _SOURCE, None, "no_token", detail)])
    asked: set[str] = set()
    budget = RequestBudget(options.requests_per_night)
    with electricity_maps_client(night.settings, budget) as client:
        rights, problems = rights_in_force(client, night.settings.store.root, options.base_url, night.now_utc)
        wanted = Wanted(
            horizon_hours=options.horizon_hours,
            emission_factor_type=options.emission_factor_type,
            fetched_at_utc=fetched_at_utc,
            flow_traced=options.flow_traced,
            allow_sandbox=options.allow_sandbox,
            rights=rights,
        )
        rows, warnings = pull_zones(client, stale, wanted, workers=options.concurrency, asking=asked.add)
    if night.now_utc - night.as_of_utc <= _LIVE:
        rows = _begun(rows, fetched_at_utc)
    events = [*problems, *_one_per_zone(warnings), *_keep(night, rows, fetched_at_utc)]
    return GridPulled(rows, events, frozenset(asked), budget.taken)


def known_grid(night: Night, fetched: pa.Table) -> tuple[pa.Table, list[Event]]:
    """Everything known of the grid as of the night: the store, the intensity files, and what was fetched for it.

    Parameters
    ----------
    night : Night
    fetched : pa.Table
        ``GRID_INTENSITY``.

    Returns
    -------
    pa.Table
        ``GRID_INTENSITY``.
    list of Event
        Intensity files, and the store or files of it, that cannot be read; and hours of intensity files that are
        called measured and had not begun: they are left out.
    """
    events: list[Event] = []
    tables: list[pa.Table] = []
    try:
        for kinds, look_back in ((("measured",), _LOOK_BACK), (("forecast", "example"), _LATE)):
            stored, unreadable = read_as_of(
                *(night.settings.store.root, night.as_of_utc),
                since_utc=night.as_of_utc - look_back,
                kinds=kinds,
            )
            tables.append(stored)
            events += (event for event in unreadable if event not in events)
    except SourceError as problem:
        events.append(Event("warning", _STORE, None, problem.code, f"{problem}; the run goes on without it"))
    for path in night.settings.store.files:
        found = _from_file(path, night)
        if isinstance(found, Event):
            events.append(found)
        else:
            tables.append(_begun(found, night.as_of_utc))
            events += _ahead(path, found.num_rows - tables[-1].num_rows)
    return pa.concat_tables(table.cast(GRID_INTENSITY.schema()) for table in (*tables, fetched)), events


def _one_per_zone(warnings: Iterable[Event]) -> Iterator[Event]:
    """All that went wrong with a zone in one warning, under the code of what went wrong first."""
    by_zone: dict[str | None, list[Event]] = {}
    for warning in warnings:
        by_zone.setdefault(warning.subject, []).append(warning)
    for zone, found in by_zone.items():
        said = "; ".join(dict.fromkeys(warning.detail for warning in found))
        yield Event("warning", _SOURCE, zone, found[0].code, f"zone {zone}: {said}")


def _keep(night: Night, rows: pa.Table, fetched_at_utc: datetime) -> Iterator[Event]:
    """Put what was fetched into the store; a warning where it does not belong there or cannot be written."""
    late = night.now_utc - night.as_of_utc
    if late > _LIVE:
        detail = f"fetched {late} after the as-of time: used for this run, not stored"
        yield Event("warning", _SOURCE, None, "hindsight", detail)
    elif rows.num_rows:
        try:
            append(night.settings.store.root, rows, fetched_at_utc=fetched_at_utc)
        except SourceError as problem:
            yield Event("warning", _STORE, None, problem.code, f"{problem}; what was fetched is not kept")
        except ContractError as problem:
            detail = f"what was fetched is not kept: {'; '.join(problem.violations)}"
            yield Event("warning", _STORE, None, "shape", detail)


def _from_file(path: str, night: Night) -> pa.Table | Event:
    if night.offline and scheme_of(path) in ("http", "https"):
        detail = f"{public_name(path)} is not read: the run was asked to stay offline"
        return Event("info", _FILES, public_name(path), "offline", detail)
    try:
        rows = read_intensity_file(
            path,
            fetched_at_utc=night.as_of_utc,
            source_id="intensity-file",
            form=FileForm(columns=night.settings.store.columns),
        )
    except SourceError as problem:
        detail = f"{problem}; the run goes on without this file"
        return Event("warning", _FILES, public_name(path), problem.code, detail)
    made_up = pc.equal(rows["intensity_kind"], pa.scalar("example"))
    source = pc.if_else(made_up, pa.scalar("example-intensity"), rows["source_id"])
    return rows.set_column(rows.schema.get_field_index("source_id"), "source_id", source)


def _begun(rows: pa.Table, as_of_utc: datetime) -> pa.Table:
    """Rows without measured hours that had not begun: nobody could know them."""
    is_ahead = (pc.field("intensity_kind") == pa.scalar("measured")) & (
        pc.field("hour_start_utc") > pa.scalar(as_of_utc, rows.schema.field("hour_start_utc").type)
    )
    return rows.filter(~is_ahead)


def _ahead(path: str, hours: int) -> Iterator[Event]:
    """A warning where hours of an intensity file were left out."""
    if hours:
        detail = (
            f"{public_name(path)}: {hours:,} measured hours begin after the as-of time and are left out: "
            "where they are no measurements, say intensity_kind forecast or example in the file"
        )
        yield Event("warning", _FILES, public_name(path), "hindsight", detail)
