"""Runs for the report: the example with other names or values, and long queues."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.publishing.parquet import read_table
from opencarbon.tables.contracts import PUBLISHED
from tests.example import Release
from tests.tables.make_tables import make_release, make_table

JOB_TABLES = ("dim_job", "fact_job_estimate", "rec_job")
HOSTILE = (
    "<script>window.broken = true</script>",
    '"><img src=x onerror="window.broken = true">',
    "</script><b>bold</b>",
    '=HYPERLINK("http://127.0.0.1:9/", "win")',
    "شغل 😀 {{ 7 * 7 }}",
    "x" * 300,
    '-2+3, "quoted"\nline',
    "{% raw %}&amp;\u2028",
)
"""Names that break pages, scripts, templates or spreadsheets that take them for something else."""


def write(folder: Path, tables: Mapping[str, pa.Table]) -> Path:
    """Write tables as those of a run."""
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-0.parquet")
    return folder


def tables_of_example(example: Release) -> dict[str, pa.Table]:
    return {name: read_table(example.latest, name) for name in PUBLISHED}


def renamed(example: Release, folder: Path) -> Path:
    """The example with the oddest names of jobs and teams, and none at all."""
    tables = tables_of_example(example)
    known = tables["dim_job"]["job_id"].to_pylist()
    names = dict(zip(known, HOSTILE, strict=False))
    for name, table in tables.items():
        if "job_id" in table.column_names:
            column = [names.get(job, job) for job in table["job_id"].to_pylist()]
            tables[name] = put(table, "job_id", column)
    jobs = tables["dim_job"].num_rows
    for name in ("team", "model"):
        values = [*HOSTILE, *[None] * (jobs - len(HOSTILE))]
        tables["dim_job"] = put(tables["dim_job"], name, values)
    return write(folder, tables)


def changed(example: Release, folder: Path, **change: Callable[[pa.Table], pa.Table]) -> Path:
    """The example with some tables changed."""
    tables = tables_of_example(example)
    return write(folder, tables | {name: to(tables[name]) for name, to in change.items()})


def long_queue(folder: Path, jobs: int, *, name_length: int = 0) -> Path:
    """A made-up run of so many jobs."""
    tables = make_release(rows=40)
    for name in (*JOB_TABLES, "fact_job_region", "fact_job_segment"):
        tables[name] = make_table(PUBLISHED[name], rows=jobs, parents=tables)
    if name_length:
        for name in JOB_TABLES:
            ids = [f"{at:0{name_length}}" for at in range(jobs)]
            tables[name] = put(tables[name], "job_id", ids)
    return write(folder, tables)


def put(table: pa.Table, column: str, values: Sequence[object]) -> pa.Table:
    """A table with other values in a column."""
    field = table.schema.field(column)
    return table.set_column(table.column_names.index(column), field, pa.array(values, field.type))


def without_rows(table: pa.Table) -> pa.Table:
    return table.slice(0, 0)


def nulls(*columns: str) -> Callable[[pa.Table], pa.Table]:
    """Take the values of columns away."""

    def take(table: pa.Table) -> pa.Table:
        for column in columns:
            table = put(table, column, [None] * table.num_rows)
        return table

    return take
