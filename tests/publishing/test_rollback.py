"""Going back to an earlier run, on a disk and on an object store."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.errors import PublishConflictError, PublishError
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.local import LocalLayout, publisher_lock
from opencarbon.publishing.rollback import roll_back, runs_of
from opencarbon.sources.places import Place
from tests.publishing.runs import FEWEST, publish_run, run_of
from tests.s3_server import s3_server

SUNDAY, MONDAY, TUESDAY = (run_of(day) for day in (15, 16, 17))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running.uri("releases")


@pytest.fixture(params=["disk", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path, bucket: str) -> str:
    place = str(tmp_path / "release") if request.param == "disk" else f"{bucket}/{tmp_path.name}"
    for run_id in (SUNDAY, MONDAY):
        publish_run(place, run_id, now_utc=now(), contracts=FEWEST)
    return place


def followed(root: str) -> set[str]:
    """Run that the manifest, the newest run's tables and the SQL name."""
    layout = Layout(Place.of(root))
    records = (layout.manifest, layout.latest / "release.json")
    named = {str(json.loads(record.read_bytes())["run_id"]) for record in records}
    sql = (layout.base / "duckdb.sql").read_bytes().decode()
    return named | {run_id for run_id in (SUNDAY, MONDAY, TUESDAY) if run_id in sql}


def test_readers_follow_the_earlier_run_and_the_next_night_moves_them_on(root: str) -> None:
    assert {MONDAY} == followed(root)
    assert roll_back(root, SUNDAY, now_utc=now())
    assert {SUNDAY} == followed(root)
    assert [SUNDAY, MONDAY] == [run.run_id for run in runs_of(root).runs]
    assert not roll_back(root, SUNDAY, now_utc=now())
    publish_run(root, TUESDAY, now_utc=now(), contracts=FEWEST)
    assert {TUESDAY} == followed(root)


def test_a_run_that_is_not_there_or_not_whole_is_refused(root: str) -> None:
    with pytest.raises(PublishError, match="release list"):
        roll_back(root, TUESDAY, now_utc=now())
    (Place.of(root) / "v1/runs" / SUNDAY / "dim_run/part-0.parquet").write_bytes(b"cut short")
    with pytest.raises(PublishError, match="not whole"):
        roll_back(root, SUNDAY, now_utc=now())
    with pytest.raises(PublishError, match="expected a moment"):
        roll_back(root, "../elsewhere", now_utc=now())
    assert {MONDAY} == followed(root)


def test_a_publisher_at_work_is_not_disturbed(tmp_path: Path) -> None:
    publish_run(tmp_path, SUNDAY, now_utc=now(), contracts=FEWEST)
    with (
        publisher_lock(LocalLayout(tmp_path), MONDAY, now_utc=now()),
        pytest.raises(PublishConflictError, match="another publisher"),
    ):
        roll_back(tmp_path, SUNDAY, now_utc=now())


def test_a_release_that_came_from_a_copy_is_gone_back_in(tmp_path: Path) -> None:
    for run_id in (SUNDAY, MONDAY):
        publish_run(tmp_path, run_id, now_utc=now(), contracts=FEWEST)
    shutil.rmtree(tmp_path / "v1/.staging")
    assert roll_back(tmp_path, SUNDAY, now_utc=now())


def test_the_commands_list_runs_and_go_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in (SUNDAY, MONDAY):
        publish_run(tmp_path, run_id, now_utc=now(), contracts=FEWEST)
    assert 0 == main(["release", "list", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert [False, True] == [
        next(line for line in lines if run in line).rstrip().endswith("latest") for run in (SUNDAY, MONDAY)
    ]
    assert 0 == main(["release", "rollback", SUNDAY, "--out", str(tmp_path)])
    assert f"run {SUNDAY} is the latest now" in capsys.readouterr().out
    assert 0 == main(["release", "list", "--out", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert SUNDAY == told["latest_run_id"]
    assert [SUNDAY, MONDAY] == [run["run_id"] for run in told["runs"]]
    assert 1 == main(["release", "rollback", TUESDAY, "--out", str(tmp_path)])
    monkeypatch.delenv("OPENCARBON_PUBLISH__ROOT", raising=False)
    assert 2 == main(["release", "list"])
