"""The question answered with Polars: a join of boundaries with a table of whole runs, zones side by side in columns.

Zones as rows, one for each job, boundary and zone, take two to four times as long.
"""

from typing import Final

import numpy as np
import polars as pl

from tests.benchmarks.engine.questions import Best, Floats, Jobs

JOBS_AT_ONCE: Final = 2000
"""The fastest of 500, 2000 and 8000."""


def best(curves: Floats, jobs: Jobs) -> Best:
    """Lowest means and their starts."""
    hours, runs = _hours(curves), _runs(curves)
    found = []
    for begin in range(0, len(jobs.duration_h), JOBS_AT_ONCE):
        some = jobs.part(slice(begin, begin + JOBS_AT_ONCE))
        frame = pl.DataFrame(some._asdict()).with_row_index("job").with_columns(whole=_floor("duration_h"))
        frame = frame.with_columns(part=pl.col("duration_h") - pl.col("whole"))
        tried = pl.concat([_on_boundaries(frame, runs, len(curves)), _at_ends(frame, hours, len(curves))])
        found.append(
            tried.group_by("job")
            .agg(pl.col("total").min(), pl.col("start_h").get(pl.col("total").arg_min()))
            .sort("job")
        )
    answer = pl.concat(found)
    return Best(answer["total"].to_numpy() / jobs.duration_h, answer["start_h"].to_numpy())


def _floor(hours: str | pl.Expr) -> pl.Expr:
    return (pl.col(hours) if isinstance(hours, str) else hours).floor().cast(pl.Int16)


def _integrals(curves: Floats) -> tuple[Floats, Floats]:
    integral, value = np.zeros((2, curves.shape[0], curves.shape[1] + 1))
    integral[:, 1:], value[:, :-1] = np.cumsum(curves, axis=1), curves
    return integral, value


def _columns(**tables: Floats) -> dict[str, Floats]:
    return {f"{name}_{zone}": row for name, table in tables.items() for zone, row in enumerate(table)}


def _hours(curves: Floats) -> pl.DataFrame:
    """Integral up to each hour boundary, and intensity from there on."""
    integral, value = _integrals(curves)
    hour = np.arange(value.shape[1], dtype=np.int16)
    return pl.DataFrame({"hour": hour} | _columns(integral=integral, value=value))


def _runs(curves: Floats) -> pl.DataFrame:
    """Integral over whole hours from each boundary, and intensities of the hours before and after."""
    integral, value = _integrals(curves)
    first, last = (index.astype(np.int16) for index in np.triu_indices(value.shape[1]))
    return pl.DataFrame(
        {"boundary": first, "whole": last - first}
        | _columns(
            between=integral[:, last] - integral[:, first],
            after=value[:, last],
            before=np.where(first > 0, value[:, first - 1], 0.0),
        )
    )


def _on_boundaries(frame: pl.DataFrame, runs: pl.DataFrame, zones: int) -> pl.DataFrame:
    first = pl.col("earliest_h").ceil().cast(pl.Int16)
    after_last = _floor(pl.col("finish_h") - pl.col("whole")) + 1
    boundary, part = pl.col("boundary"), pl.col("part")
    may_start = boundary + pl.col("duration_h") <= pl.col("finish_h")
    may_finish = boundary - part >= pl.col("earliest_h")
    tried = (
        frame.with_columns(boundary=pl.int_ranges(first, after_last, dtype=pl.Int16))
        .explode("boundary", empty_as_null=False)
        .with_columns(start_part=pl.when(may_start).then(part), finish_part=pl.when(may_finish).then(part))
        .join(runs, on=["boundary", "whole"])
    )
    by_start = (pl.col(f"between_{z}") + pl.col("start_part") * pl.col(f"after_{z}") for z in range(zones))
    by_finish = (pl.col(f"between_{z}") + pl.col("finish_part") * pl.col(f"before_{z}") for z in range(zones))
    on_start = pl.col("by_finish").is_null() | (pl.col("by_start") <= pl.col("by_finish"))
    return tried.select(
        *("job", "boundary", "part"),
        by_start=pl.min_horizontal(*by_start),
        by_finish=pl.min_horizontal(*by_finish),
    ).select(
        "job",
        total=pl.min_horizontal("by_start", "by_finish"),
        start_h=boundary - pl.when(on_start).then(0.0).otherwise(part),
    )


def _at_ends(frame: pl.DataFrame, hours: pl.DataFrame, zones: int) -> pl.DataFrame:
    latest = pl.col("finish_h") - pl.col("duration_h")
    starts = [frame.select("job", "duration_h", start_h=start) for start in (pl.col("earliest_h"), latest)]
    tried = (
        pl.concat(starts)
        .with_columns(end_h=pl.col("start_h") + pl.col("duration_h"))
        .with_columns(head=_floor("start_h"), tail=_floor("end_h"))
        .join(hours, left_on="head", right_on="hour")
        .join(hours, left_on="tail", right_on="hour", suffix="_at_end")
    )
    head_h, tail_h = pl.col("start_h") - pl.col("head"), pl.col("end_h") - pl.col("tail")
    totals = (
        pl.col(f"integral_{zone}_at_end")
        + tail_h * pl.col(f"value_{zone}_at_end")
        - pl.col(f"integral_{zone}")
        - head_h * pl.col(f"value_{zone}")
        for zone in range(zones)
    )
    return tried.select("job", total=pl.min_horizontal(*totals), start_h="start_h")
