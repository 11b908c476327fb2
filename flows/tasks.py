"""The steps of ``opencarbon.pipeline`` as tasks, shared by all flows; they exchange paths and small facts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from prefect import State, Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun

from flows.artifacts import progress_artifacts
from opencarbon import pipeline
from opencarbon.errors import PublishConflictError
from opencarbon.pipeline import Ingested, JobsRead, Night, Outcome, PartitionOutcome, Prepared, Refitted
from opencarbon.settings import Settings

_WAITS_FOR_ANOTHER_PUBLISHER_S: Final = [1.0, 2.0, 5.0, 10.0, 20.0, *[30.0] * 20]
"""Waits between attempts to publish [s], eleven minutes in all: a release of millions of jobs takes minutes."""


def _is_conflict(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether another publisher is at work: all other failures would come again."""
    return isinstance(state.result(raise_on_failure=False), PublishConflictError)


@task(cache_policy=NO_CACHE, persist_result=False)
def read_manifests(night: Night) -> JobsRead:
    """Manifests to partitions of planned jobs in the work folder."""
    return pipeline.read(night)


@task(cache_policy=NO_CACHE, persist_result=False)
def prepare_inputs(night: Night, jobs: JobsRead) -> Prepared:
    """Grid intensities and device fits into the work folder."""
    return pipeline.prepare(night, jobs)


@task(cache_policy=NO_CACHE, persist_result=False)
def allocate_queue(night: Night, prepared: Prepared) -> Prepared:
    """Places that capacity holds, for all jobs together, into the work folder."""
    return pipeline.allocate(night, prepared)


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(_WAITS_FOR_ANOTHER_PUBLISHER_S),
    retry_delay_seconds=_WAITS_FOR_ANOTHER_PUBLISHER_S,
    retry_condition_fn=_is_conflict,
)
def publish_release(
    night: Night, jobs: JobsRead, prepared: Prepared, outcomes: Sequence[PartitionOutcome]
) -> Outcome:
    """The parts to a release, tried again while another publisher is at work on it."""
    return pipeline.recommend(night, jobs, prepared, outcomes)


@task(cache_policy=NO_CACHE, persist_result=False)
def ingest_zones(settings: Settings, now_utc: datetime) -> Ingested:
    """Intensities of all zones into the store."""
    progress = progress_artifacts("ingest-grid-progress")
    return pipeline.ingest(settings, now_utc=now_utc, clock=lambda: datetime.now(UTC), progress=progress)


@task(cache_policy=NO_CACHE, persist_result=False)
def refit_devices(settings: Settings, as_of_utc: datetime, now_utc: datetime, *, offline: bool) -> Refitted:
    """Device fits into the store."""
    return pipeline.refit(settings, as_of_utc=as_of_utc, now_utc=now_utc, offline=offline)
