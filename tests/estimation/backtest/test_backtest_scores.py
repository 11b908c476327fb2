"""Means of claims and outcomes, by hand."""

from typing import Any

import pyarrow as pa
import pytest

from opencarbon.estimation.backtest import scores
from opencarbon.tables.backtest import BACKTEST_OUTCOME, BACKTEST_SCORE
from opencarbon.tables.conform import conform


def outcome(number: int, kind: str | None, claimed: float | None, realised: float | None, **more: Any) -> Any:
    return {
        "job_id": f"job-{number}",
        "current_region": "one:aa",
        "job_hours": 6.0,
        "interruptible": False,
        "may_move": True,
        "action": "move",
        "intensity_kind": kind,
        "baseline_gco2e_per_kwh": 400.0,
        "claimed_saving_gco2e_per_kwh": claimed,
        "realised_saving_gco2e_per_kwh": realised,
        "regret_gco2e_per_kwh": 5.0,
        **more,
    }


ROWS = [
    outcome(1, "forecast", 120.0, 100.0),
    outcome(2, "forecast", 60.0, -20.0, regret_gco2e_per_kwh=None),
    outcome(3, "forecast", 999.0, None, regret_gco2e_per_kwh=99.0),
    outcome(4, "annual", 30.0, -10.0, regret_gco2e_per_kwh=40.0),
    outcome(5, None, None, None, action="none"),
    outcome(6, "forecast", 0.0, 0.0, action="run_now"),
]
OUTCOMES = pa.Table.from_pylist(ROWS, schema=BACKTEST_OUTCOME.schema())


def test_means_are_of_the_measured_decisions_of_a_kind() -> None:
    annual, forecast = scores(OUTCOMES, ("intensity_kind",)).to_pylist()
    assert (annual["intensity_kind"], annual["decisions"], annual["measured_decisions"]) == ("annual", 1, 1)
    assert annual["claimed_over_realised"] is None
    assert (forecast["decisions"], forecast["measured_decisions"]) == (4, 3)
    assert forecast["claimed_saving_gco2e_per_kwh"] == pytest.approx(60.0)
    assert forecast["realised_saving_gco2e_per_kwh"] == pytest.approx(80.0 / 3)
    assert forecast["claimed_over_realised"] == pytest.approx(180.0 / 80.0)
    assert forecast["regret_gco2e_per_kwh"] == pytest.approx(5.0)
    assert forecast["worse_share"] == pytest.approx(1 / 3)
    assert forecast["baseline_gco2e_per_kwh"] == 400.0


def test_every_kind_of_decision_has_a_row_that_keeps_the_contract() -> None:
    table = conform(scores(OUTCOMES), BACKTEST_SCORE)
    assert [(row["intensity_kind"], row["action"]) for row in table.to_pylist()] == [
        ("annual", "move"),
        ("forecast", "move"),
        ("forecast", "run_now"),
    ]
    nothing = scores(OUTCOMES.slice(4, 1))
    assert conform(nothing, BACKTEST_SCORE).num_rows == 0
