"""Stored runs are found by their moment, and read for a few jobs or a span of time without reading the rest."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import PublishError
from opencarbon.publishing.history import read_history
from opencarbon.publishing.local import LocalLayout
from opencarbon.publishing.past_runs import PastRun, past_runs, rows_between, rows_of_jobs
from opencarbon.sources.places import Place
from opencarbon.tables.contracts import PUBLISHED
from tests.publishing.runs import run_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ["a", "b", "c", "d", "e"]
ENDS = [NOON, NOON + HOUR, None, NOON + 2 * HOUR, NOON + 3 * HOUR]


def a_run(root: Path, *parts: slice) -> PastRun:
    """A run with one table of five jobs, two rows to a row group."""
    directory = root / "run"
    table = pa.table({"end_utc": pa.array(ENDS, pa.timestamp("us", "UTC")), "n": range(5), "job_id": NAMES})
    (directory / "jobs").mkdir(parents=True)
    for number, rows in enumerate(parts or (slice(0, 5),)):
        piece = table.slice(rows.start, rows.stop - rows.start)
        pq.write_table(piece, directory / f"jobs/part-{number}.parquet", row_group_size=2)
    return PastRun("run", NOON, Place.of(directory))


@pytest.mark.parametrize("parts", [(), (slice(0, 3), slice(3, 5))])
def test_rows_of_jobs_come_in_the_order_of_the_table(tmp_path: Path, parts: Sequence[slice]) -> None:
    run = a_run(tmp_path, *parts)

    found = rows_of_jobs(run, "jobs", ("job_id", "n"), pa.array(["e", "b", "z"]))

    assert [{"job_id": "b", "n": 1}, {"job_id": "e", "n": 4}] == found.to_pylist()
    assert ["job_id", "n"] == rows_of_jobs(run, "jobs", ("job_id", "n"), pa.array(["z"])).column_names


@pytest.mark.parametrize(
    ("after", "until", "names"),
    [(-1, 9, ["a", "b", "d", "e"]), (0, 2, ["b", "d"]), (0.5, 0.9, []), (3, 9, []), (2, 3, ["e"])],
)
def test_rows_between_lie_after_the_first_moment_and_not_after_the_second(
    tmp_path: Path, after: float, until: float, names: list[str]
) -> None:
    span = (NOON + after * HOUR, NOON + until * HOUR)

    found = rows_between(a_run(tmp_path), "jobs", ("job_id", "end_utc"), "end_utc", span)

    assert names == found["job_id"].to_pylist()


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    run = a_run(tmp_path)
    path = tmp_path / "run/jobs/part-0.parquet"
    path.write_bytes(content) if content is not None else path.unlink()

    with pytest.raises(PublishError, match=r"table jobs .*run"):
        rows_of_jobs(run, "jobs", ("job_id",), pa.array(["a"]))
    with pytest.raises(PublishError, match=r"table jobs .*run"):
        rows_between(run, "jobs", ("end_utc",), "end_utc", (NOON, NOON + HOUR))


def test_a_column_that_is_not_there_is_an_error_of_the_table(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="table jobs of run run cannot be read"):
        rows_of_jobs(a_run(tmp_path), "jobs", ("job_id", "m"), pa.array(["a"]))


def test_past_runs_are_whole_runs_of_earlier_moments_oldest_first(tmp_path: Path) -> None:
    layout = LocalLayout(tmp_path)
    records: dict[str, Any] = {
        run_of(23): {"as_of_utc": "2026-11-23T21:00:00Z"},
        run_of(22): {"as_of_utc": "2026-11-22T21:00:30Z"},
        run_of(24): {"as_of_utc": "2026-11-24T21:00:00Z"},
        run_of(21): {},
    }
    for run_id, record in records.items():
        (layout.runs / run_id).mkdir(parents=True)
        layout.record(run_id).write_text(json.dumps(record))
    (layout.runs / run_of(20)).mkdir()

    found = past_runs(layout.places, datetime(2026, 11, 24, 21, tzinfo=UTC))

    assert [run_of(22), run_of(23)] == [run.run_id for run in found]
    assert datetime(2026, 11, 22, 21, 0, 30, tzinfo=UTC) == found[0].as_of_utc


def test_the_history_is_read_by_the_moment_of_its_runs(tmp_path: Path) -> None:
    layout, contract = LocalLayout(tmp_path), PUBLISHED["fact_advice_outcome"]
    folder = layout.history / contract.name
    folder.mkdir(parents=True)
    runs = ["20261031T2100Z-00000000", *(run_of(day) for day in (21, 22, 23))]
    for month, some in (("2026-10", runs[:1]), ("2026-11", runs[1:])):
        pq.write_table(pa.table({"run_id": some, "job_id": ["a"] * len(some)}), folder / f"{month}.parquet")
    columns = ("job_id", "best_region", "run_id")

    found = read_history(layout.places, contract, columns, since=runs[2], before="20261123T2100Z")

    assert [{"job_id": "a", "best_region": None, "run_id": runs[2]}] == found.to_pylist()
    assert (
        runs[:3]
        == read_history(layout.places, contract, columns, since=runs[0], before=runs[3])["run_id"].to_pylist()
    )
    assert (
        0
        == read_history(
            LocalLayout(tmp_path / "x").places, contract, columns, since="2026", before="2027"
        ).num_rows
    )
