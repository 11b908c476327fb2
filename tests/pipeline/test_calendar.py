"""Windows across the corners of the calendar, from local times in a manifest to the advice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from tests.pipeline.nights import a_night, settings_for

AS_OF = datetime(2026, 3, 28, 20, tzinfo=UTC)
BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
Row = dict[str, Any]

CLEAN_HOUR = datetime(2026, 3, 29, 1, tzinfo=UTC)
"""The hour after the clocks of Berlin went from 02:00 to 03:00."""

JOBS: dict[str, tuple[float, datetime | None, datetime | None]] = {
    # hours of work, earliest start, finish by, in local time; local days of Berlin with 23 and 25 hours
    "fills the short night": (
        2.0,
        datetime(2026, 3, 29, 1, tzinfo=BERLIN),
        datetime(2026, 3, 29, 4, tzinfo=BERLIN),
    ),
    "too long for it": (
        3.0,
        datetime(2026, 3, 29, 1, tzinfo=BERLIN),
        datetime(2026, 3, 29, 4, tzinfo=BERLIN),
    ),
    "an hour of it": (1.0, datetime(2026, 3, 29, 1, tzinfo=BERLIN), datetime(2026, 3, 29, 4, tzinfo=BERLIN)),
    "fills the long night": (
        4.0,
        datetime(2026, 10, 25, 1, tzinfo=BERLIN),
        datetime(2026, 10, 25, 4, tzinfo=BERLIN),
    ),
    "too long for that": (
        4.5,
        datetime(2026, 10, 25, 1, tzinfo=BERLIN),
        datetime(2026, 10, 25, 4, tzinfo=BERLIN),
    ),
    "leap day": (24.0, datetime(2028, 2, 29, tzinfo=BERLIN), datetime(2028, 3, 1, tzinfo=BERLIN)),
    "year end": (3.0, datetime(2026, 12, 31, 23, tzinfo=BERLIN), datetime(2027, 1, 1, 2, tzinfo=BERLIN)),
    "past": (1.0, None, datetime(2026, 3, 28, 20, tzinfo=BERLIN)),
    "years": (9000.0, None, None),
    "half-hour zone": (
        2.0,
        datetime(2026, 3, 29, 5, tzinfo=KOLKATA),
        datetime(2026, 3, 29, 7, tzinfo=KOLKATA),
    ),
}


def write_manifest(path: Path, zone: ZoneInfo, jobs: list[str]) -> Path:
    when = pa.timestamp("us", zone.key)
    hours, earliest, finish = zip(*(JOBS[name] for name in jobs), strict=True)
    table: dict[str, Any] = {
        "job_id": jobs,
        "device": ["NVIDIA A100 SXM4 80GB"] * len(jobs),
        "device_count": [8.0] * len(jobs),
        "wall_hours": hours,
        "current_region": ["aws:eu-central-1"] * len(jobs),
        "allowed_regions": [""] * len(jobs),
        "earliest_start_utc": pa.array(earliest, when),
        "finish_by_utc": pa.array(finish, when),
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture(scope="module")
def advice(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Row]:
    """Advice for every job; one hour of the grid is cleaner than the others."""
    folder = tmp_path_factory.mktemp("calendar")
    hours = [AS_OF + timedelta(hours=hour) for hour in range(72)]
    lines = [f"DE,{hour:%Y-%m-%dT%H:%M:%SZ},{100 if hour == CLEAN_HOUR else 300},example" for hour in hours]
    grid = folder / "grid.csv"
    header = "zone,hour_start_utc,carbon_intensity_gco2e_per_kwh,intensity_kind\n"
    grid.write_text(header + "\n".join(lines) + "\n")
    own = [name for name, (_, earliest, _) in JOBS.items() if earliest and earliest.tzinfo is KOLKATA]
    manifests = [
        write_manifest(folder / "berlin.parquet", BERLIN, [name for name in JOBS if name not in own]),
        write_manifest(folder / "kolkata.parquet", KOLKATA, own),
    ]
    settings = settings_for(folder, store={"files": [str(grid)]})
    with a_night(settings, *manifests, as_of_utc=AS_OF) as night:
        pipeline.write_job_table(night, "rec_job", folder / "rec_job.parquet")
    rows = {row["job_id"]: row for row in pq.read_table(folder / "rec_job.parquet").to_pylist()}
    return lambda name: dict(rows[name])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year to minute


@pytest.mark.parametrize(
    ("name", "start", "finish"),
    [
        ("fills the short night", utc(2026, 3, 29, 0), utc(2026, 3, 29, 2)),
        ("an hour of it", CLEAN_HOUR, CLEAN_HOUR + timedelta(hours=1)),
        ("fills the long night", utc(2026, 10, 24, 23), utc(2026, 10, 25, 3)),
        ("leap day", utc(2028, 2, 28, 23), utc(2028, 2, 29, 23)),
        ("year end", utc(2026, 12, 31, 22), utc(2027, 1, 1, 1)),
        ("half-hour zone", utc(2026, 3, 28, 23, 30), utc(2026, 3, 29, 1, 30)),
    ],
)
def test_a_window_in_local_time_holds_the_hours_that_pass_in_it(
    advice: Callable[[str], Row], name: str, start: datetime, finish: datetime
) -> None:
    row = advice(name)

    assert ("ok", start, finish) == (row["plan_status"], row["advised_start_utc"], row["advised_finish_utc"])
    assert 0.0 == row["deadline_risk"]


@pytest.mark.parametrize(
    ("name", "status"),
    [("too long for it", "infeasible"), ("too long for that", "infeasible"), ("past", "deadline_passed")],
)
def test_a_window_that_cannot_hold_the_job_says_so(
    advice: Callable[[str], Row], name: str, status: str
) -> None:
    row = advice(name)

    assert (status, "none", None) == (row["plan_status"], row["action"], row["advised_start_utc"])
    assert row["baseline_total_kgco2e"] > 0
    assert (0.0, 1.0) == (row["saving_kgco2e"], row["deadline_risk"])


def test_a_job_longer_than_a_year_ends_when_its_hours_have_passed(advice: Callable[[str], Row]) -> None:
    row = advice("years")

    assert "ok" == row["plan_status"]
    assert timedelta(hours=9000) == row["advised_finish_utc"] - row["advised_start_utc"]
    assert row["advised_start_utc"] < AS_OF + timedelta(hours=24)


def test_the_worst_start_and_the_median_keep_to_the_hours_of_a_short_night(
    advice: Callable[[str], Row],
) -> None:
    """Two starts: at 300 and at 100."""
    row = advice("an hour of it")
    now, median, worst = (
        row[f"{name}_total_kgco2e"] for name in ("start_now", "window_median", "window_worst")
    )

    assert worst == pytest.approx(row["baseline_total_kgco2e"])
    assert now == pytest.approx(worst)
    assert (worst + row["advised_total_kgco2e"]) / 2 == pytest.approx(median)
