"""Which past hours are to be asked for: those that the store lacks, and those that are revised by now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps.bodies import SANDBOX_SOURCE_ID
from opencarbon.sources.electricity_maps.past import Span
from opencarbon.sources.store.intensities import read_as_of
from opencarbon.tables.events import Event
from opencarbon.units import HOUR

REVISED_AFTER: Final = tuple(timedelta(days=days) for days in (1, 8, 31, 92))
"""Ages at which an hour is asked for again, if it was fetched before.

Electricity Maps fetches its own sources again once a day, over 48 hours, for the current day and for a week, a month and
three months in the past (wiki of electricitymaps-contrib, Automatic data refetches): a day later each is done. What is
older is unlikely to change.
"""

USUAL_SPAN: Final = timedelta(days=10)
"""Length of the range that is looked at where no start is given."""

TRAILING: Final = REVISED_AFTER[-1] + timedelta(days=10)
"""How far back hours are looked for that are to be asked for again: a pull every ten days misses none."""


@dataclass(frozen=True, slots=True)
class HoursOfZone:
    """Past hours of a zone.

    Parameters
    ----------
    known : set of datetime
        Hours of which the store has a measured row that was fetched after they had ended, a null among it.
    due : set of datetime
        Those of them that are to be asked for again.
    """

    known: set[datetime] = field(default_factory=set)
    due: set[datetime] = field(default_factory=set)


def hours_in_store(
    settings: Settings, zones: Sequence[str], span: Span, now_utc: datetime
) -> tuple[dict[str, HoursOfZone], list[Event]]:
    """What the store has of past hours.

    Parameters
    ----------
    settings : Settings
        The emission factor type and the accounting basis that count, and whether made-up data do.
    zones : sequence of str
    span : Span
    now_utc : datetime
        With a time zone.

    Returns
    -------
    tuple of dict of str to HoursOfZone, and list of Event
        By zone; and warnings of files that cannot be read.

    Raises
    ------
    ConfigError
        If the store has a format that this version does not know.
    SourceUnavailableError
        If the store cannot be read.

    Notes
    -----
    An hour is due where it has passed one of :data:`REVISED_AFTER` since it was fetched last.
    """
    options = settings.electricity_maps
    stored, unreadable = read_as_of(
        *(settings.store.root, now_utc),
        since_utc=span.start_utc,
        until_utc=span.end_utc,
        zones=zones,
        kinds=("measured",),
    )
    hour, fetched = pc.field("hour_start_utc"), pc.field("fetched_at_utc")
    is_asked_for = (
        (pc.field("emission_factor_type") == pa.scalar(options.emission_factor_type))
        & (pc.field("accounting_basis") == pa.scalar(options.accounting_basis))
        & (fetched >= hour + pa.scalar(HOUR))
    )
    if not options.allow_sandbox:
        is_asked_for &= ~(pc.field("source_id") == pa.scalar(SANDBOX_SOURCE_ID))
    known = stored.filter(is_asked_for)
    found = {zone: HoursOfZone() for zone in zones}
    for zone, start in _tuples(known, "zone", "hour_start_utc"):
        found[zone].known.add(start)
    now = pa.scalar(now_utc, stored.schema.field("hour_start_utc").type)
    for age in REVISED_AFTER:
        is_due = (fetched < hour + pa.scalar(age)) & (hour + pa.scalar(age) <= now)
        for zone, start in _tuples(known.filter(is_due), "zone", "hour_start_utc"):
            found[zone].due.add(start)
    return found, unreadable


def _tuples(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in columns), strict=True)
