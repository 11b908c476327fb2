"""Nights of the large queue in processes of their own, and what pyarrow alone needs for what they read and write."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.publishing.parquet import COMPRESSION, DICTIONARY_BYTES, FORMAT_VERSION, ROW_GROUP_ROWS
from tests import large_queue

ROOT: Final = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Cost:
    """Time on the clock, CPU time of all threads and child processes [s], and the most memory of one process [bytes]."""

    elapsed_s: float
    cpu_s: float
    peak_bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        peak = max(self.peak_bytes, other.peak_bytes)
        return Cost(self.elapsed_s + other.elapsed_s, self.cpu_s + other.cpu_s, peak)


def cost_of_process(command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end, and what it took; fails where the command does, with what it said.

    What it says goes to a file, for a pipe that nobody empties would stop it.
    """
    began = time.perf_counter()
    with (
        Path(os.devnull).open("wb") as nowhere,
        subprocess.Popen(  # a command of these tests
            command, cwd=ROOT, env=os.environ | (environment or {}), stdout=nowhere
        ) as process,
    ):
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    elapsed = time.perf_counter() - began
    if process.returncode:
        raise AssertionError(f"exit status {process.returncode}: {' '.join(command)}")
    return Cost(elapsed, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def night_command(folder: Path, out: Path, *program: str) -> list[str]:
    """A night of the large queue in a folder, offline: by ``opencarbon run`` where no other program is named."""
    return [
        *(program or (str(Path(sys.executable).with_name("opencarbon")), "run")),
        *("--manifest", str(folder / "queue.parquet"), "--config", str(folder / "opencarbon.toml")),
        *("--as-of", large_queue.AS_OF, "--offline", "--out", str(out)),
    ]


def published(out: Path) -> dict[str, pa.Table]:
    """Tables of the newest run, in memory."""
    latest = (out / "v1/latest").resolve()
    names = sorted(path.name for path in latest.iterdir() if path.is_dir())
    return {name: pq.read_table(latest / name).combine_chunks() for name in names}


def reading_alone(manifest: Path) -> Cost:
    """What pyarrow needs to read a manifest."""
    began = _now()
    pq.read_table(manifest)
    return _since(began)


def writing_alone(tables: dict[str, pa.Table], folder: Path) -> Cost:
    """What pyarrow needs to write tables that are in memory, each into a file, with the settings of published ones."""
    began = _now()
    for name, table in tables.items():
        pq.write_table(
            table,
            folder / f"{name}.parquet",
            row_group_size=ROW_GROUP_ROWS,
            version=FORMAT_VERSION,
            compression=COMPRESSION,
            data_page_version="1.0",
            dictionary_pagesize_limit=DICTIONARY_BYTES,
        )
    return _since(began)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> Cost:
    elapsed, cpu = (now - then for now, then in zip(_now(), began, strict=True))
    return Cost(elapsed, cpu)
