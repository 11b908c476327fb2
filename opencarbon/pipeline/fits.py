"""Refit of the devices: Epoch AI where it can be reached, the catalog's published runs always."""

from typing import Final

import pyarrow as pa

from opencarbon.catalog.catalog import PAPER_SOURCE, Catalog
from opencarbon.errors import SourceError, SourceShapeError
from opencarbon.estimation.energy.own_power import fits_with_own_power, own_power
from opencarbon.estimation.fitting.fits import fit_devices
from opencarbon.estimation.fitting.paper_fits import published_paper_fits
from opencarbon.estimation.fitting.pooling_priors import LEVEL
from opencarbon.estimation.fitting.training_runs import training_runs
from opencarbon.pipeline.night import Night
from opencarbon.settings import EstimateSettings, Profile
from opencarbon.sources.epoch_ai import parse_models
from opencarbon.sources.fetching import fetch_bytes
from opencarbon.sources.http_limits import HttpLimits
from opencarbon.sources.storage import scheme_of
from opencarbon.tables.events import Event

_SOURCE: Final = "epoch_ai"

ON_THE_CATALOG: Final = "devices are fitted on the published runs of the catalog"


def models_location(night: Night) -> str | None:
    """Where the night reads Epoch AI's table of models.

    Parameters
    ----------
    night : Night

    Returns
    -------
    str or None
        None where it is on the network and the night stays offline, or is of the past; a file is read all the same.
    """
    location = night.settings.epoch_ai.models_url
    is_silent = night.offline or night.is_past
    return None if is_silent and scheme_of(location) not in ("", "file") else location


def collect_runs(
    catalog: Catalog,
    models: str | None,
    *,
    exclude_model: str | None = None,
    history: pa.Table | None = None,
    limits: HttpLimits | None = None,
    otherwise: str = ON_THE_CATALOG,
) -> tuple[pa.Table, list[Event]]:
    """Training runs to fit on.

    Parameters
    ----------
    catalog : Catalog
    models : str or None
        Epoch AI's table of models, URL or file; None asks nothing of it.
    exclude_model : str, optional
        Regular expression; models it finds take no part, whatever their source.
    history : pa.Table, optional
        ``RUN_HISTORY``: completed runs of the own fleet.
    limits : HttpLimits, optional
        How long and how often Epoch AI is asked.
    otherwise : str, optional
        What is done where Epoch AI gives nothing that can be used, for the warning.

    Returns
    -------
    pa.Table
        ``training_runs``.
    list of Event
        A warning where Epoch AI gave nothing that can be used.
    """
    epoch, events = None, []
    if models is not None:
        try:
            epoch = parse_models(fetch_bytes(models, limits=limits))
            if not epoch.num_rows:
                raise SourceShapeError("Epoch AI's table of models has a header and no row")
        except SourceError as problem:
            detail = f"{problem}; {otherwise}"
            events.append(Event("warning", _SOURCE, None, problem.code, detail))
    runs = training_runs(
        epoch,
        catalog.runs,
        devices=catalog.devices,
        device_units=catalog.device_units,
        exclude_model=exclude_model,
        history=history,
    )
    return runs, events


def fit_for_profile(
    runs: pa.Table,
    catalog: Catalog,
    profile: Profile,
    *,
    level: float = LEVEL,
    history: pa.Table | None = None,
) -> pa.Table:
    """Device fits that a profile estimates with.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.
    catalog : Catalog
    profile : {"calibrated", "paper"}
        The paper's profile takes the intervals it publishes, and fits the other devices in its form.
    level : float, optional
        Share of new runs that the interval of the calibrated profile is to hold.
    history : pa.Table, optional
        ``RUN_HISTORY``: completed runs of the own fleet, whose measured power the calibrated profile takes.

    Returns
    -------
    pa.Table
        ``fact_device_fit`` without ``run_id``.
    """
    fits = fit_devices(runs, catalog.devices, profile=profile, level=level, benchmarks=catalog.benchmarks)
    if profile == "calibrated":
        return fits if history is None else fits_with_own_power(fits, own_power(history, catalog.devices))
    intervals = {
        name: (device.log10_alpha_low, device.log10_alpha_high)
        for name, device in catalog.paper_devices.items()
    }
    return published_paper_fits(
        fits, catalog.devices, published_log10_alpha=intervals, source_id=PAPER_SOURCE
    )


def other_than_asked(fits: pa.Table, options: EstimateSettings) -> list[Event]:
    """What is said where fits from a file, or held ones, were made for another profile or level than is asked for.

    Parameters
    ----------
    fits : pa.Table
        ``fact_device_fit`` without ``run_id``.
    options : EstimateSettings

    Returns
    -------
    list of Event
        At most one warning.
    """
    levels = set(fits["interval_level"].to_pylist())  # none in the form of the paper
    made_for = "paper" if levels == {None} else "calibrated"
    remedy = "fit the devices again with these settings"
    if made_for != options.profile:
        detail = (
            f"the device fits are of the profile {made_for}, where {options.profile} is asked for: {remedy}"
        )
        return [Event("warning", "fits", None, "other_profile", detail)]
    others = sorted(level for level in levels if level not in (None, options.interval_level))
    if made_for == "paper" or not others:
        return []
    held = " and ".join(f"{100 * level:g} %" for level in others)
    detail = (
        f"intervals of the device fits are to hold {held} of new runs, where {100 * options.interval_level:g} % is "
        f"asked for: device-hours keep them, power and intensity do not; {remedy}"
    )
    return [Event("warning", "fits", None, "other_level", detail)]
