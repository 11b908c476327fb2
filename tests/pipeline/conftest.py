"""A small queue and its night, published once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencarbon.pipeline import Outcome
from tests.example import Release, write_queue
from tests.pipeline.nights import publish, settings_for
from tests.s3_server import S3, s3_server


@pytest.fixture(scope="session")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_queue(tmp_path_factory.mktemp("queue") / "queue.parquet")


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, queue: Path) -> Outcome:
    """The night of the queue, published once."""
    return publish(settings_for(tmp_path_factory.mktemp("first")), queue)


@pytest.fixture
def release(tmp_path: Path, first: Outcome) -> Release:
    """A copy of its release."""
    shutil.copytree(Path(first.directory.path).parents[2], tmp_path / "release", symlinks=True)
    return Release(tmp_path / "release")


@pytest.fixture(scope="session")
def _s3() -> Iterator[S3]:
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(_s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An S3 server that answers, and its keys in the environment."""
    for name, value in _s3.environment.items():
        monkeypatch.setenv(name, value)
    return _s3
