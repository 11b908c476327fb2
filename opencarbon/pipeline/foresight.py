"""What a night would publish, told without publishing."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from opencarbon.pipeline.accounts import account_events, accounts_of_parts
from opencarbon.pipeline.allocation import saving_status
from opencarbon.pipeline.gate import pass_gate
from opencarbon.pipeline.hindsight import scorecard_of_night
from opencarbon.pipeline.night import JobsRead, Night, Outcome, Prepared
from opencarbon.pipeline.outcomes import PartitionOutcome
from opencarbon.pipeline.summary import summary_of_parts
from opencarbon.publishing.layout import Layout
from opencarbon.sources.places import Place


def foresee(
    night: Night, jobs: JobsRead, prepared: Prepared, outcomes: Iterable[PartitionOutcome]
) -> Outcome:
    """Last step of a dry run: what would be published.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    prepared : Prepared
    outcomes : iterable of PartitionOutcome

    Returns
    -------
    Outcome

    Raises
    ------
    PublishError
        Where too many partitions failed for the rest to be published.
    """
    was_published = prepared.is_published
    jobs, prepared, partitions = pass_gate(night, jobs, replace(prepared, is_published=False), outcomes)
    prepared = replace(prepared, is_published=was_published)
    accounts = accounts_of_parts(night.work, night.settings, saving_status=saving_status(night.settings))
    summary = summary_of_parts(night.work, accounts.totals, accounts.claims)
    return Outcome(
        status="dry_run",
        run_id=prepared.run_id,
        directory=Place.of(night.root),
        jobs_read=jobs.read,
        jobs_rejected=jobs.rejected,
        events=(*prepared.events, *account_events(summary, night.settings)),
        summary=summary,
        scorecard=scorecard_of_night(night),
        would_be=_would_be(Layout(Place.of(night.root)), prepared),
        partitions=partitions,
        zones=prepared.zones,
    )


def _would_be(layout: Layout, prepared: Prepared) -> Literal["published", "unchanged", "superseded"]:
    latest = layout.latest_run()
    if latest is not None and _minute(latest) > _minute(prepared.run_id):
        return "superseded"
    return "unchanged" if prepared.is_published and latest == prepared.run_id else "published"


def _minute(run_id: str) -> str:
    return run_id.partition("-")[0]
