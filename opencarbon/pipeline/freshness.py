"""Which zones need not be asked for: those whose hours the store has from the hour that is looked from."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import SourceError
from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps.bodies import SANDBOX_SOURCE_ID
from opencarbon.sources.electricity_maps.rights import known_rights
from opencarbon.sources.store.intensities import read_as_of
from opencarbon.tables.columns import TIMESTAMP
from opencarbon.units import whole_hour

_LAST_DAY: Final = timedelta(days=1)
_KINDS: Final = ("measured", "forecast")


def fresh_zones(
    settings: Settings, zones: Sequence[str], *, fetched_at_utc: datetime, now_utc: datetime
) -> frozenset[str]:
    """Zones whose forecast and measured hours were fetched in the hour of a pull, or before it in that hour.

    Parameters
    ----------
    settings : Settings
    zones : sequence of str
    fetched_at_utc : datetime
        The moment of the pull.
    now_utc : datetime
        Where the plan was found, within the last day, not to cover forecasts of a zone, measured hours will do.

    Returns
    -------
    frozenset of str
        None where the store cannot be read.
    """
    running = whole_hour(fetched_at_utc)
    try:
        rights = known_rights(settings.store.root, settings.electricity_maps.base_url, now_utc)
        rows, _ = read_as_of(
            *(settings.store.root, fetched_at_utc),
            since_utc=running - _LAST_DAY,
            zones=zones,
            kinds=_KINDS,
        )
    except SourceError:  # said where the night reads it
        return frozenset()
    rows = rows.filter(_counts(settings, running))
    by_kind = {
        kind: {str(zone) for zone in rows.filter(is_kind)["zone"].to_pylist()}
        for kind, is_kind in ((kind, pc.field("intensity_kind") == pa.scalar(kind)) for kind in _KINDS)
    }
    return frozenset(
        zone
        for zone in by_kind["measured"]
        if zone in by_kind["forecast"] or rights.covers(zone, "forecast") is False
    )


def _counts(settings: Settings, running: datetime) -> pc.Expression:
    """Rows with a value, of this hour's fetches, of the kind of figure that is asked for."""
    options = settings.electricity_maps
    counts = (
        (pc.field("fetched_at_utc") >= pa.scalar(running, TIMESTAMP))
        & (pc.field("emission_factor_type") == pa.scalar(options.emission_factor_type))
        & (pc.field("accounting_basis") == pa.scalar(options.accounting_basis))
        & pc.field("carbon_intensity_gco2e_per_kwh").is_valid()
    )
    if options.allow_sandbox:
        return counts
    return counts & (pc.field("source_id") != pa.scalar(SANDBOX_SOURCE_ID))
