"""Rows and times as version 4 of the Electricity Maps API writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

HOUR = timedelta(hours=1)

_MINUTES = {"15_minutes": 15, "5_minutes": 5}
_STEP = 0.02
"""Relative rise from part to part of an hour; the parts of an hour have the mean of the hour."""


def text(moment: datetime) -> str:
    """A moment as the service writes it."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat(timespec="milliseconds") + "Z"


def row(
    zone: str,
    hour: datetime,
    value: float | None,
    *,
    factor_type: str,
    flow_traced: bool,
    is_estimated: bool,
    updated_at: datetime,
) -> dict[str, Any]:
    """A measured hour."""
    return {
        "zone": zone,
        "carbonIntensity": value,
        "datetime": text(hour),
        "updatedAt": text(updated_at),
        "createdAt": text(hour - 20 * HOUR),
        "emissionFactorType": factor_type,
        "flowTraced": flow_traced,
        "isEstimated": is_estimated,
        "estimationMethod": "FORECASTS_HIERARCHY" if is_estimated else None,
    }


def finer(rows: Sequence[dict[str, Any]], granularity: str) -> list[dict[str, Any]]:
    """The same hours in parts that rise evenly about the mean of the hour."""
    minutes = _MINUTES[granularity]
    parts = 60 // minutes
    made = []
    for hourly in rows:
        start, value = datetime.fromisoformat(hourly["datetime"]), hourly["carbonIntensity"]
        for part in range(parts):
            factor = 1 + (part - (parts - 1) / 2) * _STEP
            changed = {
                "datetime": text(start + part * timedelta(minutes=minutes)),
                "carbonIntensity": None if value is None else value * factor,
            }
            made.append(hourly | changed)
    return made
