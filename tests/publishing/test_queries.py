"""The newest run as views and tables: DuckDB runs its file, Athena's is read by a parser of its language."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import expressions as sql

from opencarbon.publishing.parquet import read_table
from opencarbon.tables.contracts import PUBLISHED
from tests.example import Release
from tests.publishing.runs import publish_run, run_of

ATHENA_TYPES = {
    pa.string(): "string",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", "UTC"): "timestamp",
}


def views(base: Path, *, start: str = "") -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(start)
    connection.execute((base / "duckdb.sql").read_text(encoding="utf-8"))
    return connection


def test_duckdb_reads_every_table_of_the_newest_run(
    example: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(example.latest.parent)
    connection = views(Path())

    for name in PUBLISHED:
        (count,) = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() or (None,)
        assert read_table(example.latest, name).num_rows == count, name
    saved = connection.execute("SELECT saving_kgco2e FROM history_fact_total WHERE scope = 'run'").fetchall()
    assert 1 == len(saved)


def test_duckdb_reads_it_from_elsewhere_too(example: Release, tmp_path: Path) -> None:
    folder = example.latest.parent.resolve()
    assert Path(os.getcwd()) != folder
    connection = views(folder, start=f"SET file_search_path = '{folder}'")
    (count,) = connection.execute("SELECT count(*) FROM rec_job").fetchone() or (None,)
    assert read_table(example.latest, "rec_job").num_rows == count


def test_the_files_follow_the_newest_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for run_id, newest in (
        (run_of(16), run_of(16)),
        (run_of(18), run_of(18)),
        (run_of(17), run_of(18)),
    ):
        publish_run(tmp_path, run_id, now_utc=datetime.now(UTC))
        for name in ("duckdb.sql", "athena.sql"):
            text = (tmp_path / "v1" / name).read_text(encoding="utf-8")
            named = set(re.findall(r"/?runs/([^/]+)/", text))
            assert {newest} == named
    monkeypatch.chdir(tmp_path / "v1")
    runs = views(Path()).execute("SELECT run_id FROM history_dim_run ORDER BY 1").fetchall()
    assert [(run_of(day),) for day in (16, 17, 18)] == runs


def test_athena_creates_every_table_with_the_types_of_its_contract(example: Release) -> None:
    text = (example.latest.parent / "athena.sql").read_text(encoding="utf-8")
    created = {}
    for statement in filter(None, sqlglot.parse(text, dialect="athena")):
        if isinstance(statement, sql.Drop):
            continue
        assert isinstance(statement, sql.Create)
        table = statement.this.this.name
        columns = {column.name: column.kind.sql("hive").lower() for column in statement.this.expressions}
        (location,) = statement.find_all(sql.LocationProperty)
        created[table] = columns, location.this.name

    run_id = example.latest.resolve().name
    assert {*PUBLISHED, "history_dim_run", "history_fact_total", "history_fact_device_fit"} <= set(created)
    for name in PUBLISHED:
        columns, location = created[name]
        schema = read_table(example.latest, name).schema
        assert {field.name: ATHENA_TYPES[field.type] for field in schema} == columns
        assert f"s3://BUCKET/PREFIX/v1/runs/{run_id}/{name}/" == location
    assert "s3://BUCKET/PREFIX/v1/history/dim_run/" == created["history_dim_run"][1]


def test_no_statement_is_cut_by_what_a_description_says(example: Release) -> None:
    text = (example.latest.parent / "athena.sql").read_text(encoding="utf-8")
    statements = [part.strip() for part in text.split(";\n") if part.strip()]
    comments = [line for line in statements[0].splitlines() if line.startswith("--")]
    assert len(comments) == 2
    assert all(("DROP TABLE" in part) != ("CREATE EXTERNAL TABLE" in part) for part in statements)
    assert ";" not in "".join(statements)
