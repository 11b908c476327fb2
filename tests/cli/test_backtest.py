"""``opencarbon backtest``: from files to a table, and what is refused."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.cli.backtest import BacktestOptions, question_of
from opencarbon.errors import ConfigError
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.sources.store.intensities import append
from opencarbon.tables.backtest import BACKTEST_TABLES

START = datetime(2026, 2, 1, tzinfo=UTC)
DAYS = 14
REGIONS = ("aws:eu-central-1", "aws:eu-west-3")
LOST = range(24 * 11 + 14, 24 * 11 + 16)
"""12 February 14:00 to 16:00."""

LATER = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN = BacktestOptions("2026-02-10", "2026-02-12", 24, "6,48", 24.0, (), (), None)


def made_hours(folder: Path, zones: Sequence[str] = ("DE", "FR"), lost: range = range(0)) -> str:
    """Two zones with the same clean nights every day; some hours are lost."""
    rows = ["zone,hour_start_utc,carbon_intensity_gco2e_per_kwh"]
    for zone, level in zip(zones, (400.0, 60.0), strict=True):
        for hour in range(24 * DAYS):
            day = math.cos(2 * math.pi * (hour - 14) / 24)
            moment = START + timedelta(hours=hour)
            if hour not in lost:
                rows.append(f"{zone},{moment:%Y-%m-%dT%H:%M:%SZ},{level * (1 + 0.4 * day):.6f}")
    path = folder / "hours.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def test_a_grid_that_repeats_itself_keeps_what_was_claimed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = made_hours(tmp_path, lost=LOST)
    out = tmp_path / "out"
    words = ["--from", "2026-02-10T12:00:00Z", "--to", "2026-02-11T13:00:00Z", "--intensities", files]
    words += ["--job-hours", "6", "--regions", *REGIONS, "--out", str(out), "--json"]
    assert main(["backtest", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["moments"], said["blind_moments"], said["regions"]) == (2, 0, list(REGIONS))
    assert said["missing"] == [{"zone": zone, "missing_hours": 2, "hours": 54} for zone in ("DE", "FR")]
    assert said["rows"] == {"backtest_score": len(said["scores"]), "backtest_outcome": 2 * 2 * 2 * 2}
    for name, contract in BACKTEST_TABLES.items():
        assert pq.read_table(out / f"{name}.parquet").schema.names == list(contract.columns)
    outcomes = pq.read_table(out / "backtest_outcome.parquet").to_pylist()
    moved = [row for row in outcomes if row["current_region"] == REGIONS[0] and row["may_move"]]
    assert {row["advised_region"] for row in moved} == {REGIONS[1]}
    waits = [row for row in outcomes if row["current_region"] == REGIONS[0] and not row["may_move"]]
    assert all(row["regret_gco2e_per_kwh"] > -1e-6 for row in outcomes)
    assert {row["action"] for row in waits} == {"delay"}
    for row in waits:
        claimed, realised = row["claimed_saving_gco2e_per_kwh"], row["realised_saving_gco2e_per_kwh"]
        assert 0.7 * realised < claimed < 1.1 * realised
        assert row["baseline_gco2e_per_kwh"] > 400.0
        assert row["intensity_kind"] == "climatology"
    drawn = (out / "backtest.svg").read_text(encoding="utf-8")
    assert "climatology, 6 h: " in drawn
    assert " claimed, " in drawn


def test_a_store_that_was_filled_later_knew_nothing_then_and_the_terminal_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_intensity_file(made_hours(tmp_path, lost=LOST), fetched_at_utc=LATER, source_id="made")
    append(str(tmp_path / "store"), rows, fetched_at_utc=LATER)
    config = tmp_path / "settings.toml"
    config.write_text(f'[store]\nroot = "{tmp_path / "store"}"\n', encoding="utf-8")
    words = ["backtest", "--config", str(config), "--job-hours", "6", "--from"]
    assert main([*words, "2026-02-12", "--to", "2026-02-13"]) == 0
    said = capsys.readouterr().out
    assert "1 moment from 2026-02-12 00:00 UTC, 2 regions, put off by at most 24 h" in said
    assert "zone DE lacks 2 of 30 hours" in said
    assert "annual" in said
    assert "at 1 of 1 moments nothing was known of any zone" in said
    assert main([*words, "2026-02-12", "--to", "2026-02-13", "--published-after", "1"]) == 0
    said = capsys.readouterr().out
    assert "climatology" in said
    assert "nothing was known" not in said
    assert main([*words, "2026-03-12", "--to", "2026-03-13"]) == 2
    assert "the store holds no measured hour between 2026-03-12 00:00 and" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--regions", "aws:eu-centrl-1"],
            "'aws:eu-centrl-1' is not in the catalog; did you mean 'aws:eu-central-1'?",
        ),
        (["--regions", "aws:eu-north-1"], "hold no measured hour between 2026-02-10 00:00 and"),
        (["--regions", "aws:eu-north-1"], "of the zones SE-SE3: give files that do"),
    ],
)
def test_a_region_without_measured_hours_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    given = ["backtest", "--from", "2026-02-10", "--to", "2026-02-12", "--intensities", made_hours(tmp_path)]
    assert main([*given, *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"every": 0}, "--every 0"),
        ({"job_hours": "6;48"}, "--job-hours '6;48'"),
        ({"job_hours": "6,0"}, "--job-hours '6,0'"),
        ({"job_hours": "9000"}, "--job-hours '9000'"),
        ({"slack_hours": -1.0}, "--slack-hours -1"),
        ({"published_after": math.nan}, "--published-after nan"),
        ({"start": "2026-02-12"}, "give --from before --to"),
    ],
)
def test_what_is_no_time_or_number_of_hours_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        question_of(GIVEN._replace(**changed), now_utc=datetime(2026, 11, 26, tzinfo=UTC))
    assert message in str(caught.value)


def test_moments_lie_in_the_range_and_hours_are_measured_to_the_end_of_the_last_window() -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    question = question_of(GIVEN._replace(every=18), now_utc=now)
    assert [f"{moment:%d %H}" for moment in question.moments()] == ["10 00", "10 18", "11 12"]
    assert question.measured_until() == datetime(2026, 2, 14, 12, tzinfo=UTC)
    assert question.job_hours == (6.0, 48.0)
