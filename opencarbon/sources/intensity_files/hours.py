"""Hours out of finer rows of a user's file of intensities."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from opencarbon.sources.intensity_files.columns import INTENSITY, START


def hourly_means(rows: pa.Table, minutes: int) -> pa.Table:
    """Means over hours.

    Parameters
    ----------
    rows : pa.Table
        Zone, start, intensity, ``is_estimated`` and what else tells rows apart; no start twice.
    minutes : int
        Length of a row, a part of an hour.

    Returns
    -------
    pa.Table
        The same columns, one row for each hour of which there is a row. Where parts of the hour are missing or unknown
        the mean of the others is an estimate; where all are unknown so is the hour.
    """
    frame = rows.to_pandas()
    frame[START] = frame[START].dt.floor("h")
    estimated = frame["is_estimated"].astype("boolean")
    frame["says"], frame["is_estimated"] = estimated.notna(), estimated.fillna(False).astype(bool)
    apart = [name for name in rows.column_names if name not in (INTENSITY, "is_estimated")]
    hours = frame.groupby(apart, dropna=False, sort=False, as_index=False).agg(
        mean=(INTENSITY, "mean"),
        known=(INTENSITY, "count"),
        is_estimated=("is_estimated", "any"),
        says=("says", "any"),
    )
    is_part = (hours["known"] > 0) & (hours["known"] < 60 // minutes)
    is_estimated = (hours["is_estimated"] | is_part).where(hours["says"] | is_part, None)
    columns = {name: pa.array(hours[name], rows.schema.field(name).type, from_pandas=True) for name in apart}
    columns[INTENSITY] = pa.array(hours["mean"], pa.float64(), from_pandas=True)
    columns["is_estimated"] = pa.array(is_estimated.tolist(), pa.bool_())
    return pa.table({name: columns[name] for name in rows.column_names})


def is_of_days(starts: pa.ChunkedArray[Any]) -> bool:
    """Whether rows are of days, months or years: all of them begin at midnight, and there is more than one midnight.

    Parameters
    ----------
    starts : pa.ChunkedArray
        Moments in UTC, without nulls.

    Returns
    -------
    bool
    """
    moments = pd.DatetimeIndex(starts.to_pandas()).unique()
    return len(moments) > 1 and bool((moments == moments.normalize()).all())
