"""The example queue, published, and what tests ask of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.publishing.parquet import read_table
from tests.made_once import made_once

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "configs/example"
AS_OF = "2026-11-16T00:00:00Z"


@dataclass(frozen=True)
class Release:
    """A release that was published to a folder."""

    root: Path

    @property
    def latest(self) -> Path:
        """Folder of the newest run."""
        return self.root / "v1/latest"

    def table(self, name: str) -> pa.Table:
        """A table of the newest run."""
        return read_table(self.latest, name)

    def frame(self, name: str) -> Any:
        """A table of the newest run as a pandas frame; its stubs give up on labels, so that it goes without a type."""
        return self.table(name).to_pandas()

    def ask(self, question: str) -> Any:
        """The answer of DuckDB as a pandas frame, paths being relative to the newest run."""
        with duckdb.connect() as connection:
            connection.execute(f"SET file_search_path = '{self.latest.resolve()}'")
            connection.execute("SET TimeZone = 'UTC'")
            return connection.sql(question).to_arrow_table().to_pandas()


def example_arguments(out: Path) -> list[str]:
    """Arguments of ``opencarbon run`` and of the flow for the example queue, offline."""
    return [
        *("--manifest", str(EXAMPLE / "jobs.parquet"), "--config", str(EXAMPLE / "opencarbon.toml")),
        *("--as-of", AS_OF, "--offline", "--out", str(out)),
    ]


@contextmanager
def own_store(folder: Path) -> Iterator[None]:
    """Keep a run away from the store and the settings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENCARBON_STORE__ROOT", str(folder))
        yield


def publish_example(out: Path, *more: str) -> Release:
    """Publish the example queue; an error fails the test."""
    with own_store(out.parent / f"{out.name}-store"):
        status = main(["run", *example_arguments(out), *more])
    assert 0 == status, f"the example was not published: exit status {status}"
    return Release(out)


def write_queue(path: Path, **columns: Any) -> Path:
    """Write three short jobs of known hours, with columns changed, added, or left out where None is given."""
    jobs: dict[str, Any] = {
        "job_id": ["one", "two", "three"],
        "device": ["NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB", "NVIDIA A100 SXM4 80GB"],
        "device_count": [8.0, 16.0, 8.0],
        "wall_hours": [5.0, 12.0, 3.5],
        "current_region": ["aws:us-east-1", "aws:eu-central-1", "aws:eu-central-1"],
        "team": ["chat", "vision", "chat"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({name: values for name, values in (jobs | columns).items() if values is not None}), path
    )
    return path


def tree(*folders: Path) -> dict[str, bytes | str | None]:
    """Everything below folders: content of files, targets of links, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                found[str(path)] = str(path.readlink())
            else:
                found[str(path)] = path.read_bytes() if path.is_file() else None
    return found


def example_once(factory: pytest.TempPathFactory) -> Release:
    """The example queue, published offline by the first who asks."""
    return made_once(factory, "example", lambda folder: publish_example(folder / "release"))
