"""A made-up queue of any length, written row group by row group.

``python -m tests.large_queue 1000000 folder``: ``queue.parquet``, jobs of one provider with some 60 regions, each free to
run in all of them; ``intensity.parquet``, hours of all zones of these; and ``opencarbon.toml``, which names them.
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.catalog import load_catalog

AS_OF: Final = "2026-11-16T00:00:00Z"
"""The moment that a night of these jobs looks from."""
PROVIDER: Final = "azure"
DEVICES: Final = ("A100 40GB", "A100 80GB", "H100 SXM5", "V100 32GB")
HOURS: Final = 73
ROWS_PER_GROUP: Final = 122_880
PAUSABLE: Final = 0.1
"""Share of jobs that may pause."""

_HOUR_US: Final = 3_600_000_000


def regions() -> list[str]:
    """Regions of the jobs, of the provider with most of them."""
    found = map(str, load_catalog((), ()).regions["region"].to_pylist())
    return [region for region in found if region.startswith(f"{PROVIDER}:")]


def zones() -> list[str]:
    """Zones of these regions."""
    table = load_catalog((), ()).regions
    zone_of = dict(zip(table["region"].to_pylist(), table["zone"].to_pylist(), strict=True))
    return sorted({zone for region in regions() if (zone := zone_of[region])})


def intensities() -> pa.Table:
    """Hourly intensities of the zones of all regions: a level for each zone, and a swing of the day [gCO2e/kWh]."""
    zones = sorted({str(zone) for zone in load_catalog((), ()).regions["zone"].drop_null().to_pylist()})
    random = np.random.default_rng(len(zones))
    level, swing = random.uniform(30, 700, len(zones)), random.uniform(0.05, 0.4, len(zones))
    peak = random.uniform(0, 24, len(zones))
    hour = np.arange(HOURS)
    noise = random.normal(1, 0.03, (len(zones), HOURS))
    values = level[:, None] * (1 + swing[:, None] * np.cos((hour - peak[:, None]) * np.pi / 12)) * noise
    start = np.datetime64(AS_OF[:-1], "us").astype(np.int64) + hour * _HOUR_US
    rows = len(zones) * HOURS
    return pa.table(
        {
            "zone": [zone for zone in zones for _ in range(HOURS)],
            "hour_start_utc": pa.array(np.tile(start, len(zones)), pa.timestamp("us", tz="UTC")),
            "carbon_intensity_gco2e_per_kwh": pa.array(values.ravel()),
            "intensity_kind": ["example"] * rows,
            "emission_factor_type": ["lifecycle"] * rows,
        }
    )


def jobs(first: int, rows: int) -> pa.Table:
    """Rows of the queue, the same whatever rows are made before them."""
    random = np.random.default_rng([first, rows])
    start_us = np.datetime64(AS_OF[:-1], "us").astype(np.int64)
    earliest = start_us + random.integers(0, 24, rows) * _HOUR_US
    hours = np.exp(random.uniform(np.log(0.5), np.log(48), rows))
    slack = random.integers(0, 48, rows) * _HOUR_US
    finish = earliest + (hours * 1.5 * _HOUR_US).astype(np.int64) + slack
    homes = np.array(regions(), dtype=object)
    return pa.table(
        {
            "job_id": pa.array([f"train-{number:09d}" for number in range(first, first + rows)]),
            "device": pa.array(np.array(DEVICES, dtype=object)[random.integers(0, len(DEVICES), rows)]),
            "device_count": pa.array(2.0 ** random.integers(0, 7, rows)),
            "wall_hours": pa.array(hours),
            "earliest_start_utc": pa.array(earliest, pa.timestamp("us", tz="UTC")),
            "finish_by_utc": pa.array(finish, pa.timestamp("us", tz="UTC"), mask=random.random(rows) < 0.2),
            "interruptible": pa.array(random.random(rows) < PAUSABLE),
            "current_region": pa.array(homes[random.integers(0, len(homes), rows)]),
            "team": pa.array(
                np.array([f"team-{n:02d}" for n in range(20)], dtype=object)[random.integers(0, 20, rows)]
            ),
        }
    )


def write_queue(path: Path, rows: int) -> None:
    """Write a queue of so many jobs."""
    first = jobs(0, min(rows, ROWS_PER_GROUP))
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for begin in range(ROWS_PER_GROUP, rows, ROWS_PER_GROUP):
            writer.write_table(jobs(begin, min(ROWS_PER_GROUP, rows - begin)))


def write_all(folder: Path, rows: int) -> Path:
    """Write a queue, its intensities and its settings; gives the settings."""
    folder.mkdir(parents=True, exist_ok=True)
    write_queue(folder / "queue.parquet", rows)
    pq.write_table(intensities(), folder / "intensity.parquet")
    settings = folder / "opencarbon.toml"
    settings.write_text('[store]\nroot = "store"\nfiles = ["intensity.parquet"]\n')
    return settings


if __name__ == "__main__":
    write_all(Path(sys.argv[2]), int(sys.argv[1]))
