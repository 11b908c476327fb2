"""Named constants, conversions and the one list of units that may end a name.

Every quantity has one unit in the whole code base. A source that speaks another unit is converted at its border,
with the functions and constants below.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
SECONDS_PER_HOUR: Final = 3600.0
HOURS_PER_DAY: Final = 24.0
HOURS_PER_YEAR: Final = 8760.0
"""Hours of a year of 365 days, the year of OpenCarbonEval's embodied life (section 3.4)."""
FLOP_PER_TFLOP: Final = 1e12
WATTS_PER_KILOWATT: Final = 1e3
WATTS_PER_MEGAWATT: Final = 1e6
GRAMS_PER_KILOGRAM: Final = 1e3

UNIT_SUFFIXES: Final[dict[str, str]] = {
    "_gco2e_per_kwh": "gCO2e/kWh",
    "_kgco2e_per_run": "kgCO2e/run",
    "_kgco2e": "kgCO2e",
    "_kwh": "kWh",
    "_mw": "MW",
    "_w": "W",
    "_tflop_per_s": "TFLOP/s",
    "_flop": "FLOP",
    "_flop_per_sample": "FLOP",
    "_gb": "GB",
    "_mm2": "mm2",
    "_nm": "nm",
    "_pct": "%",
    "_utc": "UTC",
}
"""Suffix of a column name -> unit in the dictionary. The longest suffix that fits decides."""


def whole_hour(moment: datetime) -> datetime:
    """Start of the hour in UTC that a moment lies in.

    Parameters
    ----------
    moment : datetime
        Aware. In zones with an offset of half an hour, hours of the clock are not hours of the grid.

    Returns
    -------
    datetime
        In UTC.
    """
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def unit_of(name: str) -> str | None:
    """Unit that the suffix of a column name stands for.

    Parameters
    ----------
    name : str
        Name of a column, such as ``energy_kwh``.

    Returns
    -------
    str or None
        The unit, or None where the name carries no unit suffix.
    """
    fitting = [suffix for suffix in UNIT_SUFFIXES if name.endswith(suffix)]
    return UNIT_SUFFIXES[max(fitting, key=len)] if fitting else None
