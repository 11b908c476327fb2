"""What a new user begins with: a commented configuration, and a template of a queue as CSV and as Parquet."""

import csv
import io
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.errors import ConfigError
from opencarbon.tables.columns import all_columns
from opencarbon.units import whole_hour

CONFIGURATION: Final = "opencarbon.toml"
_COLUMNS: Final = (
    *("job_id", "team", "project", "model", "device", "device_count"),
    *("wall_hours", "device_hours", "training_flop", "parameters", "training_tokens"),
    *(
        "earliest_start_utc",
        "finish_by_utc",
        "interruptible",
        "current_region",
        "allowed_regions",
        "priority",
    ),
)
_DAY: Final = timedelta(days=1)
_H100: Final = "NVIDIA H100 SXM5 80GB"
_A100: Final = "NVIDIA A100 SXM4 80GB"


def starter_jobs(now_utc: datetime) -> list[dict[str, Any]]:
    """Five jobs that show the ways to say how much work a job is, and where and when it may run.

    Parameters
    ----------
    now_utc : datetime
        Their windows begin after it.

    Returns
    -------
    list of dict
        In columns of manifests.
    """
    today = whole_hour(now_utc)
    return [
        {
            "job_id": "chat-8b-pretraining",
            "team": "chat",
            "project": "assistant",
            "model": "chat-8b",
            "device": _H100,
            "device_count": 256,
            "parameters": 8e9,
            "training_tokens": 1e12,
            "earliest_start_utc": today + _DAY,
            "finish_by_utc": today + 60 * _DAY,
            "current_region": "aws:us-east-1",
            "allowed_regions": "aws:*",
            "priority": 2,
        },
        {
            "job_id": "chat-8b-tuning",
            "team": "chat",
            "project": "assistant",
            "model": "chat-8b",
            "device": _H100,
            "device_count": 32,
            "wall_hours": 18,
            "finish_by_utc": today + 4 * _DAY,
            "interruptible": True,
            "current_region": "aws:us-east-1",
            "allowed_regions": "aws:us-east-1;aws:eu-north-1;country:FR",
        },
        {
            "job_id": "vision-sweep",
            "team": "vision",
            "device": _A100,
            "device_count": 64,
            "device_hours": 900,
            "finish_by_utc": today + 3 * _DAY,
            "interruptible": True,
            "current_region": "gcp:us-central1",
        },
        {
            "job_id": "speech-large",
            "team": "speech",
            "device": _A100,
            "device_count": 128,
            "training_flop": 4e21,
            "earliest_start_utc": today + _DAY / 2,
            "current_region": "azure:westeurope",
            "allowed_regions": "*",
        },
        {
            "job_id": "fraud-detection-nightly",
            "team": "risk",
            "device": _A100,
            "device_count": 8,
            "wall_hours": 5,
            "finish_by_utc": today + _DAY,
            "current_region": "aws:eu-central-1",
            "allowed_regions": "none",
        },
    ]


def starter_files(folder: Path, now_utc: datetime) -> dict[Path, bytes]:
    """Files to begin with.

    Parameters
    ----------
    folder : Path
    now_utc : datetime

    Returns
    -------
    dict of Path to bytes
        Contents by file.
    """
    jobs = starter_jobs(now_utc)
    return {
        folder / CONFIGURATION: _configuration(),
        folder / "jobs.csv": _as_csv(jobs),
        folder / "jobs.parquet": _as_parquet(jobs),
    }


def write_starter(contents: dict[Path, bytes]) -> None:
    """Write files that are not there yet; none of them is replaced.

    Parameters
    ----------
    contents : dict of Path to bytes

    Raises
    ------
    ConfigError
        If a folder or file cannot be written.
    """
    for path, content in contents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as file:
                file.write(content)
        except OSError as problem:
            raise ConfigError(f"{path} cannot be written: {problem.strerror or problem}") from problem


def _configuration() -> bytes:
    """The commented configuration: a file of the package, or of the checkout that it is used from."""
    packaged = files("opencarbon.settings").joinpath(CONFIGURATION)
    if packaged.is_file():
        return packaged.read_bytes()
    return (Path(__file__).parents[2] / "configs" / CONFIGURATION).read_bytes()


def _as_csv(jobs: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(job.get(name)) for name in _COLUMNS] for job in jobs)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _as_parquet(jobs: list[dict[str, Any]]) -> bytes:
    declared = all_columns()
    schema = pa.schema(
        [
            (name, pa.list_(pa.string()) if name == "allowed_regions" else declared[name].type)
            for name in _COLUMNS
        ]
    )
    rows = [{name: job.get(name) for name in _COLUMNS} for job in jobs]
    for row in rows:
        given = row["allowed_regions"]
        row["allowed_regions"] = None if given is None else [] if given == "none" else given.split(";")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue().to_pybytes()
