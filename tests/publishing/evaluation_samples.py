"""Tables of an evaluation of planted runs, one of them with a name that is code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from opencarbon.estimation.evaluation import (
    DECODER_1B,
    Floor,
    evaluation_rows,
    fleet_errors,
    held_out_predictions,
    hours_scores,
    irreducible,
    score_table,
)
from opencarbon.estimation.evaluation.power import power_predictions
from tests.estimation.evaluation.samples import catalog, facts, planted, run, table

HOSTILE = "<script>alert('<b>')</script>"


@cache
def evaluated() -> tuple[Mapping[str, pa.Table], Mapping[str, Floor]]:
    """Tables of ``EVALUATED_TABLES`` by name, and the floor of every subset."""
    fleet = [run(f"fleet-{at}", utilisation=0.2, family="fleet") for at in range(4)]
    runs = table([*planted(), *fleet, run(HOSTILE)])
    rows = evaluation_rows(runs, catalog().devices)
    predictions, _ = held_out_predictions(rows, facts())
    power, power_scores = power_predictions(catalog().runs, catalog().measured_power, facts())
    reasons = {"svr": "The method svr needs scikit-learn."}
    without = predictions.filter(
        pa.array([one != "svr" for one in predictions["evaluated_method"].to_pylist()])
    )
    tables = {
        "evaluation_score": score_table([*hours_scores(without, reasons), *power_scores]),
        "evaluation_prediction": without,
        "evaluation_fleet": fleet_errors(rows, facts()),
        **power,
    }
    floors = {
        DECODER_1B: irreducible(rows, rows.is_scored & rows.is_decoder_1b),
        "all": irreducible(rows, rows.is_scored),
    }
    return tables, floors
