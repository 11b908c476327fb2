"""Ways in which the Electricity Maps server may misbehave."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from tests.grid_server.loopback import HANG, Answer, Request, json_answer
from tests.grid_server.rows import finer

Misbehaviour = Literal[
    "bad_token",
    "plan",
    "plan_old",
    "plan_endpoint",
    "forbidden",
    "throttle",
    "throttle_401",
    "server_error",
    "busy",
    "no_data",
    "nulls",
    "wrong_zone",
    "wrong_factor",
    "not_flow_traced",
    "truncated",
    "broken_off",
    "html",
    "sandbox",
    "absurd",
    "hang",
    "slow",
    "empty",
    "nothing",
    "holes",
    "quarters",
    "five_minutes",
    "daily",
    "echo_token",
]

FAULTS: dict[Misbehaviour, str] = {
    "bad_token": "401, as for a wrong token",
    "plan": "401, as for a zone or endpoint outside the plan",
    "plan_old": "401 with an older text for a zone outside the plan",
    "plan_endpoint": "401 with an older text for an endpoint outside the plan",
    "forbidden": "403",
    "throttle": "429, with Retry-After where given",
    "throttle_401": "401 that says nothing of token or plan, as the service does when it throttles",
    "server_error": "500 with a page of HTML, with Retry-After where given",
    "busy": "503, with Retry-After where given",
    "no_data": "404",
    "nulls": "every intensity null",
    "wrong_zone": "another zone's data",
    "wrong_factor": "rows of another emission factor type",
    "not_flow_traced": "rows of the other basis",
    "truncated": "half of the JSON, its length declared as such",
    "broken_off": "half of the JSON, then the connection closes",
    "html": "200 with a page of HTML",
    "sandbox": "what a sandbox token gets",
    "absurd": "an intensity of 1e6",
    "hang": "no answer until the server closes",
    "slow": "a body that comes at 50 KB/s",
    "empty": "a list without rows",
    "nothing": "200 with no body at all",
    "holes": "every third row left out",
    "quarters": "rows of 15 minutes",
    "five_minutes": "rows of 5 minutes",
    "daily": "rows that say they are of a day",
    "echo_token": "400 that repeats the token in its message",
}
"""Every misbehaviour and what it does."""

assert tuple(FAULTS) == get_args(Misbehaviour)

SLOW_BYTES_PER_S = 50_000
_HTML = b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"


@dataclass
class Fault:
    """A misbehaviour, and how often it is still to happen: for ever where ``times`` is None."""

    how: Misbehaviour
    times: int | None = None
    retry_after: str | None = None


def refusal_by_plan(zone: str, endpoint: str) -> Answer:
    """401 as version 4 words it for a zone or endpoint outside the plan."""
    refused = f"Request unauthorized for zoneKey={zone},requestType={endpoint},dataType=carbon-intensity."
    denied = "You do not have access to this specific endpoint for this specific zone."
    return json_answer(401, {"error": refused, "message": denied})


def refusal(fault: Fault | None, zone: str, endpoint: str, request: Request) -> Answer | None:
    """The answer where misbehaving is answering with something other than data."""
    if fault is None:
        return None
    wait = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
    echo = f"bad header auth-token: {request.headers.get('auth-token')}"
    answers: Mapping[str, Answer] = {
        "bad_token": BAD_TOKEN,
        "plan": refusal_by_plan(zone, endpoint),
        "plan_old": json_answer(401, {"error": f"Token unauthorized for zoneKey={zone}"}),
        "plan_endpoint": json_answer(401, {"error": "Endpoint not available"}),
        "forbidden": json_answer(403, {"message": "Access denied"}),
        "throttle": json_answer(429, {"message": "Too many requests"}, wait),
        "throttle_401": json_answer(401, {"error": "Unauthorized"}, wait),
        "server_error": Answer(500, _HTML, wait, "text/html"),
        "busy": json_answer(503, {"message": "Service Unavailable"}, wait),
        "no_data": json_answer(404, {"status": "error", "message": "No recent data for zone"}),
        "html": Answer(200, _HTML, content_type="text/html"),
        "nothing": Answer(200),
        "hang": HANG,
        "echo_token": json_answer(400, {"message": echo}),
    }
    return answers.get(fault.how)


BAD_TOKEN = json_answer(401, {"error": "Invalid auth-token"})
"""As the service words it for a token that it does not know, and for none at all."""


def spoilt(body: dict[str, Any], fault: Fault | None, zones: Sequence[str]) -> Answer:
    """The answer with data, damaged as told."""
    how = fault.how if fault else ""
    rows = next((body[name] for name in ("history", "forecast", "data") if name in body), [body])
    for row in rows:
        changes = _changes(how, row)
        row.update({name: value for name, value in changes.items() if name in row})
    change = _CHANGES_OF_BODIES.get(how)
    if change is not None:
        change(body, rows, zones)
    answer = json_answer(200, body)
    half = len(answer.body) // 2
    if how == "truncated":
        return Answer(200, answer.body[:half])
    if how == "broken_off":
        return replace(answer, cut_at=half)
    return replace(answer, bytes_per_s=SLOW_BYTES_PER_S) if how == "slow" else answer


def _changes(how: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What of a row is another."""
    other_type = "direct" if row.get("emissionFactorType") == "lifecycle" else "lifecycle"
    changes: dict[str, dict[str, Any]] = {
        "nulls": {"carbonIntensity": None},
        "absurd": {"carbonIntensity": 1e6},
        "wrong_factor": {"emissionFactorType": other_type},
        "not_flow_traced": {"flowTraced": row.get("flowTraced") is False},
        "sandbox": {"estimationMethod": "SANDBOX_MODE_DATA", "isEstimated": True},
    }
    return changes.get(how, {})


_Rows = list[dict[str, Any]]


def _say_sandbox(body: dict[str, Any], _rows: _Rows, _zones: Sequence[str]) -> None:
    body["_disclaimer"] = "This data is in SANDBOX MODE and is not real"


def _name_another_zone(body: dict[str, Any], _rows: _Rows, zones: Sequence[str]) -> None:
    body["zone"] = next((zone for zone in zones if zone != body.get("zone")), "FR")


def _make_finer(granularity: str) -> Callable[[dict[str, Any], _Rows, Sequence[str]], None]:
    def change(body: dict[str, Any], rows: _Rows, _zones: Sequence[str]) -> None:
        body["temporalGranularity"] = granularity
        if rows[:1] != [body]:  # a bare row is the first part of its hour
            rows[:] = finer(rows, granularity)

    return change


_CHANGES_OF_BODIES: dict[str, Callable[[dict[str, Any], _Rows, Sequence[str]], None]] = {
    "sandbox": _say_sandbox,
    "wrong_zone": _name_another_zone,
    "empty": lambda _body, rows, _zones: rows.clear(),
    "holes": lambda _body, rows, _zones: rows.__delitem__(slice(None, None, 3)),
    "quarters": _make_finer("15_minutes"),
    "five_minutes": _make_finer("5_minutes"),
    "daily": lambda body, _rows, _zones: body.update(temporalGranularity="daily"),
}
