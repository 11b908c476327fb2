"""Bodies that the Electricity Maps API answers with, checked and turned into rows. Pure: bytes in, tables out.

What comes back must be what was asked for: the zone, the emission factor type, the basis. A null stays
null. API: https://app.electricitymaps.com/docs/reference
"""

import json
from datetime import datetime

import pyarrow as pa

from opencarbon.errors import SourceShapeError
from opencarbon.sources.electricity_maps.models import (
    Asked,
    Forecast,
    History,
    Latest,
    Past,
    PastRange,
    read_body,
)
from opencarbon.sources.electricity_maps.rows import SANDBOX_SOURCE_ID, SOURCE_ID, intensity_table
from opencarbon.units import HOUR

__all__ = [
    "SANDBOX_SOURCE_ID",
    "SOURCE_ID",
    "Asked",
    "parse_forecast",
    "parse_history",
    "parse_latest",
    "parse_past",
    "parse_past_range",
]


def parse_latest(
    body: bytes,
    asked: Asked,
    *,
    fetched_at_utc: datetime,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/latest``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
    asked : Asked
    fetched_at_utc : datetime

    Returns
    -------
    pa.Table
        One row of ``GRID_INTENSITY``, ``measured``.
    """
    latest = read_body(Latest, body, asked.zone)
    return intensity_table(
        *(latest, [latest], "measured"),
        asked=asked,
        fetched_at_utc=fetched_at_utc,
    )


def parse_history(
    body: bytes,
    asked: Asked,
    *,
    fetched_at_utc: datetime,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/history``.

    Parameters
    ----------
    body : bytes
        As fetched.
    asked : Asked
    fetched_at_utc : datetime
        When it was fetched, with a time zone.

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY``, ``measured``, by hour. A null intensity stays null. Finer data are averaged over
        the hour, which counts as estimated unless all of it is there.

    Raises
    ------
    SourceShapeError
        If the body is not what the documentation promises, or answers for another zone, emission factor type or
        basis.
    SourcePlanError
        If these are sandbox data and ``allow_sandbox`` is not set.
    """
    history = read_body(History, body, asked.zone)
    return intensity_table(
        *(history, history.history, "measured"),
        asked=asked,
        fetched_at_utc=fetched_at_utc,
    )


def parse_past(
    body: bytes,
    asked: Asked,
    *,
    hour_start_utc: datetime,
    fetched_at_utc: datetime,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/past``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
        One row, or a list of rows under ``data``: both are documented.
    asked : Asked
    hour_start_utc : datetime
        The hour asked for; what lies outside it is dropped.
    fetched_at_utc : datetime

    Returns
    -------
    pa.Table
        One row of ``GRID_INTENSITY``, ``measured``; none where the answer does not hold the hour.
    """
    past: Latest | Past
    if _is_list(body):
        past = read_body(Past, body, asked.zone)
        rows = past.data
    else:
        past = read_body(Latest, body, asked.zone)
        rows = [past]
    said = past.zone is not None or all(row.zone is not None for row in rows)
    if not said:
        raise SourceShapeError(f"zone: asked for {asked.zone}, the answer does not say which it is for")
    return intensity_table(
        *(past, rows, "measured"),
        asked=asked,
        fetched_at_utc=fetched_at_utc,
        within=(hour_start_utc, hour_start_utc + HOUR),
    )


def _is_list(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "data" in content


def parse_past_range(
    body: bytes,
    asked: Asked,
    *,
    start_utc: datetime,
    end_utc: datetime,
    fetched_at_utc: datetime,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/past-range``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
    asked : Asked
    start_utc, end_utc : datetime
        The range asked for, half-open. Whether the service counts the end in is not documented, so that what lies
        outside is dropped: ranges that touch share no hour.
    fetched_at_utc : datetime

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY``, ``measured``, by hour.
    """
    past = read_body(PastRange, body, asked.zone)
    return intensity_table(
        *(past, past.data, "measured"),
        asked=asked,
        fetched_at_utc=fetched_at_utc,
        within=(start_utc, end_utc),
    )


def parse_forecast(
    body: bytes,
    asked: Asked,
    *,
    fetched_at_utc: datetime,
) -> pa.Table:
    """Read the answer of ``carbon-intensity/forecast``; see :func:`parse_history`.

    Parameters
    ----------
    body : bytes
    asked : Asked
    fetched_at_utc : datetime

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY``, ``forecast``, from the running hour on, ``issued_at_utc`` being ``updatedAt``.
        Bodies known so far do not repeat the emission factor type: it is what the request said.
    """
    forecast = read_body(Forecast, body, asked.zone)
    return intensity_table(
        *(forecast, forecast.forecast, "forecast"),
        asked=asked,
        fetched_at_utc=fetched_at_utc,
        issued_at_utc=forecast.updated_at,
    )
