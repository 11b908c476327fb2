"""128 bits of every job_id: the one structure that grows with a queue."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.sources.manifests.arrow import BoolArray, IntArray, true_rows, where

HashArray = npt.NDArray[np.uint64]

_HASH_KEYS: Final = ("opencarbon job 0", "opencarbon job 1")
"""Keys of the two SipHash-2-4 values of a job_id, 16 bytes each as the algorithm asks."""

_BLOCK_ROWS: Final = 1 << 20


class JobIdHashes:
    """Hashes of the job_ids of so many rows, and which of them repeat an earlier one.

    Two job_ids count as equal where 128 bits of keyed hashes are equal: among 1e9 different ones the chance of any
    mistake is below 2e-21. 17 bytes a row are kept, and 8 more while they are sorted.

    Parameters
    ----------
    rows : int
        Rows there will be; one that is never put has no job_id.
    """

    def __init__(self, rows: int) -> None:
        self._first = np.zeros(rows, dtype=np.uint64)
        self._second = np.zeros(rows, dtype=np.uint64)
        self._is_given = np.zeros(rows, dtype=np.bool_)

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return self._first.nbytes + self._second.nbytes + self._is_given.nbytes

    def put(self, at: int, job_ids: pa.StringArray) -> None:
        """Keep the hashes of rows that follow each other.

        Parameters
        ----------
        at : int
            The first of these rows.
        job_ids : pa.StringArray
            Null and empty are no job_id.
        """
        rows = slice(at, at + len(job_ids))
        raw = job_ids.cast(pa.binary()).to_numpy(zero_copy_only=False)
        for kept, key in zip((self._first, self._second), _HASH_KEYS, strict=True):
            kept[rows] = pd.util.hash_array(raw, hash_key=key, categorize=False)
        self._is_given[rows] = true_rows(pc.not_equal(job_ids, pa.scalar("")))

    def repeats(self) -> tuple[IntArray, IntArray]:
        """Rows that repeat the job_id of an earlier row.

        Returns
        -------
        positions : ndarray of int64, shape (repeats,)
            Ascending.
        first_positions : ndarray of int64, shape (repeats,)
            Where the job_id stands first.
        """
        first, second = self._first, self._second
        ordered = first[self._is_given]
        ordered.sort()
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        blocks = range(0, len(first), _BLOCK_ROWS) if len(repeated) else range(0)
        found = [start + where(_is_among(first[start : start + _BLOCK_ROWS], repeated)) for start in blocks]
        candidates = np.concatenate([np.empty(0, dtype=np.int64), *found])
        candidates = candidates[self._is_given[candidates]]
        candidates = candidates[np.lexsort((candidates, second[candidates], first[candidates]))]
        is_first = np.ones(len(candidates), dtype=np.bool_)
        is_first[1:] = (np.diff(first[candidates]) != 0) | (np.diff(second[candidates]) != 0)
        first_of_group = candidates[is_first][np.cumsum(is_first) - 1]
        in_order = np.argsort(candidates[~is_first], kind="stable")
        return candidates[~is_first][in_order], first_of_group[~is_first][in_order]


def _is_among(values: HashArray, ordered: HashArray) -> BoolArray:
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    among: BoolArray = ordered[places] == values
    return among
