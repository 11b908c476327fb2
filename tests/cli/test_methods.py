"""``estimate --method``, ``methods`` and ``compare`` as a user types them."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.estimation.baselines import METHODS
from tests.cli.conftest import AS_OF
from tests.example import tree, write_queue


def test_every_method_is_listed_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    text = capsys.readouterr().out
    for name in METHODS:
        assert name in text
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
    text = capsys.readouterr().out
    assert "llmcarbon: knows V100, A100, H100, TPU v3 and TPU v4 only" in " ".join(text.split())
    assert "mlco2" in text


def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, *words: str
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["compare", *words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("columns", "headings"),
    [
        (150, ["method", "device-hours", "MWh", "operational tCO2e", "embodied", "total"]),
        (100, ["method", "hours", "MWh", "operational", "embodied", "tCO2e"]),
        (80, ["method", "hours", "MWh", "embodied", "tCO2e"]),
        (45, ["method", "hours", "tCO2e"]),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_no_number_cut_short(
    columns: int,
    headings: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = printed(capsys, monkeypatch, columns, "bloom-176b")
    table = lines[1 : 3 + len(METHODS)]
    found = [word.strip() for word in table[0].split("  ") if word.strip()]
    assert headings == found[: len(headings)]
    assert len(found) == len(headings) + (columns > 45)  # the drawing of the intervals, under its range
    assert all(len(line.rstrip()) <= columns for line in table)
    assert [line.split()[0] for line in table[2:]] == list(METHODS)
    assert not any("\N{HORIZONTAL ELLIPSIS}" in line for line in lines)


def test_the_drawing_goes_from_the_lowest_end_to_the_highest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(capsys, monkeypatch, 150, "bloom-176b", "--method", "calibrated", "tdp", "carbontracker")
    table = lines[1:6]
    start = table[0].index("total, ")
    drawn = {line.split()[0]: line[start:].rstrip() for line in table[2:]}
    # carbontracker is the lowest, the upper end of calibrated the highest: 19.9 and 60.2 t.
    assert "total, 19.9 to 60.2 tCO2e" in table[0]
    assert drawn["carbontracker"] == "\N{BLACK CIRCLE}"
    assert len(drawn["calibrated"]) == 25
    assert drawn["calibrated"].count("\N{BLACK CIRCLE}") == 1
    assert drawn["calibrated"].endswith("\N{BOX DRAWINGS LIGHT HORIZONTAL}")
    assert drawn["tdp"].strip() == "\N{BLACK CIRCLE}"


def test_methods_that_cannot_for_one_reason_share_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = write_queue(tmp_path / "q.parquet", wall_hours=None, training_flop=[1e20] * 3)
    lines = printed(capsys, monkeypatch, 80, "two", "--manifest", str(queue), *AS_OF, "--offline")
    assert lines[0] == "two: 16 x NVIDIA H100 SXM5 80GB"
    assert "llmcarbon, llmcarbon-as-published: needs parameters: the job states none" in lines
    (needing,) = [line for line in lines if "needs known device-hours" in line]
    family = [name for name, method in METHODS.items() if not method.predicts_hours]
    assert needing == f"{', '.join(family)}: needs known device-hours: give device_hours or wall_hours"


def test_a_job_that_is_nowhere_has_no_columns_of_carbon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = write_queue(
        tmp_path / "q.parquet", current_region=None, repeats=[1, 1, 4], device_count=[0.5] * 3
    )
    words = ("three", "-m", str(queue), *AS_OF, "--offline", "--method", "tdp", "svr")
    lines = printed(capsys, monkeypatch, 80, *words)
    assert lines[0] == "three: 0.500 x NVIDIA A100 SXM4 80GB, 3.50 hours stated, 4 times"
    assert lines[1].split() == ["method", "device-hours", "kWh"]
    assert lines[3].split() == ["tdp", "7.00", "3.08"]  # 0.5 x 3.5 h x 4, 400 W, PUE 1.1
    assert not any(line.startswith("emissions") for line in lines)
    reason = "tdp, svr: no carbon intensity: give current_region or carbon_intensity_gco2e_per_kwh"
    assert reason in lines


def test_figures_of_any_size_keep_the_table_in_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = write_queue(
        tmp_path / "q.parquet",
        wall_hours=None,
        device_hours=[1e-9, 1e12, 5.0],
        repeats=[1, 10**9, 1],
        device_count=[1e-6, 1e9, 1.0],
    )
    lines = printed(capsys, monkeypatch, 80, "one", "two", "three", "-m", str(queue), *AS_OF, "--offline")
    tables = [line for line in lines if line.split(" ")[0] in METHODS and ":" not in line]
    assert len(tables) == 3 * len(METHODS)
    assert all(len(line.rstrip()) <= 80 for line in tables)
    assert "1.00e+21" in next(line for line in tables[len(METHODS) :] if line.startswith("tdp"))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--method", "tdp", "bloom-176b"], "names come before options"),
        (["blom-176b"], "did you mean 'bloom-176b'"),
        (["bloom", "--region", "aws:eu-west3"], "did you mean 'aws:eu-west-3'?"),
        (["bloom", "--method", "codecarbn"], "did you mean 'codecarbon'?"),
        (["tow", "--manifest", "{queue}", "--offline"], "did you mean 'two'?"),
        (
            ["two", "--manifest", "{queue}", "--offline", "--region", "aws:us-east-1"],
            "name their current_region",
        ),
    ],
)
def test_a_comparison_that_cannot_be_meant_names_what_was(
    words: list[str], hint: str, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(word.format(queue=queue) for word in words)]) == 2
    assert hint in " ".join(capsys.readouterr().err.split())


def test_a_comparison_writes_nothing_unless_asked(
    queue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["compare", "one", "-m", queue, *AS_OF, "--offline", "--method", "tdp"]) == 0
    assert main(["compare", "bloom", "--method", "tdp"]) == 0
    assert capsys.readouterr().out
    assert tree(tmp_path / "here") == {}


def test_estimates_by_method_in_json_name_the_file_and_its_rows(
    queue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "estimates.parquet"
    words = ["--manifest", queue, *AS_OF, "--offline", "--out", str(out), "--json"]
    assert main(["estimate", *words, "--method", "all"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["table"], content["file"]) == ("method_estimate", str(out))
    assert (content["rows"], content["rejected"]) == (3 * len(METHODS), 0)


def test_a_method_named_twice_counts_once(
    queue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "estimates.parquet"
    words = ["estimate", "--manifest", queue, *AS_OF, "--offline", "--out", str(out)]
    assert main([*words, "--method", "tdp", "--method", "tdp"]) == 0
    assert "3 rows of method_estimate (1 per job)" in capsys.readouterr().out
