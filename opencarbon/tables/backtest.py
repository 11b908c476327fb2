"""Tables of the back-test: written by ``opencarbon backtest``. Figures are per energy of the job at its servers."""

from typing import Final

from opencarbon.tables.contract import Contract

BACKTEST_OUTCOME: Final = Contract(
    name="backtest_outcome",
    summary="A job planned at a moment of the past, and what its advice came to on the hours measured since.",
    columns=(
        *("as_of_utc", "job_id", "current_region", "job_hours", "interruptible", "may_move"),
        *("action", "baseline_intensity_kind", "intensity_kind", "advised_region", "advised_start_utc"),
        *("baseline_gco2e_per_kwh", "claimed_saving_gco2e_per_kwh", "realised_saving_gco2e_per_kwh"),
        "regret_gco2e_per_kwh",
    ),
    key=("as_of_utc", "job_id"),
    required=("current_region", "job_hours", "interruptible", "may_move", "action"),
)
"""What was not measured over both runs, and over the window for the regret, is null."""

BACKTEST_SCORE: Final = Contract(
    name="backtest_score",
    summary="Claimed and realised savings of advice of one kind, by length of the job.",
    columns=(
        *("intensity_kind", "job_hours", "interruptible", "may_move", "action"),
        *("decisions", "measured_decisions"),
        *("baseline_gco2e_per_kwh", "claimed_saving_gco2e_per_kwh", "realised_saving_gco2e_per_kwh"),
        *("claimed_over_realised", "regret_gco2e_per_kwh", "worse_share"),
    ),
    key=("intensity_kind", "job_hours", "interruptible", "may_move", "action"),
    required=("decisions", "measured_decisions"),
)
"""Means over the decisions that were measured; advice without a place has no kind and no row."""

BACKTEST_TABLES: Final[dict[str, Contract]] = {
    contract.name: contract for contract in (BACKTEST_SCORE, BACKTEST_OUTCOME)
}
"""Tables of the back-test by name."""
