"""Nights with live data: real HTTP servers on loopback that speak Electricity Maps v4 and serve Epoch AI's table."""

import io
import json
import logging
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import correlation
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from opencarbon.cli import main
from opencarbon.cli.tables import print_outcome
from opencarbon.sources.electricity_maps.bodies import SOURCE_ID
from tests.grid_server import HOUR, Misbehaviour
from tests.live.leaks import places_of
from tests.live.nights import AS_OF, ASKED, REGIONS, ZONES, Published, Site, intensity, live_site, this_hour

FORECASTS = dict.fromkeys(ZONES, "forecast")
LIVE = {region: {"forecast"} for region in REGIONS.values()}

FAILURES: list[tuple[Misbehaviour, str, str]] = [
    ("plan", "plan", "the plan of the token does not cover this"),
    ("forbidden", "auth", "403"),
    ("throttle", "rate_limit", "429: Too many requests"),
    ("server_error", "unavailable", "answered 500"),
    ("no_data", "no_data", "no data for this zone"),
    ("nulls", "null_intensity", "73 of 73 hours have no value"),
    ("wrong_zone", "shape", "asked for FR, answered for 'DE'"),
    ("truncated", "shape", "EOF while parsing"),
    ("broken_off", "unavailable", "broke off"),
    ("html", "shape", "Invalid JSON"),
    ("sandbox", "plan", "made-up data of a sandbox token"),
    ("absurd", "shape", "less than or equal to"),
    ("empty", "no_data", "the answer holds no hours"),
    ("echo_token", "source_error", "auth-token: ***"),
]


def shown(published: Published) -> str:
    """What a person sees of a night."""
    text = io.StringIO()
    print_outcome(Console(width=200, file=text), published.outcome)
    return text.getvalue()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def arguments(site: Site, *more: str) -> list[str]:
    queue, config, out = str(site.queue), str(site.config()), str(site.out)
    return ["run", "--manifest", queue, "--config", config, "--out", out, "--json", *more]


# --- data as they should be ------------------------------------------------------------------------------------------


def test_a_live_night_publishes_forecasts_and_degrades_nothing(site: Site) -> None:
    night = site.night()
    assert night.outcome.status == "published"
    assert night.kinds_of_jobs() == FORECASTS
    assert night.kinds_of_regions() == LIVE
    assert night.rows("run_event") == []
    assert night.outcome.exit_status(strict=True, fail_over_budget=True) == 0
    assert {row["forecast_share"] for row in night.rows("fact_job_region")} == {1.0}
    assert {row["action"] for row in night.rows("rec_job") if row["job_id"] == "moves"} == {"move"}


def test_every_zone_is_asked_once_for_forecast_and_history_with_the_token_in_the_header_alone(
    site: Site, token: str
) -> None:
    site.night()
    assert [site.grid.asked(zone) for zone in ASKED] == [["forecast", "history"]] * len(ASKED)
    assert len(site.grid.requests) == 1 + 2 * len(ASKED)
    assert (site.grid.requests[0].path, site.grid.requests[0].query) == ("/v4/zones", {})
    assert {request.headers["auth-token"] for request in site.grid.requests} == {token}
    for request in site.grid.requests[1:]:
        assert request.query["disableCallerLookup"] == "true"
        assert request.query["flowTraced"] == "true"
        assert request.query["emissionFactorType"] == "lifecycle"
        assert token not in json.dumps(request.query)
    assert [request.path for request in site.files.requests] == ["/models.csv"]
    assert "auth-token" not in site.files.requests[0].headers


def test_hourly_values_are_those_of_the_server_and_name_their_source(site: Site) -> None:
    night = site.night()
    hours = [row for row in night.rows("fact_grid_intensity_hourly") if row["zone"] in ZONES]
    assert {row["intensity_kind"] for row in hours} == {"measured", "forecast"}
    for zone in ZONES:
        of_zone = [row for row in hours if row["zone"] == zone]
        used = [row["carbon_intensity_gco2e_per_kwh"] for row in of_zone]
        given = [intensity(zone, row["hour_start_utc"]) for row in of_zone]
        assert used[0] == given[0], "the running hour is measured"
        assert used[1:] == pytest.approx(given[1:], rel=0.2), "forecasts are drawn towards what is usual"
        assert correlation(used, given) > 0.95
    assert {row["issued_at_utc"] for row in hours} == {AS_OF + timedelta(minutes=12)}
    assert {row["hour_start_utc"] for row in hours} == {AS_OF + n * HOUR for n in range(72)}
    assert SOURCE_ID in {row["source_id"] for row in night.rows("dim_source")}


def test_licensed_hourly_values_stay_out_of_the_release_unless_asked_for(site: Site) -> None:
    site.set("publish", grid_hourly=False)
    night = site.night()
    kinds = {row["intensity_kind"] for row in night.rows("fact_grid_intensity_hourly")}
    assert not kinds & {"measured", "forecast", "climatology"}


def test_a_night_on_the_other_basis_uses_no_row_of_the_first_nor_an_annual_mean(site: Site) -> None:
    site.night()
    site.set("electricity_maps", flow_traced=False)
    site.grid.misbehave("FR", "no_data")
    night = site.night()
    (run,) = night.rows("dim_run")
    assert (
        run["accounting_basis"] == "attributed, location-based, average, production-based (not flow-traced)"
    )
    hours = [row for row in night.rows("fact_grid_intensity_hourly") if row["intensity_kind"] == "forecast"]
    assert {row["zone"] for row in hours} == set(ASKED) - {"FR"}
    used = sum(row["carbon_intensity_gco2e_per_kwh"] for row in hours)
    given = sum(site.grid.intensity(row["zone"], row["hour_start_utc"]) or 0 for row in hours)
    assert used == pytest.approx(1.25 * given, rel=0.1), "the other basis is 1.25 of the first"
    assert {row["zone"] for row in night.rows("fact_grid_intensity_hourly")} == set(ASKED) - {"FR"}


def test_devices_are_fitted_on_the_runs_of_the_table_of_models(site: Site) -> None:
    runs = {row["run"]: row for row in site.night().rows("training_runs")}
    assert runs["epoch-ai-models/aurora-7b"]["used"]
    assert not runs["epoch-ai-models/gleam"]["used"]


def test_both_nights_of_one_hour_are_one_run_where_the_data_are_the_same(site: Site) -> None:
    first = site.night()
    second = site.night()
    assert (second.outcome.status, second.outcome.run_id) == ("unchanged", first.outcome.run_id)


# --- failures of one zone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "code", "words"), FAILURES, ids=[how for how, _, _ in FAILURES])
def test_a_zone_that_fails_is_named_with_its_reason_and_the_others_keep_their_forecast(
    site: Site,
    token: str,
    how: Misbehaviour,
    code: str,
    words: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    site.grid.misbehave("FR", how)
    night = site.night()
    assert night.outcome.status == "published"
    assert night.events("electricity_maps") == [("FR", code)]
    assert words in night.details("electricity_maps")
    assert "warning: zone FR: " in shown(night)
    assert night.events("planning") == [("FR", "no_forecast")]
    assert night.kinds_of_jobs() == FORECASTS | {"FR": "annual"}
    assert night.kinds_of_regions() == LIVE | {REGIONS["FR"]: {"annual"}}
    assert [night.outcome.exit_status(strict=strict, fail_over_budget=True) for strict in (False, True)] == [
        0,
        3,
    ]
    texts = [caplog.text, shown(night), *capfd.readouterr()]
    assert places_of(token, texts=texts, folders=[site.folder]) == []


def test_a_zone_without_an_answer_is_given_up_and_the_others_keep_their_forecast(
    site: Site, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.set("http", timeout_s=1)
    site.grid.misbehave("FR", "hang")
    night = site.night()
    assert night.events("electricity_maps") == [("FR", "unavailable")]
    assert "did not answer within 1 s" in night.details("electricity_maps")
    assert night.kinds_of_jobs() == FORECASTS | {"FR": "annual"}
    assert places_of(token, texts=[caplog.text, shown(night)], folders=[site.folder]) == []


def test_a_zone_that_answers_on_the_second_attempt_is_not_degraded(site: Site) -> None:
    site.set("http", attempts=2)
    site.grid.misbehave("FR", "throttle", times=1, retry_after="0")
    night = site.night()
    assert night.rows("run_event") == []
    assert site.grid.asked("FR") == ["forecast", "forecast", "history"]


def test_a_zone_without_a_forecast_is_planned_on_its_measured_days(site: Site) -> None:
    site.grid.misbehave("FR", "plan", endpoint="forecast")
    site.night(AS_OF - timedelta(hours=12))
    night = site.night()
    assert night.events("electricity_maps") == [("FR", "plan")]
    assert night.kinds_of_jobs() == FORECASTS | {"FR": "climatology"}


def test_a_zone_whose_every_part_fails_differently_has_one_event_that_says_all_of_it(site: Site) -> None:
    site.grid.misbehave("FR", "nulls", endpoint="forecast")
    site.grid.misbehave("FR", "html", endpoint="history")
    site.grid.misbehave("FR", "no_data", endpoint="latest")
    night = site.night()
    assert night.events("electricity_maps") == [("FR", "null_intensity")]
    said = night.details("electricity_maps")
    assert [part in said for part in ("forecast: 73 of 73", "history: body: Invalid JSON", "latest: ")] == [
        True
    ] * 3


# --- failures of the service -----------------------------------------------------------------------------------------


def test_a_refused_token_is_tried_once_and_every_zone_says_so(
    site: Site, token: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    site.grid.token = "another-token"
    night = site.night()
    assert [request.path.rpartition("/")[2] for request in site.grid.requests] == ["zones", "forecast"]
    assert night.events("electricity_maps") == [(zone, "auth") for zone in ASKED]
    assert night.kinds_of_jobs() == dict.fromkeys(ZONES, "annual")
    assert night.outcome.exit_status(strict=False, fail_over_budget=True) == 0
    texts = [caplog.text, shown(night), *capfd.readouterr()]
    assert places_of(token, texts=texts, folders=[site.folder]) == []


def test_a_service_that_is_down_degrades_every_zone(site: Site) -> None:
    site.set("electricity_maps", base_url=f"http://127.0.0.1:{closed_port()}/v4")
    night = site.night()
    unavailable = [(zone, "unavailable") for zone in (None, *ASKED)]
    assert night.events("electricity_maps") == unavailable
    assert night.kinds_of_jobs() == dict.fromkeys(ZONES, "annual")


def test_without_a_token_nothing_is_asked_and_the_run_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "  ")
    night = site.night()
    assert site.grid.requests == []
    assert night.events("electricity_maps") == [(None, "no_token")]


def _html(site: Site) -> None:
    site.files.files["/models.csv"] = b"<!DOCTYPE html><html><body>Just a moment...</body></html>"


def _gone(site: Site) -> None:
    site.files.files.clear()


def _cut(site: Site) -> None:
    content = site.files.files["/models.csv"]
    site.files.files["/models.csv"] = content[: content.index(b"Borealis") + 20]


def _header_alone(site: Site) -> None:
    content = site.files.files["/models.csv"]
    site.files.files["/models.csv"] = content[: content.index(b"\n") + 1]


def _down(site: Site) -> None:
    site.set("epoch_ai", models_url=f"http://127.0.0.1:{closed_port()}/models.csv")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_html, "shape"),
        (_gone, "source_error"),
        (_cut, "shape"),
        (_header_alone, "shape"),
        (_down, "unavailable"),
    ],
)
def test_without_the_table_of_models_devices_are_fitted_on_the_catalog(
    site: Site, spoil: Callable[[Site], None], code: str
) -> None:
    spoil(site)
    night = site.night()
    assert night.events("epoch_ai") == [(None, code)]
    assert "published runs of the catalog" in night.details("epoch_ai")
    assert "epoch-ai-models" not in {row["source_id"] for row in night.rows("training_runs")}
    assert any(row["used"] for row in night.rows("training_runs"))
    assert night.kinds_of_jobs() == FORECASTS


# --- the store -------------------------------------------------------------------------------------------------------


def test_when_the_service_is_down_the_next_night_plans_on_the_last_stored_hours(site: Site) -> None:
    site.night()
    site.grid.misbehave("*", "server_error")
    night = site.night(AS_OF + timedelta(hours=6))
    assert night.events("electricity_maps") == [(zone, "unavailable") for zone in ASKED]
    hours = {
        row["hour_start_utc"]: row for row in night.rows("fact_grid_intensity_hourly") if row["zone"] == "FR"
    }
    until = AS_OF + timedelta(hours=72)
    kinds = {hour: row["intensity_kind"] for hour, row in hours.items()}
    assert {kind for hour, kind in kinds.items() if hour <= until} == {"forecast"}
    assert {kind for hour, kind in kinds.items() if hour > until} == {"climatology"}
    assert {AS_OF + timedelta(minutes=12)} == {
        row["issued_at_utc"] for row in hours.values() if row["intensity_kind"] == "forecast"
    }


def test_a_newer_forecast_replaces_the_stored_one(site: Site) -> None:
    site.night()
    site.grid.intensity = lambda zone, hour: 111.0
    night = site.night(AS_OF + timedelta(hours=6))
    values = {
        row["carbon_intensity_gco2e_per_kwh"]
        for row in night.rows("fact_grid_intensity_hourly")
        if row["zone"] in ZONES
    }
    assert all(value == pytest.approx(111.0, rel=0.2) for value in values), (
        "all others are below 90 or above 200"
    )


def test_what_is_fetched_long_after_the_as_of_time_is_used_and_not_stored(site: Site) -> None:
    night = site.night(AS_OF, now_utc=AS_OF + timedelta(hours=3))
    assert night.events("electricity_maps") == [(None, "hindsight")]
    assert night.kinds_of_jobs()["DE"] == "forecast"
    assert not (site.store / "intensity").exists()


def test_a_night_that_is_late_stores_no_measured_hour_that_had_not_begun_at_its_as_of_time(
    site: Site,
) -> None:
    now_utc = AS_OF + timedelta(hours=1, minutes=40)
    site.night(AS_OF, now_utc=now_utc)
    (path,) = (site.store / "intensity").rglob("*.parquet")
    stored = pq.read_table(path).to_pylist()
    last = {
        kind: max(row["hour_start_utc"] for row in stored if row["intensity_kind"] == kind)
        for kind in ("measured", "forecast")
    }
    assert last == {"measured": AS_OF, "forecast": AS_OF + timedelta(hours=73)}


def test_a_night_that_looks_ahead_stores_what_it_fetched_under_the_time_of_the_fetch(site: Site) -> None:
    site.night(AS_OF + timedelta(hours=5), now_utc=AS_OF)
    (stored,) = (site.store / "intensity").rglob("*.parquet")
    assert stored.name.startswith("20261120T220000")


def test_offline_nights_read_the_store_and_ask_nothing(site: Site) -> None:
    site.night()
    site.grid.requests.clear()
    site.files.requests.clear()
    night = site.night(offline=True)
    assert night.kinds_of_jobs() == FORECASTS
    assert site.grid.requests == site.files.requests == []
    assert night.events("electricity_maps") == [(None, "offline")]


def test_offline_nights_leave_out_intensity_files_on_the_web(site: Site) -> None:
    site.set("store", files=[f"{site.files.url}/intensity.csv"])
    night = site.night(offline=True)
    assert site.files.requests == []
    assert night.events("intensity_files") == [(f"{site.files.url}/intensity.csv", "offline")]


def test_an_intensity_file_that_cannot_be_read_degrades_the_night(site: Site) -> None:
    site.set("store", files=[str(site.folder / "nowhere.csv")])
    night = site.night()
    assert night.outcome.status == "published"
    assert night.events("intensity_files") == [(str(site.folder / "nowhere.csv"), "source_error")]


def test_a_store_that_cannot_be_written_degrades_the_night(site: Site) -> None:
    site.store.write_text("a file where the folder should be")
    night = site.night()
    assert night.kinds_of_jobs() == FORECASTS
    assert "is not kept" in night.details("intensity_store")
    assert night.outcome.exit_status(strict=True, fail_over_budget=True) == 3


def test_a_damaged_file_of_the_store_is_left_out_and_named(site: Site) -> None:
    site.night()
    (stored,) = (site.store / "intensity").rglob("*.parquet")
    stored.chmod(stored.stat().st_mode | stat.S_IWUSR)
    stored.write_bytes(stored.read_bytes()[:-10])
    night = site.night(AS_OF + timedelta(hours=1))
    assert night.events("intensity_store") == [(stored.name, "unreadable_file")]
    assert night.kinds_of_jobs() == FORECASTS


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_looks_from_this_hour_and_says_by_its_exit_status_whether_the_night_is_degraded(
    tmp_path: Path, token: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with live_site(tmp_path, as_of_utc=this_hour(), token=token) as site:
        assert main(arguments(site)) == 0
        said = json.loads(capfd.readouterr().out)
        assert (said["status"], said["degraded"], said["events"]) == ("published", False, [])
        site.grid.misbehave("FR", "echo_token")
        shutil.rmtree(site.store / "intensity")  # else nothing is asked within the hour
        assert main(arguments(site, "--strict")) == 3
        out, err = capfd.readouterr()
        assert {event["subject"] for event in json.loads(out)["events"]} == {"FR"}
        assert (site.out / "v1/latest/rec_job/part-0.parquet").exists()
        assert places_of(token, texts=[out, err, caplog.text], folders=[tmp_path]) == []


def test_a_dry_run_asks_nothing_and_writes_nothing(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(site, "--dry-run")) == 0
    assert json.loads(capfd.readouterr().out)["status"] == "dry_run"
    assert site.grid.requests == site.files.requests == []
    assert not site.out.exists()
    assert not site.store.exists()


def test_a_token_that_no_header_may_carry_stops_the_run_and_is_not_repeated(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "em-live two words")
    assert main(arguments(site)) == 2
    out, err = capfd.readouterr()
    assert "the token holds spaces" in err
    assert places_of("em-live two words", texts=[out, err], folders=[site.folder]) == []
    assert not site.out.exists()


@pytest.mark.slow
def test_a_process_of_its_own_publishes_a_degraded_night_without_the_token_in_anything_it_leaves(
    tmp_path: Path, token: str
) -> None:
    with live_site(tmp_path, as_of_utc=this_hour(), token=token) as site:
        site.grid.misbehave("FR", "plan")
        words: list[Any] = [sys.executable, "-X", "dev", "-c", _DEBUG_RUN, *arguments(site)]
        home = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "default"}
        ran = subprocess.run(words, capture_output=True, text=True, env=os.environ | home, check=False)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["degraded"]
        assert "connect_tcp.started" in ran.stderr  # the logs are those of the HTTP client too
        assert "ResourceWarning" not in ran.stderr
        assert places_of(token, texts=[ran.stdout, ran.stderr], folders=[tmp_path]) == []
        assert list(tmp_path.glob("opencarbon-*")) == []


_DEBUG_RUN = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from opencarbon.cli import main
sys.exit(main(sys.argv[1:]))
"""
