"""``opencarbon fit --history``."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from tests.example import write_queue

Capture = pytest.CaptureFixture[str]
DATA = Path(__file__).parents[1] / "data/run_history"
A100 = "NVIDIA A100 SXM4 80GB"
HEADER = (
    "project_name,run_id,duration,emissions,energy_consumed,gpu_count,gpu_model,parameters,training_tokens"
)


def row(run: str, project: str = "nlp", model: str = "NVIDIA A100-SXM4-80GB", tokens: str = "3e9") -> str:
    """A run of 160 device-hours; with 3e9 tokens, at a tenth of the peak of an A100."""
    return f"{project},{run},72000,1,80,8,8 x {model},1e9,{tokens}"


SLOW = tuple(row(f"a{number}", project=f"p{number}") for number in range(4))


def log(path: Path, *rows: str) -> str:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return str(path)


def fit(tmp_path: Path, *more: str) -> int:
    return main(["fit", "--offline", "--out", str(tmp_path / "fits.parquet"), *more])


def content(tmp_path: Path, capsys: Capture, *paths: str) -> dict[str, Any]:
    assert 0 == fit(tmp_path, "--json", "--history", *paths)
    return dict(json.loads(capsys.readouterr().out)["history"])


class TestFits:
    def test_slow_runs_on_a_device_raise_its_hours_most(self, tmp_path: Path, capsys: Capture) -> None:
        ratio = content(tmp_path, capsys, log(tmp_path / "emissions.csv", *SLOW))["hours_ratio_by_device"]

        assert ratio[A100] > 1.1
        others = [abs(math.log(moved)) for device, moved in ratio.items() if device != A100]
        assert max(others) < math.log(ratio[A100])
        assert ratio["NVIDIA A100 SXM4 40GB"] > 1.0

    def test_the_fits_that_are_written_predict_the_hours_of_the_own_fleet(self, tmp_path: Path) -> None:
        job = {"wall_hours": None, "training_flop": [1e21, 1e21, 1e21]}
        queue, out = str(write_queue(tmp_path / "queue.parquet", **job)), tmp_path / "estimates.parquet"
        hours = []
        for more in ((), ("--history", log(tmp_path / "emissions.csv", *SLOW))):
            fit(tmp_path, *more)
            fits = ("--fits", str(tmp_path / "fits.parquet"))
            assert 0 == main(["estimate", "--manifest", queue, "--offline", *fits, "--out", str(out)])
            hours.append(pq.read_table(out)["device_hours"].to_pylist())

        a100, h100, _ = (learnt / plain for plain, learnt in zip(*hours, strict=True))
        assert a100 > h100 > 1.0

    def test_the_device_of_the_fleet_is_in_the_table_of_fits(self, tmp_path: Path, capsys: Capture) -> None:
        assert 0 == fit(tmp_path, "--history", log(tmp_path / "emissions.csv", *SLOW))

        lines = [line.split() for line in capsys.readouterr().out.splitlines() if A100 in line]
        assert any(words[-2] == "own_runs" for words in lines)

    def test_runs_without_flop_move_no_hours_but_give_power(self, tmp_path: Path, capsys: Capture) -> None:
        found = content(tmp_path, capsys, log(tmp_path / "emissions.csv", row("a", tokens="")))

        assert (1, 0, {"The training FLOP is not known.": 1}) == (
            found["read"],
            found["used"],
            found["left_out"],
        )
        assert {1.0} == set(found["hours_ratio_by_device"].values())
        power = found["power_by_device"][A100]
        assert (500.0, "server") == (power["measured_power_w"], power["measured_power_boundary"])

    def test_an_impossible_run_is_left_out_with_its_reason(self, tmp_path: Path, capsys: Capture) -> None:
        found = content(tmp_path, capsys, log(tmp_path / "emissions.csv", row("a", tokens="1e12")))

        assert {"The throughput is above the dense peak of the device.": 1} == found["left_out"]
        assert {1.0} == set(found["hours_ratio_by_device"].values())

    def test_estimates_take_the_power_that_the_runs_measured(self, tmp_path: Path) -> None:
        queue, out = str(write_queue(tmp_path / "queue.parquet")), tmp_path / "estimates.parquet"
        fit(tmp_path, "--history", log(tmp_path / "emissions.csv", *SLOW))

        fits = ("--fits", str(tmp_path / "fits.parquet"))
        assert 0 == main(["estimate", "--manifest", queue, "--offline", *fits, "--out", str(out)])

        jobs = {job["job_id"]: job for job in pq.read_table(out).to_pylist()}
        assert (500.0, "own_runs") == (jobs["one"]["power_w"], jobs["one"]["power_source"])
        assert pytest.approx(8 * 5.0 * 0.5) == jobs["one"]["energy_kwh"]
        assert "own_runs" != jobs["two"]["power_source"]

    def test_the_logs_of_every_tool_are_read_in_one_call(self, tmp_path: Path, capsys: Capture) -> None:
        folder = tmp_path / "logs"
        shutil.copytree(DATA, folder)

        found = content(tmp_path, capsys, str(folder))

        runs = sum(found["used_by_device"].values()) + sum(found["left_out"].values())
        assert found["read"] == runs == 14
        assert 8 == len(found["rejected"])
        power = {
            device: round(one["measured_power_w"], 2) for device, one in found["power_by_device"].items()
        }
        # of the A100s, 875 W of CodeCarbon's run are not believed; sacct's 450 W and our own 350 W are
        assert power == {
            "NVIDIA A100 SXM4 40GB": 300.0,
            "NVIDIA A40": 212.5,
            "NVIDIA A100 SXM4 80GB": round((40 * 450 + 6400 * 350) / 6440, 2),
            "NVIDIA H100 SXM5 80GB": 500.0,
            "NVIDIA V100 SXM2 16GB": round((6 * 250 + 2.5 * 300) / 8.5, 2),
            "NVIDIA V100 SXM2 32GB": round((3 * 300 + 3 * 800 / 3) / 6, 2),
            "Google TPU v3": 200.0,
        }


class TestOutput:
    def test_says_what_was_read_left_out_and_moved(self, tmp_path: Path, capsys: Capture) -> None:
        path = log(tmp_path / "emissions.csv", *SLOW, row("b", tokens=""), row("c", model="Foo 1000"))

        assert 0 == fit(tmp_path, "--history", path)

        out = capsys.readouterr().out
        lines = out.splitlines()
        assert "own fleet: runs read: 5, used by the fits: 4; rows and files rejected: 1" in lines
        assert "     1 x The training FLOP is not known." in lines
        assert f"{path}, row 5, run codecarbon:c: device 'Foo 1000' is not in the catalog; use a name" in out
        (moved,) = [line for line in lines if line.startswith(f"│ {A100}") and "500 W (server)" in line]
        assert " 4 " in moved
        assert "+" in moved

    def test_lists_twenty_rejected_rows_and_json_all(self, tmp_path: Path, capsys: Capture) -> None:
        path = log(tmp_path / "emissions.csv", *(row(f"x{number}", model="Foo 1000") for number in range(23)))

        assert 0 == fit(tmp_path, "--history", path)
        lines = capsys.readouterr().out.splitlines()
        assert 20 == sum("'Foo 1000'" in line for line in lines)
        assert "and 3 more: --json lists all of them" in lines
        assert 23 == len(content(tmp_path, capsys, path)["rejected"])

    def test_without_a_history_nothing_is_said_of_it(self, tmp_path: Path, capsys: Capture) -> None:
        assert 0 == fit(tmp_path)
        assert "own fleet" not in capsys.readouterr().out
        assert 0 == fit(tmp_path, "--json")
        assert "history" not in json.loads(capsys.readouterr().out)

    def test_several_files_a_folder_and_a_glob_are_one_history(self, tmp_path: Path, capsys: Capture) -> None:
        folder = tmp_path / "logs"
        folder.mkdir()
        paths = [log(folder / "a.csv", SLOW[0]), log(folder / "b.csv", SLOW[1])]

        found = [content(tmp_path, capsys, *given) for given in (paths, [str(folder)], [f"{folder}/*.csv"])]

        assert 2 == found[0]["used"]
        assert found[0] == found[1] == found[2]

    def test_the_settings_name_a_history_that_the_option_replaces(
        self, tmp_path: Path, capsys: Capture
    ) -> None:
        log(tmp_path / "set.csv", *SLOW)
        other = log(tmp_path / "other.csv", SLOW[0])
        config = tmp_path / "s.toml"
        config.write_text('[history]\nfiles = ["set.csv"]\n', encoding="utf-8")
        read = []
        for more in ([], ["--history", other]):
            assert 0 == fit(tmp_path, "--json", "--config", str(config), *more)
            read.append(json.loads(capsys.readouterr().out)["history"]["read"])

        assert [4, 1] == read

    def test_offline_says_that_an_object_store_is_not_read(self, tmp_path: Path, capsys: Capture) -> None:
        assert 0 == fit(tmp_path, "--history", "s3://fleet/*.txt")
        assert "places of run histories not read, to stay offline: 1" in capsys.readouterr().out


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty; expected the log of a tool"),
            (b"name,age\nx,1\n", "is no run history that is known by its columns (name, age)"),
            (b"PAR1 and then nothing", "is damaged or cut off Parquet"),
            (b"duration,emissions,energy_consumed\n", "lacks the column gpu_model or device"),
            (None, "does not exist"),
        ],
    )
    def test_a_file_that_cannot_be_read_is_an_error_alone_and_a_remark_beside_others(
        self, tmp_path: Path, capsys: Capture, content: bytes | None, words: str
    ) -> None:
        bad, good = tmp_path / "bad.csv", log(tmp_path / "good.csv", SLOW[0])
        if content is not None:
            bad.write_bytes(content)

        assert 1 == fit(tmp_path, "--history", str(bad))
        assert words in capsys.readouterr().err
        assert not (tmp_path / "fits.parquet").exists()

        assert 0 == fit(tmp_path, "--history", good, str(bad))
        out = capsys.readouterr().out
        assert f"{bad}: the file is not read: " in out
        assert words in out
        assert "own fleet: runs read: 1, used by the fits: 1; rows and files rejected: 1" in out

    def test_a_header_without_runs_changes_nothing(self, tmp_path: Path, capsys: Capture) -> None:
        found = content(tmp_path, capsys, log(tmp_path / "emissions.csv"))

        assert (0, 0, []) == (found["read"], found["used"], found["rejected"])
        assert {1.0} == set(found["hours_ratio_by_device"].values())

    def test_control_characters_of_a_log_do_not_reach_the_terminal(
        self, tmp_path: Path, capsys: Capture
    ) -> None:
        path = log(tmp_path / "emissions.csv", SLOW[0], row("\x1b[31mred", model="\x1b]0;title\x07 Foo"))

        assert 0 == fit(tmp_path, "--history", path)
        assert "\x1b" not in capsys.readouterr().out
