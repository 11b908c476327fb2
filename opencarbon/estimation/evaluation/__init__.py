"""How wrong every method is on runs that it has not seen: trained on the same rows, families or organisations held out."""

from opencarbon.estimation.evaluation.fleets import fleet_errors
from opencarbon.estimation.evaluation.frozen import FROZEN_ROWS_SHA256, rows_sha256
from opencarbon.estimation.evaluation.methods import CALIBRATED, EVALUATED, EvaluatedMethod, Facts
from opencarbon.estimation.evaluation.predictions import held_out_predictions
from opencarbon.estimation.evaluation.rows import Rows, evaluation_rows
from opencarbon.estimation.evaluation.score_table import (
    DECODER_1B,
    SUBSETS,
    Floor,
    hours_scores,
    irreducible,
    score_table,
)
from opencarbon.estimation.evaluation.scores import CONFIDENCE, LEVEL

__all__ = [
    "CALIBRATED",
    "CONFIDENCE",
    "DECODER_1B",
    "EVALUATED",
    "FROZEN_ROWS_SHA256",
    "LEVEL",
    "SUBSETS",
    "EvaluatedMethod",
    "Facts",
    "Floor",
    "Rows",
    "evaluation_rows",
    "fleet_errors",
    "held_out_predictions",
    "hours_scores",
    "irreducible",
    "rows_sha256",
    "score_table",
]
