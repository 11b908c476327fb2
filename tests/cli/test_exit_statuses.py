"""What the commands return, and what they say when something is wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opencarbon.cli import main
from opencarbon.publishing.local import LocalLayout as Layout
from opencarbon.publishing.local import publisher_lock
from tests.cli.conftest import AS_OF
from tests.example import write_queue

Run = Callable[..., int]
COMMAND = Path(sys.executable).parent / "opencarbon"


def toml(folder: Path, text: str) -> tuple[str, str]:
    (folder / "settings.toml").write_text(text, encoding="utf-8")
    return "--config", str(folder / "settings.toml")


def bad_queue(folder: Path, bad: int = 1) -> str:
    devices = ["H1000"] * bad + ["NVIDIA H100 SXM5 80GB"] * (3 - bad)
    return str(write_queue(folder / "bad.parquet", device=devices))


class TestPublished:
    def test_is_0(self, run: Run) -> None:
        assert 0 == run()

    def test_is_0_again_where_nothing_changed(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        run()

        assert 0 == run()
        assert "was published before" in capsys.readouterr().out

    def test_is_0_with_rejected_rows_unless_strict(self, run: Run, tmp_path: Path) -> None:
        settings = toml(tmp_path, "[publish]\nmax_rejected_pct = 40\n")

        assert 0 == run(*settings, manifest=bad_queue(tmp_path))
        assert 3 == run(*settings, "--strict", manifest=bad_queue(tmp_path))

    def test_is_3_where_strict_and_degraded(self, run: Run) -> None:
        assert 3 == run("--strict")

    @pytest.mark.parametrize(("when_over", "status"), [("fail", 4), ("flag", 0)])
    def test_is_4_over_budget_unless_it_is_only_to_be_flagged(
        self, run: Run, tmp_path: Path, when_over: str, status: int
    ) -> None:
        settings = toml(tmp_path, f"[budget]\nrun_kgco2e = 0.001\nwhen_over = '{when_over}'\n")

        assert status == run(*settings)
        assert (tmp_path / "release/v1/latest").exists()
        assert status == run(*settings), "the same when nothing changed"

    @pytest.mark.parametrize(("kgco2e", "status"), [(0.001, 4), (1e9, 0)])
    def test_is_4_where_a_team_is_over_its_budget(
        self, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], kgco2e: float, status: int
    ) -> None:
        assert status == run(*toml(tmp_path, f"[budget.teams]\nchat = {kgco2e}\n"))
        assert (tmp_path / "release/v1/latest").exists()
        assert (status == 4) == ("over budget: team 'chat' is advised to emit" in capsys.readouterr().out)

    def test_is_4_rather_than_3(self, run: Run, tmp_path: Path) -> None:
        assert 4 == run(*toml(tmp_path, "[budget]\nrun_kgco2e = 0.001\n"), "--strict")


class TestNothingPublished:
    """Exit status 2: one readable block on standard error, nothing on standard output, nothing published."""

    @pytest.fixture(autouse=True)
    def _is_two_and_quiet(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = tmp_path, capsys

    def refused(self, status: int, words: str) -> None:
        out, err = self.capsys.readouterr()
        assert 2 == status
        assert "" == out
        assert words in " ".join(err.split())
        assert "Traceback" not in err
        assert not (self.folder / "release").exists()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["nope"], 'Unknown command "nope"'),
            (["run"], "--manifest"),
            (["run", "--manifest", "x.parquet", "--nope"], "--nope"),
            (["run", "--manifest", "x.parquet", "--profile", "papers"], "papers"),
            (["fit"], "--out"),
        ],
    )
    def test_usage(self, arguments: list[str], words: str) -> None:
        self.refused(main(arguments), words)

    @pytest.mark.parametrize(
        ("as_of", "words"),
        [
            ("2026-11-16", "has no time zone: write 2026-11-16T00:00:00Z"),
            ("tomorrow", "is no ISO 8601 time"),
            ("1812-06-24T00:00:00Z", "is in 1812"),
        ],
    )
    def test_as_of(self, run: Run, as_of: str, words: str, queue: str) -> None:
        out = str(self.folder / "release")

        self.refused(main(["run", "--manifest", queue, "--as-of", as_of, "--out", out, "--offline"]), words)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[plan]\ntopk = 3\n", "unknown setting 'plan.topk'; did you mean 'plan.top_k'?"),
            ("[electricity_maps]\ntoken = 'x'\n", "a secret does not belong in a file"),
            ("[plan]\ndefault_region = 'aws:us-eas-1'\n", "did you mean 'aws:us-east-1'?"),
            ("[manifest.columns]\nJob = 'jobid'\n", "did you mean 'job_id'?"),
            ("[manifest.carry]\nteam = 'string'\n", "'team' is the name of another column"),
            ("devices = ['none.toml']\n", "none.toml cannot be used"),
            ("[publish\n", "is not TOML"),
        ],
    )
    def test_configuration(self, run: Run, text: str, words: str) -> None:
        self.refused(run(*toml(self.folder, text)), words)

    def test_no_place_to_publish_to(self, queue: str) -> None:
        self.refused(main(["run", "--manifest", queue, "--offline"]), "give --out, or set publish.root")

    def test_a_place_that_nothing_reaches(self, run: Run) -> None:
        self.refused(run("--out", "ftp://host/release"), "nothing here speaks ftp://")

    def test_no_such_manifest(self, run: Run) -> None:
        self.refused(run(manifest=str(self.folder / "none.parquet")), "none.parquet does not exist")

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("jobs.txt", "is not Parquet"),
            ("jobs.csv", "no column says how much work a job is"),
        ],
    )
    def test_a_manifest_that_is_none(self, run: Run, name: str, words: str) -> None:
        (self.folder / name).write_text("job_id,device,device_count\na,H100,8\n", encoding="utf-8")

        self.refused(run(manifest=str(self.folder / name)), words)

    def test_a_required_column_that_is_missing(self, run: Run) -> None:
        queue = write_queue(self.folder / "q.parquet", device=None)

        self.refused(run(manifest=str(queue)), "required column 'device' is missing")

    def test_no_acceptable_row(self, run: Run) -> None:
        self.refused(run(manifest=bad_queue(self.folder, bad=3)), "no row can be used")

    def test_more_rejected_rows_than_allowed(self, run: Run) -> None:
        self.refused(run(manifest=bad_queue(self.folder)), "more than publish.max_rejected_pct = 20 %")

    @pytest.mark.parametrize("command", ["estimate", "plan"])
    def test_fits_that_are_none(self, queue: str, command: str) -> None:
        arguments = [command, "--manifest", queue, "--out", str(self.folder / "e.parquet"), "--offline"]

        self.refused(main([*arguments, "--fits", queue]), "holds no device fits")
        assert not (self.folder / "e.parquet").exists()

    @pytest.mark.parametrize("command", [["fit"], ["dictionary"]])
    def test_a_folder_where_a_file_is_to_be_written(self, command: list[str]) -> None:
        self.refused(main([*command, "--out", str(self.folder)]), "is a folder: give the file to write")

    def test_an_exclusion_that_is_no_regular_expression(self) -> None:
        arguments = ["fit", "--offline", "--out", str(self.folder / "f.parquet"), "--exclude-model", "["]

        self.refused(main(arguments), "regular expression")


class TestAnythingElse:
    def test_is_1_where_another_publisher_is_at_work(
        self, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        layout = Layout(tmp_path / "release")

        with publisher_lock(layout, "20261116T0000Z-00000000", now_utc=datetime.now(UTC)):
            status = run()

        assert 1 == status
        assert "another publisher is at work" in capsys.readouterr().err

    def test_is_1_where_a_named_source_cannot_be_read(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["fit", "--models", str(tmp_path / "none.csv"), "--out", str(tmp_path / "f.parquet")]

        assert 1 == main(arguments)
        assert "none.csv cannot be read" in capsys.readouterr().err
        assert not (tmp_path / "f.parquet").exists()

    def test_is_1_without_a_traceback_for_what_nobody_foresaw(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("opencarbon.pipeline.run_night", lambda *_, **__: 1 / 0)

        assert 1 == run()
        err = capsys.readouterr().err
        assert "unexpected ZeroDivisionError" in err
        assert "--debug" in err
        assert "Traceback" not in err

    def test_debug_lets_errors_through(self, run: Run, tmp_path: Path) -> None:
        with pytest.raises(Exception, match=r"none\.parquet does not exist"):
            run("--debug", manifest=str(tmp_path / "none.parquet"))


@pytest.mark.slow
class TestProcesses:
    """The same through real processes: what a scheduler sees."""

    @pytest.mark.parametrize(
        ("more", "status"),
        [
            ([], 0),
            (["--strict"], 3),
            (["--config", "{budget}"], 4),
            (["--out", "ftp://host/release"], 2),
        ],
    )
    def test_exit_status(self, queue: str, tmp_path: Path, more: list[str], status: int) -> None:
        _, budget = toml(tmp_path, "[budget]\nrun_kgco2e = 0.001\n")
        out = [] if "--out" in more else ["--out", str(tmp_path / "release")]
        arguments = [word.format(budget=budget) for word in more]

        done = subprocess.run(
            [COMMAND, "run", "--manifest", queue, *AS_OF, "--offline", *out, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

        assert status == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        assert (status == 2) == (done.stdout == "")

    def test_an_interrupt_is_1_and_leaves_no_release(self, queue: str, tmp_path: Path) -> None:
        out = tmp_path / "release"
        slow = (
            "import time, sys\nimport opencarbon.pipeline as p\nfrom opencarbon.cli import main\n"
            "def wait(*a, **k):\n    print('waiting', flush=True)\n    time.sleep(60)\n"
            "p.recommend = wait\nsys.exit(main(sys.argv[1:]))"
        )
        arguments = ["run", "--manifest", queue, *AS_OF, "--offline", "--out", str(out)]

        with subprocess.Popen(
            [sys.executable, "-c", slow, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "waiting\n" == process.stdout.readline()
            process.send_signal(signal.SIGINT)
            words = process.stderr.read()

        assert 1 == process.returncode
        assert "stopped" in words
        assert "Traceback" not in words
        assert not out.exists()

    def test_a_reader_that_has_seen_enough_is_no_error_to_look_at(self) -> None:
        with subprocess.Popen(
            [COMMAND, "dictionary"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert "" == process.stderr.read()

    def test_names_outside_ascii_are_printed_where_the_output_knows_ascii_only(self, tmp_path: Path) -> None:
        queue = write_queue(tmp_path / "q.parquet", job_id=["größe", "日本", "plain"])
        arguments = ["run", "--manifest", str(queue), *AS_OF, "--offline", "--out", str(tmp_path / "release")]

        done = subprocess.run(
            [COMMAND, *arguments],
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert 0 == done.returncode, done.stderr
        assert "plain" in done.stdout
