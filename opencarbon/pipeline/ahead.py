"""What is done ahead of nights, so that they find it in the store: hours of the grid, and device fits."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa

from opencarbon.estimation.grid.intensity import planning_curves
from opencarbon.pipeline.context import settings_catalog
from opencarbon.pipeline.facts import zone_outcomes
from opencarbon.pipeline.fit_memory import previous_fits
from opencarbon.pipeline.fits import models_location
from opencarbon.pipeline.grid import known_grid, pull_grid
from opencarbon.pipeline.history import night_history
from opencarbon.pipeline.night import Night, Progress, silent
from opencarbon.pipeline.outcomes import ZoneOutcome
from opencarbon.pipeline.past_hours import GridPull, pull_past_grid, zones_in_force
from opencarbon.pipeline.refetch import USUAL_SPAN
from opencarbon.pipeline.refits import HELD, refit_devices
from opencarbon.settings import Settings
from opencarbon.sources.electricity_maps.past import Span
from opencarbon.sources.places import Place
from opencarbon.sources.store.fits import StoredFits
from opencarbon.sources.store.refits import keep_refit
from opencarbon.tables.events import Event
from opencarbon.units import whole_hour

_STEP: Final = "pull grid intensities"
_REVISED_AT_ONCE: Final = 24
"""Hours of a zone that are asked for again together: a few requests a day and zone."""
_LOG: Final = logging.getLogger("opencarbon.pipeline")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of asking for the hours of all zones.

    Parameters
    ----------
    as_of_utc : datetime
        Aware: start of the running hour, under which nights of this hour find what was fetched.
    zones : tuple of ZoneOutcome
    past : GridPull or None
        Past hours that the store lacked; None where the service was not asked.
    requests : int
        Requests made for the hours of now.
    events : tuple of Event
        Everything that failed, is missing or is null.
    """

    as_of_utc: datetime
    zones: tuple[ZoneOutcome, ...]
    past: GridPull | None
    requests: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Refitted:
    """What came of a refit between nights.

    Parameters
    ----------
    as_of_utc : datetime
        Aware: start of the hour that it looks from.
    is_new : bool
        False where the store held one of this very moment: it stays.
    fits : pa.Table
        ``DEVICE_FITS``.
    held : tuple of str
        Devices whose refit is held.
    events : tuple of Event
        What nights are told of it, too.
    """

    as_of_utc: datetime
    is_new: bool
    fits: pa.Table
    held: tuple[str, ...]
    events: tuple[Event, ...]


def ingest(
    settings: Settings,
    *,
    now_utc: datetime,
    clock: Callable[[], datetime] | None = None,
    progress: Progress = silent,
) -> Ingested:
    """Fetch what nights ask for, for the zones of all regions, and past hours that the store lacks.

    Nights of this hour find it in the store and do not ask again.

    Parameters
    ----------
    settings : Settings
        With a token; without one nothing is asked, which is an event.
    now_utc : datetime
        Aware; the moment it is.
    clock : callable, optional
        Dates what is fetched of past hours; always `now_utc` if not given.
    progress : callable, optional

    Returns
    -------
    Ingested

    Raises
    ------
    ConfigError
        A store of another format, or a file of regions that cannot be used.
    SourceUnavailableError
        The store cannot be read or written.
    """
    night = _looking(settings, now_utc, now_utc)
    zones = tuple(zones_in_force(settings))
    progress(_STEP, 0, 1)
    pulled = pull_grid(night, zones)
    progress(_STEP, 1, 1)
    past = None
    if settings.electricity_maps.token is not None:
        span = Span(night.as_of_utc - USUAL_SPAN, night.as_of_utc)
        past = pull_past_grid(
            *(settings, zones, span),
            clock=clock or (lambda: now_utc),
            revise_older=True,
            revise_from=_REVISED_AT_ONCE,
            progress=progress,
        )
    grid, unreadable = known_grid(night, pulled.rows)
    options = settings.electricity_maps
    curves = planning_curves(
        *(grid, settings_catalog(settings).zones, night.as_of_utc),
        horizon_hours=settings.plan.horizon_hours,
        emission_factor_type=options.emission_factor_type,
        accounting_basis=options.accounting_basis,
    )
    outcomes = tuple(zone_outcomes(zones, curves, pulled))
    events = (*pulled.events, *unreadable, *(past.events if past else ()))
    _LOG.info(
        "grid ingested: zones=%d zones_asked=%d requests=%d past_hours=%d warnings=%d",
        *(len(zones), len(pulled.asked), pulled.requests, past.fetched_hours if past else 0, len(events)),
    )
    return Ingested(night.as_of_utc, outcomes, past, pulled.requests, events)


def refit(
    settings: Settings,
    *,
    as_of_utc: datetime,
    now_utc: datetime,
    offline: bool = False,
    progress: Progress = silent,
) -> Refitted:
    """Refit the devices and put the fits into the store: nights of the same day, in UTC, use them as they are.

    Parameters
    ----------
    settings : Settings
    as_of_utc : datetime
        Aware; its hour counts. What a night of that hour would compare with is compared with.
    now_utc : datetime
        Aware.
    offline : bool, optional
        Ask nothing of the network.
    progress : callable, optional

    Returns
    -------
    Refitted
        The one in the store, where a refit of this very hour is there.

    Raises
    ------
    FitError
        No run can be used, and a device has no earlier fit either.
    ConfigError
        A store of another format.
    SourceUnavailableError
        The store cannot be written.
    """
    night = _looking(settings, as_of_utc, now_utc, offline=offline)
    profile, root = settings.estimate.profile, settings.store.root
    previous, events = previous_fits(settings, night.as_of_utc)
    if previous is not None and (previous.kind, previous.moment_utc) == ("refit", night.as_of_utc):
        return _refitted(night, previous, events, is_new=False)
    progress("refit devices", 0, 1)
    catalog = settings_catalog(settings)
    history, unread = night_history(night, catalog)
    found = refit_devices(catalog, settings, models_location(night), previous, history=history)
    stored = StoredFits(found.fits, night.as_of_utc, found.models, found.legible_models, "refit")
    told = [*events, *unread, *found.events]
    keep_refit(root, stored, found.runs, told, profile=profile)
    progress("refit devices", 1, 1)
    return _refitted(night, stored, told, is_new=True)


def _looking(settings: Settings, as_of_utc: datetime, now_utc: datetime, *, offline: bool = False) -> Night:
    """A night that plans nothing, from the start of an hour."""
    return Night(settings, (), whole_hour(as_of_utc), now_utc, "", Place.of(""), offline)


def _refitted(night: Night, stored: StoredFits, events: list[Event], *, is_new: bool) -> Refitted:
    held = tuple(str(row["device"]) for row in stored.fits.to_pylist() if row["refit_state"] == HELD)
    _LOG.info("devices refitted: devices=%d held=%d is_new=%s", stored.fits.num_rows, len(held), is_new)
    return Refitted(night.as_of_utc, is_new, stored.fits, held, tuple(events))
