"""Sums over the batches of a queue by key, in memory that depends on the keys and not on the batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Floats = npt.NDArray[np.float64]


def sums_by_key(tables: Iterable[pa.Table], keys: Sequence[str]) -> pd.DataFrame:
    """Sum the columns of tables that come one after another.

    Parameters
    ----------
    tables : iterable of pa.Table
        Of the same columns, those beside the keys numbers without nulls; in each, a key stands once.
    keys : sequence of str
        Columns of text or whole numbers.

    Returns
    -------
    pd.DataFrame
        By key, in order. What rounding loses is carried along (Kahan's summation), as pandas does over all rows at once.

    Raises
    ------
    ValueError
        If a key stands twice in a table.
    """
    places: dict[tuple[object, ...], int] = {}
    sums, lost = np.zeros((0, 0)), np.zeros((0, 0))
    names: list[str] = []
    for table in tables:
        names = [name for name in table.column_names if name not in keys]
        columns = [table[name].to_pylist() for name in keys]
        at = np.array([places.setdefault(key, len(places)) for key in zip(*columns, strict=True)], np.int64)
        if len(np.unique(at)) != len(at):
            raise ValueError(f"a key ({', '.join(keys)}) stands twice in a batch: add its rows up before")
        sums, lost = (_with_room(array, len(places), len(names)) for array in (sums, lost))
        values = np.column_stack([np.asarray(table[name].to_numpy(), dtype=np.float64) for name in names])
        rest = values - lost[at]
        total = sums[at] + rest
        lost[at] = (total - sums[at]) - rest
        sums[at] = total
    index = pd.MultiIndex.from_arrays(list(zip(*places, strict=True)) or [[] for _ in keys], names=list(keys))
    return pd.DataFrame(sums[: len(places)], index=index, columns=names).sort_index()


def _with_room(array: Floats, rows: int, columns: int) -> Floats:
    if len(array) >= rows and array.shape[1] == columns:
        return array
    larger = np.zeros((max(rows, 2 * len(array)), columns))
    larger[: len(array), : array.shape[1]] = array
    return larger
