"""Scores of energy and of carbon, each apart from the hours: power of runs that were measured, one source left out at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opencarbon.estimation.energy.energy_errors import carbon_errors, energy_errors
from opencarbon.estimation.evaluation.methods import CALIBRATED, Facts
from opencarbon.estimation.evaluation.score_table import Predicted, method_scores
from opencarbon.estimation.evaluation.scores import interval_score
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import Contract
from opencarbon.tables.evaluation import EVALUATION_CARBON, EVALUATION_ENERGY

POWER_METHODS: Final[dict[str, str]] = {
    CALIBRATED: "Pooled measured fractions",
    "constant-fraction": "Constant 75 % and the host",
    "tdp": "Design power",
}
"""Methods whose power is scored, with their titles."""

_SPLIT: Final = "source"
_ENERGY_OF: Final = {
    CALIBRATED: "predicted_energy_kwh",
    "constant-fraction": "constant_fraction_energy_kwh",
    "tdp": "tdp_energy_kwh",
}


def power_predictions(
    runs: pa.Table, measured: pa.Table, facts: Facts
) -> tuple[dict[str, pa.Table], list[dict[str, Any]]]:
    """Energy and carbon of measured runs as predicted from the power that other sources measured, with their scores.

    Parameters
    ----------
    runs : pa.Table
        Published runs of the catalog.
    measured : pa.Table
        Power that was measured, as the catalog has it.
    facts : Facts

    Returns
    -------
    dict of str to pa.Table
        ``evaluation_energy`` and ``evaluation_carbon``.
    list of dict
        Rows of ``evaluation_score``; families are sources there. Carbon is not independent of energy.
    """
    energy = energy_errors(measured, facts.devices, level=facts.level).to_pylist()
    carbon = carbon_errors(runs, measured, facts.devices, level=facts.level).to_pylist()
    sources = {row["run"]: row["source"] for row in (*energy, *carbon)}
    energy_rows, carbon_rows = list(_energy(energy, facts.level)), list(_carbon(carbon, facts.level))
    tables = {
        EVALUATION_ENERGY.name: _table(energy_rows, EVALUATION_ENERGY),
        EVALUATION_CARBON.name: _table(carbon_rows, EVALUATION_CARBON),
    }
    scores = [
        *_scores("energy", energy_rows, sources, POWER_METHODS, is_independent=True),
        *_scores("carbon", carbon_rows, sources, (CALIBRATED,), is_independent=False),
    ]
    return tables, scores


def _energy(rows: Iterable[dict[str, Any]], level: float) -> Iterator[dict[str, Any]]:
    for row in rows:
        for method, column in _ENERGY_OF.items():
            ends = {}
            if method == CALIBRATED:
                ends = {end: row[f"predicted_energy_{end}_kwh"] for end in ("low", "high")}
            yield {
                "evaluated_method": method,
                **{name: row[name] for name in ("run", "source_id", "device", "actual_energy_kwh")},
                "power_boundary": row["boundary"],
                "energy_kwh": row[column],
                **{f"energy_{end}_kwh": value for end, value in ends.items()},
                **_errors(row["actual_energy_kwh"], row[column], ends, level),
            }


def _carbon(rows: Iterable[dict[str, Any]], level: float) -> Iterator[dict[str, Any]]:
    for row in rows:
        ends = {end: row[f"predicted_{end}_kgco2e"] for end in ("low", "high")}
        yield {
            "evaluated_method": CALIBRATED,
            **{name: row[name] for name in ("run", "source_id", "device", "actual_kgco2e", "is_independent")},
            "operational_kgco2e": row["predicted_kgco2e"],
            **{f"operational_{end}_kgco2e": value for end, value in ends.items()},
            **_errors(row["actual_kgco2e"], row["predicted_kgco2e"], ends, level),
        }


def _errors(actual: float, predicted: float, ends: dict[str, float], level: float) -> dict[str, Any]:
    found: dict[str, Any] = {"ln_error": float(np.log(predicted / actual))}
    if ends:
        truth, low, high = (np.log(np.array([value])) for value in (actual, ends["low"], ends["high"]))
        found["is_covered"] = ends["low"] <= actual <= ends["high"]
        found["interval_score"] = float(interval_score(truth, low, high, level)[0])
    return found


def _scores(
    quantity: str,
    rows: list[dict[str, Any]],
    sources: dict[str, str],
    methods: Iterable[str],
    *,
    is_independent: bool,
) -> Iterator[dict[str, Any]]:
    by_method = {
        name: Predicted.of(
            [
                {"is_covered": None, "interval_score": None} | row
                for row in rows
                if row["evaluated_method"] == name
            ],
            family=lambda row: sources[row["run"]],
        )
        for name in methods
    }
    head = {
        "evaluated_quantity": quantity,
        "split": _SPLIT,
        "subset": "all",
        "is_in_sample": False,
        "is_independent": is_independent,
    }
    for line in method_scores(by_method, reference=CALIBRATED):
        yield head | line


def _table(rows: list[dict[str, Any]], contract: Contract) -> pa.Table:
    table = pa.Table.from_pylist(rows, schema=contract.schema())
    return conform(table.sort_by([(name, "ascending") for name in contract.key]), contract)
