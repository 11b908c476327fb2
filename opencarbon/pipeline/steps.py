"""The steps of a night but the preparation, each of which may run in a process of its own."""

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

from opencarbon.pipeline.accounts import account_events, accounts_of_parts
from opencarbon.pipeline.allocation import allocate_partitions, saving_status
from opencarbon.pipeline.context import load_context, settings_catalog
from opencarbon.pipeline.facts import durations_words, facts_of_run
from opencarbon.pipeline.fit_memory import keep_published, keep_refit
from opencarbon.pipeline.gate import jobs_of_partition, pass_gate
from opencarbon.pipeline.hindsight import scorecard_of_night
from opencarbon.pipeline.jobs import read_jobs
from opencarbon.pipeline.night import JobsRead, Night, Outcome, Prepared, Progress, silent
from opencarbon.pipeline.outcomes import PartitionOutcome, problem_line
from opencarbon.pipeline.partition import estimate_partition
from opencarbon.pipeline.release import extra_columns, write_tables
from opencarbon.pipeline.report import write_report
from opencarbon.pipeline.summary import summary_of_parts, summary_of_run
from opencarbon.publishing.layout import REPORT
from opencarbon.publishing.release import publish, stage_directory
from opencarbon.tables.contracts import PUBLISHED

_LOG: Final = logging.getLogger("opencarbon.pipeline")


def read(night: Night, progress: Progress = silent) -> JobsRead:
    """First step: manifests to planned jobs.

    Parameters
    ----------
    night : Night
    progress : callable, optional

    Returns
    -------
    JobsRead
    """
    started = monotonic()
    jobs = read_jobs(night, settings_catalog(night.settings), progress)
    _LOG.info(
        "jobs read: rows=%d rejected=%d partitions=%d zones=%d",
        *(jobs.read, jobs.rejected, jobs.partitions, len(jobs.zones)),
    )
    return replace(jobs, seconds=monotonic() - started)


def allocate(night: Night, prepared: Prepared) -> Prepared:
    """Third step: give all jobs together the places that capacity holds; nothing without ``plan.capacities``.

    Parameters
    ----------
    night : Night
    prepared : Prepared

    Returns
    -------
    Prepared
        With what came of it among its events.
    """
    if not night.settings.plan.capacities:
        return prepared
    started = monotonic()
    told = allocate_partitions(night, prepared.partitions)
    _LOG.info("queue allocated: %s", told[0].detail)
    return replace(prepared, events=(*prepared.events, *told), allocate_seconds=monotonic() - started)


def estimate(night: Night, partition: int) -> PartitionOutcome:
    """Fourth step, once for every partition and in any order: estimate and plan its jobs.

    Parameters
    ----------
    night : Night
    partition : int

    Returns
    -------
    PartitionOutcome
        With a problem where the partition failed: the night goes on without its jobs, and :func:`recommend` decides
        whether what is left may be published.
    """
    started = monotonic()
    try:
        jobs = estimate_partition(night, partition)
    except Exception as problem:  # noqa: BLE001  # whatever one partition is, the others are not
        _LOG.exception("partition failed: partition=%d", partition)
        jobs = jobs_of_partition(night, partition)
        return PartitionOutcome(partition, jobs, monotonic() - started, problem_line(problem))
    _LOG.info("partition estimated and planned: partition=%d jobs=%d", partition, jobs)
    return PartitionOutcome(partition, jobs, monotonic() - started)


def recommend(
    night: Night, jobs: JobsRead, prepared: Prepared, outcomes: Iterable[PartitionOutcome]
) -> Outcome:
    """Last step: join the partitions into a release and publish it.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    prepared : Prepared
    outcomes : iterable of PartitionOutcome
        Of :func:`estimate`; none where the run is published.

    Returns
    -------
    Outcome

    Raises
    ------
    PublishError
        Also where more jobs are lost with partitions that failed than ``publish.max_rejected_pct`` lets be rejected.
    """
    jobs, prepared, partitions = pass_gate(night, jobs, prepared, outcomes)
    rows, summary, no_report, started = {}, None, None, monotonic()
    with _staging(night.root, prepared.run_id) as staged:
        if not prepared.is_published:
            accounts = accounts_of_parts(
                night.work, night.settings, saving_status=saving_status(night.settings)
            )
            summary = summary_of_parts(night.work, accounts.totals, accounts.claims)
            told = account_events(summary, night.settings)
            rows = write_tables(
                *(night, jobs, load_context(night), accounts, (*prepared.events, *told)),
                *(prepared.run_id, prepared.inputs_sha256, staged),
            )
            no_report = write_report(staged) if night.settings.publish.report else None
        unkept = keep_published(night)
        published = publish(
            night.root,
            prepared.run_id,
            night.as_of_utc,
            staged,
            PUBLISHED,
            facts=facts_of_run(jobs, prepared, partitions, publish_seconds=monotonic() - started),
            keep_runs=night.settings.publish.keep_runs,
            now_utc=night.now_utc,
            extra=extra_columns(night),
        )
    if published.status != "superseded":  # the nights after it have compared with others
        unkept += keep_refit(night)
    summary = summary or summary_of_run(published.directory)
    facts = facts_of_run(jobs, prepared, partitions, publish_seconds=monotonic() - started)
    _LOG.info(
        "published: status=%s run_id=%s %s",
        *(published.status, prepared.run_id, durations_words(facts)),
    )
    return Outcome(
        status=published.status,
        run_id=prepared.run_id,
        directory=published.directory,
        jobs_read=jobs.read,
        jobs_rejected=jobs.rejected,
        events=(*prepared.events, *account_events(summary, night.settings), *unkept),
        summary=summary,
        scorecard=scorecard_of_night(night),
        rows=rows or {name: record.rows for name, record in published.tables.items()},
        partitions=partitions,
        zones=prepared.zones,
        facts=facts,
        report=published.directory / REPORT if (published.directory / REPORT).is_file() else None,
        no_report=no_report,
    )


@contextmanager
def _staging(root: str, run_id: str) -> Iterator[Path]:
    """A staging directory that goes with a failure too: the next attempt writes its own, and a full disk needs the room."""
    staged = stage_directory(root, run_id)
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # gone already where it was published
