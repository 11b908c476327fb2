"""Tables of jobs read side by side: they keep the order of the manifests, so that joining them needs no index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from opencarbon.errors import PublishError
from opencarbon.publishing.parquet import read_row_groups
from opencarbon.sources.places import Place


def job_batches(directory: Path | Place, columns: Mapping[str, Sequence[str]]) -> Iterator[pa.Table]:
    """Read tables of jobs side by side, a row group at a time.

    Parameters
    ----------
    directory : Path or Place
        Directory of a run.
    columns : mapping of str to sequence of str
        Columns of ``dim_job``, ``fact_job_estimate`` and ``rec_job`` by table, all of other names; ``job_id`` comes by
        itself.

    Yields
    ------
    pa.Table
        ``job_id`` and all columns.

    Raises
    ------
    PublishError
        If the tables do not hold the same jobs in the same order, which no whole run does.
    """
    read = [read_row_groups(directory, name, columns=["job_id", *wanted]) for name, wanted in columns.items()]
    try:
        for groups in zip(*read, strict=True):
            joined = groups[0]
            for group in groups[1:]:
                if not group["job_id"].equals(joined["job_id"]):
                    raise ValueError("other jobs")
                for name in group.column_names[1:]:
                    joined = joined.append_column(name, group[name])
            yield joined
    except ValueError as problem:
        raise PublishError(
            f"{', '.join(columns)} of {directory} do not hold the same jobs in the same order ({problem}): the run is "
            "damaged; run the night again"
        ) from problem
