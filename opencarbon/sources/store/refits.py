"""Refits between nights: the fits in the store of fits, and beside them the runs behind them and what was said.

::

    <root>/training_runs/v1/<profile>/<moment>-<digest>.parquet

is there before the fits are, so that whoever finds the fits of a refit finds its runs.
"""

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from opencarbon.errors import SourceError
from opencarbon.sources.store.files import (
    MOMENT_IN_NAMES,
    content_of,
    digest_of,
    find,
    listed,
    name_of,
    parquet_bytes,
    put,
)
from opencarbon.sources.store.fits import StoredFits, keep_fits
from opencarbon.tables.events import Event

_FILE: Final = re.compile(r"(\d{8}T\d{12}Z)-([0-9a-f]{16})\.parquet")
_STORE: Final = "store of fits"
_EVENTS: Final = "events"


def keep_refit(
    root: str, stored: StoredFits, runs: pa.Table, events: Sequence[Event], *, profile: str
) -> None:
    """Store a refit for the nights of its day.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. It is made where it is missing.
    stored : StoredFits
        Of the kind ``refit``.
    runs : pa.Table
        ``training_runs``.
    events : sequence of Event
        What nights are to say of it.
    profile : str

    Raises
    ------
    ContractError
        If the fits break ``DEVICE_FITS``.
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be written.
    """
    said: dict[bytes | str, bytes | str] = {_EVENTS: json.dumps([asdict(event) for event in events])}
    content = parquet_bytes(runs, said)
    moment = stored.moment_utc.astimezone(UTC).strftime(MOMENT_IN_NAMES)
    put(root, f"{_folder(profile)}/{moment}-{digest_of(content)}.parquet", content, store=_STORE)
    keep_fits(root, stored, profile=profile)


def read_refit(root: str, moment_utc: datetime, *, profile: str) -> tuple[pa.Table, list[Event]] | None:
    """Runs behind a refit, and what was said of it.

    Parameters
    ----------
    root : str
    moment_utc : datetime
        Aware; of the refit.
    profile : str

    Returns
    -------
    tuple of pa.Table and list of Event, or None
        ``training_runs``; None where they are not there, or damaged: the night refits for itself.
    """
    wanted = moment_utc.astimezone(UTC).strftime(MOMENT_IN_NAMES)
    try:
        system, paths = find(root, _folder(profile), _paths, store=_STORE)
        for path in sorted(paths, reverse=True):
            match = _FILE.fullmatch(name_of(path))
            if match and match[1] == wanted and digest_of(content := content_of(system, path)) == match[2]:
                return _parsed(content)
    except (SourceError, OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        return None
    return None


def _parsed(content: bytes) -> tuple[pa.Table, list[Event]]:
    with pq.ParquetFile(io.BytesIO(content)) as file:
        table = file.read()
    said = json.loads((table.schema.metadata or {})[_EVENTS.encode()])
    return table.replace_schema_metadata(None), [Event(**event) for event in said]


def _folder(profile: str) -> str:
    return f"training_runs/v1/{profile}"


def _paths(system: pafs.FileSystem, folder: str) -> Iterator[str]:
    return (f"{folder}/{info.base_name}" for info in listed(system, folder))
