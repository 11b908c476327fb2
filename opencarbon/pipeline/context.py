"""What every partition of a night is estimated with, and the identity of the run."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Final, cast

import pyarrow as pa

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.catalog.files import catalog_sha256
from opencarbon.estimation.energy.own_power import devices_with_own_power
from opencarbon.estimation.energy.power_fractions import devices_with_power_fractions
from opencarbon.estimation.grid.forecast_error import PRIOR, ForecastError
from opencarbon.estimation.grid.intensity import PlanningCurves, planning_curves
from opencarbon.estimation.planning.candidates import AllowedRegions
from opencarbon.estimation.planning.plans import Field, field_of_regions
from opencarbon.estimation.region_columns import Regions, regions_as_columns
from opencarbon.pipeline.night import JobsRead, Night
from opencarbon.pipeline.work import read_arrow, write_arrow
from opencarbon.publishing.release import run_id_for
from opencarbon.settings import Settings, masked
from opencarbon.sources.places import Place

_OUTSIDE_A_RUN: Final = frozenset(
    {
        *(
            "store",
            "epoch_ai",
            "history",
            "hindsight",
            "http",
            *("run.runner", "run.workers", "run.address", "run.work_root"),
            "notify",
            "regions",
            "devices",
            "electricity_maps.base_url",
            "electricity_maps.token",
        ),
        *("electricity_maps.secret_block", "electricity_maps.requests_per_minute"),
        *("electricity_maps.requests_per_night", "electricity_maps.concurrency"),
        "plan.capacities",
        *(
            "publish.root",
            "publish.keep_runs",
            "publish.max_rejected_pct",
            "publish.report",
            "budget.when_over",
        ),
    }
)
"""Settings that say where things are and how much is kept, and move no figure: what they point at counts by content.
``run.rows_per_partition`` does move one, in its last digit: sums are added up partition by partition."""

_CATALOG: Final = ("devices", "regions")
"""Settings that name catalog files, and folders of the work folder with a copy of each, which every worker reaches."""

CAPACITIES: Final = "capacities.arrow"
"""File of the work folder with what is free for the queue, where that is given."""

_LOCK: Final = Lock()
_loaded: Final[dict[str, Any]] = {}
"""The context of the night at work in this process, so that its partitions share it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a partition is estimated with.

    Parameters
    ----------
    catalog : Catalog
    fits : pa.Table
        ``fact_device_fit`` without ``run_id``.
    curves : PlanningCurves
    regions : Regions
    allowed : AllowedRegions
    field : Field
    settings : Settings
    as_of_utc : datetime
    forecast_error : ForecastError, optional
    capacities : pa.Table, optional
        What is free for the queue, as :func:`~opencarbon.sources.capacities.read_capacities` gives it.
    """

    catalog: Catalog
    fits: pa.Table
    curves: PlanningCurves
    regions: Regions
    allowed: AllowedRegions
    field: Field
    settings: Settings
    as_of_utc: datetime
    forecast_error: ForecastError = PRIOR
    capacities: pa.Table | None = None


def settings_catalog(settings: Settings) -> Catalog:
    """The catalog with the user's files over it.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Catalog
    """
    return load_catalog(settings.devices, settings.regions)


def keep_inputs(
    work: Place,
    settings: Settings,
    *,
    grid: pa.Table,
    fits: pa.Table,
    runs: pa.Table,
    forecast_error: ForecastError,
) -> None:
    """Put the small inputs of a night into its work folder.

    Parameters
    ----------
    work : Place
    settings : Settings
        Their catalog files are copied.
    grid, fits, runs : pa.Table
    forecast_error : ForecastError
    """
    for kind in _CATALOG:
        for number, path in enumerate(getattr(settings, kind)):
            (work / kind / f"{number:03d}").write_bytes(Path(path).read_bytes())
    learnt = forecast_error.table()
    for name, table in (("grid", grid), ("fits", fits), ("runs", runs), ("forecast_error", learnt)):
        write_arrow(work / f"{name}.arrow", table)


def load_context(night: Night) -> Context:
    """What the partitions of a night are estimated with; made once per process.

    Parameters
    ----------
    night : Night
        With its inputs in the work folder.

    Returns
    -------
    Context
    """
    with _LOCK:
        if _loaded.get("work") != night.work:
            grid, fits = read_arrow(night.work / "grid.arrow"), read_arrow(night.work / "fits.arrow")
            catalog = _kept_catalog(night.work)
            error = ForecastError.from_table(read_arrow(night.work / "forecast_error.arrow"))
            context = build_context(night.settings, night.as_of_utc, catalog, grid, fits, error)
            if (night.work / CAPACITIES).exists():
                context = replace(context, capacities=read_arrow(night.work / CAPACITIES))
            _loaded.update(work=night.work, context=context)
        return cast(Context, _loaded["context"])


def _kept_catalog(work: Place) -> Catalog:
    """The catalog with the user's files over it, from where every worker reaches them."""
    with TemporaryDirectory(prefix="opencarbon-catalog-") as folder:
        found: list[list[str]] = []
        for kind in _CATALOG:
            copies = [Path(folder) / f"{kind}-{name}" for name in (work / kind).names()]
            for copy in copies:
                copy.write_bytes((work / kind / copy.name.partition("-")[2]).read_bytes())
            found.append([str(copy) for copy in copies])
        return load_catalog(*found)


def build_context(
    settings: Settings,
    as_of_utc: datetime,
    catalog: Catalog,
    grid: pa.Table,
    fits: pa.Table,
    forecast_error: ForecastError = PRIOR,
) -> Context:
    """Join inputs into a context.

    Parameters
    ----------
    settings : Settings
    as_of_utc : datetime
    catalog : Catalog
    grid : pa.Table
        ``GRID_INTENSITY``.
    fits : pa.Table
        ``fact_device_fit`` without ``run_id``.
    forecast_error : ForecastError, optional
        What forecasts are worth; what is assumed beforehand if not given.

    Returns
    -------
    Context
    """
    curves = planning_curves(
        grid,
        catalog.zones,
        as_of_utc,
        horizon_hours=settings.plan.horizon_hours,
        emission_factor_type=settings.electricity_maps.emission_factor_type,
        accounting_basis=settings.electricity_maps.accounting_basis,
        forecast_error=forecast_error,
    )
    options = settings.estimate
    regions = regions_as_columns(catalog.regions, curves, options.profile, level=options.interval_level)
    allowed = AllowedRegions(regions.names, regions.providers, regions.countries, catalog.offers)
    field = field_of_regions(regions, curves)
    devices = devices_with_power_fractions(catalog.devices, catalog.measured_power)
    catalog = replace(catalog, devices=devices_with_own_power(devices, fits))
    return Context(catalog, fits, curves, regions, allowed, field, settings, as_of_utc, forecast_error)


def run_identity(
    night: Night, jobs: JobsRead, context: Context, runs: pa.Table, hindsight: str
) -> tuple[str, str]:
    """Identity of a run: equal inputs have equal identities.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    context : Context
    runs : pa.Table
        ``training_runs``.
    hindsight : str
        Digest of what the night tells of the advice before it.

    Returns
    -------
    run_id : str
        ``<as_of YYYYMMDDTHHMMZ>-<8 hex of the inputs>``.
    inputs_sha256 : str
    """
    parts = {
        "version": version("opencarbon"),
        "as_of_utc": night.as_of_utc.isoformat(),
        "manifests": jobs.inputs_sha256,
        "catalog": catalog_sha256(night.settings.devices, night.settings.regions),
        "intensity": _digest(context.curves.hourly, context.forecast_error.table()),
        "fits": _digest(context.fits, runs),
        "hindsight": hindsight,
        "settings": _settings_of_a_run(night.settings),
    }
    if context.capacities is not None:
        parts["capacities"] = _digest(context.capacities)
    sha = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return run_id_for(night.as_of_utc, sha), sha


def _digest(*tables: pa.Table) -> str:
    """SHA-256 of the values of small tables: bytes under nulls and edges of chunks leave no trace."""
    sha = hashlib.sha256()
    for table in tables:
        sha.update(json.dumps(table.to_pydict(), default=str).encode())
    return sha.hexdigest()


def _settings_of_a_run(settings: Settings) -> dict[str, Any]:
    values = masked(settings)
    for name in _OUTSIDE_A_RUN:
        section, _, key = name.partition(".")
        if key:
            values[section].pop(key, None)
        else:
            values.pop(section)
    return values
