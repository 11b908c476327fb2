"""The hours of the grid and the device fits, stored by flows of their own, on a real Prefect server."""

import json
from datetime import timedelta

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State

from flows.ingest_grid import ingest_grid
from flows.refit import refit
from tests.flows.runs import artifacts, flow_run_id, published, rows_of, run
from tests.live.nights import Site, this_hour

pytestmark = pytest.mark.slow  # the server takes its time to start


def test_a_night_finds_what_was_ingested_and_refitted_and_asks_nothing_again(
    site: Site, client: SyncPrefectClient
) -> None:
    config = str(site.config())
    ingested: State = ingest_grid(config_path=config, return_state=True)
    refitted: State = refit(config_path=config, return_state=True)
    assert (ingested.name, refitted.name) == ("Completed", "Completed")
    said = artifacts(client, flow_run_id(ingested))
    assert said.keys() == {"ingest-grid-summary", "ingest-grid-problems", "ingest-grid-progress"}
    assert f"# Hours of {this_hour():%Y-%m-%d %H:%M} UTC" in said["ingest-grid-summary"]
    assert "past hours fetched" in said["ingest-grid-summary"]
    fitted = artifacts(client, flow_run_id(refitted))["refit-summary"]
    assert "devices fitted, 0 held" in fitted
    assert site.files.requests != []
    before = len(site.grid.requests), len(site.files.requests)
    assert run(site, as_of=this_hour()).is_completed()
    assert (len(site.grid.requests), len(site.files.requests)) == before
    (directory,) = published(site)
    assert {row["intensity_kind"] for row in rows_of(directory, "fact_job_estimate")} == {"forecast"}


def test_zones_with_a_problem_are_shown_and_the_others_are_stored(
    site: Site, client: SyncPrefectClient
) -> None:
    site.grid.misbehave("FR", "server_error")
    state: State = ingest_grid(config_path=str(site.config()), return_state=True)
    assert state.is_completed()
    rows = json.loads(artifacts(client, flow_run_id(state))["ingest-grid-problems"])
    assert "zone FR" in {row["of"] for row in rows}
    assert "zone DE" not in {row["of"] for row in rows}


def test_an_ingest_that_brings_nothing_since_the_service_refuses_fails(site: Site) -> None:
    site.grid.misbehave("*", "bad_token")
    state: State = ingest_grid(config_path=str(site.config()), return_state=True)
    assert state.is_failed()
    assert "token" in (state.message or "")


def test_an_ingest_without_a_token_completes_and_says_so(
    site: Site, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN")
    state: State = ingest_grid(config_path=str(site.config()), return_state=True)
    assert state.is_completed()
    assert "token" in artifacts(client, flow_run_id(state))["ingest-grid-summary"]
    assert site.grid.requests == []


def test_a_refit_of_an_hour_is_made_once(site: Site, client: SyncPrefectClient) -> None:
    moment = this_hour() - timedelta(hours=1)
    texts = []
    for _ in range(2):
        state: State = refit(config_path=str(site.config()), as_of=moment, return_state=True)
        assert state.is_completed()
        texts.append(artifacts(client, flow_run_id(state))["refit-summary"])
    assert "they were there before" not in texts[0]
    assert "they were there before" in texts[1]
    assert f"# Fits of {moment:%Y-%m-%d %H:%M} UTC" in texts[1]
