"""``estimate --method``, ``methods`` and ``compare`` as a user types them."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.estimation.baselines import METHODS
from tests.cli.conftest import AS_OF


def test_every_method_is_listed_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    for name in METHODS:
        assert name in printed
    assert main(["methods", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["methods"]
    assert [one["name"] for one in listed] == list(METHODS)
    assert all(one["needs"] and one["formula"] and one["limits"] for one in listed)


def test_a_queue_is_estimated_by_the_methods_named(
    queue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "estimates.parquet"
    words = ["estimate", "--manifest", queue, *AS_OF, "--offline", "--out", str(out)]
    assert main([*words, "--method", "tdp", "constant-utilisation"]) == 0
    table = pq.ParquetFile(out).read()
    assert set(table["method"].to_pylist()) == {"tdp", "constant-utilisation"}
    assert f"{table.num_rows} rows of method_estimate (2 per job)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        (["--method", "mlco3"], "did you mean 'mlco2'?"),
        (["--method", "tdp", "--profile", "paper"], "give --method or --profile, not both"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    more: list[str], hint: str, queue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "estimates.parquet"
    assert main(["estimate", "--manifest", queue, *AS_OF, "--offline", "--out", str(out), *more]) == 2
    assert hint in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.parametrize("columns", ["80", "150"])
def test_a_comparison_fits_the_terminal_and_ends_with_the_spread(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["compare", "t5-11b", "--method", "calibrated", "llmcarbon", "mlco2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[1 : lines.index(next(line for line in lines if line.startswith("predicted hours")))]
    assert all(len(line) <= int(columns) for line in table)
    assert any(line.startswith("calibrated") and "●" in line for line in table)
    assert any(line.startswith("emissions, 3 methods:") for line in lines)


def test_a_comparison_in_json_holds_every_figure_and_what_the_owner_reports(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compare", "bloom", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["actual_kgco2e"] == {"bloom-176b": 24_700}
    assert [row["method"] for row in content["estimates"]] == list(METHODS)


@pytest.mark.parametrize(
    "words", [["compare"], ["compare", "no-such-run"], ["compare", "bloom", "--region", "x"]]
)
def test_a_comparison_of_nothing_known_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_method_that_cannot_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "transformer-big-tpu-v2", "--method", "llmcarbon", "mlco2"]) == 0
    printed = capsys.readouterr().out
    assert "llmcarbon: knows V100, A100, H100, TPU v3 and TPU v4 only" in " ".join(printed.split())
    assert "mlco2" in printed
