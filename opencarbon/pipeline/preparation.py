"""What a night plans with: the grid, the device fits, what came of the advice before it; and the identity of the run."""

import logging
from pathlib import Path
from time import monotonic
from typing import Final

from opencarbon.pipeline.allocation import keep_capacities
from opencarbon.pipeline.context import keep_inputs, load_context, run_identity, settings_catalog
from opencarbon.pipeline.facts import zone_outcomes
from opencarbon.pipeline.files import read_fits
from opencarbon.pipeline.fit_memory import refit_of_night
from opencarbon.pipeline.fits import collect_runs, other_than_asked
from opencarbon.pipeline.forecast_errors import errors_of_forecasts
from opencarbon.pipeline.grid import known_grid, pull_grid
from opencarbon.pipeline.hindsight import hindsight_of_night
from opencarbon.pipeline.history import night_history
from opencarbon.pipeline.night import JobsRead, Night, Prepared, Progress, silent
from opencarbon.pipeline.release import degraded_zones
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.release import whole_run
from opencarbon.sources.places import Place
from opencarbon.tables.inputs import DEVICE_FITS

_LOG: Final = logging.getLogger("opencarbon.pipeline")


def prepare(
    night: Night, jobs: JobsRead, *, fits_file: Path | None = None, progress: Progress = silent
) -> Prepared:
    """Second step: pull the grid, refit the devices, and give the run its identity.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    fits_file : Path, optional
        Device fits to use instead of a refit.
    progress : callable, optional

    Returns
    -------
    Prepared
    """
    started, catalog = monotonic(), settings_catalog(night.settings)
    keep_capacities(night.work, night.settings, catalog)
    progress("pull grid intensities", 0, 1)
    pulled = pull_grid(night, jobs.zones)
    grid, unreadable = known_grid(night, pulled.rows)
    forecast_error, unlearnt = errors_of_forecasts(night, jobs.zones)
    _LOG.info(
        "grid known: zones_asked=%d rows_fetched=%d rows_known=%d warnings=%d",
        *(len(pulled.asked), pulled.rows.num_rows, grid.num_rows, len(pulled.events) + len(unreadable)),
    )
    progress("pull grid intensities", 1, 1)
    progress("refit devices", 0, 1)
    history, unread = (None, []) if fits_file else night_history(night, catalog)
    if fits_file:
        runs, refused = collect_runs(catalog, None)
        fits = read_fits(fits_file, DEVICE_FITS, catalog.devices)
    else:
        refit = refit_of_night(night, catalog, history)
        fits, runs, refused = refit.fits, refit.runs, refit.events
    _LOG.info("devices fitted: devices=%d runs=%d warnings=%d", fits.num_rows, runs.num_rows, len(refused))
    keep_inputs(night.work, night.settings, grid=grid, fits=fits, runs=runs, forecast_error=forecast_error)
    context = load_context(night)
    hindsight = hindsight_of_night(night, catalog, grid)
    run_id, inputs = run_identity(night, jobs, context, runs, hindsight.identity)
    asked = other_than_asked(fits, night.settings.estimate)
    told = (*asked, *unread, *degraded_zones(jobs, context), *hindsight.events)
    events = (*jobs.events, *pulled.events, *unreadable, *unlearnt, *refused, *told)
    progress("refit devices", 1, 1)
    is_published = whole_run(Layout(Place.of(night.root)), run_id) is not None
    zones = tuple(zone_outcomes(jobs.zones, context.curves, pulled))
    return Prepared(
        *(run_id, inputs, jobs.partitions, is_published, events, zones, pulled.requests),
        seconds=monotonic() - started,
    )
