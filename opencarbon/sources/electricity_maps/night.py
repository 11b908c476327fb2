"""Carbon intensity of a night from the Electricity Maps API, version 4: many zones at once, and when to stop asking.

What comes back is checked to be what was asked for. API: https://app.electricitymaps.com/docs/reference
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pyarrow as pa

from opencarbon.sources.electricity_maps.circuit import Circuit
from opencarbon.sources.electricity_maps.zone import Wanted, pull_zone
from opencarbon.sources.http import Client
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import GRID_INTENSITY

_EMPTY: Final = GRID_INTENSITY.schema().empty_table()


def pull_zones(
    client: Client,
    zones: Sequence[str],
    wanted: Wanted,
    *,
    workers: int = 4,
    asking: Callable[[str], None] = lambda zone: None,
) -> tuple[pa.Table, list[Event]]:
    """Forecast and measured hours of many zones; what fails for one is an event, and the others go on.

    Parameters
    ----------
    client : Client
        Shared by the threads, with its rate limit and its budget.
    zones : sequence of str
        Zones, those that matter most first: a budget may not hold for all. Repeated ones are asked once.
    wanted : Wanted
    workers : int, optional
        Requests under way at most.
    asking : callable, optional
        Told of every zone before it is asked for, from any thread.

    Returns
    -------
    tuple of pa.Table and list of Event
        Rows of ``GRID_INTENSITY`` and warnings, both in the order of the zones.

    Notes
    -----
    Nothing more is asked, and every zone left gets the same warning, once the token is refused before any zone
    worked, once the budget is spent, or once five zones in a row fail by refusal, throttling or silence.
    """
    circuit = Circuit()

    def pull(zone: str) -> tuple[pa.Table, list[Event]]:
        not_asked = circuit.not_asked(zone)
        if not_asked is not None:
            return _EMPTY, [not_asked]
        asking(zone)
        table, events = pull_zone(client, zone, wanted)
        circuit.record(events, worked=table.num_rows > 0)
        return table, events

    distinct = list(dict.fromkeys(zones))
    pulled = [pull(zone) for zone in distinct[:1]]  # alone, so that a bad token costs one request
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="electricity-maps") as pool:
        pulled += pool.map(pull, distinct[1:])
    tables = [table for table, _ in pulled]
    return pa.concat_tables([_EMPTY, *tables]), [event for _, events in pulled for event in events]
