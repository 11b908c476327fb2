"""Runs of the own fleet are judged like published ones, and their effect on a fit is a ratio of hours."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.fitting.history_runs import (
    OWN_HISTORY,
    from_history,
    hours_moved,
    own_runs,
    without_own_runs,
)
from opencarbon.estimation.fitting.run_rows import DeviceNames
from opencarbon.estimation.fitting.training_runs import (
    ABOVE_PEAK,
    BELOW_LEAST,
    EXCLUDED,
    NO_FLOP,
    training_runs,
)
from opencarbon.physics.throughput import device_hours
from opencarbon.tables.inputs import RUN_HISTORY

DEVICES = pa.table(
    {
        "device": ["NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"],
        "generation": ["ampere", "hopper"],
        "peak_dense_tflop_per_s": [312.0, 989.0],
    }
)
KNOWN = DeviceNames.of(DEVICES, {})
LOGGED = {
    "run": "codecarbon:a1",
    "history_format": "codecarbon",
    "manifest": "/logs/june/emissions.csv",
    "row": 3,
    "project": "nlp",
    "device_as_given": "NVIDIA A100-SXM4-80GB",
    "device": "NVIDIA A100 SXM4 80GB",
    "device_count": 8.0,
    "wall_hours": 20.0,
    "device_hours": 160.0,
}


def history(*changes: dict[str, Any]) -> pa.Table:
    rows = [LOGGED | {"run": f"codecarbon:a{number}"} | change for number, change in enumerate(changes)]
    return pa.Table.from_pylist(rows, schema=RUN_HISTORY.schema())


def one(**changes: Any) -> Any:
    return from_history(history(changes), KNOWN)[0]


def judged(*changes: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    runs = training_runs(None, None, devices=DEVICES, device_units={}, history=history(*changes), **options)
    return runs.to_pylist()


@pytest.mark.parametrize(
    ("said", "flop", "basis"),
    [
        ({"training_flop": 7e19, "parameters": 1e9, "training_tokens": 3e9}, 7e19, "reported"),
        ({"parameters": 1e9, "training_tokens": 3e9}, 1.8e19, "counted"),
        ({"parameters": 4e9, "active_parameters": 1e9, "training_tokens": 3e9}, 1.8e19, "counted"),
        ({"active_parameters": 1e9, "training_tokens": 3e9}, 1.8e19, "counted"),
        ({"parameters": 1e9}, None, None),
        ({"training_tokens": 3e9}, None, None),
        ({}, None, None),
    ],
)
def test_flop_are_those_of_the_log_else_six_for_each_active_parameter_and_token(
    said: dict[str, float], flop: float | None, basis: str | None
) -> None:
    run = one(**said)

    assert (flop if flop is None else pytest.approx(flop), basis) == (run.training_flop, run.flop_basis)


def test_a_run_is_of_the_own_fleet_with_billed_hours_and_the_peak_of_its_device() -> None:
    run = one(training_flop=1e19)

    assert ("own-history", "own fleet", "billed") == (run.source_id, run.organisation, run.hours_scope)
    assert ("NVIDIA A100 SXM4 80GB", "ampere", 312.0) == (run.device, run.generation, run.peak_tflop_per_s)
    assert (8.0, 160.0, "own-history/codecarbon:a0") == (run.devices, run.device_hours, run.run)
    assert "NVIDIA A100-SXM4-80GB" == run.device_as_given


def test_the_family_is_the_project_else_the_file() -> None:
    assert "own fleet nlp" == one().family
    assert "own fleet emissions" == one(project=None).family


def test_moving_a_log_renames_no_run() -> None:
    names = {
        one(run=f"slurm:{folder}/sacct.txt#3", manifest=f"{folder}/sacct.txt").run
        for folder in ("/a", "s3://b")
    }

    assert {"own-history/slurm:sacct#3"} == names


def test_a_run_with_flop_is_used_and_one_without_stays_with_the_reason() -> None:
    first, second = judged({"training_flop": 3e19}, {})

    assert (True, None) == (first["used"], first["reason"])
    assert (False, NO_FLOP) == (second["used"], second["reason"])


def test_own_runs_keep_the_rules_of_plausibility_and_exclusion() -> None:
    peak_flop = 312e12 * 3600 * 160.0

    def reasons(*shares: float, **options: Any) -> list[str | None]:
        return [
            run["reason"] for run in judged(*({"training_flop": x * peak_flop} for x in shares), **options)
        ]

    assert [ABOVE_PEAK, None, None, BELOW_LEAST] == reasons(1.01, 0.99, 0.006, 0.004)
    assert [EXCLUDED] == reasons(0.4, exclude_model="nlp")


def test_equal_runs_of_different_ids_are_different_runs() -> None:
    assert [True, True] == [run["used"] for run in judged({"training_flop": 3e19}, {"training_flop": 3e19})]


def test_an_own_run_neither_hides_a_published_one_nor_is_hidden_by_it() -> None:
    published = pa.Table.from_pylist(
        [
            {
                "run": "kite",
                "model": "Kite",
                "family": "Kite",
                "organisation": "own fleet",
                "device": "a100",
                "devices": 8.0,
                "wall_hours": 20.0,
                "device_hours": 160.0,
                "training_flop": 3e19,
                "flop_basis": "counted",
                "hours_scope": "billed",
                "source_id": "kite-paper",
            }
        ]
    )
    runs = training_runs(
        None,
        published,
        devices=DEVICES,
        device_units={"a100": ("NVIDIA A100 SXM4 80GB", 1.0)},
        history=history({"training_flop": 3e19}),
    )

    assert [True, True] == runs["used"].to_pylist()
    assert ["kite"] == without_own_runs(runs)["run"].to_pylist()
    assert ["own-history/codecarbon:a0"] == own_runs(runs)["run"].to_pylist()
    assert {OWN_HISTORY} == set(own_runs(runs)["source_id"].to_pylist())


def test_the_order_of_the_log_changes_nothing() -> None:
    rows: list[dict[str, Any]] = [
        {"training_flop": 3e19, "run": "x"},
        {"training_flop": 4e19, "run": "x"},
        {"project": "cv"},
    ]

    assert judged(*rows) == judged(rows[1], rows[0], rows[2])


def fits(alphas: list[float]) -> pa.Table:
    names = ["NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"]
    table: dict[str, list[Any]] = {"device": names, "reference_training_flop": [1e21, 1e22]}
    return pa.table(table | {f"log10_alpha{end}": alphas for end in ("", "_low", "_high")})


def test_hours_moved_are_those_of_one_fit_over_the_other_at_the_earlier_reference() -> None:
    before, after = fits([35.0, 90.0]), fits([30.0, 90.0])
    after = after.set_column(1, "reference_training_flop", pa.array([1e23, 1e23]))

    moved = hours_moved(before, after.take([1, 0]), DEVICES)

    expected = float(device_hours(np.array(1e21), 30.0) / device_hours(np.array(1e21), 35.0))
    assert pytest.approx({"NVIDIA A100 SXM4 80GB": expected, "NVIDIA H100 SXM5 80GB": 1.0}) == moved
    assert expected > 1.1
