"""Small tables of every run, by month: what a report over many nights reads.

The history is a function of the runs that were stored: a run that it lacks because a publisher died is added
by the next one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opencarbon.errors import PublishError
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.parquet import read_table
from opencarbon.sources.places import Place
from opencarbon.tables.conform import with_every_column
from opencarbon.tables.contracts import Contract

HISTORY_TABLES: Final = ("fact_total", "fact_device_fit", "fact_advice_outcome", "dim_run")
"""Tables kept for every run; ``dim_run`` last, so that a run it names is in all of them."""
Keep = Callable[[Place, Contract, Callable[[pa.Table | None], pa.Table]], None]
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
        the new rows of the old ones.

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
        _widen(read_month(folder / name, columns), schema)
        for name in files
        if months[0] <= name.removesuffix(".parquet") <= months[1]
    ]
    rows = pa.concat_tables([schema.empty_table(), *pieces])
    moment = pc.utf8_slice_codeunits(rows["run_id"], _MINUTE.start, _MINUTE.stop)
    within = pc.and_(
        pc.greater_equal(moment, pa.scalar(since[_MINUTE])), pc.less(moment, pa.scalar(before[_MINUTE]))
    )
    return rows.filter(within)


def read_month(place: Place, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a file of the history.

    Parameters
    ----------
    place : Place
    columns : sequence of str, optional
        Those of them that it has; all by default.

    Returns
    -------
    pa.Table

    Raises
    ------
    PublishError
        If it cannot be read.
    """
    try:
        with place.open() as source, pq.ParquetFile(source) as file:
            there = file.schema_arrow.names
            return file.read(columns=[name for name in there if columns is None or name in columns])
    except (OSError, pa.ArrowException) as problem:
        raise PublishError(
            f"the history {place} cannot be read: {problem}; move it away, the next run begins it anew"
        ) from problem


def _runs_in(place: Place) -> set[str]:
    return set(map(str, read_month(place, ["run_id"])["run_id"].to_pylist())) if place.exists() else set()


def _merged(layout: Layout, by_run: Contract, run_ids: Sequence[str], old: pa.Table | None) -> pa.Table:
    """What a month holds once the rows of some runs are those of the runs as they are stored."""
    schema = by_run.schema()
    pieces = [
        _widen(read_table(layout.runs / run_id, by_run.name), schema)
        for run_id in run_ids
        if (layout.runs / run_id / by_run.name).is_dir()
    ]
    if old is not None:
        kept = _widen(old, schema)
        taken = pc.is_in(kept["run_id"], value_set=pa.array(run_ids, pa.string()))
        pieces.append(kept.filter(pc.equal(taken, pa.scalar(False))))
    rows = pa.concat_tables([schema.empty_table(), *pieces])
    return rows.sort_by([(name, "ascending") for name in by_run.key])


def _widen(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return with_every_column(table, schema).select(schema.names).cast(schema)
