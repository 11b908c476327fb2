"""What the terminal explains, as its reader sees it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.cli.plots import hour_columns
from tests.example import Release
from tests.publishing.report_runs import HOSTILE, changed, renamed, without_rows

START = datetime(2026, 11, 16, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def shown(release: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["show", *words, "--release", str(release)]) == 0
    return capsys.readouterr().out


def test_a_job_is_explained_from_its_work_to_its_emissions(
    example: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown(example.root, "llama-65b", capsys=capsys)
    for line in (
        "llama-65b: model LLaMA 65B, team language, project open-models",
        "planned: 2048 x NVIDIA A100 SXM4 80GB in aws:us-east-1 from Tue 17 Nov 00:00",
        "energy_kwh                        754,026  (418,606 to 1,358,210)",
        "    = device_hours x power_w / 1000",
        "least known of the operational emissions: device_hours",
        "planned: US-MIDA-PJM, gCO2e/kWh, example; ━ hours used",
        "advice: move and delay, gcp:europe-north2 from Tue 17 Nov 02:00",
        "saves 345 t (232 t to 458 t) of CO2e, 93 %, potential",
        "advised: SE-SE3, gCO2e/kWh, example; ━ hours used",
    ):
        assert line in told.splitlines()
    assert "https://arxiv.org/abs/2307.09288" in told
    drawn = [line for line in told.splitlines() if "█" in line or "━" in line]
    assert max(map(len, drawn)) <= 80


def test_a_job_that_is_not_planned_says_why(example: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert "it runs already: it is estimated and not planned" in shown(
        example.root, "gemini-ultra", capsys=capsys
    )
    assert "it brings its own carbon intensity" in shown(example.root, "glm-130b", capsys=capsys)
    assert "no saving can be told: the baseline is no current region" in shown(
        example.root, "megascale", capsys=capsys
    )


def test_a_rejected_job_says_what_to_do(example: Release, capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(example.root, "yi-34b", capsys=capsys)
    assert "yi-34b was rejected" in told
    assert "give device_hours, wall_hours, training_flop" in told


def test_hours_that_are_not_published_are_said_to_be_missing(
    example: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = changed(example, tmp_path / "run", fact_grid_intensity_hourly=without_rows)
    (run / "release.json").write_bytes((example.latest / "release.json").read_bytes())
    told = shown(run, "llama-65b", capsys=capsys)
    assert "planned: its hours are not in this release; the figures above rest on example data" in told


@pytest.mark.parametrize("name", ["azure:swedencentral", "SE-SE3"])
def test_a_region_and_a_zone_show_their_hours_and_jobs(
    example: Release, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown(example.root, name, capsys=capsys)
    assert "annual mean 20 gCO2e/kWh (2025)" in told
    assert "coming hours: SE-SE3, gCO2e/kWh, example; ━ the cleanest window" in told
    assert "gpt-4" in told
    assert "Electricity Maps" in told


def test_a_run_is_told_in_one_screen(example: Release, capsys: pytest.CaptureFixture[str]) -> None:
    run = example.latest.resolve().name
    for name in ("latest", run):
        told = shown(example.root, name, capsys=capsys)
        assert f"run {run}, as of 2026-11-16 00:00 UTC" in told
        assert "48 rows read, 2 rejected" in told
        assert "saving not claimed" in told
        assert len(told.splitlines()) < 60


@pytest.mark.parametrize("name", ["gpt-4", "aws:eu-north-1", "latest"])
def test_json_holds_it_all(example: Release, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(shown(example.root, name, "--json", capsys=capsys))
    assert told["run_id"] == example.latest.resolve().name
    if name == "gpt-4":
        steps = {step["name"]: step for step in told["steps"]}
        assert steps["total_kgco2e"]["value"] == told["job"]["total_kgco2e"]
        assert steps["pue"]["source"]["url"]


def test_a_name_that_is_not_there_is_an_error_with_its_neighbours(
    example: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "gtp-4", "--release", str(example.root)]) == 2
    assert "did you mean 'gpt-4'" in " ".join(capsys.readouterr().err.split())


def test_names_are_printed_harmless(
    example: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = renamed(example, tmp_path / "run")
    (run / "release.json").write_bytes((example.latest / "release.json").read_bytes())
    for name in HOSTILE:
        assert main(["show", "--as", "job", "--release", str(run), "--", name]) == 0
        told = capsys.readouterr().out
        assert "\x1b" not in told
        assert "\u2028" not in told
        assert "total_kgco2e" in told


class TestPlot:
    def test_columns_grow_from_zero_to_the_greatest(self) -> None:
        lines = list(hour_columns([0, 4, 8, None], START, height=1))
        assert lines[0] == "    8  ▄█ "  # the label of the greatest, then a column for each hour
        assert lines[-1] == "        Tu"  # what there is room for

    def test_marks_stand_below_the_hours_that_a_stretch_touches(self) -> None:
        stretch = (START + 1.5 * HOUR, START + 3 * HOUR)
        lines = list(hour_columns([1.0] * 5, START, marked=[stretch], height=2))
        assert lines[2] == "       ━━  "

    def test_days_are_named_at_midnight(self) -> None:
        (*_, days) = hour_columns([1.0] * 40, START + 2 * HOUR, height=1)
        assert days == "      Tue 17 Nov              Wed 18 Nov"

    def test_the_first_hour_has_no_name_where_a_day_follows_at_once(self) -> None:
        (*_, days) = hour_columns([1.0] * 40, START, height=1)
        assert days == "        Tue 17 Nov              Wed 18 Nov"

    def test_nothing_known_draws_nothing(self) -> None:
        assert list(hour_columns([None, None], START)) == []

    def test_all_zero_is_drawn_flat(self) -> None:
        lines = list(hour_columns([0.0, 0.0], START, height=2))
        assert "█" not in "".join(lines)
