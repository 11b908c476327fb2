"""Who is told what became of a night."""

import logging
from collections.abc import Iterator

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient

from tests.flows.runs import flow_run_id, logs, published, run
from tests.flows.webhook import SECRET, Webhook, webhook
from tests.live.leaks import places_of
from tests.live.nights import Site, this_hour

pytestmark = pytest.mark.slow  # the server takes its time to start

VARIABLE = "OPENCARBON_NOTIFY__WEBHOOK_URL"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook whose URL is in the environment."""
    with webhook() as made:
        monkeypatch.setenv(VARIABLE, made.url)
        yield made


def test_a_night_that_fails_is_told_with_its_reason(site: Site, hook: Webhook) -> None:
    site.queue.write_bytes(b"not Parquet")
    state = run(site, as_of=this_hour(), offline=True)
    (told,) = hook.told
    assert told.keys() == {"flow", "run", "state", "message", "as_of", "run_id", "url"}
    assert (told["flow"], told["state"], told["message"]) == ("nightly", "Failed", state.message)
    assert "jobs.parquet" in told["message"]
    assert told["run"] == f"nightly-{this_hour():%Y%m%dT%H%MZ}"
    assert told["as_of"] == f"{this_hour():%Y-%m-%dT%H:%M:%SZ}"
    assert told["run_id"] == str(flow_run_id(state))


@pytest.mark.parametrize("when_over", ["fail", "flag"])
def test_a_night_over_budget_is_told_once(site: Site, hook: Webhook, when_over: str) -> None:
    site.set("budget", run_kgco2e=0.001, when_over=when_over)
    run(site, offline=True)
    (told,) = hook.told
    assert told["state"] == "OverBudget"
    assert "over budget: all jobs together" in told["message"]


def test_a_good_night_and_one_that_is_superseded_are_not_told(site: Site, hook: Webhook) -> None:
    run(site, offline=True)
    run(site, as_of="2026-11-01T00:00:00Z", offline=True)
    assert len(published(site)) == 2
    assert hook.told == []


def test_settings_that_cannot_be_read_are_told_too(site: Site, hook: Webhook) -> None:
    site.set("plan", top_q=3)
    run(site, offline=True)
    (told,) = hook.told
    assert "plan.top_k" in told["message"]


def test_the_url_may_be_in_a_secret_block(site: Site, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    Secret(value=f"{hook.url}\n").save("webhook", overwrite=True)
    site.set("notify", secret_block="webhook")
    site.queue.write_bytes(b"not Parquet")
    run(site, offline=True)
    assert len(hook.told) == 1


@pytest.mark.parametrize(
    ("url", "status", "why"),
    [
        (None, 500, "it answered 500"),
        (None, 307, "it answered 307"),
        (f"http://127.0.0.1:1/{SECRET}", 204, "ConnectError"),
        (f"nonsense-{SECRET}", 204, "UnsupportedProtocol"),
        (f"http://127.0.0.1:port/{SECRET}", 204, "InvalidURL"),
    ],
)
def test_a_webhook_that_fails_changes_nothing_and_its_url_is_logged_nowhere(
    site: Site,
    hook: Webhook,
    client: SyncPrefectClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str | None,
    status: int,
    why: str,
) -> None:
    for name in ("", "prefect", "opencarbon", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    hook.status = status
    if url is not None:
        monkeypatch.setenv(VARIABLE, url)
    site.set("budget", run_kgco2e=0.001, when_over="flag")
    state = run(site, offline=True)
    assert (state.name, state.is_completed(), len(published(site))) == ("OverBudget", True, 1)
    said = logs(client, flow_run_id(state), until=lambda text: "webhook not told" in text)
    assert f"webhook not told: {why}" in said
    assert len(hook.told) == (url is None)
    assert places_of(SECRET, texts=[said, caplog.text], folders=[site.folder]) == []


@pytest.mark.timeout(60)
def test_a_webhook_whose_answer_never_ends_lets_the_run_end(site: Site, hook: Webhook) -> None:
    hook.is_endless = True
    site.queue.write_bytes(b"not Parquet")
    assert run(site, offline=True).is_failed()
    assert len(hook.told) == 1


def test_a_block_that_is_not_there_is_said_and_changes_nothing(site: Site, client: SyncPrefectClient) -> None:
    site.set("notify", secret_block="nowhere")
    site.set("budget", run_kgco2e=0.001, when_over="flag")
    state = run(site, offline=True)
    assert state.is_completed()
    said = logs(client, flow_run_id(state), until=lambda text: "webhook not told" in text)
    assert "the Secret block 'nowhere' of notify.secret_block does not exist" in said
