"""The night as a Prefect flow: the steps of ``opencarbon.pipeline`` as tasks that exchange paths.

    python flows/nightly.py --manifest queue/ --out release

takes the options of ``opencarbon run``, and runs on the Prefect server that is configured or on a temporary one.
"""

import signal
import sys

from flows import environment  # before Prefect, which reads it when it is imported

if __name__ == "__main__":
    environment.quiet_terminal()

# isort: split
from datetime import UTC, datetime
from typing import Any, Literal

from cyclopts import App
from prefect import State, flow
from pydantic import AwareDatetime

from flows.artifacts import progress_artifacts, show_night
from flows.hooks import notify, notify_over_budget
from flows.inputs import as_of_run, name_of_run, settings_of_run
from flows.runners import map_partitions, runner_of
from flows.states import state_of
from flows.tasks import (
    allocate_queue,
    prepare_inputs,
    publish_release,
    read_manifests,
)
from opencarbon import pipeline
from opencarbon.cli.calls import call
from opencarbon.cli.night import show_outcome
from opencarbon.cli.options import RunOptions, moment
from opencarbon.pipeline import Night, Outcome, PartitionOutcome, Prepared


@flow(
    name="nightly",
    flow_run_name=name_of_run,
    persist_result=False,
    on_completion=[notify_over_budget],
    on_failure=[notify],
    on_crashed=[notify],
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
) -> Outcome | State[Any]:
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
    Outcome or State
        A state of its own where a newer night is published, and where a budget is exceeded; it holds the outcome.
    """
    offline = offline or dry_run
    settings = settings_of_run(config_path, profile=profile, out=out, completed=completed, offline=offline)
    runner_of(settings.run, 1)  # one that is not installed is told before any work is done
    with pipeline.night_of(
        settings, manifest, as_of_utc=as_of_run(as_of), now_utc=datetime.now(UTC), offline=offline
    ) as night:
        jobs = read_manifests(night)
        prepared, outcomes = prepare_inputs(night, jobs), []
        if dry_run or not prepared.is_published:
            if settings.plan.capacities:
                prepared = allocate_queue(night, prepared)
            outcomes = _estimate_all(night, prepared)
        finish = pipeline.foresee if dry_run else publish_release
        outcome = finish(night, jobs, prepared, outcomes)
    show_night(outcome)
    return state_of(outcome, settings)


def _estimate_all(night: Night, prepared: Prepared) -> list[PartitionOutcome]:
    outcomes: list[PartitionOutcome] = []
    progress = progress_artifacts("nightly-progress")
    for outcome in map_partitions(night, prepared.partitions):
        outcomes.append(outcome)
        progress("partitions estimated and planned", len(outcomes), prepared.partitions)
    return sorted(outcomes, key=lambda outcome: outcome.partition)


app = App(
    name="nightly",
    help="Plan a queue as a Prefect flow and publish the advice.",
    result_action="return_value",
)


@app.default
def main(options: RunOptions) -> int:
    """Estimate a queue, plan where and when its jobs should run, and publish the advice."""
    state: State[Any] = nightly(
        manifest=options.manifest,
        out=options.out,
        config_path=str(options.config) if options.config else None,
        as_of=moment(options.as_of),
        profile=options.profile,
        completed=list(options.completed),
        offline=options.offline,
        dry_run=options.dry_run,
        return_state=True,
    )
    outcome = state.result(raise_on_failure=False)  # a night over budget has published, and failed
    if isinstance(outcome, BaseException):
        raise outcome
    return show_outcome(outcome, options, options.settings())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # at exit Prefect stops the server it started
    sys.exit(call(app, sys.argv[1:]))
