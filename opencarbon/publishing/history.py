"""Small tables of every run, by month: what a report over many nights reads.

The history is a function of the runs that were stored: a run that it lacks because a publisher died is added
by the next one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.errors import PublishError
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.parquet import read_row_groups
from opencarbon.sources.places import Place
from opencarbon.tables.conform import with_every_column
from opencarbon.tables.contracts import Contract

HISTORY_TABLES: Final = ("fact_total", "fact_device_fit", "fact_advice_outcome", "dim_run")
"""Tables kept for every run; ``dim_run`` last, so that a run it names is in all of them."""
Keep = Callable[[Place, Contract, Callable[[Iterable[pa.Table]], Iterator[pa.Table]]], None]
"""How a file of the history is replaced."""
_FILE: Final = re.compile(r"\d{4}-\d{2}\.parquet")
_MONTH: Final = slice(0, 6)
"""Where a run id holds the year and month of its moment."""
_MINUTE: Final = slice(0, len("20261122T2100Z"))
"""Where it holds its moment."""


def update_history(
    layout: Layout, contracts: Mapping[str, Contract], *, replaced: str | None, keep: Keep
) -> None:
    """Bring the history up to the runs that are stored.

    Parameters
    ----------
    layout : Layout
    contracts : mapping of str to Contract
        Contracts of the release.
    replaced : str or None
        Run whose rows are written anew even if the history has them.
    keep : callable
        Puts a table in the place of what a file of the history holds: is given the file, the contract, and what makes
        the new rows of the old ones, both of them in pieces.

    Raises
    ------
    PublishError
        If a file of the history cannot be read.
    """
    stored = [run_id for run_id in layout.stored_runs() if layout.record(run_id).is_file()]
    for month in sorted({run_id[_MONTH] for run_id in stored}):
        file_name = f"{month[:4]}-{month[4:]}.parquet"
        known = _runs_in(layout.history / "dim_run" / file_name)
        new = [
            run_id
            for run_id in stored
            if run_id[_MONTH] == month and (run_id not in known or run_id == replaced)
        ]
        for name in HISTORY_TABLES if new else ():
            if name in contracts:
                contract = contracts[name]
                by_run = replace(contract, key=("run_id", *(key for key in contract.key if key != "run_id")))
                keep(layout.history / name / file_name, by_run, partial(_merged, layout, by_run, new))


def read_history(
    layout: Layout, contract: Contract, columns: Sequence[str], *, since: str, before: str
) -> pa.Table:
    """Read what the history holds of a span of runs.

    Parameters
    ----------
    layout : Layout
    contract : Contract
        Of the table.
    columns : sequence of str
        Columns wanted, ``run_id`` among them.
    since, before : str
        Run ids, or the moments they begin with: first moment, and the one before which runs count.

    Returns
    -------
    pa.Table
        By run and key; empty where the history has no such table. A column that an older file lacks is null.

    Raises
    ------
    PublishError
        If a file of the history cannot be read.
    """
    schema = pa.schema([contract.schema().field(name) for name in columns])
    months = f"{since[:4]}-{since[4:6]}", f"{before[:4]}-{before[4:6]}"
    folder = layout.history / contract.name
    files = [name for name in folder.names() if _FILE.fullmatch(name)]
    pieces = [
        _within(_widen(rows, schema), since, before)
        for name in files
        if months[0] <= name.removesuffix(".parquet") <= months[1]
        for rows in read_month(folder / name, columns)
    ]
    return pa.concat_tables([schema.empty_table(), *pieces])


def read_month(
    place: Place, columns: Sequence[str] | None = None, *, content: bytes | None = None
) -> Iterator[pa.Table]:
    """Read a file of the history a row group at a time.

    Parameters
    ----------
    place : Place
    columns : sequence of str, optional
        Those of them that it has; all by default.
    content : bytes, optional
        Of the file, where it was read before.

    Yields
    ------
    pa.Table

    Raises
    ------
    PublishError
        If it cannot be read.
    """
    try:
        with (
            place.open() if content is None else pa.BufferReader(content) as source,
            pq.ParquetFile(source) as file,
        ):
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns=names)
    except (OSError, pa.ArrowException) as problem:
        raise PublishError(
            f"the history {place} cannot be read: {problem}; move it away, the next run begins it anew"
        ) from problem


def _within(rows: pa.Table, since: str, before: str) -> pa.Table:
    moment = pc.utf8_slice_codeunits(rows["run_id"], _MINUTE.start, _MINUTE.stop)
    return rows.filter(
        pc.and_(
            pc.greater_equal(moment, pa.scalar(since[_MINUTE])), pc.less(moment, pa.scalar(before[_MINUTE]))
        )
    )


def _runs_in(place: Place) -> set[str]:
    groups = read_month(place, ["run_id"]) if place.exists() else ()
    return {str(run_id) for rows in groups for run_id in pc.unique(rows["run_id"]).to_pylist()}


def _merged(
    layout: Layout, by_run: Contract, run_ids: Sequence[str], old: Iterable[pa.Table]
) -> Iterator[pa.Table]:
    """What a month holds, run by run, once the rows of some runs are those of the runs as they are stored."""
    schema = by_run.schema()
    waiting = sorted(run_ids, reverse=True)
    for group in old:
        rows = _widen(group, schema)
        for run_id in sorted(map(str, pc.unique(rows["run_id"]).to_pylist())):
            while waiting and waiting[-1] < run_id:
                yield from _rows_of_run(layout, by_run.name, waiting.pop(), schema)
            if run_id not in run_ids:
                yield rows.filter(pc.equal(rows["run_id"], pa.scalar(run_id)))
    while waiting:
        yield from _rows_of_run(layout, by_run.name, waiting.pop(), schema)


def _rows_of_run(layout: Layout, name: str, run_id: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows of a stored run, which are in the order of their key."""
    if (layout.runs / run_id / name).is_dir():
        for rows in read_row_groups(layout.runs / run_id, name):
            yield _widen(rows, schema)


def _widen(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return with_every_column(table, schema).select(schema.names).cast(schema)
