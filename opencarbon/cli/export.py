"""What ``opencarbon export`` writes: rows in the form of others, a row group at a time, whole or not at all."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from opencarbon.cli.export_app import Form
from opencarbon.cli.night import shown_progress
from opencarbon.cli.tables import console_for
from opencarbon.errors import ConfigError
from opencarbon.pipeline.files import output_file, whole_file
from opencarbon.publishing.csv_cells import csv_cell
from opencarbon.publishing.interchange import (
    CODECARBON_COLUMNS,
    SCI_COLUMNS,
    Exchange,
    codecarbon_row,
    huggingface_yaml,
    jobs_to_exchange,
    sci_rows,
)
from opencarbon.publishing.interchange.jobs import Row
from opencarbon.sources.places import Place
from opencarbon.tables.columns import TYPES

_ROWS_AT_ONCE: Final = 65_536
_TOLD_EVERY: Final = 5_000
_SUFFIXES: Final[dict[Form, tuple[str, ...]]] = {
    "sci": (".csv", ".parquet"),
    "codecarbon": (".csv",),
    "huggingface": (".yaml", ".yml"),
}


def export_run(run: Place, form: Form, out: str | None, jobs: frozenset[str]) -> int:
    """Write the jobs of a run in the form of others.

    Parameters
    ----------
    run : Place
        Directory of the run.
    form : {"sci", "codecarbon", "huggingface"}
    out : str or None
        File to write; standard output unless given.
    jobs : frozenset of str
        Only these; all unless given.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    ConfigError
        If the file has another ending than the form, or a job that was asked for is not in the run.
    PublishError
        If the file cannot be written.
    """
    exchange = Exchange.of(run)
    if out is None:
        _write_text(sys.stdout, run, exchange, form, jobs)
    else:
        path = output_file(out)
        if path.suffix not in _SUFFIXES[form]:
            raise ConfigError(
                f"{path}: {form} is written to a file that ends in {' or '.join(_SUFFIXES[form])}"
            )
        with whole_file(path) as made:
            if path.suffix == ".parquet":
                _write_parquet(made, run, exchange, jobs)
            else:
                with open(made, "w", encoding="utf-8", newline="") as file:
                    _write_text(file, run, exchange, form, jobs)
    left = f", {exchange.without_figure} without a figure left out" if exchange.without_figure else ""
    console = console_for(stderr=True)
    console.print(
        f"{out or form}: {exchange.given} jobs of run {run.name}{left}", highlight=False, soft_wrap=True
    )
    return 0


def _jobs(run: Place, exchange: Exchange, jobs: frozenset[str]) -> Iterator[Row]:
    """Jobs to exchange, with a bar of how many have been looked at; an error at the end where one asked for is not there."""
    total = exchange.run["jobs_read"] - exchange.run["jobs_rejected"]
    with shown_progress(Console(stderr=True)) as progress:
        for job in jobs_to_exchange(run, exchange, jobs):
            done = exchange.given + exchange.without_figure
            if done % _TOLD_EVERY == 0 or done == total:
                progress("export jobs", done, total)
            yield job
    if exchange.missing:
        raise ConfigError(
            f"run {exchange.run['run_id']} has no job {', '.join(map(repr, sorted(exchange.missing)))}"
        )


def _write_text(file: TextIO, run: Place, exchange: Exchange, form: Form, jobs: frozenset[str]) -> None:
    if form == "huggingface":
        file.writelines(
            huggingface_yaml(job, exchange, is_named=len(jobs) != 1) for job in _jobs(run, exchange, jobs)
        )
        return
    columns: Sequence[str] = CODECARBON_COLUMNS if form == "codecarbon" else list(SCI_COLUMNS)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for job in _jobs(run, exchange, jobs):
        rows = [codecarbon_row(job, exchange)] if form == "codecarbon" else sci_rows(job, exchange)
        writer.writerows([csv_cell(row.get(name)) for name in columns] for row in rows)


def _write_parquet(path: Path, run: Place, exchange: Exchange, jobs: frozenset[str]) -> None:
    schema = pa.schema([(name, TYPES[kind]) for name, kind in SCI_COLUMNS.items()])
    with pq.ParquetWriter(path, schema) as writer:
        rows: list[dict[str, Any]] = []
        for job in _jobs(run, exchange, jobs):
            rows += sci_rows(job, exchange)
            if len(rows) >= _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
