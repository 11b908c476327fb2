"""``opencarbon backfill``: the nights it asks for, and what it says of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.cli.backfill import span_of
from opencarbon.errors import ConfigError

Capture = pytest.CaptureFixture[str]
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def test_publishes_a_night_for_each_day_and_says_what_came_of_it(
    queue: str, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "release"
    command = ["backfill", "-m", queue, "--out", str(out), "--from", "2026-03-01", "--to", "2026-03-02"]

    assert 0 == main(command)

    said = capsys.readouterr().out.splitlines()
    runs = sorted(path.name for path in (out / "v1/runs").iterdir())
    assert ["20260301T0000Z", "20260302T0000Z"] == [run[:14] for run in runs]
    assert all(any(run in line and "published" in line for line in said) for run in runs)
    assert "2 nights: 2 published" == said[-1]

    assert 0 == main([*command, "--json"])
    nights = json.loads(capsys.readouterr().out)["nights"]
    assert [
        ("2026-03-01T00:00:00+00:00", "unchanged", None),
        ("2026-03-02T00:00:00+00:00", "unchanged", None),
    ] == [(night["as_of_utc"], night["status"], night["problem"]) for night in nights]
    assert runs == [night["outcome"]["run_id"] for night in nights]


def test_a_night_that_fails_is_named_and_is_the_exit_status(
    queue: str, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "release"
    (out / "v1").mkdir(parents=True)
    (out / "v1/latest").write_text("not a link")

    status = main(["backfill", "-m", queue, "--out", str(out), "--from", "2026-03-01", "--to", "2026-03-01"])

    said = capsys.readouterr().out
    assert 1 == status
    assert "failed: 2026-03-01 00:00: PublishError: " in said
    assert "1 nights: 1 failed" in said


def test_manifests_that_cannot_be_read_are_bad_usage(tmp_path: Path, capsys: Capture) -> None:
    nights = ["--out", str(tmp_path / "release"), "--from", "2026-03-01", "--to", "2026-03-02"]

    assert 2 == main(["backfill", "-m", str(tmp_path / "nowhere"), *nights])


class TestSpan:
    def test_a_date_ends_with_its_day_and_no_night_is_to_come(self) -> None:
        first, last = span_of("2026-11-01T02:00:00Z", "2026-11-02", now_utc=NOW)
        assert datetime(2026, 11, 1, 2, tzinfo=UTC) == first
        assert datetime(2026, 11, 3, tzinfo=UTC) - last < timedelta(seconds=1)
        assert NOW == span_of("2026-11-01", "2026-11-20", now_utc=NOW)[1]

    @pytest.mark.parametrize(("start", "end"), [("2026-11-21", "2026-11-22"), ("2026-11-01", "2026-11-21")])
    def test_nights_to_come_are_refused(self, start: str, end: str) -> None:
        with pytest.raises(ConfigError, match="has not come yet"):
            span_of(start, end, now_utc=NOW)
