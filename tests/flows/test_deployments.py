"""The deployments of ``configs/prefect.yaml``: what they ask for, and how they go on a real server and worker."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import pytest
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from flows.serve import declared_deployments
from opencarbon.cli.tables import artifact_rows
from opencarbon.pipeline.summary import summary_of_run
from opencarbon.sources.places import Place
from tests.faults.prefect_site import ROOT, until
from tests.flows.deployed import NAMES, Deployed
from tests.flows.webhook import SECRET, webhook
from tests.grid_server import TOKEN
from tests.live.leaks import places_of
from tests.live.nights import Site, live_site, this_hour

DAY = timedelta(days=1)
DECLARED = {declared["name"]: declared for declared in declared_deployments()}


# --- what the file says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECLARED)
def test_parameters_are_those_of_the_flow_and_name_files_that_are_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    declared = DECLARED[name]
    flow: Flow[..., Any] = load_flow_from_entrypoint(declared["entrypoint"])
    flow.validate_parameters(declared["parameters"])
    if name != "ingest-grid":  # which fetches what there is now
        flow.validate_parameters(declared["parameters"] | {"as_of": "2026-11-16T00:00:00Z"})
    assert f"{flow.name}/{name}" in NAMES
    for path in (declared["parameters"]["config_path"], *declared["parameters"].get("manifest", [])):
        assert (ROOT / path).is_file()


def test_every_deployment_has_one_run_at_a_time_a_schedule_in_utc_a_version_and_a_tag() -> None:
    assert len(DECLARED) == len(NAMES)
    for declared in DECLARED.values():
        (schedule,) = declared["schedules"]
        minute = int(schedule["cron"].split()[0])
        assert schedule["slug"].endswith(f"{minute:02}")
        assert (schedule["timezone"], schedule["active"]) == ("UTC", True)
        assert declared["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
        assert declared["version"] == version("opencarbon")
        assert declared["tags"] == ["opencarbon"]
        assert declared["work_pool"]["job_variables"]["env"]["PREFECT_LOGGING_EXTRA_LOGGERS"] == "opencarbon"


# --- on a server and a worker ----------------------------------------------------------------------------------------


@dataclass
class Story:
    """What was asked for, and what came of it."""

    deployed: Deployed
    site: Site
    newest: str
    late: list[str]
    backfills: list[str]
    broken: str
    killed: str

    def run(self, run_id: str) -> dict[str, Any]:
        return self.deployed.run(run_id)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All at once: the newest night and three late ones, a refit that fails, an ingest that is killed."""
    folder = tmp_path_factory.mktemp("deployed")
    with (
        webhook() as hook,
        live_site(folder, as_of_utc=this_hour(), token=TOKEN) as site,
        Deployed(folder / "prefect", hook=hook) as deployed,
    ):
        deployed.until_scheduled()
        deployed.stop_schedules()
        deployed.start_worker()
        newest = deployed.ask("nightly/nightly")
        broken = deployed.ask("refit/refit", config_path=str(folder / "nowhere.toml"))
        site.grid.misbehave("DE", "hang")
        killed = deployed.ask("ingest-grid/ingest-grid", config_path=str(site.config()))
        os.kill(deployed.wait_started(killed), signal.SIGKILL)
        until(
            lambda: deployed.run(newest)["state_type"] not in ("SCHEDULED", "PENDING"), "start of the night"
        )
        today = this_hour().replace(hour=0)
        words = ("--from", f"{today - 3 * DAY:%Y-%m-%d}T06:00Z", "--to", f"{today - DAY:%Y-%m-%d}")
        asked = deployed.script("flows/backfill.py", *words)
        asked_again = deployed.backfill(*words)
        assert (asked.returncode, asked_again.returncode) == (0, 0), (asked, asked_again)
        late = [run["id"] for run in deployed.runs("nightly/nightly") if run["id"] != newest]
        for run_id in (newest, *late, broken, killed):
            deployed.wait(run_id)
        told = [asked.stdout, asked_again.stdout]
        yield Story(deployed, site, newest, late, told, broken, killed)


@pytest.mark.slow
class TestOnAServerAndAWorker:
    def test_a_run_publishes_the_example_with_the_parameters_as_they_stand(self, story: Story) -> None:
        run = story.run(story.newest)
        # one job of the example is over its budget on purpose, and its settings only flag that
        assert (run["state_type"], run["state_name"]) == ("COMPLETED", "OverBudget")
        latest = (story.deployed.out / "v1/latest").resolve()
        assert latest.name.startswith(f"{this_hour():%Y%m%d}")
        made = story.deployed.artifacts(story.newest)
        assert json.loads(made["nightly-advice"]) == artifact_rows(summary_of_run(Place.of(latest)))
        assert latest.name in made["nightly-summary"]
        assert latest.name in made["nightly-release"]
        assert f"{latest.name}/report.html" in made["nightly-report"]
        assert (latest / "report.html").is_file()
        assert float(made["nightly-progress"]) == 100

    def test_what_the_library_logs_is_kept_by_the_server(self, story: Story) -> None:
        def published() -> bool:
            told = story.deployed.logs(story.newest)
            return any(
                one["name"].startswith("opencarbon.") and "published:" in one["message"] for one in told
            )

        until(published, "line of opencarbon among the logs of the run", seconds=30)

    def test_late_nights_wait_for_their_turn_and_leave_the_newest_published(self, story: Story) -> None:
        assert len(story.late) == 3
        ended = [story.run(run_id) for run_id in story.late]
        assert {run["state_type"] for run in ended} == {"COMPLETED"}
        assert {run["state_name"] for run in ended} == {"Superseded"}
        waited = [
            run_id for run_id in story.late if "AwaitingConcurrencySlot" in story.deployed.states(run_id)
        ]
        assert waited
        runs = sorted(path.name for path in (story.deployed.out / "v1/runs").iterdir())
        assert len(runs) == 4
        assert (story.deployed.out / "v1/latest").resolve().name == runs[-1]

    def test_days_that_were_asked_for_are_not_asked_for_again(self, story: Story) -> None:
        first, again = ([line.split()[:3] for line in told.splitlines()[2:]] for told in story.backfills)
        assert len(first) == 3
        assert first == again
        days = sorted(story.run(run_id)["parameters"]["as_of"][:10] for run_id in story.late)
        assert [day for day, *_ in first] == days

    def test_a_deployment_of_the_present_or_none_at_all_cannot_be_asked_for_days(self, story: Story) -> None:
        days = ("--from", "2026-11-10", "--to", "2026-11-10")
        for name, why in (("ingest-grid/ingest-grid", "takes no as_of"), ("nightly", "has no deployment")):
            told = story.deployed.backfill(*days, "--deployment", name)
            assert (told.returncode, told.stdout) == (2, "")
            assert why in told.stderr

    def test_runs_that_fail_crash_or_are_over_budget_are_told_once(self, story: Story) -> None:
        hook = story.deployed.hook
        until(lambda: len(hook.told) >= 3, "word of three runs", seconds=30)
        told = {one["run_id"]: one for one in hook.told}
        assert len(hook.told) == 3
        assert told.keys() == {story.newest, story.broken, story.killed}
        assert told[story.newest]["state"] == "OverBudget"
        failed, crashed = told[story.broken], told[story.killed]
        assert (failed["flow"], failed["state"]) == ("refit", "Failed")
        assert "nowhere.toml" in failed["message"]
        assert (crashed["flow"], crashed["state"]) == ("ingest-grid", "Crashed")

    def test_no_secret_is_kept_or_logged(self, story: Story) -> None:
        # while a run is at work, Prefect's worker keeps its environment in a file of its own, which others cannot read
        until(lambda: not list(story.deployed.folder.rglob("workspace.json")), "end of all runs", seconds=30)
        for secret in (TOKEN, SECRET):
            assert places_of(secret, folders=[story.site.folder]) == []
