"""The evaluation as files: whole, offline, the same twice, on frozen rows; and what its scores promise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opencarbon.cli import main
from opencarbon.errors import ConfigError
from opencarbon.estimation.evaluation import EVALUATED, FROZEN_ROWS_SHA256, SUBSETS
from opencarbon.pipeline.evaluate import Evaluation, evaluate
from opencarbon.settings import load_settings
from opencarbon.tables.evaluation import EVALUATED_TABLES
from tests.connections import recorded
from tests.pipeline.pages import assert_tables_are_read_equal, files

EPOCH = Path(__file__).parents[1] / "data" / "epoch_ai" / "models_2026.csv"
BASELINES = [name for name, one in EVALUATED.items() if name != "calibrated" and not one.is_in_sample]

Scores = Mapping[tuple[str, str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    with recorded() as asked:
        evaluation = evaluate(load_settings(), tmp_path_factory.mktemp("evaluation"))
    assert asked == set()
    return evaluation


@pytest.fixture(scope="module")
def scores(made: Evaluation) -> Scores:
    """Scores of hours with families left out, by subset and method."""
    return {
        (row["subset"], row["evaluated_method"]): row
        for row in made.scores.to_pylist()
        if (row["evaluated_quantity"], row["split"]) == ("device_hours", "family")
    }


def test_every_table_is_written_in_its_contract_and_read_equal_by_other_engines(made: Evaluation) -> None:
    assert set(EVALUATED_TABLES) == set(made.rows)
    assert_tables_are_read_equal(made.folder, EVALUATED_TABLES, made.rows)


def test_the_command_prints_every_method_and_writes_the_same_bytes_again(
    made: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "again"
    assert main(["evaluate", "--out", str(out), "--expect-rows", made.rows_sha256]) == 0
    assert files(made.folder) == files(out)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines if str(out) not in line)
    for name in EVALUATED:
        assert sum(line.split()[:1] == [name] for line in lines) == 1
    assert {"frozen rows: yes", f"rows sha256: {FROZEN_ROWS_SHA256}"} <= set(lines)
    assert sum(line.startswith("carbon: E ") and "not independent" in line for line in lines) == 1


def test_rows_of_another_hash_are_refused_and_nothing_is_written(
    made: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--out", str(tmp_path / "out"), "--models", str(EPOCH)]
    assert main([*words, "--expect-rows", made.rows_sha256]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"not {made.rows_sha256}" in said
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="leave out --expect-rows"):
        evaluate(load_settings(), tmp_path / "out", expected_rows="0" * 64)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("here")
    assert main(["evaluate", "--out", str(tmp_path / "out")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_the_readme_says_what_comes_out(scores: Scores) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| device-hours, families left out")[2].partition("\n\n")[0]
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    expected = sorted(
        (
            f"{scores['decoder_1b', name]['family_error']:.3f}",
            f"{scores['all', name]['family_error']:.3f}",
            f"{scores['all', name]['interval_score']:.2f}",
            f"{100 * scores['all', name]['family_coverage']:.0f} %",
        )
        for name in EVALUATED
    )
    assert expected == sorted((cells[1], cells[2], cells[4], cells[5]) for cells in told)


# --- what the scores promise -----------------------------------------------------------------------------------------


def test_the_rows_are_frozen(made: Evaluation) -> None:
    assert made.is_frozen
    assert "frozen rows: yes" in made.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_calibrated_method_errs_no_more_than_the_best_that_knows_as_much(
    scores: Scores, subset: str
) -> None:
    ours = scores[subset, "calibrated"]["family_error"]
    for name in BASELINES:
        other = scores[subset, name]
        difference = other["family_error_difference"]
        assert difference <= 0.0, name
        assert other["family_error_difference_high"] < 0.03, name
        if other["scored_runs"] == scores[subset, "calibrated"]["scored_runs"]:
            assert difference == pytest.approx(ours - other["family_error"])


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("name", ["constant-utilisation", "opencarboneval-refitted"])
def test_its_intervals_score_better_and_hold_about_what_they_say(
    scores: Scores, subset: str, name: str
) -> None:
    ours = scores[subset, "calibrated"]
    assert ours["interval_score"] < scores[subset, name]["interval_score"]
    assert 0.60 <= ours["family_coverage"] <= 0.96


def test_own_runs_of_a_fleet_sharpen_the_others(made: Evaluation) -> None:
    rows = [
        row
        for row in made.fleets.to_pylist()
        if row["split"] == "family" and row["fleets_counted"] == "same_fleets"
    ]
    means = [row["mean_error"] for row in sorted(rows, key=lambda row: int(row["runs_given"]))]
    assert len(means) == 4
    assert means == sorted(means, reverse=True)
    counted = [row for row in made.fleets.to_pylist() if row["split"] == "family" and row["runs_given"]]
    assert all(row["mean_error"] < row["mean_error_one_less"] for row in counted)
