"""The page of a night: beside its tables, recorded with them, and never in their way."""

import errno
import json
import os
import sys
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.pipeline import report
from tests.example import Release, example_arguments, publish_example


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCARBON_PUBLISH__REPORT")


def test_a_night_leaves_it_beside_its_tables_and_says_where(
    tmp_path: Path, example: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    release = publish_example(tmp_path / "release")
    page = release.latest / "report.html"
    assert "44 planned jobs will emit" in page.read_text(encoding="utf-8")
    said = capsys.readouterr().out
    assert f"report: {page.resolve()}" in said.replace("\n", "")
    record = json.loads((release.latest / "release.json").read_bytes())
    assert record["documents"]["report.html"]["bytes"] == page.stat().st_size
    assert release.latest.resolve().name == example.latest.resolve().name  # it is no part of what a run is


def test_a_page_that_fails_costs_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Path) -> str:
        raise KeyError("no such")

    monkeypatch.setattr("opencarbon.publishing.report.report_page", broken)
    release = publish_example(tmp_path / "release")
    assert not (release.latest / "report.html").exists()
    assert "no report: KeyError: 'no such'; the tables are published without it" in capsys.readouterr().out
    assert release.table("rec_job").num_rows == 46


def test_without_the_libraries_it_says_which_extra_they_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    release = publish_example(tmp_path / "release")
    assert "pip install 'opencarbon[report]'" in " ".join(capsys.readouterr().out.split())
    assert not (release.latest / "report.html").exists()


def test_a_page_that_a_full_disk_cuts_off_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = Path.write_text

    def cut_off(path: Path, text: str, **options: str) -> int:
        if not text.startswith("<!DOCTYPE"):
            return write(path, text, **options)
        write(path, text[:1000], **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", cut_off)
    release = publish_example(tmp_path / "release")
    assert "cannot be written: No space left on device" in " ".join(capsys.readouterr().out.split())
    assert not (release.latest / "report.html").exists()
    assert release.table("rec_job").num_rows == 46


def test_a_page_that_cannot_be_written_is_one_that_fails(tmp_path: Path) -> None:
    assert "the tables are published without it" in str(report.write_report(tmp_path / "nowhere"))


class TestCommand:
    def test_it_makes_the_page_of_a_stored_run(self, tmp_path: Path, example: Release) -> None:
        out = tmp_path / "deep/page.html"
        assert main(["report", "--release", str(example.root), "--out", str(out)]) == 0
        page = out.read_text(encoding="utf-8")
        run = example.latest.resolve()
        for words in ([run.name, "--release", str(example.root)], ["--release", str(run)]):
            assert main(["report", *words, "--out", str(out)]) == 0
            assert out.read_text(encoding="utf-8") == page

    def test_a_run_that_is_not_there_is_told_with_those_that_are(
        self, tmp_path: Path, example: Release, capsys: pytest.CaptureFixture[str]
    ) -> None:
        missing = "20200101T0000Z-00000000"
        assert (
            main(["report", missing, "--release", str(example.root), "--out", str(tmp_path / "p.html")]) == 2
        )
        assert example.latest.resolve().name in "".join(capsys.readouterr().err.split())
        assert main(["report", "--release", str(tmp_path), "--out", str(tmp_path / "p.html")]) == 2
        assert "no run is stored" in capsys.readouterr().err
        assert not (tmp_path / "p.html").exists()


def test_the_json_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_STORE__ROOT", str(tmp_path / "store"))
    assert main(["run", *example_arguments(tmp_path / "release"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert Path(told["report"]).is_file()
