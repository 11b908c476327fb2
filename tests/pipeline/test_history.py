"""Nights that learn from the runs of the own fleet."""

from pathlib import Path

import pyarrow as pa
import pytest

from opencarbon import pipeline
from opencarbon.pipeline import Outcome
from opencarbon.settings import Settings
from opencarbon.tables.events import Event
from tests.example import Release
from tests.pipeline.nights import a_night, publish, run_id_of, settings_for

A100 = "NVIDIA A100 SXM4 80GB"
HEADER = (
    "project_name,run_id,duration,emissions,energy_consumed,gpu_count,gpu_model,parameters,training_tokens"
)


def log(path: Path, *, energy_kwh: float = 80.0, tokens: float = 3e9) -> Path:
    """A CodeCarbon log of one run of 160 device-hours on A100s, at a tenth of their peak."""
    row = f"nlp,a1,72000,1,{energy_kwh},8,8 x NVIDIA A100-SXM4-80GB,1e9,{tokens}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    return path


def learning(folder: Path, *files: Path | str, profile: str = "calibrated") -> Settings:
    named: dict[str, object] = {"files": tuple(map(str, files))}
    return settings_for(folder, history=named, estimate={"profile": profile})


def events_of(settings: Settings, queue: Path) -> list[Event]:
    with a_night(settings, queue) as night:
        found = pipeline.prepare(night, pipeline.read(night)).events
    return [event for event in found if event.source == "own_history"]


def row_of(table: pa.Table, column: str, value: str) -> dict[str, object]:
    (row,) = [row for row in table.to_pylist() if row[column] == value]
    return row


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory, queue: Path) -> Release:
    folder = tmp_path_factory.mktemp("learnt")
    outcome = publish(learning(folder, log(folder / "emissions.csv")), queue)
    assert "published" == outcome.status
    return Release(folder / "release")


class TestRelease:
    def test_holds_the_runs_and_where_they_come_from(self, learnt: Release) -> None:
        run = row_of(learnt.table("training_runs"), "run", "own-history/codecarbon:a1")

        assert (A100, 160.0, "counted", "billed", True) == tuple(
            run[name] for name in ("device", "device_hours", "flop_basis", "hours_scope", "used")
        )
        assert pytest.approx(1.8e19) == run["training_flop"]
        assert row_of(learnt.table("dim_source"), "source_id", "own-history")["licence"] == "private"

    def test_holds_the_measured_power_of_its_device_alone(self, learnt: Release) -> None:
        fits = learnt.table("fact_device_fit")
        fit = row_of(fits, "device", A100)

        assert (500.0, "server") == (fit["measured_power_w"], fit["measured_power_boundary"])
        assert fits.num_rows - 1 == fits["measured_power_w"].null_count
        device = row_of(learnt.table("dim_device"), "device", A100)
        assert (1.25, "server", "measured", "own-history") == tuple(
            device[f"power_{name}"] for name in ("fraction", "boundary", "status", "source_id")
        )

    def test_estimates_with_that_power(self, learnt: Release, first: Outcome) -> None:
        mine = learnt.table("fact_job_estimate").to_pylist()
        theirs = Release(Path(first.directory.path).parents[2]).table("fact_job_estimate").to_pylist()

        for ours, other in zip(mine, theirs, strict=True):
            if ours["job_id"] == "two":  # on H100s, which the fleet did not measure
                assert (other["power_w"], other["power_source"]) == (ours["power_w"], ours["power_source"])
            else:
                assert (500.0, "own_runs", "own-history") == (
                    ours["power_w"],
                    ours["power_source"],
                    ours["power_source_id"],
                )
                assert pytest.approx(ours["device_hours"] * 0.5) == ours["energy_kwh"]


class TestIdentity:
    def test_a_log_counts_by_what_it_holds_not_by_where_it_is(
        self, tmp_path: Path, queue: Path, first: Outcome
    ) -> None:
        settings = (
            learning(tmp_path, log(tmp_path / "a/emissions.csv")),
            learning(tmp_path, log(tmp_path / "b/emissions.csv")),
            learning(tmp_path, log(tmp_path / "c/emissions.csv", tokens=4e9)),
            learning(tmp_path, log(tmp_path / "d/emissions.csv", energy_kwh=70.0)),
        )

        ids = [run_id_of(one, queue) for one in settings]

        assert ids[0] == ids[1]
        assert 4 == len({first.run_id, *ids})


class TestProfile:
    def test_the_paper_takes_no_power_from_the_own_fleet(self, tmp_path: Path, queue: Path) -> None:
        with a_night(learning(tmp_path, log(tmp_path / "e.csv"), profile="paper"), queue) as night:
            pipeline.prepare(night, pipeline.read(night))
            fits = pipeline.context.load_context(night).fits

        assert fits.num_rows == fits["measured_power_w"].null_count


class TestEvents:
    def test_a_good_log_has_nothing_to_tell(self, tmp_path: Path, queue: Path) -> None:
        assert [] == events_of(learning(tmp_path, log(tmp_path / "e.csv")), queue)

    def test_a_history_out_of_reach_is_done_without(
        self, tmp_path: Path, queue: Path, first: Outcome
    ) -> None:
        settings = learning(tmp_path, tmp_path / "none.csv")

        (event,) = events_of(settings, queue)

        assert ("warning", "source_error") == (event.severity, event.code)
        assert "none.csv does not exist" in event.detail
        assert "fitted without the runs of the own fleet" in event.detail
        assert first.run_id == run_id_of(settings, queue)

    def test_a_damaged_file_is_a_warning_and_the_others_are_read(self, tmp_path: Path, queue: Path) -> None:
        good, empty = log(tmp_path / "good.csv"), tmp_path / "empty.csv"
        empty.touch()

        (event,) = events_of(learning(tmp_path, good, empty), queue)

        assert ("warning", "unread_file") == (event.severity, event.code)
        assert event.detail.startswith(f"files of the run history that are not read: 1; first: {empty}: ")
        alone = learning(tmp_path, good)
        assert run_id_of(alone, queue) == run_id_of(learning(tmp_path, good, empty), queue)

    def test_rows_that_break_a_rule_are_a_note(self, tmp_path: Path, queue: Path) -> None:
        path = log(tmp_path / "e.csv")
        path.write_text(path.read_text() + "nlp,a2,72000,1,80,8,8 x Foo 1000,1e9,3e9\n", encoding="utf-8")

        (event,) = events_of(learning(tmp_path, path), queue)

        assert ("info", "rejected_rows") == (event.severity, event.code)
        assert f"first: {path}, row 1: device 'Foo 1000' is not in the catalog" in event.detail
        assert "use a name or an alias of the catalog" in event.detail

    def test_an_offline_night_asks_no_object_store(self, tmp_path: Path, queue: Path) -> None:
        (event,) = events_of(learning(tmp_path, "s3://fleet/sacct/*.txt"), queue)

        assert ("info", "offline") == (event.severity, event.code)
