"""Rows of manifests, told apart: planned jobs that keep every rule, and the rules that the others break."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from opencarbon.sources.manifests.arrow import AnyArray, BoolArray, IntArray, true_rows, where
from opencarbon.sources.manifests.batch import Batch, read_batch
from opencarbon.sources.manifests.checks import broken_rules, work_sources
from opencarbon.sources.manifests.columns import INPUT_COLUMNS, Rules, column_names
from opencarbon.sources.manifests.duplicates import DuplicateRows
from opencarbon.sources.manifests.names import as_given, shown
from opencarbon.sources.manifests.partitions import Partition, consecutive, partition_tables
from opencarbon.sources.manifests.rules import RULES, Broken
from opencarbon.sources.manifests.spelling import plain
from opencarbon.sources.manifests.text_files import PROBLEM
from opencarbon.tables.conform import schema_with
from opencarbon.tables.inputs import PLANNED_JOBS, REJECTED_ROWS


def read_partition(
    partition: Partition, rules: Rules, duplicates: DuplicateRows
) -> tuple[pa.Table, pa.Table]:
    """Read the rows of a partition.

    Parameters
    ----------
    partition : Partition
        Of a manifest that :func:`check_columns` passed.
    rules : Rules
    duplicates : DuplicateRows
        Of all manifests.

    Returns
    -------
    planned : pa.Table
        ``PLANNED_JOBS`` with the carried columns at the end: rows that keep every rule, in order.
    rejected : pa.Table
        ``REJECTED_ROWS``: a row for every column in which a row of the manifest breaks a rule, by row and column.

    Raises
    ------
    ManifestError
        The file cannot be read.
    """
    return next(read_partitions([partition], rules, duplicates))


def read_partitions(
    parts: Iterable[Partition], rules: Rules, duplicates: DuplicateRows
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Read partitions one after another; those that follow each other in a file are decoded in one pass.

    Parameters
    ----------
    parts : iterable of Partition
    rules : Rules
    duplicates : DuplicateRows
        Of all manifests.

    Yields
    ------
    tuple of pa.Table
        As :func:`read_partition` returns them.

    Raises
    ------
    ManifestError
        A file cannot be read.
    """
    for run in consecutive(parts):
        schema = run[0].file.schema
        columns = list(column_names(schema, rules).values()) + [PROBLEM] * (PROBLEM in schema.names)
        for partition, table in zip(run, partition_tables(run, columns), strict=True):
            batch, broken = read_batch(table, partition, rules)
            broken += broken_rules(batch, partition, rules, duplicates)
            once = list(_one_for_each_column(_without_lost_rows(broken, table), batch.rows))
            yield _planned(batch, partition, rules, once), _rejected(batch, partition, rules, once)


def _without_lost_rows(broken: Sequence[Broken], table: pa.Table) -> list[Broken]:
    """Say of a row that could not be taken apart that alone: all its columns are missing."""
    if PROBLEM not in table.column_names:
        return list(broken)
    problems = table[PROBLEM]
    lost = where(true_rows(plain(problems).is_valid()))
    told = Broken("unreadable_row", "job_id", lost, lambda row: {"problem": problems[row].as_py()})
    others = (
        Broken(fault.code, fault.column, fault.rows[~np.isin(fault.rows, lost)], fault.words)
        for fault in broken
    )
    return [told, *others]


def _one_for_each_column(broken: Iterable[Broken], rows: int) -> Iterator[Broken]:
    """Keep the first rule that a row breaks in a column; it stands for the others."""
    seen: dict[str, BoolArray] = {}
    for fault in (fault for fault in broken if len(fault.rows)):
        before = seen.setdefault(fault.column, np.zeros(rows, dtype=np.bool_))
        new = fault.rows[~before[fault.rows]]
        before[new] = True
        if len(new):
            yield Broken(fault.code, fault.column, new, fault.words)


def _planned(batch: Batch, partition: Partition, rules: Rules, broken: Sequence[Broken]) -> pa.Table:
    first = partition.first_row
    columns: dict[str, AnyArray] = dict(batch.values) | {
        "manifest": pa.repeat(partition.file.name, batch.rows),
        "row": pa.array(np.arange(first, first + batch.rows, dtype=np.int64)),
        "state": batch.values["state"].fill_null("queued"),
        "repeats": batch.values["repeats"].fill_null(1),
        "interruptible": batch.values["interruptible"].fill_null(False),
        "work_source": work_sources(batch),
    }
    table = pa.table({name: columns[name] for name in (*PLANNED_JOBS.columns, *rules.carry)})
    if broken:
        is_kept = np.ones(batch.rows, dtype=np.bool_)
        for fault in broken:
            is_kept[fault.rows] = False
        table = table.filter(pa.array(is_kept))
    carried = [pa.field(name, carried_type) for name, carried_type in rules.carry.items()]
    return pa.Table.from_arrays(table.columns, schema=schema_with(PLANNED_JOBS, carried))


def _rejected(batch: Batch, partition: Partition, rules: Rules, broken: Sequence[Broken]) -> pa.Table:
    order_of = {name: order for order, name in enumerate((*INPUT_COLUMNS, *rules.carry))}
    texts = [text for fault in broken for text in _texts(batch, fault)]
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(fault.rows for fault in broken)])
    columns = np.concatenate(
        [np.empty(0, dtype=np.int64), *(np.full(len(fault.rows), order_of[fault.column]) for fault in broken)]
    )
    in_order = np.lexsort((columns, rows))
    unordered = pa.table(
        {
            "manifest": pa.repeat(partition.file.name, len(rows)),
            "row": pa.array(rows + partition.first_row),
            "job_id": pa.array(_shown_ids(batch, rows), pa.string()),
            **{
                name: pa.array([text[name] for text in texts], pa.string())
                for name in ("column", "value", "rule_code", "reason", "remedy")
            },
        }
    )
    return pa.Table.from_arrays(unordered.take(in_order).columns, schema=REJECTED_ROWS.schema())


def _shown_ids(batch: Batch, rows: IntArray) -> list[str | None]:
    ids = batch.values["job_id"].take(rows).to_pylist()
    return [None if job_id is None else shown(job_id) for job_id in ids]


def _texts(batch: Batch, fault: Broken) -> Iterator[dict[str, str | None]]:
    """Write the words of ``rejected_job`` for each row that breaks a rule."""
    rule = RULES[fault.code]
    for row, value in zip(fault.rows.tolist(), _given(batch, fault), strict=True):
        quoted = repr(shown(value)) if isinstance(value, str) else shown(value)
        words = {"column": fault.column, "value": quoted, **fault.words(row)}
        yield {
            "column": fault.column,
            "value": None if value is None else shown(value),
            "rule_code": fault.code,
            "reason": rule.reason.format_map(words),
            "remedy": rule.remedy.format_map(words),
        }


def _given(batch: Batch, fault: Broken) -> list[object]:
    """Values as the manifest gives them; null where it has no such column."""
    if fault.column not in batch.source:
        return [None] * len(fault.rows)
    return as_given(batch.source[fault.column].take(fault.rows))
