"""The README inside a release: what each table answers, how to read it, and what one would ask it.

What a table or a column is stands in the contracts alone; here are the words around them.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from string import Template
from typing import Final

from opencarbon.publishing.dictionary import MEANING
from opencarbon.publishing.history import HISTORY_TABLES
from opencarbon.publishing.questions import questions
from opencarbon.tables.contracts import Contract

_HEAD: Final = Template("""\
# Emissions of planned training jobs, and where and when to run them instead

One run of opencarbon, as Parquet files that any tool reads. `report.html`, where it is there, shows it in a browser.
`datapackage.json` is the dictionary (Frictionless Data Package v2), `meta_columns` the same as a table, `release.json` the
record: rows, bytes and SHA-256 of every file, and how long the run took.

## What a figure may be called

$meaning

Columns end in their unit. `_low` and `_high` are the ends of an interval of 80 %, unless the settings asked for another.
Null is not known, and never 0.

## Tables

| table | contract | what it answers |
|---|---|---|
""")

_READING: Final = Template("""\

A table is a folder of `part-N.parquet` files; read the folder, as the last night may have written more of them than the one
before. Every key that refers to another table resolves; joins are by columns of the same name.

**Sums.** `meta_columns.aggregation` says of every measure how it adds up: `sum`, `max`, `energy_weighted_mean` (by
`facility_energy_kwh`), or `none`. The ends of intervals never add up, for jobs on one device or in one zone share their errors: take sums of the run,
of teams, projects, devices and regions with their intervals from `fact_total`.

## Reading

- **DuckDB, Superset, Metabase**: `cd` here, then `duckdb -init views.sql`. From elsewhere: `SET file_search_path = '<this
  folder>'` first, which in Superset and Metabase is an initial statement of the connection.
- **pandas**: `pd.read_parquet("rec_job")`. **Polars**: `pl.scan_parquet("rec_job/*.parquet")`. **pyarrow**:
  `pyarrow.dataset.dataset("rec_job")`.
- **Power BI**: *Get data, Folder* on a table's folder (or *Parquet* on its one file), then combine; relate `dim_*` to
  `fact_*` and `rec_*` by key. **Tableau**: DuckDB's connector and `views.sql`; or an extract made by Hyper,
  `CREATE TABLE rec_job AS (SELECT * FROM external('rec_job/part-0.parquet'))`.
- **Athena**: `athena.sql`, two folders up, holds the statements. **Excel**: a query on the folder, as Power BI.

## Other runs

Runs lie beside each other in `runs/`; one that is whole never changes, and `latest` is the newest. The newest
`publish.keep_runs` are kept, and any that is younger than a day. What stays for good are the small tables $history:
`../../history/<table>/<YYYY-MM>.parquet`, all runs of a month in one file, told apart by `run_id`.

```sql
-- duckdb, in a folder of runs/: how the queue developed
SELECT run_id, baseline_kgco2e, advised_kgco2e FROM read_parquet('../../history/fact_total/*.parquet', union_by_name = true)
WHERE scope = 'run' ORDER BY run_id;

-- what came of past advice: what was saved of what was claimed, what was missed: of a job the newest row counts
SELECT
    outcome_status,
    count(*) AS jobs,
    sum(claimed_saving_kgco2e) / 1000 AS claimed_tco2e,
    sum(coalesce(saving_kgco2e, saving_if_followed_kgco2e)) / 1000 AS saved_tco2e,
    sum(regret_kgco2e) / 1000 AS regret_tco2e
FROM (
    SELECT *
    FROM '../../history/fact_advice_outcome/*.parquet'
    QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY run_id DESC) = 1
)
GROUP BY outcome_status
ORDER BY outcome_status;
```

A contract's minor version grows when a column is added, its major one when anything else changes; then everything moves
from `v1` to `v2`. Runs of different minor versions are read together by the names of their columns, which are null where a
run did not have them yet: `union_by_name = true` in DuckDB, `pl.scan_parquet(..., missing_columns="insert")` in Polars with
the newest file first, `pyarrow.dataset.dataset(files, schema=<that of the newest file>)`.

## Twelve questions

They run in DuckDB after `views.sql`, and in Polars with `pl.SQLContext` over the tables.
""")


def release_readme(contracts: Mapping[str, Contract]) -> str:
    """Write the README of a release.

    Parameters
    ----------
    contracts : mapping of str to Contract
        Its tables by name.

    Returns
    -------
    str
        Markdown, the same for all releases of these contracts.
    """
    kept = ", ".join(f"`{name}`" for name in HISTORY_TABLES)
    rows = (f"| `{name}` | {one.version} | {one.summary} |" for name, one in contracts.items())
    text = _HEAD.substitute(meaning=MEANING) + "\n".join(rows) + "\n" + _READING.substitute(history=kept)
    return text + "\n".join(_asked())


def _asked() -> Iterator[str]:
    for who, asked in groupby(questions(), key=lambda one: one.asked_by):
        yield f"\n### {who[0].upper()}{who[1:]}"
        for question in asked:
            yield from (f"\n**{question.text}**", "\n```sql", question.sql, "```")
    yield ""
