"""A small site of many nights: a queue of some hundred jobs, live intensities on loopback, a release and a store."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from tests.faults.checker import MINUTE, Reader
from tests.faults.prefect_site import ROOT, PrefectSite, Process
from tests.grid_server import TOKEN, ElectricityMapsServer, FileServer
from tests.live.nights import ACCESS, ASKED, REGIONS, intensity
from tests.s3_server import S3

JOBS: Final = 300
PARTITIONS: Final = 3
_EPOCH: Final = ROOT / "tests/data/epoch_ai/models_2025.csv"
_DEVICES: Final = ("NVIDIA A100 SXM4 40GB", "H100", "NVIDIA V100 SXM2 16GB")
_SPAN: Final = timedelta(minutes=110)
"""How long ago the first night looks from: a fetch is kept for two hours."""


@dataclass
class World:
    """Nights over one release, each a minute after the one before.

    Parameters
    ----------
    folder : Path
    base_url, models_url : str
        Of the sources.
    out, store : str
        Where releases are published, and where fetches are kept.
    usual_s, publish_s : float
        What a night takes, the start of its process included; and what publishing takes of it.
    changes : dict
        Settings beside the usual ones, by section.
    env : dict of str to str
        Environment of its nights beside the usual one.
    reader : Reader or None
        None: release and store are on the local file system.
    """

    folder: Path
    base_url: str
    models_url: str
    out: str
    store: str
    usual_s: float = 5.0
    publish_s: float = 0.5
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    reader: Reader | None = None
    as_of_utc: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(second=0, microsecond=0) - _SPAN
    )

    def next_as_of(self) -> datetime:
        """The moment that the next night looks from."""
        self.as_of_utc += timedelta(minutes=1)
        return self.as_of_utc

    @property
    def work_s(self) -> float:
        """What a night takes once it has begun, about."""
        return 0.4 * self.usual_s

    def phase(self, as_of_utc: datetime) -> str:
        """How far the publication of the night of a moment has come."""
        return self.readers.phase(f"{as_of_utc:{MINUTE}}")

    @property
    def readers(self) -> Reader:
        """Who reads what it publishes."""
        return self.reader or Reader(pafs.LocalFileSystem(), self.out, self.store)

    def parameters(self, as_of_utc: datetime | None) -> dict[str, Any]:
        """Parameters of a night."""
        as_of = {} if as_of_utc is None else {"as_of": as_of_utc.isoformat()}
        return {
            "manifest": [str(self.folder / "queue")],
            "config_path": str(self.config()),
            "out": self.out,
        } | as_of

    def start(self, site: PrefectSite, as_of_utc: datetime | None, **env: str) -> Process:
        """A night in a process of its own, without a worker."""
        words = [
            sys.executable,
            "flows/nightly.py",
            "--manifest",
            str(self.folder / "queue"),
            "--out",
            self.out,
        ]
        words += ["--config", str(self.config()), "--json"]
        words += [] if as_of_utc is None else ["--as-of", as_of_utc.isoformat()]
        log = self.folder / f"night-{len(list(self.folder.glob('night-*')))}.log"
        return Process(words, env=site.env | self.env | env, log=log)

    def config(self) -> Path:
        """The settings as a file."""
        settings: dict[str, dict[str, Any]] = {
            "electricity_maps": {"base_url": self.base_url, "requests_per_minute": 60_000},
            "epoch_ai": {"models_url": self.models_url},
            "http": {"timeout_s": 10, "attempts": 1},
            "store": {"root": self.store},
            "publish": {"grid_hourly": True, "keep_runs": 1000},
        }
        for section, values in self.changes.items():
            settings.setdefault(section, {}).update(values)
        path = self.folder / "opencarbon.toml"
        path.write_text(
            "".join(
                f"[{section}]\n"
                + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
                for section, values in settings.items()
            )
        )
        return path


def write_queue(folder: Path, first_utc: datetime) -> None:
    """Write the queue, in as many files as there are partitions."""
    folder.mkdir(parents=True)
    draw = random.Random(7)
    regions = list(REGIONS.values())
    for part in range(PARTITIONS):
        rows = JOBS // PARTITIONS
        finish = [first_utc + timedelta(hours=draw.uniform(30, 60)) for _ in range(rows)]
        table = pa.table(
            {
                "job_id": [f"job-{part}-{number}" for number in range(rows)],
                "device": [draw.choice(_DEVICES) for _ in range(rows)],
                "device_count": [float(draw.choice((4, 8, 16))) for _ in range(rows)],
                "wall_hours": [draw.uniform(1, 12) for _ in range(rows)],
                "finish_by_utc": pa.array(finish, pa.timestamp("us", tz="UTC")),
                "current_region": [draw.choice(regions) for _ in range(rows)],
                "allowed_regions": pa.array([regions] * rows, pa.list_(pa.string())),
                "team": [draw.choice(("chat", "vision")) for _ in range(rows)],
            }
        )
        pq.write_table(table, folder / f"part-{part}.parquet")


@contextmanager
def sources() -> Iterator[tuple[str, str]]:
    """Base URL of a grid server that answers at this moment, and URL of Epoch AI's table."""
    with (
        ElectricityMapsServer(intensity, zones=ASKED, now_utc=None, token=TOKEN, access=ACCESS) as grid,
        FileServer({"/models.csv": _EPOCH.read_bytes()}) as files,
    ):
        yield grid.base_url, f"{files.url}/models.csv"


def world(folder: Path, urls: tuple[str, str], *, out: str = "", store: str = "") -> World:
    """A site whose release and store are in its folder unless told otherwise."""
    made = World(folder, *urls, out=out or str(folder / "out"), store=store or str(folder / "store"))
    write_queue(folder / "queue", made.as_of_utc)
    return made


def on_objects(like: World, folder: Path, server: S3) -> World:
    """A site of its own whose release and store are on an object store."""
    made = World(folder, like.base_url, like.models_url, server.uri("release"), server.uri("store"))
    made.env.update(server.environment)
    made.as_of_utc = like.as_of_utc
    shutil.copytree(like.folder / "queue", folder / "queue")
    system = pafs.S3FileSystem(
        access_key=server.environment["AWS_ACCESS_KEY_ID"],
        secret_key=server.environment["AWS_SECRET_ACCESS_KEY"],
        region=server.environment["AWS_REGION"],
        scheme="http",
        endpoint_override=server.endpoint.removeprefix("http://"),
    )
    made.reader = Reader(system, f"{server.bucket}/release", f"{server.bucket}/store")
    return made
