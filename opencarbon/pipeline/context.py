"""What every partition of a night is estimated with, and the identity of the run."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import pyarrow as pa

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.catalog.files import catalog_sha256
from opencarbon.estimation.candidates import AllowedRegions
from opencarbon.estimation.intensity import PlanningCurves, planning_curves
from opencarbon.estimation.own_power import devices_with_own_power
from opencarbon.estimation.plans import Field, field_of_regions
from opencarbon.estimation.power_fractions import devices_with_power_fractions
from opencarbon.estimation.region_columns import Regions, regions_as_columns
from opencarbon.pipeline.night import JobsRead, Night
from opencarbon.pipeline.work import read_arrow, write_arrow
from opencarbon.settings import Settings, masked

_OUTSIDE_A_RUN: Final = frozenset(
    {
        *(
            "store",
            "budget",
            "epoch_ai",
            "history",
            "http",
            "regions",
            "devices",
            "electricity_maps.base_url",
            "electricity_maps.token",
        ),
        *("electricity_maps.secret_block", "electricity_maps.requests_per_minute"),
        *("publish.root", "publish.keep_runs", "publish.max_rejected_pct"),
    }
)
"""Settings that say where things are and how much is kept, and move no figure: what they point at counts by content."""

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
    """

    catalog: Catalog
    fits: pa.Table
    curves: PlanningCurves
    regions: Regions
    allowed: AllowedRegions
    field: Field
    settings: Settings
    as_of_utc: datetime


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


def keep_inputs(work: Path, *, grid: pa.Table, fits: pa.Table, runs: pa.Table) -> None:
    """Put the small inputs of a night into its work folder.

    Parameters
    ----------
    work : Path
    grid, fits, runs : pa.Table
    """
    for name, table in (("grid", grid), ("fits", fits), ("runs", runs)):
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
            catalog = settings_catalog(night.settings)
            context = build_context(night.settings, night.as_of_utc, catalog, grid, fits)
            _loaded.update(work=night.work, context=context)
        return cast(Context, _loaded["context"])


def build_context(
    settings: Settings, as_of_utc: datetime, catalog: Catalog, grid: pa.Table, fits: pa.Table
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
    )
    options = settings.estimate
    regions = regions_as_columns(catalog.regions, curves, options.profile, level=options.interval_level)
    allowed = AllowedRegions(regions.names, regions.providers, regions.countries, catalog.offers)
    field = field_of_regions(regions, curves)
    devices = devices_with_power_fractions(catalog.devices, catalog.measured_power)
    catalog = replace(catalog, devices=devices_with_own_power(devices, fits))
    return Context(catalog, fits, curves, regions, allowed, field, settings, as_of_utc)


def run_identity(night: Night, jobs: JobsRead, context: Context, runs: pa.Table) -> tuple[str, str]:
    """Identity of a run: equal inputs have equal identities.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    context : Context
    runs : pa.Table
        ``training_runs``.

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
        "intensity": _digest(context.curves.hourly),
        "fits": _digest(context.fits, runs),
        "settings": _settings_of_a_run(night.settings),
    }
    sha = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{night.as_of_utc:%Y%m%dT%H%MZ}-{sha[:8]}", sha


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
