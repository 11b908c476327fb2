"""What runs show in Prefect's interface, beside the rows of the advice."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from opencarbon.cli.tables import over_budget_lines, printable, summary_lines, warning_lines
from opencarbon.pipeline.ahead import Ingested, Refitted
from opencarbon.pipeline.facts import KNOWN_AHEAD
from opencarbon.pipeline.night import Outcome
from opencarbon.pipeline.outcomes import ZoneOutcome
from opencarbon.tables.events import Event

_MOST_ROWS: Final = 200
"""Rows of an artifact: the interface loads all of them, and the tables of the release hold the rest."""


def summary_markdown(outcome: Outcome) -> str:
    """A night as Markdown.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    str
    """
    lines = [f"# Run {outcome.run_id}", "", *(f"- {line}" for line in summary_lines(outcome))]
    lines += [f"- **{line}**" for line in over_budget_lines(outcome.events)]
    return "\n".join(lines) + "\n"


def problem_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Partitions and zones with a problem, those that cost jobs first.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    list of dict
        No more than an artifact takes.
    """
    partitions = [
        {"of": f"partition {one.partition}", "cost": f"{one.jobs} jobs not estimated", "problem": one.problem}
        for one in outcome.partitions
        if one.problem
    ]
    return [*map(_row, partitions), *zone_problem_rows(outcome.zones)][:_MOST_ROWS]


def zone_problem_rows(zones: Iterable[ZoneOutcome]) -> list[dict[str, Any]]:
    """Zones with a problem.

    Parameters
    ----------
    zones : iterable of ZoneOutcome

    Returns
    -------
    list of dict
        No more than an artifact takes.
    """
    rows = (
        {"of": f"zone {one.zone}", "cost": f"planned on: {one.kind}", "problem": one.problem}
        for one in zones
        if one.problem
    )
    return [_row(row) for row in islice(rows, _MOST_ROWS)]


def ingest_markdown(ingested: Ingested) -> str:
    """What an ingest brought as Markdown.

    Parameters
    ----------
    ingested : Ingested

    Returns
    -------
    str
    """
    zones, past = ingested.zones, ingested.past
    ahead = sum(zone.kind in KNOWN_AHEAD for zone in zones)
    told = [
        f"{len(zones)} zones, {sum(zone.asked for zone in zones)} asked for in {ingested.requests} requests",
        f"{ahead} known beyond the running hour",
    ]
    if past is not None:
        told.append(f"{past.fetched_hours} past hours fetched, {past.missing_hours} are missing")
    return _markdown(f"Hours of {ingested.as_of_utc:%Y-%m-%d %H:%M} UTC", told, ingested.events)


def refit_markdown(refitted: Refitted) -> str:
    """What a refit brought as Markdown.

    Parameters
    ----------
    refitted : Refitted

    Returns
    -------
    str
    """
    kept = "" if refitted.is_new else "; they were there before"
    told = [f"{refitted.fits.num_rows} devices fitted, {len(refitted.held)} held{kept}"]
    return _markdown(f"Fits of {refitted.as_of_utc:%Y-%m-%d %H:%M} UTC", told, refitted.events)


def _markdown(title: str, told: Iterable[str], events: Iterable[Event]) -> str:
    lines = [f"# {title}", "", *(f"- {line}" for line in (*told, *warning_lines(events)))]
    return "\n".join(lines) + "\n"


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "problem": printable(str(row["problem"]))}
