"""Past carbon intensity from the Electricity Maps API: ranges of ten days at most, each handed on as soon as it is there.

API: https://app.electricitymaps.com/docs/reference
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from opencarbon.errors import SourceError
from opencarbon.sources.electricity_maps.bodies import parse_past_range
from opencarbon.sources.electricity_maps.circuit import Circuit
from opencarbon.sources.electricity_maps.models import Asked, EmissionFactorType
from opencarbon.sources.electricity_maps.requests import TIME, query_of
from opencarbon.sources.electricity_maps.rights import UNKNOWN, Rights
from opencarbon.sources.http import Client
from opencarbon.tables.events import Event
from opencarbon.units import HOUR

LONGEST_RANGE: Final = timedelta(days=10)
"""Longest range of hours that one request may ask for (Electricity Maps, API reference, past range)."""

_SOURCE: Final = "electricity_maps"


@dataclass(frozen=True, slots=True)
class Span:
    """Hours from a start up to, and without, an end.

    Parameters
    ----------
    start_utc, end_utc : datetime
        Full hours in UTC.
    """

    start_utc: datetime
    end_utc: datetime

    def __str__(self) -> str:
        return f"{self.start_utc:%Y-%m-%d %H:%M} to {self.end_utc:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Past:
    """How hours of the past are to be asked for.

    Parameters
    ----------
    emission_factor_type : {"lifecycle", "direct"}
    allow_sandbox : bool
        Accept the made-up data of a sandbox token.
    keep : callable
        Given zone, rows of ``GRID_INTENSITY`` and moment of the fetch of each answer, from several threads.
    clock : callable
        The moment it is, with a time zone.
    flow_traced : bool, optional
        Ask for the intensity of what a zone consumes; else of what it generates.
    rights : Rights, optional
        What the plan covers. What it is known not to cover is not asked for.
    """

    emission_factor_type: EmissionFactorType
    allow_sandbox: bool
    keep: Callable[[str, pa.Table, datetime], None]
    clock: Callable[[], datetime]
    flow_traced: bool = True
    rights: Rights = UNKNOWN


def spans_of(hours: Iterable[datetime]) -> list[Span]:
    """The fewest ranges that hold these hours.

    Parameters
    ----------
    hours : iterable of datetime
        Starts of hours in UTC, in any order.

    Returns
    -------
    list of Span
        The oldest first, none longer than :data:`LONGEST_RANGE`; each begins and ends with an hour that is wanted.
    """
    spans: list[Span] = []
    for hour in sorted(hours):
        if spans and hour - spans[-1].start_utc < LONGEST_RANGE:
            spans[-1] = Span(spans[-1].start_utc, hour + HOUR)
        else:
            spans.append(Span(hour, hour + HOUR))
    return spans


def fetch_past_range(client: Client, asked: Asked, *, span: Span) -> bytes | None:
    """Carbon intensity of past hours, as the API answers.

    Parameters
    ----------
    client : Client
    asked : Asked
    span : Span
        :data:`LONGEST_RANGE` at most.

    Returns
    -------
    bytes or None
        The body; None where the service has no data.

    Raises
    ------
    SourceError
        See :meth:`opencarbon.sources.http.Client.get`.
    """
    times = {"start": f"{span.start_utc:{TIME}}", "end": f"{span.end_utc:{TIME}}"}
    return client.get("carbon-intensity/past-range", query_of(asked) | times)


def pull_past(
    client: Client,
    wanted: Mapping[str, Sequence[Span]],
    past: Past,
    *,
    done: Callable[[int], None],
    workers: int = 4,
) -> tuple[list[Event], Event | None]:
    """Past hours of many zones, the newest of each first; every answer is handed on before the next is asked for.

    Parameters
    ----------
    client : Client
        Shared by the threads, with its rate limit.
    wanted : mapping of str to sequence of Span
        Zone to the ranges wanted of it.
    past : Past
    done : callable
        Told, from several threads, how many ranges are dealt with.
    workers : int, optional
        Zones under way at most.

    Returns
    -------
    list of Event
        A warning for everything that failed, is missing or is null, in the order of the zones.
    Event or None
        The failure after which nothing more was asked, see :class:`opencarbon.sources.electricity_maps.circuit.Circuit`.

    Notes
    -----
    A zone that is refused, throttled or silent is left: its older ranges are not asked for. One damaged answer, or
    one range without data, does not keep it from going on.
    """
    circuit, stopping = Circuit(), threading.Event()

    def pull(zone: str) -> list[Event]:
        not_asked = circuit.not_asked(zone)
        if not_asked is not None:
            done(len(wanted[zone]))
            return [not_asked]
        if past.rights.covers(zone, "past-range") is False:
            done(len(wanted[zone]))
            return [_event(zone, "plan", "past-range: not covered by the plan of the token, not asked")]
        events: list[Event] = []
        rows, left = 0, len(wanted[zone])
        for span in reversed(wanted[zone]):
            if stopping.is_set():
                return events
            brought, problems, is_final = _pull_span(client, zone, span, past)
            rows, left, events = rows + brought, left - 1, events + problems
            done(1)
            if is_final:
                break
        if left:
            events.append(_event(zone, events[-1].code, f"{left} older ranges are not asked for after that"))
            done(left)
        circuit.record(events, worked=rows > 0)
        return events

    zones = list(wanted)
    found = [pull(zone) for zone in zones[:1]]  # alone, so that a bad token costs one request
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="electricity-maps") as pool:
        try:
            found += pool.map(pull, zones[1:])
        finally:
            stopping.set()  # after an interruption, zones under way end with their range
    return [event for events in found for event in events], circuit.stopped_by()


def _pull_span(client: Client, zone: str, span: Span, past: Past) -> tuple[int, list[Event], bool]:
    """Rows that came and were handed on, what is wrong with them, and whether to leave the zone."""
    asked = Asked(zone, past.emission_factor_type, past.flow_traced, past.allow_sandbox)
    try:
        body = fetch_past_range(client, asked, span=span)
        if body is None:
            return 0, [_event(zone, "no_data", f"{span}: the service has no data for this zone")], False
        fetched_at_utc = past.clock().astimezone(UTC)
        rows = parse_past_range(
            *(body, asked), start_utc=span.start_utc, end_utc=span.end_utc, fetched_at_utc=fetched_at_utc
        )
    except SourceError as problem:
        return 0, [_event(zone, problem.code, f"{span}: {problem}")], problem.code != "shape"
    if rows.num_rows:
        past.keep(zone, rows, fetched_at_utc)
    return rows.num_rows, _gaps(rows, zone, span), False


def _gaps(rows: pa.Table, zone: str, span: Span) -> list[Event]:
    """Warnings about what an answer of the right form does not say."""
    asked = (span.end_utc - span.start_utc) // HOUR
    lacking, unknown = asked - rows.num_rows, rows["carbon_intensity_gco2e_per_kwh"].null_count
    events = []
    if lacking:
        words = f"{span}: {lacking} of {asked} hours are not in the answer"
        events.append(_event(zone, "missing_hours" if rows.num_rows else "no_data", words))
    if unknown:
        events.append(_event(zone, "null_intensity", f"{span}: {unknown} of {asked} hours have no value"))
    return events


def _event(zone: str, code: str, detail: str) -> Event:
    return Event("warning", _SOURCE, zone, code, detail)
