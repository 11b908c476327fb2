"""Facts to run methods with: those of the catalog, or of a small world; and rows to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from opencarbon.catalog.catalog import PaperDevice
from opencarbon.estimation.baselines import MethodContext, estimate_by_method, method_named
from opencarbon.estimation.region_columns import regions_as_columns
from opencarbon.pipeline.context import build_context, settings_catalog
from opencarbon.pipeline.fits import collect_runs, fit_for_profile
from opencarbon.pipeline.methods import method_context
from opencarbon.settings import Settings
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import DEVICE_FITS, GRID_INTENSITY, PLANNED_JOBS
from tests.estimation.oracle import World
from tests.estimation.worlds import curves_of, job, table

A100 = "NVIDIA A100 SXM4 80GB"
AS_OF = datetime(2026, 11, 16, tzinfo=UTC)

Row = dict[str, Any]


@cache
def catalog_context() -> MethodContext:
    """The catalog with its published runs and annual intensities."""
    settings = Settings()
    catalog = settings_catalog(settings)
    runs, _ = collect_runs(catalog, None)
    fits = fit_for_profile(runs, catalog, "calibrated")
    context = build_context(settings, AS_OF, catalog, GRID_INTENSITY.schema().empty_table(), fits)
    return method_context(context, runs)


def context_of(
    world: World, paper_fits: Sequence[Mapping[str, Any]], paper: Mapping[str, PaperDevice]
) -> MethodContext:
    """The facts of a small world, the paper's fits being others than ours."""
    curves = curves_of(world)
    return replace(
        catalog_context(),
        devices=table(world.devices, PUBLISHED["dim_device"].schema()),
        fits={
            "calibrated": table(world.fits, DEVICE_FITS.schema()),
            "paper": table(paper_fits, DEVICE_FITS.schema()),
        },
        paper=paper,
        regions=regions_as_columns(
            table(world.regions, PUBLISHED["dim_region"].schema()), curves, "calibrated"
        ),
        curves=curves,
        default_region=world.default_region,
        lifetime_h=world.lifetime_h,
        fleet_utilisation=world.fleet_utilisation,
    )


def planned(**changes: Any) -> Row:
    """A job on eight A100 in aws:us-east-1 that states nothing of its work but what is given."""
    given = {"device": A100, "device_as_given": A100, "current_region": "aws:us-east-1", "wall_hours": None}
    sources = {
        "device_hours": "device_hours",
        "wall_hours": "wall_hours",
        "training_flop": "training_flop",
        "training_tokens": "parameters_tokens",
        "samples": "forward_flop",
    }
    source = next(name for key, name in sources.items() if changes.get(key) is not None)
    return job(**(given | {"work_source": source} | changes))


def estimates(
    method: str,
    *jobs: Row,
    context: MethodContext | None = None,
    is_predicting: bool = False,
    site_pue: Sequence[float] | None = None,
) -> list[Row]:
    """Rows of ``METHOD_ESTIMATE``."""
    numbered = [row | {"job_id": f"job-{at:04d}", "row": at} for at, row in enumerate(jobs)]
    found = estimate_by_method(
        table(numbered, PLANNED_JOBS.schema()),
        method_named(method),
        context or catalog_context(),
        is_predicting=is_predicting,
        site_pue=None if site_pue is None else np.array(site_pue),
    )
    return [dict(row) for row in found.to_pylist()]


def estimate(method: str, context: MethodContext | None = None, **changes: Any) -> Row:
    """What a method makes of one job."""
    return estimates(method, planned(**changes), context=context)[0]
