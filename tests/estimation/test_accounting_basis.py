"""Intensities of what a zone consumes and of what it generates never meet in one curve."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opencarbon.catalog import load_catalog
from opencarbon.estimation.grid.intensity import PlanningCurves, planning_curves
from opencarbon.tables.inputs import GRID_INTENSITY, with_accounting_basis

AS_OF = datetime(2026, 11, 20, 22, tzinfo=UTC)
HOURS = 6
FLOW_TRACED, PRODUCTION, UNSAID = 100.0, 300.0, 200.0


def forecast(value: float, basis: str | None, **changed: Any) -> list[dict[str, Any]]:
    known = {
        "zone": "DE",
        "carbon_intensity_gco2e_per_kwh": value,
        "intensity_kind": "forecast",
        "emission_factor_type": "lifecycle",
        "is_estimated": None,
        "issued_at_utc": AS_OF,
        "fetched_at_utc": AS_OF,
        "source_id": "electricity-maps-api",
        "accounting_basis": basis,
    }
    hours = (AS_OF + lead * timedelta(hours=1) for lead in range(HOURS))
    return [known | changed | {"hour_start_utc": hour} for hour in hours]


def curves(rows: list[dict[str, Any]], basis: str) -> PlanningCurves:
    return planning_curves(
        pa.Table.from_pylist(rows, schema=GRID_INTENSITY.schema()),
        load_catalog().zones,
        AS_OF,
        horizon_hours=HOURS,
        emission_factor_type="lifecycle",
        accounting_basis=basis,
    )


def first_hour(found: PlanningCurves, zone: str = "DE") -> float:
    return float(found.values[found.zones.index(zone), 0])


BOTH = [*forecast(FLOW_TRACED, "flow_traced"), *forecast(PRODUCTION, "production")]


@pytest.mark.parametrize(("basis", "value"), [("flow_traced", FLOW_TRACED), ("production", PRODUCTION)])
@pytest.mark.parametrize("rows", [BOTH, BOTH[::-1]])
def test_a_curve_is_of_one_basis(rows: list[dict[str, Any]], basis: str, value: float) -> None:
    assert first_hour(curves(rows, basis)) == value


def test_rows_that_do_not_say_their_basis_are_flow_traced() -> None:
    rows = forecast(UNSAID, None)
    assert first_hour(curves(rows, "flow_traced")) == UNSAID
    assert np.isnan(first_hour(curves(rows, "production")))


def test_annual_means_are_flow_traced_and_stand_in_for_nothing_else() -> None:
    known, unknown = curves([], "flow_traced"), curves([], "production")
    assert first_hour(known, "FR") > 0
    assert np.isnan(unknown.values).all()
    assert np.isnan(unknown.tail).all()


def test_a_table_older_than_the_column_is_flow_traced() -> None:
    table = pa.Table.from_pylist(forecast(UNSAID, None), schema=GRID_INTENSITY.schema())
    old = with_accounting_basis(table.drop_columns(["accounting_basis"]))
    assert old.schema.equals(GRID_INTENSITY.schema())
    assert old["accounting_basis"].to_pylist() == ["flow_traced"] * HOURS
