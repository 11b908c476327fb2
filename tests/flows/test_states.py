"""What a night ends in, what it shows on the way, and whom it waits for."""

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType

from opencarbon.pipeline import Night, steps
from opencarbon.pipeline.partition import estimate_partition
from opencarbon.publishing.local import LocalLayout, publisher_lock
from tests.flows.runs import artifacts, flow_run_id, published, rows_of, run
from tests.live.nights import Site, this_hour

pytestmark = pytest.mark.slow  # the server takes its time to start

DAY = timedelta(days=1)


def two_files(site: Site) -> list[str]:
    """A second file of the queue, with other jobs: each file is a partition."""
    second, jobs = site.folder / "more.parquet", pq.read_table(site.queue)
    ids = pa.array([f"{job}-again" for job in jobs["job_id"].to_pylist()])
    pq.write_table(jobs.set_column(0, "job_id", ids), second)
    return [str(site.queue), str(second)]


def break_partition(monkeypatch: pytest.MonkeyPatch, broken: int) -> None:
    def estimate(night: Night, partition: int) -> int:
        if partition == broken:
            raise OSError("the disk of the worker is gone")
        return estimate_partition(night, partition)

    monkeypatch.setattr(steps, "estimate_partition", estimate)


# --- states ----------------------------------------------------------------------------------------------------------


def test_a_night_older_than_the_published_one_completes_as_superseded(site: Site) -> None:
    hour = this_hour()
    newer = run(site, as_of=hour, offline=True)
    older = run(site, as_of=hour - DAY, offline=True)
    assert (newer.name, older.name) == ("Completed", "Superseded")
    assert older.is_completed()
    assert "a newer run stays the latest" in (older.message or "")
    assert older.result().status == "superseded"
    kept, latest = published(site)
    assert (site.out / "v1/latest").resolve() == latest
    assert older.result().run_id == kept.name


@pytest.mark.parametrize(("when_over", "kind"), [("fail", StateType.FAILED), ("flag", StateType.COMPLETED)])
def test_a_night_over_budget_publishes_first_and_then_says_so(
    site: Site, client: SyncPrefectClient, when_over: str, kind: StateType
) -> None:
    site.set("budget", run_kgco2e=0.001, when_over=when_over)
    for _ in range(2):  # the same night again is over budget again
        state = run(site, as_of=this_hour(), offline=True)
        assert (state.name, state.type) == ("OverBudget", kind)
    (directory,) = published(site)
    assert (site.out / "v1/latest").resolve() == directory
    assert f"{directory.name} was published before" in (state.message or "")
    assert "over budget: all jobs together" in (state.message or "")
    assert "over budget" in artifacts(client, flow_run_id(state))["nightly-summary"]


def test_a_superseded_night_is_not_over_budget(site: Site) -> None:
    run(site, as_of=this_hour(), offline=True)
    site.set("budget", run_kgco2e=0.001)
    assert run(site, as_of=this_hour() - DAY, offline=True).name == "Superseded"


# --- parts that fail -------------------------------------------------------------------------------------------------


def test_a_night_goes_on_without_a_partition_and_shows_which(
    site: Site, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = two_files(site)
    break_partition(monkeypatch, 1)
    site.grid.misbehave("FR", "plan")
    site.set("publish", max_rejected_pct=50)
    state = run(site, manifest=manifest)
    assert state.is_completed()
    (directory,) = published(site)
    rules = {row["rule_code"] for row in rows_of(directory, "rejected_job")}
    assert (rules, len(rows_of(directory, "rec_job"))) == ({"not_estimated"}, 4)
    rows = json.loads(artifacts(client, flow_run_id(state))["nightly-problems"])
    partition, *zones = rows
    assert partition == {
        "of": "partition 1",
        "cost": "4 jobs not estimated",
        "problem": "OSError: the disk of the worker is gone",
    }
    assert [row["of"] for row in zones] == ["zone FR"]
    assert "the plan of the token does not cover" in zones[0]["problem"]


def test_the_gate_keeps_a_night_without_half_of_its_jobs_from_being_published(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = two_files(site)
    break_partition(monkeypatch, 0)
    state = run(site, manifest=manifest, offline=True)
    assert state.is_failed()
    assert "publish.max_rejected_pct" in (state.message or "")
    assert "the disk of the worker is gone" in (state.message or "")
    assert published(site) == []


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_progress_and_the_place_of_the_release_are_shown(site: Site, client: SyncPrefectClient) -> None:
    state = run(site, manifest=two_files(site), offline=True)
    made = artifacts(client, flow_run_id(state))
    (directory,) = published(site)
    assert float(made["nightly-progress"]) == 100
    assert directory.as_uri() in made["nightly-release"]
    assert directory.name in made["nightly-release"]
    assert json.loads(made["nightly-problems"]) == []


def test_a_dry_run_has_no_place_to_show(site: Site, client: SyncPrefectClient) -> None:
    made = artifacts(client, flow_run_id(run(site, dry_run=True)))
    assert {"nightly-advice", "nightly-summary", "nightly-problems", "nightly-progress"} == made.keys()


def test_a_server_that_takes_no_artifacts_costs_no_night(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def refuse(*_: Any, key: str, **__: Any) -> None:
        asked.append(key)
        raise httpx.ConnectError("All connection attempts failed")

    for kind in ("table", "markdown", "link", "progress"):
        monkeypatch.setattr(f"flows.artifacts.create_{kind}_artifact", refuse)
    with caplog.at_level("WARNING", "opencarbon.flows"):
        state = run(site, manifest=two_files(site), offline=True)
    assert (state.name, len(published(site))) == ("Completed", 1)
    assert asked == ["nightly-progress", "nightly-advice"]
    assert caplog.text.count("not shown") == 2


def test_the_summary_tells_what_came_of_earlier_advice(site: Site, client: SyncPrefectClient) -> None:
    hour = this_hour()
    run(site, as_of=hour - DAY, offline=True)
    advised = {row["job_id"]: row for row in rows_of(published(site)[0], "rec_job")}["stays-fr"]
    start, region = advised["advised_start_utc"], advised["advised_region"]
    done = site.folder / "done.csv"
    done.write_text(
        "job_id,started_utc,finished_utc,region\n"
        f"stays-fr,{start.isoformat()},{(start + timedelta(hours=2)).isoformat()},{region}\n"
    )
    state = run(site, completed=[str(done)], as_of=hour, offline=True)
    assert "1 finished job" in artifacts(client, flow_run_id(state))["nightly-summary"]


# --- other publishers ------------------------------------------------------------------------------------------------


class _WhenTriedAgain(logging.Handler):
    """Does something when a task says that it will be tried again."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self.then = then
        self.times = 0

    def emit(self, record: logging.LogRecord) -> None:
        if "Retry" in record.getMessage():
            self.times += 1
            self.then()


def test_a_night_waits_while_another_publisher_is_at_work(site: Site) -> None:
    log = logging.getLogger("prefect.task_runs")
    with ExitStack() as other:
        layout = LocalLayout(site.out)
        other.enter_context(publisher_lock(layout, "20261101T0000Z-00000000", now_utc=datetime.now(UTC)))
        again = _WhenTriedAgain(other.close)
        log.addHandler(again)
        state = run(site, offline=True)
        log.removeHandler(again)
    assert (state.name, again.times) == ("Completed", 1)
    assert state.result().status == "published"
    assert len(published(site)) == 1


def test_what_would_fail_again_is_not_tried_again(site: Site) -> None:
    site.out.mkdir()
    (site.out / "v1").write_text("in the way")
    state = run(site, offline=True)
    assert state.is_failed()
    assert "v1" in (state.message or "")
