"""The server of the tests as a user starts it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opencarbon.errors import SourceRateLimitError
from opencarbon.sources.electricity_maps.models import Asked
from opencarbon.sources.electricity_maps.requests import fetch_forecast, fetch_latest
from opencarbon.sources.http import Client
from opencarbon.sources.http_limits import HttpLimits
from tests.grid_server import FAULTS
from tests.grid_server.__main__ import main

ROOT = Path(__file__).parent.parent.parent
ONCE = HttpLimits(attempts=1)


@contextmanager
def started(*arguments: str) -> Iterator[dict[str, str]]:
    """What the command tells a user to set."""
    command = [sys.executable, "-m", "tests.grid_server", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        patience = threading.Timer(30, child.kill)
        patience.start()
        try:
            assert child.stdout is not None
            lines = list(iter(child.stdout.readline, "Interrupt to stop.\n"))
            words = (line.removeprefix("export ").strip().split("=", 1) for line in lines if "=" in line)
            yield {name: value for name, value in words}
        finally:
            patience.cancel()
            child.kill()


def test_the_server_that_is_started_does_what_it_was_told_and_says_how_to_reach_it() -> None:
    with started("--fault", "429:1,endpoint=latest", "--fault", "nulls,zone=FR") as told:
        assert set(told) == {
            "OPENCARBON_ELECTRICITY_MAPS__BASE_URL",
            "OPENCARBON_ELECTRICITY_MAPS__TOKEN",
        }
        url, token = told.values()
        with Client(url, token=token, limits=ONCE) as client:
            with pytest.raises(SourceRateLimitError):
                fetch_latest(client, Asked("DE", "lifecycle"))
            assert b'"carbonIntensity": null' in (fetch_latest(client, Asked("FR", "lifecycle")) or b"")
            body = fetch_forecast(client, Asked("DE", "lifecycle"), horizon_hours=6) or b""
            assert body.count(b"carbonIntensity") == 7


def test_help_lists_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for name, words in FAULTS.items():
        assert [name, *words.split()] in lines


@pytest.mark.parametrize(
    "fault", ["earthquake", "429:x", "nulls,place=FR", "nulls,zone", "nulls,endpoint=history2"]
)
def test_a_fault_that_is_not_known_is_refused(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--fault", fault])
    assert ended.value.code == 2
    assert fault in capsys.readouterr().err
