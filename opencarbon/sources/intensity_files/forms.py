"""Forms of a user's file of intensities: what its columns are called, its unit, how fine its rows are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Granularity = Literal["hourly", "30min", "15min", "5min"]
Unit = Literal["g/kWh", "kg/MWh", "kg/kWh", "lbs/MWh"]

MINUTES_OF: Final[Mapping[Granularity, int]] = {"hourly": 60, "30min": 30, "15min": 15, "5min": 5}
G_PER_KWH_OF: Final[Mapping[Unit, float]] = {
    "g/kWh": 1.0,
    "kg/MWh": 1.0,
    "kg/kWh": 1000.0,
    "lbs/MWh": 0.45359237,  # the international pound is 0.45359237 kg: NIST Special Publication 811, appendix B.8
}

EXPORT_SOURCE_ID: Final = "electricity-maps-export"

_ZONE: Final = "zone id"
_TIME: Final = "datetime (utc)"
_IS_ESTIMATED: Final = "data estimated"
_INTENSITY: Final = re.compile(r"carbon intensity gco2eq/kwh \((.+)\)")
_FACTORS: Final = {
    "direct": "direct",
    "lca": "lifecycle",
    "life cycle": "lifecycle",
    "life cycle assessment": "lifecycle",
}
"""How exports of different years call emission factors: "LCA" in those of 2022 and 2023, "Life cycle" later."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """How a file is to be read; what is not said is not guessed.

    Parameters
    ----------
    columns : mapping of str to str, optional
        Their column name to ours.
    zone : str, optional
        Zone of all rows of a file without a column of zones.
    granularity : {"hourly", "30min", "15min", "5min"}, optional
        Length of what a row is about. Finer rows become the mean of their hour; where one is missing or unknown the
        mean of the others counts as estimated.
    unit : {"g/kWh", "kg/MWh", "kg/kWh", "lbs/MWh"}, optional
    naive_is_utc : bool, optional
        Times without a time zone are in UTC.
    is_wide : bool, optional
        The first column is the time, each other one a zone.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    granularity: Granularity = "hourly"
    unit: Unit = "g/kWh"
    naive_is_utc: bool = False
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """Columns of a file that Electricity Maps exported.

    Parameters
    ----------
    columns : mapping of str to str
        Name of ours to theirs, without the intensities.
    intensities : mapping of str to str
        Emission factor type to their column of intensities.
    """

    columns: Mapping[str, str]
    intensities: Mapping[str, str]


def export_of(headings: Sequence[str]) -> Export | None:
    """Recognise an export of Electricity Maps by its header.

    Parameters
    ----------
    headings : sequence of str

    Returns
    -------
    Export or None
        None where it is another file.

    Notes
    -----
    The data portal of Electricity Maps lists the columns (https://www.electricitymaps.com/data-portal); their spelling
    differs between years in capitals, the small two of CO2 and the name of lifecycle factors.
    """
    known = {" ".join(name.lower().replace("₂", "2").split()): name for name in headings}
    if _TIME not in known or _ZONE not in known:
        return None
    intensities = {
        _FACTORS[match[1]]: name
        for plain, name in known.items()
        if (match := _INTENSITY.fullmatch(plain)) and match[1] in _FACTORS
    }
    if not intensities:
        return None
    columns = {"zone": known[_ZONE], "hour_start_utc": known[_TIME]}
    if _IS_ESTIMATED in known:
        columns["is_estimated"] = known[_IS_ESTIMATED]
    return Export(columns, dict(sorted(intensities.items(), reverse=True)))
