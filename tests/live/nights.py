"""A small queue of three zones, and nights over it against servers on loopback."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.pipeline import Night, Outcome, run_night
from opencarbon.publishing.parquet import read_table
from opencarbon.settings import load_settings
from opencarbon.sources.places import Place
from tests.grid_server import HOUR, TOKEN, ElectricityMapsServer, FileServer

AS_OF = datetime(2026, 11, 20, 22, tzinfo=UTC)
ZONES = ("DE", "FR", "SE-SE3")
REGIONS = {"DE": "aws:eu-central-1", "FR": "aws:eu-west-3", "SE-SE3": "aws:eu-north-1"}
ASKED = ("DE", "FR", "SE", "SE-SE3")
"""Zones that a night asks for: aws:eu-north-1 is in SE by another reading."""

STAYS = {"DE": "stays-de", "FR": "stays-fr", "SE-SE3": "stays-se"}
"""The job of each zone that may run nowhere else."""
ACCESS = tuple(f"carbon-intensity/{endpoint}" for endpoint in ("latest", "history", "forecast"))
"""What the plan of a site covers."""

DELAY = timedelta(minutes=12)
"""How long after its as-of time a night begins."""

_MEANS = {"DE": 380.0, "FR": 60.0, "SE": 24.0, "SE-SE3": 24.0}
_EPOCH = Path(__file__).parent.parent / "data/epoch_ai/models_2025.csv"


def intensity(zone: str, hour_start_utc: datetime) -> float:
    """Made-up carbon intensity [gCO2e/kWh] that is lowest at one in the night."""
    return _MEANS[zone] * (1 - 0.4 * math.cos((hour_start_utc.hour - 1) * math.tau / 24))


def set_token(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the token where a night looks for it."""
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", TOKEN)
    return TOKEN


def this_hour() -> datetime:
    """The start of the running hour."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def write_queue(path: Path, as_of_utc: datetime) -> Path:
    """Write four jobs that fit into 72 h: one may move, the others stay in their zones."""
    moves = ["aws:eu-central-1", "aws:eu-west-3", "aws:eu-north-1"]
    table = pa.table(
        {
            "job_id": ["moves", *STAYS.values()],
            "device": ["NVIDIA A100 SXM4 40GB", "H100", "NVIDIA A100 SXM4 40GB", "NVIDIA V100 SXM2 16GB"],
            "device_count": [8.0, 16.0, 8.0, 4.0],
            "wall_hours": [6.5, None, 5.0, 3.25],
            "training_flop": [None, 2e20, None, None],
            "interruptible": [False, False, True, False],
            "finish_by_utc": pa.array([as_of_utc + 60 * HOUR] * 4, pa.timestamp("us", tz="UTC")),
            "current_region": [REGIONS["DE"], *REGIONS.values()],
            "allowed_regions": pa.array([moves, [], [], []], pa.list_(pa.string())),
            "team": ["chat", "chat", "vision", "vision"],
        }
    )
    pq.write_table(table, path)
    return path


@dataclass
class Site:
    """Servers, a queue, a store and a place to publish to."""

    grid: ElectricityMapsServer
    files: FileServer
    folder: Path
    queue: Path
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """Where releases are published."""
        return self.folder / "out"

    @property
    def store(self) -> Path:
        """Where fetched intensities are kept."""
        return self.folder / "store"

    def set(self, section: str, **values: Any) -> None:
        """Change settings of the nights from now on."""
        self.changes.setdefault(section, {}).update(values)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Settings as the table of a TOML file; the token is none of them."""
        settings: dict[str, dict[str, Any]] = {
            "electricity_maps": {"base_url": self.grid.base_url, "requests_per_minute": 60_000},
            "epoch_ai": {"models_url": f"{self.files.url}/models.csv"},
            "http": {"timeout_s": 10, "attempts": 1},
            "store": {"root": str(self.store)},
            "publish": {"grid_hourly": True},
        }
        for section, values in self.changes.items():
            settings.setdefault(section, {}).update(values)
        return settings

    def config(self) -> Path:
        """The settings as a file."""
        path = self.folder / "opencarbon.toml"
        lines = (
            f"[{section}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
            for section, values in self.settings().items()
        )
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def night(
        self, as_of_utc: datetime = AS_OF, *, now_utc: datetime | None = None, offline: bool = False
    ) -> "Published":
        """Go through a night whose work folder stays."""
        now_utc = now_utc or as_of_utc + DELAY
        self.grid.now_utc = now_utc
        work = self.folder / f"work-{as_of_utc:%d%H}-{len(list(self.folder.glob('work-*')))}"
        work.mkdir()
        settings = load_settings(self.config(), {"publish": {"root": str(self.out)}})
        night = Night(
            settings, (str(self.queue),), as_of_utc, now_utc, str(self.out), Place.of(work), offline
        )
        return Published(run_night(night))


@dataclass
class Published:
    """What a night published."""

    outcome: Outcome

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a published table."""
        rows: list[dict[str, Any]] = read_table(self.outcome.directory, table).to_pylist()
        return rows

    def kinds_of_jobs(self) -> dict[str, str]:
        """Kind of intensity that the job of each zone is estimated with."""
        kinds = {row["job_id"]: row["intensity_kind"] for row in self.rows("fact_job_estimate")}
        return {zone: kinds[job] for zone, job in STAYS.items()}

    def kinds_of_regions(self) -> dict[str, set[str]]:
        """Kinds of intensity by region in the places that jobs could take."""
        kinds: dict[str, set[str]] = {}
        for row in self.rows("fact_job_region"):
            kinds.setdefault(row["region"], set()).add(row["intensity_kind"])
        return kinds

    def events(self, source: str) -> list[tuple[str | None, str]]:
        """Subject and code of the events of a source."""
        return [(row["subject"], row["code"]) for row in self.rows("run_event") if row["source"] == source]

    def details(self, source: str) -> str:
        """What the events of a source say."""
        return "\n".join(row["detail"] for row in self.rows("run_event") if row["source"] == source)


@contextmanager
def live_site(folder: Path, *, as_of_utc: datetime = AS_OF, token: str) -> Iterator[Site]:
    """Servers that behave, with a queue whose jobs fit into the forecast."""
    queue = write_queue(folder / "jobs.parquet", as_of_utc)
    with (
        ElectricityMapsServer(
            intensity, zones=ASKED, now_utc=as_of_utc + DELAY, token=token, access=ACCESS
        ) as grid,
        FileServer({"/models.csv": _EPOCH.read_bytes()}) as files,
    ):
        yield Site(grid, files, folder, queue)
