"""The grid of a night under every fault of the service: what is kept, what is asked, and what is said to be missing."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, get_args

import pyarrow.compute as pc
import pytest

from opencarbon.pipeline.grid import pull_grid
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.past_hours import GridPull, pull_past_grid
from opencarbon.settings import load_settings
from opencarbon.sources.electricity_maps.past import Span
from opencarbon.sources.places import Place
from opencarbon.sources.store.intensities import read_as_of
from opencarbon.tables.events import Event
from tests.grid_server import FAULTS, HOUR, TOKEN, ElectricityMapsServer, Misbehaviour
from tests.live.leaks import places_of
from tests.live.nights import ACCESS

AS_OF = datetime(2026, 11, 20, 22, tzinfo=UTC)
ZONES = ("AT", "BE", "CH", "DE", "ES")
FAULTY = "CH"
HORIZON = 73
HISTORY = 24

EXPECTED: dict[Misbehaviour, tuple[str | None, str, int]] = {
    "bad_token": ("rate_limit", "the token worked before", 0),
    "plan": ("plan", "You do not have access", 0),
    "plan_old": ("plan", "Token unauthorized for zoneKey=CH", 0),
    "plan_endpoint": ("plan", "Endpoint not available", 0),
    "forbidden": ("auth", "Access denied", 0),
    "throttle": ("rate_limit", "429: Too many requests", 0),
    "throttle_401": ("rate_limit", "this is throttling", 0),
    "server_error": ("unavailable", "answered 500", 0),
    "busy": ("unavailable", "answered 503", 0),
    "no_data": ("no_data", "the service has no data for this zone", 0),
    "nulls": ("null_intensity", "73 of 73 hours have no value", HORIZON + HISTORY),
    "wrong_zone": ("shape", "asked for CH, answered for 'AT'", 0),
    "wrong_factor": ("shape", "asked for lifecycle", HORIZON),
    "not_flow_traced": ("shape", "not flow-traced", HORIZON),
    "truncated": ("shape", "EOF while parsing", 0),
    "broken_off": ("unavailable", "broke off", 0),
    "html": ("shape", "Invalid JSON", 0),
    "sandbox": ("plan", "made-up data of a sandbox token", 0),
    "absurd": ("shape", "less than or equal to 2000", 0),
    "hang": ("unavailable", "did not answer within 0.3 s", 0),
    "slow": (None, "", HORIZON + HISTORY),
    "empty": ("no_data", "the answer holds no hours", 1),
    "nothing": ("shape", "EOF while parsing", 0),
    "holes": ("short_forecast", "7 of 22 hours are not in the answer", 48 + 16),
    "quarters": (None, "", HORIZON + HISTORY),
    "five_minutes": (None, "", HORIZON + HISTORY),
    "daily": ("shape", "'daily' is not hourly or finer", 0),
    "echo_token": ("source_error", "auth-token: ***", 0),
}
"""Fault to the code of the event of its zone, words of it, and rows that are kept of the zone."""


def intensity(zone: str, hour_start_utc: datetime) -> float:
    """Made up; differs by zone and hour."""
    return 100.0 * (1 + ZONES.index(zone)) + hour_start_utc.hour


@pytest.fixture
def server() -> Iterator[ElectricityMapsServer]:
    now_utc = AS_OF + timedelta(minutes=12)
    with ElectricityMapsServer(intensity, zones=ZONES, now_utc=now_utc, access=ACCESS) as made:
        yield made


def night(server: ElectricityMapsServer, folder: Path, **changed: Any) -> list[Event]:
    """Pull the grid of a night into the store, as its second step does."""
    options = {"base_url": server.base_url, "token": TOKEN, "requests_per_minute": 60_000} | changed
    settings = load_settings(
        arguments={
            "electricity_maps": options,
            "http": {"timeout_s": 0.3, "attempts": 1},
            "store": {"root": str(folder / "store")},
        }
    )
    now_utc = AS_OF + timedelta(minutes=12)
    return pull_grid(Night(settings, (), AS_OF, now_utc, str(folder), Place.of(folder)), ZONES).events


def kept(folder: Path, zone: str) -> int:
    """Rows of a zone in the store, each checked to be what the server said."""
    table, events = read_as_of(str(folder / "store"), AS_OF, zones=[zone])
    assert events == []
    for row in table.filter(pc.is_valid(table["carbon_intensity_gco2e_per_kwh"])).to_pylist():
        expected = intensity(zone, row["hour_start_utc"])
        assert row["carbon_intensity_gco2e_per_kwh"] == pytest.approx(expected, rel=1e-12)
    return table.num_rows


def test_every_fault_of_the_server_is_tried() -> None:
    assert tuple(EXPECTED) == tuple(FAULTS) == get_args(Misbehaviour)


@pytest.mark.parametrize("how", EXPECTED)
def test_under_a_fault_the_rest_is_kept_nothing_is_asked_twice_and_what_is_missing_is_said(
    server: ElectricityMapsServer, tmp_path: Path, how: Misbehaviour
) -> None:
    code, words, rows = EXPECTED[how]
    most = 1 + 2 * len(ZONES) + 1  # the rights, a forecast and a history each, and one to stand in
    server.misbehave(FAULTY, how)

    events = night(server, tmp_path, requests_per_night=most)

    others = set(ZONES) - {FAULTY}
    assert {zone: kept(tmp_path, zone) for zone in others} == dict.fromkeys(others, HORIZON + HISTORY)
    assert kept(tmp_path, FAULTY) == rows
    asked = Counter((request.path, *sorted(request.query.items())) for request in server.requests)
    assert set(asked.values()) == {1}
    assert len(server.requests) <= most
    assert [(event.subject, event.code) for event in events] == ([] if code is None else [(FAULTY, code)])
    assert words in "".join(event.detail for event in events)
    texts = [event.detail for event in events]
    assert places_of(TOKEN, texts=texts, folders=[tmp_path / "store"]) == []


@pytest.mark.parametrize("how", ["throttle", "throttle_401", "busy", "server_error"])
def test_a_fault_from_the_middle_of_a_night_on_keeps_what_came_before_and_names_all_others(
    server: ElectricityMapsServer, tmp_path: Path, how: Misbehaviour
) -> None:
    for zone in ZONES[2:]:
        server.misbehave(zone, how)
    events = night(server, tmp_path, concurrency=1)
    assert [kept(tmp_path, zone) for zone in ZONES] == [HORIZON + HISTORY] * 2 + [0] * 3
    assert [event.subject for event in events] == list(ZONES[2:])
    asked = Counter((request.path, *sorted(request.query.items())) for request in server.requests)
    assert set(asked.values()) == {1}


def test_a_budget_for_half_of_the_zones_keeps_them_and_names_the_others(
    server: ElectricityMapsServer, tmp_path: Path
) -> None:
    events = night(server, tmp_path, requests_per_night=1 + 2 * 2 + 1, concurrency=1)
    assert len(server.requests) == 6
    assert [kept(tmp_path, zone) for zone in ZONES] == [HORIZON + HISTORY] * 2 + [HORIZON] + [0] * 2
    assert [(event.subject, event.code) for event in events] == [(zone, "budget") for zone in ZONES[2:]]
    assert "the 6 requests of this run are spent" in events[-1].detail


class CountingServer(ElectricityMapsServer):
    """Knows how many requests were under way at once: from when one came until its answer is begun."""

    def __init__(self) -> None:
        now_utc = AS_OF + timedelta(minutes=12)
        super().__init__(intensity, zones=ZONES, now_utc=now_utc, access=ACCESS)
        self.counting = threading.Lock()
        self.under_way = self.most = 0

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Take a while before the answer, so that requests meet."""
        with self.counting:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(0.05)
        with self.counting:
            self.under_way -= 1
        super().handle(handler)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_no_more_requests_are_under_way_than_the_settings_allow(tmp_path: Path, concurrency: int) -> None:
    with CountingServer() as server:
        night(server, tmp_path, concurrency=concurrency)
    assert server.most == concurrency


def test_a_plan_with_ranges_refreshes_ten_days_and_the_newest_fetch_wins(
    server: ElectricityMapsServer, tmp_path: Path
) -> None:
    server.access = ("*",)
    server.estimate_factor = 1.5
    night(server, tmp_path)
    table, _ = read_as_of(str(tmp_path / "store"), AS_OF, zones=["AT"])
    measured = table.filter(pc.field("intensity_kind") == "measured")
    assert measured.num_rows == 240
    assert set(table["accounting_basis"].to_pylist()) == {"flow_traced"}
    by_hour = {row["hour_start_utc"]: row for row in measured.to_pylist()}
    last = by_hour[AS_OF - HOUR]
    assert (last["is_estimated"], last["carbon_intensity_gco2e_per_kwh"]) == (True, 1.5 * 121.0)


def test_rights_are_probed_by_the_first_night_of_a_day(server: ElectricityMapsServer, tmp_path: Path) -> None:
    server.access_of["BE"] = []
    for _ in range(2):
        events = night(server, tmp_path)
        assert [(event.subject, event.code) for event in events] == [("BE", "plan")]
    assert [request.path for request in server.requests].count("/v4/zones") == 1
    assert server.asked("BE") == []


def pull_past(server: ElectricityMapsServer, folder: Path, **changed: Any) -> GridPull:
    """Pull a month of three zones into the store."""
    options = {
        "base_url": server.base_url,
        "token": TOKEN,
        "requests_per_minute": 60_000,
        "concurrency": 1,
    }
    settings = load_settings(
        arguments={"electricity_maps": options | changed, "store": {"root": str(folder / "store")}}
    )
    span = Span(AS_OF - timedelta(days=32), AS_OF - timedelta(days=2))
    return pull_past_grid(settings, ZONES[:3], span, clock=lambda: AS_OF + timedelta(minutes=30))


def test_a_pull_of_past_hours_ends_with_its_budget_and_goes_on_from_there(
    server: ElectricityMapsServer, tmp_path: Path
) -> None:
    server.access = ("*",)
    first = pull_past(server, tmp_path, requests_per_night=4)
    assert (len(server.requests), first.is_stopped, first.missing_hours) == (4, True, 5 * 240)
    assert {(event.subject, event.code) for event in first.events} == {("BE", "budget"), ("CH", "budget")}
    second = pull_past(server, tmp_path)
    assert (len(server.requests), second.is_stopped, second.missing_hours) == (9, False, 0)
    asked = Counter((request.query["zone"], request.query["start"]) for request in server.requests)
    assert set(asked.values()) == {1}
    stored, _ = read_as_of(str(tmp_path / "store"), AS_OF + HOUR)
    assert stored.num_rows == 3 * 720


def test_a_pull_of_past_hours_asks_for_no_zone_of_which_a_night_found_that_the_plan_does_not_cover_it(
    server: ElectricityMapsServer, tmp_path: Path
) -> None:
    server.access, server.access_of = ("*",), {"BE": ACCESS}
    night(server, tmp_path)
    server.requests.clear()
    pulled = pull_past(server, tmp_path)
    assert [len(server.asked(zone)) for zone in ZONES[:3]] == [3, 0, 3]
    assert [(event.subject, event.code) for event in pulled.events] == [("BE", "plan")]
    assert not pulled.is_stopped
