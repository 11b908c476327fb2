"""Rights of the plan: read from ``zones``, probed once a day, and what is not asked for because of them."""

import json
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from opencarbon.errors import ConfigError, SourceShapeError
from opencarbon.sources.electricity_maps.night import pull_zones
from opencarbon.sources.electricity_maps.rights import UNKNOWN, Rights, parse_zones, rights_in_force
from opencarbon.sources.electricity_maps.zone import Wanted
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits, TokenBucket
from tests.grid_server import HOUR, TOKEN, ElectricityMapsServer, Misbehaviour
from tests.live.leaks import places_of

NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
RUNNING = NOW.replace(minute=0)
ZONES = ("DE", "FR", "PL")
LATEST, HISTORY, FORECAST, RANGE = (
    f"carbon-intensity/{name}" for name in ("latest", "history", "forecast", "past-range")
)
FAST = HttpLimits(
    connect_s=2, read_s=1.0, total_s=5, attempts=1, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0
)


@contextmanager
def service(
    access: Sequence[str] | None = ("*",), token: str = TOKEN
) -> Iterator[tuple[ElectricityMapsServer, Client]]:
    with (
        ElectricityMapsServer(
            lambda _zone, hour: 100.0 + hour.hour, zones=ZONES, now_utc=NOW, access=access
        ) as server,
        Client(server.base_url, token=token, limits=FAST, bucket=TokenBucket(60_000, burst=100)) as client,
    ):
        yield server, client


def zone(**changed: Any) -> dict[str, Any]:
    """A zone as version 4 lists it (recorded in August 2026, without names)."""
    known = {"zoneKey": "DK-DK2", "zoneParentKey": "DK", "subZoneKeys": [], "tier": "TIER_A"}
    return known | {"isCommerciallyAvailable": True, "access": [LATEST, HISTORY, FORECAST]} | changed


def rights(**zones: dict[str, Any]) -> Rights:
    return parse_zones(json.dumps(zones).encode())


# --- the answer ------------------------------------------------------------------------------------------------------


def test_endpoints_that_the_list_names_are_covered_and_no_others() -> None:
    found = rights(DE=zone())
    assert [found.covers("DE", name) for name in ("latest", "history", "forecast")] == [True] * 3
    assert [found.covers("DE", name) for name in ("past", "past-range")] == [False] * 2


def test_a_star_covers_everything_and_an_empty_list_nothing() -> None:
    found = rights(DE=zone(access=["*"]), FR=zone(access=[]))
    assert found.covers("DE", "past-range") is True
    assert found.covers("FR", "latest") is False


def test_endpoints_of_another_signal_say_nothing_of_the_carbon_intensity() -> None:
    assert rights(DE=zone(access=["power-breakdown/forecast"])).covers("DE", "forecast") is False


def test_what_is_not_said_is_unknown_but_for_zones_that_are_not_for_sale() -> None:
    without = zone()
    del without["access"]
    found = rights(DE=without, FR=without | {"access": None}, PL=without | {"isCommerciallyAvailable": False})
    assert [found.covers(name, "forecast") for name in ("DE", "FR", "PL", "XX")] == [None, None, False, None]


def test_a_list_that_covers_a_zone_counts_whether_the_zone_is_for_sale_or_not() -> None:
    assert rights(DE=zone(isCommerciallyAvailable=False)).covers("DE", "forecast") is True


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"DE": []}', b'{"DE": {"access": "*"}}'])
def test_an_answer_of_another_form_is_a_shape_error(body: bytes) -> None:
    with pytest.raises(SourceShapeError):
        parse_zones(body)


# --- once a day ------------------------------------------------------------------------------------------------------


def test_rights_are_probed_once_a_day_by_one_request_and_kept_without_the_token(tmp_path: Path) -> None:
    with service((LATEST, FORECAST)) as (server, client):
        first, events = rights_in_force(client, str(tmp_path), server.base_url, NOW)
        later = NOW + timedelta(hours=23, minutes=59)
        again, more = rights_in_force(client, str(tmp_path), server.base_url, later)
        assert [request.path for request in server.requests] == ["/v4/zones"]
        assert (events, more) == ([], [])
        assert again.zones == first.zones
        assert [first.covers("FR", name) for name in ("forecast", "history")] == [True, False]
        server.access = ("*",)
        fresh, _ = rights_in_force(client, str(tmp_path), server.base_url, NOW + timedelta(hours=24))
        assert (fresh.covers("FR", "history"), len(server.requests)) == (True, 2)
        assert places_of(TOKEN, folders=[tmp_path]) == []


def test_a_probe_of_the_future_or_of_another_service_is_not_used(tmp_path: Path) -> None:
    with service() as (server, client):
        rights_in_force(client, str(tmp_path), server.base_url, NOW)
        rights_in_force(client, str(tmp_path), server.base_url, NOW - HOUR)
        rights_in_force(client, str(tmp_path), "https://api.electricitymaps.com/v4", NOW)
        assert len(server.requests) == 3


def test_a_damaged_probe_is_made_again(tmp_path: Path) -> None:
    with service() as (server, client):
        rights_in_force(client, str(tmp_path), server.base_url, NOW)
        (kept,) = (tmp_path / "rights").rglob("*.json")
        kept.chmod(kept.stat().st_mode | stat.S_IWUSR)
        kept.write_bytes(kept.read_bytes()[:-5])
        found, events = rights_in_force(client, str(tmp_path), server.base_url, NOW + HOUR)
        assert (found.covers("DE", "past-range"), events, len(server.requests)) == (True, [], 2)


def test_rights_that_the_service_does_not_say_are_not_kept(tmp_path: Path) -> None:
    with service(None) as (server, client):
        for lead in range(2):
            found, _ = rights_in_force(client, str(tmp_path), server.base_url, NOW + lead * HOUR)
            assert found.covers("DE", "forecast") is None
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("busy", "unavailable", "answered 503"),
        ("no_data", "source_error", "does not know this endpoint"),
        ("html", "shape", "Invalid JSON"),
    ],
)
def test_a_probe_that_fails_leaves_everything_to_be_asked_for_and_says_so(
    tmp_path: Path, how: Misbehaviour, code: str, words: str
) -> None:
    with service() as (server, client):
        server.misbehave("*", how, endpoint="zones")
        found, events = rights_in_force(client, str(tmp_path), server.base_url, NOW)
    assert found is UNKNOWN
    (event,) = events
    assert (event.severity, event.source, event.code) == ("info", "electricity_maps", code)
    assert words in event.detail
    assert not (tmp_path / "rights").exists()


def test_a_store_that_cannot_be_used_costs_a_probe_and_one_of_another_format_stops_the_night(
    tmp_path: Path,
) -> None:
    root = tmp_path / "store"
    root.write_text("a file where the folder should be")
    with service() as (server, client):
        found, events = rights_in_force(client, str(root), server.base_url, NOW)
        assert found.covers("DE", "past-range") is True
        assert {(event.severity, event.source) for event in events} == {("info", "intensity_store")}
        (tmp_path / "store.json").write_text('{"format": 99}')
        with pytest.raises(ConfigError, match="format 99"):
            rights_in_force(client, str(tmp_path), server.base_url, NOW)


def test_the_list_of_350_zones_is_read_whole(tmp_path: Path) -> None:
    filler = ["x" * 60] * 50
    with service() as (server, client):
        server.zones = tuple(f"Z{number:03}" for number in range(350))
        server.access = (*filler, FORECAST)
        found, events = rights_in_force(client, str(tmp_path), server.base_url, NOW)
    assert (len(found.zones), events) == (350, [])
    assert found.covers("Z349", "forecast") is True


# --- what is asked for -----------------------------------------------------------------------------------------------


def pull(
    server: ElectricityMapsServer, client: Client, folder: Path
) -> tuple[Any, list[tuple[str | None, str, str]]]:
    found, _ = rights_in_force(client, str(folder), server.base_url, NOW)
    wanted = Wanted(horizon_hours=24, emission_factor_type="lifecycle", fetched_at_utc=NOW, rights=found)
    table, events = pull_zones(client, ZONES, wanted)
    return table, [(event.subject, event.code, event.detail) for event in events]


def hours(table: Any, name: str, kind: str = "measured") -> list[datetime]:
    rows = table.filter((pc.field("zone") == name) & (pc.field("intensity_kind") == kind))
    found: list[datetime] = rows["hour_start_utc"].to_pylist()
    return found


def test_a_plan_with_ranges_is_asked_for_ten_days_instead_of_one(tmp_path: Path) -> None:
    with service() as (server, client):
        table, events = pull(server, client, tmp_path)
        assert events == []
        assert [server.asked(name) for name in ZONES] == [["forecast", "past-range"]] * 3
        query = next(request.query for request in server.requests if "start" in request.query)
    assert (query["start"], query["end"]) == ("2026-11-12T21:00:00Z", "2026-11-22T21:00:00Z")
    assert hours(table, "DE") == [RUNNING - lag * HOUR for lag in range(240, 0, -1)]
    assert hours(table, "DE", "forecast")[0] == RUNNING


def test_without_a_forecast_the_running_hour_is_asked_for_beside_the_ten_days(tmp_path: Path) -> None:
    with service((LATEST, HISTORY, RANGE)) as (server, client):
        table, events = pull(server, client, tmp_path)
        assert server.asked("DE") == ["past-range", "latest"]
    assert hours(table, "DE") == [RUNNING - lag * HOUR for lag in range(240, -1, -1)]
    assert events == [
        (name, "plan", "forecast: not covered by the plan of the token, not asked") for name in ZONES
    ]


def test_a_range_that_fails_is_replaced_by_the_history(tmp_path: Path) -> None:
    with service() as (server, client):
        server.misbehave("DE", "plan", endpoint="past-range")
        server.misbehave("FR", "no_data", endpoint="past-range")
        table, events = pull(server, client, tmp_path)
        assert [server.asked(name) for name in ("DE", "FR")] == [["forecast", "past-range", "history"]] * 2
    assert len(hours(table, "DE")) == len(hours(table, "FR")) == 24
    assert [(subject, code) for subject, code, _ in events] == [("DE", "plan"), ("FR", "no_data")]


def test_a_range_that_is_throttled_is_not_followed_by_other_requests(tmp_path: Path) -> None:
    with service() as (server, client):
        server.misbehave("DE", "throttle", endpoint="past-range")
        _, events = pull(server, client, tmp_path)
        assert server.asked("DE") == ["forecast", "past-range"]
    assert [(subject, code) for subject, code, _ in events] == [("DE", "rate_limit")]


def test_hours_that_a_range_lacks_are_counted(tmp_path: Path) -> None:
    with service() as (server, client):
        server.lacking = {("DE", RUNNING - lag * HOUR) for lag in (5, 6, 200)}
        table, events = pull(server, client, tmp_path)
    assert len(hours(table, "DE")) == 237
    assert events == [("DE", "missing_hours", "past-range: 3 of 240 hours are not in the answer")]


def test_a_zone_that_the_plan_does_not_cover_costs_no_request_and_has_one_event(tmp_path: Path) -> None:
    with service((LATEST, HISTORY, FORECAST)) as (server, client):
        server.access_of = {"FR": [], "PL": [LATEST]}
        table, events = pull(server, client, tmp_path)
        assert [server.asked(name) for name in ZONES] == [["forecast", "history"], [], ["latest"]]
    assert hours(table, "PL") == [RUNNING]
    assert events == [
        ("FR", "plan", "forecast, history, latest: not covered by the plan of the token, not asked"),
        ("PL", "plan", "forecast, history: not covered by the plan of the token, not asked"),
    ]


def test_a_zone_that_is_not_for_sale_and_has_no_list_is_not_asked_for(tmp_path: Path) -> None:
    with service(None) as (server, client):
        server.not_for_sale = {"FR"}
        _, events = pull(server, client, tmp_path)
        assert [server.asked(name) for name in ZONES] == [
            ["forecast", "history"],
            [],
            ["forecast", "history"],
        ]
    assert [(subject, code) for subject, code, _ in events] == [("FR", "plan")]
