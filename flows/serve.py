"""All deployments of ``configs/prefect.yaml`` from one process, without a work pool and a worker.

    python flows/serve.py

serves them on the Prefect server that is configured, or on one that it starts on this machine. For production, deploy
them to a work pool instead, as ``configs/prefect.yaml`` says.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from flows import environment  # noqa: F401  # before Prefect, which reads it when it is imported

# isort: split
import httpx
import yaml
from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from prefect.schedules import Cron
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_API_HOST,
    PREFECT_SERVER_API_PORT,
    temporary_settings,
)

ROOT: Final = Path(__file__).parents[1]
"""Folder that entrypoints and parameters count from."""
DEPLOYMENTS: Final = ROOT / "configs/prefect.yaml"
_START_S: Final = 180.0
"""Longest wait for a server that makes its database on a busy machine [s]."""


def declared_deployments() -> list[dict[str, Any]]:
    """Deployments as ``configs/prefect.yaml`` declares them.

    Returns
    -------
    list of dict
    """
    declared: list[dict[str, Any]] = yaml.safe_load(DEPLOYMENTS.read_text(encoding="utf-8"))["deployments"]
    return declared


def served(declared: dict[str, Any]) -> RunnerDeployment:
    """A deployment that this process runs.

    Parameters
    ----------
    declared : dict

    Returns
    -------
    RunnerDeployment
    """
    flow: Flow[..., Any] = load_flow_from_entrypoint(declared["entrypoint"])
    made = flow.to_deployment(
        declared["name"],
        description=declared["description"],
        parameters=declared["parameters"],
        schedules=[
            Cron(plan["cron"], timezone=plan["timezone"], slug=plan["slug"], active=plan["active"])
            for plan in declared["schedules"]
        ],
        concurrency_limit=ConcurrencyLimitConfig(**declared["concurrency_limit"]),
        tags=declared["tags"],
        version=declared["version"],
    )
    return cast("RunnerDeployment", made)  # its type allows for callers that are asynchronous


@contextmanager
def some_server() -> Iterator[None]:
    """The server that is configured, or one on this machine that ends with this process.

    Yields
    ------
    None
    """
    if PREFECT_API_URL.value():
        yield
        return
    url = f"http://{PREFECT_SERVER_API_HOST.value()}:{PREFECT_SERVER_API_PORT.value()}/api"
    server = subprocess.Popen([sys.executable, "-m", "prefect", "server", "start"])
    try:
        _wait_for(f"{url}/health", server)
        os.environ["PREFECT_API_URL"] = url  # for the processes that runs are in
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    finally:
        server.terminate()
        server.wait()


def _wait_for(health: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(health, timeout=1).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit("error: the Prefect server did not start; start one, and set PREFECT_API_URL")


if __name__ == "__main__":
    os.chdir(ROOT)
    with some_server():
        serve(*(served(declared) for declared in declared_deployments()), pause_on_shutdown=False)
