"""Estimates in memory, for notebooks and other programs: no files, no network, no release."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from opencarbon.catalog import Catalog
from opencarbon.errors import ConfigError, ContractError, ManifestError
from opencarbon.estimation.job_tables import job_estimate
from opencarbon.pipeline.context import build_context, settings_catalog
from opencarbon.pipeline.files import missing_devices
from opencarbon.pipeline.fits import collect_runs, fit_for_profile
from opencarbon.pipeline.jobs import manifest_rules
from opencarbon.pipeline.partition import estimate_batch
from opencarbon.settings import EstimateSettings, Profile, Settings
from opencarbon.sources.manifests import (
    Rules,
    check_columns,
    find_manifests,
    partitions,
    read_partitions,
    scan_job_ids,
)
from opencarbon.tables.conform import conform, of_any_minor_version
from opencarbon.tables.contracts import PUBLISHED, Contract
from opencarbon.tables.inputs import DEVICE_FITS, GRID_INTENSITY, PLANNED_JOBS
from opencarbon.units import whole_hour

_ROWS_NAMED: Final = 20
_NAME: Final = "jobs"
"""What stands for the name of the manifest in messages."""


def _without_run(contract: Contract) -> Contract:
    columns, required = (
        tuple(name for name in names if name != "run_id") for names in (contract.columns, contract.required)
    )
    return replace(contract, columns=columns, required=required, references=())


_ESTIMATES: Final = _without_run(PUBLISHED["fact_job_estimate"])


def estimate(
    jobs: pa.Table,
    fits: pa.Table | None = None,
    profile: Profile = "calibrated",
    *,
    as_of_utc: datetime | None = None,
    settings: Settings | None = None,
    grid: pa.Table | None = None,
) -> pa.Table:
    """Estimate what planned jobs emit where they are, as soon as they may start.

    Nothing is read from the network, the store or the environment: without ``fits`` and ``grid`` the published runs
    and the annual carbon intensities of the catalog are enough.

    Parameters
    ----------
    jobs : pa.Table
        Planned jobs in the columns of a manifest: ``job_id``, ``device``, ``device_count``, one way of stating the
        work, and as many of the others as are known.
    fits : pa.Table, optional
        Device fits, as ``opencarbon fit`` writes them or a release holds them.
    profile : {"calibrated", "paper"}, optional
        The set of assumptions, over that of ``settings``.
    as_of_utc : datetime, optional
        Moment to look from, aware; now, floored to the hour, if not given.
    settings : Settings, optional
        Everything else that can be set; the defaults if not given.
    grid : pa.Table, optional
        Hourly carbon intensities: zone, hour_start_utc, carbon_intensity_gco2e_per_kwh, intensity_kind,
        emission_factor_type, is_estimated, issued_at_utc, fetched_at_utc, source_id and accounting_basis
        (flow_traced, as where it is null, or production).

    Returns
    -------
    pa.Table
        ``fact_job_estimate`` without ``run_id``, in the order of ``jobs``: device-hours [device-hours], energy [kWh],
        emissions [kgCO2e] with the lower and upper end of their intervals, and where each part came from.

    Raises
    ------
    ManifestError
        Where a column cannot be used or rows break a rule; lists them.
    ConfigError
        Where ``fits``, ``grid``, ``profile`` or ``as_of_utc`` cannot be used.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import opencarbon as oc
    >>> jobs = pa.table({
    ...     "job_id": ["sft"], "device": ["A100"], "device_count": [64.0], "wall_hours": [24.0],
    ...     "current_region": ["aws:eu-central-1"],
    ... })
    >>> estimates = oc.estimate(jobs)
    >>> estimates["device_hours"].to_pylist()
    [1536.0]
    """
    chosen = _settings(settings, profile)
    catalog = settings_catalog(chosen)
    planned = _planned(jobs, manifest_rules(catalog, chosen))
    known_fits = _fits(fits, catalog, chosen.estimate)
    missing = missing_devices(known_fits, planned)
    if missing:
        raise ConfigError(f"fits lack {missing}: fit them again, or leave fits out")
    known_grid = (
        GRID_INTENSITY.schema().empty_table() if grid is None else _usable(grid, GRID_INTENSITY, "grid")
    )
    context = build_context(chosen, _moment(as_of_utc), catalog, known_grid, known_fits)
    estimates = estimate_batch(planned, context)
    return conform(job_estimate(estimates, context.regions, context.curves, profile), _ESTIMATES)


def _settings(settings: Settings | None, profile: Profile) -> Settings:
    if profile not in get_args(Profile):
        raise ConfigError(f"profile {profile!r} is not one of {', '.join(get_args(Profile))}")
    chosen = settings or Settings()
    return chosen.model_copy(update={"estimate": chosen.estimate.model_copy(update={"profile": profile})})


def _moment(as_of_utc: datetime | None) -> datetime:
    if as_of_utc is None:
        return whole_hour(datetime.now(UTC))
    if as_of_utc.tzinfo is None:
        raise ConfigError(f"as_of_utc {as_of_utc.isoformat()} has no time zone: give it in UTC")
    return as_of_utc.astimezone(UTC)


def _fits(fits: pa.Table | None, catalog: Catalog, options: EstimateSettings) -> pa.Table:
    if fits is None:
        runs, _ = collect_runs(catalog, None)
        return fit_for_profile(runs, catalog, options.profile, level=options.interval_level)
    bare = fits.drop_columns(["run_id"]) if "run_id" in fits.column_names else fits
    return _usable(bare, DEVICE_FITS, "fits")


def _usable(table: pa.Table, contract: Contract, name: str) -> pa.Table:
    try:
        return of_any_minor_version(table, contract)
    except ContractError as problem:
        raise ConfigError(f"{name} cannot be used: {problem}") from None


def _planned(jobs: pa.Table, rules: Rules) -> pa.Table:
    """Jobs by the very rules of manifests: they pass through a file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="opencarbon-") as folder:
        path = Path(folder) / "jobs.parquet"
        try:
            pq.write_table(jobs, path)
        except (pa.ArrowException, OSError) as problem:
            raise ManifestError(f"jobs hold a column that no manifest can hold: {problem}") from None
        files = [replace(file, name=_NAME) for file in find_manifests([str(path)], Path(folder))]
        check_columns(files, rules)
        parts = list(read_partitions(partitions(files), rules, scan_job_ids(files, rules)))
    _refuse_rejected([rejected for _, rejected in parts])
    return pa.concat_tables(planned for planned, _ in parts) if parts else PLANNED_JOBS.schema().empty_table()


def _refuse_rejected(rejects: Sequence[pa.Table]) -> None:
    rows = [row for table in rejects for row in table.slice(0, _ROWS_NAMED).to_pylist()]
    count = sum(table.num_rows for table in rejects)
    if count:
        lines = [
            f"  - row {row['row']}, job {row['job_id']}: {row['reason']}; {row['remedy']}"
            for row in rows[:_ROWS_NAMED]
        ]
        more = [f"  - and {count - len(lines)} more"] if count > len(lines) else []
        raise ManifestError("\n".join([f"{count} rules are broken in jobs:", *lines, *more]))
