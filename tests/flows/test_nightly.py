"""The nightly flow on a real Prefect server."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ParameterTypeError, SignatureMismatchError
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, get_current_settings
from prefect.states import Scheduled

from flows.nightly import nightly
from opencarbon.cli import main
from opencarbon.cli.tables import artifact_rows
from opencarbon.pipeline.summary import summary_of_run
from opencarbon.sources.places import Place
from tests.connections import recorded
from tests.flows.runs import artifacts, asked, flow_run_id, logs, published, rows_of, run
from tests.grid_server import TOKEN
from tests.live.leaks import places_of
from tests.live.nights import Site, this_hour

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow  # the server takes its time to start


def scheduled(client: SyncPrefectClient, start: datetime, parameters: dict[str, Any]) -> FlowRun:
    """A run that the scheduler planned for a time, done now."""
    planned = client.create_flow_run(nightly, parameters=parameters, state=Scheduled(scheduled_time=start))
    planned = client.read_flow_run(planned.id)
    run_flow(nightly, flow_run=planned, parameters=planned.parameters, return_type="state")
    return client.read_flow_run(planned.id)


def tables(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*.parquet")}


# --- what it publishes -----------------------------------------------------------------------------------------------


def test_the_flow_publishes_the_very_bytes_of_the_command(site: Site) -> None:
    hour, second = this_hour(), site.folder / "more.parquet"
    jobs = pq.read_table(site.queue)
    ids = pa.array([f"{job}-again" for job in jobs["job_id"].to_pylist()])
    pq.write_table(jobs.set_column(0, "job_id", ids), second)  # a second file is a second partition
    done = site.folder / "done.csv"
    done.write_text(
        "job_id,started_utc,finished_utc,region\nx,2026-01-01T00:00Z,2026-01-01T01:00Z,aws:eu-west-3\n"
    )
    state = run(site, manifest=[str(site.queue), str(second)], as_of=hour, completed=[str(done)])
    assert state.is_completed()
    (by_flow,) = published(site)
    by_command = site.folder / "command"
    settings = ["--config", str(site.config()), "--as-of", hour.isoformat(), "--out", str(by_command)]
    settings += ["--completed", str(done)]
    assert main(["run", "--json", *settings, "--manifest", str(site.queue), str(second)]) == 0
    (directory,) = (by_command / "v1/runs").iterdir()
    assert directory.name == by_flow.name
    assert tables(directory) == tables(by_flow)
    kinds = [row["intensity_kind"] for row in rows_of(by_flow, "fact_job_estimate")]
    assert kinds == ["forecast"] * 8
    assert "never_advised" in {row["code"] for row in rows_of(by_flow, "run_event")}


def test_the_flow_allocates_capacity_as_the_command_does(site: Site) -> None:
    hour, free = this_hour(), site.folder / "free.csv"
    free.write_text("region,device,devices\naws:eu-west-3,A100 40GB,8\naws:eu-north-1,A100 40GB,4\n")
    site.set("plan", capacities=[str(free)])
    state = run(site, as_of=hour, offline=True)
    assert state.is_completed()
    (by_flow,) = published(site)
    by_command = site.folder / "command"
    settings = ["--config", str(site.config()), "--as-of", hour.isoformat(), "--offline"]
    assert main(["run", "--json", *settings, "--manifest", str(site.queue), "--out", str(by_command)]) == 0
    assert tables(by_flow) == tables(by_command / "v1/runs" / by_flow.name)
    jobs = {row["job_id"]: row["plan_status"] for row in rows_of(by_flow, "rec_job")}
    assert jobs["moves"] == "ok"
    assert set(jobs.values()) == {"ok", "no_capacity"}
    assert "allocation" in {row["code"] for row in rows_of(by_flow, "run_event")}


def test_the_artifacts_hold_the_advice_and_the_night_in_brief(site: Site, client: SyncPrefectClient) -> None:
    state = run(site)
    made = artifacts(client, flow_run_id(state))
    (directory,) = published(site)
    rows = json.loads(made["nightly-advice"])
    assert artifact_rows(summary_of_run(Place.of(directory))) == rows
    assert {row["job"]: row["where"] for row in rows}["moves"] == "aws:eu-north-1"
    assert directory.name in made["nightly-summary"]
    assert "4 jobs read" in made["nightly-summary"]


def test_a_degraded_night_completes_and_its_summary_says_why(site: Site, client: SyncPrefectClient) -> None:
    site.grid.misbehave("FR", "plan")
    state = run(site)
    assert state.is_completed()
    summary = artifacts(client, flow_run_id(state))["nightly-summary"]
    assert "the plan of the token does not cover this" in summary


def test_the_same_night_again_changes_nothing_and_prefect_keeps_no_result(site: Site) -> None:
    hour, storage = this_hour(), PREFECT_HOME.value() / "storage"
    before = set(storage.glob("*"))  # Prefect keeps the errors of runs that failed
    outcomes = [run(site, as_of=hour).result() for _ in range(2)]
    assert [outcome.status for outcome in outcomes] == ["published", "unchanged"]
    assert len(published(site)) == 1
    assert set(storage.glob("*")) == before


def test_a_dry_run_leaves_artifacts_and_publishes_nothing(site: Site, client: SyncPrefectClient) -> None:
    state = run(site, dry_run=True)
    assert "dry run" in artifacts(client, flow_run_id(state))["nightly-summary"]
    assert published(site) == []
    assert site.grid.requests == site.files.requests == []


def test_a_night_without_a_saving_has_an_empty_table(site: Site, client: SyncPrefectClient) -> None:
    site.grid.intensity = lambda zone, hour: 100.0
    site.set("plan", min_saving_pct=99)
    made = artifacts(client, flow_run_id(run(site)))
    assert json.loads(made["nightly-advice"]) == []


# --- parameters ------------------------------------------------------------------------------------------------------


def test_as_of_is_the_scheduled_start_floored_to_the_hour(site: Site, client: SyncPrefectClient) -> None:
    expected = this_hour() - timedelta(hours=5)
    done = scheduled(client, expected + timedelta(minutes=34), asked(site, offline=True))
    assert done.state is not None
    assert done.state.is_completed()
    assert f"nightly-{expected:%Y%m%dT%H%MZ}" == done.name
    (directory,) = published(site)
    assert [expected] == [row["as_of_utc"] for row in rows_of(directory, "dim_run")]


def test_parameters_of_a_deployment_are_text_and_as_of_keeps_its_minutes(
    site: Site, client: SyncPrefectClient
) -> None:
    done = scheduled(client, datetime.now(UTC), asked(site, as_of="2026-11-16T02:30:00+01:00", offline=True))
    assert done.name == "nightly-20261116T0130Z"
    (directory,) = published(site)
    assert directory.name.startswith("20261116T0130Z-")


def test_a_moment_of_prefects_own_kind_is_as_good_as_a_plain_one(site: Site) -> None:
    moment = flow_run.scheduled_start_time  # outside of a run, now
    assert type(moment) is not datetime
    assert run(site, as_of=moment).is_completed()
    assert [path.name[:14] for path in published(site)] == [f"{moment:%Y%m%dT%H%MZ}"]


@pytest.mark.parametrize("as_of", ["2026-11-16T00:00:00", "2026-11-16", "noon"])
def test_an_as_of_without_a_time_zone_fails_the_run_before_it_begins(
    site: Site, client: SyncPrefectClient, as_of: str
) -> None:
    with pytest.raises(ParameterTypeError, match="as_of"):
        nightly.validate_parameters(asked(site, as_of=as_of))
    done = scheduled(client, datetime.now(UTC), asked(site, as_of=as_of, offline=True))
    assert done.state is not None
    assert done.state.is_failed()
    assert published(site) == []


def test_parameters_are_checked_by_name_and_type(site: Site) -> None:
    assert nightly.validate_parameters(asked(site, profile="paper"))["profile"] == "paper"
    with pytest.raises(ParameterTypeError, match="manifest"):
        nightly.validate_parameters(asked(site, manifest=str(site.queue)))
    with pytest.raises(ParameterTypeError, match="profile"):
        nightly.validate_parameters(asked(site, profile="papyrus"))
    with pytest.raises(SignatureMismatchError):
        nightly.validate_parameters(asked(site, manifests=[]))


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_manifest_that_cannot_be_read_fails_the_run_and_publishes_nothing(site: Site) -> None:
    site.queue.write_bytes(b"not Parquet")
    state = run(site)
    assert state.is_failed()
    assert "jobs.parquet" in (state.message or "")
    assert published(site) == []
    assert not (site.out / "v1/latest").exists()


def test_an_unknown_setting_fails_the_run(site: Site) -> None:
    site.set("plan", top_q=3)
    state = run(site)
    assert state.is_failed()
    assert "plan.top_k" in (state.message or "")


# --- secrets and hosts -----------------------------------------------------------------------------------------------


def test_the_token_is_in_nothing_that_prefect_keeps_or_prints(
    site: Site,
    client: SyncPrefectClient,
    prefect_server: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("", "prefect", "opencarbon", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    site.grid.misbehave("DE", "echo_token", endpoint="forecast")
    site.grid.misbehave("FR", "server_error")
    good = run(site)
    site.queue.write_bytes(b"not Parquet")
    bad = run(site)
    assert [good.is_completed(), bad.is_failed()] == [True, True]
    said = logs(client, flow_run_id(good), until=lambda text: "published:" in text)
    said += logs(client, flow_run_id(bad), until=lambda text: "jobs.parquet" in text)
    made = json.dumps(artifacts(client, flow_run_id(good)))
    assert "auth-token: ***" in made
    runs = [client.read_flow_run(flow_run_id(state)).model_dump_json() for state in (good, bad)]
    texts = [said, made, *runs, caplog.text, *capfd.readouterr()]
    folders = [prefect_server, PREFECT_HOME.value(), site.folder]
    assert places_of(TOKEN, texts=texts, folders=folders) == []
    # the scan does see what Prefect keeps
    assert any("prefect-test.db" in place for place in places_of(str(site.queue), folders=[prefect_server]))


def test_the_token_of_a_secret_block_is_used_and_kept_encrypted(
    site: Site, prefect_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN")
    Secret(value=f"{TOKEN}\n").save("grid-token", overwrite=True)
    site.set("electricity_maps", secret_block="grid-token")
    assert run(site).is_completed()
    assert {TOKEN} == {request.headers["auth-token"] for request in site.grid.requests}
    (directory,) = published(site)
    assert rows_of(directory, "run_event") == []
    assert places_of(TOKEN, folders=[prefect_server, PREFECT_HOME.value(), site.folder]) == []


def test_a_secret_block_is_asked_for_where_a_live_run_has_no_other_token_and_has_to_exist(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.set("electricity_maps", secret_block="nowhere")
    assert run(site).is_completed()
    monkeypatch.delenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN")
    assert run(site, offline=True).is_completed()
    live = run(site)
    assert live.is_failed()
    assert "OPENCARBON_ELECTRICITY_MAPS__TOKEN" in (live.message or "")


def test_the_flow_asks_the_prefect_server_and_the_configured_hosts_alone(site: Site) -> None:
    match = re.fullmatch(r"http://(127\.0\.0\.1):(\d+)/api", str(PREFECT_API_URL.value()))
    assert match is not None
    server = (match[1], int(match[2]))
    with recorded() as hosts:
        assert run(site, offline=True).is_completed()
    assert hosts == {server}
    with recorded() as hosts:
        assert run(site).is_completed()
    assert hosts == {server, ("127.0.0.1", site.grid.port), ("127.0.0.1", site.files.port)}


def test_prefect_sends_no_telemetry(client: SyncPrefectClient) -> None:
    assert not get_current_settings().server.analytics_enabled
    assert os.environ["DO_NOT_TRACK"] == "1"
    said = client._client.get("/admin/settings").json()  # what the server itself goes by
    assert said["server"]["analytics_enabled"] is False


# --- as a script -----------------------------------------------------------------------------------------------------


def script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "flows/nightly.py", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=kept | environment, timeout=240, check=False
    )


def test_as_a_script_on_a_configured_server_an_error_is_one_readable_line(
    tmp_path: Path, prefect_server: Path
) -> None:
    ran = script(
        *("--manifest", str(tmp_path / "nowhere.parquet"), "--out", str(tmp_path / "out"), "--offline"),
        PREFECT_API_URL=str(PREFECT_API_URL.value()),
        PREFECT_HOME=str(tmp_path / "home"),
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert re.fullmatch(r"error: \S+nowhere\.parquet does not exist: .+\n", ran.stderr)


_RECORD = """
import os, sys
def note(event, arguments):
    if event == "socket.getaddrinfo":
        host, port = arguments[:2]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host, port = arguments[1][:2]
    else:
        return
    with open(os.environ["CONNECTIONS"], "a") as file:
        file.write(f"{host} {port}\\n")
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise PermissionError(host)
sys.addaudithook(note)
"""


def test_as_a_script_it_starts_a_server_of_its_own_prints_the_advice_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_RECORD)  # in every Python process that the script starts
    home, connections, out = tmp_path / "home", tmp_path / "connections", tmp_path / "out"
    ran = script(
        *("--manifest", "configs/example/jobs.parquet", "--config", "configs/example/opencarbon.toml"),
        *("--as-of", "2026-11-16T00:00:00Z", "--offline", "--out", str(out)),
        PREFECT_HOME=str(home),
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
        CONNECTIONS=str(connections),
        OPENCARBON_ELECTRICITY_MAPS__TOKEN=TOKEN,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Greatest savings" in ran.stdout
    assert "published run 20261116T0000Z-" in ran.stdout
    assert (out / "v1/latest/rec_job/part-0.parquet").exists()
    ((host, port),) = {tuple(line.split()) for line in connections.read_text().splitlines()}
    assert host == "127.0.0.1"
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0
    assert places_of(TOKEN, texts=[ran.stdout, ran.stderr], folders=[home, out]) == []
    assert places_of("nightly-20261116T0000Z", folders=[home]) != []
