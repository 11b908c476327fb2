"""A night with capacities: one allocation over the whole queue, and what the tables say of it."""

from pathlib import Path

import pandas as pd
import pytest

from opencarbon.pipeline import Outcome, run_night
from opencarbon.tables.events import Event
from tests.example import Release, write_queue
from tests.pipeline.nights import a_night, publish, run_id_of, settings_for

A100, H100 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"
ROWS = (
    ("aws:eu-north-1", A100, 8),
    ("aws:us-east-1", A100, 8),
    ("aws:eu-north-1", H100, 8),
    ("aws:eu-central-1", H100, 8),
)
"""Room for one job on A100 at a time in each region, and for no job on 16 H100."""


def capacities(path: Path, *rows: tuple[str, str, float]) -> dict[str, object]:
    pd.DataFrame(rows, columns=["region", "device", "devices"]).to_csv(path, index=False)
    return {"capacities": [str(path)]}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five jobs that may run anywhere at AWS, four of them on A100, the last but one urgent and all to start now."""
    return write_queue(
        tmp_path_factory.mktemp("crowd") / "queue.parquet",
        job_id=["one", "two", "three", "four", "five"],
        device=[A100, A100, A100, A100, H100],
        device_count=[8.0, 8.0, 8.0, 8.0, 16.0],
        wall_hours=[20.0, 20.0, 20.0, 20.0, 3.0],
        current_region=[
            "aws:us-east-1",
            "aws:us-east-1",
            "aws:eu-central-1",
            "aws:us-east-1",
            "aws:eu-central-1",
        ],
        finish_by_utc=pd.to_datetime(["2026-11-16T21:00Z"] * 4 + ["2026-11-18T00:00Z"], utc=True),
        priority=[0, 0, 0, 9, 0],
        team=["chat"] * 5,
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, crowd: Path) -> Outcome:
    folder = tmp_path_factory.mktemp("allocated")
    plan = capacities(folder / "free.csv", *ROWS)
    return publish(settings_for(folder, plan=plan), crowd)


@pytest.fixture(scope="module")
def table(night: Outcome) -> Release:
    return Release(Path(night.directory.path).parents[2])


def events(outcome: Outcome, code: str) -> list[Event]:
    return [event for event in outcome.events if event.code == code]


def test_the_urgent_job_and_one_more_get_in_and_the_others_are_told_so(table: Release) -> None:
    jobs = table.frame("rec_job").set_index("job_id")
    placed = jobs[jobs["plan_status"] == "ok"]
    lost = jobs[jobs["plan_status"] == "no_capacity"]

    assert 2 == len(placed)
    assert "four" in placed.index
    assert {"aws:eu-north-1", "aws:us-east-1"} == set(placed["advised_region"])
    assert 3 == len(lost)
    assert "five" in lost.index
    assert {"none"} == set(lost["action"])
    assert lost[["advised_region", "advised_start_utc", "deadline_risk"]].isna().all(axis=None)
    assert (lost["advised_total_kgco2e"] == lost["baseline_total_kgco2e"]).all()
    assert (lost["saving_kgco2e"] == 0).all()
    assert {"allocated"} == set(jobs["saving_status"])


def test_the_load_of_every_hour_is_beside_what_was_free_and_not_above_it(table: Release) -> None:
    load = table.frame("fact_region_load_hourly")

    assert {(region, device, 8.0) for region, device, _ in ROWS[:2]} == set(
        load[["region", "device", "devices_capacity"]].itertuples(index=False, name=None)
    )
    assert (load["devices_advised"] <= load["devices_capacity"]).all()


def test_the_place_given_is_the_one_advised_and_ranks_by_its_emissions(table: Release) -> None:
    places, jobs = table.frame("fact_job_region"), table.frame("rec_job").set_index("job_id")
    given = places[places["is_advised"]].set_index("job_id")
    placed = jobs[jobs["plan_status"] == "ok"]

    assert list(placed.index) == list(given.index)
    assert list(placed["advised_region"]) == list(given["region"])
    assert list(placed["advised_start_utc"]) == list(given["start_utc"])
    assert list(placed["advised_total_kgco2e"]) == pytest.approx(list(given["total_kgco2e"]))
    by_rank = places.sort_values(["job_id", "rank"]).groupby("job_id")
    assert by_rank["total_kgco2e"].apply(lambda total: total.is_monotonic_increasing).all()
    assert by_rank["rank"].apply(lambda rank: list(rank) == list(range(1, len(rank) + 1))).all()


def test_sums_hold_the_savings_that_were_allocated(table: Release) -> None:
    total = table.frame("fact_total").set_index(["scope", "scope_value"]).loc[("run", "all jobs")]

    assert "allocated" == total["saving_status"]
    assert table.frame("rec_job")["saving_kgco2e"].sum() == pytest.approx(total["saving_kgco2e"])


def test_events_say_how_well_it_was_done_and_where_nothing_is_listed(night: Outcome) -> None:
    (done,) = events(night, "allocation")
    assert ("info", "planning") == (done.severity, done.source)
    assert "2 jobs placed, 3 not placed" in done.detail
    (missing,) = events(night, "capacity_not_listed")
    assert "warning" == missing.severity
    assert "NVIDIA A100 SXM4 80GB in aws:eu-central-1 (1 job)" in missing.detail


def test_the_same_capacity_in_another_place_is_the_same_run_and_other_capacity_another(
    tmp_path: Path, crowd: Path, night: Outcome
) -> None:
    same = capacities(tmp_path / "moved.csv", *reversed(ROWS))
    other = capacities(tmp_path / "more.csv", *ROWS[1:])

    assert night.run_id == run_id_of(settings_for(tmp_path, plan=same), crowd)
    assert night.run_id != run_id_of(settings_for(tmp_path, plan=other), crowd)
    assert night.run_id != run_id_of(settings_for(tmp_path), crowd)


def test_with_room_for_all_the_plan_is_that_of_each_job_alone(
    tmp_path: Path, queue: Path, first: Outcome
) -> None:
    regions = Release(Path(first.directory.path).parents[2]).frame("dim_region")["region"]
    rows = [(region, device, 1e6) for region in regions for device in (A100, H100)]
    settings = settings_for(tmp_path, plan=capacities(tmp_path / "all.csv", *rows))
    with a_night(settings, queue) as night:
        outcome = run_night(night)
    alone, together = (
        Release(Path(one.directory.path).parents[2]).frame("rec_job") for one in (first, outcome)
    )
    left_out = ["saving_status", "run_id"]

    pd.testing.assert_frame_equal(alone.drop(columns=left_out), together.drop(columns=left_out))
    places = [
        Release(Path(one.directory.path).parents[2]).frame("fact_job_region") for one in (first, outcome)
    ]
    pd.testing.assert_frame_equal(*(one.drop(columns="run_id") for one in places))
