"""The commands that go through a night: ``run``, ``estimate`` and ``plan``."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from opencarbon import pipeline
from opencarbon.cli.options import RunOptions, moment
from opencarbon.cli.tables import console_for, print_outcome, print_warnings, write_json
from opencarbon.pipeline.files import output_file
from opencarbon.pipeline.night import Outcome
from opencarbon.settings import Settings


@contextmanager
def shown_progress(console: Console) -> Iterator[pipeline.Progress]:
    """Progress bars on standard error, one per step; nothing where nobody looks.

    Parameters
    ----------
    console : Console

    Yields
    ------
    callable
    """
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        steps: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in steps:
                steps[step] = bars.add_task(step, total=total)
            bars.update(steps[step], completed=done, total=total)

        yield show


def run_command(options: RunOptions) -> int:
    """Go through a night, and show what came of it.

    Parameters
    ----------
    options : RunOptions

    Returns
    -------
    int
        Exit status.
    """
    settings, errors = options.settings(), Console(stderr=True)
    with (
        pipeline.night_of(
            settings,
            options.manifest,
            as_of_utc=moment(options.as_of),
            now_utc=datetime.now(UTC),
            offline=options.offline,
        ) as night,
        shown_progress(errors) as progress,
    ):
        outcome = pipeline.run_night(night, dry_run=options.dry_run, progress=progress)
    return show_outcome(outcome, options, settings)


def show_outcome(outcome: Outcome, options: RunOptions, settings: Settings) -> int:
    """Print what came of a night, and say how it went.

    Parameters
    ----------
    outcome : Outcome
    options : RunOptions
    settings : Settings

    Returns
    -------
    int
        Exit status.
    """
    if options.json:
        write_json(outcome_json(outcome))
    else:
        print_outcome(console_for(), outcome)
    return outcome.exit_status(strict=options.strict, fail_over_budget=settings.budget.when_over == "fail")


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What came of a night, as plain values.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    dict
    """
    return {
        "status": outcome.status,
        "run_id": outcome.run_id,
        "directory": None if outcome.status == "dry_run" else str(outcome.directory),
        "report": None if outcome.report is None else str(outcome.report),
        "jobs_read": outcome.jobs_read,
        "jobs_rejected": outcome.jobs_rejected,
        "degraded": outcome.degraded,
        "over_budget": outcome.over_budget,
        "over": [asdict(one) | {"over_by_kgco2e": one.over_by_kgco2e} for one in outcome.summary.over],
        "jobs_over_budget": outcome.summary.jobs_over_budget,
        "not_claimed": [
            {"region": region, "shifted_peak_power_mw": load_mw}
            for region, load_mw in outcome.summary.not_claimed.items()
        ],
        "would_be": outcome.would_be,
        "total": outcome.summary.total,
        "actions": outcome.summary.actions,
        "hindsight": asdict(outcome.scorecard),
        "likely_late": outcome.summary.likely_late,
        "rows": outcome.rows,
        "facts": dict(outcome.facts),
        "events": [asdict(event) for event in outcome.events],
    }


@dataclass(frozen=True, slots=True)
class TableRequest:
    """A table of jobs that is written to a file, and what it is made from.

    Parameters
    ----------
    table : str
        ``fact_job_estimate`` or ``rec_job``.
    manifests : sequence of str
    out : str
    as_of_utc : datetime
    fits : Path or None
    offline, as_json : bool
    """

    table: str
    manifests: Sequence[str]
    out: str
    as_of_utc: datetime
    fits: Path | None
    offline: bool
    as_json: bool


def unpublished_night(
    settings: Settings, folder: Path, manifests: Sequence[str], *, as_of_utc: datetime, offline: bool
) -> AbstractContextManager[pipeline.Night]:
    """A night that publishes nothing, for commands that write files of their own.

    Parameters
    ----------
    settings : Settings
    folder : Path
        Stands where releases would be published.
    manifests : sequence of str
    as_of_utc : datetime
    offline : bool

    Returns
    -------
    context manager of Night
    """
    publish = settings.publish.model_copy(update={"root": str(folder)})
    return pipeline.night_of(
        settings.model_copy(update={"publish": publish}),
        manifests,
        as_of_utc=as_of_utc,
        now_utc=datetime.now(UTC),
        offline=offline,
    )


def table_command(request: TableRequest, settings: Settings) -> int:
    """Write one table of jobs to a file, and publish nothing.

    Parameters
    ----------
    request : TableRequest
    settings : Settings

    Returns
    -------
    int
        0.
    """
    path = output_file(request.out)
    with (
        unpublished_night(
            settings, path.parent, request.manifests, as_of_utc=request.as_of_utc, offline=request.offline
        ) as night,
        shown_progress(Console(stderr=True)) as progress,
    ):
        rows, jobs, prepared = pipeline.write_job_table(
            night, request.table, path, fits=request.fits, progress=progress
        )
    if request.as_json:
        events = [asdict(event) for event in prepared.events]
        content = {"table": request.table, "file": str(path), "rows": rows, "rejected": jobs.rejected}
        write_json(content | {"events": events})
        return 0
    print_warnings(prepared.events)
    console_for().print(f"{rows} rows of {request.table} in {path}; {jobs.rejected} rows were rejected")
    return 0
