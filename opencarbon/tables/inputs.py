"""Tables that pass from room to room and are not published."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.tables.conform import with_every_column
from opencarbon.tables.contracts import PUBLISHED, Contract

WORK_COLUMNS: Final = (
    "device_hours",
    "wall_hours",
    "training_flop",
    "parameters",
    "training_tokens",
    "active_parameters",
    "forward_flop_per_sample",
    "samples",
)
"""Columns of a manifest that say how much work one run of the job is."""

PLANNED_JOBS: Final = Contract(
    name="planned_jobs",
    summary="A planned job that keeps every rule, read from a manifest.",
    columns=(
        *("job_id", "manifest", "row", "state", "team", "project", "model", "priority"),
        *("device_as_given", "device", "device_count", "repeats"),
        *("earliest_start_utc", "finish_by_utc", "interruptible", "current_region", "allowed_regions"),
        *("work_source", *WORK_COLUMNS, "architecture"),
        *("power_w", "carbon_intensity_gco2e_per_kwh", "utilisation", "log10_alpha_low", "log10_alpha_high"),
        *("dataset_gb", "carbon_budget_kgco2e"),
    ),
    key=("job_id",),
    required=(
        *("manifest", "row", "state", "device_as_given", "device", "device_count"),
        *("repeats", "interruptible", "work_source"),
    ),
    keeps_manifest_order=True,
)
"""Work is that of one run of the job; ``device_count`` counts whole devices of the canonical name."""

REJECTED_ROWS: Final = Contract(
    name="rejected_rows",
    summary="A rule that a row of a manifest breaks.",
    columns=("manifest", "row", "job_id", "column", "value", "rule_code", "reason", "remedy"),
    key=(),
    required=("manifest", "row", "column", "rule_code", "reason", "remedy"),
    keeps_manifest_order=True,
)

FLOW_TRACED: Final = "flow_traced"
"""Basis of intensities of what a zone consumes: imports carry the emissions of where they were generated."""

PRODUCTION: Final = "production"
"""Basis of intensities of what a zone generates."""

ACCOUNTING_BASES: Final = (FLOW_TRACED, PRODUCTION)

GRID_INTENSITY: Final = Contract(
    name="grid_intensity",
    summary="A carbon intensity as a source gave it: measured, forecast or made up for an example.",
    columns=(
        *(
            "zone",
            "hour_start_utc",
            "carbon_intensity_gco2e_per_kwh",
            "intensity_kind",
            "emission_factor_type",
        ),
        *("is_estimated", "issued_at_utc", "fetched_at_utc", "source_id", "accounting_basis"),
    ),
    key=(),
    required=(
        "zone",
        "hour_start_utc",
        "intensity_kind",
        "emission_factor_type",
        "fetched_at_utc",
        "source_id",
    ),
    version="1.1",
)
"""A null intensity is an hour the source does not know. The same hour may stand more than once; the newest wins.

``accounting_basis`` is one of :data:`ACCOUNTING_BASES`; null, as in tables older than the column, is flow-traced.
"""


def with_accounting_basis(grid: pa.Table) -> pa.Table:
    """Say the accounting basis of every intensity.

    Parameters
    ----------
    grid : pa.Table
        ``GRID_INTENSITY``; one of version 1.0 lacks the column.

    Returns
    -------
    pa.Table
        Flow-traced where it was null.
    """
    rows = with_every_column(grid, GRID_INTENSITY.schema())
    at = rows.schema.get_field_index("accounting_basis")
    known = pc.if_else(pc.is_null(rows["accounting_basis"]), pa.scalar(FLOW_TRACED), rows["accounting_basis"])
    return rows.set_column(at, GRID_INTENSITY.schema().field("accounting_basis"), known)


RUN_HISTORY: Final = Contract(
    name="run_history",
    summary="A completed run of the user's own fleet, read from the log of a tool.",
    columns=(
        *("run", "history_format", "manifest", "row", "project"),
        *("device_as_given", "device", "device_count", "wall_hours", "device_hours"),
        *("energy_kwh", "power_boundary", "power_w"),
        *("training_flop", "parameters", "active_parameters", "training_tokens"),
        *("started_utc", "finished_utc"),
    ),
    key=("run",),
    required=(
        *("history_format", "manifest", "row"),
        *("device_as_given", "device", "device_count", "wall_hours", "device_hours"),
    ),
    keeps_manifest_order=True,
)
"""Energy is before PUE; ``power_boundary`` says what it and ``power_w`` include, and is null where both are.

``run`` is the tool's own id behind its format, else file and row. ``device_count`` counts whole devices.
"""

COMPLETED_JOBS: Final = Contract(
    name="completed_jobs",
    summary="A job that ended: where and when it ran, and what it used.",
    columns=(
        *("job_id", "manifest", "row", "started_utc", "finished_utc", "region"),
        *("device_hours", "energy_kwh"),
    ),
    key=("job_id",),
    required=("manifest", "row", "started_utc", "finished_utc", "region"),
    keeps_manifest_order=True,
)
"""Energy is before PUE, at the server; what is not known of a run is null."""

_FITS = PUBLISHED["fact_device_fit"]

DEVICE_FITS: Final = Contract(
    name="device_fits",
    summary=_FITS.summary,
    columns=tuple(name for name in _FITS.columns if name != "run_id"),
    key=_FITS.key,
    required=tuple(name for name in _FITS.required if name != "run_id"),
)
"""Device fits before they belong to a run, as `opencarbon fit` writes them."""
