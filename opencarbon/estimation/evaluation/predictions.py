"""Predictions of runs whose family, or organisation, no method has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opencarbon.errors import ConfigError, FitError
from opencarbon.estimation.evaluation.folds import SPLITS, Split, folds
from opencarbon.estimation.evaluation.methods import EVALUATED, EvaluatedMethod, Facts, LnHours, Predictor
from opencarbon.estimation.evaluation.rows import Floats, Rows
from opencarbon.estimation.evaluation.scores import interval_score
from opencarbon.tables.conform import conform
from opencarbon.tables.evaluation import EVALUATION_PREDICTION

Watch = Callable[[str, int, int], None]
"""Told of a split, the folds done and the folds in all."""

_GIVEN: Final = (
    "run",
    "family",
    "organisation",
    "device",
    "devices",
    "training_flop",
    "parameters",
    "source_id",
)


def held_out_predictions(
    rows: Rows,
    facts: Facts,
    *,
    methods: Iterable[EvaluatedMethod] = EVALUATED.values(),
    splits: Iterable[Split] = SPLITS,
    watch: Watch | None = None,
) -> tuple[pa.Table, dict[str, str]]:
    """Predict the hours of every run that is scored, from runs of other groups alone.

    Parameters
    ----------
    rows : Rows
        Runs that may be learnt from, among them those that are scored.
    facts : Facts
    methods : iterable of EvaluatedMethod, optional
    splits : iterable of {"family", "organisation"}, optional
        What is left out at a time.
    watch : callable, optional

    Returns
    -------
    pa.Table
        ``evaluation_prediction``; a method that cannot say of a run has no row for it. The hours of a group that is
        left out have no part in its predictions.
    dict of str to str
        Method -> why it was left out, such as for want of an extra.
    """
    wanted, reasons = list(methods), dict[str, str]()
    trained: dict[tuple[str, bytes], Predictor] = {}
    pieces = []
    for split in splits:
        parts = list(folds(rows, split))
        for done, fold in enumerate(parts):
            for method in [one for one in wanted if one.name not in reasons]:
                # An organisation of one family leaves the same runs to learn from as the family.
                key = (method.name, fold.is_trained.tobytes())
                try:
                    if key not in trained:
                        trained[key] = method.train(rows.take(fold.is_trained), facts)
                    pieces.append(
                        _predicted(rows.take(fold.is_tested), trained[key], split, method, facts.level)
                    )
                except (ConfigError, FitError) as problem:
                    reasons[method.name] = str(problem)
            if watch:
                watch(split, done + 1, len(parts))
    kept = [row for piece in pieces for row in piece if row["evaluated_method"] not in reasons]
    table = pa.Table.from_pylist(kept, schema=EVALUATION_PREDICTION.schema())
    return conform(
        table.sort_by([(name, "ascending") for name in EVALUATION_PREDICTION.key]), EVALUATION_PREDICTION
    ), reasons


def _predicted(
    tested: Rows, predict: Predictor, split: Split, method: EvaluatedMethod, level: float
) -> list[dict[str, Any]]:
    return [
        {"split": split, "evaluated_method": method.name, "is_in_sample": method.is_in_sample} | one
        for one in scored_rows(tested, predict(tested.work), level)
        if not np.isnan(one["device_hours"])
    ]


def scored_rows(tested: Rows, hours: LnHours, level: float) -> list[dict[str, Any]]:
    """Predictions beside what was.

    Parameters
    ----------
    tested : Rows
    hours : LnHours
        Of the same runs.
    level : float
        Share that the intervals are to hold.

    Returns
    -------
    list of dict
        Columns of ``evaluation_prediction`` that do not name the split and the method.
    """
    actual = np.log(tested.device_hours)
    columns: Mapping[str, Floats] = {
        "actual_device_hours": tested.device_hours,
        "device_hours": np.exp(hours.central),
        "device_hours_low": np.exp(hours.low),
        "device_hours_high": np.exp(hours.high),
        "ln_error": hours.central - actual,
        "interval_score": interval_score(actual, hours.low, hours.high, level),
    }
    covered = (hours.low <= actual) & (actual <= hours.high)
    return [
        {name: row[name] for name in _GIVEN}
        | {"is_decoder_1b": bool(tested.is_decoder_1b[at]), "is_covered": bool(covered[at])}
        | {name: float(values[at]) for name, values in columns.items()}
        for at, row in enumerate(tested.runs().to_pylist())
    ]
