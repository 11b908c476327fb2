"""The Electricity Maps source: bodies of version 4, and pulls from a real server on loopback that may misbehave."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opencarbon.errors import SourcePlanError, SourceShapeError
from opencarbon.sources.electricity_maps.bodies import Asked, parse_forecast, parse_history, parse_latest
from opencarbon.sources.electricity_maps.night import pull_zones
from opencarbon.sources.electricity_maps.requests import (
    fetch_forecast,
    fetch_history,
    fetch_latest,
    horizon_asked,
)
from opencarbon.sources.electricity_maps.zone import Wanted, pull_zone
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits, TokenBucket
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.grid_server import HOUR, TOKEN, ElectricityMapsServer, Misbehaviour

BODIES = Path(__file__).parent.parent / "data/electricity_maps"
FETCHED = datetime(2026, 8, 22, 17, 40, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
RUNNING = NOW.replace(minute=0)
ZONES = ("DE", "FR", "SE-SE3", "US-CAL-CISO", "NA", "NO-NO1")
FAST = HttpLimits(
    connect_s=2, read_s=1.0, total_s=5, attempts=2, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0
)
Pulled = tuple[pa.Table, list[Event]]


def intensity(zone: str, hour_start_utc: datetime) -> float:
    """A made-up curve that differs by zone and hour."""
    return 50 * (1 + ZONES.index(zone)) + hour_start_utc.hour


def body_of(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((BODIES / f"{name}.json").read_bytes())
    return body


def read(
    name: str,
    body: dict[str, Any] | bytes | None = None,
    *,
    fetched_at_utc: datetime = FETCHED,
    **asked: Any,
) -> pa.Table:
    parse = {"latest": parse_latest, "history": parse_history, "forecast": parse_forecast}[name]
    content = body if isinstance(body, bytes) else json.dumps(body or body_of(name)).encode()
    known: dict[str, Any] = {"zone": "DK-DK2", "emission_factor_type": "lifecycle"}
    return parse(content, Asked(**(known | asked)), fetched_at_utc=fetched_at_utc)


def values(table: pa.Table, name: str = "carbon_intensity_gco2e_per_kwh") -> list[Any]:
    return table[name].to_pylist()


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_history_becomes_measured_hours_and_a_null_stays_null() -> None:
    table = read("history")
    assert table.schema.equals(GRID_INTENSITY.schema(), check_metadata=True)
    assert values(table) == [251.0, None, 81.0]
    assert values(table, "hour_start_utc") == [
        datetime(2026, 8, 22, hour, tzinfo=UTC) for hour in (15, 16, 17)
    ]
    assert values(table, "is_estimated") == [False, True, True]
    assert set(values(table, "intensity_kind")) == {"measured"}
    assert set(values(table, "source_id")) == {"electricity-maps-api"}
    assert values(table, "issued_at_utc")[0] == datetime(2026, 8, 22, 17, 24, 8, 708000, tzinfo=UTC)
    assert set(values(table, "fetched_at_utc")) == {FETCHED}


def test_latest_is_one_measured_hour() -> None:
    assert read("latest").to_pylist() == [
        {
            "zone": "DK-DK2",
            "hour_start_utc": datetime(2026, 8, 22, 17, tzinfo=UTC),
            "carbon_intensity_gco2e_per_kwh": 81.0,
            "intensity_kind": "measured",
            "emission_factor_type": "lifecycle",
            "is_estimated": True,
            "issued_at_utc": datetime(2026, 8, 22, 17, 24, 8, 708000, tzinfo=UTC),
            "fetched_at_utc": FETCHED,
            "source_id": "electricity-maps-api",
            "accounting_basis": "flow_traced",
        }
    ]


def test_a_forecast_says_when_it_was_issued_and_begins_with_the_running_hour() -> None:
    table = read("forecast")
    assert values(table) == [82.0, 74.0, 69.0]
    assert values(table, "hour_start_utc")[0] == datetime(2026, 8, 22, 17, tzinfo=UTC)
    assert set(values(table, "intensity_kind")) == {"forecast"}
    assert set(values(table, "issued_at_utc")) == {datetime(2026, 8, 22, 17, 34, 24, 392000, tzinfo=UTC)}
    assert values(table, "is_estimated") == [None] * 3


def test_a_row_of_version_3_without_the_newer_fields_is_read() -> None:
    body = body_of("history")
    del body["temporalGranularity"]
    for row in body["history"]:
        for name in (
            "flowTraced",
            "emissionFactorType",
            "zone",
            "updatedAt",
            "isEstimated",
            "estimationMethod",
        ):
            del row[name]
    table = read("history", body)
    assert values(table) == [251.0, None, 81.0]
    assert values(table, "issued_at_utc") == [None] * 3
    assert values(table, "is_estimated") == [None] * 3


def test_fields_that_nobody_knows_yet_are_ignored() -> None:
    body = body_of("forecast") | {"somethingNew": {"deep": [1]}}
    assert values(read("forecast", body)) == [82.0, 74.0, 69.0]


def test_times_of_another_offset_become_utc() -> None:
    body = body_of("forecast")
    body["forecast"][0]["datetime"] = "2026-08-22T22:30:00.000+05:30"
    assert values(read("forecast", body), "hour_start_utc")[0] == datetime(2026, 8, 22, 17, tzinfo=UTC)


def test_a_naive_time_of_the_fetch_is_refused() -> None:
    with pytest.raises(ValueError, match="fetched_at_utc must carry a time zone"):
        read("latest", fetched_at_utc=datetime(2026, 8, 22, 17))


ROW_FAULTS: list[tuple[str, Any, str]] = [
    ("carbonIntensity", -1, "carbonIntensity: Input should be greater than or equal to 0, found -1"),
    ("carbonIntensity", 2000.5, "carbonIntensity: Input should be less than or equal to 2000"),
    ("carbonIntensity", float("nan"), "carbonIntensity: Input should be a finite number"),
    ("carbonIntensity", float("inf"), "carbonIntensity: Input should be a finite number"),
    ("carbonIntensity", "82", "carbonIntensity: Input should be a valid number, found '82'"),
    ("carbonIntensity", True, "carbonIntensity: Input should be a valid number, found True"),
    ("datetime", "2026-08-22T17:00:00", "datetime: Input should have timezone info"),
    ("datetime", 1787418000, "datetime: Input should be a valid datetime"),
    (
        "datetime",
        "2026-08-22T17:20:00.000Z",
        "datetime: 2026-08-22T17:20:00+00:00 is not the start of a slot",
    ),
    ("datetime", "yesterday", "datetime: Input should be a valid datetime"),
    ("datetime", None, "datetime: Input should be a valid datetime"),
]


@pytest.mark.parametrize("name", ["latest", "history", "forecast"])
@pytest.mark.parametrize(("field", "value", "words"), ROW_FAULTS)
def test_a_bad_value_is_an_error_that_names_field_and_value(
    name: str, field: str, value: Any, words: str
) -> None:
    body = body_of(name)
    row = body if name == "latest" else body[name][0]
    row[field] = value
    with pytest.raises(SourceShapeError) as caught:
        read(name, body)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["latest", "history", "forecast"])
@pytest.mark.parametrize("field", ["carbonIntensity", "datetime"])
def test_a_missing_field_of_a_row_is_an_error_that_names_it(name: str, field: str) -> None:
    body = body_of(name)
    del (body if name == "latest" else body[name][0])[field]
    with pytest.raises(SourceShapeError, match=f"{field}: Field required"):
        read(name, body)


@pytest.mark.parametrize(
    ("name", "field"),
    [("history", "zone"), ("history", "history"), ("forecast", "forecast"), ("forecast", "updatedAt")],
)
def test_a_missing_field_of_a_body_is_an_error_that_names_it(name: str, field: str) -> None:
    body = body_of(name)
    del body[field]
    with pytest.raises(SourceShapeError, match=f"^{field}: Field required"):
        read(name, body)


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"<html>", b'{"zone": "DK-', b"\xff\xfe", b"[" * 9999]
)
@pytest.mark.parametrize("name", ["latest", "history", "forecast"])
def test_a_body_that_is_no_such_object_is_a_shape_error(name: str, content: bytes) -> None:
    with pytest.raises(SourceShapeError, match="body: "):
        read(name, content)


def test_many_faults_are_counted_and_a_few_shown() -> None:
    body = body_of("forecast")
    body["forecast"] = [{"carbonIntensity": "x" * 500, "datetime": ""} for _ in range(50)]
    with pytest.raises(SourceShapeError, match="and 97 more") as caught:
        read("forecast", body)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["latest", "history", "forecast"])
def test_the_answer_for_another_zone_is_refused(name: str) -> None:
    with pytest.raises(SourceShapeError, match="zone: asked for DE, answered for 'DK-DK2'"):
        read(name, zone="DE")


def test_a_row_of_another_zone_is_refused() -> None:
    body = body_of("history")
    body["history"][1]["zone"] = "DK-DK1"
    with pytest.raises(
        SourceShapeError, match=r"zone: asked for DK-DK2, 2026-08-22T16:00:00.* is for 'DK-DK1'"
    ):
        read("history", body)


@pytest.mark.parametrize("name", ["latest", "history"])
def test_rows_of_another_emission_factor_type_are_refused(name: str) -> None:
    with pytest.raises(SourceShapeError, match=r"emissionFactorType: asked for direct, .* is 'lifecycle'"):
        read(name, emission_factor_type="direct")


@pytest.mark.parametrize("name", ["latest", "history"])
def test_rows_that_are_not_flow_traced_are_refused(name: str) -> None:
    body = body_of(name)
    (body if name == "latest" else body["history"][1])["flowTraced"] = False
    with pytest.raises(SourceShapeError, match=r"flowTraced: .* is not flow-traced"):
        read(name, body)


def test_an_hour_that_stands_twice_is_refused() -> None:
    body = body_of("forecast")
    body["forecast"].append(body["forecast"][0])
    with pytest.raises(SourceShapeError, match=r"datetime: 2026-08-22T17:00:00.* stands twice"):
        read("forecast", body)


def test_rows_out_of_order_come_back_by_hour() -> None:
    body = body_of("forecast")
    body["forecast"].reverse()
    assert values(read("forecast", body)) == [82.0, 74.0, 69.0]


def finer(granularity: str, minutes: int, given: list[float | None]) -> dict[str, Any]:
    start = datetime(2026, 8, 22, 17, tzinfo=UTC)
    row = body_of("history")["history"][0]
    rows = [
        row | {"carbonIntensity": value, "datetime": (start + place * timedelta(minutes=minutes)).isoformat()}
        for place, value in enumerate(given)
    ]
    return body_of("history") | {"history": rows, "temporalGranularity": granularity}


def test_quarters_of_an_hour_are_averaged() -> None:
    table = read("history", finer("15_minutes", 15, [10, 20, 30, 60, 7, 7, 7, 7]))
    assert values(table) == [30.0, 7.0]
    assert values(table, "is_estimated") == [False, False]


def test_an_hour_with_some_of_its_slots_is_an_estimate_and_without_any_is_null() -> None:
    table = read("history", finer("5_minutes", 5, [10, 20, *[None] * 10, *[None] * 12, 8]))
    assert values(table) == [15.0, None, 8.0]
    assert values(table, "is_estimated") == [True, False, True]


@pytest.mark.parametrize("granularity", ["daily", "monthly", ""])
def test_coarser_data_are_refused(granularity: str) -> None:
    body = body_of("history") | {"temporalGranularity": granularity}
    with pytest.raises(SourceShapeError, match=r"temporalGranularity: .* is not hourly or finer"):
        read("history", body)


def sandbox_bodies() -> list[tuple[str, dict[str, Any]]]:
    said = {"_disclaimer": "This data is in SANDBOX MODE. It is not real."}
    marked = body_of("history")
    marked["history"][2]["estimationMethod"] = "SANDBOX_MODE_DATA"
    return [
        ("latest", body_of("latest") | said),
        ("history", body_of("history") | said),
        ("forecast", body_of("forecast") | said),
        ("history", marked),
    ]


@pytest.mark.parametrize(("name", "body"), sandbox_bodies())
def test_sandbox_data_are_refused(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(SourcePlanError, match="made-up data of a sandbox token"):
        read(name, body)


@pytest.mark.parametrize(("name", "body"), sandbox_bodies())
def test_sandbox_data_are_marked_where_they_are_allowed(name: str, body: dict[str, Any]) -> None:
    table = read(name, body, allow_sandbox=True)
    assert set(values(table, "is_estimated")) == {True}
    assert set(values(table, "source_id")) == {"electricity-maps-sandbox"}


# --- requests --------------------------------------------------------------------------------------------------------


@contextmanager
def service(token: str = TOKEN) -> Iterator[tuple[ElectricityMapsServer, Client]]:
    with (
        ElectricityMapsServer(intensity, zones=ZONES, now_utc=NOW) as server,
        Client(server.base_url, token=token, limits=FAST, bucket=TokenBucket(60_000, burst=100)) as client,
    ):
        yield server, client


def test_every_request_says_zone_factor_type_granularity_and_no_caller_lookup() -> None:
    with service() as (server, client):
        fetch_latest(client, Asked("NA", "direct"))
        fetch_history(client, Asked("NA", "direct"))
        fetch_forecast(client, Asked("NA", "direct"), horizon_hours=30)
    common = {
        "zone": "NA",
        "emissionFactorType": "direct",
        "flowTraced": "true",
        "temporalGranularity": "hourly",
        "disableCallerLookup": "true",
    }
    assert [request.path for request in server.requests] == [
        f"/v4/carbon-intensity/{endpoint}" for endpoint in ("latest", "history", "forecast")
    ]
    assert [request.query for request in server.requests] == [common, common, common | {"horizonHours": "48"}]


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [(1, 6), (6, 6), (7, 24), (24, 24), (25, 48), (48, 48), (49, 72), (72, 72), (240, 72)],
)
def test_the_smallest_horizon_that_holds_the_hours_is_asked(wanted: int, asked: int) -> None:
    assert horizon_asked(wanted) == asked


def wanted(**changed: Any) -> Wanted:
    known: dict[str, Any] = {
        "horizon_hours": 24,
        "emission_factor_type": "lifecycle",
        "fetched_at_utc": NOW,
    }
    return Wanted(**(known | changed))


def pull(client: Client, zones: tuple[str, ...] = ZONES, **changed: Any) -> Pulled:
    return pull_zones(client, zones, wanted(**changed))


def pull_one(client: Client, zone: str = "DE", **changed: Any) -> Pulled:
    return pull_zone(client, zone, wanted(**changed))


def of_zone(table: pa.Table, zone: str, kind: str) -> pa.Table:
    return table.filter((pc.field("zone") == zone) & (pc.field("intensity_kind") == kind))


def codes(events: list[Event]) -> set[tuple[str | None, str]]:
    return {(event.subject, event.code) for event in events}


def test_a_pull_brings_history_and_forecast_of_every_zone() -> None:
    with service() as (_, client):
        table, events = pull(client)
    assert events == []
    assert table.num_rows == len(ZONES) * (24 + 25)
    for zone in ZONES:
        past, ahead = of_zone(table, zone, "measured"), of_zone(table, zone, "forecast")
        assert values(past, "hour_start_utc") == [RUNNING + lag * HOUR for lag in range(-23, 1)]
        assert values(ahead, "hour_start_utc") == [RUNNING + lead * HOUR for lead in range(25)]
        assert values(ahead) == [intensity(zone, hour) for hour in values(ahead, "hour_start_utc")]
    assert values(of_zone(table, "DE", "measured"), "is_estimated") == [False] * 22 + [True] * 2


def test_a_pull_keeps_the_order_of_the_zones_and_asks_each_once() -> None:
    with service() as (server, client):
        table, _ = pull(client, ("NA", "DE", "NA", "FR"))
    assert pc.unique(table["zone"]).to_pylist() == ["NA", "DE", "FR"]
    assert server.asked("NA") == ["forecast", "history"]


def test_a_pull_of_no_zones_is_an_empty_table() -> None:
    with service() as (server, client):
        table, events = pull(client, ())
    assert (table.num_rows, events, server.requests) == (0, [], [])
    assert table.schema.equals(GRID_INTENSITY.schema())


def test_direct_factors_are_asked_for_and_said_in_every_row() -> None:
    with service() as (_, client):
        table, events = pull_one(client, emission_factor_type="direct")
    assert events == []
    assert set(values(table, "emission_factor_type")) == {"direct"}
    hours = values(table, "hour_start_utc")
    assert values(table) == [pytest.approx(0.8 * intensity("DE", hour)) for hour in hours]


# --- what goes wrong -------------------------------------------------------------------------------------------------

FAILURES: list[tuple[Misbehaviour, str, str]] = [
    ("plan", "plan", "You do not have access"),
    ("forbidden", "auth", "Access denied"),
    ("bad_token", "rate_limit", "answered 401: Invalid auth-token (the token worked before"),
    ("throttle", "rate_limit", "answered 429: Too many requests"),
    ("server_error", "unavailable", "answered 500"),
    ("no_data", "no_data", "the service has no data for this zone"),
    ("wrong_zone", "shape", "zone: asked for FR, answered for 'DE'"),
    ("truncated", "shape", "Invalid JSON"),
    ("broken_off", "unavailable", "broke off"),
    ("html", "shape", "Invalid JSON"),
    ("sandbox", "plan", "sandbox token"),
    ("absurd", "shape", "carbonIntensity: Input should be less than or equal to 2000"),
    ("hang", "unavailable", "did not answer within 1 s"),
    ("empty", "no_data", "the answer holds no hours"),
    ("echo_token", "source_error", "answered 400: bad header auth-token: ***"),
]


@pytest.mark.parametrize(("how", "code", "words"), FAILURES)
def test_the_failure_of_one_zone_is_an_event_and_the_others_go_on(
    how: Misbehaviour, code: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), service() as (server, client):
        server.misbehave("FR", how)
        table, events = pull(client)
    assert of_zone(table, "FR", "forecast").num_rows == 0
    assert {event.code for event in events if event.subject == "FR"} >= {code}
    assert {event.subject for event in events} == {"FR"}
    assert {(event.severity, event.source) for event in events} == {("warning", "electricity_maps")}
    assert any(words in event.detail for event in events)
    for zone in set(ZONES) - {"FR"}:
        assert of_zone(table, zone, "forecast").num_rows == 25
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for text in (repr(events), str(table.to_pylist()), logged):
        assert TOKEN not in text


def test_nulls_stay_null_and_are_told() -> None:
    with service() as (server, client):
        server.misbehave("FR", "nulls")
        table, events = pull(client)
    assert values(of_zone(table, "FR", "forecast")) == [None] * 25
    assert codes(events) == {("FR", "null_intensity")}
    assert {event.detail for event in events} >= {"forecast: 25 of 25 hours have no value"}


def test_a_zone_that_the_service_does_not_know_is_an_event() -> None:
    with service() as (_, client):
        table, events = pull(client, ("DE", "XX"))
    assert set(values(table, "zone")) == {"DE"}
    assert codes(events) == {("XX", "source_error")}


def test_a_passing_failure_leaves_no_trace() -> None:
    with service() as (server, client):
        server.misbehave("DE", "throttle", times=1, retry_after="0")
        server.misbehave("FR", "server_error", times=1)
        table, events = pull(client)
    assert events == []
    assert table.num_rows == len(ZONES) * 49
    assert server.asked("DE") == ["forecast", "forecast", "history"]


def test_without_a_forecast_plan_the_history_is_kept() -> None:
    with service() as (server, client):
        server.misbehave("*", "plan", endpoint="forecast")
        table, events = pull(client)
    assert set(values(table, "intensity_kind")) == {"measured"}
    assert codes(events) == {(zone, "plan") for zone in ZONES}
    assert all(event.detail.startswith("forecast: ") for event in events)


@pytest.mark.parametrize("how", ["plan", "no_data", "empty", "truncated", "nulls"])
def test_the_running_hour_stands_in_where_the_history_lacks(how: Misbehaviour) -> None:
    with service() as (server, client):
        server.misbehave("DE", how, endpoint="history")
        table, _ = pull_one(client)
    measured = of_zone(table, "DE", "measured").filter(
        pc.is_valid(pc.field("carbon_intensity_gco2e_per_kwh"))
    )
    assert values(measured, "hour_start_utc") == [RUNNING]
    assert values(measured) == [intensity("DE", RUNNING)]
    assert server.asked("DE") == ["forecast", "history", "latest"]


def test_a_service_that_throttles_the_history_is_not_asked_for_the_running_hour() -> None:
    with service() as (server, client):
        server.misbehave("DE", "throttle", endpoint="history")
        table, events = pull_one(client)
    assert set(values(table, "intensity_kind")) == {"forecast"}
    assert codes(events) == {("DE", "rate_limit")}
    assert "latest" not in server.asked("DE")


def test_a_forecast_shorter_than_asked_is_told() -> None:
    class ShortServer(ElectricityMapsServer):
        def _body(self, zone: str, endpoint: str, query: Any) -> dict[str, Any] | None:
            return super()._body(zone, endpoint, dict(query) | {"horizonHours": "24"})

    with (
        ShortServer(intensity, zones=ZONES, now_utc=NOW) as server,
        Client(server.base_url, token=TOKEN, limits=FAST) as client,
    ):
        table, events = pull_one(client, horizon_hours=72)
    assert of_zone(table, "DE", "forecast").num_rows == 25
    assert [(event.code, event.detail) for event in events] == [
        ("short_forecast", "forecast: 25 hours given, 72 asked for")
    ]


@pytest.mark.parametrize("token", ["em-wrong-5c1f0d", ""])
def test_a_bad_token_costs_one_request_and_every_zone_is_told(token: str) -> None:
    with service(token=token) as (server, client):
        table, events = pull(client)
    assert table.num_rows == 0
    assert len(server.requests) == 1
    assert codes(events) == {(zone, "auth") for zone in ZONES}
    assert events[1].detail.startswith("not asked, after zone DE failed: forecast: ")
    assert token not in repr(events) or not token


def test_a_dead_service_is_given_up_after_five_zones() -> None:
    many = tuple(f"Z{number:02}" for number in range(30))
    with (
        ElectricityMapsServer(lambda *_: 1.0, zones=many, now_utc=NOW) as server,
        Client(server.base_url, token=TOKEN, limits=FAST, bucket=TokenBucket(60_000, burst=100)) as client,
    ):
        server.misbehave("*", "server_error")
        table, events = pull(client, many)
    assert table.num_rows == 0
    assert {zone for zone, _ in codes(events)} == set(many)
    assert {event.code for event in events} == {"unavailable"}
    assert len({request.query["zone"] for request in server.requests}) <= 5 + 4


def test_refusals_by_plan_never_stop_the_others() -> None:
    many = tuple(f"Z{number:02}" for number in range(20))
    with (
        ElectricityMapsServer(lambda *_: 1.0, zones=many, now_utc=NOW) as server,
        Client(server.base_url, token=TOKEN, limits=FAST, bucket=TokenBucket(60_000, burst=100)) as client,
    ):
        for zone in many[:-1]:
            server.misbehave(zone, "plan")
        table, _ = pull(client, many)
    assert set(values(table, "zone")) == {many[-1]}


def test_sandbox_data_are_pulled_where_they_are_allowed() -> None:
    with service() as (server, client):
        server.misbehave("*", "sandbox")
        table, events = pull_one(client, allow_sandbox=True)
    assert events == []
    assert set(values(table, "source_id")) == {"electricity-maps-sandbox"}
