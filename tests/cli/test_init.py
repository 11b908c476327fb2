"""What a new user begins with is valid as it is, and never replaces what is there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pyarrow.parquet as pq
import pytest
from hatchling.builders.wheel import WheelBuilder

from opencarbon.cli import main
from opencarbon.pipeline.starter import starter_jobs
from opencarbon.settings import load_settings
from tests.example import ROOT, Release

NAMES = ("opencarbon.toml", "jobs.csv", "jobs.parquet")


@pytest.fixture
def begun(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENCARBON_STORE__ROOT", str(tmp_path / "store"))
    folder = tmp_path / "planning"
    assert main(["init", str(folder)]) == 0
    capsys.readouterr()
    return folder


def test_it_writes_a_configuration_that_changes_nothing_and_two_queues(begun: Path) -> None:
    assert sorted(path.name for path in begun.iterdir()) == sorted(NAMES)
    assert load_settings(begun / "opencarbon.toml") == load_settings(ROOT / "configs/opencarbon.toml")


@pytest.mark.parametrize("name", ["jobs.csv", "jobs.parquet"])
def test_the_queue_keeps_every_rule(begun: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(begun / name), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["rejected"], told["notes"]) == (5, 0, [])


def test_both_queues_are_planned_alike_offline(begun: Path, tmp_path: Path) -> None:
    releases = []
    for name in ("jobs.csv", "jobs.parquet"):
        out = tmp_path / name
        words = [
            "--manifest",
            str(begun / name),
            "--config",
            str(begun / "opencarbon.toml"),
            "--out",
            str(out),
        ]
        assert main(["run", *words, "--offline"]) == 0
        releases.append(Release(out))
    for table in ("rec_job", "fact_job_estimate", "fact_job_region", "fact_total"):
        one, other = (release.table(table).drop_columns(["run_id"]) for release in releases)
        assert one.equals(other)
    actions = releases[0].frame("rec_job").set_index("job_id")["action"]
    assert actions["chat-8b-pretraining"] == "move"
    assert actions["fraud-detection-nightly"] in ("run_now", "delay")
    assert releases[0].table("rejected_job").num_rows == 0


def test_its_windows_lie_ahead_whenever_it_is_called() -> None:
    for now in (datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2031, 7, 1, tzinfo=UTC)):
        for job in starter_jobs(now):
            start = job.get("earliest_start_utc") or now
            assert start >= now
            assert job.get("finish_by_utc", start + timedelta(days=9)) > start


def test_nothing_that_is_there_is_replaced(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (begun / "jobs.csv").write_text("mine")
    (begun / "jobs.parquet").unlink()
    assert main(["init", str(begun)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (begun / "jobs.csv").read_text() == "mine"
    assert "jobs.csv: is there already, and stays as it is" in said
    assert pq.read_table(begun / "jobs.parquet").num_rows == 5


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "new"), "--dry-run"]) == 0
    assert "would be written" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new").write_text("mine")
    assert main(["init", str(tmp_path / "new")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_wheel_carries_the_configuration(tmp_path: Path) -> None:
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(path) as wheel:
        packaged = wheel.read("opencarbon/settings/opencarbon.toml")
        names = wheel.namelist()
    assert packaged == (ROOT / "configs/opencarbon.toml").read_bytes()
    assert (
        sum(name.startswith("opencarbon/publishing/questions/") and name.endswith(".sql") for name in names)
        == 12
    )
    assert {"opencarbon/publishing/templates/report.js", "opencarbon/publishing/templates/report.css"} <= set(
        names
    )
