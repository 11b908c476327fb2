"""A refit compared with the fits that were used last: what it changes, what is held, and what is said of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog import Catalog
from opencarbon.errors import FitError
from opencarbon.estimation.fitting.fit_changes import FitChange, Limits, hold_changes, keep_previous
from opencarbon.estimation.fitting.training_runs import ABOVE_PEAK, BELOW_LEAST
from opencarbon.pipeline.files import missing_devices
from opencarbon.pipeline.fits import ON_THE_CATALOG, collect_runs, fit_for_profile
from opencarbon.pipeline.grid import http_limits
from opencarbon.settings import Settings
from opencarbon.sources.epoch_ai import SOURCE_ID
from opencarbon.sources.store.fits import StoredFits
from opencarbon.tables.events import Event

HELD: Final = "held"
"""Code of the event of a device whose refit is held."""
ACCEPT: Final = "`opencarbon fit --accept`"
FITS: Final = "fits"
"""Source of the events of a refit."""
MOST_HELD_PCT: Final = 33.0
"""Share of devices beyond the limits from which on a refit is refused as a whole [%]: a table that is wrong for a third of
them is not right for the rest."""

LEAST_MODELS_KEPT_PCT: Final = 90.0
"""Epoch AI's table grows; one that lost a tenth of its rows is cut short, or another table."""
_EPOCH: Final = "epoch_ai"
_KINDS: Final = {"night": "the night of", "refit": "the refit of", "accepted": "the acceptance of"}


@dataclass(frozen=True, slots=True)
class Refit:
    """Device fits to use, and what they were made from.

    Parameters
    ----------
    fits : pa.Table
        ``DEVICE_FITS``, with what became of each device in ``refit_state``.
    runs : pa.Table
        ``training_runs``.
    changes : list of FitChange
        Against the previous fits, a row for each device; empty where the refit as a whole was refused.
    models, legible_models : int
        Rows of Epoch AI's table behind the fits, and those of which device, hours and FLOP could be read.
    events : list of Event
    refit : pa.Table or None
        What the refit alone gave, nothing held; None where no run could be used.
    models_refused : Event or None
        The one among `events` that says why Epoch AI gave nothing.
    """

    fits: pa.Table
    runs: pa.Table
    changes: list[FitChange]
    models: int
    legible_models: int
    events: list[Event]
    refit: pa.Table | None
    models_refused: Event | None


def refit_devices(
    catalog: Catalog,
    settings: Settings,
    models: str | None,
    previous: StoredFits | None,
    *,
    exclude_model: str | None = None,
    history: pa.Table | None = None,
    accept: bool = False,
) -> Refit:
    """Refit the devices, and hold what goes beyond the limits of the settings.

    The refit as a whole is refused, and the previous fits are used, where no run can be used, or where Epoch AI's
    table gives too few of the rows that it gave for the previous fits: it is out of reach, cut short, or its columns
    hold something else.

    Parameters
    ----------
    catalog : Catalog
    settings : Settings
    models : str or None
        Epoch AI's table of models, URL or file; None asks nothing of it.
    previous : StoredFits or None
        Fits that were used last.
    exclude_model : str, optional
        Regular expression of models that take no part.
    history : pa.Table, optional
        ``RUN_HISTORY``: completed runs of the own fleet.
    accept : bool, optional
        Hold and refuse nothing.

    Returns
    -------
    Refit

    Raises
    ------
    FitError
        Where no run can be used, and a device has no previous fit either.
    """
    options = settings.estimate
    limits = Limits(options.refit_max_change_pct, options.refit_min_runs_kept_pct)
    had = 0 if previous is None or accept else previous.models
    kept = _kept_words(previous)
    runs, events = collect_runs(
        catalog,
        models,
        exclude_model=exclude_model,
        history=history,
        limits=http_limits(settings),
        otherwise=kept if had else ON_THE_CATALOG,
    )
    refused, (rows, legible) = next(iter(events), None), count_models(runs)
    try:
        fits = fit_for_profile(runs, catalog, options.profile, level=options.interval_level, history=history)
    except FitError as problem:
        has_runs = pc.any(runs["used"]).as_py()  # then something is wrong with the catalog
        if previous is None or accept or has_runs or missing_devices(previous.fits, catalog.devices):
            raise
        said = Event("warning", FITS, None, "refit_refused", f"{problem}; {kept}")
        return _unchanged(previous, None, runs, catalog, refused, said)
    if previous is not None and had:
        lost = _rows_lost(models, (rows, legible), previous, limits)
        if refused or lost:
            return _unchanged(previous, fits, runs, catalog, refused, None if refused else lost)
    before = None if previous is None else previous.fits
    used, changes = hold_changes(fits, before, catalog.devices, limits, accept=accept)
    if previous is not None and (beyond := _beyond_trust(changes, kept)):
        found = _unchanged(previous, fits, runs, catalog, refused, beyond)
        return replace(found, changes=[_held_back(change) for change in changes])
    if previous is not None:
        events += _said(changes, previous, limits)
    return Refit(_known_sources(used, catalog), runs, changes, rows, legible, events, fits, refused)


def refit_from_store(
    stored: StoredFits, runs: pa.Table, events: Sequence[Event], catalog: Catalog
) -> Refit | None:
    """A refit that was made ahead, if it has a fit for every device of the catalog and for no other.

    Parameters
    ----------
    stored : StoredFits
    runs : pa.Table
        ``training_runs``.
    events : sequence of Event
    catalog : Catalog

    Returns
    -------
    Refit or None
    """
    if missing_devices(stored.fits, catalog.devices) or missing_devices(catalog.devices, stored.fits):
        return None
    fits = _known_sources(stored.fits, catalog)
    return Refit(fits, runs, [], stored.models, stored.legible_models, list(events), None, None)


def _unchanged(
    previous: StoredFits,
    refit: pa.Table | None,
    runs: pa.Table,
    catalog: Catalog,
    *why: Event | None,
) -> Refit:
    """The previous fits of every device; `why` begins with that Epoch AI gave nothing, if so."""
    used = _known_sources(keep_previous(previous.fits, refit, catalog.devices), catalog)
    events = [event for event in why if event is not None]
    return Refit(used, runs, [], previous.models, previous.legible_models, events, refit, why[0])


def count_models(runs: pa.Table) -> tuple[int, int]:
    """Count the rows of Epoch AI's table among the runs.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.

    Returns
    -------
    models : int
        All of them.
    legible_models : int
        Those of which device, hours and FLOP were read and can belong together.
    """
    runs = runs.filter(pc.equal(runs["source_id"], pa.scalar(SOURCE_ID)))
    is_known = pc.and_(
        pc.and_(pc.is_valid(runs["device"]), pc.is_valid(runs["device_hours"])),
        pc.is_valid(runs["training_flop"]),
    )
    is_odd = pc.is_in(runs["reason"], value_set=pa.array([ABOVE_PEAK, BELOW_LEAST]))
    return runs.num_rows, runs.filter(pc.and_(is_known, pc.invert(is_odd))).num_rows


def _known_sources(fits: pa.Table, catalog: Catalog) -> pa.Table:
    """Previous fits may name a source that the catalog no longer has."""
    is_known = pc.is_in(fits["fit_source_id"], value_set=catalog.sources["source_id"].combine_chunks())
    names = pc.if_else(is_known, fits["fit_source_id"], pa.scalar(None, pa.string()))
    at = fits.schema.get_field_index("fit_source_id")
    return fits.set_column(at, fits.schema.field(at), names)


# what is said


def _kept_words(previous: StoredFits | None) -> str:
    return "" if previous is None else f"the fits of {_when(previous)} are used for every device"


def _when(previous: StoredFits) -> str:
    return f"{_KINDS[previous.kind]} {previous.moment_utc:%Y-%m-%dT%H:%MZ}"


def _beyond_trust(changes: Sequence[FitChange], kept: str) -> Event | None:
    """What is said where so many devices are held that the others are not to be trusted either."""
    compared = [change for change in changes if change.hours_before is not None]
    held = sum(change.state == "held" for change in compared)
    if held * 100.0 <= len(compared) * MOST_HELD_PCT:
        return None
    detail = (
        f"the refit is beyond the limits for {held} of {len(compared)} devices, too many for the others to be trusted: "
        f"{kept}. Look at the runs; {ACCEPT} takes it as it is"
    )
    return Event("warning", FITS, None, "refit_refused", detail)


def _held_back(change: FitChange) -> FitChange:
    return replace(change, state="held") if change.state == "moved" else change


def _rows_lost(
    models: str | None, counts: tuple[int, int], previous: StoredFits, limits: Limits
) -> Event | None:
    """What is said where a table has too few rows, or too few that can be read; None where it has enough."""
    kept = _kept_words(previous)
    if models is None:
        return Event(
            "info", _EPOCH, None, "offline", f"Epoch AI is not asked, offline or for the past: {kept}"
        )
    rows, legible = counts
    remedy = f"{kept}. Look at the table; {ACCEPT} takes it as it is"
    if rows * 100.0 < previous.models * LEAST_MODELS_KEPT_PCT:
        detail = f"Epoch AI's table of models has {rows} rows where it had {previous.models} before: {remedy}"
        return Event("warning", _EPOCH, None, "rows_lost", detail)
    if limits.is_lost(previous.legible_models, legible):
        detail = (
            f"device, hours and FLOP of {legible} rows of Epoch AI's table of models can be read, where those of "
            f"{previous.legible_models} could before: {remedy}"
        )
        return Event("warning", _EPOCH, None, "rows_lost", detail)
    return None


def _said(changes: Iterable[FitChange], previous: StoredFits, limits: Limits) -> Iterator[Event]:
    for change in changes:
        if change.state == "held":
            detail = f"{held_words(change, limits)}: the fit of {_when(previous)} is used until {ACCEPT}"
            yield Event("warning", FITS, change.device, HELD, detail)
        elif change.state == "first":
            detail = f"{change.device} has no earlier fit to compare with"
            yield Event("info", FITS, change.device, "new_device", detail)
        elif change.state == "gone":
            detail = f"{change.device} was fitted before and is in the catalog no more"
            yield Event("info", FITS, change.device, "device_gone", detail)


def held_words(change: FitChange, limits: Limits) -> str:
    """Why the refit of a device is held, in a sentence without its end.

    Parameters
    ----------
    change : FitChange
        Held.
    limits : Limits

    Returns
    -------
    str
    """
    said = []
    if change.moves_too_far and change.hours_before and change.hours_after:
        share = 100.0 * (change.hours_after / change.hours_before - 1.0)
        said.append(
            f"moves predicted hours by {share:+,.0f} % ({change.hours_before:,.0f} to {change.hours_after:,.0f} "
            f"device-hours for {change.training_flop:.3g} FLOP; more than {limits.max_change_pct:g} % either way), "
            f"runs {change.runs_before} to {change.runs_after}"
        )
    if change.loses_runs:
        said.append(
            f"keeps {change.runs_after} of {change.runs_before} runs (less than {limits.min_runs_kept_pct:g} %)"
        )
    return f"{change.device}: the refit {' and '.join(said)}"
