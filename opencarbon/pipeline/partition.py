"""One partition of planned jobs: estimated, planned, and kept as parts of the tables to publish."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from opencarbon.estimation.allocation.assignment import Assignment, assigned
from opencarbon.estimation.claims import ALLOCATED, POTENTIAL, partial_steps
from opencarbon.estimation.job_tables import (
    job_dimension,
    job_estimate,
    job_recommendation,
    job_regions,
    job_segments,
)
from opencarbon.estimation.jobs import JobEstimates, estimate_jobs
from opencarbon.estimation.planning.advice import Advice, advise
from opencarbon.estimation.planning.beside import baselines_beside
from opencarbon.estimation.planning.candidates import transfer_kgco2e
from opencarbon.estimation.planning.choices import Alternatives, choose
from opencarbon.estimation.planning.windows import windows_of_jobs
from opencarbon.estimation.regions import partial_loads
from opencarbon.estimation.totals import partial_totals
from opencarbon.pipeline.context import Context, load_context
from opencarbon.pipeline.jobs import PLANNED
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.work import read_part, write_part
from opencarbon.sources.places import Place

JOB_TABLES: Final = ("dim_job", "fact_job_estimate", "rec_job", "fact_job_region", "fact_job_segment")
SUMS: Final = (
    *("total_sums", "total_errors", "total_places"),
    *("region_hours", "region_sums", "region_steps"),
)
ASSIGNED: Final = "assigned"
STRETCHES: Final = "assigned_stretches"
"""Parts of the work folder with the places that an allocation gave, and when jobs run that pause."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs with their estimates, the places they could take, the advice, and other baselines beside theirs."""

    estimates: JobEstimates
    alternatives: Alternatives
    advice: Advice
    beside: pa.Table


def estimate_batch(jobs: pa.Table, context: Context) -> JobEstimates:
    """Estimate jobs at their baselines.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    context : Context

    Returns
    -------
    JobEstimates
    """
    options, catalog = context.settings.estimate, context.catalog
    return estimate_jobs(
        jobs,
        context.fits,
        catalog.devices,
        context.regions,
        context.curves,
        device_lifetime_years=options.device_lifetime_years,
        fleet_utilisation=options.fleet_utilisation,
        default_region=context.settings.plan.default_region,
        paper=catalog.paper_devices if options.profile == "paper" else None,
    )


def plan_batch(estimates: JobEstimates, context: Context, assignment: Assignment | None = None) -> Plan:
    """Choose where and when jobs should run.

    Parameters
    ----------
    estimates : JobEstimates
    context : Context
    assignment : Assignment, optional
        The places that an allocation of the whole queue gave them; where there was no room, nothing is advised.

    Returns
    -------
    Plan
    """
    options, jobs = context.settings.plan, estimates.jobs
    windows = windows_of_jobs(
        estimates,
        context.curves,
        max_delay_hours=options.max_delay_hours,
        restart_kwh_per_device=options.restart_kwh_per_device,
    )
    move = transfer_kgco2e(jobs, estimates.baseline.region >= 0, context.curves.network_gco2e_per_kwh)
    alternatives = choose(
        estimates,
        windows,
        context.allowed.mask(jobs, options.default_region),
        move,
        context.field,
        top_k=options.top_k,
        min_saving_pct=options.min_saving_pct,
        min_saving_pct_to_delay=options.min_saving_pct_to_delay,
    )
    alone = np.asarray(alternatives.advised.any(axis=1), dtype=bool)
    if assignment is not None:
        alternatives = assigned(alternatives, assignment, estimates, windows, move, context.field)
    advice = advise(estimates, windows, alternatives, context.regions, move)
    if assignment is not None:
        lost = alone & assignment.without_room(len(alone))
        advice = replace(
            advice,
            plan_status=np.where(lost, "no_capacity", advice.plan_status).astype(object),
            deadline_risk=np.where(lost, np.nan, advice.deadline_risk),
        )
    beside = baselines_beside(estimates, windows, context.regions, context.curves)
    return Plan(estimates, alternatives, advice, beside)


def estimate_partition(night: Night, number: int) -> int:
    """Estimate and plan one partition of a night, and keep the result in the work folder.

    Parameters
    ----------
    night : Night
    number : int
        Of the partition.

    Returns
    -------
    int
        Jobs planned.
    """
    context = load_context(night)
    jobs = read_part(night.work, PLANNED, number)
    assignment = _assignment(night.work, number)
    plan = plan_batch(estimate_batch(jobs, context), context, assignment)
    status = POTENTIAL if assignment is None else ALLOCATED
    estimates, alternatives, advice = plan.estimates, plan.alternatives, plan.advice
    start, regions = context.curves.start_utc, context.regions
    tables = {
        "dim_job": job_dimension(jobs),
        "fact_job_estimate": job_estimate(
            estimates, regions, context.curves, night.settings.estimate.profile
        ),
        "rec_job": job_recommendation(estimates, advice, plan.beside, regions, start, saving_status=status),
        "fact_job_region": job_regions(estimates, alternatives, advice, regions, start),
        "fact_job_segment": job_segments(estimates, alternatives, start),
    }
    parts = (
        *partial_totals(estimates, advice, regions, context.curves),
        *partial_loads(estimates, advice, alternatives, regions, context.curves.horizon),
        partial_steps(estimates, advice, alternatives, regions),
    )
    for name, table in (tables | dict(zip(SUMS, parts, strict=True))).items():
        write_part(night.work, name, number, table)
    return int(jobs.num_rows)


def _assignment(work: Place, number: int) -> Assignment | None:
    """What an allocation gave the jobs of a partition; nothing where there was none."""
    if not (work / ASSIGNED).exists():
        return None
    return Assignment.of(read_part(work, ASSIGNED, number), read_part(work, STRETCHES, number))
