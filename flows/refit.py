"""Device fits into the store, as a Prefect flow that runs every day: nights of that day use them."""

from datetime import UTC, datetime

from flows import environment  # noqa: F401  # before Prefect, which reads it when it is imported

# isort: split
from prefect import flow
from pydantic import AwareDatetime

from flows.artifacts import show_refit
from flows.hooks import notify
from flows.inputs import as_of_run, name_of_run, settings_of_run
from flows.tasks import refit_devices
from opencarbon.pipeline import Refitted


@flow(
    name="refit",
    flow_run_name=name_of_run,
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
)
def refit(
    config_path: str | None = None, as_of: AwareDatetime | None = None, offline: bool = False
) -> Refitted:
    """Refit the devices on published training runs and the fleet's own.

    Parameters
    ----------
    config_path : str, optional
        TOML file of settings.
    as_of : datetime, optional
        Moment to look from, with a time zone; its hour counts. The scheduled start if not given.
    offline : bool, optional
        Ask nothing of the network.

    Returns
    -------
    Refitted
    """
    settings = settings_of_run(config_path, offline=True)  # a refit needs no token
    refitted = refit_devices(settings, as_of_run(as_of), datetime.now(UTC), offline=offline)
    show_refit(refitted)
    return refitted
