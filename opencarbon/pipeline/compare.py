"""One job or published run through every method: what each makes of it, side by side."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog import Catalog, squeeze
from opencarbon.errors import ConfigError, ManifestError
from opencarbon.estimation.baselines import Method
from opencarbon.estimation.baselines.estimates import NO_INTENSITY
from opencarbon.pipeline import prepare, read
from opencarbon.pipeline.context import build_context, settings_catalog
from opencarbon.pipeline.files import write_single, write_text
from opencarbon.pipeline.fits import collect_runs, fit_for_profile
from opencarbon.pipeline.jobs import PLANNED, refuse_unknown_region
from opencarbon.pipeline.methods import method_context, night_method_context, planned_jobs, side_by_side
from opencarbon.pipeline.night import Night, Progress, silent
from opencarbon.pipeline.work import read_parts
from opencarbon.publishing.figures import Actual, methods_compared, to_svg
from opencarbon.settings import Settings
from opencarbon.tables.conform import conform
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY, PLANNED_JOBS
from opencarbon.tables.reproduction import METHOD_ESTIMATE

_CATALOG: Final = "catalog"
_NAMES_SHOWN: Final = 5
_RUNS_SHOWN: Final = 12
_IDS_SEARCHED: Final = 20_000
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Comparison:
    """Jobs, and what every method makes of them.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``, with what they state; ``device_count`` is null where the owner of a run states none.
    estimates : pa.Table
        ``METHOD_ESTIMATE``, the methods of a job together, in the order of ``jobs``.
    actual_kgco2e : mapping of str to float
        Job -> emissions that the owner of the run reports, where it does.
    events : tuple of Event
        What was degraded on the way.
    """

    jobs: pa.Table
    estimates: pa.Table
    actual_kgco2e: Mapping[str, float]
    events: tuple[Event, ...] = ()


def compare_runs(
    names: Sequence[str],
    methods: Sequence[Method],
    settings: Settings,
    *,
    as_of_utc: datetime,
    region: str | None = None,
) -> Comparison:
    """Published runs of the catalog through methods; hours are predicted although they are known.

    Parameters
    ----------
    names : sequence of str
        Names of runs or models.
    methods : sequence of Method
    settings : Settings
    as_of_utc : datetime
        Aware.
    region : str, optional
        Region to put the runs in, instead of the carbon intensity that their owners report.

    Returns
    -------
    Comparison

    Raises
    ------
    ConfigError
        A name or a region that the catalog does not know.
    """
    catalog = settings_catalog(settings)
    found = _named_runs(names, catalog)
    refuse_unknown_region("region", region, catalog)
    runs, _ = collect_runs(catalog, None)
    fits = fit_for_profile(runs, catalog, "calibrated", level=settings.estimate.interval_level)
    no_grid = GRID_INTENSITY.schema().empty_table()
    context = build_context(_for_published_runs(settings), as_of_utc, catalog, no_grid, fits)
    jobs = _as_jobs(found, region)
    pue = np.array([row["pue"] if row["pue"] and region is None else np.nan for row in found])
    estimates = side_by_side(jobs, methods, method_context(context, runs), is_predicting=True, site_pue=pue)
    uncounted = pa.array([row["run"] for row in found if row["devices"] is None], pa.string())
    return Comparison(
        jobs=_without(jobs, "device_count", uncounted),
        estimates=_with_remedy(_without(estimates, "wall_hours", uncounted)),
        actual_kgco2e={row["run"]: row["actual_kgco2e"] for row in found if row["actual_kgco2e"]},
    )


def _for_published_runs(settings: Settings) -> Settings:
    """Settings of the calibrated profile, without the user's default region: the runs were not there."""
    changed = {
        "estimate": settings.estimate.model_copy(update={"profile": "calibrated"}),
        "plan": settings.plan.model_copy(update={"default_region": None}),
    }
    return settings.model_copy(update=changed)


def _without(table: pa.Table, column: str, job_ids: pa.Array[Any]) -> pa.Table:
    """The table with null in a column of some jobs."""
    nothing = pa.scalar(None, table.schema.field(column).type)
    values = pc.if_else(pc.is_in(table["job_id"], value_set=job_ids), nothing, table[column])
    return table.set_column(table.column_names.index(column), table.schema.field(column), values)


def _with_remedy(estimates: pa.Table) -> pa.Table:
    """Reasons with what helps a published run: it has no manifest to name a region in."""
    words = pc.replace_substring(estimates["reason"], NO_INTENSITY, "no carbon intensity: give --region")
    at = estimates.column_names.index("reason")
    return estimates.set_column(at, estimates.schema.field("reason"), words)


def compare_jobs(
    night: Night, job_ids: Sequence[str], methods: Sequence[Method], progress: Progress = silent
) -> Comparison:
    """Planned jobs of manifests through methods.

    Parameters
    ----------
    night : Night
        With the calibrated profile.
    job_ids : sequence of str
    methods : sequence of Method
    progress : callable, optional

    Returns
    -------
    Comparison

    Raises
    ------
    ManifestError
        Where no planned job has one of the ids.
    """
    read_jobs = read(night, progress)
    jobs = pa.concat_tables(planned_jobs(night, job_ids)).select(PLANNED_JOBS.columns)
    lost = [name for name in job_ids if name not in jobs["job_id"].to_pylist()]
    if lost:
        listed = ", ".join(map(repr, lost[:_NAMES_SHOWN]))
        raise ManifestError(
            f"no planned job is called {listed}; {_near_job(night, lost[0])}give the job_id of a row that keeps every rule; "
            "`opencarbon check MANIFEST` lists the others"
        )
    prepared = prepare(night, read_jobs, progress=progress)
    context = night_method_context(night)
    nowhere_known = np.full(jobs.num_rows, np.nan)
    estimates = side_by_side(jobs, methods, context, is_predicting=True, site_pue=nowhere_known)
    return Comparison(jobs, estimates, {}, events=prepared.events)


def _near_job(night: Night, job_id: str) -> str:
    """A hint at the planned job whose id is most like the one asked for."""
    planned = pa.concat_tables(part.select(["job_id"]) for part in read_parts(night.work, PLANNED))
    known = map(str, planned["job_id"].slice(0, _IDS_SEARCHED).to_pylist())
    near = difflib.get_close_matches(job_id, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _named_runs(names: Sequence[str], catalog: Catalog) -> list[dict[str, Any]]:
    rows = catalog.runs.to_pylist()
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        found |= {row["run"]: row for row in _runs_called(name, rows)}
    return list(found.values())


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the estimates as Parquet, and a drawing of every job as SVG.

    Parameters
    ----------
    comparison : Comparison
    folder : Path

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    PublishError
        Where the folder cannot be written.
    """
    table = folder / f"{METHOD_ESTIMATE.name}.parquet"
    write_single(table, METHOD_ESTIMATE, [comparison.estimates])
    written = [table]
    for number, job in enumerate(comparison.jobs.to_pylist(), start=1):
        job_id = str(job["job_id"])
        rows = comparison.estimates.filter(pc.equal(comparison.estimates["job_id"], pa.scalar(job_id)))
        path = folder / f"{number:02d}-{_NOT_IN_NAMES.sub('-', job_id)[:_LONGEST_NAME]}.svg"
        title = f"{job_id} by every method"
        description = (
            "Every method's figure with its interval; the methods that cannot estimate the job, and why."
        )
        write_text(path, to_svg(methods_compared(rows, "wide", _actual(job, comparison)), title, description))
        written.append(path)
    return written


def _actual(job: Mapping[str, Any], comparison: Comparison) -> Actual:
    """Hours that the job states, and emissions that its owner reports."""
    return Actual(job["device_hours"], comparison.actual_kgco2e.get(job["job_id"]))


def _runs_called(name: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs with the name, or of the model, or the only one whose name begins so."""
    wanted = squeeze(name)
    for column in ("run", "model"):
        if same := [row for row in rows if squeeze(row[column]) == wanted]:
            return same
    begun = [row for row in rows if wanted and squeeze(row["run"]).startswith(wanted)]
    if len(begun) == 1:
        return begun
    known = [row["run"] for row in rows]
    near = [row["run"] for row in begun[:_RUNS_SHOWN]] or difflib.get_close_matches(
        name.casefold(), known, n=_NAMES_SHOWN, cutoff=0.4
    )
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise ConfigError(
        f"no published run is called {name!r}; {hint}for a job of your own, give --manifest too"
    )


def _as_jobs(runs: Sequence[Mapping[str, Any]], region: str | None) -> pa.Table:
    rows = [
        {
            "job_id": run["run"],
            "manifest": _CATALOG,
            "row": number,
            "state": "queued",
            "model": run["model"],
            "device_as_given": run["device"],
            "device": run["device"],
            "device_count": run["devices"] or 1.0,
            "repeats": 1,
            "interruptible": False,
            "current_region": region,
            "work_source": "device_hours",
            "device_hours": run["device_hours"],
            "training_flop": run["training_flop"],
            "parameters": run["parameters"],
            "active_parameters": run["active_parameters"],
            "carbon_intensity_gco2e_per_kwh": None if region else run["carbon_intensity_gco2e_per_kwh"],
        }
        for number, run in enumerate(runs, start=1)
    ]
    return conform(pa.Table.from_pylist(rows, schema=PLANNED_JOBS.schema()), PLANNED_JOBS)
