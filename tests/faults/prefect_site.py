"""A Prefect server and its workers in processes of their own on loopback: to be killed, stopped and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

import httpx

from tests.grid_server import TOKEN
from tests.prefect_database import put_database

ROOT: Final = Path(__file__).parents[2]
POOL: Final = "faults"
DEPLOYMENT: Final = "nightly/nightly"
ENDED: Final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""Types of states that a run does not leave."""

_PATIENCE_S: Final = 300
_YAML: Final = f"""
name: faults
pull: null
deployments:
  - name: nightly
    entrypoint: flows/nightly.py:nightly
    work_pool: {{name: {POOL}}}
"""
_Found = TypeVar("_Found")


def until(look: Callable[[], _Found | None], what: str, *, seconds: float = _PATIENCE_S) -> _Found:
    """Look again and again until something is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"no {what} within {seconds:.0f} s")


def environment(home: Path, api_url: str) -> dict[str, str]:
    """Environment of everything that speaks to the server: nothing of the developer's."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "OPENCARBON_"))
    }
    work = home / "tmp"
    work.mkdir(parents=True, exist_ok=True)
    return kept | {
        "DO_NOT_TRACK": "1",
        "OPENCARBON_ELECTRICITY_MAPS__TOKEN": TOKEN,
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(home),
        "PREFECT_LOGGING_EXTRA_LOGGERS": "opencarbon",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(work),
    }


class Process:
    """A process in a session of its own, whose whole session is ended with it."""

    def __init__(self, words: list[str], *, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as told:
            self._process = subprocess.Popen(
                words,
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """What it said of its failure, if it failed."""
        return self.log.read_text(errors="replace")[-600:] if self.status else ""

    def wait(self, seconds: float = _PATIENCE_S) -> int:
        """Exit status, when it has ended."""
        return self._process.wait(seconds)

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it and what it started in its session."""
        kill_session(self.pid, how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            kill_session(self.pid, signal.SIGKILL)
            self._process.wait()


def kill_session(pid: int, how: signal.Signals) -> None:
    """Signal a process, and all of the session it leads if it leads one; nothing where it has ended."""
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, how)
        else:
            os.kill(pid, how)


@dataclass
class PrefectSite:
    """A server on a free port with a database of its own, a deployment, and as many workers as are wanted."""

    folder: Path
    port: int = 0
    server: Process | None = None
    workers: list[Process] = field(default_factory=list)
    deployment_id: str = ""

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def env(self) -> dict[str, str]:
        return environment(self.folder / "home", self.api_url)

    def __enter__(self) -> Self:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # as a shell sets it for what runs in the background: a worker ends its runs by this signal
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        put_database(self.folder / "home/prefect.db")
        try:
            self.start_server()
            self._deploy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        for process in (*self.workers, *([self.server] if self.server else [])):
            process.end()

    def start_server(self) -> None:
        """Start the server, on the port and the database it had."""
        words = [*_prefect("server", "start"), "--host", "127.0.0.1", "--port", str(self.port), "--no-ui"]
        self.server = Process(words, env=self.env, log=self.folder / "server.log")
        until(self._is_healthy, f"server, see {self.folder / 'server.log'}")

    def stop_server(self, how: signal.Signals) -> None:
        """End the server."""
        assert self.server is not None
        self.server.end(how)

    def start_worker(self) -> Process:
        """Start one more worker."""
        words = [*_prefect("worker", "start"), "--pool", POOL, "--type", "process"]
        worker = Process(words, env=self.env, log=self.folder / "worker.log")
        self.workers.append(worker)
        return worker

    def ensure_workers(self, count: int) -> None:
        """Have so many workers at work."""
        self.workers = [worker for worker in self.workers if worker.status is None]
        for worker in self.workers[count:]:
            worker.end(signal.SIGTERM)
        for _ in range(count - len(self.workers)):
            self.start_worker()

    def trigger(self, parameters: Mapping[str, Any]) -> str:
        """Ask for a run of the deployment; gives its id."""
        body = {
            "parameters": dict(parameters),
            "state": {"type": "SCHEDULED"},
            "idempotency_key": uuid4().hex,
        }
        asked = self.call("POST", f"/deployments/{self.deployment_id}/create_flow_run", json=body)
        return str(asked["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """A run as the server knows it."""
        found: dict[str, Any] = self.call("GET", f"/flow_runs/{run_id}")
        return found

    def wait(self, run_id: str, *, seconds: float = _PATIENCE_S) -> dict[str, Any]:
        """A run that has ended."""

        def ended() -> dict[str, Any] | None:
            found = self.run(run_id)
            return found if found["state_type"] in ENDED else None

        return until(ended, f"end of run {run_id}, see {self.folder / 'worker.log'}", seconds=seconds)

    def wait_started(self, run_id: str) -> int:
        """Id of the process of a run, when it has one."""

        def started() -> str | None:
            found = self.run(run_id)
            if found["state_type"] in ENDED:
                raise RuntimeError(f"run {run_id} ended too soon: {found['state']}")
            pid = found["infrastructure_pid"]
            return str(pid) if pid and found["state_type"] == "RUNNING" else None

        return int(until(started, f"process of run {run_id}").rpartition(":")[2])

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Ask the API of the server, again where it or its database is busy."""

        def asked() -> httpx.Response | None:
            try:
                answer = httpx.request(method, f"{self.api_url}{path}", timeout=60, **options)
            except httpx.TransportError:
                return None
            return None if answer.status_code == 503 else answer

        return until(asked, f"answer to {path}").raise_for_status().json()

    def _is_healthy(self) -> bool:
        assert self.server is not None
        if self.server.status is not None:
            raise RuntimeError(f"the server ended: {self.server.log.read_text()[-2000:]}")
        try:
            return httpx.get(f"{self.api_url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _deploy(self) -> None:
        self.call("POST", "/work_pools/", json={"name": POOL, "type": "process"})
        yaml = self.folder / "prefect.yaml"
        yaml.write_text(_YAML)
        words = [*_prefect("--no-prompt", "deploy"), "--prefect-file", str(yaml), "--all"]
        subprocess.run(words, cwd=ROOT, env=self.env, check=True, capture_output=True, timeout=_PATIENCE_S)
        self.deployment_id = self.call("GET", f"/deployments/name/{DEPLOYMENT}")["id"]


def _prefect(*words: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *words]
