"""Rows that repeat the job_id of an earlier row, found without keeping a single job_id."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opencarbon.sources.manifests.arrow import IntArray, as_text
from opencarbon.sources.manifests.columns import Rules, column_names
from opencarbon.sources.manifests.files import ManifestFile
from opencarbon.sources.manifests.job_id_hashes import JobIdHashes
from opencarbon.sources.manifests.partitions import Partition, consecutive, partition_tables, partitions
from opencarbon.sources.manifests.spelling import plain, text


@dataclass(frozen=True, slots=True)
class DuplicateRows:
    """Rows that repeat the job_id of an earlier row, by (path, row).

    Parameters
    ----------
    names : tuple of str
        Manifests in order.
    starts : ndarray of int64, shape (manifests,)
        Rows before each manifest.
    positions : ndarray of int64, shape (duplicates,)
        Rows that repeat, counted over all manifests, ascending.
    first_positions : ndarray of int64, shape (duplicates,)
        Where the job_id stands first.
    hash_bytes : int
        Bytes that the hashes of the job_ids took to find them.
    """

    names: tuple[str, ...]
    starts: IntArray
    positions: IntArray
    first_positions: IntArray
    hash_bytes: int = 0

    def __len__(self) -> int:
        """Count the rows that repeat."""
        return len(self.positions)

    def within(self, partition: Partition) -> tuple[IntArray, IntArray]:
        """Rows of a partition that repeat, and where their job_id stands first.

        Parameters
        ----------
        partition : Partition

        Returns
        -------
        rows : ndarray of int64
            Counted from the start of the partition.
        first_positions : ndarray of int64
            For :meth:`place`.
        """
        start = int(self.starts[self.names.index(partition.file.name)]) + partition.first_row
        low, high = np.searchsorted(self.positions, [start, start + partition.rows])
        return self.positions[low:high] - start, self.first_positions[low:high]

    def place(self, position: int) -> tuple[str, int]:
        """Manifest and row of a position.

        Parameters
        ----------
        position : int
            Counted over all manifests.

        Returns
        -------
        tuple of str and int
        """
        file = int(np.searchsorted(self.starts, position, side="right")) - 1
        return self.names[file], position - int(self.starts[file])


def scan_job_ids(files: Sequence[ManifestFile], rules: Rules) -> DuplicateRows:
    """Find the rows that repeat the job_id of an earlier row; only that column is read.

    Of each job_id a hash is kept, in the one structure that grows with the queue: see :class:`JobIdHashes`.

    Parameters
    ----------
    files : sequence of ManifestFile
        Those that :func:`check_columns` passed, in order.
    rules : Rules

    Returns
    -------
    DuplicateRows
        Rows without a job_id repeat none. The first row counts as first even where it breaks another rule.

    Raises
    ------
    ManifestError
        A file cannot be read.
    """
    starts = np.cumsum([0, *(file.rows for file in files)], dtype=np.int64)
    hashes = JobIdHashes(int(starts[-1]))
    for start, file in zip(starts[:-1].tolist(), files, strict=True):
        for run in consecutive(partitions([file])):
            theirs = column_names(file.schema, rules)["job_id"]
            for part, table in zip(run, partition_tables(run, [theirs]), strict=True):
                hashes.put(start + part.first_row, as_text(text(plain(table[theirs])).values))
    positions, first_positions = hashes.repeats()
    names = tuple(file.name for file in files)
    return DuplicateRows(names, starts[:-1], positions, first_positions, hashes.nbytes)
