"""Tables of the evaluation on runs held out: written by ``opencarbon evaluate``."""

from typing import Final

from opencarbon.tables.contract import Contract


def _table(name: str, summary: str, columns: str, *, key: str, required: str = "") -> Contract:
    return Contract(name, summary, tuple(columns.split()), tuple(key.split()), tuple(required.split()))


def _span(name: str) -> str:
    return f"{name} {name}_low {name}_high"


EVALUATION_PREDICTION: Final = _table(
    "evaluation_prediction",
    "Device-hours of a run as a method predicts them that has seen no run of its family, or organisation.",
    "split evaluated_method run family organisation device devices training_flop parameters is_decoder_1b is_in_sample "
    "actual_device_hours device_hours device_hours_low device_hours_high ln_error is_covered interval_score source_id",
    key="split evaluated_method run",
    required="device training_flop is_decoder_1b is_in_sample actual_device_hours device_hours ln_error source_id",
)
"""A run that a method cannot predict has no row of it."""

EVALUATION_ENERGY: Final = _table(
    "evaluation_energy",
    "Energy of a run whose power was measured, as predicted from the measurements of other sources.",
    "evaluated_method run source_id device power_boundary actual_energy_kwh energy_kwh energy_low_kwh energy_high_kwh "
    "ln_error is_covered interval_score",
    key="evaluated_method run",
    required="source_id device actual_energy_kwh energy_kwh ln_error",
)
"""Hours are those of the run, so that power alone is judged."""

EVALUATION_CARBON: Final = _table(
    "evaluation_carbon",
    "Emissions of a run with its own carbon intensity, as predicted from the power measured by other sources.",
    "evaluated_method run source_id device actual_kgco2e operational_kgco2e operational_low_kgco2e "
    "operational_high_kgco2e ln_error is_covered interval_score is_independent",
    key="evaluated_method run",
    required="source_id device actual_kgco2e operational_kgco2e ln_error is_independent",
)
"""Not independent of the energy: who reports emissions multiplied energy by intensity."""

EVALUATION_SCORE: Final = _table(
    "evaluation_score",
    "How wrong a method is on runs held out.",
    "evaluated_quantity split subset evaluated_method is_in_sample is_independent scored_runs scored_families "
    f"{_span('family_error')} family_median_error_pct median_error mean_error p90_error bias interval_score "
    f"{_span('coverage')} {_span('family_coverage')} {_span('family_error_difference')} paired_families reason",
    key="evaluated_quantity split subset evaluated_method",
    required="is_in_sample is_independent scored_runs scored_families",
)
"""Null where a method states no interval, or cannot predict; ``reason`` says why it was left out."""

EVALUATION_FLEET: Final = _table(
    "evaluation_fleet",
    "Error on the other runs of fleets, by how many of their own completed runs the fit was given.",
    "split fleets_counted runs_given fleets mean_error mean_error_one_less",
    key="split fleets_counted runs_given",
    required="fleets mean_error",
)

EVALUATED_TABLES: Final[dict[str, Contract]] = {
    contract.name: contract
    for contract in (
        *(EVALUATION_SCORE, EVALUATION_PREDICTION, EVALUATION_FLEET),
        *(EVALUATION_ENERGY, EVALUATION_CARBON),
    )
}
"""Tables of the evaluation by name."""
