"""Small tables of every run, by month: what a report over many nights reads.

The history is a function of the runs that were stored: a run that it lacks because a publisher died is added
by the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.errors import PublishError
from opencarbon.publishing.layout import Layout, put_in_place, sync
from opencarbon.publishing.parquet import read_table, write_table
from opencarbon.tables.conform import with_every_column
from opencarbon.tables.contracts import Contract

HISTORY_TABLES: Final = ("fact_total", "fact_device_fit", "fact_advice_outcome", "dim_run")
"""Tables kept for every run; ``dim_run`` last, so that a run it names is in all of them."""
_MONTH: Final = slice(0, 6)
"""Where a run id holds the year and month of its moment."""
_MINUTE: Final = slice(0, len("20261122T2100Z"))
"""Where it holds its moment."""


def update_history(layout: Layout, contracts: Mapping[str, Contract], *, replaced: str | None) -> None:
    """Bring the history up to the runs that are stored; only for the holder of the lock.

    Parameters
    ----------
    layout : Layout
    contracts : mapping of str to Contract
        Contracts of the release.
    replaced : str or None
        Run whose rows are written anew even if the history has them.

    Raises
    ------
    PublishError
        If a file of the history cannot be read.
    """
    stored = [run_id for run_id in layout.stored_runs() if layout.record(run_id).exists()]
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
                _rewrite(layout, contracts[name], file_name, new)


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
    files = sorted((layout.history / contract.name).glob("????-??.parquet"))
    pieces = [_widen(_read(path, columns), schema) for path in files if months[0] <= path.stem <= months[1]]
    rows = pa.concat_tables([schema.empty_table(), *pieces])
    moment = pc.utf8_slice_codeunits(rows["run_id"], _MINUTE.start, _MINUTE.stop)
    within = pc.and_(
        pc.greater_equal(moment, pa.scalar(since[_MINUTE])), pc.less(moment, pa.scalar(before[_MINUTE]))
    )
    return rows.filter(within)


def _runs_in(path: Path) -> set[str]:
    return set(map(str, _read(path, ["run_id"])["run_id"].to_pylist())) if path.exists() else set()


def _rewrite(layout: Layout, contract: Contract, file_name: str, run_ids: Sequence[str]) -> None:
    target = layout.history / contract.name / file_name
    by_run = replace(contract, key=("run_id", *(name for name in contract.key if name != "run_id")))
    schema = by_run.schema()
    pieces = [
        _widen(read_table(layout.runs / run_id, contract.name), schema)
        for run_id in run_ids
        if (layout.runs / run_id / contract.name).is_dir()
    ]
    if target.exists():
        old = _widen(_read(target), schema)
        taken = pc.is_in(old["run_id"], value_set=pa.array(run_ids, pa.string()))
        pieces.append(old.filter(pc.equal(taken, pa.scalar(False))))
    rows = pa.concat_tables([schema.empty_table(), *pieces])
    ordered = rows.sort_by([(name, "ascending") for name in by_run.key])
    write_table(layout.work, ordered, by_run, rows_per_file=max(rows.num_rows, 1))
    made = layout.work / contract.name / "part-0.parquet"
    sync(made)
    target.parent.mkdir(parents=True, exist_ok=True)
    put_in_place(made, target)
    made.parent.rmdir()


def _read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A file of the history: all of it, or those of some columns that it has."""
    try:
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow.names
            return file.read(columns=[name for name in there if columns is None or name in columns])
    except (OSError, pa.ArrowException) as problem:
        raise PublishError(
            f"the history {path} cannot be read: {problem}; move it away, the next run begins it anew"
        ) from problem


def _widen(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return with_every_column(table, schema).select(schema.names).cast(schema)
