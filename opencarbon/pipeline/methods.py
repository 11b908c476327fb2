"""Estimates by any method: of a manifest to a file, or of a few jobs side by side."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.estimation.baselines import Method, MethodContext, estimate_by_method
from opencarbon.pipeline import prepare, read
from opencarbon.pipeline.context import Context, load_context
from opencarbon.pipeline.files import write_single
from opencarbon.pipeline.fits import fit_for_profile
from opencarbon.pipeline.jobs import PLANNED
from opencarbon.pipeline.night import JobsRead, Night, Prepared, Progress, silent
from opencarbon.pipeline.work import for_each, read_arrow, read_part, read_parts, write_part
from opencarbon.tables.reproduction import METHOD_ESTIMATE
from opencarbon.units import HOURS_PER_YEAR

_LOG = logging.getLogger("opencarbon.pipeline")
_PART: Final = METHOD_ESTIMATE.name
_JOBS_PER_BLOCK: Final = 8_192
"""Jobs that are estimated at once: with sixteen methods they make as many rows as a partition has at most."""


def method_context(context: Context, runs: pa.Table, *, fits: pa.Table | None = None) -> MethodContext:
    """Facts that methods estimate with.

    Parameters
    ----------
    context : Context
        Of the calibrated profile.
    runs : pa.Table
        ``training_runs``.
    fits : pa.Table, optional
        Device fits for both profiles, instead of the refit and of the paper's.

    Returns
    -------
    MethodContext
    """
    options, catalog = context.settings.estimate, context.catalog
    paper = fit_for_profile(runs, catalog, "paper") if fits is None else fits
    return MethodContext(
        devices=catalog.devices,
        fits={"calibrated": context.fits, "paper": paper},
        runs=runs,
        paper=catalog.paper_devices,
        regions=context.regions,
        curves=context.curves,
        default_region=context.settings.plan.default_region,
        lifetime_h=options.device_lifetime_years * HOURS_PER_YEAR,
        fleet_utilisation=options.fleet_utilisation,
    )


def write_method_estimates(
    night: Night,
    methods: Sequence[Method],
    path: Path,
    *,
    fits: Path | None = None,
    progress: Progress = silent,
) -> tuple[int, JobsRead, Prepared]:
    """Estimate manifests by methods, and write ``METHOD_ESTIMATE`` to a file.

    Parameters
    ----------
    night : Night
        With the calibrated profile.
    methods : sequence of Method
    path : Path
    fits : Path, optional
        Device fits to use instead of a refit.
    progress : callable, optional

    Returns
    -------
    rows : int
    jobs : JobsRead
    prepared : Prepared
    """
    jobs = read(night, progress)
    prepared = prepare(night, jobs, fits_file=fits, progress=progress)
    context = night_method_context(night, has_own_fits=fits is not None)

    blocks = -(-night.settings.run.rows_per_partition // _JOBS_PER_BLOCK)

    def estimate(number: int) -> int:
        planned = read_part(night.work, PLANNED, number)
        for block, first in enumerate(range(0, planned.num_rows, _JOBS_PER_BLOCK), start=number * blocks):
            jobs_at_once = planned.slice(first, _JOBS_PER_BLOCK)
            write_part(night.work, _PART, block, side_by_side(jobs_at_once, methods, context))
        return int(planned.num_rows)

    for done in for_each(estimate, prepared.partitions, night.settings.run.workers):
        progress("estimate by method", done, prepared.partitions)
    rows = write_single(path, METHOD_ESTIMATE, read_parts(night.work, _PART))
    _LOG.info("written: table=%s rows=%d file=%s", _PART, rows, path)
    return rows, jobs, prepared


def side_by_side(
    jobs: pa.Table,
    methods: Sequence[Method],
    context: MethodContext,
    *,
    is_predicting: bool = False,
    site_pue: npt.NDArray[np.float64] | None = None,
) -> pa.Table:
    """What methods make of jobs, all methods of a job together.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    methods : sequence of Method
    context : MethodContext
    is_predicting : bool, optional
        Let methods predict device-hours that the jobs state, wherever the FLOP are known.
    site_pue : ndarray of shape (jobs,), optional
        PUE of the site, NaN where it is not known; see
        :func:`~opencarbon.estimation.baselines.estimates.estimate_by_method`.

    Returns
    -------
    pa.Table
        ``METHOD_ESTIMATE``.
    """
    tables = [
        estimate_by_method(jobs, method, context, is_predicting=is_predicting, site_pue=site_pue)
        for method in methods
    ]
    rows = np.arange(len(methods) * jobs.num_rows).reshape(len(methods), -1)
    return pa.concat_tables(tables).combine_chunks().take(rows.T.ravel())


def night_method_context(night: Night, *, has_own_fits: bool = False) -> MethodContext:
    """Facts that methods estimate the jobs of a night with, from its work folder.

    Parameters
    ----------
    night : Night
        Prepared.
    has_own_fits : bool, optional
        Whether its fits were given by the user.

    Returns
    -------
    MethodContext
    """
    context = load_context(night)
    runs = read_arrow(night.work / "runs.arrow")
    return method_context(context, runs, fits=context.fits if has_own_fits else None)


def planned_jobs(night: Night, job_ids: Sequence[str]) -> Iterator[pa.Table]:
    """Planned jobs of a night by their ids, in the order of the manifests.

    Parameters
    ----------
    night : Night
        Read.
    job_ids : sequence of str

    Yields
    ------
    pa.Table
        ``PLANNED_JOBS``.
    """
    wanted = pa.array(job_ids, pa.string())
    for part in read_parts(night.work, PLANNED):
        yield part.filter(pc.is_in(part["job_id"], value_set=wanted))
