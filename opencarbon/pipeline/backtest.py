"""Advice of the past, planned again as a night plans and held against the hours measured since."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog import Catalog
from opencarbon.errors import ConfigError
from opencarbon.estimation.backtest import (
    DEVICE,
    scores,
    standard_jobs,
)
from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves, measured_curves
from opencarbon.pipeline.context import Context, build_context, settings_catalog
from opencarbon.pipeline.files import write_single, write_text
from opencarbon.pipeline.fits import collect_runs, fit_for_profile
from opencarbon.pipeline.jobs import refuse_unknown_region
from opencarbon.pipeline.night import Progress, silent
from opencarbon.pipeline.past_grid import PastGrid, StoredGrid, grid_filled_later, grid_of_files
from opencarbon.pipeline.replay import replay
from opencarbon.publishing.figures.backtest import claims_and_outcomes
from opencarbon.settings import Settings
from opencarbon.tables.backtest import BACKTEST_OUTCOME, BACKTEST_SCORE, BACKTEST_TABLES
from opencarbon.tables.conform import conform
from opencarbon.units import HOUR

_LOG: Final = logging.getLogger("opencarbon.pipeline")
_MOST_NAMED: Final = 12


@dataclass(frozen=True, slots=True)
class Question:
    """What a back-test is asked.

    Parameters
    ----------
    start_utc, end_utc : datetime
        Full hours; the first moment, and where they end.
    every_hours : int
        From one moment to the next [h].
    job_hours : tuple of float
        Durations of the jobs [h].
    slack_hours : float
        Longest that jobs may be put off [h].
    regions : tuple of str
        Homes of the jobs, and where they may move; the first region of every zone with measured hours if empty.
    intensities : tuple of str
        Files of carbon intensities instead of the store.
    published_after : timedelta, optional
        From the end of an hour to its measurement being known. If not given, an hour for files, and hours of the store
        are known from their fetch on.
    """

    start_utc: datetime
    end_utc: datetime
    every_hours: int
    job_hours: tuple[float, ...]
    slack_hours: float
    regions: tuple[str, ...] = ()
    intensities: tuple[str, ...] = ()
    published_after: timedelta | None = None

    def moments(self) -> list[datetime]:
        """Moments to plan at.

        Returns
        -------
        list of datetime
        """
        count = -((self.start_utc - self.end_utc) // (self.every_hours * HOUR))
        return [self.start_utc + step * self.every_hours * HOUR for step in range(count)]

    def measured_until(self) -> datetime:
        """Where the last hour ends that a job may run in.

        Returns
        -------
        datetime
        """
        longest = int(np.ceil(max(self.job_hours) + self.slack_hours))
        return self.moments()[-1] + longest * HOUR


class Coverage(NamedTuple):
    """Hours of a zone that are missing of those that jobs may run in."""

    zone: str
    missing_hours: int
    hours: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of a back-test.

    Parameters
    ----------
    question : Question
    regions : tuple of str
        Homes of the jobs.
    coverage : tuple of Coverage
        Zones that lack hours.
    blind_moments : int
        Moments at which nothing was known of any of the zones.
    outcomes, scores : pa.Table
        ``backtest_outcome`` and ``backtest_score``.
    """

    question: Question
    regions: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    blind_moments: int
    outcomes: pa.Table = field(repr=False)
    scores: pa.Table = field(repr=False)


def backtest(
    settings: Settings, question: Question, *, now_utc: datetime, progress: Progress = silent
) -> Backtest:
    """Plan jobs at moments of the past with what was known then, and compare claims with what was measured.

    Parameters
    ----------
    settings : Settings
    question : Question
    now_utc : datetime
        What the store knows at this moment came true.
    progress : callable, optional

    Returns
    -------
    Backtest

    Raises
    ------
    ConfigError
        Where a region is none, or the range has no measured hours of its zone; names the zones.
    SourceError
        Where the store or a file cannot be read.
    """
    catalog = settings_catalog(settings)
    grid = _grid(settings, question, now_utc)
    options = settings.electricity_maps
    end_utc = question.measured_until()
    measured = measured_curves(
        grid.came_true(question.start_utc, end_utc),
        question.start_utc,
        end_utc,
        emission_factor_type=options.emission_factor_type,
        accounting_basis=options.accounting_basis,
    )
    regions, zones = _regions(question, catalog, measured)
    blind = 0
    fits = _fits(catalog, settings)

    def context_at(moment: datetime) -> Context:
        nonlocal blind
        known = grid.known_at(moment, tuple(sorted(zones)))
        blind += not pc.any(pc.is_in(known.grid["zone"], value_set=pa.array(sorted(zones)))).as_py()
        return build_context(settings, moment, catalog, known.grid, fits, known.forecast_error)

    jobs = standard_jobs(regions, regions, question.job_hours)
    found = replay(
        question.moments(),
        lambda _: jobs,
        context_at,
        measured,
        slack_hours=question.slack_hours,
        progress=progress,
    )
    _LOG.info("back-tested: moments=%d jobs=%d", len(question.moments()), len(jobs))
    return Backtest(
        question,
        tuple(regions),
        tuple(_coverage(measured, zones)),
        blind,
        conform(found, BACKTEST_OUTCOME),
        conform(scores(found), BACKTEST_SCORE),
    )


def write_backtest(made: Backtest, folder: Path) -> dict[str, int]:
    """Write the tables of a back-test and its figure.

    Parameters
    ----------
    made : Backtest
    folder : Path

    Returns
    -------
    dict of str to int
        Rows by table.

    Raises
    ------
    PublishError
        Where a file cannot be written.
    ConfigError
        Where what the figure needs is not installed.
    """
    figure = claims_and_outcomes(scores(made.outcomes, ("intensity_kind", "job_hours")))
    tables = {"backtest_score": made.scores, "backtest_outcome": made.outcomes}
    rows = {
        name: write_single(folder / f"{name}.parquet", BACKTEST_TABLES[name], [table])
        for name, table in tables.items()
    }
    write_text(folder / "backtest.svg", figure)
    return rows


def _grid(settings: Settings, question: Question, now_utc: datetime) -> PastGrid:
    after = question.published_after
    if question.intensities:
        return grid_of_files(question.intensities, settings, HOUR if after is None else after)
    if after is None:
        return StoredGrid(settings, now_utc)
    span = (question.start_utc, question.measured_until())
    return grid_filled_later(settings, *span, now_utc=now_utc, published_after=after)


def _fits(catalog: Catalog, settings: Settings) -> pa.Table:
    options = settings.estimate
    runs, _ = collect_runs(catalog, None)
    fits = fit_for_profile(runs, catalog, options.profile, level=options.interval_level)
    return fits.filter(pc.equal(fits["device"], pa.scalar(DEVICE)))


def _regions(
    question: Question, catalog: Catalog, measured: MeasuredCurves
) -> tuple[list[str], dict[str, str]]:
    """Homes of the jobs, and a region of each of their zones."""
    zone_of = {
        row["region"]: row["zone"]
        for row in catalog.regions.select(["region", "zone"]).sort_by("region").to_pylist()
        if row["zone"] is not None
    }
    for name in question.regions:
        refuse_unknown_region("--regions", name, catalog)
        if name not in zone_of:
            raise ConfigError(
                f"--regions {name!r} has no zone of the grid, and no hours to test with: leave it out"
            )
    known = {
        zone for zone, row in zip(measured.zones, measured.values, strict=True) if np.isfinite(row).any()
    }
    wanted = {zone_of[name]: name for name in question.regions}
    lacking = sorted(wanted.keys() - known)
    if lacking or not known & set(zone_of.values()):
        raise ConfigError(_nothing_measured(question, lacking or sorted(set(zone_of.values()))))
    if question.regions:
        return list(dict.fromkeys(question.regions)), wanted
    first = {zone: name for name, zone in reversed(zone_of.items()) if zone in known}
    return sorted(first.values()), first


def _nothing_measured(question: Question, zones: Sequence[str]) -> str:
    named = ", ".join(zones[:_MOST_NAMED])
    more = f" and {len(zones) - _MOST_NAMED} more" if len(zones) > _MOST_NAMED else ""
    place = "the files hold" if question.intensities else "the store holds"
    remedy = (
        "give files that do, with --intensities"
        if question.intensities
        else "fetch them with `opencarbon pull grid`, or give files with --intensities"
    )
    return (
        f"{place} no measured hour between {question.start_utc:%Y-%m-%d %H:%M} and "
        f"{question.measured_until():%Y-%m-%d %H:%M} UTC of the zones {named}{more}: {remedy}"
    )


def _coverage(measured: MeasuredCurves, zones: dict[str, str]) -> list[Coverage]:
    missing = np.isnan(measured.values).sum(axis=1)
    return [
        Coverage(zone, int(lost), measured.values.shape[1])
        for zone, lost in zip(measured.zones, missing, strict=True)
        if zone in zones and lost
    ]
