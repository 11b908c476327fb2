"""The hours of a zone as a run used them, where they are published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opencarbon.pipeline.explain.rows import rows_where
from opencarbon.sources.places import Place
from opencarbon.units import HOUR


@dataclass(frozen=True, slots=True)
class ZoneHours:
    """Hourly carbon intensity of a zone.

    Parameters
    ----------
    zone : str
    start_utc : datetime
        Beginning of the first hour.
    values : tuple of float or None
        Of each hour [gCO2e/kWh].
    kinds : tuple of str
        Kinds of data behind them, each once.
    source_ids : tuple of str
    """

    zone: str
    start_utc: datetime
    values: tuple[float | None, ...]
    kinds: tuple[str, ...]
    source_ids: tuple[str, ...]


def zone_hours(run: Place, zone: str | None) -> ZoneHours | None:
    """Hours of a zone, None where none are published.

    Parameters
    ----------
    run : Place
        Directory of a run.
    zone : str or None

    Returns
    -------
    ZoneHours or None
    """
    rows = [] if zone is None else rows_where(run, "fact_grid_intensity_hourly", "zone", zone)
    if not rows or zone is None:
        return None
    start = min(row["hour_start_utc"] for row in rows)
    values = {
        int((row["hour_start_utc"] - start) / HOUR): row["carbon_intensity_gco2e_per_kwh"] for row in rows
    }
    return ZoneHours(
        zone,
        start,
        tuple(values.get(hour) for hour in range(max(values) + 1)),
        tuple(sorted({row["intensity_kind"] for row in rows if row["intensity_kind"]})),
        tuple(sorted({row["source_id"] for row in rows if row["source_id"]})),
    )
