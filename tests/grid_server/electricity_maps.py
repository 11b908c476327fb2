"""A server that behaves like version 4 of the Electricity Maps API, unless told to misbehave."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.grid_server.faults import (
    BAD_TOKEN,
    Fault,
    Misbehaviour,
    refusal,
    refusal_by_plan,
    spoilt,
)
from tests.grid_server.loopback import Answer, LoopbackServer, Request, json_answer
from tests.grid_server.rows import HOUR, row, text

TOKEN = "em-live-3f9c1d77aa52e608"
"""The token that :class:`ElectricityMapsServer` accepts where a test names no other; made up."""

ENDPOINTS = ("latest", "past", "past-range", "history", "forecast")
DIRECT_SHARE = 0.8
"""Direct emissions by lifecycle emissions."""

PRODUCTION_SHARE = 1.25
"""Intensity of what a zone generates by that of what it consumes."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_RANGE = timedelta(days=10)
_ESTIMATED_FOR = 2 * HOUR


class ElectricityMapsServer(LoopbackServer):
    """Speaks ``carbon-intensity/latest|past|past-range|history|forecast`` and ``zones``.

    Parameters
    ----------
    intensity : callable
        ``(zone, hour_start_utc)`` to flow-traced lifecycle carbon intensity [gCO2e/kWh], or None where it is not known.
        Direct emission factors give 0.8 of it, and production 1.25 of it.
    zones : sequence of str
        Zones it knows; others get status 400.
    now_utc : datetime or None
        The moment it answers at: the running hour ends the history and begins the forecast. None is the real one.
    token : str, optional
        The only token it accepts.
    access : sequence of str or None, optional
        What the plan covers of every zone: endpoints, such as ``carbon-intensity/latest``, or ``*``. None covers all
        without saying so in ``zones``.
    port : int, optional

    Attributes
    ----------
    access_of : dict of str to sequence of str
        What the plan covers of a zone, where that is not ``access``.
    not_for_sale : set of str
        Zones that are not commercially available.
    lacking : set of (str, datetime)
        Hours that no answer holds; ``past`` has status 404 for them.
    estimate_factor : float
        What an estimated value is of the final one. Hours are estimated for two hours.
    revised_after : int or None
        Answers after which an estimated hour is revised, though it is not two hours old.
    past_in_list : bool
        Answer ``past`` with a list under ``data``.
    requests : list of Request
        Everything it was asked, in order of arrival.
    """

    def __init__(
        self,
        intensity: Callable[[str, datetime], float | None],
        *,
        zones: Sequence[str],
        now_utc: datetime | None,
        token: str = TOKEN,
        access: Sequence[str] | None = ("*",),
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.intensity = intensity
        self.zones = tuple(zones)
        self.now_utc = now_utc
        self.token = token
        self.access = access
        self.access_of: dict[str, Sequence[str]] = {}
        self.not_for_sale: set[str] = set()
        self.lacking: set[tuple[str, datetime]] = set()
        self.estimate_factor = 1.0
        self.revised_after: int | None = None
        self.past_in_list = False
        self._given_as_estimate: Counter[tuple[str, datetime]] = Counter()
        self._faults: dict[tuple[str, str], list[Fault]] = {}

    @property
    def base_url(self) -> str:
        """What to set ``electricity_maps.base_url`` to."""
        return f"{self.url}/v4"

    def misbehave(
        self,
        zone: str,
        how: Misbehaviour,
        *,
        endpoint: str = "*",
        times: int | None = None,
        retry_after: str | None = None,
        afterwards: bool = False,
    ) -> None:
        """Misbehave for a zone from now on.

        Parameters
        ----------
        zone : str
            The zone, or ``*`` for every zone.
        how : str
            One of :data:`tests.grid_server.faults.Misbehaviour`.
        endpoint : str, optional
            ``latest``, ``past``, ``past-range``, ``history``, ``forecast``, ``zones`` or ``*`` for all but the last.
        times : int, optional
            Behave again after so many requests.
        retry_after : str, optional
            Header of ``throttle``, ``throttle_401``, ``server_error`` and ``busy``.
        afterwards : bool, optional
            Once what it was told before has happened so often; else instead of it.
        """
        with self._lock:
            before = self._faults.get((zone, endpoint), []) if afterwards else []
            self._faults[zone, endpoint] = [*before, Fault(how, times, retry_after)]

    def asked(self, zone: str) -> list[str]:
        """Endpoints asked for a zone, in order."""
        with self._lock:
            return [
                request.path.rpartition("/")[2]
                for request in self.requests
                if request.query.get("zone") == zone
            ]

    def answer(self, request: Request) -> Answer:
        """As the API would, unless told to misbehave."""
        is_known = request.headers.get("auth-token") == self.token
        if request.path == "/v4/zones":
            return self._zones_answer(request, is_known=is_known)
        prefix, _, endpoint = request.path.rpartition("/")
        if prefix != "/v4/carbon-intensity" or endpoint not in ENDPOINTS:
            return json_answer(404, {"status": "error", "message": "Not found"})
        if not is_known:
            return BAD_TOKEN
        zone = request.query.get("zone", "")
        if not zone and request.query.get("disableCallerLookup") != "true":
            zone = self.zones[0]  # the real service guesses from the caller's address
        fault = self._fault(zone, endpoint)
        refused = refusal(fault, zone, endpoint, request)
        if refused is not None:
            return refused
        problem = self._bad_query(zone, endpoint, request.query)
        if problem:
            return json_answer(400, {"status": "error", "message": problem})
        if not self._covers(zone, endpoint):
            return refusal_by_plan(zone, endpoint)
        body = self._body(zone, endpoint, request.query)
        if body is None:
            return json_answer(404, {"status": "error", "message": "No data for this hour"})
        return spoilt(body, fault, self.zones)

    def _zones_answer(self, request: Request, *, is_known: bool) -> Answer:
        fault = self._fault("*", "zones")
        listed = {zone: self._zone(zone, is_known=is_known) for zone in self.zones}
        return refusal(fault, "*", "zones", request) or spoilt(listed, fault, self.zones)

    def _fault(self, zone: str, endpoint: str) -> Fault | None:
        keys = [(zone, endpoint)] if endpoint == "zones" else []
        keys = keys or [(zone, endpoint), (zone, "*"), ("*", endpoint), ("*", "*")]
        for fault in (fault for key in keys for fault in self._faults.get(key, [])):
            if fault.times == 0:
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None

    def _covers(self, zone: str, endpoint: str) -> bool:
        access = self.access_of.get(zone, self.access)
        return access is None or "*" in access or f"carbon-intensity/{endpoint}" in access

    def _bad_query(self, zone: str, endpoint: str, query: Mapping[str, str]) -> str:
        if zone not in self.zones:
            return f'Zone "{zone}" does not exist'
        if query.get("emissionFactorType", "lifecycle") not in ("lifecycle", "direct"):
            return "Invalid emissionFactorType"
        if endpoint == "forecast" and query.get("horizonHours", "24") not in ("6", "24", "48", "72"):
            return "Invalid horizonHours"
        if endpoint == "past":
            return _bad_times(query, "datetime")
        return _bad_range(query) if endpoint == "past-range" else ""

    def _body(self, zone: str, endpoint: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        running = self._now().replace(minute=0, second=0, microsecond=0)
        common: dict[str, Any] = {"zone": zone, "temporalGranularity": "hourly"}
        if endpoint == "latest":
            return self._row(zone, running, query) | common
        if endpoint == "past":
            hour = _moment(query["datetime"]).replace(minute=0, second=0)
            if (zone, hour) in self.lacking:
                return None
            found = self._row(zone, hour, query)
            return {"zone": zone, "data": [found]} if self.past_in_list else found | common
        if endpoint == "history":
            return common | {"history": self._rows(zone, running - 23 * HOUR, 24, query)}
        if endpoint == "past-range":
            start, end = _moment(query["start"]), _moment(query["end"])
            hours = (end - start) // HOUR + 1  # the end counts in, as for some clients
            return common | {"data": self._rows(zone, start, hours, query)}
        hours = int(query.get("horizonHours", "24")) + 1
        ahead = [
            {"carbonIntensity": self._value(zone, hour, query), "datetime": text(hour)}
            for hour in (running + lead * HOUR for lead in range(hours))
        ]
        return common | {"forecast": ahead, "updatedAt": text(self._now())}

    def _rows(self, zone: str, start: datetime, hours: int, query: Mapping[str, str]) -> list[dict[str, Any]]:
        every = (start + lead * HOUR for lead in range(hours))
        return [self._row(zone, hour, query) for hour in every if (zone, hour) not in self.lacking]

    def _row(self, zone: str, hour: datetime, query: Mapping[str, str]) -> dict[str, Any]:
        given = self._given_as_estimate[zone, hour]
        is_revised = self.revised_after is not None and given >= self.revised_after
        is_estimated = self._now() - hour < _ESTIMATED_FOR and not is_revised
        self._given_as_estimate[zone, hour] += int(is_estimated)
        value = self._value(zone, hour, query)
        return row(
            *(zone, hour),
            value if value is None or not is_estimated else value * self.estimate_factor,
            factor_type=query.get("emissionFactorType", "lifecycle"),
            flow_traced=query.get("flowTraced", "true") == "true",
            is_estimated=is_estimated,
            updated_at=self._now(),
        )

    def _value(self, zone: str, hour: datetime, query: Mapping[str, str]) -> float | None:
        value = self.intensity(zone, hour)
        share = DIRECT_SHARE if query.get("emissionFactorType") == "direct" else 1.0
        share *= PRODUCTION_SHARE if query.get("flowTraced") == "false" else 1.0
        return None if value is None else value * share

    def _now(self) -> datetime:
        return datetime.now(UTC) if self.now_utc is None else self.now_utc.astimezone(UTC)

    def _zone(self, zone: str, *, is_known: bool) -> dict[str, Any]:
        listed: dict[str, Any] = {
            "zoneName": zone,
            "zoneKey": zone,
            "countryCode": zone[:2],
            "zoneParentKey": None,
            "subZoneKeys": [],
            "isCommerciallyAvailable": zone not in self.not_for_sale,
            "tier": "TIER_A",
        }
        access = self.access_of.get(zone, self.access)
        return listed if access is None or not is_known else listed | {"access": list(access)}


def _moment(given: str) -> datetime:
    return datetime.strptime(given, _TIME).replace(tzinfo=UTC)


def _bad_times(query: Mapping[str, str], *names: str) -> str:
    for name in names:
        try:
            _moment(query.get(name, ""))
        except ValueError:
            return f'Missing or invalid date parameter "{name}"'
    return ""


def _bad_range(query: Mapping[str, str]) -> str:
    problem = _bad_times(query, "start", "end")
    if problem:
        return problem
    is_short = timedelta() < _moment(query["end"]) - _moment(query["start"]) <= _LONGEST_RANGE
    return "" if is_short else "The range must be of 10 days at most"
