"""The append-only store of fetched carbon intensities: one immutable file per fetch, read as of a time.

::

    <root>/store.json                                            {"format": 1}
    <root>/intensity/v1/<YYYY-MM of the fetch>/<fetched>-<digest>.parquet

The digest is of the content, so that the same fetch stored twice is one file, and a damaged file is recognised.
"""

import hashlib
import io
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from opencarbon.errors import ContractError
from opencarbon.sources.storage import reason_of
from opencarbon.sources.store_files import (
    FORMAT,
    content_of,
    digest_of,
    find,
    listed,
    name_of,
    parquet_bytes,
    put,
)
from opencarbon.tables.conform import conform
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY

LONGEST_LEAD: Final = timedelta(days=7)
"""How far past its fetch an hour may lie; a reader need not open older files."""

_KEY: Final = ("zone", "intensity_kind", "emission_factor_type", "hour_start_utc")
_FILE: Final = re.compile(r"(\d{8}T\d{12}Z)-([0-9a-f]{16})\.parquet")
_FETCHED: Final = "%Y%m%dT%H%M%S%fZ"
_MONTH: Final = "%Y-%m"
_STORE: Final = "intensity store"
_EMPTY: Final = GRID_INTENSITY.schema().empty_table()


def append(root: str, table: pa.Table, *, fetched_at_utc: datetime) -> str:
    """Store what one fetch brought, as one immutable file.

    Parameters
    ----------
    root : str
        Folder of the store: a path or a URI that pyarrow knows. It is made where it is missing.
    table : pa.Table
        Rows of ``GRID_INTENSITY``, all of this fetch.
    fetched_at_utc : datetime
        When it was fetched, with a time zone.

    Returns
    -------
    str
        Path of the file below the root. The same table again gives the same file.

    Raises
    ------
    ContractError
        If the table breaks ``GRID_INTENSITY``, holds rows of another fetch, an hour more than seven days ahead, or
        the same hour of the same issue twice.
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be written.
    """
    fetched = _aware(fetched_at_utc, "fetched_at_utc")
    rows = _sorted(conform(table, GRID_INTENSITY))
    _check_fetch(rows, fetched)
    content = parquet_bytes(rows)
    name = f"{fetched.strftime(_FETCHED)}-{digest_of(content)}.parquet"
    path = f"intensity/v{FORMAT}/{fetched.strftime(_MONTH)}/{name}"
    put(root, path, content, store=_STORE)
    return path


def read_as_of(
    root: str,
    as_of_utc: datetime,
    *,
    since_utc: datetime | None = None,
    zones: Collection[str] | None = None,
) -> tuple[pa.Table, list[Event]]:
    """Read what the store knew at a time.

    Only fetches up to ``as_of_utc`` count. For the same zone, hour, kind and emission factor type the newest fetch
    wins, and within it the newest issue. A null of the newest fetch wins too: what the source took back is unknown.

    Parameters
    ----------
    root : str
        Folder of the store: a path or a URI that pyarrow knows. Where nothing is, the store is empty.
    as_of_utc : datetime
        The moment to look from, with a time zone.
    since_utc : datetime, optional
        Leave out hours that start before.
    zones : collection of str, optional
        Leave out other zones.

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY`` by zone, kind, emission factor type and hour; and a warning for each file that is
        damaged or cannot be read, whose rows are missing.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be listed.
    """
    as_of = _aware(as_of_utc, "as_of_utc")
    since = None if since_utc is None else _aware(since_utc, "since_utc")
    look = partial(_files, since=since, as_of=as_of)
    system, paths = find(root, f"intensity/v{FORMAT}", look, store=_STORE)
    tables, events = [_EMPTY], []
    for path in paths:
        found = _read(system, path)
        if isinstance(found, Event):
            events.append(found)
        else:
            tables.append(_only(found, since, zones))
    return _newest(pa.concat_tables(tables)), events


def snapshot_digest(table: pa.Table) -> str:
    """Fingerprint of intensities, for the hash of what a run was made from.

    Parameters
    ----------
    table : pa.Table
        Rows of ``GRID_INTENSITY``, in any order.

    Returns
    -------
    str
        SHA-256 in hex. It depends on the rows alone, not on how the store splits them into files.
    """
    return hashlib.sha256(parquet_bytes(_sorted(conform(table, GRID_INTENSITY)))).hexdigest()


def _aware(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{name} must carry a time zone, not {moment.isoformat()}")
    return moment.astimezone(UTC)


def _check_fetch(rows: pa.Table, fetched: datetime) -> None:
    violations = []
    others = pc.unique(rows["fetched_at_utc"]).to_pylist()
    if others not in ([], [fetched]):
        violations.append(f"column 'fetched_at_utc' holds {others[:3]}, not only {fetched.isoformat()}")
    last = pc.max(rows["hour_start_utc"]).as_py()
    if last is not None and last > fetched + LONGEST_LEAD:
        violations.append(
            f"hour_start_utc {last.isoformat()} is more than {LONGEST_LEAD.days} days after the fetch"
        )
    repeated = rows.num_rows - rows.group_by([*_KEY, "issued_at_utc"]).aggregate([]).num_rows
    if repeated:
        violations.append(f"{repeated} rows repeat the hour and issue of another")
    if violations:
        raise ContractError(GRID_INTENSITY.name, violations)


def _sorted(table: pa.Table) -> pa.Table:
    """By key, the newest fetch and issue first; nulls stand last, so that an unknown issue counts as the oldest."""
    order: list[tuple[str, Literal["ascending", "descending"]]] = [
        *((name, "ascending") for name in _KEY),
        ("fetched_at_utc", "descending"),
        ("issued_at_utc", "descending"),
        ("carbon_intensity_gco2e_per_kwh", "ascending"),
        ("source_id", "ascending"),
    ]
    return table.take(pc.sort_indices(table, sort_keys=order))


def _newest(table: pa.Table) -> pa.Table:
    """First row of each key."""
    rows = _sorted(table).combine_chunks()
    if not rows.num_rows:
        return rows
    is_first = np.zeros(rows.num_rows, dtype=np.bool_)
    is_first[0] = True
    for name in _KEY:
        values = rows[name].combine_chunks()
        differs = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
        is_first[1:] |= differs.to_numpy(zero_copy_only=False)
    return rows.filter(pa.array(is_first))


def _only(table: pa.Table, since: datetime | None, zones: Collection[str] | None) -> pa.Table:
    if since is not None:
        table = table.filter(
            pc.greater_equal(table["hour_start_utc"], pa.scalar(since, table["hour_start_utc"].type))
        )
    if zones is not None:
        table = table.filter(pc.is_in(table["zone"], value_set=pa.array(sorted(zones), pa.string())))
    return table


def _files(system: pafs.FileSystem, folder: str, since: datetime | None, as_of: datetime) -> Iterator[str]:
    """Paths of the files fetched up to a time that may hold hours since another, oldest first."""
    oldest = "" if since is None else (since - LONGEST_LEAD).strftime(_FETCHED)
    newest = as_of.strftime(_FETCHED)
    months = sorted(info.base_name for info in listed(system, folder) if info.type == pafs.FileType.Directory)
    for month in months:
        if not _month_of(oldest) <= month <= _month_of(newest):
            continue
        for name in sorted(info.base_name for info in listed(system, f"{folder}/{month}")):
            match = _FILE.fullmatch(name)
            if match and oldest <= match[1] <= newest:
                yield f"{folder}/{month}/{name}"


def _month_of(fetched: str) -> str:
    return f"{fetched[:4]}-{fetched[4:6]}" if fetched else ""


def _read(system: pafs.FileSystem, path: str) -> pa.Table | Event:
    name = name_of(path)
    match = _FILE.fullmatch(name)
    try:
        content = content_of(system, path)
        if match is None or digest_of(content) != match[2]:
            return _skipped(name, "its content does not match the digest in its name")
        return conform(pq.read_table(io.BytesIO(content)), GRID_INTENSITY)
    except (OSError, pa.ArrowException) as problem:
        return _skipped(name, reason_of(problem))
    except ContractError as problem:
        return _skipped(name, problem.violations[0])


def _skipped(name: str, reason: str) -> Event:
    detail = f"stored intensities of this fetch are left out: {reason}"
    return Event("warning", "intensity_store", name, "unreadable_file", detail)
