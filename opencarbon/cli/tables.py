"""What a night looks like: in a terminal, and as Prefect artifacts."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.estimation.claims import ALLOCATED, NOT_CLAIMED
from opencarbon.pipeline.allocation import ALLOCATION
from opencarbon.pipeline.night import Outcome
from opencarbon.pipeline.refits import HELD
from opencarbon.pipeline.summary import BUDGET, Summary, tonnes
from opencarbon.tables.events import Event

_WIDTH_IN_FILES: Final = 120
_HEADINGS: Final = ("job", "do", "where", "start (UTC)", "saves tCO2e", "interval", "of", "late?")
_SHORT_HEADINGS: Final = ("job", "do", "where", "start (UTC)", "tCO2e", "interval", "of", "late")
_LAYOUTS: Final = (
    ((0, 1, 2, 3, 4, 5, 6, 7), False),
    ((0, 1, 2, 3, 4, 6, 7), False),
    ((0, 1, 2, 3, 4, 6, 7), True),
    ((0, 1, 2, 3, 4, 7), True),
    ((0, 1, 2, 4), True),
)
"""Columns that are shown, and whether in short words: the widest first."""

_UNBOUNDED: Final = 1_000
_MOST_NAMED: Final = 8
"""Held devices, and teams over budget, that are named one by one; there may be dozens."""
_MOST_REGIONS: Final = 3
"""Regions that take more than can be claimed, and are named one by one."""
_LEFT: Final = 4
"""Columns of text; the others are numbers and stand right."""


def console_for(*, stderr: bool = False) -> Console:
    """Console that prints what it is given, and breaks no line itself.

    Parameters
    ----------
    stderr : bool, optional

    Returns
    -------
    Console
        As wide as the terminal, or 120 columns where the output is no terminal and ``COLUMNS`` is not set.
    """
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_IN_FILES
    return console


def write_json(content: Mapping[str, Any]) -> None:
    """Write machine output to standard output.

    Parameters
    ----------
    content : mapping
    """
    sys.stdout.write(json.dumps(content, indent=2, allow_nan=False) + "\n")


def printable(text: str) -> str:
    """Text without characters that would drive a terminal: they are shown escaped.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def titled(title: str, *, style: str | None = None) -> Table:
    """An empty table below a title.

    Parameters
    ----------
    title : str
    style : str, optional
        Of the title.

    Returns
    -------
    Table
    """
    return Table(
        title=title,
        title_justify="left",
        title_style=style,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )


def widest_that_fits(console: Console, tables: Sequence[Table]) -> Table:
    """The first table that is narrow enough for a console.

    Parameters
    ----------
    console : Console
    tables : sequence of Table
        The widest first.

    Returns
    -------
    Table
        The last one where none is.
    """
    unbounded = console.options.update(max_width=_UNBOUNDED)
    fitting = (
        table for table in tables if console.measure(table, options=unbounded).maximum <= console.width
    )
    return next(fitting, tables[-1])


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print what to do, what was degraded, and where the release is.

    Parameters
    ----------
    console : Console
    outcome : Outcome
    """
    first, *others = summary_lines(outcome)
    console.print(first, style="bold")
    if outcome.summary.jobs:
        tables = [_job_table(outcome.summary, columns, short=short) for columns, short in _LAYOUTS]
        console.print(widest_that_fits(console, tables))
    for line in others:
        console.print(line)
    for line in over_budget_lines(outcome.events):
        console.print(line, style="red")


def print_warnings(events: Iterable[Event]) -> None:
    """Print to standard error what was degraded.

    Parameters
    ----------
    events : iterable of Event
    """
    console = console_for(stderr=True)
    for line in warning_lines(events):
        console.print(line, style="yellow")


def summary_lines(outcome: Outcome) -> Iterator[str]:
    """A night in a few sentences.

    Parameters
    ----------
    outcome : Outcome

    Yields
    ------
    str
    """
    summary, total = outcome.summary, outcome.summary.total
    if total.get("baseline_kgco2e") is None:
        yield "no job has a baseline, so nothing can be summed"
    else:
        without = total["jobs_without_baseline"]
        others = f" ({without} of {total['jobs']} jobs have no baseline and are not in these sums)"
        yield (
            f"planned {_with_interval(total, 'baseline')} tCO2e; {_saving(summary)}{others if without else ''}"
        )
    actions = ", ".join(f"{count} {_words(action)}" for action, count in sorted(summary.actions.items()))
    yield (
        f"{outcome.jobs_read} jobs read: {actions}; {outcome.jobs_rejected} rejected; "
        f"{summary.likely_late} likely late"
    )
    yield from (event.detail for event in outcome.events if event.code == ALLOCATION)
    yield from outcome.scorecard.sentences()
    yield from warning_lines(event for event in outcome.events if event.source != BUDGET)
    yield ending(outcome)
    if outcome.report is not None:
        yield f"report: {outcome.report}"
    elif outcome.no_report:
        yield f"no report: {printable(outcome.no_report)}"


def ending(outcome: Outcome) -> str:
    """What became of the release, in a sentence.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    str
    """
    run, where = f"run {outcome.run_id}", outcome.directory
    if outcome.status == "dry_run":
        foreseen = {
            "published": f"{run} would be published",
            "unchanged": f"{run} is published already, nothing would change",
            "superseded": f"{run} would be kept, and a newer run would stay the latest",
        }
        return f"dry run, nothing was written; as things are, {foreseen[outcome.would_be or 'published']}"
    return {
        "published": f"published {run} in {where}",
        "unchanged": f"{run} was published before in {where}; nothing changed",
        "superseded": f"{run} is kept in {where}; a newer run stays the latest",
    }[outcome.status]


def over_budget_lines(events: Iterable[Event]) -> Iterator[str]:
    """Who is over budget, and by how much.

    Parameters
    ----------
    events : iterable of Event

    Yields
    ------
    str
    """
    over = [event for event in events if event.source == BUDGET and event.severity != "info"]
    yield from (f"over budget: {printable(event.detail)}" for event in over[:_MOST_NAMED])
    if len(over) > _MOST_NAMED:
        yield f"over budget: and {len(over) - _MOST_NAMED} more teams, see budget_status in fact_total"


def warning_lines(events: Iterable[Event]) -> Iterator[str]:
    """A line for each held device, and one for each other kind of event with the first of them.

    Parameters
    ----------
    events : iterable of Event

    Yields
    ------
    str
    """
    kept = [event for event in events if event.severity != "info"]
    held = [event for event in kept if event.code == HELD]
    kept = [event for event in kept if event.code != HELD]
    yield from (f"held: {printable(event.detail)}" for event in held[:_MOST_NAMED])
    if len(held) > _MOST_NAMED:
        yield f"held: and {len(held) - _MOST_NAMED} more devices, see run_event"
    counts = Counter((event.severity, event.source, event.code) for event in kept)
    first = {(event.severity, event.source, event.code): event for event in reversed(kept)}
    for kind, count in sorted(counts.items()):
        others = f" (and {count - 1} more like it, see run_event)" if count > 1 else ""
        yield f"{kind[0]}: {printable(first[kind].detail)}{others}"


def artifact_rows(summary: Summary) -> list[dict[str, Any]]:
    """The greatest savings as rows of a Prefect table artifact.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    list of dict
    """
    return [dict(zip(_HEADINGS, _cells(row), strict=True)) for row in summary.jobs]


def _saving(summary: Summary) -> str:
    """What may be claimed of the saving of all jobs."""
    status = summary.total["saving_status"]
    if status == NOT_CLAIMED:
        loads = [f"{load_mw:,.1f} MW into {region}" for region, load_mw in summary.not_claimed.items()]
        more = f" and {len(loads) - _MOST_REGIONS} more regions" if len(loads) > _MOST_REGIONS else ""
        advised = ", ".join(loads[:_MOST_REGIONS]) + more
        return f"saving not claimed: advised are {advised}; give plan.capacities"
    saved = _with_interval(summary.total, "saving")
    if status == ALLOCATED:
        return f"saving {saved} tCO2e, capacity reserved"
    return f"potential saving {saved} tCO2e, if not all jobs want the same place"


def _job_table(summary: Summary, columns: Sequence[int], *, short: bool) -> Table:
    table = titled("Greatest savings")
    headings = _SHORT_HEADINGS if short else _HEADINGS
    for at in columns:
        table.add_column(headings[at], justify="left" if at < _LEFT else "right", no_wrap=True)
    for row in summary.jobs:
        cells = _cells(row, short=short)
        table.add_row(*(Text(cells[at]) for at in columns))
    return table


def _cells(row: dict[str, Any], *, short: bool = False) -> tuple[str, ...]:
    risk, action = row["deadline_risk"], _words(row["action"])
    low, high = row["saving_low_kgco2e"], row["saving_high_kgco2e"]
    return (
        printable(row["job_id"]),
        action.replace(" and ", "+") if short else action,
        str(row["advised_region"]),
        f"{row['advised_start_utc']:{'%d %b %H:%M' if short else '%a %d %b %H:%M'}}",
        tonnes(row["saving_kgco2e"]),
        "" if low is None or high is None else f"{tonnes(low)} to {tonnes(high)}",
        f"{row['saving_pct']:.0f} %",
        "" if risk is None else f"{100 * risk:.0f} %",
    )


def _with_interval(total: dict[str, Any], quantity: str) -> str:
    central, low, high = (tonnes(total[f"{quantity}{end}_kgco2e"]) for end in ("", "_low", "_high"))
    return f"{central} ({low} to {high})"


def _words(action: str) -> str:
    return action.replace("_", " ")
