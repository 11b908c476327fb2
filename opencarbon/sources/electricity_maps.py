"""Carbon intensity from the Electricity Maps API, version 4: latest, history and forecast of a zone.

Every request says ``disableCallerLookup=true``, because without a known zone the service answers for the place of the
caller, and ``emissionFactorType``, because lifecycle and direct factors must never meet in one comparison. What comes
back is checked to be what was asked for. API: https://app.electricitymaps.com/docs/reference
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import pyarrow as pa

from opencarbon.errors import SourceError
from opencarbon.sources.circuit import STOPPING_CODES, Circuit
from opencarbon.sources.electricity_maps_bodies import (
    EmissionFactorType,
    parse_forecast,
    parse_history,
    parse_latest,
)
from opencarbon.sources.http import Client
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY

HORIZONS_HOURS: Final = (6, 24, 48, 72)
"""Forecast horizons that the API offers [h]."""

_Endpoint = Literal["latest", "history", "forecast"]

_EVENT_SOURCE: Final = "electricity_maps"
_EMPTY: Final = GRID_INTENSITY.schema().empty_table()
_PARSERS: Final = {"latest": parse_latest, "history": parse_history, "forecast": parse_forecast}


def fetch_latest(client: Client, zone: str, *, emission_factor_type: EmissionFactorType) -> bytes | None:
    """Carbon intensity of the running hour, as the API answers.

    Parameters
    ----------
    client : Client
        With the base URL and the token.
    zone : str
        Zone, such as ``DE`` or ``US-CAL-CISO``.
    emission_factor_type : {"lifecycle", "direct"}

    Returns
    -------
    bytes or None
        The body; None where the service has no data.

    Raises
    ------
    SourceError
        See :meth:`opencarbon.sources.http.Client.get`.
    """
    return client.get("carbon-intensity/latest", query_of(zone, emission_factor_type))


def fetch_history(client: Client, zone: str, *, emission_factor_type: EmissionFactorType) -> bytes | None:
    """Carbon intensity of the last 24 hours, as the API answers; see :func:`fetch_latest`.

    Parameters
    ----------
    client : Client
    zone : str
    emission_factor_type : {"lifecycle", "direct"}

    Returns
    -------
    bytes or None
    """
    return client.get("carbon-intensity/history", query_of(zone, emission_factor_type))


def fetch_forecast(
    client: Client, zone: str, *, emission_factor_type: EmissionFactorType, horizon_hours: int
) -> bytes | None:
    """Forecast of the carbon intensity, as the API answers; see :func:`fetch_latest`.

    Parameters
    ----------
    client : Client
    zone : str
    emission_factor_type : {"lifecycle", "direct"}
    horizon_hours : int
        Hours wanted [h]; the smallest horizon offered that holds them is asked for, 72 h at most.

    Returns
    -------
    bytes or None
    """
    query = query_of(zone, emission_factor_type) | {"horizonHours": str(horizon_asked(horizon_hours))}
    return client.get("carbon-intensity/forecast", query)


def horizon_asked(horizon_hours: int) -> int:
    """Smallest forecast horizon offered that holds these hours, or the longest.

    Parameters
    ----------
    horizon_hours : int
        Hours wanted [h].

    Returns
    -------
    int
        One of :data:`HORIZONS_HOURS` [h].
    """
    return next((offered for offered in HORIZONS_HOURS if offered >= horizon_hours), HORIZONS_HOURS[-1])


@dataclass(frozen=True, slots=True)
class _Asked:
    horizon_hours: int
    emission_factor_type: EmissionFactorType
    fetched_at_utc: datetime
    allow_sandbox: bool


def pull_zone(
    client: Client,
    zone: str,
    *,
    horizon_hours: int,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool = False,
) -> tuple[pa.Table, list[Event]]:
    """Forecast and history of a zone; the running hour alone where there is no history.

    Parameters
    ----------
    client : Client
    zone : str
    horizon_hours : int
        Hours of forecast wanted [h].
    emission_factor_type : {"lifecycle", "direct"}
    fetched_at_utc : datetime
        The moment of this pull, with a time zone.
    allow_sandbox : bool, optional
        Accept the made-up data of a sandbox token.

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY``, and a warning for everything that failed, is missing or is null. No
        ``SourceError`` is raised. After a refused token nothing more is asked for the zone; ``latest`` is not asked
        where the history failed by throttling or silence.
    """
    asked = _Asked(horizon_hours, emission_factor_type, fetched_at_utc, allow_sandbox)
    forecast, events = _pull_part(client, zone, "forecast", asked)
    if any(event.code == "auth" for event in events):
        return forecast, events
    history, problems = _pull_part(client, zone, "history", asked)
    parts = [history, forecast]
    if not _holds_values(history) and STOPPING_CODES.isdisjoint(event.code for event in problems):
        latest, more = _pull_part(client, zone, "latest", asked)
        parts = [latest if _holds_values(latest) else history, forecast]
        problems += more
    return pa.concat_tables(parts), events + problems


def pull_zones(
    client: Client,
    zones: Sequence[str],
    *,
    horizon_hours: int,
    emission_factor_type: EmissionFactorType,
    fetched_at_utc: datetime,
    allow_sandbox: bool = False,
    workers: int = 4,
) -> tuple[pa.Table, list[Event]]:
    """Forecast and history of many zones; what fails for one is an event, and the others go on.

    Parameters
    ----------
    client : Client
        Shared by the threads, with its rate limit.
    zones : sequence of str
        Zones; repeated ones are asked once.
    horizon_hours : int
        Hours of forecast wanted [h].
    emission_factor_type : {"lifecycle", "direct"}
    fetched_at_utc : datetime
        The moment of this pull, with a time zone.
    allow_sandbox : bool, optional
        Accept the made-up data of a sandbox token.
    workers : int, optional
        Requests under way at most.

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY`` and warnings, both in the order of the zones.

    Notes
    -----
    Nothing more is asked, and every zone left gets the same warning, once the token is refused before any zone
    worked, or once five zones in a row fail by refusal, throttling or silence. A refusal after a zone worked is that
    zone's own: the service also answers 401 when it throttles.
    """
    circuit = Circuit()

    def pull(zone: str) -> tuple[pa.Table, list[Event]]:
        stopped_by = circuit.stopped_by()
        if stopped_by is not None:
            words = f"not asked, after zone {stopped_by.subject} failed: {stopped_by.detail}"
            return _EMPTY, [_event(zone, stopped_by.code, words)]
        table, events = pull_zone(
            client,
            zone,
            horizon_hours=horizon_hours,
            emission_factor_type=emission_factor_type,
            fetched_at_utc=fetched_at_utc,
            allow_sandbox=allow_sandbox,
        )
        circuit.record(events, worked=table.num_rows > 0)
        return table, events

    distinct = list(dict.fromkeys(zones))
    pulled = [pull(zone) for zone in distinct[:1]]  # alone, so that a bad token costs one request
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="electricity-maps") as pool:
        pulled += pool.map(pull, distinct[1:])
    tables = [table for table, _ in pulled]
    return pa.concat_tables([_EMPTY, *tables]), [event for _, events in pulled for event in events]


def _pull_part(client: Client, zone: str, endpoint: _Endpoint, asked: _Asked) -> tuple[pa.Table, list[Event]]:
    try:
        body = _fetch(client, zone, endpoint, asked)
        if body is None:
            return _EMPTY, [_event(zone, "no_data", f"{endpoint}: the service has no data for this zone")]
        table = _PARSERS[endpoint](
            body,
            zone=zone,
            emission_factor_type=asked.emission_factor_type,
            fetched_at_utc=asked.fetched_at_utc,
            allow_sandbox=asked.allow_sandbox,
        )
    except SourceError as problem:
        return _EMPTY, [_event(zone, problem.code, f"{endpoint}: {problem}")]
    return table, _gaps(table, zone, endpoint, asked)


def _fetch(client: Client, zone: str, endpoint: _Endpoint, asked: _Asked) -> bytes | None:
    factor_type = asked.emission_factor_type
    if endpoint == "forecast":
        return fetch_forecast(
            client, zone, emission_factor_type=factor_type, horizon_hours=asked.horizon_hours
        )
    fetch = fetch_history if endpoint == "history" else fetch_latest
    return fetch(client, zone, emission_factor_type=factor_type)


def _gaps(table: pa.Table, zone: str, endpoint: _Endpoint, asked: _Asked) -> list[Event]:
    """Warnings about what an answer of the right form does not say."""
    rows = table.num_rows
    unknown = table["carbon_intensity_gco2e_per_kwh"].null_count
    events = []
    if not rows:
        events.append(_event(zone, "no_data", f"{endpoint}: the answer holds no hours"))
    if unknown:
        events.append(_event(zone, "null_intensity", f"{endpoint}: {unknown} of {rows} hours have no value"))
    if endpoint == "forecast" and 0 < rows < horizon_asked(asked.horizon_hours):
        words = f"forecast: {rows} hours given, {horizon_asked(asked.horizon_hours)} asked for"
        events.append(_event(zone, "short_forecast", words))
    return events


def _holds_values(table: pa.Table) -> bool:
    intensity = table["carbon_intensity_gco2e_per_kwh"]
    return len(intensity) > intensity.null_count


def _event(zone: str, code: str, detail: str) -> Event:
    return Event("warning", _EVENT_SOURCE, zone, code, detail)


def query_of(zone: str, emission_factor_type: EmissionFactorType) -> dict[str, str]:
    """Query that every request carries.

    Parameters
    ----------
    zone : str
    emission_factor_type : {"lifecycle", "direct"}

    Returns
    -------
    dict of str to str
    """
    return {
        "zone": zone,
        "emissionFactorType": emission_factor_type,
        "temporalGranularity": "hourly",
        "disableCallerLookup": "true",
    }
