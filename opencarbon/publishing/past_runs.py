"""Runs that are stored, and what they told some jobs: read row group by row group, so that many jobs need little memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.errors import PublishError
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.parquet import part_places
from opencarbon.sources.places import Place
from opencarbon.tables.columns import TIMESTAMP


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that is stored.

    Parameters
    ----------
    run_id : str
    as_of_utc : datetime
        Aware: the moment it looked from.
    directory : Place
        Of its tables.
    """

    run_id: str
    as_of_utc: datetime
    directory: Place


def sound_runs(layout: Layout) -> list[PastRun]:
    """Stored runs with a sound record.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    list of PastRun
        By the moment they looked from.
    """
    found = []
    for run_id in layout.stored_runs():
        try:
            said = json.loads(layout.record(run_id).read_bytes())["as_of_utc"]
            as_of = datetime.fromisoformat(said).astimezone(UTC)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(PastRun(run_id, as_of, layout.runs / run_id))
    return sorted(found, key=lambda run: (run.as_of_utc, run.run_id))


def past_runs(layout: Layout, before_utc: datetime) -> list[PastRun]:
    """Stored runs that looked from an earlier moment.

    Parameters
    ----------
    layout : Layout
    before_utc : datetime
        Aware; runs of this moment and later ones are left out.

    Returns
    -------
    list of PastRun
        Oldest first; a run without a sound record is none.
    """
    return [run for run in sound_runs(layout) if run.as_of_utc < before_utc]


def rows_of_jobs(
    run: PastRun, table: str, columns: Sequence[str], job_ids: "pa.Array[pa.StringScalar]"
) -> pa.Table:
    """Rows of some jobs in a table of a run.

    Parameters
    ----------
    run : PastRun
    table : str
    columns : sequence of str
        Columns wanted, ``job_id`` among them.
    job_ids : pa.Array of string

    Returns
    -------
    pa.Table
        In the order of the table. Row groups without these jobs are not read beyond their ``job_id``.

    Raises
    ------
    PublishError
        If the table cannot be read.
    """
    others = [name for name in columns if name != "job_id"]
    pieces = []
    try:
        for place in part_places(run.directory, table):
            with place.open() as source, pq.ParquetFile(source, pre_buffer=place.local is None) as file:
                schema = pa.schema([file.schema_arrow.field(name) for name in columns])
                pieces.append(schema.empty_table())
                ids = file.read(columns=["job_id"])["job_id"]
                wanted, first = pc.is_in(ids, value_set=job_ids), 0  # once: each call hashes all of the set
                for number in range(file.num_row_groups):
                    rows = file.metadata.row_group(number).num_rows
                    here, of_group = wanted.slice(first, rows), ids.slice(first, rows)
                    first += rows
                    if pc.any(here).as_py():
                        group = file.read_row_group(number, columns=others).append_column("job_id", of_group)
                        pieces.append(group.select(list(columns)).filter(here).cast(schema))
    except (OSError, KeyError, pa.ArrowException) as problem:
        raise PublishError(f"table {table} of run {run.run_id} cannot be read: {problem}") from problem
    return pa.concat_tables(pieces)


def _lies_outside(column: pq.ColumnChunkMetaData, span: tuple[datetime, datetime]) -> bool:
    """Whether the statistics of a column of moments say that none is within a span; nulls are not."""
    told = column.statistics
    if told is None:
        return False
    ends = cast(tuple[datetime | None, datetime | None], (told.min, told.max))
    if ends[0] is None or ends[1] is None:
        return True
    return ends[1] <= span[0] or ends[0] > span[1]


def rows_between(
    run: PastRun, table: str, columns: Sequence[str], moment: str, span: tuple[datetime, datetime]
) -> pa.Table:
    """Rows of a table of a run in which a moment lies within a span.

    Parameters
    ----------
    run : PastRun
    table : str
    columns : sequence of str
        Columns wanted, that of the moment among them.
    moment : str
        Column of the moment.
    span : tuple of datetime
        Aware: after the first, not after the second.

    Returns
    -------
    pa.Table
        In the order of the table. Row groups whose statistics lie outside the span are not read.

    Raises
    ------
    PublishError
        If the table cannot be read.
    """
    after, until = (pa.scalar(end, TIMESTAMP) for end in span)
    pieces = []
    try:
        for place in part_places(run.directory, table):
            with place.open() as source, pq.ParquetFile(source, pre_buffer=place.local is None) as file:
                pieces.append(pa.schema([file.schema_arrow.field(name) for name in columns]).empty_table())
                at = file.schema_arrow.get_field_index(moment)
                for number in range(file.num_row_groups):
                    if _lies_outside(file.metadata.row_group(number).column(at), span):
                        continue
                    group = file.read_row_group(number, columns=list(columns)).select(list(columns))
                    within = pc.and_(pc.greater(group[moment], after), pc.less_equal(group[moment], until))
                    pieces.append(group.filter(within))
    except (OSError, KeyError, pa.ArrowException) as problem:
        raise PublishError(f"table {table} of run {run.run_id} cannot be read: {problem}") from problem
    return pa.concat_tables(pieces)
