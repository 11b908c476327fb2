"""How savings claimed compare with savings realised."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

KEYS: Final = ("intensity_kind", "job_hours", "interruptible", "may_move", "action")

_SAME: Final = 1e-9
"""Emissions nearer to those of the baseline than this share are the same."""


def scores(outcomes: pa.Table, keys: Sequence[str] = KEYS) -> pa.Table:
    """Means and sums over the decisions of each kind.

    Parameters
    ----------
    outcomes : pa.Table
        ``backtest_outcome``.
    keys : sequence of str, optional
        Columns that tell kinds of decisions apart.

    Returns
    -------
    pa.Table
        The keys with the other columns of ``backtest_score``, sorted by the keys; no rows for advice without a place.
    """
    frame = outcomes.to_pandas()
    frame = frame[frame["intensity_kind"].notna()]
    claimed, realised = frame["claimed_saving_gco2e_per_kwh"], frame["realised_saving_gco2e_per_kwh"]
    measured = claimed.notna() & realised.notna()
    frame["measured"], frame["claimed"] = measured, claimed.where(measured)
    frame["realised"], frame["regret"] = (
        realised.where(measured),
        frame["regret_gco2e_per_kwh"].where(measured),
    )
    baseline = frame["baseline_gco2e_per_kwh"].where(measured)
    frame["baseline"] = baseline
    frame["worse"] = (frame["realised"] < -_SAME * baseline).astype(float).where(measured)
    found = frame.groupby(list(keys), sort=True).agg(
        decisions=("measured", "size"),
        measured_decisions=("measured", "sum"),
        baseline_gco2e_per_kwh=("baseline", "mean"),
        claimed_saving_gco2e_per_kwh=("claimed", "mean"),
        realised_saving_gco2e_per_kwh=("realised", "mean"),
        regret_gco2e_per_kwh=("regret", "mean"),
        worse_share=("worse", "mean"),
    )
    saved = found["realised_saving_gco2e_per_kwh"]
    ratio = found["claimed_saving_gco2e_per_kwh"] / saved.where(saved > 0)
    found.insert(5, "claimed_over_realised", ratio.astype(np.float64))
    whole = {"decisions": "int64", "measured_decisions": "int64"}
    return pa.Table.from_pandas(found.astype(whole).reset_index(), preserve_index=False)
