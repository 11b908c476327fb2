"""Real HTTP servers on loopback: Electricity Maps v4, a server of files, and one that plays a list of answers.

Each is a context manager, listens on a free port of 127.0.0.1 and records the requests it gets. They speak HTTP/1.1
from the standard library, so nothing of the client under test is shared with them.
"""

import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

HOUR = timedelta(hours=1)
TOKEN = "em-live-3f9c1d77aa52e608"
"""The token that :class:`ElectricityMapsServer` accepts where a test names no other; made up."""

Misbehaviour = Literal[
    "bad_token",  # 401, as for a wrong token
    "plan",  # 401, as for a zone or endpoint outside the plan
    "forbidden",  # 403
    "throttle",  # 429, with Retry-After where given
    "server_error",  # 500 with a page of HTML
    "no_data",  # 404
    "nulls",  # every intensity null
    "wrong_zone",  # another zone's data
    "wrong_factor",  # rows of another emission factor type
    "not_flow_traced",  # rows with flowTraced false
    "truncated",  # half of the JSON, its length declared as such
    "broken_off",  # half of the JSON, then the connection closes
    "html",  # 200 with a page of HTML
    "sandbox",  # what a sandbox token gets
    "absurd",  # an intensity of 1e6
    "hang",  # no answer until the server closes
    "empty",  # a list without rows
    "holes",  # every third row left out
    "echo_token",  # 400 that repeats the token in its message
]


@dataclass(frozen=True)
class Request:
    """A request as the server saw it; names of headers in lower case."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer to send. ``cut_at`` closes the connection after so many bytes; ``status`` 0 never answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut_at: int | None = None


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(body).encode(), headers or {})


HANG = Answer(status=0)
"""No answer until the server closes."""


class _Server(ThreadingHTTPServer):
    """A server that takes a client which hangs up for what it is: some tests time out on purpose."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Report every failure but a connection that the client closed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typed by the stubs of sockets


class LoopbackServer:
    """An HTTP server on 127.0.0.1 that answers GET by :meth:`answer` and records every request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def port(self) -> int:
        """Port on 127.0.0.1."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        """What to send back."""
        raise NotImplementedError

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Record a request and send its answer."""
        parts = urlsplit(handler.path)
        request = Request(
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in handler.headers.items()},
        )
        with self._lock:
            self.requests.append(request)
            answer = self.answer(request)
        if answer.status == 0:
            self._closing.wait()
            handler.close_connection = True
            return
        try:
            self._send(handler, answer)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the client gave up, as some tests want

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        handler.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer.body[: answer.cut_at])
        handler.close_connection = handler.close_connection or answer.cut_at is not None


def _handler_of(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            server.handle(self)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing to stderr."""

    return Handler


class ScriptedServer(LoopbackServer):
    """Plays a list of answers, then repeats the last one."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self._answers = deque(answers)

    def answer(self, request: Request) -> Answer:
        """The next answer of the list."""
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


class FileServer(LoopbackServer):
    """Serves files from memory by path (``/models.csv``) and redirects where told; 404 for the rest."""

    _TYPES: ClassVar = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

    def __init__(self, files: Mapping[str, bytes], *, redirects: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.files = dict(files)
        self.redirects = dict(redirects or {})

    def answer(self, request: Request) -> Answer:
        """The file at the path of the request."""
        if request.path in self.redirects:
            return Answer(302, headers={"Location": self.redirects[request.path]})
        if request.path not in self.files:
            return Answer(404, b"<html>not found</html>", content_type="text/html")
        kind = self._TYPES.get(request.path.rpartition(".")[2], "application/octet-stream")
        return Answer(200, self.files[request.path], content_type=kind)


@dataclass
class _Plan:
    how: Misbehaviour
    times: int | None
    retry_after: str | None


class ElectricityMapsServer(LoopbackServer):
    """Speaks ``carbon-intensity/latest|history|forecast|past-range`` and ``zones`` of the Electricity Maps API, version 4.

    Parameters
    ----------
    intensity : callable
        ``(zone, hour_start_utc)`` to lifecycle carbon intensity [gCO2e/kWh], or None where it is not known. Direct
        emission factors give 0.8 of it.
    zones : sequence of str
        Zones it knows; others get status 400.
    now_utc : datetime
        The moment it answers at: the running hour ends the history and begins the forecast.
    token : str, optional
        The only token it accepts.

    Attributes
    ----------
    requests : list of Request
        Everything it was asked, in order of arrival.
    """

    def __init__(
        self,
        intensity: Callable[[str, datetime], float | None],
        *,
        zones: Sequence[str],
        now_utc: datetime,
        token: str = TOKEN,
    ) -> None:
        super().__init__()
        self.intensity = intensity
        self.zones = tuple(zones)
        self.now_utc = now_utc.astimezone(UTC)
        self.token = token
        self._plans: dict[tuple[str, str], _Plan] = {}

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
    ) -> None:
        """Misbehave for a zone from now on.

        Parameters
        ----------
        zone : str
            The zone, or ``*`` for every zone.
        how : str
            One of :data:`Misbehaviour`.
        endpoint : str, optional
            ``latest``, ``history``, ``forecast``, ``past-range`` or ``*``.
        times : int, optional
            Behave again after so many requests.
        retry_after : str, optional
            Header of ``throttle`` and ``server_error``.
        """
        with self._lock:
            self._plans[zone, endpoint] = _Plan(how, times, retry_after)

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
        if request.path == "/v4/zones":
            return json_answer(200, {zone: self._zone(zone) for zone in self.zones})
        prefix, _, endpoint = request.path.rpartition("/")
        if prefix != "/v4/carbon-intensity" or endpoint not in _ENDPOINTS:
            return json_answer(404, {"status": "error", "message": "Not found"})
        if request.headers.get("auth-token") != self.token:
            return json_answer(401, {"error": "Unauthorized"})
        zone = request.query.get("zone", "")
        if not zone and request.query.get("disableCallerLookup") != "true":
            zone = self.zones[0]  # the real service guesses from the caller's address
        plan = self._plan(zone, endpoint)
        refusal = _refusal(plan, zone, endpoint, request)
        if refusal is not None:
            return refusal
        problem = self._bad_query(zone, endpoint, request.query)
        if problem:
            return json_answer(400, {"status": "error", "message": problem})
        return _spoilt(self._body(zone, endpoint, request.query), plan, self.zones)

    def _plan(self, zone: str, endpoint: str) -> _Plan | None:
        for key in ((zone, endpoint), (zone, "*"), ("*", endpoint), ("*", "*")):
            plan = self._plans.get(key)
            if plan is None or plan.times == 0:
                continue
            if plan.times is not None:
                plan.times -= 1
            return plan
        return None

    def _bad_query(self, zone: str, endpoint: str, query: Mapping[str, str]) -> str:
        if zone not in self.zones:
            return f'Zone "{zone}" does not exist'
        if query.get("emissionFactorType", "lifecycle") not in ("lifecycle", "direct"):
            return "Invalid emissionFactorType"
        if endpoint == "forecast" and query.get("horizonHours", "24") not in ("6", "24", "48", "72"):
            return "Invalid horizonHours"
        return _bad_range(query) if endpoint == "past-range" else ""

    def _body(self, zone: str, endpoint: str, query: Mapping[str, str]) -> dict[str, Any]:
        factor_type = query.get("emissionFactorType", "lifecycle")
        running = self.now_utc.replace(minute=0, second=0, microsecond=0)
        if endpoint == "latest":
            return self._row(zone, running, factor_type) | {"temporalGranularity": "hourly"}
        if endpoint == "history":
            hours = [running + lag * HOUR for lag in range(-23, 1)]
            rows = [self._row(zone, hour, factor_type) for hour in hours]
            return {"zone": zone, "history": rows, "temporalGranularity": "hourly"}
        if endpoint == "past-range":
            start, end = (datetime.strptime(query[name], _RANGE_TIME) for name in ("start", "end"))
            hours = [start.replace(tzinfo=UTC) + lead * HOUR for lead in range((end - start) // HOUR + 1)]
            rows = [
                self._row(zone, hour, factor_type) for hour in hours
            ]  # the end counts in, as for some clients
            return {"zone": zone, "data": rows, "temporalGranularity": "hourly"}
        hours = [running + lead * HOUR for lead in range(int(query.get("horizonHours", "24")) + 1)]
        return {
            "zone": zone,
            "forecast": [
                {"carbonIntensity": self._value(zone, hour, factor_type), "datetime": _text(hour)}
                for hour in hours
            ],
            "updatedAt": _text(self.now_utc),
            "temporalGranularity": "hourly",
        }

    def _row(self, zone: str, hour: datetime, factor_type: str) -> dict[str, Any]:
        estimated = self.now_utc - hour < 2 * HOUR
        return {
            "zone": zone,
            "carbonIntensity": self._value(zone, hour, factor_type),
            "datetime": _text(hour),
            "updatedAt": _text(self.now_utc),
            "createdAt": _text(hour - 20 * HOUR),
            "emissionFactorType": factor_type,
            "flowTraced": True,
            "isEstimated": estimated,
            "estimationMethod": "FORECASTS_HIERARCHY" if estimated else None,
        }

    def _value(self, zone: str, hour: datetime, factor_type: str) -> float | None:
        value = self.intensity(zone, hour)
        return None if value is None else value * (0.8 if factor_type == "direct" else 1.0)

    def _zone(self, zone: str) -> dict[str, Any]:
        return {
            "zoneName": zone,
            "zoneKey": zone,
            "countryCode": zone[:2],
            "zoneParentKey": None,
            "subZoneKeys": [],
            "isCommerciallyAvailable": True,
            "tier": "TIER_A",
            "access": [f"carbon-intensity/{endpoint}" for endpoint in _ENDPOINTS],
        }


_ENDPOINTS = ("latest", "history", "forecast", "past-range")
_RANGE_TIME = "%Y-%m-%dT%H:%M:%SZ"


def _bad_range(query: Mapping[str, str]) -> str:
    for name in ("start", "end"):
        try:
            datetime.strptime(query.get(name, ""), _RANGE_TIME)
        except ValueError:
            return f'Missing or invalid date parameter "{name}"'
    start, end = (datetime.strptime(query[name], _RANGE_TIME) for name in ("start", "end"))
    return "" if timedelta() < end - start <= timedelta(days=10) else "The range must be of 10 days at most"


_HTML = b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"


def _refusal(plan: _Plan | None, zone: str, endpoint: str, request: Request) -> Answer | None:
    """The answer where misbehaving is answering with something other than data."""
    if plan is None:
        return None
    wait = {"Retry-After": plan.retry_after} if plan.retry_after is not None else {}
    refused = f"Request unauthorized for zoneKey={zone},requestType={endpoint},dataType=carbon-intensity."
    denied = "You do not have access to this specific endpoint for this specific zone."
    answers = {
        "bad_token": json_answer(401, {"error": "Unauthorized"}),
        "plan": json_answer(401, {"error": refused, "message": denied}),
        "forbidden": json_answer(403, {"message": "Access denied"}),
        "throttle": json_answer(429, {"message": "Too many requests"}, wait),
        "server_error": Answer(500, _HTML, wait, "text/html"),
        "no_data": json_answer(404, {"status": "error", "message": "No recent data for zone"}),
        "html": Answer(200, _HTML, content_type="text/html"),
        "hang": HANG,
        "echo_token": json_answer(
            400, {"message": f"bad header auth-token: {request.headers.get('auth-token')}"}
        ),
    }
    return answers.get(plan.how)


def _spoilt(body: dict[str, Any], plan: _Plan | None, zones: Sequence[str]) -> Answer:
    """The answer with data, damaged as told."""
    how = plan.how if plan else ""
    rows = next((body[name] for name in ("history", "forecast", "data") if name in body), [body])
    changes: dict[str, dict[str, Any]] = {
        "nulls": {"carbonIntensity": None},
        "absurd": {"carbonIntensity": 1e6},
        "wrong_factor": {"emissionFactorType": "direct"},
        "not_flow_traced": {"flowTraced": False},
        "sandbox": {"estimationMethod": "SANDBOX_MODE_DATA", "isEstimated": True},
    }
    for row in rows:
        row.update(changes.get(how, {}))
    if how == "sandbox":
        body["_disclaimer"] = "This data is in SANDBOX MODE and is not real"
    if how == "wrong_zone":
        body["zone"] = next((zone for zone in zones if zone != body["zone"]), "FR")
    if how == "empty":
        rows.clear()
    if how == "holes":
        del rows[::3]
    answer = json_answer(200, body)
    if how == "truncated":
        return Answer(200, answer.body[: len(answer.body) // 2])
    if how == "broken_off":
        return Answer(200, answer.body, cut_at=len(answer.body) // 2)
    return answer


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat(timespec="milliseconds") + "Z"
