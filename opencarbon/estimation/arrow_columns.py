"""Arrow columns from arrays: null where a number is NaN, a time unknown, an index negative."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from opencarbon.estimation.grid.curves import KINDS
from opencarbon.tables.columns import TIMESTAMP

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]


def number(values: Floats) -> pa.Array[Any]:
    """Numbers with null for NaN.

    Parameters
    ----------
    values : ndarray of float64

    Returns
    -------
    pa.Array
    """
    return pa.array(np.asarray(values, dtype=np.float64), from_pandas=True)


def moment(start_utc: datetime, hours: Floats) -> pa.Array[Any]:
    """Times from hours after a moment; null for NaN, to the microsecond.

    Parameters
    ----------
    start_utc : datetime
        Aware.
    hours : ndarray
        [h].

    Returns
    -------
    pa.Array of timestamp[us, UTC]
    """
    lost = ~np.isfinite(hours)
    micros = np.rint(np.where(lost, 0.0, hours) * 3.6e9).astype(np.int64) + round(start_utc.timestamp() * 1e6)
    return pa.array(micros, pa.int64(), mask=lost).cast(TIMESTAMP)


def named(names: Objects, index: Integers) -> pa.Array[Any]:
    """Names by index; null where the index is negative.

    Parameters
    ----------
    names : ndarray of object
    index : ndarray of int

    Returns
    -------
    pa.Array of string
    """
    at = pa.array(index, pa.int64(), mask=index < 0)
    return pa.array(names, pa.string()).take(at)


def text(values: Objects) -> pa.Array[Any]:
    """Texts, null for None.

    Parameters
    ----------
    values : ndarray of object

    Returns
    -------
    pa.Array of string
    """
    codes, distinct = pd.factorize(values)
    return named(np.asarray(distinct, dtype=object), codes.astype(np.int64))


def kind_names(codes: Integers) -> pa.Array[Any]:
    """Names of kinds of intensity; null where the code is ``MISSING``.

    Parameters
    ----------
    codes : ndarray of int

    Returns
    -------
    pa.Array of string
    """
    return named(np.array(KINDS, dtype=object), codes)


def interval(quantity: str, unit: str, central: Floats, up: Floats, down: Floats) -> dict[str, pa.Array[Any]]:
    """A quantity with the ends of its interval, as three columns.

    Parameters
    ----------
    quantity : str
        Name without unit.
    unit : str
        Its suffix, such as ``_kwh``; empty for hours, whose unit is their name.
    central : ndarray
    up, down : ndarray
        Half-widths in logs; NaN where there is no interval.

    Returns
    -------
    dict of str to pa.Array
    """
    low, high = (
        f"{quantity}{unit}_{end}" if unit == "" else f"{quantity}_{end}{unit}" for end in ("low", "high")
    )
    return {
        f"{quantity}{unit}": number(central),
        low: number(central * np.exp(-down)),
        high: number(central * np.exp(up)),
    }
