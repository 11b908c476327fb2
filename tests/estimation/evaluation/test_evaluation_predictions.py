"""Held out is held out: nothing of a group reaches its predictions, and the rows that are scored have a hash."""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.estimation.evaluation import (
    EVALUATED,
    FROZEN_ROWS_SHA256,
    evaluation_rows,
    held_out_predictions,
    hours_scores,
    irreducible,
    rows_sha256,
    score_table,
)
from opencarbon.estimation.evaluation.folds import SPLITS, Split, folds
from opencarbon.estimation.fitting.training_runs import training_runs
from tests.estimation.evaluation.samples import A100, H100, catalog, facts, planted, run, table

RUNS = planted()


def predicted(runs: list[dict[str, Any]], split: Split, **options: Any) -> pa.Table:
    rows = evaluation_rows(table(runs), catalog().devices)
    return held_out_predictions(rows, facts(), splits=(split,), **options)[0]


def of_group(predictions: pa.Table, column: str, value: str) -> pa.Table:
    """Predictions of a group, without what the runs took and without what follows from it."""
    at = pa.array([name == value for name in predictions[column].to_pylist()])
    return predictions.filter(at).select(
        ["evaluated_method", "run", "device_hours", "device_hours_low", "device_hours_high"]
    )


@pytest.fixture(scope="module")
def clean() -> dict[Split, pa.Table]:
    return {split: predicted(RUNS, split) for split in SPLITS}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("number", [1, 4, 7])
def test_poisoned_hours_of_a_group_leave_its_predictions_byte_for_byte(
    clean: dict[Split, pa.Table], split: Split, number: int
) -> None:
    group = RUNS[2 * number][split]
    poisoned = [
        row | {"device_hours": row["device_hours"] * (1000.0 if row[split] == group else 1.0)} for row in RUNS
    ]
    found = predicted(poisoned, split)
    ours = of_group(clean[split], split, group)
    assert ours.equals(of_group(found, split, group))
    assert set(ours["evaluated_method"].to_pylist()) == set(EVALUATED)
    # And the poison is no sugar: predictions of others move.
    others = {row[split] for row in RUNS} - {group}
    assert not all(of_group(clean[split], split, one).equals(of_group(found, split, one)) for one in others)


def test_predictions_do_not_depend_on_the_order_of_the_runs(clean: dict[Split, pa.Table]) -> None:
    order = np.random.default_rng(5).permutation(len(RUNS))
    assert predicted([RUNS[at] for at in order], "family").equals(clean["family"])


def test_every_billed_run_is_predicted_once_by_every_method_that_can(clean: dict[Split, pa.Table]) -> None:
    billed = {row["run"] for row in RUNS if row["hours_scope"] == "billed"}
    for split in SPLITS:
        for method in ("calibrated", "device-median", "svr"):
            at = [name == method for name in clean[split]["evaluated_method"].to_pylist()]
            found = clean[split].filter(pa.array(at))["run"].to_pylist()
            assert sorted(map(str, found)) == sorted(billed)


@pytest.mark.parametrize("split", SPLITS)
def test_a_fold_tests_one_group_and_trains_on_all_others(split: Split) -> None:
    rows = evaluation_rows(table(RUNS), catalog().devices)
    group = np.array(rows.table[split].to_pylist(), dtype=object)
    tested = np.zeros(len(rows), dtype=int)
    for fold in folds(rows, split):
        (held_out,) = set(group[fold.is_tested])
        assert (fold.is_trained == (group != held_out)).all()
        tested += fold.is_tested
    assert (tested == rows.is_scored).all()


def test_a_run_without_organisation_stands_alone() -> None:
    runs = [run("a", organisation=None), run("b", organisation=None), run("c", organisation="x")]
    rows = evaluation_rows(table(runs), catalog().devices)
    assert len(set(rows.organisation.tolist())) == 3


def test_rows_that_are_not_used_or_on_unknown_devices_are_neither_learnt_from_nor_scored() -> None:
    runs = [run("a"), run("b", used=False, reason="No."), run("c") | {"device": "Abacus"}]
    rows = evaluation_rows(table(runs), catalog().devices)
    assert rows.table["run"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("changes", "is_in"),
    [
        ({}, True),
        ({"parameters": 1e9}, True),
        ({"parameters": 9.9e8}, False),
        ({"parameters": None}, False),
        ({"model_kind": "other"}, False),
        ({"model_kind": None}, False),
    ],
)
def test_decoders_from_a_thousand_million_parameters_are_told_by_kind_and_size(
    changes: dict[str, Any], is_in: bool
) -> None:
    rows = evaluation_rows(table([run("a", **changes)]), catalog().devices)
    assert rows.is_decoder_1b.tolist() == [is_in]


def test_a_method_whose_extra_is_missing_is_left_out_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    methods = [EVALUATED["constant-utilisation"], EVALUATED["svr"]]
    rows = evaluation_rows(table(RUNS), catalog().devices)
    predictions, reasons = held_out_predictions(rows, facts(), methods=methods)
    assert set(reasons) == {"svr"}
    assert "pip install 'opencarbon[baselines]'" in reasons["svr"]
    scores = score_table(hours_scores(predictions, reasons)).to_pylist()
    mine = {
        row["evaluated_method"]: row for row in scores if (row["split"], row["subset"]) == ("family", "all")
    }
    assert (mine["svr"]["reason"], mine["svr"]["family_error"]) == (reasons["svr"], None)
    assert mine["constant-utilisation"]["scored_runs"] == 20
    assert mine["constant-utilisation"]["family_error"] > 0


# --- the frozen rows -------------------------------------------------------------------------------------------------


def sha256(runs: list[dict[str, Any]]) -> str:
    return rows_sha256(evaluation_rows(table(runs), catalog().devices))


def test_the_hash_is_of_the_scored_rows_in_any_order() -> None:
    assert sha256(RUNS) == sha256(RUNS[::-1])
    unscored = next(at for at, row in enumerate(RUNS) if row["hours_scope"] != "billed")
    without = [row for at, row in enumerate(RUNS) if at != unscored]
    assert sha256(without) == sha256(RUNS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("run", "other"),
        ("device", H100),
        ("devices", 8.0),
        ("device_hours", 1.0),
        ("training_flop", 2e22),
        ("family", "other"),
        ("organisation", None),
        ("model_kind", "other"),
        ("parameters", 1e9),
        ("hours_scope", "throughput"),
    ],
)
def test_the_hash_changes_with_every_fact_that_a_score_depends_on(column: str, value: object) -> None:
    rows = [run("a", A100), run("b", A100)]
    assert sha256([rows[0] | {column: value}, rows[1]]) != sha256(rows)


def test_the_bundled_runs_are_those_that_published_scores_are_of() -> None:
    bundled = catalog()
    runs = training_runs(None, bundled.runs, devices=bundled.devices, device_units=bundled.device_units)
    assert rows_sha256(evaluation_rows(runs, bundled.devices)) == FROZEN_ROWS_SHA256


# --- what no method can take away ------------------------------------------------------------------------------------


def test_the_floor_is_the_spread_of_families_about_the_mean_of_their_device() -> None:
    levels = {"a": 0.2, "b": 0.4, "c": 0.3, "d": 0.6}
    runs = [run(name, A100 if name in "ab" else H100, level) for name, level in levels.items()]
    runs.append(run("alone", "Google TPU v3", 0.9))
    rows = evaluation_rows(table(runs), catalog().devices)
    floor = irreducible(rows, rows.is_scored)
    # Two pairs, each ln 2 apart: squares of ln(2) / 2 about the mean, one degree of freedom each.
    assert floor.between_families == pytest.approx(np.log(2.0) / np.sqrt(2.0))
    assert floor.error == pytest.approx(np.sqrt(2.0 / np.pi) * floor.between_families)
    assert floor.families == 4
    assert irreducible(rows, rows.is_scored & (rows.family == 0)).known_error() is None
