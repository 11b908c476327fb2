"""Past ranges of Electricity Maps: what is asked for, and what of an answer is taken."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.errors import SourcePlanError, SourceShapeError
from opencarbon.sources.electricity_maps.bodies import Asked, parse_past_range
from opencarbon.sources.electricity_maps.past import (
    LONGEST_RANGE,
    Past,
    Span,
    fetch_past_range,
    pull_past,
    spans_of,
)
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits, TokenBucket
from opencarbon.tables.events import Event
from tests.grid_server import HOUR, TOKEN, ElectricityMapsServer

START = datetime(2024, 2, 20, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = datetime(2024, 6, 1, tzinfo=UTC)
ZONES = ("DE", "FR", "PL")
MANY = (*ZONES, "GB", "SE-SE3", "NO-NO1", "CH", "AT")
FAST = HttpLimits(
    connect_s=2, read_s=1.0, total_s=5, attempts=1, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0
)


def hours(count: int, start: datetime = START) -> list[datetime]:
    return [start + lead * HOUR for lead in range(count)]


def span(first_h: int, last_h: int) -> Span:
    return Span(START + first_h * HOUR, START + last_h * HOUR)


# --- which ranges ----------------------------------------------------------------------------------------------------


def test_one_request_may_ask_for_ten_days() -> None:
    assert LONGEST_RANGE == 10 * DAY


@pytest.mark.parametrize(
    ("count", "lengths"), [(1, [1]), (240, [240]), (241, [240, 1]), (29 * 24, [240, 240, 216])]
)
def test_hours_in_a_row_are_cut_every_ten_days(count: int, lengths: list[int]) -> None:
    found = spans_of(hours(count))
    assert [(part.end_utc - part.start_utc) // HOUR for part in found] == lengths
    assert found[0].start_utc == START
    assert all(first.end_utc == then.start_utc for first, then in pairwise(found))
    assert found[-1].end_utc == START + count * HOUR


def test_a_range_holds_hours_that_lie_less_than_ten_days_apart_and_no_more_than_it_must() -> None:
    assert spans_of([]) == []
    assert spans_of([START + 239 * HOUR, START]) == [span(0, 240)]
    assert spans_of([START, START + 240 * HOUR]) == [span(0, 1), span(240, 241)]


# --- bodies ----------------------------------------------------------------------------------------------------------


def row(hour: datetime, value: float | None) -> dict[str, Any]:
    return {
        "zone": "DE",
        "carbonIntensity": value,
        "datetime": hour.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "updatedAt": "2024-03-05T10:00:00.000Z",
        "emissionFactorType": "lifecycle",
        "flowTraced": True,
        "isEstimated": False,
    }


def read(rows: list[dict[str, Any]], **more: Any) -> pa.Table:
    body = {"zone": "DE", "data": rows, "temporalGranularity": "hourly"} | more
    return parse_past_range(
        json.dumps(body).encode(),
        Asked("DE", "lifecycle"),
        start_utc=START,
        end_utc=START + 3 * HOUR,
        fetched_at_utc=LATER,
    )


def test_hours_at_the_end_and_beyond_are_dropped_and_a_null_stays_null() -> None:
    table = read(
        [row(START + lead * HOUR, value) for lead, value in ((-1, 9), (0, 1), (1, None), (2, 3), (3, 4))]
    )
    assert table["carbon_intensity_gco2e_per_kwh"].to_pylist() == [1.0, None, 3.0]
    assert table["hour_start_utc"].to_pylist() == hours(3)
    assert set(table["intensity_kind"].to_pylist()) == {"measured"}
    assert set(table["fetched_at_utc"].to_pylist()) == {LATER}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"zone": "FR"}, "asked for DE"),
        ({"emissionFactorType": "direct"}, "asked for lifecycle"),
        ({"flowTraced": False}, "not flow-traced"),
        ({"carbonIntensity": -1}, "greater than or equal to 0"),
    ],
)
def test_rows_that_are_not_what_was_asked_for_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        read([row(START, 1.0), row(START + HOUR, 1.0) | changed])


def test_an_hour_that_stands_twice_and_coarser_data_are_refused() -> None:
    with pytest.raises(SourceShapeError, match="stands twice"):
        read([row(START, 1.0), row(START, 1.0)])
    with pytest.raises(SourceShapeError, match="not hourly or finer"):
        read([row(START, 1.0)], temporalGranularity="daily")


def test_sandbox_data_are_refused() -> None:
    with pytest.raises(SourcePlanError, match="made-up data of a sandbox token"):
        read([row(START, 1.0)], _disclaimer="SANDBOX MODE")


# --- requests --------------------------------------------------------------------------------------------------------


@contextmanager
def service(token: str = TOKEN) -> Iterator[tuple[ElectricityMapsServer, Client]]:
    with (
        ElectricityMapsServer(lambda _zone, hour: float(hour.hour), zones=MANY, now_utc=LATER) as server,
        Client(server.base_url, token=token, limits=FAST, bucket=TokenBucket(60_000, burst=100)) as client,
    ):
        yield server, client


Kept = list[tuple[str, datetime, int]]


def pull(
    client: Client, zones: tuple[str, ...] = ZONES, count: int = 25 * 24
) -> tuple[Kept, list[Event], Event | None]:
    kept: Kept = []
    dealt_with: list[int] = []
    past = Past(
        "lifecycle",
        allow_sandbox=False,
        keep=lambda zone, rows, _at: kept.append((zone, rows["hour_start_utc"][0].as_py(), rows.num_rows)),
        clock=lambda: LATER,
    )
    wanted = dict.fromkeys(zones, spans_of(hours(count)))
    events, stopped_by = pull_past(client, wanted, past, done=dealt_with.append, workers=1)
    assert sum(dealt_with) == 3 * len(zones), "progress ends at its total, whatever goes wrong"
    return kept, events, stopped_by


def test_a_request_says_start_and_end_in_full_and_all_that_every_request_says() -> None:
    with service() as (server, client):
        fetch_past_range(client, Asked("DE", "direct"), span=span(0, 240))
    assert [request.path for request in server.requests] == ["/v4/carbon-intensity/past-range"]
    assert server.requests[0].query == {
        "zone": "DE",
        "start": "2024-02-20T00:00:00Z",
        "end": "2024-03-01T00:00:00Z",
        "emissionFactorType": "direct",
        "flowTraced": "true",
        "temporalGranularity": "hourly",
        "disableCallerLookup": "true",
    }


def test_ranges_are_handed_on_one_by_one_the_newest_of_a_zone_first() -> None:
    with service() as (_, client):
        kept, events, stopped_by = pull(client)
    assert (events, stopped_by) == ([], None)
    newest_first = [(START + 20 * DAY, 120), (START + 10 * DAY, 240), (START, 240)]
    assert kept == [(zone, *part) for zone in ZONES for part in newest_first]


def test_a_zone_that_the_plan_does_not_cover_costs_one_request() -> None:
    with service() as (server, client):
        server.misbehave("FR", "plan")
        kept, events, stopped_by = pull(client)
    assert server.asked("FR") == ["past-range"]
    assert {zone for zone, _, _ in kept} == {"DE", "PL"}
    assert stopped_by is None
    assert [(event.subject, event.code) for event in events] == [("FR", "plan")] * 2
    assert events[1].detail == "2 older ranges are not asked for after that"


def test_one_damaged_answer_does_not_keep_a_zone_from_its_older_ranges() -> None:
    with service() as (server, client):
        server.misbehave("DE", "truncated", times=1)
        kept, events, _ = pull(client, ("DE",))
    assert [start for _, start, _ in kept] == [START + 10 * DAY, START]
    assert [event.code for event in events] == ["shape"]
    assert "2024-03-11 00:00 to 2024-03-16 00:00 UTC" in events[0].detail


def test_a_refused_token_costs_one_request_and_stops_all() -> None:
    with service("another-token") as (server, client):
        kept, events, stopped_by = pull(client)
    assert (len(server.requests), kept) == (1, [])
    assert stopped_by is not None
    assert stopped_by.code == "auth"
    assert {event.subject for event in events} == set(ZONES)
    assert "not asked, after zone DE failed" in events[-1].detail


def test_after_five_zones_in_a_row_that_are_throttled_no_other_is_asked() -> None:
    with service() as (server, client):
        server.misbehave("*", "throttle")
        kept, events, stopped_by = pull(client, MANY)
    assert [request.query["zone"] for request in server.requests] == list(MANY[:5])
    assert kept == []
    assert stopped_by is not None
    assert stopped_by.code == "rate_limit"
    assert {event.subject for event in events} == set(MANY)


def test_what_failed_to_be_kept_stops_the_pull() -> None:
    def refuse(_zone: str, _rows: pa.Table, _at: datetime) -> None:
        raise OSError("disk full")

    with service() as (server, client):
        past = Past("lifecycle", allow_sandbox=False, keep=refuse, clock=lambda: LATER)
        with pytest.raises(OSError, match="disk full"):
            pull_past(client, {zone: [span(0, 2)] for zone in ZONES}, past, done=lambda _: None)
    assert len(server.requests) == 1
