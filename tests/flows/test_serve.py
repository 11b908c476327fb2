"""All deployments from one command, on a server of its own."""

import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.prefect_site import Process, environment, until
from tests.flows.deployed import NAMES
from tests.prefect_database import put_database

pytestmark = pytest.mark.slow  # the server takes its time to start


def test_one_command_serves_all_deployments_with_their_schedules_and_ends_with_its_server(
    tmp_path: Path,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    put_database(tmp_path / "home/prefect.db")
    env = environment(tmp_path / "home", "") | {
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_RUNNER_POLL_FREQUENCY": "600",  # runs are for the tests of the worker
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    serving = Process([sys.executable, "flows/serve.py"], env=env, log=tmp_path / "serve.log")

    def scheduled(name: str) -> list[Any] | None:
        of = {"deployments": {"name": {"any_": [name.partition("/")[2]]}}}
        try:
            found: list[Any] = httpx.post(f"{api}/flow_runs/filter", json=of, timeout=60).json()
        except httpx.TransportError:  # the server is not there yet
            return None
        return found or None

    try:
        for name in NAMES:
            runs = until(partial(scheduled, name), f"run of {name}, see {serving.log}")
            assert {run["state_type"] for run in runs} == {"SCHEDULED"}
            deployment = httpx.get(f"{api}/deployments/name/{name}", timeout=60).json()
            assert deployment["global_concurrency_limit"]["limit"] == 1
            assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
            assert (deployment["version"], deployment["tags"]) == ("0.1.0", ["opencarbon"])
            (schedule,) = deployment["schedules"]
            assert schedule["schedule"]["timezone"] == "UTC"
            assert schedule["slug"]
        os.kill(serving.pid, signal.SIGTERM)
        assert serving.wait(60) in (0, 143)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        serving.end()
