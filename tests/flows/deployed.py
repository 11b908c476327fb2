"""The deployments of ``configs/prefect.yaml`` on a Prefect server and a worker of the tests' own."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import backfill
from opencarbon.cli.calls import call
from tests.faults.prefect_site import ROOT, PrefectSite, Process, until
from tests.flows.webhook import Webhook

NAMES = ("ingest-grid/ingest-grid", "refit/refit", "nightly/nightly")


@dataclass
class Deployed(PrefectSite):
    """A server with everything deployed as the file says, and a worker when it is started."""

    hook: Webhook = field(default_factory=Webhook)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def env(self) -> dict[str, str]:
        own = {
            "OPENCARBON_NOTIFY__WEBHOOK_URL": self.hook.url,
            "OPENCARBON_PUBLISH__ROOT": str(self.out),
            "OPENCARBON_STORE__ROOT": str(self.folder / "store"),
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
            "PREFECT_SERVER_UI_ENABLED": "false",
        }
        without = {
            "PREFECT_LOGGING_EXTRA_LOGGERS",
            "DO_NOT_TRACK",
            "PYTHONPATH",
        }  # said by the file, or not needed
        return {name: value for name, value in super().env.items() if name not in without} | own

    def start_worker(self) -> Process:
        """Start a worker as an operator does."""
        words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "opencarbon", "--limit", "3"]
        worker = Process(words, env=self.env, log=self.folder / "worker.log")
        self.workers.append(worker)
        return worker

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment as the server knows it."""
        found: dict[str, Any] = self.call("GET", f"/deployments/name/{name}")
        return found

    def ask(self, name: str, **parameters: Any) -> str:
        """Ask for a run of a deployment; gives its id."""
        deployment = self.deployment(name)["id"]
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.call("POST", f"/deployments/{deployment}/create_flow_run", json=body)["id"])

    def runs(self, name: str, **states: Any) -> list[dict[str, Any]]:
        """Runs of a deployment."""
        of = {"deployments": {"name": {"any_": [name.partition("/")[2]]}}}
        found: list[dict[str, Any]] = self.call("POST", "/flow_runs/filter", json=of | {"flow_runs": states})
        return found

    def states(self, run_id: str) -> list[str]:
        """Names of the states that a run was in, one after the other."""
        history = self.call("GET", "/flow_run_states/", params={"flow_run_id": run_id})
        return [state["name"] for state in sorted(history, key=lambda state: state["timestamp"])]

    def artifacts(self, run_id: str) -> dict[str, Any]:
        """Data of the artifacts of a run by key."""
        of_run = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        return {made["key"]: made["data"] for made in self.call("POST", "/artifacts/filter", json=of_run)}

    def logs(self, run_id: str) -> list[dict[str, Any]]:
        """What a run logged."""
        of_run = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
        found: list[dict[str, Any]] = self.call("POST", "/logs/filter", json=of_run)
        return found

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a script of ``flows/``."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def backfill(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What ``flows/backfill.py`` does, without the seconds that another process needs to start."""
        out, err = io.StringIO(), io.StringIO()
        with temporary_settings({PREFECT_API_URL: self.api_url}), redirect_stdout(out), redirect_stderr(err):
            status = call(backfill.app, list(words))
        return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())

    def stop_schedules(self) -> None:
        """Leave the worker to the runs that tests ask for."""
        for name in NAMES:
            url = f"{self.api_url}/deployments/{self.deployment(name)['id']}"
            httpx.patch(url, json={"paused": True}, timeout=60).raise_for_status()

    def until_scheduled(self) -> None:
        """Wait for runs that the schedules make."""

        def is_scheduled(name: str) -> bool:
            return bool(self.runs(name, state={"type": {"any_": ["SCHEDULED"]}}))

        for name in NAMES:
            until(partial(is_scheduled, name), f"run of {name}", seconds=60)

    def _deploy(self) -> None:
        """The commands that the file tells the operator."""
        for words in (
            ["work-pool", "create", "--type", "process", "opencarbon"],
            ["--no-prompt", "deploy", "--prefect-file", "configs/prefect.yaml", "--all"],
        ):
            told = self.script("-m", "prefect", *words)
            assert told.returncode == 0, told.stdout + told.stderr
