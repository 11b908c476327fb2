"""How far forecasts were off, learnt once per night from those that the store kept."""

from datetime import timedelta

from opencarbon.errors import SourceError
from opencarbon.estimation.grid.forecast_error import PRIOR, ForecastError
from opencarbon.estimation.grid.forecast_learning import DAYS_OF_ARCHIVE, learn_forecast_error
from opencarbon.pipeline.night import Night
from opencarbon.sources.store.forecast_archive import forecast_archive
from opencarbon.tables.events import Event


def errors_of_forecasts(night: Night, zones: tuple[str, ...]) -> tuple[ForecastError, list[Event]]:
    """Learn the errors of forecasts as of a night.

    Parameters
    ----------
    night : Night
    zones : tuple of str
        Zones that the jobs may run in.

    Returns
    -------
    ForecastError
        What is assumed beforehand where the archive holds less than 30 days, or cannot be read.
    list of Event
        A warning where the archive cannot be read; what is wrong with single files is said where the grid is read.
    """
    options = night.settings.electricity_maps
    since = night.as_of_utc - timedelta(days=DAYS_OF_ARCHIVE)
    try:
        archive, _ = forecast_archive(
            night.settings.store.root,
            night.as_of_utc,
            since,
            zones,
            emission_factor_type=options.emission_factor_type,
            accounting_basis=options.accounting_basis,
        )
    except SourceError as problem:
        detail = f"{problem}; errors of forecasts are assumed, not learnt"
        return PRIOR, [Event("warning", "intensity_store", None, problem.code, detail)]
    return learn_forecast_error(archive), []
