"""Nights of the past as runs of a deployment: one for each day, asked for once however often this is called.

    python flows/backfill.py --from 2026-11-01 --to 2026-11-20

needs the Prefect server that holds the deployment, and a worker. Without Prefect: ``opencarbon backfill``.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, cast

from flows import environment

if __name__ == "__main__":
    environment.quiet_terminal()

# isort: split
import httpx
from cyclopts import App, Parameter
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from rich import box
from rich.table import Table

from flows.states import OVER_BUDGET
from opencarbon.cli.backfill import span_of
from opencarbon.cli.calls import FAILED, call
from opencarbon.cli.tables import console_for
from opencarbon.errors import ConfigError
from opencarbon.pipeline.backfill_nights import moments_of

_LOOK_EVERY_S: Final = 5.0

app = App(
    name="backfill",
    help="Ask for one run of a deployment for each day of the past.",
    result_action="return_value",
)


@app.default
def main(
    *,
    first: Annotated[str, Parameter(name="--from", help="First day, or its moment with a time zone.")],
    last: Annotated[str, Parameter(name="--to", help="Last day, it included.")],
    deployment: Annotated[str, Parameter(help="FLOW/DEPLOYMENT")] = "nightly/nightly",
    wait: Annotated[
        bool, Parameter(negative=(), help="Until all runs have ended; 1 where one failed.")
    ] = False,
) -> int:
    """Ask for one run for each day, oldest first; a day that has a run is asked for again only if it failed."""
    if not PREFECT_API_URL.value():
        raise ConfigError(
            "no Prefect server is configured: set PREFECT_API_URL to the one with the deployment"
        )
    first_utc, last_utc = span_of(first, last, now_utc=datetime.now(UTC))
    moments = moments_of(first_utc, last_utc)
    with get_client(sync_client=True) as client:
        _check(client, deployment)
        runs = [_asked(deployment, as_of) for as_of in moments]
        if wait:
            runs = _ended(client, runs)
    _show(moments, runs)
    return FAILED if wait and not all(_is_done(run) for run in runs) else 0


def _check(client: SyncPrefectClient, deployment: str) -> None:
    """Refuse what no run can be asked of."""
    try:
        found = client.read_deployment_by_name(deployment)
    except httpx.TransportError as problem:
        raise ConfigError(
            f"the Prefect server of PREFECT_API_URL cannot be reached ({type(problem).__name__}): start it"
        ) from None
    except (ObjectNotFound, ValueError):  # a name that is not FLOW/DEPLOYMENT is the latter
        raise ConfigError(
            f"the Prefect server has no deployment {deployment!r}: "
            "prefect --no-prompt deploy --prefect-file configs/prefect.yaml --all"
        ) from None
    if "as_of" not in (found.parameter_openapi_schema or {}).get("properties", {}):
        raise ConfigError(
            f"deployment {deployment} takes no as_of, and knows only the present: choose nightly/nightly"
        )


def _asked(deployment: str, as_of: datetime) -> FlowRun:
    """The run of a moment: the one there is, unless it failed."""
    attempt = 1
    while True:
        key = f"backfill:{deployment}:{as_of:%Y%m%dT%H%MZ}:{attempt}"
        run = _run_of(deployment, as_of, key)
        if not _has_ended(run) or _is_done(run):
            return run
        attempt += 1


def _run_of(deployment: str, as_of: datetime, key: str) -> FlowRun:
    run = run_deployment(
        deployment,
        parameters={"as_of": as_of.isoformat()},
        idempotency_key=key,
        flow_run_name=f"{deployment.split('/')[0]}-{as_of:%Y%m%dT%H%MZ}",  # what it will call itself
        timeout=0,
        as_subflow=False,
    )
    return cast("FlowRun", run)  # its type allows for callers that are asynchronous


def _has_ended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def _is_done(run: FlowRun) -> bool:
    """Whether there is nothing to do again: a night over budget has published."""
    return run.state is not None and (run.state.is_completed() or run.state.name == OVER_BUDGET)


def _ended(client: SyncPrefectClient, runs: Sequence[FlowRun]) -> list[FlowRun]:
    while True:
        runs = [run if _has_ended(run) else client.read_flow_run(run.id) for run in runs]
        if all(_has_ended(run) for run in runs):
            return list(runs)
        time.sleep(_LOOK_EVERY_S)


def _show(moments: Sequence[datetime], runs: Sequence[FlowRun]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for heading in ("as of (UTC)", "run", "state"):
        table.add_column(heading, no_wrap=True)
    for as_of, run in zip(moments, runs, strict=True):
        table.add_row(f"{as_of:%Y-%m-%d %H:%M}", run.name, run.state_name or "")
    console_for().print(table)


if __name__ == "__main__":
    sys.exit(call(app, sys.argv[1:]))
