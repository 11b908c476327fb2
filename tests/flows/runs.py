"""Runs of the nightly flow in this process, and what the server keeps of them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import State

from flows.nightly import nightly
from opencarbon.publishing.parquet import read_table
from tests.live.nights import Site


def asked(site: Site, **more: Any) -> dict[str, Any]:
    """Parameters of a run, as a deployment would hold them."""
    site.set("publish", root=str(site.out))
    return {"manifest": [str(site.queue)], "config_path": str(site.config())} | more


def run(site: Site, **more: Any) -> State[Any]:
    state: State[Any] = nightly(**asked(site, **more), return_state=True)
    return state


def flow_run_id(state: State[Any]) -> UUID:
    found = state.state_details.flow_run_id
    assert found is not None
    return found


def artifacts(client: SyncPrefectClient, run_id: UUID) -> dict[str, Any]:
    """Data of the artifacts of a run by key."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    return {made.key: made.data for made in client.read_artifacts(artifact_filter=of_run) if made.key}


def logs(client: SyncPrefectClient, run_id: UUID, *, until: Callable[[str], bool]) -> str:
    """What was logged to the server, which takes it in batches."""
    of_run = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]))
    for _ in range(100):
        text = "\n".join(log.message for log in client.read_logs(of_run, limit=200))
        if until(text):
            break
        time.sleep(0.1)
    return text


def published(site: Site) -> list[Path]:
    return sorted((site.out / "v1/runs").glob("*")) if site.out.exists() else []


def rows_of(directory: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(directory, table).to_pylist()
    return rows
