"""``opencarbon run``, ``estimate`` and ``plan``: what they print and what they write."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.publishing.parquet import read_table
from opencarbon.tables.contracts import PUBLISHED
from tests.cli.conftest import AS_OF
from tests.connections import recorded
from tests.example import tree, write_queue

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


class TestRun:
    def test_prints_what_to_do_on_standard_output_and_nothing_on_standard_error(
        self, run: Run, capsys: Capture
    ) -> None:
        run()

        out, err = capsys.readouterr()
        assert "" == err
        lines = out.splitlines()
        assert lines[0].startswith("planned ")
        assert any(line.startswith("job ") and "saves tCO2e" in line for line in lines)
        assert "3 jobs read: " in out
        assert lines[-1].startswith("published run 20261116T0000Z-")

    def test_json_is_all_there_is_on_standard_output(self, run: Run, tmp_path: Path, capsys: Capture) -> None:
        run("--json")

        content = json.loads(capsys.readouterr().out)
        latest = tmp_path / "release/v1/latest"
        assert ("published", latest.resolve().name) == (content["status"], content["run_id"])
        assert str(latest.resolve()) == content["directory"]
        assert (3, 0, True, False) == tuple(
            content[key] for key in ("jobs_read", "jobs_rejected", "degraded", "over_budget")
        )
        assert {name: read_table(latest, name).num_rows for name in PUBLISHED} == content["rows"]
        assert read_table(latest, "rec_job")["saving_kgco2e"].to_numpy().sum() == pytest.approx(
            content["total"]["saving_kgco2e"]
        )
        assert {"severity", "source", "subject", "code", "detail"} == set(content["events"][0])
        assert ([], 0, []) == (content["over"], content["jobs_over_budget"], content["not_claimed"])

    def test_json_says_who_is_over_budget_by_how_much_and_where_too_much_is_advised(
        self, run: Run, tmp_path: Path, capsys: Capture
    ) -> None:
        text = "[plan]\nclaim_up_to_mw = 0.002\n[budget]\nwhen_over = 'flag'\n[budget.teams]\nchat = 0.5\n"
        (tmp_path / "s.toml").write_text(text, encoding="utf-8")

        assert 0 == run("--json", "--config", str(tmp_path / "s.toml"))

        content = json.loads(capsys.readouterr().out)
        latest = tmp_path / "release/v1/latest"
        rows = read_table(latest, "fact_total").to_pylist()
        (chat,) = (row for row in rows if row["scope_value"] == "chat")
        assert content["over"] == [
            {
                "scope": "team",
                "name": "chat",
                "budget_kgco2e": 0.5,
                "advised_kgco2e": chat["advised_all_jobs_kgco2e"],
                "over_by_kgco2e": chat["advised_all_jobs_kgco2e"] - 0.5,
            }
        ]
        assert content["over_budget"]
        too_much = [
            row for row in read_table(latest, "rec_region").to_pylist() if row["saving_kgco2e"] is None
        ]
        assert len(too_much) > 0
        assert {row["region"]: row["shifted_peak_power_mw"] for row in too_much} == {
            row["region"]: row["shifted_peak_power_mw"] for row in content["not_claimed"]
        }
        assert ("not_claimed", None) == (content["total"]["saving_status"], content["total"]["saving_kgco2e"])

    def test_several_manifests_may_follow_one_option_or_several(
        self, tmp_path: Path, capsys: Capture
    ) -> None:
        first, second = (
            str(write_queue(tmp_path / f"{name}.parquet", job_id=[f"{name}{row}" for row in range(3)]))
            for name in "ab"
        )
        base = ["run", *AS_OF, "--offline", "--json", "--out", str(tmp_path / "release")]

        ids = set()
        for manifests in (["--manifest", first, second], ["--manifest", first, "--manifest", second]):
            assert 0 == main([*base, *manifests])
            ids.add(json.loads(capsys.readouterr().out)["run_id"])

        assert 1 == len(ids)
        assert 6 == read_table(tmp_path / "release/v1/latest", "rec_job").num_rows

    def test_the_profile_of_the_paper_publishes_too(self, run: Run, tmp_path: Path) -> None:
        queue = write_queue(tmp_path / "q.parquet", wall_hours=None, training_flop=[1e21, 1e21, 1e21])

        assert 0 == run("--profile", "paper", manifest=str(queue))

        latest = tmp_path / "release/v1/latest"
        assert {"paper"} == set(read_table(latest, "fact_job_estimate")["method"].to_pylist())
        assert ["paper"] == read_table(latest, "dim_run")["profile"].to_pylist()

    def test_names_that_look_like_markup_are_printed_as_they_are(
        self, run: Run, tmp_path: Path, capsys: Capture
    ) -> None:
        queue = write_queue(tmp_path / "q.parquet", job_id=["[red]one[/red]", "a[0]", r"b\[1]"])

        assert 0 == run(manifest=str(queue))

        out = capsys.readouterr().out
        for name in ("[red]one[/red]", "a[0]", r"b\[1]"):
            assert name in out


class TestDryRun:
    def test_writes_nothing_anywhere_and_asks_no_host(
        self, tmp_path: Path, queue: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        (tmp_path / "work").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))
        monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "a-token")
        monkeypatch.chdir(tmp_path)
        before = tree(tmp_path)

        with recorded() as asked:
            status = main(["run", "--manifest", queue, *AS_OF, "--out", "release", "--dry-run", "--json"])

        content = json.loads(capsys.readouterr().out)
        assert 0 == status
        assert set() == asked
        assert before == tree(tmp_path)
        assert ("dry_run", "published", None) == (
            content["status"],
            content["would_be"],
            content["directory"],
        )
        assert content["total"]["jobs"] == 3

    def test_changes_nothing_in_a_release_and_a_store_that_are_there(
        self, run: Run, tmp_path: Path, capsys: Capture
    ) -> None:
        run()
        (tmp_path / "store").mkdir(exist_ok=True)
        before = tree(tmp_path)
        capsys.readouterr()

        assert 0 == run("--dry-run")

        assert before == tree(tmp_path)
        assert "is published already, nothing would change" in capsys.readouterr().out

    def test_is_strict_and_over_budget_like_the_run_it_foresees(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "s.toml").write_text("[budget]\nrun_kgco2e = 0.001\n", encoding="utf-8")

        assert 3 == run("--dry-run", "--strict")
        assert 4 == run("--dry-run", "--config", str(tmp_path / "s.toml"))
        assert not (tmp_path / "release").exists()


class TestSingleTables:
    @pytest.mark.parametrize(("command", "table"), [("estimate", "fact_job_estimate"), ("plan", "rec_job")])
    def test_are_written_and_nothing_else_is(
        self, tmp_path: Path, queue: str, capsys: Capture, command: str, table: str
    ) -> None:
        out = tmp_path / "new/one.parquet"

        status = main([command, "--manifest", queue, *AS_OF, "--offline", "--out", str(out), "--json"])

        content = json.loads(capsys.readouterr().out)
        assert 0 == status
        assert (table, str(out), 3, 0) == tuple(content[key] for key in ("table", "file", "rows", "rejected"))
        assert list(PUBLISHED[table].columns) == pq.read_table(out).column_names
        assert [out] == list(out.parent.iterdir())

    def test_say_what_was_degraded_on_standard_error(
        self, tmp_path: Path, queue: str, capsys: Capture
    ) -> None:
        main(["estimate", "--manifest", queue, *AS_OF, "--offline", "--out", str(tmp_path / "e.parquet")])

        out, err = capsys.readouterr()
        assert out.startswith("3 rows of fact_job_estimate in ")
        assert "annual intensities stand in" in err

    def test_take_fits_from_the_fit_command_and_from_a_release(
        self, run: Run, tmp_path: Path, queue: str
    ) -> None:
        run()
        released = tmp_path / "release/v1/latest/fact_device_fit/part-0.parquet"
        assert 0 == main(["fit", "--offline", "--out", str(tmp_path / "fits.parquet")])

        written = []
        for fits in (released, tmp_path / "fits.parquet"):
            out = tmp_path / f"from-{fits.stem}.parquet"
            arguments = ["--manifest", queue, *AS_OF, "--offline", "--fits", str(fits), "--out", str(out)]
            assert 0 == main(["estimate", *arguments])
            written.append(pq.read_table(out))

        assert written[0].drop_columns(["run_id"]).equals(written[1].drop_columns(["run_id"]))

    @pytest.mark.parametrize(
        ("fitted", "level", "profile", "said"),
        [
            ("calibrated", "0.95", "calibrated", "are to hold 80 % of new runs, where 95 % is asked for"),
            ("calibrated", "0.8", "paper", "are of the profile calibrated, where paper is asked for"),
            ("paper", "0.8", "calibrated", "are of the profile paper, where calibrated is asked for"),
            ("calibrated", "0.8", "calibrated", None),
            ("paper", "0.95", "paper", None),
        ],
    )
    def test_fits_made_for_another_level_or_profile_are_said(
        self,
        tmp_path: Path,
        queue: str,
        capsys: Capture,
        monkeypatch: pytest.MonkeyPatch,
        fitted: str,
        level: str,
        profile: str,
        said: str | None,
    ) -> None:
        fits, out = str(tmp_path / "fits.parquet"), str(tmp_path / "e.parquet")
        assert 0 == main(["fit", "--offline", "--profile", fitted, "--out", fits])
        capsys.readouterr()
        monkeypatch.setenv("OPENCARBON_ESTIMATE__INTERVAL_LEVEL", level)
        arguments = ["--manifest", queue, *AS_OF, "--offline", "--fits", fits, "--out", out]

        assert 0 == main(["estimate", *arguments, "--profile", profile])
        err = capsys.readouterr().err
        assert (said is not None) == ("device fits are" in err)
        assert said is None or said in err

    def test_a_file_that_stood_there_stays_where_the_command_fails(self, tmp_path: Path) -> None:
        out = tmp_path / "e.parquet"
        out.write_bytes(b"of yesterday")
        bad = str(write_queue(tmp_path / "q.parquet", device=["X", "Y", "Z"]))

        assert 2 == main(["plan", "--manifest", bad, *AS_OF, "--offline", "--out", str(out)])
        assert b"of yesterday" == out.read_bytes()
