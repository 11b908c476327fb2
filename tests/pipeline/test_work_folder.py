"""The work folder: where it is, how long it lives, and what killed nights left there."""

import logging
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest

from opencarbon.errors import ConfigError
from opencarbon.pipeline import work_folder as module
from opencarbon.pipeline.work_folder import LEFT_BEHIND_AFTER, work_folder
from opencarbon.publishing.release import stage_directory
from opencarbon.settings import RunSettings
from opencarbon.sources.places import Place
from tests.s3_server import S3


def left_behind(root: Path, name: str, hours: float) -> Path:
    """A folder of a night that wrote last so many hours ago."""
    part = root / name / "table/000000.arrow"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"rows")
    then = time.time() - hours * 3600
    for path in (part, part.parent, root / name):
        os.utime(path, (then, then))
    return root / name


def test_without_a_root_it_is_a_temporary_folder_that_nobody_else_reads() -> None:
    with work_folder(RunSettings()) as work:
        assert work.local is not None
        assert Path(tempfile.gettempdir()) == work.local.parent
        assert 0o700 == work.local.stat().st_mode & 0o777
    assert not work.exists()


@pytest.mark.parametrize("where", ["local", "s3"])
def test_every_night_has_its_own_and_it_is_gone_after_a_failure(
    request: pytest.FixtureRequest, tmp_path: Path, where: str
) -> None:
    root = str(tmp_path / "a/b") if where == "local" else request.getfixturevalue("s3").uri("a/b")
    run = RunSettings(work_root=root)

    def fail(other: Place) -> None:
        with work_folder(run) as work:
            assert sorted([other.name, work.name]) == Place.of(root).names()
            (work / "table/part").write_bytes(b"rows")
            raise ZeroDivisionError

    with work_folder(run) as other:
        with pytest.raises(ZeroDivisionError):
            fail(other)
        assert [other.name] == Place.of(root).names()

    assert [] == Place.of(root).names()


def test_what_a_killed_night_left_is_removed_a_day_later_and_nothing_else_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = left_behind(tmp_path, "opencarbon-night-old", 25)
    at_work = left_behind(tmp_path, "opencarbon-night-long", 40)
    (at_work / "table/000001.arrow").write_bytes(b"written just now")
    young = left_behind(tmp_path, "opencarbon-night-young", 23)
    foreign = left_behind(tmp_path, "results", 500)

    with caplog.at_level(logging.INFO), work_folder(RunSettings(work_root=str(tmp_path))):
        assert [False, True, True, True] == [path.exists() for path in (old, at_work, young, foreign)]

    assert str(old) in caplog.text


def test_tables_that_a_killed_night_had_staged_for_an_object_store_are_removed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    staged = stage_directory("s3://bucket/release", "20261116T0000Z-00000000")
    then = time.time() - 25 * 3600
    os.utime(staged, (then, then))
    with work_folder(RunSettings()):
        assert not staged.exists()


def test_on_an_object_store_too_by_its_own_clock(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    root = s3.uri("nights")
    left = Place.of(root) / "opencarbon-night-left"
    (left / "table/000000.arrow").write_bytes(b"rows")
    with work_folder(RunSettings(work_root=root)):
        assert left.exists()
    time.sleep(2.1)  # S3 counts in seconds

    monkeypatch.setattr(module, "LEFT_BEHIND_AFTER", timedelta(seconds=1))
    with work_folder(RunSettings(work_root=root)):
        assert not left.exists()


def test_a_day_is_longer_than_any_night() -> None:
    assert timedelta(hours=24) == LEFT_BEHIND_AFTER


def test_a_root_that_cannot_be_written_to_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with (
        pytest.raises(ConfigError, match=r"run\.work_root .*file/work cannot be written to"),
        work_folder(RunSettings(work_root=str(tmp_path / "file/work"))),
    ):
        pass


def test_a_bucket_that_is_not_there_is_refused_by_name(s3: S3) -> None:
    with (
        pytest.raises(ConfigError, match=r"run\.work_root s3://nowhere/work cannot be written to"),
        work_folder(RunSettings(work_root="s3://nowhere/work")),
    ):
        pass


def test_workers_elsewhere_need_a_folder_that_they_reach() -> None:
    with (
        pytest.raises(ConfigError, match=r"set run\.work_root"),
        work_folder(RunSettings(runner="dask", address="tcp://scheduler:8786")),
    ):
        pass
