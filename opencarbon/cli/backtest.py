"""The command ``backtest``."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.night import shown_progress
from opencarbon.cli.pull import span_of
from opencarbon.cli.tables import console_for, write_json
from opencarbon.errors import ConfigError
from opencarbon.estimation.backtest import scores
from opencarbon.pipeline.backtest import Backtest, Question, backtest, write_backtest
from opencarbon.pipeline.files import output_folder
from opencarbon.settings import Settings

_HEADINGS: Final = (
    *("kind", "job h", "may", "n", "claimed", "realised", "claimed/\nrealised"),
    *("regret", "worse"),
)
_TEXTS: Final = (0, 2)
_MOST_ZONES: Final = 12
_LONGEST_H: Final = 8784
"""A leap year: jobs and delays beyond it are slips [h]."""


class BacktestOptions(NamedTuple):
    """What the command line says of a back-test; see ``opencarbon backtest --help``."""

    start: str | None
    end: str | None
    every: int
    job_hours: str
    slack_hours: float
    regions: tuple[str, ...]
    intensities: tuple[str, ...]
    published_after: float | None


def question_of(given: BacktestOptions, *, now_utc: datetime) -> Question:
    """What is asked, checked.

    Parameters
    ----------
    given : BacktestOptions
    now_utc : datetime

    Returns
    -------
    Question

    Raises
    ------
    ConfigError
        Where a time, a number of hours or the range cannot be used.
    """
    span = span_of(given.start, given.end, now_utc=now_utc)
    if given.every < 1:
        raise ConfigError(f"--every {given.every} is no hour: give 1 or more")
    for option, hours in (
        ("--slack-hours", given.slack_hours),
        ("--published-after", given.published_after or 0.0),
    ):
        if not 0 <= hours <= _LONGEST_H:
            raise ConfigError(f"{option} {hours:g} is not between 0 and {_LONGEST_H} h")
    return Question(
        span.start_utc,
        span.end_utc,
        given.every,
        _durations(given.job_hours),
        given.slack_hours,
        given.regions,
        given.intensities,
        None if given.published_after is None else timedelta(hours=given.published_after),
    )


def _durations(text: str) -> tuple[float, ...]:
    try:
        hours = tuple(float(one) for one in text.split(","))
    except ValueError:
        hours = (math.nan,)
    if not all(0 < one <= _LONGEST_H for one in hours):
        raise ConfigError(
            f"--job-hours {text!r} holds what is no duration from 0 to {_LONGEST_H} h: write it like 6,48"
        )
    return tuple(dict.fromkeys(hours))


def backtest_command(settings: Settings, question: Question, *, out: str | None, as_json: bool) -> int:
    """Plan jobs at moments of the past, print what their advice claimed and what it came to, and keep the tables.

    Parameters
    ----------
    settings : Settings
    question : Question
    out : str or None
        Folder for the tables and the figure.
    as_json : bool

    Returns
    -------
    int
        0.
    """
    folder = None if out is None else output_folder(out)
    with shown_progress(Console(stderr=True)) as progress:
        made = backtest(settings, question, now_utc=datetime.now(UTC), progress=progress)
    rows = {} if folder is None else write_backtest(made, folder)
    if as_json:
        write_json(_content(made, rows))
        return 0
    console = console_for()
    console.print(_title(made), style="bold")
    console.print(_table(made))
    for line in _lines(made):
        console.print(line)
    if folder is not None:
        console.print(f"{len(rows)} tables and a figure: {folder}")
    return 0


def _content(made: Backtest, rows: dict[str, int]) -> dict[str, Any]:
    question = made.question
    return {
        "from_utc": question.start_utc.isoformat(),
        "to_utc": question.end_utc.isoformat(),
        "moments": len(question.moments()),
        "blind_moments": made.blind_moments,
        "regions": list(made.regions),
        "missing": [one._asdict() for one in made.coverage],
        "scores": made.scores.to_pylist(),
        "rows": rows,
    }


def _title(made: Backtest) -> str:
    first, *others = made.question.moments()
    moments = f"1 moment from {first:%Y-%m-%d %H:%M} UTC"
    if others:
        moments = f"{1 + len(others)} moments from {first:%Y-%m-%d %H:%M} to {others[-1]:%Y-%m-%d %H:%M} UTC"
    return f"{moments}, {len(made.regions)} region{'s' * (len(made.regions) > 1)}, put off by at most {made.question.slack_hours:g} h"


def _table(made: Backtest) -> Table:
    table = Table(*_HEADINGS, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for at, column in enumerate(table.columns):
        column.justify, column.no_wrap = ("left" if at in _TEXTS else "right"), True
    for row in scores(made.outcomes, ("intensity_kind", "job_hours", "may_move")).to_pylist():
        cells = (
            row["intensity_kind"],
            f"{row['job_hours']:g}",
            "move or wait" if row["may_move"] else "wait",
            f"{row['measured_decisions']:,}",
            *(_figure(row[f"{name}_gco2e_per_kwh"], ".1f") for name in ("claimed_saving", "realised_saving")),
            _figure(row["claimed_over_realised"], ".2f"),
            _figure(row["regret_gco2e_per_kwh"], ".1f"),
            _figure(row["worse_share"], ".1%"),
        )
        table.add_row(*map(Text, cells))
    return table


def _lines(made: Backtest) -> Iterator[str]:
    """What the figures mean, and what was missing."""
    yield "- gCO2e per kWh at the servers, means over n decisions; PUE included."
    yield "- claimed/realised: above 1 the advice promised more than came true."
    yield "- regret: what the best place and time in hindsight would have saved beyond the advice."
    yield "- worse: decisions that emitted more than their baseline."
    lost = made.outcomes.num_rows - sum(row["measured_decisions"] for row in made.scores.to_pylist())
    if lost:
        yield f"{lost:,} decisions are not counted: their hours were not all measured, or no place could be ranked"
    for one in made.coverage[:_MOST_ZONES]:
        yield f"zone {one.zone} lacks {one.missing_hours:,} of {one.hours:,} hours"
    if len(made.coverage) > _MOST_ZONES:
        yield f"and {len(made.coverage) - _MOST_ZONES} more zones lack hours: --json lists them"
    if made.blind_moments:
        yield (
            f"at {made.blind_moments} of {len(made.question.moments())} moments nothing was known of any zone, as all was "
            "fetched later: these plans stand on annual means; --published-after 1 takes hours as known an hour after "
            "they ended"
        )


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:z{form}}".replace("%", " %")
