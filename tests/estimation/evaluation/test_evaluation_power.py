"""Energy and carbon are scored apart, and carbon says that it is not independent."""

import math
from typing import Any

import pytest

from opencarbon.estimation.evaluation import score_table
from opencarbon.estimation.evaluation.power import power_predictions
from tests.estimation.evaluation.samples import catalog, facts


@pytest.fixture(scope="module")
def found() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    tables, scores = power_predictions(catalog().runs, catalog().measured_power, facts())
    return {name: table.to_pylist() for name, table in tables.items()}, score_table(scores).to_pylist()


def test_every_measured_run_is_predicted_by_every_method(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    rows = found[0]["evaluation_energy"]
    runs = {row["run"] for row in rows}
    assert len(rows) == 3 * len(runs) > 30
    for row in rows:
        assert row["ln_error"] == pytest.approx(math.log(row["energy_kwh"] / row["actual_energy_kwh"]))
        assert (row["energy_low_kwh"] is None) == (row["evaluated_method"] != "calibrated")
        if row["is_covered"] is not None:
            inside = row["energy_low_kwh"] <= row["actual_energy_kwh"] <= row["energy_high_kwh"]
            assert row["is_covered"] == inside


def test_t5_is_scored_on_the_power_that_google_measured(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    # Patterson et al. (2021), Table 4: 310 W per chip for 245,760 chip-hours; a TPU v3 has a TDP of 450 W.
    (row,) = [
        row
        for row in found[0]["evaluation_energy"]
        if row["run"] == "t5-11b" and row["evaluated_method"] == "tdp"
    ]
    assert row["actual_energy_kwh"] == pytest.approx(245_760 * 0.310)
    assert row["ln_error"] == pytest.approx(math.log(450 / 310))


def test_carbon_is_not_independent_and_energy_is(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    by_quantity = {(row["evaluated_quantity"], row["is_independent"]) for row in found[1]}
    assert by_quantity == {("energy", True), ("carbon", False)}
    assert all(not row["is_independent"] for row in found[0]["evaluation_carbon"])
    assert {row["split"] for row in found[1]} == {"source"}


def test_families_of_energy_are_sources(found: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    (ours,) = [
        row
        for row in found[1]
        if (row["evaluated_quantity"], row["evaluated_method"]) == ("energy", "calibrated")
    ]
    measured = catalog().measured_power.to_pylist()
    groups = {
        row["source_group"] for row in measured if row["evidence"] == "measured" and row["device_hours"]
    }
    assert ours["scored_families"] == len(groups)
    assert ours["family_coverage"] is not None
