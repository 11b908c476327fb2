"""What a night asks Electricity Maps for: past hours one by one, the basis, finer data, and no more than its budget."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opencarbon.errors import SourceShapeError
from opencarbon.sources.electricity_maps.bodies import Asked, parse_forecast, parse_past
from opencarbon.sources.electricity_maps.night import pull_zones
from opencarbon.sources.electricity_maps.zone import Wanted
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits, RequestBudget, TokenBucket
from tests.grid_server import HOUR, TOKEN, ElectricityMapsServer, Misbehaviour

NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
RUNNING = NOW.replace(minute=0)
ZONES = ("DE", "FR", "PL", "GB", "SE-SE3", "NO-NO1")
DE = ("DE",)
INTENSITY = "carbon_intensity_gco2e_per_kwh"
Pulled = tuple[pa.Table, list[tuple[str | None, str, str]]]


def intensity(zone: str, hour_start_utc: datetime) -> float:
    """Made up; differs by zone and hour."""
    return 50.0 * (1 + ZONES.index(zone)) + hour_start_utc.hour


@contextmanager
def service(*, most: int = 1000, attempts: int = 1) -> Iterator[tuple[ElectricityMapsServer, Client]]:
    limits = HttpLimits(
        connect_s=2,
        read_s=1,
        total_s=5,
        attempts=attempts,
        wait_initial_s=0.001,
        wait_max_s=0.002,
        wait_jitter_s=0,
    )
    with (
        ElectricityMapsServer(intensity, zones=ZONES, now_utc=NOW) as server,
        Client(
            server.base_url,
            token=TOKEN,
            limits=limits,
            bucket=TokenBucket(60_000, burst=100),
            budget=RequestBudget(most),
        ) as client,
    ):
        yield server, client


def pull(client: Client, zones: Sequence[str] = ZONES, workers: int = 4, **changed: Any) -> Pulled:
    known: dict[str, Any] = {
        "horizon_hours": 24,
        "emission_factor_type": "lifecycle",
        "fetched_at_utc": NOW,
    }
    table, events = pull_zones(client, zones, Wanted(**(known | changed)), workers=workers)
    return table, [(event.subject, event.code, event.detail) for event in events]


def measured(table: pa.Table, zone: str = "DE") -> dict[datetime, float | None]:
    rows = table.filter((pc.field("zone") == zone) & (pc.field("intensity_kind") == "measured"))
    return {row["hour_start_utc"]: row[INTENSITY] for row in rows.to_pylist()}


def ago(hours: int) -> datetime:
    return RUNNING - hours * HOUR


# --- past hours, one by one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_list", [False, True])
def test_hours_that_the_history_lacks_are_asked_for_one_by_one_the_newest_first(in_list: bool) -> None:
    with service() as (server, client):
        server.misbehave("DE", "holes", endpoint="history")
        server.past_in_list = in_list
        table, events = pull(client, DE)
        asked = [request.query["datetime"] for request in server.requests if "datetime" in request.query]
    # of the hours 23 to 0 ago every third is left out: 23, 20, ..., 2; the first cannot be told from one not given
    assert asked == [f"2026-11-22T{21 - lag:02}:00:00Z" for lag in (2, 5, 8)]
    assert sorted(measured(table)) == [ago(lag) for lag in range(22, -1, -1) if lag not in (20, 17, 14, 11)]
    assert measured(table)[ago(5)] == intensity("DE", ago(5))
    assert events == [("DE", "missing_hours", "history: 4 of 22 hours are not in the answer")]


def test_a_null_of_the_history_is_replaced_where_the_service_knows_the_hour_by_now() -> None:
    unknown = {ago(3), ago(7)}
    with service() as (server, client):
        server.intensity = lambda zone, hour: None if hour in unknown else intensity(zone, hour)
        plain = server.answer

        def answer(request: Any) -> Any:
            if request.path.endswith("/past"):
                unknown.discard(ago(3))
            return plain(request)

        server.answer = answer  # type: ignore[method-assign]
        table, events = pull(client, DE)
        assert server.asked("DE") == ["forecast", "history", "past", "past"]
    assert (measured(table)[ago(3)], measured(table)[ago(7)]) == (intensity("DE", ago(3)), None)
    assert len(measured(table)) == 24
    assert events == [("DE", "null_intensity", "history: 1 of 24 hours have no value")]


def test_an_hour_that_the_service_does_not_have_is_a_missing_hour_and_no_failure() -> None:
    with service() as (server, client):
        server.lacking = {("DE", ago(4))}
        table, events = pull(client, DE)
        assert server.asked("DE") == ["forecast", "history", "past"]
    assert ago(4) not in measured(table)
    assert events == [("DE", "missing_hours", "history: 1 of 23 hours are not in the answer")]


def test_a_plan_without_past_hours_is_asked_for_one_and_remembered() -> None:
    with service() as (server, client):
        server.misbehave("*", "holes", endpoint="history")
        server.misbehave("*", "plan", endpoint="past")
        _, events = pull(client, workers=1)
        asked = Counter(endpoint for zone in ZONES for endpoint in server.asked(zone))
    assert (asked["past"], asked["history"]) == (1, len(ZONES))
    assert [subject for subject, code, _ in events if code == "plan"] == ["DE"]
    assert {subject for subject, code, _ in events if code == "missing_hours"} == set(ZONES)


def test_throttling_ends_the_asking_for_past_hours() -> None:
    with service() as (server, client):
        server.misbehave("DE", "holes", endpoint="history")
        server.misbehave("DE", "throttle", endpoint="past")
        table, events = pull(client, DE)
        assert server.asked("DE") == ["forecast", "history", "past"]
    assert len(measured(table)) == 16
    assert [code for _, code, _ in events] == ["rate_limit", "missing_hours"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"zone":"FR","carbonIntensity":7,"datetime":"2026-11-22T21:00:00.000Z"}', "answered for 'FR'"),
        (b'{"data":[{"carbonIntensity":7,"datetime":"2026-11-22T21:00:00.000Z"}]}', "does not say which"),
        (
            b'{"data":[{"zone":"FR","carbonIntensity":7,"datetime":"2026-11-22T21:00:00.000Z"}]}',
            "is for 'FR'",
        ),
        (b"", "body: Invalid JSON"),
    ],
)
def test_a_past_hour_of_another_zone_or_of_none_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        past(body)


def past(body: bytes) -> pa.Table:
    return parse_past(body, Asked("DE", "lifecycle"), hour_start_utc=RUNNING, fetched_at_utc=NOW)


def test_a_past_hour_is_read_in_both_forms_and_no_other_hour_of_the_answer_is() -> None:
    row = b'{"zone":"DE","carbonIntensity":7,"datetime":"2026-11-22T%d:00:00.000Z"}'
    in_list = b'{"data":[%s,%s]}' % (row % 20, row % 21)
    assert [past(body)["hour_start_utc"].to_pylist() for body in (row % 21, in_list)] == [[RUNNING]] * 2
    assert past(row % 20).num_rows == 0


# --- the basis -------------------------------------------------------------------------------------------------------


def test_the_basis_is_said_in_every_request_and_in_every_row() -> None:
    with service() as (server, client):
        server.misbehave("DE", "holes", endpoint="history")
        server.misbehave("FR", "no_data", endpoint="history")
        table, _ = pull(client, ("DE", "FR"), flow_traced=False)
        endpoints = {request.path.rpartition("/")[2] for request in server.requests}
        assert {request.query["flowTraced"] for request in server.requests} == {"false"}
    assert endpoints == {"forecast", "history", "past", "latest"}
    assert set(table["accounting_basis"].to_pylist()) == {"production"}
    assert measured(table)[ago(1)] == 1.25 * intensity("DE", ago(1))


@pytest.mark.parametrize(("flow_traced", "words"), [(True, "is not flow-traced"), (False, "is flow-traced")])
def test_an_answer_on_the_other_basis_is_refused(flow_traced: bool, words: str) -> None:
    with service() as (server, client):
        server.misbehave("DE", "not_flow_traced", endpoint="history")
        table, events = pull(client, DE, flow_traced=flow_traced)
    assert set(measured(table)) == {RUNNING}
    assert [code for _, code, _ in events] == ["shape"]
    assert words in events[0][2]


@pytest.mark.parametrize("said", [b'"flowTraced":false', b'"emissionFactorType":"direct"'])
def test_a_forecast_that_says_another_basis_or_type_is_refused(said: bytes) -> None:
    body = b'{"zone":"DE","forecast":[],"updatedAt":"2026-11-22T21:04:00.000Z",%s}' % said
    with pytest.raises(SourceShapeError, match="the answer is"):
        parse_forecast(body, Asked("DE", "lifecycle"), fetched_at_utc=NOW)


# --- finer and coarser data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["quarters", "five_minutes"])
def test_finer_answers_are_averaged_over_the_hour(how: Misbehaviour) -> None:
    with service() as (server, client):
        server.misbehave("DE", how)
        table, events = pull(client, DE)
    assert events == []
    assert measured(table) == {ago(lag): pytest.approx(intensity("DE", ago(lag))) for lag in range(24)}
    assert table.num_rows == 24 + 25


def test_coarser_answers_are_refused() -> None:
    with service() as (server, client):
        server.misbehave("DE", "daily")
        table, events = pull(client, DE)
    assert table.num_rows == 0
    assert {code for _, code, _ in events} == {"shape"}
    assert "temporalGranularity: 'daily' is not hourly or finer" in events[0][2]


# --- revised hours ---------------------------------------------------------------------------------------------------


def test_an_estimated_hour_that_is_asked_again_may_be_another_and_final() -> None:
    with service() as (server, client):
        server.estimate_factor, server.revised_after = 1.1, 1
        first, _ = pull(client, DE)
        second, _ = pull(client, DE, fetched_at_utc=NOW + timedelta(minutes=1))
    for lag in (0, 1):
        assert measured(first)[ago(lag)] == pytest.approx(1.1 * intensity("DE", ago(lag)))
        assert measured(second)[ago(lag)] == intensity("DE", ago(lag))
    assert pc.sum(first["is_estimated"]).as_py() == 2
    assert pc.sum(second["is_estimated"]).as_py() == 0


# --- the budget ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_zones_come_in_order_until_the_budget_is_spent_and_every_zone_left_says_so(workers: int) -> None:
    with service(most=7) as (server, client):
        table, events = pull(client, workers=workers)
        assert len(server.requests) == 7
        asked = Counter((request.path, request.query["zone"]) for request in server.requests)
    assert set(asked.values()) == {1}
    assert {"DE", "FR"} <= set(table["zone"].to_pylist())
    assert table.num_rows == sum(24 if path.endswith("history") else 25 for path, _ in asked)
    whole = {zone for _, zone in asked if sum(name == zone for _, name in asked) == 2}
    assert {subject for subject, _, _ in events} == set(ZONES) - whole
    assert {code for _, code, _ in events} == {"budget"}
    assert all("the 7 requests of this run are spent" in detail for _, _, detail in events)


def test_attempts_count_against_the_budget() -> None:
    with service(most=6, attempts=3) as (server, client):
        server.misbehave("DE", "busy", times=2)
        table, events = pull(client, workers=1)
        assert len(server.requests) == 6
        assert server.asked("DE") == ["forecast"] * 3 + ["history"]
        assert server.asked("FR") == ["forecast", "history"]
    assert set(table["zone"].to_pylist()) == {"DE", "FR"}
    assert [subject for subject, code, _ in events if code == "budget"] == list(ZONES[2:])


# --- refusals that are throttling ------------------------------------------------------------------------------------


def test_a_401_in_the_middle_of_a_night_is_tried_again_and_leaves_no_trace_where_it_passes() -> None:
    with service(attempts=3) as (server, client):
        server.misbehave("FR", "throttle_401", times=2)
        table, events = pull(client)
    assert events == []
    assert table.num_rows == len(ZONES) * 49


def test_a_service_that_answers_401_from_some_zone_on_is_given_up_after_five_zones() -> None:
    with service() as (server, client):
        for zone in ZONES[1:]:
            server.misbehave(zone, "throttle_401")
        table, events = pull(client, workers=1)
    assert set(table["zone"].to_pylist()) == {"DE"}
    assert {(subject, code) for subject, code, _ in events} == {(zone, "rate_limit") for zone in ZONES[1:]}


@pytest.mark.parametrize("how", ["plan", "plan_old", "plan_endpoint"])
def test_every_text_about_the_plan_is_one_zone_s_own_and_is_not_tried_again(how: Misbehaviour) -> None:
    with service(attempts=3) as (server, client):
        server.misbehave("FR", how, endpoint="forecast")
        _, events = pull(client)
        assert server.asked("FR") == ["forecast", "history"]
    assert [(subject, code) for subject, code, _ in events] == [("FR", "plan")]
