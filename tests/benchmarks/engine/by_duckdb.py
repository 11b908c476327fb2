"""The question answered in DuckDB's SQL: equal keys only, for a join on ranges takes minutes for a thousand jobs.

Zones side by side in columns, as with Polars, take longer here.
"""

from typing import Final

import duckdb
import numpy as np

from tests.benchmarks.engine.questions import Best, Floats, Jobs, arrow_table

RUNS: Final = """
CREATE TABLE runs AS
SELECT begin.zone, begin.hour AS boundary, (finish.hour - begin.hour)::UTINYINT AS whole,
       finish.integral - begin.integral AS between_h, finish.value AS after_h, coalesce(previous.value, 0) AS before_h
FROM hours AS begin
JOIN hours AS finish ON begin.zone = finish.zone AND finish.hour >= begin.hour
LEFT JOIN hours AS previous ON previous.zone = begin.zone AND previous.hour + 1 = begin.hour
"""
"""Whole hours from each boundary, and the intensity of the hours before and after."""

BEST: Final = """
WITH boundaries AS (
  SELECT *, unnest(range(ceil(earliest_h)::BIGINT, floor(finish_h - whole)::BIGINT + 1))::UTINYINT AS boundary FROM jobs
), allowed AS (
  SELECT job, whole, boundary, part,
         CASE WHEN boundary + duration_h <= finish_h THEN part END AS start_part,
         CASE WHEN boundary - part >= earliest_h THEN part END AS finish_part
  FROM boundaries
), on_boundaries AS (
  SELECT job, boundary, part, between_h + start_part * after_h AS by_start, between_h + finish_part * before_h AS by_finish
  FROM allowed JOIN runs USING (whole, boundary)
), ends AS (
  SELECT job, start_h, start_h + duration_h AS end_h, floor(start_h)::UTINYINT AS head,
         floor(start_h + duration_h)::UTINYINT AS tail
  FROM (SELECT job, duration_h, unnest([earliest_h, finish_h - duration_h]) AS start_h FROM jobs)
), tried AS (
  SELECT job, least(by_start, by_finish) AS total,
         CASE WHEN by_finish IS NULL OR by_start <= by_finish THEN boundary ELSE boundary - part END AS start_h
  FROM on_boundaries
  UNION ALL
  SELECT job, last.integral + (end_h - tail) * last.value - first.integral - (start_h - head) * first.value, start_h
  FROM ends JOIN hours AS first ON first.hour = head JOIN hours AS last ON last.zone = first.zone AND last.hour = tail
)
SELECT min(total) AS total, arg_min(start_h, total) AS start_h FROM tried GROUP BY job ORDER BY job
"""


def best(curves: Floats, jobs: Jobs) -> Best:
    """Lowest means and their starts, on one thread."""
    zones, hours = curves.shape
    integral, value = np.zeros((2, zones, hours + 1))
    integral[:, 1:], value[:, :-1] = np.cumsum(curves, axis=1), curves
    zone, hour = np.indices(value.shape, dtype=np.uint8)
    given = {
        "given_hours": {
            "zone": zone.ravel(),
            "hour": hour.ravel(),
            "integral": integral.ravel(),
            "value": value.ravel(),
        },
        "given_jobs": {"job": np.arange(len(jobs.duration_h)), **jobs._asdict()},
    }
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for name, columns in given.items():
            connection.register(name, arrow_table(columns))
        connection.execute("CREATE TABLE hours AS SELECT * FROM given_hours")
        connection.execute(
            "CREATE TABLE jobs AS SELECT *, floor(duration_h)::UTINYINT AS whole, duration_h - floor(duration_h) AS part "
            "FROM given_jobs"
        )
        connection.execute(RUNS)
        found = connection.sql(BEST).to_arrow_table()
    return Best(found["total"].to_numpy() / jobs.duration_h, found["start_h"].to_numpy())
