"""The append-only store of carbon intensities: what was fetched stays as it was, and is read as of a time.

Every fetch is one immutable file, see :mod:`opencarbon.sources.store.layout`. The digest in its name is of the content,
so that the same fetch stored twice is one file, and a damaged file is recognised.
"""

from collections.abc import Collection
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import ContractError
from opencarbon.sources.store.files import digest_of, parquet_bytes, put
from opencarbon.sources.store.layout import LONGEST_LEAD, fetch_path
from opencarbon.sources.store.reading import STORE, Query, rows_of
from opencarbon.sources.store.rows import KEY, newest, ordered
from opencarbon.tables.conform import conform
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY, with_accounting_basis


def append(root: str, table: pa.Table, *, fetched_at_utc: datetime) -> str:
    """Store what one fetch brought, as one immutable file.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. It is made where it is missing.
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
        If the table breaks ``GRID_INTENSITY``, holds rows of another fetch, a forecast for more than seven days ahead,
        or the same hour of the same issue twice.
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be written.
    """
    fetched = _aware(fetched_at_utc, "fetched_at_utc")
    rows = ordered(conform(with_accounting_basis(table), GRID_INTENSITY))
    _check_fetch(rows, fetched)
    content = parquet_bytes(rows)
    path = fetch_path(fetched, rows["hour_start_utc"], digest_of(content))
    put(root, path, content, store=STORE)
    return path


def read_as_of(
    root: str,
    as_of_utc: datetime,
    *,
    since_utc: datetime | None = None,
    until_utc: datetime | None = None,
    zones: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> tuple[pa.Table, list[Event]]:
    """Read what the store knew at a time.

    Only fetches up to ``as_of_utc`` count. For the same zone, hour, kind, emission factor type and accounting basis the
    newest fetch wins, and within it the newest issue. A null of the newest fetch wins too: what the source took back is
    unknown.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. Where nothing is, the store is empty.
    as_of_utc : datetime
        The moment to look from, with a time zone.
    since_utc, until_utc : datetime, optional
        Leave out hours that start before the one, or at the other or later.
    zones, kinds : collection of str, optional
        Leave out other zones and kinds.

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY`` by zone, kind, emission factor type, accounting basis and hour; and a warning for
        each file that is damaged or cannot be read, whose rows are missing.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be listed.

    Notes
    -----
    Files that cannot hold hours of the range, or hold other kinds, are not opened. Reading takes about a second of one
    core for a year of measured hours of 60 zones where they are merged (``opencarbon store compact``), and two
    milliseconds for each fetch that is not.
    """
    query = Query(
        _aware(as_of_utc, "as_of_utc"),
        None if since_utc is None else _aware(since_utc, "since_utc"),
        None if until_utc is None else _aware(until_utc, "until_utc"),
        zones,
        kinds,
    )
    rows, events = rows_of(root, query)
    return newest(rows), events


def _aware(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{name} must carry a time zone, not {moment.isoformat()}")
    return moment.astimezone(UTC)


def _check_fetch(rows: pa.Table, fetched: datetime) -> None:
    violations = []
    others = pc.unique(rows["fetched_at_utc"]).to_pylist()
    if others not in ([], [fetched]):
        violations.append(f"column 'fetched_at_utc' holds {others[:3]}, not only {fetched.isoformat()}")
    forecast = rows.filter(pc.field("intensity_kind") == pa.scalar("forecast"))
    last = pc.max(forecast["hour_start_utc"]).as_py()
    if last is not None and last > fetched + LONGEST_LEAD:
        violations.append(
            f"forecast hour {last.isoformat()} is more than {LONGEST_LEAD.days} days after the fetch"
        )
    repeated = rows.num_rows - rows.group_by([*KEY, "issued_at_utc"]).aggregate([]).num_rows
    if repeated:
        violations.append(f"{repeated} rows repeat the hour and issue of another")
    if violations:
        raise ContractError(GRID_INTENSITY.name, violations)
