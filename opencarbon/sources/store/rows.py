"""Rows of the intensity store: their order, and the newest of each hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:  # pyarrow's arrays are generic in its stubs only
    Chunks = pa.ChunkedArray[Any]

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

KEY: Final = ("zone", "intensity_kind", "emission_factor_type", "accounting_basis", "hour_start_utc")
"""What an intensity is of: another fetch of the same is a newer word on it."""

_UNKNOWN: Final = np.iinfo(np.int64).min


def ordered(rows: pa.Table) -> pa.Table:
    """Rows by key, and within it by fetch and issue, the newest first.

    Parameters
    ----------
    rows : pa.Table
        ``GRID_INTENSITY``, each with its accounting basis.

    Returns
    -------
    pa.Table
        An unknown issue counts as the oldest. Rows that differ stand in the same order whatever it was before.
    """
    keys = (
        *(_ranks(rows[name]) for name in KEY[:-1]),
        _moments(rows["hour_start_utc"]),
        *(~_moments(rows[name]) for name in ("fetched_at_utc", "issued_at_utc")),
        rows["carbon_intensity_gco2e_per_kwh"].to_numpy(),
        _ranks(rows["source_id"]),
        _truths(rows["is_estimated"]),
    )
    order = np.lexsort(tuple(reversed(keys)))
    if np.array_equal(order, np.arange(len(order))):
        return rows
    return rows.take(order)


def is_newest(rows: pa.Table) -> Booleans:
    """Which rows are the first of their key.

    Parameters
    ----------
    rows : pa.Table
        From :func:`ordered`.

    Returns
    -------
    ndarray of bool, shape (rows,)
    """
    return changes(rows, KEY)


def newest(rows: pa.Table) -> pa.Table:
    """The newest row of each key.

    Parameters
    ----------
    rows : pa.Table
        ``GRID_INTENSITY``, each with its accounting basis, in any order.

    Returns
    -------
    pa.Table
        In the order of :func:`ordered`.
    """
    first_is_newest = ordered(rows)
    return first_is_newest.filter(pa.array(is_newest(first_is_newest)))


def news(rows: pa.Table, known: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Rows that say something else than what is known.

    Parameters
    ----------
    rows, known : pa.Table
        ``GRID_INTENSITY``, each with its accounting basis, no two rows of one table of the same key.
    key : tuple of str
        Columns that say what a row is of.

    Returns
    -------
    pa.Table
        Rows of a key that is not known, or of another intensity, or of another word on whether it is estimated.
    """
    if not known.num_rows:
        return rows
    columns = [*key, "carbon_intensity_gco2e_per_kwh", "is_estimated"]
    both = pa.concat_tables([known.select(columns), rows.select(columns)]).combine_chunks()
    is_row = np.arange(both.num_rows) >= known.num_rows
    order = np.lexsort((is_row, *(_codes(both[name]) for name in key)))
    is_new = np.zeros(both.num_rows, dtype=np.bool_)
    is_new[order] = changes(both.take(order), tuple(columns))
    return rows.filter(pa.array(is_new[known.num_rows :]))


def changes(rows: pa.Table, columns: tuple[str, ...]) -> Booleans:
    """Where a row differs from the one before it.

    Parameters
    ----------
    rows : pa.Table
    columns : tuple of str
        Columns that count; two nulls are alike.

    Returns
    -------
    ndarray of bool, shape (rows,)
        True for the first row.
    """
    differs = np.zeros(rows.num_rows, dtype=np.bool_)
    differs[:1] = True
    for name in columns:
        codes = _codes(rows[name])
        differs[1:] |= codes[1:] != codes[:-1]
    return differs


def _codes(values: Chunks) -> Integers:
    """Numbers that are equal where values are, nulls included."""
    if pa.types.is_timestamp(values.type):
        return _moments(values)
    coded = values.combine_chunks().dictionary_encode("encode")
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _ranks(values: Chunks) -> Integers:
    """Numbers in the order of the texts."""
    coded = values.combine_chunks().dictionary_encode()
    texts = [str(text) for text in coded.dictionary.to_pylist()]
    rank = {text: place for place, text in enumerate(sorted(texts))}
    ranks = np.array([rank[text] for text in texts], dtype=np.int64)
    return np.asarray(ranks[coded.indices.to_numpy()], dtype=np.int64)


def _moments(values: Chunks) -> Integers:
    numbers = values.cast(pa.int64()).fill_null(pa.scalar(_UNKNOWN, pa.int64()))
    return np.asarray(numbers.to_numpy(), dtype=np.int64)


def _truths(values: Chunks) -> Integers:
    numbers = values.cast(pa.int64()).fill_null(pa.scalar(2, pa.int64()))
    return np.asarray(numbers.to_numpy(), dtype=np.int64)
