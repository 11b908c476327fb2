"""Fetches of a made-up zone or two, and what a store of them knows."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from opencarbon.sources.store.files import parquet_bytes
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.sources.store.rows import ordered
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import GRID_INTENSITY, with_accounting_basis

T0 = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = T0 + timedelta(days=365)


def fetched(
    at: datetime, *rows: tuple[str, int, float | None], kind: str = "measured", **changed: Any
) -> pa.Table:
    """A fetch: rows of (zone, hour from T0, intensity)."""
    known: dict[str, Any] = {
        "intensity_kind": kind,
        "emission_factor_type": "lifecycle",
        "is_estimated": None,
        "issued_at_utc": None,
        "fetched_at_utc": at,
        "source_id": "electricity-maps-api",
        "accounting_basis": "flow_traced",
    }
    dicts = [
        {"zone": zone, "hour_start_utc": T0 + hour * HOUR, "carbon_intensity_gco2e_per_kwh": value}
        | known
        | changed
        for zone, hour, value in rows
    ]
    return pa.Table.from_pylist(dicts, schema=GRID_INTENSITY.schema())


def stored(root: Path, at: datetime, *rows: tuple[str, int, float | None], **changed: Any) -> str:
    return append(str(root), fetched(at, *rows, **changed), fetched_at_utc=at)


def known(root: Path, as_of: datetime, **filters: Any) -> dict[tuple[str, int], float | None]:
    table, events = read_as_of(str(root), as_of, **filters)
    assert events == []
    return {
        (row["zone"], round((row["hour_start_utc"] - T0) / HOUR)): row["carbon_intensity_gco2e_per_kwh"]
        for row in table.to_pylist()
    }


def snapshot_digest(table: pa.Table) -> str:
    """Fingerprint of intensities: of their rows alone, not of how the store splits them into files."""
    rows = conform(with_accounting_basis(table), GRID_INTENSITY)
    return hashlib.sha256(parquet_bytes(ordered(rows))).hexdigest()
