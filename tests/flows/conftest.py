"""A Prefect server of the tests' own for the flows: a fresh database, no telemetry, nothing of the developer's."""

import atexit
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch

import pytest

# Before Prefect is imported: it would take the developer's server, profile and ./.env.
os.environ["PREFECT_API_URL"] = ""
os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "false"  # a flow outside the fixture below fails at once
os.environ["PREFECT_HOME"] = mkdtemp(prefix="opencarbon-prefect-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

import flows.environment  # noqa: F401, I001 - before Prefect: it switches telemetry off, which a test looks at
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from tests.live.nights import Site, live_site, set_token, this_hour
from tests.prefect_database import put_database


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[Path]:
    """A server in a process of its own; gives the folder of its database."""
    folder = Path(mkdtemp(prefix="opencarbon-prefect-"))
    put_database(folder / "prefect-test.db")
    # a flow that sends heartbeats takes a second longer to end
    with (
        patch("prefect.testing.utilities.mkdtemp", return_value=str(folder)),  # which it removes
        prefect_test_harness(server_startup_timeout=180),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield Path(PREFECT_SERVER_DATABASE_CONNECTION_URL.value().partition("///")[2]).parent


@pytest.fixture
def client(prefect_server: Path) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: Path) -> Iterator[Site]:
    """Servers of the sources at this hour, a queue, and the token in the environment."""
    level = logging.getLogger("opencarbon").level
    with live_site(tmp_path, as_of_utc=this_hour(), token=set_token(monkeypatch)) as made:
        yield made
    logging.getLogger("opencarbon").setLevel(level)
