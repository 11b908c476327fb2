"""What nights remember of their fits: those used last, from the store or the latest release, and keeping them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from opencarbon.catalog import Catalog
from opencarbon.errors import ContractError, PublishError, SourceError
from opencarbon.pipeline.fits import models_location, other_than_asked
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.refits import Refit, count_models, refit_devices, refit_from_store
from opencarbon.pipeline.work import read_arrow
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.parquet import read_table
from opencarbon.settings import Settings
from opencarbon.sources.places import Place
from opencarbon.sources.store.fits import StoredFits, keep_fits, newest_fits
from opencarbon.sources.store.refits import read_refit
from opencarbon.tables.conform import of_any_minor_version
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import DEVICE_FITS

_STORE: Final = "fit_store"
_NOTE: Final = "refit.json"


def refit_of_night(night: Night, catalog: Catalog, history: pa.Table | None) -> Refit:
    """The fits that a night estimates with, compared with those used last before it.

    Parameters
    ----------
    night : Night
    catalog : Catalog
    history : pa.Table or None
        ``RUN_HISTORY``: completed runs of the own fleet.

    Returns
    -------
    Refit
        That of the day, where one was made between the nights; else one that is noted in the work folder, to be kept.
    """
    previous, events = _previous(night)
    if previous is not None and (ready := _refit_of_the_day(night, previous, catalog)):
        return replace(ready, events=[*events, *ready.events])
    found = refit_devices(catalog, night.settings, models_location(night), previous, history=history)
    counts = [found.models, found.legible_models]
    (night.work / _NOTE).write_bytes(json.dumps(counts).encode())
    return replace(found, events=[*events, *found.events])


def keep_published(night: Night) -> list[Event]:
    """Put the fits of the newest published night into the store, where a publisher died before it kept them.

    Parameters
    ----------
    night : Night

    Returns
    -------
    list of Event
        A warning where the store cannot be written.
    """
    stored, _ = _stored(night)
    if _is_of_the_day(stored, night):
        return []
    published = _published_after(stored, night)
    return [] if published is None else _keep(night, published)


def keep_refit(night: Night) -> list[Event]:
    """Put the fits of a published night into the store, for the nights after it.

    Parameters
    ----------
    night : Night
        With a refit in its work folder; fits from a file are not kept.

    Returns
    -------
    list of Event
        A warning where the store cannot be written.
    """
    note = night.work / _NOTE
    if not note.exists():
        return []
    models, legible = json.loads(note.read_bytes())
    return _keep(night, StoredFits(read_arrow(night.work / "fits.arrow"), night.as_of_utc, models, legible))


def newest_stored(settings: Settings) -> tuple[StoredFits | None, list[Event]]:
    """The newest fits that the store holds, whatever moment they looked from.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    tuple of StoredFits or None, and list of Event
        Warnings of files, or of a store, that cannot be read.
    """
    return previous_fits(settings, datetime.max.replace(tzinfo=UTC))


def moment_of_acceptance(previous: StoredFits | None, now_utc: datetime) -> datetime:
    """From when an acceptance counts: right after the fits that it is about, so also for nights that are replayed.

    Parameters
    ----------
    previous : StoredFits or None
        The newest that are stored.
    now_utc : datetime
        Aware; where none are.

    Returns
    -------
    datetime
    """
    return now_utc if previous is None else previous.moment_utc + timedelta(microseconds=1)


def previous_fits(settings: Settings, as_of_utc: datetime) -> tuple[StoredFits | None, list[Event]]:
    """The newest fits that the store holds from before a moment.

    Parameters
    ----------
    settings : Settings
    as_of_utc : datetime

    Returns
    -------
    tuple of StoredFits or None, and list of Event
        Warnings of files, or of a store, that cannot be read.
    """
    try:
        return newest_fits(settings.store.root, profile=settings.estimate.profile, as_of_utc=as_of_utc)
    except SourceError as problem:
        detail = f"{problem}; the refit is compared with no earlier one"
        return None, [Event("warning", _STORE, None, problem.code, detail)]


def _stored(night: Night) -> tuple[StoredFits | None, list[Event]]:
    return previous_fits(night.settings, night.as_of_utc)


def _previous(night: Night) -> tuple[StoredFits | None, list[Event]]:
    """Fits used last: those of the store, or of the latest run where its publisher died before it kept them."""
    stored, events = _stored(night)
    if _is_of_the_day(stored, night):
        return stored, events
    return _published_after(stored, night) or stored, events


def _is_of_the_day(stored: StoredFits | None, night: Night) -> bool:
    """Whether fits are of a refit that was made for the nights of this day, in UTC."""
    if stored is None or stored.kind != "refit":
        return False
    return stored.moment_utc.date() == night.as_of_utc.date()


def _refit_of_the_day(night: Night, stored: StoredFits, catalog: Catalog) -> Refit | None:
    """A refit between the nights, ready for use; None where there is none for this day, profile, level and catalog."""
    options = night.settings.estimate
    if not _is_of_the_day(stored, night) or other_than_asked(stored.fits, options):
        return None
    found = read_refit(night.settings.store.root, stored.moment_utc, profile=options.profile)
    return None if found is None else refit_from_store(stored, *found, catalog)


def _published_after(stored: StoredFits | None, night: Night) -> StoredFits | None:
    """Fits of the latest published run, if it looked from before this night, in its profile, and from after `stored`."""
    layout = Layout(Place.of(night.root))
    try:
        run_id = layout.latest_run()
        if run_id is None:
            return None
        folder = layout.runs / run_id
        run = read_table(folder, "dim_run").to_pylist()[0]
        if run["as_of_utc"] >= night.as_of_utc or run["profile"] != night.settings.estimate.profile:
            return None
        if stored is not None and run["as_of_utc"] <= stored.moment_utc:
            return None
        fits = of_any_minor_version(
            read_table(folder, "fact_device_fit").drop_columns(["run_id"]), DEVICE_FITS
        )
        models, legible = count_models(read_table(folder, "training_runs"))
    except (OSError, pa.ArrowException, PublishError, ContractError):
        return None  # a release that cannot be read is made again, and says so itself
    return StoredFits(fits, run["as_of_utc"], models, legible)


def _keep(night: Night, fits: StoredFits) -> list[Event]:
    try:
        keep_fits(night.settings.store.root, fits, profile=night.settings.estimate.profile)
    except SourceError as problem:
        detail = f"{problem}; the next night compares with the published fits instead"
        return [Event("warning", _STORE, None, problem.code, detail)]
    return []
