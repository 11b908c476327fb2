"""Names of the files of the intensity store: what a file may hold is told by its name, so that few are opened.

::

    <root>/intensity/v1/<YYYY-MM>/<fetched>-<digest>.parquet                        fetches of stores of format 1
    <root>/intensity/v2/fetches/<YYYY-MM>/<fetched>-<hour>-<hour>-<digest>.parquet  fetches, with first and last hour
    <root>/intensity/v2/hours/<YYYY-MM>/<kind>-newest-<fetched>-<fetched>-<digest>.parquet
    <root>/intensity/v2/hours/<YYYY-MM>/<kind>-earlier-<fetched>-<fetched>-<until>-<digest>.parquet

Fetches lie in the month of the fetch. Below ``hours`` lies what compaction merged, in the month of its hours, with the
first and the last fetch: the newest word on every hour, and what was said before it, which only those need who look
from before ``until``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from opencarbon.sources.store.files import MOMENT_IN_NAMES, names_in
from opencarbon.units import HOUR

if TYPE_CHECKING:  # pyarrow's arrays are generic in its stubs only
    Chunks = pa.ChunkedArray[Any]

FOLDER: Final = "intensity"
LONGEST_LEAD: Final = timedelta(days=7)
"""How far past its fetch a forecast hour may lie."""

LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Before every hour."""

_HOUR_TEXT: Final = "%Y%m%dT%H"
_MONTH: Final = "%Y-%m"
_AT: Final = r"(\d{8}T\d{12}Z)"
_HOUR_AT: Final = r"(\d{8}T\d{2})"
_DIGEST: Final = r"([0-9a-f]{16})\.parquet"
_MONTHS: Final = re.compile(r"\d{4}-\d{2}")
_OLD: Final = re.compile(f"{_AT}-{_DIGEST}")
_FETCH: Final = re.compile(f"{_AT}-{_HOUR_AT}-{_HOUR_AT}-{_DIGEST}")
_MERGED: Final = re.compile(f"([a-z_]+)-(?:newest-{_AT}-{_AT}|earlier-{_AT}-{_AT}-{_AT})-{_DIGEST}")

Part = Literal["v1", "v2/fetches", "v2/hours"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the intensity store, as its name tells.

    Parameters
    ----------
    path : str
        Within its file system.
    digest : str
        Of its content.
    first_fetch_utc, last_fetch_utc : datetime
        Of its rows.
    first_hour_utc, last_hour_utc : datetime
        Bounds of its hours; wide ones for a fetch of format 1, which does not name them.
    kind : str or None
        Kind of all its intensities; None for a fetch.
    until_utc : datetime or None
        Every row of it has a newer one fetched by then; None where there is none such.
    """

    path: str
    digest: str
    first_fetch_utc: datetime
    last_fetch_utc: datetime
    first_hour_utc: datetime
    last_hour_utc: datetime
    kind: str | None = None
    until_utc: datetime | None = None

    @property
    def names_its_hours(self) -> bool:
        """Whether the bounds of its hours are exact to the month."""
        return self.first_hour_utc > LONG_AGO

    @property
    def is_merged(self) -> bool:
        """Whether compaction made it."""
        return self.kind is not None

    def may_hold(self, since_utc: datetime | None, until_utc: datetime | None) -> bool:
        """Whether hours that start at a time or later, and before another, may be in it.

        Parameters
        ----------
        since_utc, until_utc : datetime or None
            None is no bound.

        Returns
        -------
        bool
        """
        is_old = since_utc is not None and self.last_hour_utc < since_utc
        is_later = until_utc is not None and self.first_hour_utc >= until_utc
        return not is_old and not is_later


def fetch_path(fetched_at_utc: datetime, hours: Chunks, digest: str) -> str:
    """Path of a fetch below the root of the store.

    Parameters
    ----------
    fetched_at_utc : datetime
        In UTC.
    hours : pa.ChunkedArray
        Starts of its hours; a fetch without any names its own hour.
    digest : str

    Returns
    -------
    str
    """
    first, last = (bound(hours).as_py() or fetched_at_utc for bound in (pc.min, pc.max))
    name = f"{fetched_at_utc:{MOMENT_IN_NAMES}}-{first:{_HOUR_TEXT}}-{last:{_HOUR_TEXT}}-{digest}.parquet"
    return f"{FOLDER}/v2/fetches/{fetched_at_utc:{_MONTH}}/{name}"


def merged_path(
    month: str, kind: str, fetches: tuple[datetime, datetime], until_utc: datetime | None, digest: str
) -> str:
    """Path of a merged file below the root of the store.

    Parameters
    ----------
    month : str
        Of its hours, ``YYYY-MM``.
    kind : str
    fetches : tuple of datetime
        The first and the last, in UTC.
    until_utc : datetime or None
        See :class:`StoredFile`.
    digest : str

    Returns
    -------
    str
    """
    first, last = (f"{moment:{MOMENT_IN_NAMES}}" for moment in fetches)
    state, end = ("newest", "") if until_utc is None else ("earlier", f"-{until_utc:{MOMENT_IN_NAMES}}")
    return f"{FOLDER}/v2/hours/{month}/{kind}-{state}-{first}-{last}{end}-{digest}.parquet"


def months_between(first_utc: datetime, last_utc: datetime) -> Iterator[str]:
    """Months of the hours between two, both counted in.

    Parameters
    ----------
    first_utc, last_utc : datetime
        In UTC.

    Yields
    ------
    str
        ``YYYY-MM``.
    """
    month = first_utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= last_utc:
        yield f"{month:{_MONTH}}"
        month = (month + timedelta(days=31)).replace(day=1)


def bounds_of_month(month: str) -> tuple[datetime, datetime]:
    """The first hour of a month, and that of the next.

    Parameters
    ----------
    month : str
        ``YYYY-MM``.

    Returns
    -------
    tuple of datetime
        In UTC.
    """
    start = datetime.strptime(month, _MONTH).replace(tzinfo=UTC)
    return start, (start + timedelta(days=31)).replace(day=1)


def stored_files(system: pafs.FileSystem, folder: str) -> list[StoredFile]:
    """Files of the intensity store, fetches first.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    folder : str
        :data:`FOLDER` within it.

    Returns
    -------
    list of StoredFile
        By name within each folder. Compaction removes a fetch only once it is merged: looking for what is merged last,
        one misses nothing.
    """
    parts: tuple[Part, ...] = ("v1", "v2/fetches", "v2/hours")
    return [file for part in parts for file in _files_in(system, folder, part)]


def merged_files(system: pafs.FileSystem, folder: str) -> list[StoredFile]:
    """Files that compaction made.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    folder : str
        :data:`FOLDER` within it.

    Returns
    -------
    list of StoredFile
    """
    return list(_files_in(system, folder, "v2/hours"))


def needed(
    files: Collection[StoredFile], as_of_utc: datetime, kinds: Collection[str] | None, *, every: bool
) -> Iterator[StoredFile]:
    """Files that one has to open who looks from a time.

    Parameters
    ----------
    files : collection of StoredFile
    as_of_utc : datetime
    kinds : collection of str, optional
        Leave out other kinds.
    every : bool
        Not only the newest word on each hour is wanted.

    Yields
    ------
    StoredFile
    """
    for file in files:
        is_known = file.first_fetch_utc <= as_of_utc
        is_news = every or file.until_utc is None or as_of_utc < file.until_utc
        if is_known and is_news and (kinds is None or file.kind is None or file.kind in kinds):
            yield file


def _files_in(system: pafs.FileSystem, folder: str, part: Part) -> Iterator[StoredFile]:
    parse = {"v1": _old, "v2/fetches": _fetch, "v2/hours": _merged}[part]
    for month in names_in(system, f"{folder}/{part}"):
        if not _MONTHS.fullmatch(month):
            continue
        for name in names_in(system, f"{folder}/{part}/{month}"):
            file = parse(name, month)
            if file is not None:
                yield replace(file, path=f"{folder}/{part}/{month}/{name}")


def _old(name: str, month: str) -> StoredFile | None:
    match = _OLD.fullmatch(name)
    if match is None:
        return None
    fetched = _moment(match[1])
    return StoredFile(name, match[2], fetched, fetched, LONG_AGO, fetched + LONGEST_LEAD)


def _fetch(name: str, month: str) -> StoredFile | None:
    match = _FETCH.fullmatch(name)
    if match is None:
        return None
    fetched = _moment(match[1])
    first, last = (datetime.strptime(match[at], _HOUR_TEXT).replace(tzinfo=UTC) for at in (2, 3))
    return StoredFile(name, match[4], fetched, fetched, first, last)


def _merged(name: str, month: str) -> StoredFile | None:
    match = _MERGED.fullmatch(name)
    if match is None:
        return None
    kind, *moments, digest = match.groups()
    first, last, *until = (_moment(text) for text in moments if text)
    start, end = bounds_of_month(month)
    return StoredFile(name, digest, first, last, start, end - HOUR, kind, until[0] if until else None)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, MOMENT_IN_NAMES).replace(tzinfo=UTC)
