"""Errors of refitted methods on the paper's six test runs, with these runs in the fit and with their families left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from opencarbon.estimation.reproduction.predictions import (
    KG_PER_TONNE,
    REFITTED,
    RefittedHours,
    emitted_kgco2e,
    table_1_intervals,
)
from opencarbon.tables.conform import conform
from opencarbon.tables.reproduction import TEST_RUN_ERROR

TEST_FAMILIES: Final = (
    r"\b(?:chat)?glm\b|\bbloomz?\b|\bstarcoder|\bsantacoder|\bllama[ -]?3|\bswin\b|^vit[ -]"
)
"""Names of models and families that are kin of the test runs, as a regular expression."""


def without_test_runs(runs: pa.Table) -> pa.Table:
    """The runs with those of the test runs' families left out of the fit.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.

    Returns
    -------
    pa.Table
    """
    kin = re.compile(TEST_FAMILIES, re.IGNORECASE)
    kept = [
        row["used"] and not any(kin.search(row[name] or "") for name in ("run", "model", "family"))
        for row in runs.to_pylist()
    ]
    at = runs.column_names.index("used")
    return runs.set_column(at, runs.schema.field("used"), pa.array(kept, pa.bool_()))


def test_run_errors(
    table_1: pa.Table, table_2: pa.Table, fitted: RefittedHours, left_out: RefittedHours
) -> pa.Table:
    """Errors on the six test runs: hours by each method x design power x intensity, against the actual.

    Parameters
    ----------
    table_1, table_2 : pa.Table
        The paper's, as the catalog has them.
    fitted, left_out : RefittedHours
        Methods fitted to all runs, and to those of :func:`without_test_runs`.

    Returns
    -------
    pa.Table
        ``TEST_RUN_ERROR``.
    """
    fits = {"fitted": fitted, "left_out": left_out}
    rows = [row for kind, hours in fits.items() for row in _rows(table_1, table_2, hours, kind)]
    table = pa.Table.from_pylist(rows, schema=TEST_RUN_ERROR.schema())
    return conform(table.sort_by([(name, "ascending") for name in TEST_RUN_ERROR.key]), TEST_RUN_ERROR)


def _rows(
    table_1: pa.Table, table_2: pa.Table, hours: RefittedHours, test_runs: str
) -> Iterator[dict[str, Any]]:
    intervals = table_1_intervals(table_1)
    for row in table_2.to_pylist():
        actual = row["published_actual_tco2e"] * KG_PER_TONNE
        for method in REFITTED:
            predicted = emitted_kgco2e(
                hours.hours(method, row["training_flop"], row["device"]),
                intervals[row["device_group"]].tdp_w,
                row["carbon_intensity_gco2e_per_kwh"],
            )
            yield {
                "model": row["model"],
                "method": method,
                "test_runs": test_runs,
                "device": row["device"],
                "training_flop": row["training_flop"],
                "operational_kgco2e": predicted,
                "actual_kgco2e": actual,
                "error_pct": 100.0 * (predicted / actual - 1.0),
            }
