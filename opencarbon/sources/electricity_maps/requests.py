"""Requests to the Electricity Maps API, version 4: what each of them says.

Every one says ``disableCallerLookup=true``, because without a known zone the service answers for the place of the
caller, and the emission factor type and the basis, because intensities of two types or bases must never meet in one
comparison. API: https://app.electricitymaps.com/docs/reference
"""

from datetime import datetime
from typing import Final

from opencarbon.sources.electricity_maps.models import Asked
from opencarbon.sources.http import Client

HORIZONS_HOURS: Final = (6, 24, 48, 72)
"""Forecast horizons that the API offers [h]."""

TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
"""Times as the API takes them, which is strict about their format."""


def query_of(asked: Asked) -> dict[str, str]:
    """Query that every request carries.

    Parameters
    ----------
    asked : Asked

    Returns
    -------
    dict of str to str
    """
    return {
        "zone": asked.zone,
        "emissionFactorType": asked.emission_factor_type,
        "flowTraced": "true" if asked.flow_traced else "false",
        "temporalGranularity": "hourly",
        "disableCallerLookup": "true",
    }


def fetch_latest(client: Client, asked: Asked) -> bytes | None:
    """Carbon intensity of the running hour, as the API answers.

    Parameters
    ----------
    client : Client
        With the base URL and the token.
    asked : Asked

    Returns
    -------
    bytes or None
        The body; None where the service has no data.

    Raises
    ------
    SourceError
        See :meth:`opencarbon.sources.http.Client.get`.
    """
    return client.get("carbon-intensity/latest", query_of(asked))


def fetch_past(client: Client, asked: Asked, *, hour_start_utc: datetime) -> bytes | None:
    """Carbon intensity of one past hour, as the API answers; see :func:`fetch_latest`.

    Parameters
    ----------
    client : Client
    asked : Asked
    hour_start_utc : datetime
        A full hour in UTC.

    Returns
    -------
    bytes or None
    """
    return client.get("carbon-intensity/past", query_of(asked) | {"datetime": f"{hour_start_utc:{TIME}}"})


def fetch_history(client: Client, asked: Asked) -> bytes | None:
    """Carbon intensity of the last 24 hours, as the API answers; see :func:`fetch_latest`.

    Parameters
    ----------
    client : Client
    asked : Asked

    Returns
    -------
    bytes or None
    """
    return client.get("carbon-intensity/history", query_of(asked))


def fetch_forecast(client: Client, asked: Asked, *, horizon_hours: int) -> bytes | None:
    """Forecast of the carbon intensity, as the API answers; see :func:`fetch_latest`.

    Parameters
    ----------
    client : Client
    asked : Asked
    horizon_hours : int
        Hours wanted [h]; the smallest horizon offered that holds them is asked for, 72 h at most.

    Returns
    -------
    bytes or None
    """
    horizon = {"horizonHours": str(horizon_asked(horizon_hours))}
    return client.get("carbon-intensity/forecast", query_of(asked) | horizon)


def fetch_zones(client: Client) -> bytes | None:
    """Every zone of the service and what the plan of the token covers of it, as the API answers: 1.2 MB.

    Parameters
    ----------
    client : Client

    Returns
    -------
    bytes or None
    """
    return client.get("zones", needs_token=False)


def horizon_asked(horizon_hours: int) -> int:
    """Smallest forecast horizon offered that holds these hours, or the longest.

    Parameters
    ----------
    horizon_hours : int
        Hours wanted [h].

    Returns
    -------
    int
        One of :data:`HORIZONS_HOURS` [h].
    """
    return next((offered for offered in HORIZONS_HOURS if offered >= horizon_hours), HORIZONS_HOURS[-1])
