"""Errors of energy and of carbon on measured runs, beside two baselines."""

import math
from statistics import median
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.estimation.energy.energy_errors import carbon_errors, energy_errors
from opencarbon.tables.contracts import PUBLISHED
from tests.estimation.worlds import devices, table

DEVICES = table([row | {"host_power_w": 150.0} for row in devices()[:1]], PUBLISHED["dim_device"].schema())


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def run(name: str, group: str, power_w: float, boundary: str, hours: float | None = 1000.0) -> dict[str, Any]:
    row = {"run": name, "device": "Chip A", "tdp_w": 400.0, "device_hours": hours, "power_w": power_w}
    return row | {
        "power_boundary": boundary,
        "evidence": "measured",
        "source_group": group,
        "source_id": f"paper-{group}",
    }


RUNS = pa.Table.from_pylist(
    [
        run("at-the-board", "one", 200.0, "board"),
        run("at-the-server", "two", 400.0, "server", 3000.0),
        run("without-hours", "two", 400.0, "server", None),
    ]
)
PUBLISHED_RUNS = pa.Table.from_pylist(
    [
        {
            "run": name,
            "device_hours": 3000.0,
            "pue": 1.2,
            "carbon_intensity_gco2e_per_kwh": intensity,
            "actual_kgco2e": actual,
        }
        for name, intensity, actual in (
            ("at-the-board", 300.0, 100.0),
            ("at-the-server", 300.0, 432.0),
            ("without-hours", None, 432.0),
            ("hours-times-tdp", 300.0, 432.0),
        )
    ]
)


class TestEnergy:
    def test_energy_is_power_of_the_other_source_times_own_hours_at_the_own_boundary(self) -> None:
        board, server = energy_errors(RUNS, DEVICES).to_pylist()

        assert ("at-the-board", "one", "paper-one", "Chip A", "board") == tuple(board.values())[:5]
        assert (200.0, 1200.0) == (board["actual_energy_kwh"], server["actual_energy_kwh"])
        assert pytest.approx(280.0) == board["predicted_energy_kwh"]
        assert pytest.approx(3 * (200 + 120)) == server["predicted_energy_kwh"]

    def test_baselines_are_scored_on_the_same_rows_with_the_host_at_the_server_alone(self) -> None:
        board, server = energy_errors(RUNS, DEVICES).to_pylist()

        assert (400.0, 1200.0) == (board["tdp_energy_kwh"], server["tdp_energy_kwh"])
        assert (300.0, 3 * 420.0) == (
            board["constant_fraction_energy_kwh"],
            server["constant_fraction_energy_kwh"],
        )

    def test_a_run_without_hours_is_evidence_but_has_no_energy(self) -> None:
        assert ["at-the-board", "at-the-server"] == energy_errors(RUNS, DEVICES)["run"].to_pylist()
        fewer = energy_errors(RUNS.slice(0, 2), DEVICES).to_pylist()[0]
        assert (
            fewer["predicted_energy_high_kwh"]
            > energy_errors(RUNS, DEVICES).to_pylist()[0]["predicted_energy_high_kwh"]
        )

    def test_a_higher_level_is_a_wider_interval(self, catalog: Catalog) -> None:
        narrow, wide = (
            energy_errors(catalog.measured_power, catalog.devices, level=level).to_pylist()
            for level in (0.8, 0.9)
        )

        for a, b in zip(narrow, wide, strict=True):
            assert b["predicted_energy_low_kwh"] < a["predicted_energy_low_kwh"] < a["predicted_energy_kwh"]
            assert a["predicted_energy_kwh"] < a["predicted_energy_high_kwh"] < b["predicted_energy_high_kwh"]

    def test_no_row_is_hours_times_tdp(self, catalog: Catalog) -> None:
        found = energy_errors(catalog.measured_power, catalog.devices).to_pylist()

        assert [] == [
            row["run"]
            for row in found
            if math.isclose(row["actual_energy_kwh"], row["tdp_energy_kwh"], rel_tol=0.005)
        ]

    def test_shipped_runs_are_predicted_better_than_by_either_baseline(self, catalog: Catalog) -> None:
        rows = energy_errors(catalog.measured_power, catalog.devices).to_pylist()
        medians = {
            name: median([abs(math.log(row[name] / row["actual_energy_kwh"])) for row in rows])
            for name in ("predicted_energy_kwh", "tdp_energy_kwh", "constant_fraction_energy_kwh")
        }
        covered = [
            row["predicted_energy_low_kwh"] <= row["actual_energy_kwh"] <= row["predicted_energy_high_kwh"]
            for row in rows
        ]

        assert medians["predicted_energy_kwh"] < medians["constant_fraction_energy_kwh"]
        assert medians["predicted_energy_kwh"] < medians["tdp_energy_kwh"]
        assert (19, 22) == (sum(covered), len(covered))


class TestCarbon:
    def test_carbon_is_predicted_energy_times_own_pue_and_own_intensity(self) -> None:
        found = carbon_errors(PUBLISHED_RUNS, RUNS, DEVICES).to_pylist()

        assert ["at-the-server"] == [row["run"] for row in found]
        assert pytest.approx(3000 * 320 / 1000 * 1.2 * 0.3) == found[0]["predicted_kgco2e"]
        assert 432.0 == found[0]["actual_kgco2e"]

    def test_no_row_is_called_independent(self, catalog: Catalog) -> None:
        found = carbon_errors(catalog.runs, catalog.measured_power, catalog.devices)

        assert found.num_rows > 0
        assert {False} == set(found["is_independent"].to_pylist())

    def test_the_error_of_carbon_is_that_of_energy(self, catalog: Catalog) -> None:
        energy = {
            row["run"]: row["predicted_energy_kwh"] / row["actual_energy_kwh"]
            for row in energy_errors(catalog.measured_power, catalog.devices).to_pylist()
        }
        carbon = {
            row["run"]: row["predicted_kgco2e"] / row["actual_kgco2e"]
            for row in carbon_errors(catalog.runs, catalog.measured_power, catalog.devices).to_pylist()
        }

        assert {"t5-11b", "meena-2.6b", "gshard-600b", "glam-280b-tokens", "palm-540b"} <= set(carbon)
        for name, ratio in carbon.items():
            assert pytest.approx(energy[name], rel=0.03) == ratio
