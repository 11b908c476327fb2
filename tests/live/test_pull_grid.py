"""``opencarbon pull grid`` against a server on loopback: killed, resumed, and under every fault."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.grid_server import HOUR, TOKEN, ElectricityMapsServer, Misbehaviour
from tests.live.leaks import places_of

COMMAND = Path(sys.executable).parent / "opencarbon"
ZONES = tuple(f"Z{number:02}" for number in range(60))
LEAP_FEBRUARY = ("--from", "2024-02-01", "--to", "2024-03-01")
HOURS = 29 * 24
RANGES = 3
"""Ten days, ten days and nine."""

LATER = datetime(2024, 6, 1, tzinfo=UTC)
START = datetime(2024, 2, 1, tzinfo=UTC)
END = datetime(2024, 3, 1, tzinfo=UTC)
Capture = pytest.CaptureFixture[str]


def intensity(zone: str, hour_start_utc: datetime) -> float | None:
    """Made up; one hour of every week is not known."""
    hour = (hour_start_utc - START) // HOUR
    return None if hour % 168 == 100 else 5.0 * ZONES.index(zone) + hour % 24


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ElectricityMapsServer]:
    with ElectricityMapsServer(intensity, zones=ZONES, now_utc=LATER) as made:
        settings = {
            "ELECTRICITY_MAPS__TOKEN": TOKEN,
            "ELECTRICITY_MAPS__BASE_URL": made.base_url,
            "ELECTRICITY_MAPS__REQUESTS_PER_MINUTE": "60000",
            "HTTP__ATTEMPTS": "1",
            "STORE__ROOT": str(tmp_path / "store"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"OPENCARBON_{name}", value)
        yield made


def pull(*more: str, zones: tuple[str, ...] = ZONES[:3], span: tuple[str, ...] = LEAP_FEBRUARY) -> int:
    return main(["pull", "grid", *span, "--zones", *zones, *more])


def result(capsys: Capture, *more: str, status: int = 0, **asked: Any) -> dict[str, Any]:
    assert pull("--json", *more, **asked) == status
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def known(store: Path) -> pa.Table:
    """What the store knows, without the moments of the fetches."""
    table, events = read_as_of(str(store), datetime.now(UTC))
    assert events == []
    return table.drop_columns(["fetched_at_utc"])


def keep(store: Path, hours: set[datetime], fetched_at_utc: datetime, **changed: Any) -> None:
    """Store measured hours of Z00, as if they had been fetched before."""
    row = {
        "zone": "Z00",
        "carbon_intensity_gco2e_per_kwh": 7.0,
        "intensity_kind": "measured",
        "emission_factor_type": "lifecycle",
        "is_estimated": False,
        "issued_at_utc": None,
        "fetched_at_utc": fetched_at_utc,
        "source_id": "electricity-maps-api",
    }
    rows = [row | {"hour_start_utc": hour} | changed for hour in hours]
    table = pa.Table.from_pylist(rows, schema=GRID_INTENSITY.schema())
    append(str(store), table, fetched_at_utc=fetched_at_utc)


def rows_in_files(store: Path) -> int:
    """Rows of all files, those that stand twice counted twice."""
    return sum(pq.read_metadata(path).num_rows for path in store.rglob("[!.]*.parquet"))


# --- killed and resumed ----------------------------------------------------------------------------------------------


def test_a_month_of_60_zones_killed_at_random_and_resumed_is_the_month_of_an_undisturbed_pull(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at = sorted(random.Random(20240229).sample(range(2, len(ZONES) * RANGES - 10), 2))
    for requests in killed_at:
        command = [str(COMMAND), "pull", "grid", *LEAP_FEBRUARY, "--zones", *ZONES]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ.copy())
        while len(server.requests) < requests and child.poll() is None:
            time.sleep(0.001)
        assert child.poll() is None, "the child ended before it could be killed"
        child.kill()
        child.wait()
        time.sleep(0.05)  # the server may still be at its last requests

    before = rows_in_files(tmp_path / "store")
    resumed = result(capsys, "--strict", zones=ZONES)
    asked = Counter((request.query["zone"], request.query["start"]) for request in server.requests)
    assert len(server.requests) <= len(ZONES) * RANGES + 4 * len(killed_at), "ranges under way alone are lost"
    assert set(asked) == {(zone, f"2024-02-{day}T00:00:00Z") for zone in ZONES for day in ("01", "11", "21")}
    assert before > 0
    assert (resumed["fetched_hours"], resumed["missing_hours"]) == (HOURS * len(ZONES) - before, 0)

    monkeypatch.setenv("OPENCARBON_STORE__ROOT", str(tmp_path / "undisturbed"))
    assert result(capsys, "--strict", zones=ZONES)["fetched_hours"] == HOURS * len(ZONES)
    for store in (tmp_path / "store", tmp_path / "undisturbed"):
        assert rows_in_files(store) == HOURS * len(ZONES), "no hour stands twice"
    assert known(tmp_path / "store").equals(known(tmp_path / "undisturbed"))


# --- what is fetched -------------------------------------------------------------------------------------------------


def test_every_hour_of_a_leap_february_is_fetched_once_and_nulls_stay_null(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture
) -> None:
    made = result(capsys, "--strict")
    assert (made["from_utc"], made["to_utc"]) == (START.isoformat(), END.isoformat())
    assert (made["fetched_hours"], made["missing_hours"], made["is_stopped"]) == (3 * HOURS, 0, False)
    assert {(zone["fetched_hours"], zone["null_hours"]) for zone in made["zones"]} == {(HOURS, 4)}
    assert {event["code"] for event in made["events"]} == {"null_intensity"}
    found = {
        (row["zone"], row["hour_start_utc"]): row["carbon_intensity_gco2e_per_kwh"]
        for row in known(tmp_path / "store").to_pylist()
    }
    assert found == {
        (zone, START + lead * HOUR): intensity(zone, START + lead * HOUR)
        for zone in ZONES[:3]
        for lead in range(HOURS)
    }
    assert rows_in_files(tmp_path / "store") == 3 * HOURS
    assert len(server.requests) == 3 * RANGES


def test_what_is_in_the_store_is_not_asked_for_again_nulls_among_it(
    server: ElectricityMapsServer, capsys: Capture
) -> None:
    result(capsys)
    server.requests.clear()
    again = result(capsys, "--strict")
    assert server.requests == []
    assert [zone["there_hours"] for zone in again["zones"]] == [HOURS] * 3
    assert result(capsys, span=("--from", "2024-02-01", "--to", "2024-03-02"))["fetched_hours"] == 3 * 24


def test_factors_of_the_other_type_are_not_those_of_this_one(
    server: ElectricityMapsServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    result(capsys)
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__EMISSION_FACTOR_TYPE", "direct")
    direct = result(capsys)
    assert (direct["emission_factor_type"], direct["fetched_hours"]) == ("direct", 3 * HOURS)


@pytest.mark.parametrize(("day", "local"), [("2024-03-31", "Europe/Berlin"), ("2024-10-27", "Europe/Berlin")])
def test_a_day_on_which_clocks_change_has_24_hours(
    server: ElectricityMapsServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch, day: str, local: str
) -> None:
    monkeypatch.setenv("TZ", local)
    time.tzset()
    try:
        after = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
        assert result(capsys, zones=("Z00",), span=("--from", day, "--to", after))["fetched_hours"] == 24
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


@pytest.mark.parametrize(
    ("age_h", "changed", "is_asked_again"),
    [
        (0.5, {}, True),  # before the hour had ended
        (24 * 92 - 1, {}, True),
        (24 * 92, {}, False),
        (24 * 92, {"is_estimated": True}, False),
        (24 * 92, {"carbon_intensity_gco2e_per_kwh": None}, False),
        (24, {"intensity_kind": "forecast"}, True),
        (24 * 92, {"source_id": "electricity-maps-sandbox"}, True),
        (24 * 92, {"emission_factor_type": "direct"}, True),
        (24 * 92, {"accounting_basis": "production"}, True),
        (24 * 92, {"zone": "Z01"}, True),
    ],
)
def test_what_was_fetched_before_its_last_revision_or_is_not_what_was_asked_for_is_asked_for_again(
    server: ElectricityMapsServer,
    tmp_path: Path,
    capsys: Capture,
    age_h: float,
    changed: dict[str, Any],
    is_asked_again: bool,
) -> None:
    keep(tmp_path / "store", {START}, START + age_h * HOUR, **changed)
    hour = ("--from", "2024-02-01T00:00:00Z", "--to", "2024-02-01T01:00:00Z")
    assert result(capsys, zones=("Z00",), span=hour)["fetched_hours"] == int(is_asked_again)
    assert len(server.requests) == int(is_asked_again)


def test_an_estimate_that_is_not_a_day_old_is_not_asked_for_again_yet(
    server: ElectricityMapsServer, capsys: Capture
) -> None:
    running = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    server.now_utc = running  # so that the last hour is an estimate
    span = ("--from", (running - 3 * HOUR).isoformat(), "--to", running.isoformat())
    assert result(capsys, span=span)["fetched_hours"] == 9
    assert result(capsys, span=span)["fetched_hours"] == 0


DAY_H = 24


@pytest.mark.parametrize(
    ("age_h", "fetched_age_h", "is_asked_again"),
    [
        (23, 2, False),
        (24, 2, True),
        (25, 24, False),
        (8 * DAY_H - 1, 24, False),
        (8 * DAY_H, 24, True),
        (9 * DAY_H, 8 * DAY_H, False),
        (31 * DAY_H, 8 * DAY_H, True),
        (92 * DAY_H - 1, 31 * DAY_H, False),
        (92 * DAY_H, 31 * DAY_H, True),
        (95 * DAY_H, 92 * DAY_H, False),
        (102 * DAY_H, 2, True),
        (102 * DAY_H + 1, 2, False),  # a pull ten days before would have asked
    ],
)
def test_without_a_range_hours_are_asked_for_again_after_a_day_a_week_a_month_and_three_months(
    server: ElectricityMapsServer,
    tmp_path: Path,
    capsys: Capture,
    age_h: int,
    fetched_age_h: int,
    is_asked_again: bool,
) -> None:
    running = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    server.now_utc, old = running, running - age_h * HOUR
    recent = {running - lead * HOUR for lead in range(1, 10 * DAY_H + 1)} - {old}
    keep(tmp_path / "store", recent, running)
    keep(tmp_path / "store", {old}, old + fetched_age_h * HOUR)
    (zone,) = result(capsys, "--strict", zones=("Z00",), span=())["zones"]
    is_recent = age_h <= 10 * DAY_H
    assert (zone["there_hours"], zone["fetched_hours"]) == (len(recent) + is_recent, int(is_asked_again))
    server.requests.clear()
    assert result(capsys, zones=("Z00",), span=())["fetched_hours"] == 0
    assert server.requests == []


def test_hours_that_are_not_revised_are_not_missing(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture
) -> None:
    keep(tmp_path / "store", {START}, START + HOUR)
    server.misbehave("Z00", "plan")
    hour = ("--from", "2024-02-01T00:00:00Z", "--to", "2024-02-01T01:00:00Z")
    (zone,) = result(capsys, "--strict", zones=("Z00",), span=hour)["zones"]
    assert (zone["there_hours"], zone["missing_hours"], zone["unrevised_hours"]) == (1, 0, 1)
    assert "the plan of the token does not cover this" in zone["reason"]


def test_requests_keep_to_the_budget_per_minute(
    server: ElectricityMapsServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__REQUESTS_PER_MINUTE", "600")
    began = time.monotonic()
    hour = ("--from", "2024-02-01T00:00:00Z", "--to", "2024-02-01T01:00:00Z")
    result(capsys, zones=ZONES[:15], span=hour)
    assert len(server.requests) == 15
    assert time.monotonic() - began >= 0.5, "ten at once, then one every 0.1 s"


# --- faults ----------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[Misbehaviour, str]] = [
    ("plan", "the plan of the token does not cover this"),
    ("forbidden", "403"),
    ("throttle", "429: Too many requests"),
    ("server_error", "answered 500"),
    ("no_data", "the service has no data for this zone"),
    ("wrong_zone", "asked for Z01, answered for 'Z00'"),
    ("wrong_factor", "asked for lifecycle"),
    ("not_flow_traced", "not flow-traced"),
    ("truncated", "EOF while parsing"),
    ("broken_off", "broke off"),
    ("html", "Invalid JSON"),
    ("sandbox", "made-up data of a sandbox token"),
    ("absurd", "less than or equal to"),
    ("empty", "240 of 240 hours are not in the answer"),
    ("echo_token", "auth-token: ***"),
]


@pytest.mark.parametrize(("how", "words"), FAULTS)
def test_what_was_fetched_before_a_fault_is_kept_and_the_rest_alone_is_asked_for_after_it(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture, how: Misbehaviour, words: str
) -> None:
    pair, eleven_days = ZONES[:2], ("--from", "2024-02-01", "--to", "2024-02-12")
    result(capsys, "--strict", zones=("Z01",), span=("--from", "2024-02-11", "--to", "2024-02-12"))
    server.misbehave("Z01", how)

    faulty = result(capsys, "--strict", status=3, zones=pair, span=eleven_days)

    zones = {zone["zone"]: zone for zone in faulty["zones"]}
    assert {name: zone["missing_hours"] for name, zone in zones.items()} == {"Z00": 0, "Z01": 240}
    assert (zones["Z01"]["there_hours"], zones["Z01"]["fetched_hours"]) == (24, 0)
    assert words in zones["Z01"]["reason"]
    assert any(event["subject"] == "Z01" and words in event["detail"] for event in faulty["events"])

    server.misbehave("Z01", how, times=0)
    server.requests.clear()
    assert result(capsys, "--strict", zones=pair, span=eleven_days)["fetched_hours"] == 240
    assert [request.query["start"] for request in server.requests] == ["2024-02-01T00:00:00Z"]
    assert rows_in_files(tmp_path / "store") == 2 * 264
    assert places_of(TOKEN, texts=[json.dumps(faulty)], folders=[tmp_path]) == []


def test_the_table_says_of_every_zone_what_came_and_why_hours_are_missing(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture
) -> None:
    server.misbehave("Z01", "no_data")
    assert pull() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Electricity Maps, lifecycle, 2024-02-01 00:00 to 2024-03-01 00:00 UTC"
    assert lines[1].split() == ["zone", "fetched", "in", "store", "missing", "unrevised", "null", "why"]
    assert [line.split() for line in lines if line.startswith(("Z00", "Z02"))] == [
        [zone, "696", "0", "0", "0", "4"] for zone in ("Z00", "Z02")
    ]
    assert next(line for line in lines if line.startswith("Z01")).split()[:6] == [
        "Z01",
        "0",
        "0",
        "696",
        "0",
        "0",
    ]
    assert "the service has no data for this zone (and 2 more)" in " ".join(" ".join(lines).split())
    assert lines[-1] == (
        f"1,392 hours of 3 zones fetched into {tmp_path / 'store'}; 696 hours of 1 zones are missing; "
        "the same command goes on from here"
    )


def test_silence_leaves_a_zone_and_the_others_go_on(
    server: ElectricityMapsServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_HTTP__TIMEOUT_S", "0.3")
    server.misbehave("Z01", "hang")
    made = result(capsys, "--strict", status=3)
    assert {zone["zone"]: zone["missing_hours"] for zone in made["zones"]} == {
        "Z00": 0,
        "Z01": HOURS,
        "Z02": 0,
    }
    assert server.asked("Z01") == ["past-range"]
    assert "did not answer within 0.3 s" in made["zones"][1]["reason"]


def test_hours_that_an_answer_leaves_out_are_missing_and_asked_for_again(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture
) -> None:
    server.misbehave("Z00", "holes", times=2 * RANGES)
    first = result(capsys, "--strict", status=3, zones=("Z00",))
    assert (first["fetched_hours"], first["missing_hours"]) == (HOURS * 2 // 3, HOURS // 3)
    assert "of 216 hours are not in the answer (and 2 more)" in first["zones"][0]["reason"]
    files = list((tmp_path / "store").rglob("*.parquet"))
    assert result(capsys, "--strict", status=3, zones=("Z00",))["fetched_hours"] == 0
    assert list((tmp_path / "store").rglob("*.parquet")) == files, "an answer without news is no file"
    assert result(capsys, "--strict", zones=("Z00",))["fetched_hours"] == HOURS // 3
    assert rows_in_files(tmp_path / "store") == HOURS


def test_a_service_that_refuses_all_is_exit_status_1_after_one_request(
    server: ElectricityMapsServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "not-the-token-at-all")
    refused = result(capsys, status=1, zones=ZONES)
    assert len(server.requests) == 1
    assert (refused["is_stopped"], refused["missing_hours"]) == (True, len(ZONES) * HOURS)
    assert {event["subject"] for event in refused["events"]} == set(ZONES)


def test_a_resumed_pull_that_is_refused_is_exit_status_1(
    server: ElectricityMapsServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    result(capsys, zones=("Z00",), span=("--from", "2024-02-21", "--to", "2024-03-01"))
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "not-the-token-at-all")
    refused = result(capsys, status=1, zones=("Z00",))
    assert (refused["zones"][0]["there_hours"], refused["missing_hours"]) == (216, 480)


def test_a_plan_that_covers_nothing_is_exit_status_1(server: ElectricityMapsServer, capsys: Capture) -> None:
    server.misbehave("*", "plan")
    refused = result(capsys, status=1)
    assert [zone["missing_hours"] for zone in refused["zones"]] == [HOURS] * 3
    assert [server.asked(zone) for zone in ZONES[:3]] == [["past-range"]] * 3


def test_a_damaged_file_is_named_and_its_hours_are_fetched_again(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture
) -> None:
    result(capsys, zones=("Z00",))
    damaged = next((tmp_path / "store").rglob("[!.]*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    server.requests.clear()
    made = result(capsys, zones=("Z00",))
    assert len(server.requests) == 1
    assert (made["missing_hours"], made["fetched_hours"] in (216, 240)) == (0, True)
    assert [event["subject"] for event in made["events"] if event["code"] == "unreadable_file"] == [
        damaged.name
    ]


def test_a_store_that_cannot_be_written_is_an_error_after_one_request(
    server: ElectricityMapsServer, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/intensity").write_text("in the way")
    assert pull(zones=ZONES) == 1
    assert "the intensity store at" in capsys.readouterr().err
    assert len(server.requests) <= 1
