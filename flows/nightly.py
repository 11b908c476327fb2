"""The night as a Prefect flow: the steps of ``opencarbon.pipeline`` as tasks that exchange paths.

    python flows/nightly.py --manifest queue/ --out release

takes the options of ``opencarbon run``, and runs on the Prefect server that is configured or on a temporary one.
"""

import logging
import os
import signal
import sys

# Prefect reads its settings when it is imported: no telemetry, and what opencarbon logs belongs to the run.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "opencarbon")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
# A temporary server makes its database on the first call: on a busy machine that takes longer than the default 20 s.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
if __name__ == "__main__" and "PREFECT_LOGGING_LEVEL" not in os.environ:
    # A terminal gets the table, or one readable error; the server keeps the logs and tracebacks.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cyclopts import App
from prefect import flow, task, unmapped
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import AwareDatetime, SecretStr

from opencarbon import pipeline
from opencarbon.cli.calls import call
from opencarbon.cli.night import show_outcome
from opencarbon.cli.options import RunOptions, moment, settings_of
from opencarbon.cli.tables import artifact_rows, summary_markdown
from opencarbon.errors import ConfigError
from opencarbon.pipeline import JobsRead, Night, Outcome, Prepared
from opencarbon.settings import Settings


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


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="estimate-partition-{partition}")
def estimate_partition(night: Night, partition: int) -> int:
    """One partition of planned jobs to parts of the published tables."""
    return pipeline.estimate(night, partition)


@task(cache_policy=NO_CACHE, persist_result=False)
def publish_release(night: Night, jobs: JobsRead, prepared: Prepared) -> Outcome:
    """The parts to a release."""
    return pipeline.recommend(night, jobs, prepared)


@flow(
    name="nightly",
    flow_run_name=lambda: f"nightly-{_as_of(flow_run.parameters.get('as_of')):%Y%m%dT%H%MZ}",
    # the type of a runner names its own kind of future, and the decorator asks for the base of all of them
    task_runner=ThreadPoolTaskRunner(max_workers=os.cpu_count() or 1),  # type: ignore[arg-type]
    persist_result=False,
)
def nightly(
    manifest: list[str],
    out: str | None = None,
    config_path: str | None = None,
    as_of: AwareDatetime | None = None,
    profile: Literal["calibrated", "paper"] | None = None,
    completed: list[str] | None = None,
    offline: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Estimate a queue, plan where and when its jobs should run, and publish the advice.

    Parameters
    ----------
    manifest : list of str
        Parquet files, folders or globs.
    out : str, optional
        Where to publish; or ``publish.root`` in the settings.
    config_path : str, optional
        TOML file of settings.
    as_of : datetime, optional
        Moment to look from, with a time zone; the scheduled start, floored to the hour, if not given.
    profile : {"calibrated", "paper"}, optional
    completed : list of str, optional
        Jobs that ended, Parquet or CSV: files, folders or globs; or ``hindsight.completed`` in the settings.
    offline, dry_run : bool, optional

    Returns
    -------
    Outcome
    """
    logging.getLogger("opencarbon").setLevel(logging.INFO)
    offline = offline or dry_run
    config = Path(config_path) if config_path else None
    settings = settings_of(config, profile, out, completed=completed or ())
    if not offline:
        settings = _with_secret(settings)
    now_utc = datetime.now(UTC)
    with pipeline.night_of(
        settings, manifest, as_of_utc=_as_of(as_of), now_utc=now_utc, offline=offline
    ) as night:
        jobs = read_manifests(night)
        prepared = prepare_inputs(night, jobs)
        if dry_run or not prepared.is_published:
            if settings.plan.capacities:
                prepared = allocate_queue(night, prepared)
            estimate_partition.map(unmapped(night), range(prepared.partitions)).result()
        outcome = (pipeline.foresee if dry_run else publish_release)(night, jobs, prepared)
    create_table_artifact(
        artifact_rows(outcome.summary), key="nightly-advice", description="Greatest savings"
    )
    create_markdown_artifact(
        summary_markdown(outcome), key="nightly-summary", description="The night in brief"
    )
    return outcome


def _as_of(given: datetime | None) -> datetime:
    """The moment to look from, resolved once: the scheduled start, so that a late run looks from its own hour."""
    start: datetime = flow_run.scheduled_start_time
    # The datetimes of Prefect, and of callers like it, lose their zone when they are added to; a plain one does not.
    moment_of_run = datetime.fromisoformat((given or start).isoformat()).astimezone(UTC)
    return moment_of_run if given else moment_of_run.replace(minute=0, second=0, microsecond=0)


def _with_secret(settings: Settings) -> Settings:
    """Settings with the token of the Secret block they name, where the environment holds none."""
    options = settings.electricity_maps
    if options.token is not None or options.secret_block is None:
        return settings
    try:
        block = Secret.load(options.secret_block)
    except ValueError:
        raise ConfigError(
            f"the Secret block {options.secret_block!r} of electricity_maps.secret_block does not exist: create it, "
            "or set OPENCARBON_ELECTRICITY_MAPS__TOKEN"
        ) from None
    value = block.get() if isinstance(block, Secret) else None
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(
            f"the Secret block {options.secret_block!r} holds no text: store the token alone in it"
        )
    token = SecretStr(value.strip())
    return settings.model_copy(update={"electricity_maps": options.model_copy(update={"token": token})})


app = App(
    name="nightly",
    help="Plan a queue as a Prefect flow and publish the advice.",
    result_action="return_value",
)


@app.default
def main(options: RunOptions) -> int:
    """Estimate a queue, plan where and when its jobs should run, and publish the advice."""
    outcome = nightly(
        manifest=options.manifest,
        out=options.out,
        config_path=str(options.config) if options.config else None,
        as_of=moment(options.as_of),
        profile=options.profile,
        completed=list(options.completed),
        offline=options.offline,
        dry_run=options.dry_run,
    )
    return show_outcome(outcome, options, options.settings())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # at exit Prefect stops the server it started
    sys.exit(call(app, sys.argv[1:]))
