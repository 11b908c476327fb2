"""What a night would publish, told without publishing."""

from pathlib import Path
from typing import Literal

from opencarbon.pipeline.accounts import account_events, accounts_of_parts
from opencarbon.pipeline.allocation import saving_status
from opencarbon.pipeline.hindsight import scorecard_of_night
from opencarbon.pipeline.night import JobsRead, Night, Outcome, Prepared
from opencarbon.pipeline.summary import summary_of_parts
from opencarbon.publishing.layout import Layout


def foresee(night: Night, jobs: JobsRead, prepared: Prepared) -> Outcome:
    """Last step of a dry run: what would be published.

    Parameters
    ----------
    night : Night
    jobs : JobsRead
    prepared : Prepared

    Returns
    -------
    Outcome
    """
    accounts = accounts_of_parts(night.work, night.settings, saving_status=saving_status(night.settings))
    summary = summary_of_parts(night.work, accounts.totals, accounts.claims)
    return Outcome(
        status="dry_run",
        run_id=prepared.run_id,
        directory=night.work,
        jobs_read=jobs.read,
        jobs_rejected=jobs.rejected,
        events=(*prepared.events, *account_events(summary, night.settings)),
        summary=summary,
        scorecard=scorecard_of_night(night),
        would_be=_would_be(Layout(Path(night.root)), prepared),
    )


def _would_be(layout: Layout, prepared: Prepared) -> Literal["published", "unchanged", "superseded"]:
    latest = layout.latest_run()
    if latest is not None and _minute(latest) > _minute(prepared.run_id):
        return "superseded"
    return "unchanged" if prepared.is_published and latest == prepared.run_id else "published"


def _minute(run_id: str) -> str:
    return run_id.partition("-")[0]
