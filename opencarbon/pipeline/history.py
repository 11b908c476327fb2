"""Run history of the own fleet, read for a night or a command."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog.catalog import Catalog
from opencarbon.errors import SourceError
from opencarbon.pipeline.night import Night
from opencarbon.settings import Settings
from opencarbon.sources.history import read_history
from opencarbon.sources.storage import scheme_of
from opencarbon.tables.events import Event, Severity

_SOURCE: Final = "own_history"
WHOLE_FILE: Final = "unread_file"
"""Rule that a file breaks as a whole."""


@dataclass(frozen=True, slots=True)
class FleetHistory:
    """What the logs of a fleet hold.

    Parameters
    ----------
    runs : pa.Table
        ``RUN_HISTORY``.
    rejected : pa.Table
        ``REJECTED_ROWS``: rows that break a rule, and files that are not read.
    """

    runs: pa.Table
    rejected: pa.Table


def fleet_history(
    settings: Settings, catalog: Catalog, *, offline: bool
) -> tuple[FleetHistory | None, list[Event]]:
    """Read the run history that the settings name.

    Parameters
    ----------
    settings : Settings
    catalog : Catalog
    offline : bool
        Read only what is on this machine.

    Returns
    -------
    FleetHistory or None
        None where the settings name nothing that may be read.
    list of Event
        A note where `offline` leaves places out.

    Raises
    ------
    SourceError
        Where none of the files can be read.
    """
    paths = settings.history.files
    here = [path for path in paths if not offline or scheme_of(path) in ("", "file")]
    events: list[Event] = []
    if len(here) < len(paths):
        detail = f"places of run histories not read, to stay offline: {len(paths) - len(here)}"
        events.append(Event("info", _SOURCE, None, "offline", detail))
    if not here:
        return None, events
    return FleetHistory(*read_history(here, device_units=catalog.device_units)), events


def night_history(night: Night, catalog: Catalog) -> tuple[pa.Table | None, list[Event]]:
    """Completed runs that the night's fits learn from.

    Parameters
    ----------
    night : Night
    catalog : Catalog

    Returns
    -------
    pa.Table or None
        ``RUN_HISTORY``; None where the settings name no file, or none can be read.
    list of Event
        What was not read: a warning for files, a note for rows, which the logs of a fleet always hold.
    """
    try:
        history, events = fleet_history(night.settings, catalog, offline=night.offline)
    except SourceError as problem:
        detail = f"{problem}; devices are fitted without the runs of the own fleet"
        return None, [Event("warning", _SOURCE, None, problem.code, detail)]
    if history is None:
        return None, events
    return history.runs, events + _said(history.rejected)


def _said(rejected: pa.Table) -> list[Event]:
    """One event for the files that were not read, and one for the rows, each with the first of them."""
    is_file = pc.equal(rejected["rule_code"], pa.scalar(WHOLE_FILE))
    kinds: tuple[tuple[Severity, str, pa.Table, str], ...] = (
        ("warning", WHOLE_FILE, rejected.filter(is_file), "files of the run history that are not read"),
        (
            "info",
            "rejected_rows",
            rejected.filter(pc.invert(is_file)),
            "rows of the run history that break a rule",
        ),
    )
    events = []
    for severity, code, rows, words in kinds:
        if rows.num_rows:
            first = rows.slice(0, 1).to_pylist()[0]
            place = first["manifest"] if code == WHOLE_FILE else f"{first['manifest']}, row {first['row']}"
            said = f"{words}: {rows.num_rows}; first: {place}: {first['reason']}; {first['remedy']}"
            detail = f"{said}. `opencarbon fit` lists them"
            events.append(Event(severity, _SOURCE, None, code, detail))
    return events
