"""What a night asks the Electricity Maps API for one zone, in which order, and what stands in for what."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import SourceError
from opencarbon.sources.electricity_maps.bodies import (
    parse_forecast,
    parse_history,
    parse_latest,
    parse_past,
    parse_past_range,
)
from opencarbon.sources.electricity_maps.circuit import STOPPING_CODES
from opencarbon.sources.electricity_maps.models import Asked, EmissionFactorType
from opencarbon.sources.electricity_maps.past import LONGEST_RANGE, Span, fetch_past_range
from opencarbon.sources.electricity_maps.requests import (
    fetch_forecast,
    fetch_history,
    fetch_latest,
    fetch_past,
    horizon_asked,
)
from opencarbon.sources.electricity_maps.rights import UNKNOWN, Rights
from opencarbon.sources.http import Client
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY
from opencarbon.units import HOUR, whole_hour

PAST_HOURS_ASKED: Final = 3
"""Missing hours of the last day that are asked for one by one, of a zone and night."""

_Endpoint = Literal["latest", "past", "past-range", "history", "forecast"]

_INTENSITY: Final = "carbon_intensity_gco2e_per_kwh"
_EVENT_SOURCE: Final = "electricity_maps"
_EMPTY: Final = GRID_INTENSITY.schema().empty_table()
_HISTORY_HOURS: Final = 24
_GIVEN_UP: Final = frozenset({"auth", "budget"})


class Refusals:
    """Endpoints that the plan was found not to cover, remembered for all zones of a night."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._endpoints: set[str] = set()

    def add(self, endpoint: str) -> None:
        """Remember an endpoint."""
        with self._lock:
            self._endpoints.add(endpoint)

    def __contains__(self, endpoint: str) -> bool:
        with self._lock:
            return endpoint in self._endpoints


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a night wants of every zone.

    Parameters
    ----------
    horizon_hours : int
        Hours of forecast [h].
    emission_factor_type : {"lifecycle", "direct"}
    fetched_at_utc : datetime
        The moment of the pull, with a time zone.
    flow_traced : bool, optional
        Intensity of what a zone consumes; else of what it generates.
    allow_sandbox : bool, optional
        Accept the made-up data of a sandbox token.
    rights : Rights, optional
        What the plan covers. What it is known not to cover is not asked for.
    refusals : Refusals, optional
        Shared by the zones of a night.
    """

    horizon_hours: int
    emission_factor_type: EmissionFactorType
    fetched_at_utc: datetime
    flow_traced: bool = True
    allow_sandbox: bool = False
    rights: Rights = UNKNOWN
    refusals: Refusals = field(default_factory=Refusals)

    @property
    def running(self) -> datetime:
        """Start of the running hour, in UTC."""
        return whole_hour(self.fetched_at_utc)


def pull_zone(client: Client, zone: str, wanted: Wanted) -> tuple[pa.Table, list[Event]]:
    """Forecast and measured hours of a zone.

    Parameters
    ----------
    client : Client
    zone : str
    wanted : Wanted

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY``, and a warning for everything that failed, is missing, is null or is not covered by
        the plan. No ``SourceError`` is raised.

    Notes
    -----
    Measured hours come from ``past-range``, ten days of it, where the plan is known to cover it, since they are
    revised; else, or where that brings nothing, from ``history``, and up to three hours that it lacks from ``past``.
    ``latest`` stands in where there are none, and for the running hour where the forecast lacks it too. After a
    refused token or a spent budget nothing more is asked, nor are measured hours after throttling or silence of theirs.
    """
    pull = _ZonePull(client, zone, wanted)
    forecast = pull.forecast()
    measured = _EMPTY if pull.is_given_up else pull.measured(has_forecast=_holds_values(forecast))
    return pa.concat_tables([measured, forecast]), pull.events()


class _ZonePull:
    """Asks for one zone, and collects what is wrong."""

    def __init__(self, client: Client, zone: str, wanted: Wanted) -> None:
        self._client, self._zone, self._wanted = client, zone, wanted
        self._asked = Asked(zone, wanted.emission_factor_type, wanted.flow_traced, wanted.allow_sandbox)
        self._found: list[Event] = []
        self._not_covered: list[str] = []

    @property
    def is_given_up(self) -> bool:
        """Whether nothing more is to be asked."""
        return any(event.code in _GIVEN_UP for event in self._found)

    def events(self) -> list[Event]:
        """What is wrong; first what the plan does not cover."""
        if not self._not_covered:
            return self._found
        words = f"{', '.join(self._not_covered)}: not covered by the plan of the token, not asked"
        return [Event("warning", _EVENT_SOURCE, self._zone, "plan", words), *self._found]

    def forecast(self) -> pa.Table:
        """Hours ahead."""
        hours = self._wanted.horizon_hours
        rows = self._ask("forecast", partial(fetch_forecast, horizon_hours=hours), parse_forecast)
        if rows is None:
            return _EMPTY
        self._tell_of_gaps(rows, "forecast")
        if 0 < rows.num_rows < horizon_asked(hours):
            self._tell(
                "short_forecast", f"forecast: {rows.num_rows} hours given, {horizon_asked(hours)} asked for"
            )
        return rows

    def measured(self, *, has_forecast: bool) -> pa.Table:
        """Hours that have been, the running one among them."""
        rows = _EMPTY
        if self._wanted.rights.covers(self._zone, "past-range"):
            rows, is_stopped = self._past_range()
            if is_stopped or (_holds_values(rows) and has_forecast):
                return rows
        if not _holds_values(rows):
            rows, is_stopped = self._history()
            if is_stopped or _holds_values(rows):
                return rows
        return _merged(rows, self._latest())

    def _latest(self) -> pa.Table:
        rows = self._ask("latest", fetch_latest, parse_latest)
        if rows is None:
            return _EMPTY
        self._tell_of_gaps(rows, "latest")
        return rows

    def _past_range(self) -> tuple[pa.Table, bool]:
        """Rows, and whether no other measured hours are to be asked for."""
        before = len(self._found)
        span = Span(self._wanted.running - LONGEST_RANGE, self._wanted.running)
        rows = self._ask(
            "past-range",
            partial(fetch_past_range, span=span),
            partial(parse_past_range, start_utc=span.start_utc, end_utc=span.end_utc),
        )
        if rows is None:
            return _EMPTY, self._is_stopped(since=before)
        self._tell_of_gaps(rows, "past-range")
        self._tell_of_missing(rows, "past-range", _hours(span.start_utc, span.end_utc))
        return rows, False

    def _history(self) -> tuple[pa.Table, bool]:
        """Rows, and whether no other measured hours are to be asked for."""
        before = len(self._found)
        rows = self._ask("history", fetch_history, parse_history)
        if rows is None:
            return _EMPTY, self._is_stopped(since=before)
        expected = _ended_hours(rows, self._wanted.running)
        if _holds_values(rows):
            rows = self._filled(rows, expected)
        self._tell_of_gaps(rows, "history")
        self._tell_of_missing(rows, "history", expected)
        return rows, self._is_stopped(since=before)

    def _filled(self, history: pa.Table, expected: Sequence[datetime]) -> pa.Table:
        """The history with the newest of the hours that it lacks, where the service knows them."""
        known = set(history.filter(pc.is_valid(history[_INTENSITY]))["hour_start_utc"].to_pylist())
        lacking = [hour for hour in reversed(expected) if hour not in known]
        for hour in lacking[:PAST_HOURS_ASKED]:
            if "past" in self._wanted.refusals or self._wanted.rights.covers(self._zone, "past") is False:
                break
            before = len(self._found)
            fetch, parse = partial(fetch_past, hour_start_utc=hour), partial(parse_past, hour_start_utc=hour)
            rows = self._ask("past", fetch, parse)
            if any(event.code == "plan" for event in self._found[before:]):
                self._wanted.refusals.add("past")
            if self._is_stopped(since=before):
                break
            if rows is not None and _holds_values(rows):
                history = _merged(history, rows)
        return history

    def _ask(
        self, endpoint: _Endpoint, fetch: Callable[..., bytes | None], parse: Callable[..., pa.Table]
    ) -> pa.Table | None:
        """Rows of an answer; None where there is none that can be used."""
        if self._wanted.rights.covers(self._zone, endpoint) is False:
            self._not_covered.append(endpoint)
            return None
        try:
            body = fetch(self._client, self._asked)
            if body is not None:
                return parse(body, self._asked, fetched_at_utc=self._wanted.fetched_at_utc)
            if endpoint != "past":  # one hour that the service does not have is no more than a missing hour
                self._tell("no_data", f"{endpoint}: the service has no data for this zone")
        except SourceError as problem:
            self._tell(problem.code, f"{endpoint}: {problem}")
        return None

    def _tell_of_gaps(self, rows: pa.Table, endpoint: _Endpoint) -> None:
        unknown = rows[_INTENSITY].null_count
        if not rows.num_rows:
            self._tell("no_data", f"{endpoint}: the answer holds no hours")
        if unknown:
            self._tell("null_intensity", f"{endpoint}: {unknown} of {rows.num_rows} hours have no value")

    def _tell_of_missing(self, rows: pa.Table, endpoint: _Endpoint, expected: Sequence[datetime]) -> None:
        lacking = len(set(expected) - set(rows["hour_start_utc"].to_pylist()))
        if lacking and rows.num_rows:
            words = f"{endpoint}: {lacking} of {len(expected)} hours are not in the answer"
            self._tell("missing_hours", words)

    def _is_stopped(self, *, since: int) -> bool:
        return any(event.code in STOPPING_CODES for event in self._found[since:])

    def _tell(self, code: str, detail: str) -> None:
        self._found.append(Event("warning", _EVENT_SOURCE, self._zone, code, detail))


def _ended_hours(history: pa.Table, running: datetime) -> list[datetime]:
    """Hours of the last day that have ended, from the first that a history has."""
    first = pc.min(history["hour_start_utc"]).as_py()
    if first is None:
        return []
    return _hours(max(first, running - (_HISTORY_HOURS - 1) * HOUR), running)


def _hours(start_utc: datetime, end_utc: datetime) -> list[datetime]:
    return [start_utc + lead * HOUR for lead in range((end_utc - start_utc) // HOUR)]


def _merged(rows: pa.Table, newer: pa.Table) -> pa.Table:
    """Rows, those of hours that another answer has a value for replaced by its own."""
    if not _holds_values(newer):
        return rows
    is_older = pc.invert(pc.is_in(rows["hour_start_utc"], value_set=newer["hour_start_utc"].combine_chunks()))
    return pa.concat_tables([rows.filter(is_older), newer])


def _holds_values(rows: pa.Table) -> bool:
    intensity = rows[_INTENSITY]
    return len(intensity) > intensity.null_count
