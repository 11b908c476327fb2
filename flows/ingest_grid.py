"""Carbon intensities of all zones into the store, as a Prefect flow that runs every hour: nights find them there."""

from datetime import UTC, datetime
from typing import Any

from flows import environment  # noqa: F401  # before Prefect, which reads it when it is imported

# isort: split
from prefect import State, flow
from prefect.states import Failed

from flows.artifacts import show_ingest
from flows.hooks import notify
from flows.inputs import name_of_run, settings_of_run
from flows.tasks import ingest_zones
from opencarbon.pipeline import Ingested


@flow(
    name="ingest-grid",
    flow_run_name=name_of_run,
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
)
def ingest_grid(config_path: str | None = None) -> Ingested | State[Any]:
    """Fetch what nights ask for, for the zones of all regions, and past hours that the store lacks.

    Parameters
    ----------
    config_path : str, optional
        TOML file of settings.

    Returns
    -------
    Ingested or State
        A failed state where the service refused, throttled or was silent, and gave nothing.
    """
    ingested = ingest_zones(settings_of_run(config_path), datetime.now(UTC))
    show_ingest(ingested)
    if ingested.past is not None and ingested.past.is_stopped and not ingested.past.fetched_hours:
        reason = next((event.detail for event in ingested.events), "Electricity Maps gave nothing")
        return Failed(message=reason, data=ingested)
    return ingested
