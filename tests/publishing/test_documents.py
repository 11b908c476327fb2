"""What lies beside the tables of a run: recorded, checked, and not asked of runs of before."""

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from opencarbon.errors import PublishError
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.questions import questions
from opencarbon.publishing.records import whole_run
from opencarbon.publishing.release import publish
from opencarbon.sources.places import Place
from opencarbon.tables.contracts import PUBLISHED
from tests.example import Release
from tests.publishing.runs import CONTRACTS, as_of, publish_run, run_of, stage_run

MONDAY = run_of(16)
NOW_UTC = datetime.now(UTC)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    publish_run(tmp_path, MONDAY, now_utc=NOW_UTC)
    return tmp_path / "v1/runs" / MONDAY


def is_whole(run: Path) -> bool:
    return whole_run(Layout(Place.of(run.parents[2])), run.name) is not None


@pytest.mark.parametrize("name", ["README.md", "views.sql", "report.html"])
def test_a_run_whose_document_is_lost_or_changed_is_not_whole_and_is_made_again(run: Path, name: str) -> None:
    was = (run / name).read_bytes()
    for damage in (b"", was + b" "):
        (run / name).write_bytes(damage)
        assert not is_whole(run)
    (run / name).unlink()
    assert not is_whole(run)

    assert publish_run(run.parents[2], MONDAY, now_utc=NOW_UTC).status == "published"
    assert (run / name).read_bytes() == was
    assert is_whole(run)


def test_a_run_of_before_there_were_documents_is_whole(run: Path) -> None:
    record = json.loads((run / "release.json").read_bytes())
    for name in record.pop("documents"):
        (run / name).unlink()
    (run / "release.json").write_text(json.dumps(record))
    assert is_whole(run)


def test_a_run_needs_no_report(tmp_path: Path) -> None:
    staged = stage_run(tmp_path, MONDAY)
    (staged / "report.html").unlink()
    publish(tmp_path, MONDAY, as_of(MONDAY), staged, CONTRACTS, facts={}, keep_runs=1, now_utc=NOW_UTC)
    run = tmp_path / "v1/runs" / MONDAY
    assert is_whole(run)
    assert not (run / "report.html").exists()


def test_what_else_lies_in_a_staged_directory_is_refused(tmp_path: Path) -> None:
    staged = stage_run(tmp_path, MONDAY)
    (staged / "notes.html").write_text("mine")
    with pytest.raises(PublishError, match=r"notes\.html is no table"):
        publish(tmp_path, MONDAY, as_of(MONDAY), staged, CONTRACTS, facts={}, keep_runs=1, now_utc=NOW_UTC)


def test_the_readme_names_every_table_with_its_contract(example: Release) -> None:
    text = (example.latest / "README.md").read_text(encoding="utf-8")
    for name, contract in PUBLISHED.items():
        assert f"| `{name}` | {contract.version} | {contract.summary} |" in text
    assert text.count("```sql") == 13  # the twelve questions, and one of the history
    for question in questions():
        assert f"**{question.text}**" in text
        assert question.sql in text


def test_the_statement_on_the_history_runs_where_it_says(example: Release) -> None:
    text = (example.latest / "README.md").read_text(encoding="utf-8")
    statements = text.partition("```sql")[2].partition("```")[0].split(";")
    assert example.ask(statements[0])["baseline_kgco2e"].notna().all()
    assert (
        example.ask(statements[1].partition("counts")[2])["jobs"].sum() == 0
    )  # no job of the example has ended


class TestViews:
    @pytest.fixture
    def connection(self, example: Release) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        connection.execute(f"SET file_search_path = '{example.latest}'")
        connection.execute((example.latest / "views.sql").read_text(encoding="utf-8"))
        return connection

    def test_there_is_one_for_each_table(
        self, connection: duckdb.DuckDBPyConnection, example: Release
    ) -> None:
        for name in PUBLISHED:
            (count,) = connection.sql(f"SELECT count(*) FROM {name}").fetchall()
            assert count == (example.table(name).num_rows,)

    def test_joined_views_hold_every_row_once(
        self, connection: duckdb.DuckDBPyConnection, example: Release
    ) -> None:
        totals = example.frame("fact_total")
        for name, rows in (
            ("job_advice", example.table("dim_job").num_rows),
            ("hourly_load", example.table("fact_region_load_hourly").num_rows),
            ("saving_by_team", int((totals["scope"] == "team").sum())),
        ):
            (count,) = connection.sql(f"SELECT count(*) FROM {name}").fetchall()
            assert count == (rows,)

    def test_no_column_of_a_joined_view_is_there_twice(self, connection: duckdb.DuckDBPyConnection) -> None:
        columns = [row[0] for row in connection.sql("DESCRIBE job_advice").fetchall()]
        assert len(columns) == len(set(columns))
        assert not [name for name in columns if name.endswith("_1")]

    def test_they_are_those_of_duckdb_sql_too(self, example: Release) -> None:
        text = (example.root / "v1/duckdb.sql").read_text(encoding="utf-8")
        assert "VIEW job_advice" in text
