"""The reproduction as files: whole, offline, the same twice, refitted on a newer table, refused where that is broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.errors import SourceError
from opencarbon.pipeline.reproduce import Reproduction, reproduce
from opencarbon.settings import load_settings
from opencarbon.tables.reproduction import METHOD_ESTIMATE, REPRODUCED
from tests.grid_server import FileServer
from tests.pipeline.pages import assert_tables_are_read_equal, files, reproduced_once

EPOCH = Path(__file__).parents[1] / "data" / "epoch_ai" / "models_2026.csv"
CONTRACTS = REPRODUCED | {METHOD_ESTIMATE.name: METHOD_ESTIMATE}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    return reproduced_once(tmp_path_factory)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    """On a table of models that holds more than the bundled runs."""
    return reproduce(load_settings(), tmp_path_factory.mktemp("newer"), models=str(EPOCH))


def test_every_table_is_written_in_its_contract_and_read_equal_by_other_engines(made: Reproduction) -> None:
    assert set(CONTRACTS) | {"dim_device_embodied"} == set(made.rows)
    assert_tables_are_read_equal(made.folder, CONTRACTS, made.rows)


def test_every_figure_is_drawn_for_a_screen_and_for_a_phone(made: Reproduction) -> None:
    drawn = {path.name for path in (made.folder / "figures").iterdir()}
    figures = ("figure_1", "figure_4", "figure_5", "figure_6", "figure_7", "compare", "embodied")
    assert {f"{name}{width}.svg" for name in figures for width in ("", "-narrow")} == drawn


def test_the_page_says_unprompted_what_does_not_reproduce(made: Reproduction) -> None:
    page = made.page.read_text(encoding="utf-8")
    for words in (
        "match only with their FLOP exchanged",
        "does not follow from its stated inputs",
        "counts cores where it means chips",
        "device-hours x TDP by construction",
        "mean of the two ends inflates hours",
        "six test runs are left out of the fit",
    ):
        assert words in page
    assert len(page) < 3_000_000


def test_a_newer_table_of_models_refits_and_leaves_what_is_published(
    made: Reproduction, newer: Reproduction
) -> None:
    before, after = (one.cells.to_pylist() for one in (made, newer))
    assert [row["published_value"] for row in before] == [row["published_value"] for row in after]
    assert [row["recomputed_value"] for row in before] == [row["recomputed_value"] for row in after]
    assert [row["refitted_value"] for row in before] != [row["refitted_value"] for row in after]
    assert "Epoch AI" in newer.page.read_text(encoding="utf-8").partition("<footer")[2]


def test_a_table_of_models_comes_by_address_as_by_file(newer: Reproduction, tmp_path: Path) -> None:
    with FileServer({"/models.csv": EPOCH.read_bytes()}) as server:
        by_address = reproduce(load_settings(), tmp_path / "address", models=f"{server.url}/models.csv")
        with pytest.raises(SourceError):
            reproduce(load_settings(), tmp_path / "lost", models=f"{server.url}/lost.csv")
    assert newer.cells.equals(by_address.cells)
    assert not (tmp_path / "lost").exists()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>not found</html>", id="a web page"),
        pytest.param(EPOCH.read_bytes().splitlines(keepends=True)[0], id="a header alone"),
        pytest.param(b"a,b\n1,2\n", id="another table"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_and_nothing_is_written(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "models.csv"
    path.write_bytes(body)
    with pytest.raises(SourceError):
        reproduce(load_settings(), tmp_path / "paper", models=str(path))
    assert not (tmp_path / "paper").exists()


@pytest.mark.parametrize(
    ("module", "extra"), [("matplotlib", "report"), ("jinja2", "report"), ("sklearn", "baselines")]
)
def test_what_is_not_installed_is_named_with_its_extra(module: str, extra: str, tmp_path: Path) -> None:
    code = (
        f"import sys\nsys.modules[{module!r}] = None\nfrom opencarbon.cli import main\n"
        f"sys.exit(main(['reproduce', '--out', {str(tmp_path / 'paper')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"pip install 'opencarbon[{extra}]'" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "paper").exists()


def test_the_command_prints_what_agrees_and_what_does_not_and_writes_the_same_bytes_again(
    made: Reproduction,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["reproduce", "--out", str(tmp_path / "paper")]) == 0
    printed = capsys.readouterr().out
    assert "GLM and BLOOM match only with their FLOP exchanged" in printed
    assert "1,966.17" in printed
    assert files(made.folder) == files(tmp_path / "paper")
    assert main(["reproduce", "--out", str(tmp_path / "paper"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rows"]["paper_cell"] > 100
    assert any("ViT-L/16" in finding["title"] for finding in content["findings"])


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "paper").write_text("here")
    assert main(["reproduce", "--out", str(tmp_path / "paper")]) == 2
    assert "is a file" in capsys.readouterr().err
