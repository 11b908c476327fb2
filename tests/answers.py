"""The answers to the questions of a release on the example queue, by two engines, and as a page.

``python -m tests.answers`` writes the page anew.
"""

import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

import duckdb
import polars as pl

from opencarbon.publishing.questions import questions
from tests.example import AS_OF, EXAMPLE, Release, publish_example

PAGE = EXAMPLE / "questions.md"
ROWS = 8
"""Rows shown of an answer."""
_TOO_LONG = 48
"""Characters of a cell."""


def by_duckdb(release: Release, sql: str) -> pl.DataFrame:
    """The answer of DuckDB over the views of a release."""
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{release.latest.resolve()}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute((release.latest / "views.sql").read_text(encoding="utf-8"))
        answer: pl.DataFrame = connection.sql(sql).pl()
        return answer


def by_polars(release: Release, sql: str) -> pl.DataFrame:
    """The answer of Polars over the folders of a release."""
    folders = [path for path in release.latest.iterdir() if path.is_dir()]
    tables = {path.name: pl.scan_parquet(path / "*.parquet") for path in folders}
    return pl.SQLContext(tables).execute(sql, eager=True)


def answers_page(release: Release) -> str:
    """All questions with their answers, as Markdown."""
    return "\n".join(_lines(release))


def _lines(release: Release) -> Iterator[str]:
    yield "# Twelve questions, and their answers on the example queue"
    yield ""
    yield f"The release of `make demo`, as of {AS_OF}. Its `README.md` holds the same questions, to be asked of any release:"
    yield "`cd` into a run, `duckdb -init views.sql`, paste. Windows and hourly intensities of the example are made up."
    for who, asked in groupby(questions(), key=lambda one: one.asked_by):
        yield f"\n## {who[0].upper()}{who[1:]}"
        for question in asked:
            answer = by_duckdb(release, question.sql)
            yield f"\n### {question.name}\n\n{question.text}\n\n```sql\n{question.sql}\n```\n"
            yield from _table(answer)
            if answer.height > ROWS:
                yield f"\n{ROWS} of {answer.height} rows."
    yield ""


def _table(answer: pl.DataFrame) -> Iterator[str]:
    rows = answer.head(ROWS).rows()
    if len(rows) == 1:  # one row of many columns is read downwards
        yield from ("| column | value |", "|---|---|")
        yield from (
            f"| `{name}` | {_cell(value)} |" for name, value in zip(answer.columns, rows[0], strict=True)
        )
        return
    yield f"| {' | '.join(answer.columns)} |"
    yield f"|{'---|' * answer.width}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    text = str(value).replace("|", "\\|")
    return text if len(text) <= _TOO_LONG else f"{text[: _TOO_LONG - 1]}…"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(answers_page(publish_example(Path(folder) / "release")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
