"""The newest run as views of DuckDB and tables of Amazon Athena, over files that never change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opencarbon.publishing.history import HISTORY_TABLES
from opencarbon.publishing.layout import DICTIONARY, Layout
from opencarbon.publishing.views import files_of, joined_views, quoted, view

DUCKDB: Final = "duckdb.sql"
ATHENA: Final = "athena.sql"

_ATHENA_TYPES: Final = {
    "string": "string",
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
}
"""Types of the dictionary -> of Athena, https://docs.aws.amazon.com/athena/latest/ug/data-types.html."""
_LONGEST_COMMENT: Final = 255
"""Characters of a comment on a column: https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html."""
_NO_BUCKET: Final = "s3://BUCKET/PREFIX"

_Resource = Mapping[str, Any]


def queries_of(layout: Layout, run_id: str) -> dict[str, str]:
    """Statements that show a run as views and tables, and the history beside it.

    Parameters
    ----------
    layout : Layout
    run_id : str
        A stored run.

    Returns
    -------
    dict of str to str
        Texts by file name.
    """
    package = json.loads((layout.runs / run_id / DICTIONARY).read_bytes())
    resources: Sequence[_Resource] = package["resources"]
    kept = set(layout.history.names()) & set(HISTORY_TABLES)
    history = [resource for resource in resources if resource["name"] in kept]
    return {
        DUCKDB: "\n".join(_duckdb(layout, run_id, resources, history)),
        ATHENA: "\n".join(_athena(layout, run_id, resources, history)),
    }


def _duckdb(
    layout: Layout, run_id: str, resources: Sequence[_Resource], history: Sequence[_Resource]
) -> Iterator[str]:
    yield f"-- Run {run_id} as views: duckdb -init {DUCKDB}. Read it again after each night."
    if layout.root.scheme:
        base = f"{layout.base}/"
        yield "-- Keys first: CREATE SECRET (TYPE s3, PROVIDER credential_chain); gcs and azure are types too."
    else:
        base = ""
        yield "-- Paths begin in the folder of this file. From elsewhere: SET file_search_path = '<that folder>';"
    for resource in resources:
        yield view(resource["name"], files_of(resource, f"{base}runs/{run_id}/"))
    yield from joined_views({resource["name"] for resource in resources})
    for resource in history:
        files = quoted(f"{base}history/{resource['name']}/*.parquet")
        yield view(f"history_{resource['name']}", f"{files}, union_by_name = true")
    yield ""


def _athena(
    layout: Layout, run_id: str, resources: Sequence[_Resource], history: Sequence[_Resource]
) -> Iterator[str]:
    yield f"-- Run {run_id} as tables: Athena takes one statement at a time. Run them again after each night."
    if layout.root.scheme != "s3":
        yield f"-- Athena reads Amazon S3 only: copy the release there and put its place for {_NO_BUCKET}."
    for resource in resources:
        yield from _external_table(resource["name"], resource, _folder(layout, f"runs/{run_id}", resource))
    for resource in history:
        yield from _external_table(
            f"history_{resource['name']}", resource, _folder(layout, "history", resource)
        )


def _external_table(name: str, resource: _Resource, folder: str) -> Iterator[str]:
    yield f"DROP TABLE IF EXISTS {name};"
    yield f"CREATE EXTERNAL TABLE {name} ("
    columns = [
        f"  `{field['name']}` {_ATHENA_TYPES[field['type']]} COMMENT {_comment(field['description'])}"
        for field in resource["schema"]["fields"]
    ]
    yield ",\n".join(columns)
    yield ")"
    yield "STORED AS PARQUET"
    yield f"LOCATION {quoted(folder)};"
    yield ""


def _comment(description: str) -> str:
    """A description as a literal: Athena ends statements at a semicolon wherever it stands."""
    text = description.replace("'", "\u2019").replace(";", ",")
    return quoted(text if len(text) <= _LONGEST_COMMENT else f"{text[: _LONGEST_COMMENT - 3]}...")


def _folder(layout: Layout, part: str, resource: _Resource) -> str:
    base = str(layout.base) if layout.root.scheme == "s3" else f"{_NO_BUCKET}/v1"
    return f"{base}/{part}/{resource['name']}/"
