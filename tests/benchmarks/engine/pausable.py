"""Jobs that may pause, in all three: the n cheapest of the hours from a to b, tabulated for every zone, a, b and n.

Whole hours run anywhere in the window; the part of an hour that is left runs either before all of them, at the end of its
hour, or after all of them, at its beginning. So the lowest integral is at one hour h of the part: with the cheapest
hours from h + 1 to the end of the window, or with those from its beginning to h. Runs without a pause are not in here.
"""

from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from tests.benchmarks.engine.questions import Floats, Jobs, arrow_table

Integers = npt.NDArray[np.intp]

ELEMENTS: Final = 32_768
"""Jobs x hours of a chunk."""

JOBS_AT_ONCE: Final = 2000
"""Jobs of a frame."""

CHEAPEST: Final = """
CREATE TABLE cheapest AS
WITH spans AS (
  SELECT a.hour AS a, b.hour AS b, unnest(range(a.hour, b.hour))::UTINYINT AS hour
  FROM ends AS a JOIN ends AS b ON a.hour < b.hour
)
SELECT zone, a, b, row_number() OVER cheap::UTINYINT AS whole, sum(value) OVER cheap AS total
FROM spans JOIN hours USING (hour)
WINDOW cheap AS (PARTITION BY zone, a, b ORDER BY value ROWS UNBOUNDED PRECEDING)
"""

LOWEST: Final = """
WITH parts AS (
  SELECT *, ceil(earliest_h)::TINYINT AS first, floor(finish_h)::TINYINT AS last,
         unnest(range(ceil(earliest_h)::BIGINT - 1, floor(finish_h)::BIGINT + 1))::TINYINT AS hour
  FROM jobs WHERE whole > 0
), tried AS (
  SELECT job, whole, part, hour, hour + 1 AS a, last AS b FROM parts
  WHERE hour + 1 - part >= earliest_h AND last - hour - 1 >= whole
  UNION ALL
  SELECT job, whole, part, hour, first, hour FROM parts WHERE hour + part <= finish_h AND hour - first >= whole
)
SELECT job, min(total + part * coalesce(value, 0)) AS total
FROM tried JOIN cheapest USING (a, b, whole) LEFT JOIN hours USING (zone, hour)
GROUP BY job ORDER BY job
"""


def by_numpy(curves: Floats, jobs: Jobs) -> Floats:
    """Lowest mean over all zones with pauses [gCO2e/kWh]; infinite where no whole hours fit."""
    zones, hours = curves.shape
    cheapest = _cheapest(curves)
    value = np.hstack([curves, np.zeros((zones, 1))])
    order = np.argsort(jobs.finish_h - jobs.earliest_h)
    lowest = np.full(len(order), np.inf)
    for at in np.array_split(order, max(1, len(order) * hours // ELEMENTS)):
        part, hour, before, after = _places(jobs.part(at), hours)
        for total, of_hour in zip(cheapest, value, strict=True):
            found = total.take(before)
            np.minimum(found, total.take(after), out=found)
            found += part * of_hour.take(hour)
            lowest[at] = np.minimum(lowest[at], found.min(axis=1))
    return lowest / jobs.duration_h


def _cheapest(curves: Floats) -> Floats:
    """Sum of the n cheapest hours from a to b, shape (zones, places): infinite where there are not so many."""
    zones, hours = curves.shape
    sums = np.full((zones, hours + 1, hours + 1, hours + 1), np.inf)
    for a in range(hours):
        for b in range(a + 1, hours + 1):
            np.cumsum(np.sort(curves[:, a:b], axis=1), axis=1, out=sums[:, a, b, 1 : b - a + 1])
    return sums.reshape(zones, -1)


def _places(jobs: Jobs, hours: int) -> tuple[Floats, Integers, Integers, Integers]:
    """Part and its hours, and where the cheapest after and before them stand; place 0 is never possible."""
    duration, earliest, finish = (column[:, None] for column in jobs)
    whole, side = duration.astype(np.intp), hours + 1
    part, first = duration - whole, np.ceil(earliest).astype(np.intp)
    last = np.floor(finish).astype(np.intp)
    hour = first - 1 + np.arange(int((last - first).max()) + 2)
    is_before = (hour + 1 - part >= earliest) & (hour < last)
    is_after = (hour >= first) & (hour <= last) & (hour + part <= finish)
    before = np.where(is_before, ((hour + 1) * side + last) * side + whole, 0)
    after = np.where(is_after, (first * side + hour) * side + whole, 0)
    return part, np.where((hour < 0) | (hour > hours), hours, hour), before, after


def by_duckdb(curves: Floats, jobs: Jobs) -> Floats:
    """The same in SQL, on one thread."""
    zone, hour = np.indices(curves.shape, dtype=np.int8)
    given: dict[str, dict[str, npt.NDArray[Any]]] = {
        "ends": {"hour": np.arange(curves.shape[1] + 1, dtype=np.int8)},
        "given_hours": {"zone": zone.ravel(), "hour": hour.ravel(), "value": curves.ravel()},
        "given_jobs": {"job": np.arange(len(jobs.duration_h)), **jobs._asdict()},
    }
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for name, columns in given.items():
            connection.register(name, arrow_table(columns))
        connection.execute("CREATE TABLE hours AS SELECT * FROM given_hours")
        connection.execute(CHEAPEST)
        connection.execute(
            "CREATE TABLE jobs AS SELECT *, floor(duration_h)::UTINYINT AS whole, duration_h - floor(duration_h) AS part "
            "FROM given_jobs"
        )
        found = connection.sql(LOWEST).to_arrow_table()
    lowest = np.full(len(jobs.duration_h), np.inf)
    lowest[found["job"].to_numpy()] = found["total"].to_numpy()
    return lowest / jobs.duration_h


def by_polars(curves: Floats, jobs: Jobs) -> Floats:
    """The same as joins of frames, zones side by side in columns."""
    zone, hour = np.indices(curves.shape, dtype=np.int8)
    hours = pl.DataFrame({"zone": zone.ravel(), "hour": hour.ravel(), "value": curves.ravel()})
    ends = pl.DataFrame({"b": np.arange(curves.shape[1] + 1, dtype=np.int8)})
    spans = (
        ends.rename({"b": "a"})
        .join(ends, how="cross")
        .filter(pl.col("a") < pl.col("b"))
        .with_columns(hour=pl.int_ranges("a", "b", dtype=pl.Int8))
        .explode("hour", empty_as_null=False)
    )
    cheapest = (
        spans.join(hours, on="hour")
        .sort("zone", "a", "b", "value")
        .with_columns(
            whole=pl.int_range(1, pl.len() + 1, dtype=pl.Int8).over("zone", "a", "b"),
            total=pl.col("value").cum_sum().over("zone", "a", "b"),
        )
        .pivot("zone", index=["a", "b", "whole"], values="total")
        .rename({f"{zone}": f"total_{zone}" for zone in range(len(curves))})
    )
    of_hour = hours.pivot("zone", index="hour", values="value").rename(
        {f"{zone}": f"value_{zone}" for zone in range(len(curves))}
    )
    frame = pl.DataFrame(jobs._asdict()).with_row_index("job")
    totals = [
        pl.col(f"total_{zone}") + pl.col("part") * pl.col(f"value_{zone}").fill_null(0.0)
        for zone in range(len(curves))
    ]
    lowest = np.full(len(frame), np.inf)
    for begin in range(0, len(frame), JOBS_AT_ONCE):
        found = (
            _places_of(frame[begin : begin + JOBS_AT_ONCE])
            .join(cheapest, on=["a", "b", "whole"])
            .join(of_hour, on="hour", how="left")
            .select("job", total=pl.min_horizontal(totals))
            .group_by("job")
            .agg(pl.col("total").min())
        )
        lowest[found["job"].to_numpy()] = found["total"].to_numpy()
    return lowest / jobs.duration_h


def _places_of(frame: pl.DataFrame) -> pl.DataFrame:
    earliest, finish, hour, part = (pl.col(name) for name in ("earliest_h", "finish_h", "hour", "part"))
    parts = (
        frame.with_columns(
            whole=pl.col("duration_h").floor().cast(pl.Int8),
            first=earliest.ceil().cast(pl.Int8),
            last=finish.floor().cast(pl.Int8),
        )
        .filter(pl.col("whole") > 0)
        .with_columns(part=pl.col("duration_h") - pl.col("whole"))
        .with_columns(hour=pl.int_ranges(pl.col("first") - 1, pl.col("last") + 1, dtype=pl.Int8))
        .explode("hour", empty_as_null=False)
    )
    kept = ("job", "whole", "part", "hour")
    before = parts.filter(hour + 1 - part >= earliest, pl.col("last") - hour - 1 >= pl.col("whole"))
    after = parts.filter(hour + part <= finish, hour - pl.col("first") >= pl.col("whole"))
    return pl.concat([before.select(*kept, a=hour + 1, b="last"), after.select(*kept, a="first", b="hour")])
