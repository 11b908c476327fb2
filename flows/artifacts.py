"""What a run shows in Prefect's interface; a server that is gone keeps no run from its work."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock
from typing import Final, cast
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from opencarbon.cli.artifacts import (
    ingest_markdown,
    problem_rows,
    refit_markdown,
    summary_markdown,
    zone_problem_rows,
)
from opencarbon.cli.tables import artifact_rows
from opencarbon.pipeline import Ingested, Outcome, Progress, Refitted
from opencarbon.pipeline.outcomes import problem_line

_LOG = logging.getLogger("opencarbon.flows")
_STEP_PCT: Final = 5
"""Progress is told in steps of this size [%]: every one is a request to the server."""


@contextmanager
def _if_heard() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as problem:
        _LOG.warning("not shown, as Prefect's server did not take it: %s", problem_line(problem))


@_if_heard()
def show_night(outcome: Outcome) -> None:
    """The advice, the night in brief, what was wrong with zones and partitions, and where release and report are.

    Parameters
    ----------
    outcome : Outcome
    """
    create_table_artifact(
        artifact_rows(outcome.summary), key="nightly-advice", description="Greatest savings"
    )
    create_markdown_artifact(
        summary_markdown(outcome), key="nightly-summary", description="The night in brief"
    )
    create_table_artifact(
        problem_rows(outcome), key="nightly-problems", description="Zones and partitions with a problem"
    )
    if outcome.status != "dry_run":
        create_link_artifact(
            outcome.directory.uri,
            link_text=f"run {outcome.run_id}",
            key="nightly-release",
            description="The tables of the run",
        )
    if outcome.report is not None:
        create_link_artifact(
            outcome.report.uri, link_text="report", key="nightly-report", description="The page of the run"
        )


@_if_heard()
def show_ingest(ingested: Ingested) -> None:
    """What an ingest brought, and which zones had a problem.

    Parameters
    ----------
    ingested : Ingested
    """
    create_markdown_artifact(
        ingest_markdown(ingested), key="ingest-grid-summary", description="What was fetched"
    )
    create_table_artifact(
        zone_problem_rows(ingested.zones),
        key="ingest-grid-problems",
        description="Zones with a problem",
    )


@_if_heard()
def show_refit(refitted: Refitted) -> None:
    """What a refit brought, and what it holds.

    Parameters
    ----------
    refitted : Refitted
    """
    create_markdown_artifact(refit_markdown(refitted), key="refit-summary", description="What was fitted")


def progress_artifacts(key: str) -> Progress:
    """Progress of long work, an artifact for each of its steps.

    Parameters
    ----------
    key : str
        Of the artifacts.

    Returns
    -------
    callable
        Takes the step, how much of it is done, and how much there is.
    """
    shown: dict[str, tuple[UUID, int]] = {}
    # Told by threads of the library too: what Prefect knows of the run, its connection among it, is the caller's.
    context, lock, is_heard = copy_context(), Lock(), True

    def show(step: str, done: int, total: int) -> None:
        pct = 100 * done // max(total, 1) // _STEP_PCT * _STEP_PCT
        if step not in shown:
            made = create_progress_artifact(float(pct), key=key, description=step)
            shown[step] = (cast("UUID", made), pct)  # its type allows for callers that are asynchronous
        elif pct > shown[step][1]:
            update_progress_artifact(shown[step][0], progress=float(pct))
            shown[step] = (shown[step][0], pct)

    def show_in_context(step: str, done: int, total: int) -> None:
        nonlocal is_heard
        with lock:
            if is_heard:
                is_heard = False  # Prefect tries for a minute to reach a server that is gone: once is enough
                with _if_heard():
                    context.run(show, step, done, total)
                    is_heard = True

    return show_in_context
