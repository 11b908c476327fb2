"""The append-only store of device fits: one immutable file for every night, every refit between them, every acceptance.

::

    <root>/store.json                                                     {"format": 2}
    <root>/device_fits/v1/<profile>/<moment>-<night, refit or accepted>-<digest>.parquet

The moment is that which the night or the refit looked from, or that of the acceptance. The digest is of the content, so that the
same night stored twice is one file, and a damaged file is recognised.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, cast

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from opencarbon.errors import ContractError
from opencarbon.sources.storage import reason_of
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
from opencarbon.tables.conform import conform, of_any_minor_version
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import DEVICE_FITS

_FILE: Final = re.compile(r"(\d{8}T\d{12}Z)-(night|refit|accepted)-([0-9a-f]{16})\.parquet")
_HOUR: Final = len("20261122T21")
"""Where the text of a moment ends its hour."""
_STORE: Final = "store of fits"
_MODELS: Final = "models"
_LEGIBLE: Final = "legible_models"


Kind = Literal["night", "refit", "accepted"]


@dataclass(frozen=True, slots=True)
class StoredFits:
    """Fits as a night used them, or as a person accepted them.

    Parameters
    ----------
    fits : pa.Table
        ``DEVICE_FITS``.
    moment_utc : datetime
        Aware: what the night looked from, or when they were accepted.
    models, legible_models : int
        Rows of Epoch AI's table behind them, and those of which device, hours and FLOP could be read; 0 where it had
        no part.
    kind : {"night", "refit", "accepted"}
        A refit is one that the nights of its day use as it is.
    """

    fits: pa.Table
    moment_utc: datetime
    models: int
    legible_models: int
    kind: Kind = "night"


def keep_fits(root: str, stored: StoredFits, *, profile: str) -> str:
    """Store fits, as one immutable file.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. It is made where it is missing.
    stored : StoredFits
    profile : str
        Profiles are kept apart.

    Returns
    -------
    str
        Path of the file below the root. The same fits again give the same file.

    Raises
    ------
    ContractError
        If the table breaks ``DEVICE_FITS``.
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be written.
    """
    counts: dict[bytes | str, bytes | str] = {
        _MODELS: str(stored.models),
        _LEGIBLE: str(stored.legible_models),
    }
    content = parquet_bytes(conform(stored.fits, DEVICE_FITS), counts)
    name = f"{_text(stored.moment_utc)}-{stored.kind}-{digest_of(content)}.parquet"
    path = f"{_folder(profile)}/{name}"
    put(root, path, content, store=_STORE)
    return path


def newest_fits(root: str, *, profile: str, as_of_utc: datetime) -> tuple[StoredFits | None, list[Event]]:
    """The newest fits of before a moment.

    Of nights, those count that looked from before ``as_of_utc``, so that a night which is run again compares with what
    it compared with; of refits, also one of that very moment. An acceptance counts from the start of its hour: a night looks from the start of one, and one
    that is run after an acceptance is to know of it. Among files of one moment the last by name counts.

    Parameters
    ----------
    root : str
        Folder of the store: a path, or a URI of an object store. Where nothing is, there are none.
    profile : str
    as_of_utc : datetime
        Aware.

    Returns
    -------
    tuple of StoredFits or None, and list of Event
        A warning for each newer file that is damaged or cannot be read.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be listed.
    """
    system, paths = find(root, _folder(profile), _paths, store=_STORE)
    events: list[Event] = []
    for path in _newest_first(paths, as_of_utc):
        found = _read(system, path)
        if isinstance(found, StoredFits):
            return found, events
        events.append(found)
    return None, events


def _folder(profile: str) -> str:
    return f"device_fits/v1/{profile}"


def _text(moment_utc: datetime) -> str:
    if moment_utc.tzinfo is None:
        raise ValueError(f"the moment of fits must carry a time zone, not {moment_utc.isoformat()}")
    return moment_utc.astimezone(UTC).strftime(MOMENT_IN_NAMES)


def _paths(system: pafs.FileSystem, folder: str) -> Iterator[str]:
    return (f"{folder}/{info.base_name}" for info in listed(system, folder))


def _newest_first(paths: list[str], as_of_utc: datetime) -> Iterator[str]:
    limit = _text(as_of_utc)
    for path in sorted(paths, reverse=True):
        match = _FILE.fullmatch(name_of(path))
        if match and (match[1] < limit or _counts_at_once(match[2], match[1], limit)):
            yield path


def _counts_at_once(kind: str, moment: str, limit: str) -> bool:
    if kind == "accepted":
        return moment[:_HOUR] <= limit[:_HOUR]
    return kind == "refit" and moment == limit


def _read(system: pafs.FileSystem, path: str) -> StoredFits | Event:
    name = name_of(path)
    match = _FILE.fullmatch(name)
    try:
        content = content_of(system, path)
        if match is None or digest_of(content) != match[3]:
            return _skipped(name, "its content does not match the digest in its name")
        with pq.ParquetFile(io.BytesIO(content)) as file:
            table = file.read()
        said = table.schema.metadata or {}
        models, legible = (int(said[name.encode()]) for name in (_MODELS, _LEGIBLE))
        moment = datetime.strptime(match[1], MOMENT_IN_NAMES).replace(tzinfo=UTC)
        fits = of_any_minor_version(table.replace_schema_metadata(None), DEVICE_FITS)
        return StoredFits(fits, moment, models, legible, cast("Kind", match[2]))
    except (OSError, pa.ArrowException) as problem:
        return _skipped(name, reason_of(problem))
    except (KeyError, ValueError):
        return _skipped(name, f"it does not say {_MODELS} and {_LEGIBLE}")
    except ContractError as problem:
        return _skipped(name, problem.violations[0])


def _skipped(name: str, reason: str) -> Event:
    detail = (
        f"stored fits {name} are passed over: {reason}; older ones are compared with. Restore the file, or delete it "
        "to be rid of this warning"
    )
    return Event("warning", "fit_store", name, "unreadable_file", detail)
