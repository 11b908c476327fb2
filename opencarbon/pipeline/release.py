"""The parts of a night joined into the tables of a release, and published."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import PublishError
from opencarbon.estimation.grid.intensity import KIND_CODE
from opencarbon.estimation.regions import region_advice, region_loads, run_dates
from opencarbon.pipeline.accounts import Accounts
from opencarbon.pipeline.allocation import capacity_of_night
from opencarbon.pipeline.context import Context
from opencarbon.pipeline.gate import rejected_parts
from opencarbon.pipeline.night import JobsRead, Night
from opencarbon.pipeline.partition import JOB_TABLES
from opencarbon.pipeline.work import read_arrow, read_parts
from opencarbon.publishing.dictionary import meta_columns
from opencarbon.publishing.parquet import ROW_GROUP_ROWS, TableWriter
from opencarbon.tables.columns import TIMESTAMP, TYPES
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.events import Event, event_rows
from opencarbon.tables.inputs import FLOW_TRACED, PRODUCTION

OUTCOMES: Final = "outcomes.arrow"
"""File of the work folder with what the night tells of the advice before it."""

_FREE_KINDS: Final = ("example", "annual", "country_annual", "world")
"""Kinds whose hourly values may be published, in zones with no others: those are licensed, ``publish.grid_hourly`` opts
in."""

ACCOUNTING_BASIS: Final = {
    FLOW_TRACED: "attributed, location-based, average, consumption-based (flow-traced)",
    PRODUCTION: "attributed, location-based, average, production-based (not flow-traced)",
}


def carried_fields(night: Night) -> "list[pa.Field[Any]]":
    """Columns that the manifests carry into ``dim_job``.

    Parameters
    ----------
    night : Night

    Returns
    -------
    list of pa.Field
    """
    return [pa.field(name, TYPES[kind]) for name, kind in night.settings.manifest.carry.items()]


def write_tables(
    night: Night,
    jobs: JobsRead,
    context: Context,
    accounts: Accounts,
    events: Iterable[Event],
    run_id: str,
    inputs_sha256: str,
    staged: Path,
) -> dict[str, int]:
    """Write every table of the release into the staging folder.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    context : Context
    accounts : Accounts
    events : iterable of Event
    run_id, inputs_sha256 : str
    staged : Path

    Returns
    -------
    dict of str to int
        Rows by table.

    Raises
    ------
    PublishError
        If they cannot be written, such as for want of room.
    """
    pieces: dict[str, Iterable[pa.Table]] = {name: read_parts(night.work, name) for name in JOB_TABLES}
    pieces["rejected_job"] = rejected_parts(night.work)
    pieces["fact_advice_outcome"] = _outcome_pieces(night)
    for name, table in _small_tables(night, jobs, context, accounts, events, run_id, inputs_sha256).items():
        pieces[name] = [table]
    extra, rows_per_file = extra_columns(night), night.settings.publish.rows_per_file
    with ThreadPoolExecutor(
        max_workers=os.cpu_count() or 1
    ) as pool:  # Parquet is encoded outside Python's lock
        rows = {
            name: pool.submit(_write, staged, name, pieces[name], run_id, extra.get(name, []), rows_per_file)
            for name in PUBLISHED
        }
    try:
        return {name: written.result() for name, written in rows.items()}
    except OSError as problem:
        raise PublishError(
            f"the tables of run {run_id} cannot be written to {staged}: {problem}; nothing was published, the night can be "
            "run again"
        ) from problem


def _outcome_pieces(night: Night) -> Iterator[pa.Table]:
    """What the night tells of the advice before it, in the order of the key, as mapped from the work folder."""
    outcomes = read_arrow(night.work / OUTCOMES)
    for first in range(0, outcomes.num_rows, ROW_GROUP_ROWS):
        yield outcomes.slice(first, ROW_GROUP_ROWS)


def _write(
    staged: Path,
    name: str,
    pieces: Iterable[pa.Table],
    run_id: str,
    extra: "list[pa.Field[Any]]",
    rows_per_file: int,
) -> int:
    contract = PUBLISHED[name]
    with TableWriter(staged, contract, extra=extra, rows_per_file=rows_per_file) as writer:
        for piece in pieces:
            if "run_id" in contract.columns and "run_id" not in piece.column_names:
                piece = piece.append_column("run_id", pa.repeat(run_id, piece.num_rows))
            writer.write(conform(piece, contract, extra=extra))
    return writer.rows


def _small_tables(
    night: Night,
    jobs: JobsRead,
    context: Context,
    accounts: Accounts,
    events: Iterable[Event],
    run_id: str,
    inputs_sha256: str,
) -> dict[str, pa.Table]:
    catalog, curves, settings = context.catalog, context.curves, night.settings
    tables = {
        "dim_run": pa.table(
            {
                "run_id": [run_id],
                "as_of_utc": pa.array([night.as_of_utc], TIMESTAMP),
                "version": [version("opencarbon")],
                "profile": [settings.estimate.profile],
                "emission_factor_type": [settings.electricity_maps.emission_factor_type],
                "accounting_basis": [ACCOUNTING_BASIS[settings.electricity_maps.accounting_basis]],
                "jobs_read": [jobs.read],
                "jobs_rejected": [jobs.rejected],
                "inputs_sha256": [inputs_sha256],
            }
        ),
        "dim_source": catalog.sources,
        "dim_zone": catalog.zones,
        "dim_region": catalog.regions,
        "dim_device": catalog.devices,
        "dim_device_embodied": catalog.embodied,
        "dim_date": run_dates(curves.start_utc, curves.horizon),
        "rec_region": region_advice(
            read_parts(night.work, "region_sums"), context.regions, curves, accounts.claims
        ),
        "fact_region_load_hourly": region_loads(
            read_parts(night.work, "region_hours"), curves.start_utc, capacity_of_night(night.work)
        ),
        "fact_total": accounts.totals,
        "fact_device_fit": context.fits,
        "training_runs": read_arrow(night.work / "runs.arrow"),
        "fact_grid_intensity_hourly": _publishable(curves.hourly, everything=settings.publish.grid_hourly),
        "run_event": event_rows(events),
        "meta_columns": meta_columns(PUBLISHED, extra={"dim_job": carried_fields(night)}),
    }
    return {name: _in_key_order(name, table) for name, table in tables.items()}


def _publishable(hourly: pa.Table, *, everything: bool) -> pa.Table:
    if everything:
        return hourly
    is_free = pc.is_in(hourly["intensity_kind"], value_set=pa.array(_FREE_KINDS))
    # the anomaly of licensed hours lives on in the annual hours behind them
    licensed = pc.unique(hourly["zone"].filter(pc.invert(is_free)))
    return hourly.filter(pc.and_not(is_free, pc.is_in(hourly["zone"], value_set=licensed)))


def _in_key_order(name: str, table: pa.Table) -> pa.Table:
    key = [column for column in PUBLISHED[name].key if column in table.column_names]
    return table.sort_by([(column, "ascending") for column in key]) if key else table


def degraded_zones(jobs: JobsRead, context: Context) -> Iterator[Event]:
    """What the reader should know of zones whose curve stands on poorer data than a forecast.

    Parameters
    ----------
    jobs : JobsRead
    context : Context

    Yields
    ------
    Event
    """
    head = context.curves.head_kinds()
    codes = {code: kind for kind, code in KIND_CODE.items()}
    wanted = set(jobs.zones)
    for zone, code in zip(context.curves.zones, head, strict=True):
        kind = codes[int(code)]
        if zone in wanted and kind not in ("measured", "forecast", "example"):
            detail = f"no forecast covers the planning horizon of zone {zone}; {kind} intensities stand in"
            yield Event("warning", "planning", zone, "no_forecast", detail)
        elif zone in wanted and kind == "example":
            detail = f"zone {zone} is planned on made-up example intensities"
            yield Event("warning", "planning", zone, "example_intensity", detail)


def extra_columns(night: Night) -> "Mapping[str, list[pa.Field[Any]]]":
    """Columns beside those of the contracts, by table.

    Parameters
    ----------
    night : Night

    Returns
    -------
    mapping of str to list of pa.Field
    """
    return {"dim_job": carried_fields(night)}
