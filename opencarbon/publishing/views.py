"""The tables of one run as views of DuckDB, and what analysts join most as views over these."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

JOINED: Final = {
    "job_advice": """\
SELECT
    job.*, estimate.* EXCLUDE (job_id, run_id), rec.* EXCLUDE (job_id)
FROM dim_job AS job
JOIN fact_job_estimate AS estimate USING (job_id)
JOIN rec_job AS rec USING (job_id)""",
    "saving_by_team": """\
SELECT
    scope_value AS team, jobs, baseline_kgco2e, advised_kgco2e, saving_kgco2e, saving_low_kgco2e, saving_high_kgco2e,
    saving_status, budget_kgco2e, budget_status
FROM fact_total
WHERE scope = 'team'""",
    "hourly_load": """\
SELECT
    load.*, region.provider, region.location, region.zone, region.latitude, region.longitude,
    load.devices_advised * device.tdp_w / 1e6 AS tdp_mw
FROM fact_region_load_hourly AS load
JOIN dim_region AS region USING (region)
JOIN dim_device AS device USING (device)""",
}
"""View -> its query, over the views of the tables."""

_HEAD: Final = """\
-- This run as views, for DuckDB and what speaks to it (Superset, Metabase, dbt): duckdb -init views.sql
-- Paths begin in the folder of this file. From elsewhere: SET file_search_path = '<that folder>'; in Superset and Metabase
-- that is an initial statement of the connection. duckdb.sql, two folders up, shows the history of all runs as well."""

Resource = Mapping[str, Any]


def views_of_run(resources: Sequence[Resource]) -> str:
    """Statements that show the tables of a run as views, whichever folder it lies in.

    Parameters
    ----------
    resources : sequence of mapping
        Those of its ``datapackage.json``.

    Returns
    -------
    str
    """
    lines = [_HEAD, *(view(str(one["name"]), files_of(one, "")) for one in resources)]
    return "\n".join([*lines, *joined_views({str(one["name"]) for one in resources}), ""])


def joined_views(tables: set[str]) -> Iterator[str]:
    """Views over the views of the tables.

    Parameters
    ----------
    tables : set of str
        Tables that there are; without all of those of a release, there is nothing to join.

    Yields
    ------
    str
        Statements.
    """
    if {"dim_job", "dim_device", "dim_region", "fact_total", "rec_job"} <= tables:
        yield from (f"CREATE OR REPLACE VIEW {name} AS\n{query};" for name, query in JOINED.items())


def files_of(resource: Resource, base: str) -> str:
    """Files of a table as the first argument of ``read_parquet``.

    Parameters
    ----------
    resource : mapping
        Of ``datapackage.json``.
    base : str
        What stands in front of their paths.

    Returns
    -------
    str
    """
    paths = [resource["path"]] if isinstance(resource["path"], str) else resource["path"]
    return f"[{', '.join(quoted(f'{base}{path}') for path in paths)}]"


def view(name: str, files: str) -> str:
    """Statement of a view over Parquet files.

    Parameters
    ----------
    name : str
    files : str
        Arguments of ``read_parquet``.

    Returns
    -------
    str
    """
    return f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet({files});"


def quoted(text: str) -> str:
    """Text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
