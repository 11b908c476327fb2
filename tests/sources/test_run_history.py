"""Completed runs are read from the logs of seven tools in one form, and what cannot be used is rejected with the reason."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.catalog.catalog import load_catalog
from opencarbon.errors import ConfigError, SourceError, SourceShapeError
from opencarbon.sources.history import MOST_KW_PER_DEVICE, RULES, formats, parse, read_history
from opencarbon.tables.columns import all_columns
from opencarbon.tables.inputs import REJECTED_ROWS, RUN_HISTORY

DATA = Path(__file__).parents[1] / "data" / "run_history"
UNITS = load_catalog().device_units
LOG_1 = "4242.root_2024-05-02T101500Z_carbontracker.log"
LOG_2 = "977.root_2026-04-11T080000Z_carbontracker.log"
SLURM_HEADER = "JobID|JobName|AllocTRES|ElapsedRaw|Start|End|State|ConsumedEnergyRaw"


def read(content: bytes | str, **options: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    given = content.encode() if isinstance(content, str) else content
    good, rejected = parse(given, device_units=UNITS, name="log", **options)
    assert good.schema.equals(RUN_HISTORY.schema(), check_metadata=True)
    assert rejected.schema.equals(REJECTED_ROWS.schema(), check_metadata=True)
    return good.to_pylist(), rejected.to_pylist()


def file(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return read((DATA / name).read_bytes())


def codes(rejected: Sequence[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(row["row"], row["column"], row["rule_code"]) for row in rejected]


def figures(run: dict[str, Any]) -> tuple[Any, ...]:
    names = (
        "device",
        "device_count",
        "wall_hours",
        "device_hours",
        "energy_kwh",
        "power_w",
        "power_boundary",
    )
    return tuple(
        round(value, 6) if isinstance(value, float) else value for value in map(run.__getitem__, names)
    )


def slurm(*lines: str) -> str:
    return "\n".join([SLURM_HEADER, *lines, ""])


def job(**changed: str) -> str:
    cells = {
        "JobID": "7",
        "JobName": "train",
        "AllocTRES": "cpu=64,gres/gpu:a100=8,gres/gpu=8,node=1",
        "ElapsedRaw": "3600",
        "Start": "2026-02-10T22:00:00",
        "End": "2026-02-10T23:00:00",
        "State": "COMPLETED",
        "ConsumedEnergyRaw": "14400000",
    }
    return "|".join((cells | changed).values())


def own(path: Path, **columns: Any) -> bytes:
    known: dict[str, Any] = {
        "device": ["A100"],
        "device_count": [8.0],
        "wall_hours": [10.0],
        "energy_kwh": [24.0],
    }
    pq.write_table(pa.table(known | columns), path)
    return path.read_bytes()


def test_codecarbon_3_gives_energy_before_its_pue_and_the_last_state_of_a_flushed_run() -> None:
    good, rejected = file("codecarbon_3.csv")
    assert figures(good[0]) == ("NVIDIA A100 SXM4 80GB", 4.0, 2.0, 8.0, 7.0, 875.0, "server")
    assert figures(good[1]) == ("NVIDIA H100 SXM5 80GB", 8.0, 16.0, 128.0, 64.0, 500.0, "server")
    assert good[0]["run"] == "codecarbon:5b0fa12a-3dd7-45bb-9766-cc326314d9f1"
    assert good[0]["device_as_given"] == "NVIDIA A100-SXM4-80GB"
    assert (good[0]["project"], good[0]["manifest"], good[0]["row"]) == ("translation", "log", 0)
    assert (good[0]["started_utc"], good[0]["finished_utc"]) == (None, None)
    assert codes(rejected) == [(1, "run", "repeated_run")]
    assert "stands also in log, row 2" in rejected[0]["reason"]


def test_codecarbon_3_has_38_columns_and_the_older_file_29_without_pue() -> None:
    newer, older = (
        (DATA / name).read_text().partition("\n")[0].split(",")
        for name in ("codecarbon_3.csv", "codecarbon_2.csv")
    )
    assert (len(newer), len(older)) == (38, 29)
    assert set(newer) - set(older) >= {"experiment_id", "water_consumed", "pue", "wue"}


def test_codecarbon_2_is_read_without_pue_and_with_a_count_that_is_no_integer() -> None:
    (run,), rejected = file("codecarbon_2.csv")
    assert figures(run) == ("NVIDIA V100 SXM2 32GB", 1.0, 3.0, 3.0, 0.9, 300.0, "server")
    assert rejected == []


def test_the_devices_that_codecarbon_tracked_count_and_not_all_of_the_machine() -> None:
    text = (DATA / "codecarbon_2.csv").read_text()
    (run,), _ = read(text.replace("1.0,1 x Tesla", "2,8 x Tesla"))
    assert (run["device_count"], run["device_hours"]) == (2.0, 6.0)


def test_a_task_file_of_codecarbon_is_a_part_of_the_run() -> None:
    header, row, _ = (DATA / "codecarbon_2.csv").read_text().split("\n")
    good, rejected = read(f"task_name,{header}\nload dataset,{row}\n")
    assert good == []
    assert codes(rejected) == [(0, "task_name", "part_of_run")]


def test_codecarbon_without_a_gpu_is_no_run_on_an_accelerator() -> None:
    good, rejected = read(
        (DATA / "codecarbon_2.csv").read_text().replace("1.0,1 x Tesla V100-SXM2-32GB", ",")
    )
    assert good == []
    assert codes(rejected) == [(0, "gpu_model", "no_device")]


def test_devices_of_several_kinds_as_codecarbon_runs_them_together_are_mixed() -> None:
    text = (DATA / "codecarbon_2.csv").read_text()
    good, rejected = read(text.replace("1 x Tesla V100-SXM2-32GB", "2 x NVIDIA A404 x Tesla T4"))
    assert good == []
    assert codes(rejected) == [(0, "gpu_model", "mixed_devices")]


def test_slurm_gives_jobs_and_not_steps_with_joules_as_kwh() -> None:
    good, _ = file("slurm.txt")
    assert [run["run"] for run in good] == ["slurm:4711001", "slurm:4711002_3"]
    assert figures(good[0]) == ("NVIDIA A100 SXM4 80GB", 16.0, 2.5, 40.0, 18.0, 450.0, "server")
    assert (good[0]["device_as_given"], good[0]["project"], good[0]["row"]) == ("a100", "nlp", 0)


def test_slurm_energy_of_0_was_not_metered() -> None:
    good, _ = file("slurm.txt")
    assert figures(good[1]) == ("NVIDIA V100 SXM2 32GB", 1.0, 1.0, 1.0, None, None, None)


def test_slurm_jobs_that_say_nothing_of_a_device_are_rejected_with_the_reason() -> None:
    _, rejected = file("slurm.txt")
    assert codes(rejected) == [
        (6, "State", "not_completed"),
        (7, "State", "not_completed"),
        (8, "AllocTRES", "no_device"),
        (9, "AllocTRES", "mixed_devices"),
        (10, "AllocTRES", "unknown_device"),
    ]
    assert "'CANCELLED by 1000'" in rejected[1]["reason"]
    assert "'a100_3g.20gb' is not in the catalog, did you mean" in rejected[4]["reason"]
    assert [row["job_id"] for row in rejected[:2]] == ["slurm:4711003", "slurm:4711004"]


def test_local_times_of_slurm_are_null_and_those_with_an_offset_utc() -> None:
    assert {run["started_utc"] for run in file("slurm.txt")[0]} == {None}
    (run,), _ = file("slurm_offset.txt")
    assert run["started_utc"] == datetime(2026, 1, 14, 22, tzinfo=UTC)
    assert run["finished_utc"] == datetime(2026, 1, 16, 0, 30, tzinfo=UTC)


def test_elapsed_with_days_and_a_bar_at_the_end_of_lines_are_read() -> None:
    (run,), rejected = file("slurm_offset.txt")
    assert (run["wall_hours"], run["device_hours"], run["device"]) == (26.5, 212.0, "NVIDIA H100 SXM5 80GB")
    assert codes(rejected) == [(1, "AllocTRES", "no_device")]


@pytest.mark.parametrize(
    ("elapsed", "hours"),
    [("05:12", 312 / 3600), ("01:00:00", 1.0), ("2-00:00:36", 48.01), ("00:30.5", 30.5 / 3600)],
)
def test_elapsed_is_read_in_each_form(elapsed: str, hours: float) -> None:
    text = slurm(job(ElapsedRaw=elapsed, ConsumedEnergyRaw="")).replace("ElapsedRaw", "Elapsed")
    assert read(text)[0][0]["wall_hours"] == pytest.approx(hours, rel=1e-12)


def test_a_count_without_a_type_takes_the_device_from_our_column() -> None:
    header, line = f"{SLURM_HEADER}|device", f"{job(AllocTRES='cpu=8,gres/gpu=4,node=1')}|H100 PCIe"
    (run,), _ = read(f"{header}\n{line}\n")
    assert (run["device"], run["device_count"]) == ("NVIDIA H100 PCIe 80GB", 4.0)


def test_clusters_tell_equal_job_ids_apart() -> None:
    header = f"Cluster|{SLURM_HEADER}"
    good, _ = read(f"{header}\nnorth|{job()}\nsouth|{job()}\n")
    assert [run["run"] for run in good] == ["slurm:north/7", "slurm:south/7"]


def test_quotes_in_the_name_of_a_job_are_letters() -> None:
    good, rejected = read(slurm(job(JobID="1", JobName='"big'), job(JobID="2", JobName='run "b"')))
    assert ([run["run"] for run in good], rejected) == (["slurm:1", "slurm:2"], [])


def test_a_requeued_job_counts_once_it_completed() -> None:
    good, rejected = read(slurm(job(State="NODE_FAIL", ElapsedRaw="9999"), job()))
    assert [run["row"] for run in good] == [1]
    assert codes(rejected) == [(0, "State", "not_completed")]


def test_epochs_of_eco2ai_add_up_to_their_run() -> None:
    good, rejected = file("eco2ai.csv")
    assert figures(good[0]) == ("NVIDIA V100 SXM2 16GB", 4.0, 1.5, 6.0, 1.5, 250.0, "server")
    assert figures(good[1]) == ("NVIDIA V100 SXM2 16GB", 2.0, 1.25, 2.5, 0.75, 300.0, "server")
    assert [(run["row"], run["started_utc"]) for run in good] == [(0, None), (1, None)]
    assert codes(rejected) == [(3, "GPU_name", "no_device")]


def test_a_bad_epoch_spoils_its_run_and_no_other() -> None:
    text = (DATA / "eco2ai.csv").read_text().replace(",2700.0,", ",-2700.0,")
    good, rejected = read(text)
    assert [run["row"] for run in good] == [0]
    assert codes(rejected)[:2] == [(1, "id", "spoilt_run"), (2, "duration(s)", "out_of_range")]


def test_epochs_on_different_devices_are_mixed() -> None:
    text = (DATA / "eco2ai.csv").read_text()
    at = text.rindex("16GB 2 device(s)")
    good, rejected = read(text[:at] + "16GB 4 device(s)" + text[at + len("16GB 2 device(s)") :])
    assert [run["row"] for run in good] == [0]
    assert codes(rejected)[:2] == [(1, "id", "mixed_devices"), (2, "id", "mixed_devices")]


def test_a_pue_beside_eco2ai_is_taken_out_of_its_energy() -> None:
    lines = (DATA / "eco2ai.csv").read_text().splitlines()
    (run,), _ = read(f"{lines[0]},pue\n{lines[1]},1.25\n")
    assert run["energy_kwh"] == pytest.approx(1.2)


def test_the_early_spelling_of_eco2ai_is_read() -> None:
    good, _ = read((DATA / "eco2ai.csv").read_text().replace("(kWh)", "(kWTh)"))
    assert [run["energy_kwh"] for run in good] == [1.5, 0.75]


def test_carbontracker_1_gives_power_of_each_device_and_no_pue() -> None:
    (run,), rejected = file(LOG_1)
    # 1 h at 250 + 230 + 120 W, half an hour at 260 + 240 + 100 W; its own 1.395 kWh are these times 1.55
    assert figures(run) == ("NVIDIA A100 SXM4 40GB", 2.0, 1.5, 3.0, 0.9, 300.0, "server")
    assert rejected == []
    assert run["run"] == "carbontracker:log#0"


def test_carbontracker_2_gives_the_mean_of_its_devices() -> None:
    (run,), _ = file(LOG_2)
    assert figures(run) == ("NVIDIA A40", 4.0, 2.0, 8.0, 1.7, 212.5, "board")


def test_the_output_log_of_carbontracker_is_refused_on_its_own() -> None:
    content = (DATA / LOG_1.replace(".log", "_output.log")).read_bytes()
    with pytest.raises(
        SourceShapeError, match=r"output log, whose energies a PUE .* multiplies: give the file"
    ):
        parse(content, device_units=UNITS)


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        ("Monitoring thread ended.", "", "cut off"),
        ("Monitoring thread ended.", "Session ended by user.", "ended by its user"),
        (
            "Monitoring thread ended.",
            "Training was interrupted before all 9 epochs were monitored.\n2026-04-11 10:00:00 - Monitoring thread ended.",
            "interrupted",
        ),
    ],
)
def test_a_log_of_carbontracker_without_its_end_is_no_completed_run(
    before: str, after: str, state: str
) -> None:
    good, rejected = read((DATA / LOG_2).read_text().replace(before, after))
    assert good == []
    assert codes(rejected) == [(0, "monitoring", "not_completed")]
    assert rejected[0]["value"] == state


@pytest.mark.parametrize("power", ["None", "[None]", "nan", "[212.5 210.0]"])
def test_an_epoch_without_power_leaves_the_energy_null(power: str) -> None:
    (run,), _ = read((DATA / LOG_2).read_text().replace("212.5", power))
    assert figures(run)[2:] == (2.0, 8.0, None, None, None)


def test_two_kinds_of_device_in_a_log_of_carbontracker_are_mixed() -> None:
    _, rejected = read((DATA / LOG_2).read_text().replace("NVIDIA A40, NVIDIA A40.", "NVIDIA A40, Tesla T4."))
    assert codes(rejected) == [(0, "GPU with device(s)", "mixed_devices")]
    assert rejected[0]["value"] == "3 x NVIDIA A40, 1 x Tesla T4"


def test_samples_of_experiment_impact_tracker_make_one_run_though_the_last_is_cut() -> None:
    (run,), rejected = file("impact_tracker_data.json")
    # 1 h at 440 + 60 W, then half an hour at 500 + 100 W, on the two devices that were in use at most
    assert figures(run) == ("NVIDIA V100 SXM2 32GB", 2.0, 1.5, 3.0, 0.8, 266.666667, "server")
    assert (run["started_utc"], run["finished_utc"]) == (
        datetime(2020, 3, 1, tzinfo=UTC),
        datetime(2020, 3, 1, 1, 30, tzinfo=UTC),
    )
    assert (run["training_flop"], rejected) == (3e17, [])


def test_samples_without_the_draw_of_processors_end_at_the_board() -> None:
    text = (DATA / "impact_tracker_data.json").read_text().replace("rapl_estimated", "other_estimated")
    (run,), _ = read(text)
    assert (run["power_boundary"], run["energy_kwh"]) == ("board", pytest.approx(0.69))


def test_the_older_spelling_of_devices_in_use_is_counted() -> None:
    text = (DATA / "impact_tracker_data.json").read_text()
    (run,), _ = read(
        text.replace('{"0": "P0", "1": "P0"}', '"0::P0|1::P0|2::P2"').replace('{"0": "P0"}', '"0::P0"')
    )
    assert run["device_count"] == 3.0


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('"timestamp": 1583024400.0', '"timestamp": "noon"', (1, "timestamp", "wrong_type")),
        ("1583026200.0", "1583020801.0", (2, "timestamp", "wrong_type")),
        (
            '_power_draw": 440.0',
            '_power_draw": null',
            (1, "nvidia_estimated_attributable_power_draw", "wrong_type"),
        ),
        ('{"timestamp": 1583024400.0,', "broken", (1, "line", "cut_row")),
    ],
)
def test_a_bad_sample_spoils_the_run(before: str, after: str, fault: tuple[int, str, str]) -> None:
    good, rejected = read((DATA / "impact_tracker_data.json").read_text().replace(before, after))
    assert good == []
    assert codes(rejected) == [fault]


def test_cumulator_gives_hours_and_no_energy_of_its_tdp() -> None:
    (run,), _ = file("cumulator.json")
    assert figures(run) == ("NVIDIA GeForce RTX 3090", 2.0, 1.5, 3.0, None, None, None)


def test_our_own_names_give_work_times_parts_of_devices_and_the_boundary() -> None:
    good, rejected = file("own.csv")
    assert figures(good[0]) == ("NVIDIA A100 SXM4 80GB", 64.0, 100.0, 6400.0, 2240.0, 350.0, "server")
    assert figures(good[1]) == ("Google TPU v3", 256.0, 10.0, 2560.0, 512.0, 200.0, "chip")
    assert [
        good[0][name] for name in ("training_flop", "parameters", "active_parameters", "training_tokens")
    ] == [
        4.2e21,
        7e9,
        None,
        1e11,
    ]
    assert good[0]["started_utc"] == datetime(2026, 4, 30, 22, tzinfo=UTC)
    assert (good[0]["run"], rejected) == ("opencarbon:llm-1", [])


def test_parquet_of_our_names_and_of_a_tools_is_read(tmp_path: Path) -> None:
    times = pa.array([datetime(2026, 1, 1, 1, tzinfo=UTC)], pa.timestamp("ns", tz="Asia/Kolkata"))
    (run,), _ = read(
        own(tmp_path / "own.parquet", started_utc=times, device=pa.array(["A100"]).dictionary_encode())
    )
    assert figures(run) == ("NVIDIA A100 SXM4 80GB", 8.0, 10.0, 80.0, 24.0, 300.0, "server")
    assert run["started_utc"] == datetime(2026, 1, 1, 1, tzinfo=UTC)
    pq.write_table(
        pa.table(
            {
                "duration": [7200.0],
                "emissions": [1.0],
                "energy_consumed": [2.0],
                "gpu_model": ["4 x Tesla T4"],
            }
        ),
        tmp_path / "tool.parquet",
    )
    (run,), _ = read((tmp_path / "tool.parquet").read_bytes())
    assert (run["history_format"], run["device_hours"], run["power_w"]) == ("codecarbon", 8.0, 250.0)


@pytest.mark.parametrize("name", ["training_flop", "parameters", "active_parameters", "training_tokens"])
def test_columns_of_the_work_may_stand_in_the_log_of_any_tool(name: str) -> None:
    header, line = f"{SLURM_HEADER}|{name}", f"{job()}|1e9"
    assert read(f"{header}\n{line}\n")[0][0][name] == 1e9


BAD: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {"wall_hours": [0.0]},
        "wall_hours",
        "out_of_range",
        "wall_hours 0.0 comes to 0 h, which is not at least 1e-09",
    ),
    ({"wall_hours": [-3.0]}, "wall_hours", "out_of_range", "comes to -3 h"),
    ({"wall_hours": [None]}, "wall_hours", "missing", "wall_hours is missing"),
    ({"wall_hours": ["ten"]}, "wall_hours", "wrong_type", "wall_hours 'ten' is not read as a number"),
    ({"wall_hours": [float("inf")]}, "wall_hours", "wrong_type", "inf is not read as a finite number"),
    ({"device": [""]}, "device", "no_device", "names no accelerator"),
    ({"device": ["A1000"]}, "device", "unknown_device", "device 'A1000' is not in the catalog, did you mean"),
    ({"device_count": [0.0]}, "device_count", "out_of_range", "comes to 0 devices"),
    ({"device_count": [None]}, "device_count", "missing", "device_count is missing"),
    ({"device_count": [True]}, "device_count", "wrong_type", "True is not read as a number"),
    ({"energy_kwh": ["1,200"]}, "energy_kwh", "wrong_type", "'1,200' is not read as a number"),
    ({"energy_kwh": [-1.0]}, "energy_kwh", "out_of_range", "comes to -1 kWh, which is not above 0"),
    ({"energy_kwh": [0.0]}, "energy_kwh", "out_of_range", "which is not above 0"),
    (
        {"energy_kwh": [120.1]},
        "energy_kwh",
        "implausible_power",
        "comes to 1.5 kW for each device, above 1.5 kW",
    ),
    (
        {"power_boundary": ["rack"]},
        "power_boundary",
        "unknown_boundary",
        "'rack' is none of chip, board, server",
    ),
    ({"training_flop": [1e40]}, "training_flop", "out_of_range", "comes to 1e+40 FLOP"),
    ({"training_tokens": ["many"]}, "training_tokens", "wrong_type", "'many' is not read as a number"),
    (
        {"parameters": [1e9], "active_parameters": [2e9]},
        "active_parameters",
        "active_above_all",
        "is above parameters 1000000000",
    ),
    ({"state": ["failed"]}, "state", "not_completed", "the run is 'failed', and only completed runs"),
    ({"started_utc": ["2026-01-01T00:00:00"]}, "started_utc", "naive_timestamp", "has no offset from UTC"),
    ({"started_utc": [datetime(2026, 1, 1)]}, "started_utc", "naive_timestamp", "has no offset from UTC"),
    ({"started_utc": ["1 May"]}, "started_utc", "wrong_type", "'1 May' is not read as a time such as"),
    (
        {"finished_utc": ["1969-12-31T23:00:00Z"]},
        "finished_utc",
        "time_out_of_range",
        "is not between 1970 and 2200",
    ),
    (
        {"started_utc": ["2026-01-02T00:00Z"], "finished_utc": ["2026-01-02T01:00+01:00"]},
        "finished_utc",
        "finish_before_start",
        "is not after the start of the run",
    ),
]


@pytest.mark.parametrize(("columns", "column", "code", "reason"), BAD)
def test_a_bad_row_is_rejected_with_column_value_and_reason(
    tmp_path: Path, columns: dict[str, Any], column: str, code: str, reason: str
) -> None:
    good, (row,) = read(own(tmp_path / "own.parquet", **columns))
    assert good == []
    assert (row["manifest"], row["row"], row["job_id"]) == ("log", 0, "opencarbon:log#0")
    assert (row["column"], row["rule_code"]) == (column, code)
    assert reason in row["reason"]
    assert row["remedy"]


def test_power_up_to_the_bound_is_plausible(tmp_path: Path) -> None:
    assert MOST_KW_PER_DEVICE == 1.5
    (run,), _ = read(own(tmp_path / "own.parquet", energy_kwh=[120.0]))
    assert run["power_w"] == 1500.0


def test_every_design_power_of_the_catalog_is_plausible() -> None:
    design_powers: list[Any] = load_catalog().devices["tdp_w"].to_pylist()
    assert max(design_powers) == 1200.0 < MOST_KW_PER_DEVICE * 1e3


def test_each_column_at_fault_is_told_and_the_good_rows_stay(tmp_path: Path) -> None:
    content = own(
        tmp_path / "own.parquet",
        device=["A100", "Abacus", "T4"],
        device_count=[8.0, 1.0, 2.0],
        wall_hours=[10.0, -1.0, 5.0],
        energy_kwh=[None, 1.0, None],
    )
    good, rejected = read(content)
    assert [(run["row"], run["device"]) for run in good] == [(0, "NVIDIA A100 SXM4 80GB"), (2, "NVIDIA T4")]
    assert codes(rejected) == [(1, "device", "unknown_device"), (1, "wall_hours", "out_of_range")]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"ElapsedRaw": "0"}, (0, "ElapsedRaw", "out_of_range")),
        ({"ElapsedRaw": "an hour"}, (0, "ElapsedRaw", "wrong_type")),
        ({"ElapsedRaw": ""}, (0, "ElapsedRaw", "missing")),
        ({"ConsumedEnergyRaw": "12.5M"}, (0, "ConsumedEnergyRaw", "wrong_type")),
        ({"ConsumedEnergyRaw": "18446744073709551614"}, (0, "ConsumedEnergyRaw", "out_of_range")),
        ({"ConsumedEnergyRaw": "43236000"}, (0, "ConsumedEnergyRaw", "implausible_power")),
        ({"State": ""}, (0, "State", "missing")),
        ({"State": "RUNNING"}, (0, "State", "not_completed")),
        ({"AllocTRES": ""}, (0, "AllocTRES", "no_device")),
        ({"AllocTRES": "gres/gpu:a100=0"}, (0, "AllocTRES", "out_of_range")),
        ({"JobName": "a|b"}, (0, "ConsumedEnergyRaw", "cut_row")),
    ],
)
def test_a_bad_job_of_slurm_is_rejected(changed: dict[str, str], fault: tuple[int, str, str]) -> None:
    good, rejected = read(slurm(job(**changed)))
    assert (good, codes(rejected)) == ([], [fault])


@pytest.mark.parametrize("pue", ["0.9", "0", "3.5"])
def test_a_pue_that_is_none_is_rejected(pue: str) -> None:
    text = (DATA / "codecarbon_3.csv").read_text().replace(",1.2,", f",{pue},")
    assert codes(read(text)[1])[0] == (0, "pue", "out_of_range")


def test_half_a_csv_keeps_what_is_whole_and_names_the_row_that_is_cut() -> None:
    content = (DATA / "codecarbon_3.csv").read_bytes()
    good, rejected = read(content[: content.index(b"57600.0")])
    assert [run["row"] for run in good] == [0, 1]
    assert codes(rejected) == [(2, "duration", "cut_row")]
    assert "it has 5 cells where the header has 38" in rejected[0]["reason"]


def test_a_csv_cut_within_quotes_keeps_what_is_whole() -> None:
    content = (DATA / "eco2ai.csv").read_bytes()
    good, rejected = read(content[: content.rindex(b"CPU @")])
    assert [run["row"] for run in good] == [0, 1]
    assert codes(rejected) == [(3, "id", "cut_row")]


def test_half_a_parquet_file_is_refused_whole(tmp_path: Path) -> None:
    content = own(tmp_path / "own.parquet")
    with pytest.raises(SourceShapeError, match="log is damaged or cut off Parquet"):
        read(content[: len(content) // 2])


def test_half_a_json_document_is_refused_whole() -> None:
    with pytest.raises(SourceShapeError, match="log is damaged or cut off JSON"):
        read((DATA / "cumulator.json").read_bytes()[:100])


def test_half_a_log_of_carbontracker_is_no_completed_run() -> None:
    content = (DATA / LOG_1).read_bytes()
    good, rejected = read(content[: content.index(b"[260.")])
    assert good == []
    assert ("monitoring", "cut off") in [(row["column"], row["value"]) for row in rejected]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "log is empty; expected the log of a tool"),
        (b"\xef\xbb\xbf \n\n", "log is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\x80\x04\x95pickle", r"is neither Parquet nor UTF-8 text \(byte 0\)"),
        (b"[1, 2]", "is JSON, but not an object or a list of objects"),
        (b"name,age\nx,1\n", r"is no run history that is known by its columns \(name, age\)"),
        (b'"name,age\n', "is no run history that is known by its columns"),
    ],
)
def test_what_is_no_run_history_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        read(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "JobID|ElapsedRaw|State\n",
            r"Slurm's .* lacks the column AllocTRES or device; it has JobID, ElapsedRaw, State",
        ),
        ("JobID|AllocTRES|State\n", "lacks the column ElapsedRaw or Elapsed"),
        ("JobID|AllocTRES|Elapsed\n", "lacks the column State"),
        ("duration,emissions,energy_consumed\n", "CodeCarbon's .* lacks the column gpu_model or device"),
        ("device,device_count\n", "lacks the column wall_hours or device_hours"),
        ("device,wall_hours\n", "our own column names.* lacks the column device_count"),
        ('{"timestamp": 1, "nvidia_estimated_attributable_power_draw": 2}', "lacks the column device;"),
        ('{"cumulated_time": 1, "n_gpu": 2}', "lacks the column device;"),
    ],
)
def test_a_missing_column_is_named(content: str, words: str) -> None:
    with pytest.raises(SourceShapeError, match=words):
        read(content)


def test_a_header_without_rows_is_an_empty_table() -> None:
    assert read(slurm()) == ([], [])


@pytest.mark.parametrize(
    "name", ["codecarbon_3.csv", "slurm.txt", "eco2ai.csv", LOG_1, "cumulator.json", "own.csv"]
)
def test_a_byte_order_mark_and_the_line_ends_of_windows_change_nothing(name: str) -> None:
    content = (DATA / name).read_bytes()
    assert read(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")) == read(content)


def test_columns_are_known_in_any_case_and_order_with_others_between() -> None:
    header = "state|ALLOCTRES|comment|elapsedraw|jobid"
    (run,), _ = read(f"{header}\nCOMPLETED|gres/gpu:a100=2|mine|1800|5\n")
    assert (run["run"], run["device_hours"]) == ("slurm:5", 1.0)


def test_a_named_format_is_taken_and_an_unknown_name_refused() -> None:
    (run,), _ = read("device,device_count,wall_hours\nT4,2,3\n", format="opencarbon")
    assert run["device_hours"] == 6.0
    with pytest.raises(SourceShapeError, match=r"read as Slurm's .* lacks the column ElapsedRaw or Elapsed"):
        read("device,device_count,wall_hours\nT4,2,3\n", format="slurm")
    with pytest.raises(ConfigError, match="no run history has the format 'sge'; known are codecarbon, slurm"):
        read("device\n", format="sge")


@pytest.mark.parametrize(
    "nvml", ["NVIDIA A100 80GB PCIe", "NVIDIA H100 PCIe", "NVIDIA H200", "Tesla P100-PCIE-16GB"]
)
def test_names_as_the_driver_gives_them_are_in_the_catalog(nvml: str) -> None:
    text = (DATA / "codecarbon_2.csv").read_text()
    assert len(read(text.replace("Tesla V100-SXM2-32GB", nvml))[0]) == 1


@pytest.mark.parametrize(
    "gres", ["a100", "v100", "h100", "h200", "l40s", "rtx_a6000", "nvidia_a100-sxm4-80gb", "gh200"]
)
def test_types_as_clusters_call_them_are_in_the_catalog(gres: str) -> None:
    assert len(read(slurm(job(AllocTRES=f"gres/gpu:{gres}=8,gres/gpu=8")))[0]) == 1


def ten_files(folder: Path) -> list[str]:
    names = (
        *("codecarbon_3.csv", "codecarbon_2.csv", "slurm.txt", "slurm_offset.txt", "eco2ai.csv"),
        *(LOG_1, LOG_2, "impact_tracker_data.json", "cumulator.json"),
    )
    for name in names:
        shutil.copy(DATA / name, folder)
    own(folder / "own.parquet")
    return [str(folder / name) for name in (*names, "own.parquet")]


def test_ten_files_of_seven_formats_are_read_in_one_call_whatever_their_order(tmp_path: Path) -> None:
    paths = ten_files(tmp_path)
    good, rejected = read_history(paths, device_units=UNITS)
    assert set(good["history_format"].to_pylist()) == set(formats())
    assert (len(paths), good.num_rows, rejected.num_rows) == (10, 13, 8)
    for order in list(permutations(paths[:3]))[1:]:
        again = read_history([*reversed(paths[3:]), *order], device_units=UNITS)
        assert again[0].equals(good)
        assert again[1].equals(rejected)


def test_a_folder_a_glob_and_uris_give_the_same_runs(tmp_path: Path) -> None:
    ten_files(tmp_path)
    good, _ = read_history([str(tmp_path)], device_units=UNITS)
    assert good.num_rows == 13
    assert read_history([f"{tmp_path}/*"], device_units=UNITS)[0].equals(good)
    by_uri, _ = read_history([tmp_path.as_uri()], device_units=UNITS)
    assert by_uri.drop_columns(["manifest", "run"]).equals(good.drop_columns(["manifest", "run"]))
    assert set(by_uri["manifest"].to_pylist()) == {f"file://{name}" for name in good["manifest"].to_pylist()}


def test_rows_in_another_order_give_the_same_runs() -> None:
    header, *lines = (DATA / "slurm.txt").read_text().splitlines()
    forth, _ = read("\n".join([header, *lines]))
    back, _ = read("\n".join([header, *reversed(lines)]))
    by_id = {run["run"]: run | {"row": None} for run in forth}
    assert by_id == {run["run"]: run | {"row": None} for run in back}


def test_the_output_log_beside_a_log_of_carbontracker_is_passed_over(tmp_path: Path) -> None:
    for path in DATA.glob("4242*"):
        shutil.copy(path, tmp_path)
    (tmp_path / LOG_1.replace(".log", "_err.log")).write_text(
        "2024-05-02 10:15:00 - MainThread - WARNING - slow\n"
    )
    good, rejected = read_history([str(tmp_path)], device_units=UNITS)
    assert (good.num_rows, rejected.num_rows) == (1, 0)


def test_a_file_found_twice_counts_once_and_a_copy_is_rejected(tmp_path: Path) -> None:
    path = shutil.copy(DATA / "codecarbon_2.csv", tmp_path / "a.csv")
    assert read_history([str(path), f"{tmp_path}/*.csv"], device_units=UNITS)[0].num_rows == 1
    shutil.copy(path, tmp_path / "b.csv")
    good, rejected = read_history([str(tmp_path)], device_units=UNITS)
    assert good["manifest"].to_pylist() == [str(tmp_path / "a.csv")]
    (row,) = rejected.to_pylist()
    assert (row["manifest"], row["rule_code"]) == (str(tmp_path / "b.csv"), "repeated_run")


def test_the_longest_state_of_a_run_is_kept_across_files(tmp_path: Path) -> None:
    text = (DATA / "codecarbon_2.csv").read_text()
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv").write_text(text.replace("10800.0", "14400.0"))
    good, _ = read_history([str(tmp_path)], device_units=UNITS)
    assert good["wall_hours"].to_pylist() == [4.0]


def test_nothing_at_a_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.csv does not exist"):
        read_history([str(tmp_path / "none.csv")], device_units=UNITS)
    with pytest.raises(SourceError, match="no run history is given"):
        read_history([], device_units=UNITS)
    with pytest.raises(SourceError, match="not supported"):
        read_history(["https://example.org/emissions.csv"], device_units=UNITS)


def test_files_that_cannot_be_read_are_rejected_beside_one_that_can(tmp_path: Path) -> None:
    shutil.copy(DATA / "codecarbon_2.csv", tmp_path / "good.csv")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "notes.txt").write_text("name,age\nx,1\n")
    (tmp_path / "half.parquet").write_bytes(own(tmp_path / "whole.parquet")[:500])
    (tmp_path / "whole.parquet").unlink()
    alone, _ = read_history([str(tmp_path / "good.csv")], device_units=UNITS)
    good, rejected = read_history([str(tmp_path), str(tmp_path / "none.csv")], device_units=UNITS)
    assert good.equals(alone)
    assert [
        (Path(row["manifest"]).name, row["rule_code"], row["column"]) for row in rejected.to_pylist()
    ] == [(name, "unread_file", "file") for name in ("empty.csv", "half.parquet", "none.csv", "notes.txt")]
    for row, words in zip(
        rejected.to_pylist(),
        ("is empty", "damaged or cut off Parquet", "does not exist", "known by its columns"),
        strict=True,
    ):
        assert words in row["reason"]
        assert "logs of runs only" in row["remedy"]


def test_files_of_which_none_can_be_read_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").write_text("name,age\nx,1\n")
    with pytest.raises(SourceShapeError, match=r"a\.csv is empty"):
        read_history([str(tmp_path)], device_units=UNITS)


def test_a_file_that_spoils_the_call_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(SourceShapeError, match=r"empty\.csv is empty"):
        read_history([str(tmp_path)], device_units=UNITS)


def test_the_formats_are_those_that_the_contract_allows() -> None:
    assert tuple(formats()) == all_columns()["history_format"].allowed


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    assert all(rule.reason and rule.remedy for rule in RULES.values())


def test_a_list_of_objects_and_an_object_per_line_are_read_alike() -> None:
    item = json.loads((DATA / "cumulator.json").read_text())
    items = [item, item | {"cumulated_time": 7200.0}]
    as_list, _ = read(json.dumps(items))
    assert [run["wall_hours"] for run in as_list] == [1.5, 2.0]
    assert read("\n".join(map(json.dumps, items)))[0] == as_list
