"""Intensities from files into the store: what it does not know yet, one file for every month of hours."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import SourceShapeError
from opencarbon.pipeline.night import Progress, silent
from opencarbon.settings import EmissionFactorType
from opencarbon.sources.intensity_files.forms import FileForm
from opencarbon.sources.intensity_files.reading import read_intensity_file
from opencarbon.sources.locations import public_name
from opencarbon.sources.store.intensities import append
from opencarbon.sources.store.layout import LONGEST_LEAD, bounds_of_month, months_between
from opencarbon.sources.store.reading import Query, rows_of
from opencarbon.sources.store.rows import KEY, changes, newest, news, ordered
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import with_accounting_basis

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""An older hour is a slip: nobody measured it."""

_STEP: Final = "import intensities"
_VALUE: Final = "carbon_intensity_gco2e_per_kwh"
_LOG: Final = logging.getLogger("opencarbon.pipeline")


@dataclass(frozen=True, slots=True)
class FileImport:
    """What a file brought.

    Parameters
    ----------
    location : str
    zones : int
    first_hour_utc, last_hour_utc : datetime or None
        None in a file without rows.
    rows, null_rows : int
        Rows of hours, and those of them without a value: they are not stored.
    stored_rows : int
        Rows that the store did not know, or would be stored.
    files : int
        Files of the store that hold them.
    """

    location: str
    zones: int
    first_hour_utc: datetime | None
    last_hour_utc: datetime | None
    rows: int
    null_rows: int
    stored_rows: int
    files: int


@dataclass(frozen=True, slots=True)
class GridImport:
    """What files brought.

    Parameters
    ----------
    fetched_at_utc : datetime
        The moment from which the store knows them.
    files : tuple of FileImport
    events : tuple of Event
        A warning for each file of the store that cannot be read.
    """

    fetched_at_utc: datetime
    files: tuple[FileImport, ...]
    events: tuple[Event, ...]


def import_grid(
    root: str,
    locations: Sequence[str],
    form: FileForm,
    *,
    fetched_at_utc: datetime,
    emission_factor_type: EmissionFactorType,
    accounting_basis: str,
    is_for_real: bool,
    progress: Progress = silent,
) -> GridImport:
    """Put what the store does not know of intensity files into it.

    Parameters
    ----------
    root : str
        Folder of the store: a path or a URI that pyarrow knows.
    locations : sequence of str
        Files, see :func:`opencarbon.sources.intensity_files.reading.read_intensity_file`.
    form : FileForm
    fetched_at_utc : datetime
        When they were got, with a time zone: nights that look from before do not see them.
    emission_factor_type, accounting_basis : str
        Of files that do not say them.
    is_for_real : bool
        Otherwise nothing is stored.
    progress : callable, optional

    Returns
    -------
    GridImport

    Raises
    ------
    SourceShapeError
        A file breaks the rules, or holds hours that nobody knew at ``fetched_at_utc``: measured ones that had not begun,
        or a forecast of more than seven days. The files before it are stored.
    SourceError
        A file cannot be read, or the store can be neither read nor written.

    Notes
    -----
    An hour of a file is stored where the store, as it was known at ``fetched_at_utc``, has no row of it or another
    value: the same file again stores nothing. Memory holds one file, and what the store knows of its hours.
    """
    done: list[FileImport] = []
    events: list[Event] = []
    for number, location in enumerate(locations):
        progress(_STEP, number, len(locations))
        rows = read_intensity_file(
            location,
            fetched_at_utc=fetched_at_utc,
            source_id="intensity-file",
            emission_factor_type=emission_factor_type,
            accounting_basis=accounting_basis,
            form=form,
        )
        valued = with_accounting_basis(rows.filter(pc.is_valid(rows[_VALUE])))
        _check_hours(valued, public_name(location), fetched_at_utc)
        unknown, problems = _unknown(root, valued, fetched_at_utc)
        events += problems
        files = 0
        for files, month in enumerate(_months(unknown), 1):
            if is_for_real:
                append(root, month, fetched_at_utc=fetched_at_utc)
        first, last = (bound(rows["hour_start_utc"]).as_py() for bound in (pc.min, pc.max))
        done.append(
            FileImport(
                *(public_name(location), len(_texts(rows, "zone")), first, last, rows.num_rows),
                *(rows.num_rows - valued.num_rows, unknown.num_rows, files),
            )
        )
    progress(_STEP, len(locations), len(locations))
    stored = sum(file.stored_rows for file in done)
    _LOG.info("intensities imported: files=%d rows_stored=%d", len(done), stored if is_for_real else 0)
    return GridImport(fetched_at_utc, tuple(done), tuple(dict.fromkeys(events)))


def _check_hours(rows: pa.Table, shown: str, fetched_at_utc: datetime) -> None:
    """Refuse hours that nobody can have known, for a typing error or a wrong ``--fetched-at`` made them so."""
    hours = rows["hour_start_utc"]
    first = pc.min(hours).as_py()
    if first is not None and first < _FIRST:
        raise SourceShapeError(f"{shown}: the hour {first.isoformat()} is before {_FIRST:%Y}")
    for kind, lead, words in (
        ("measured", timedelta(), "had not begun when the file was got"),
        ("forecast", LONGEST_LEAD, f"is more than {LONGEST_LEAD.days} days after the file was got"),
    ):
        last = pc.max(rows.filter(pc.field("intensity_kind") == pa.scalar(kind))["hour_start_utc"]).as_py()
        if last is not None and last > fetched_at_utc + lead:
            raise SourceShapeError(
                f"{shown}: the {kind} hour {last:%Y-%m-%d %H:%M} UTC {words}, {fetched_at_utc:%Y-%m-%d %H:%M} UTC: "
                "see intensity_kind of the file, and --fetched-at"
            )


def _unknown(root: str, rows: pa.Table, as_of_utc: datetime) -> tuple[pa.Table, list[Event]]:
    """Rows that the store did not know; of forecasts every issue counts, not only the newest."""
    is_forecast = pc.field("intensity_kind") == pa.scalar("forecast")
    parts, events = [], []
    for part, key in ((rows.filter(~is_forecast), KEY), (rows.filter(is_forecast), (*KEY, "issued_at_utc"))):
        if not part.num_rows:
            continue
        since, last = (bound(part["hour_start_utc"]).as_py() for bound in (pc.min, pc.max))
        query = Query(
            as_of_utc,
            since,
            bounds_of_month(f"{last:%Y-%m}")[1],
            zones=_texts(part, "zone"),
            kinds=_texts(part, "intensity_kind"),
            every=key != KEY,
        )
        known, problems = rows_of(root, query)
        events += problems
        parts.append(news(part, _one_of(known, key), key))
    return pa.concat_tables([rows.slice(0, 0), *parts]), events


def _texts(rows: pa.Table, name: str) -> list[str]:
    return [str(text) for text in rows[name].unique().to_pylist()]


def _one_of(known: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The newest row of each key."""
    if key == KEY:
        return newest(known)
    by_issue = ordered(known).sort_by([(name, "ascending") for name in key])
    return by_issue.filter(pa.array(changes(by_issue, key)))


def _months(rows: pa.Table) -> Iterator[pa.Table]:
    """Rows by the month of their hours."""
    if not rows.num_rows:
        return
    starts = rows["hour_start_utc"]
    months = months_between(pc.min(starts).as_py(), pc.max(starts).as_py())
    for since, until in map(bounds_of_month, months):
        start = pc.field("hour_start_utc")
        part = rows.filter((start >= pa.scalar(since)) & (start < pa.scalar(until)))
        if part.num_rows:
            yield part
