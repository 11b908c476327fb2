"""``opencarbon fit`` says what a refit changes, and ``--accept`` lets nights use what they hold."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.cli.inspect import fit_command
from opencarbon.cli.tables import print_warnings
from opencarbon.errors import ConfigError, SourceError
from opencarbon.publishing.parquet import read_table
from opencarbon.settings import load_settings
from opencarbon.tables.events import Event
from tests.epoch_table import H100, MI300X, as_csv, rows
from tests.example import tree

Capture = pytest.CaptureFixture[str]
NIGHT = datetime(2026, 11, 16, tzinfo=UTC)
MORNING = NIGHT + timedelta(hours=8, minutes=20)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The table of models that the settings name."""
    path = tmp_path / "models.csv"
    path.write_bytes(as_csv(rows()))
    monkeypatch.setenv("OPENCARBON_EPOCH_AI__MODELS_URL", str(path))
    return path


@pytest.fixture
def night(tmp_path: Path, queue: str, capsys: Capture) -> Callable[[datetime], str]:
    """``opencarbon run`` as of a moment; gives what it printed."""

    def command(as_of_utc: datetime) -> str:
        out = str(tmp_path / "release")
        assert 0 == main(
            ["run", "--manifest", queue, "--offline", "--as-of", as_of_utc.isoformat(), "--out", out]
        )
        return capsys.readouterr().out

    return command


def fit(
    tmp_path: Path,
    *,
    accept: bool = False,
    as_json: bool = False,
    now_utc: datetime = MORNING,
    **options: Any,
) -> dict[str, Any]:
    """The command at a fixed hour; gives the row of the MI300X that it wrote."""
    chosen = {"models": None, "exclude_model": None, "offline": True} | options
    path = tmp_path / "fits.parquet"
    settings = load_settings(None, {"store": {"root": str(tmp_path / "store")}})
    status = fit_command(settings, str(path), accept=accept, now_utc=now_utc, as_json=as_json, **chosen)
    assert 0 == status
    return next(row for row in pq.read_table(path).to_pylist() if row["device"] == MI300X)


def released(tmp_path: Path) -> dict[str, Any]:
    fits = read_table(tmp_path / "release/v1/latest", "fact_device_fit").to_pylist()
    return next(row for row in fits if row["device"] == MI300X)


def test_without_earlier_fits_everything_is_the_first(tmp_path: Path, models: Path, capsys: Capture) -> None:
    assert "first" == fit(tmp_path)["refit_state"]
    assert "against the earlier fits" not in capsys.readouterr().out


def test_what_a_night_holds_is_used_from_the_hour_it_is_accepted(
    tmp_path: Path, models: Path, night: Callable[[datetime], str], capsys: Capture
) -> None:
    night(NIGHT)
    before = released(tmp_path)
    models.write_bytes(as_csv(rows(mi300x=0.13)))
    printed = night(NIGHT + timedelta(hours=7))
    assert f"held: {MI300X}: the refit moves predicted hours by +" in printed
    assert before["utilisation"] == released(tmp_path)["utilisation"]
    stored = tree(tmp_path / "store")

    held = fit(tmp_path)
    said = capsys.readouterr()
    accepted = fit(tmp_path, accept=True)
    told = capsys.readouterr().out
    printed = night(NIGHT + timedelta(hours=8))

    assert ("held", before["utilisation"]) == (held["refit_state"], held["utilisation"])
    line = next(line for line in said.out.splitlines() if MI300X in line and "held" in line)
    assert "5 to 5" in line
    assert "`opencarbon fit --accept`" in said.err
    assert ("accepted", held["refit_tflop_per_s"]) == (accepted["refit_state"], accepted["tflop_per_s"])
    assert "accepted for the nights to come" in told
    assert "held:" not in printed
    assert ("accepted", accepted["utilisation"]) == (
        released(tmp_path)["refit_state"],
        released(tmp_path)["utilisation"],
    )
    assert stored.items() < tree(tmp_path / "store").items()


def test_json_lists_every_change_and_nothing_is_stored_without_accepting(
    tmp_path: Path, models: Path, night: Callable[[datetime], str], capsys: Capture
) -> None:
    night(NIGHT)
    models.write_bytes(as_csv(rows(mi300x=0.13)))
    stored = tree(tmp_path / "store")

    fit(tmp_path, as_json=True)

    assert stored == tree(tmp_path / "store")
    content = json.loads(capsys.readouterr().out)
    changes = {change["device"]: change for change in content["changes"]}
    assert (NIGHT.isoformat(), False) == (content["compared_with"], content["accepted"])
    assert "held" == changes[MI300X]["state"]
    assert (5, 5) == (changes[MI300X]["runs_before"], changes[MI300X]["runs_after"])
    ratio = changes[MI300X]["hours_after"] / changes[MI300X]["hours_before"]
    assert ratio == pytest.approx(changes[MI300X]["hours_ratio"])
    assert ratio > 1.25
    assert "moved" == changes[H100]["state"]


def test_a_table_that_cannot_be_read_is_not_accepted(tmp_path: Path, models: Path) -> None:
    models.write_bytes(b"")

    with pytest.raises(SourceError, match=r"is empty.*nothing was written"):
        fit(tmp_path, accept=True)

    assert not (tmp_path / "fits.parquet").exists()
    assert not (tmp_path / "store").exists()


def test_the_option_is_on_the_command_line(tmp_path: Path, models: Path, capsys: Capture) -> None:
    out = str(tmp_path / "fits.parquet")

    assert 0 == main(["fit", "--accept", "--offline", "--json", "--out", out])

    assert json.loads(capsys.readouterr().out)["accepted"]
    assert 1 == len(list((tmp_path / "store").rglob("*-accepted-*.parquet")))


def test_a_refit_that_holds_dozens_names_a_few_and_counts_the_others(capsys: Capture) -> None:
    print_warnings(Event("warning", "fits", f"D{at}", "held", f"D{at}: the refit moves") for at in range(11))

    lines = capsys.readouterr().err.splitlines()
    assert [f"held: D{at}: the refit moves" for at in range(8)] == lines[:8]
    assert ["held: and 3 more devices, see run_event"] == lines[8:]


def test_models_left_out_do_not_come_back_through_earlier_fits(
    tmp_path: Path, models: Path, night: Callable[[datetime], str], capsys: Capture
) -> None:
    alone = fit(tmp_path, exclude_model="model-[0-4]-7b")
    night(NIGHT)
    capsys.readouterr()

    again = fit(tmp_path, exclude_model="model-[0-4]-7b")

    assert alone == again
    assert "first" == again["refit_state"]
    assert again["fit_source"] != "device_runs"
    assert "against the earlier fits" not in capsys.readouterr().out


def test_an_acceptance_counts_for_nights_that_are_replayed(
    tmp_path: Path, models: Path, night: Callable[[datetime], str], capsys: Capture
) -> None:
    night(NIGHT)
    models.write_bytes(as_csv(rows(mi300x=0.13)))
    assert "held:" in night(NIGHT + timedelta(days=1))

    fit(tmp_path, accept=True, now_utc=datetime(2031, 1, 1, tzinfo=UTC))

    assert "held:" not in night(NIGHT + timedelta(days=2))
    assert "accepted" == released(tmp_path)["refit_state"]


@pytest.mark.parametrize("options", [{"exclude_model": "model-1"}, {"models": "https://127.0.0.1:9/m.csv"}])
def test_what_is_no_whole_refit_is_not_accepted(
    tmp_path: Path, models: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="must be a whole refit"):
        fit(tmp_path, accept=True, **options)

    assert not (tmp_path / "store").exists()
