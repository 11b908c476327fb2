"""The command ``evaluate``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.night import shown_progress
from opencarbon.cli.tables import console_for, write_json
from opencarbon.estimation.evaluation import CALIBRATED, CONFIDENCE, DECODER_1B, EVALUATED, LEVEL, SUBSETS
from opencarbon.pipeline.evaluate import Evaluation, evaluate
from opencarbon.pipeline.files import output_folder
from opencarbon.settings import Settings

_HEADINGS: Final = (
    *("method", "runs", "E (i)", "E (ii)", "median\nfamily", "interval\nscore"),
    *(f"within\n{100 * LEVEL:.0f} %", "calibr.\nless it"),
)
_NAMES: Final = {DECODER_1B: "(i)", "all": "(ii)"}


def evaluate_command(
    settings: Settings, out: str, *, models: str | None, expected_rows: str | None, as_json: bool
) -> int:
    """Score every method on runs held out, into a folder, and print how wrong each is.

    Parameters
    ----------
    settings : Settings
    out : str
    models : str or None
        Epoch AI's table of models, file or URL.
    expected_rows : str or None
        Hash that the runs scored must have.
    as_json : bool

    Returns
    -------
    int
        0.
    """
    folder = output_folder(out)
    with shown_progress(Console(stderr=True)) as progress:
        made = evaluate(settings, folder, models=models, expected_rows=expected_rows, progress=progress)
    if as_json:
        write_json(_content(made))
        return 0
    console = console_for()
    console.print("Device-hours of runs whose family no method has seen", style="bold")
    console.print(_table(made))
    console.print()
    for line in _lines(made):
        console.print(line)
    return 0


def _content(made: Evaluation) -> dict[str, Any]:
    return {
        "folder": str(made.folder),
        "page": str(made.page),
        "rows": made.rows,
        "rows_sha256": made.rows_sha256,
        "is_frozen": made.is_frozen,
        "floors": {subset: floor.known_error() for subset, floor in made.floors.items()},
        "scores": made.scores.to_pylist(),
        "fleets": made.fleets.to_pylist(),
    }


def _table(made: Evaluation) -> Table:
    table = Table(*_HEADINGS, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    found = {
        (row["subset"], row["evaluated_method"]): row
        for row in made.scores.to_pylist()
        if (row["evaluated_quantity"], row["split"]) == ("device_hours", "family")
    }
    for name, method in EVALUATED.items():
        every = found["all", name]
        cells = (
            f"{name}{' *' if method.is_in_sample else ''}",
            str(every["scored_runs"]),
            *(_figure(found[subset, name]["family_error"]) for subset in SUBSETS),
            _figure(every["family_median_error_pct"], ".1f", " %"),
            _figure(every["interval_score"], ".2f"),
            _figure(every["family_coverage"], ".0%"),
            f"{_figure(every['family_error_difference'], '+.3f')}{_chance(every)}",
        )
        table.add_row(*map(Text, cells))
    return table


def _lines(made: Evaluation) -> Iterator[str]:
    """What the figures mean, how much no method can take away, and what else was scored."""
    level, confidence = f"{100 * LEVEL:.0f} %", f"{100 * CONFIDENCE:.0f} %"
    yield "- E: how wrong device-hours are, 0 at best: the median |ln(predicted / actual)|"
    yield "  of each family, and the mean of these; 0.25 is a factor of 1.28 either way."
    yield "- (i): decoder language models from 1e9 parameters; (ii): all runs, as in all"
    yield "  other columns."
    yield "- median family: half of the families are off by less."
    yield f"- interval score: width of the {level} intervals in ln of hours, and"
    yield f"  {2 / (1 - LEVEL):.0f} times how far actual hours lie outside; the smaller the better."
    yield f"- within {level}: runs in their {level} interval, families weighing alike; below,"
    yield "  a method is too sure of itself."
    yield f"- calibr. less it: E (ii) of {CALIBRATED} less E (ii) of the method, on the runs"
    yield f"  of both: below 0 {CALIBRATED} errs less. ? is a difference that may be chance:"
    yield f"  its {confidence} interval holds 0."
    yield "- * in-sample: Table 1 of the paper as published; the runs scored may be behind"
    yield "  it, and it knows fewer devices: no fair comparison."
    yield f"Constants of {CALIBRATED} were measured on these runs: it is a little flattered."
    floors = ", ".join(
        f"{_figure(floor.known_error())} {_NAMES[subset]}" for subset, floor in made.floors.items()
    )
    yield "Families on one device differ: E of a method that knew the mean of every device,"
    yield f"and nothing else of a run, would still be about {floors}."
    rows = made.scores.to_pylist()
    yield from (
        _apart(row) for row in rows if row["evaluated_method"] == CALIBRATED and row["split"] == "source"
    )
    fleets = [row for row in made.fleets.to_pylist() if row["fleets_counted"] == "same_fleets"]
    if fleets:
        yield "Mean |ln error| on other runs of a fleet, none to three of its own runs given:"
    for split in dict.fromkeys(row["split"] for row in fleets):
        mine = [row for row in fleets if row["split"] == split]
        errors = ", ".join(f"{row['mean_error']:.3f}" for row in mine)
        yield f"  {mine[0]['fleets']} fleets of one {split}: {errors}"
    for reason in dict.fromkeys(row["reason"] for row in rows if row["reason"]):
        yield f"left out: {reason}"
    yield f"frozen rows: {'yes' if made.is_frozen else 'no, other runs than published scores are of'}"
    yield f"rows sha256: {made.rows_sha256}"
    yield f"{len(made.rows)} tables and the page {made.page}"


def _apart(row: Mapping[str, Any]) -> str:
    note = "" if row["is_independent"] else ", not independent of the energy"
    return (
        f"{row['evaluated_quantity']}: E {_figure(row['family_error'])}, {row['scored_runs']} runs, "
        f"{row['scored_families']} sources, each left out{note}"
    )


def _chance(row: Mapping[str, Any]) -> str:
    """A mark behind a difference that may be chance."""
    low, high = (row[f"family_error_difference_{end}"] for end in ("low", "high"))
    return " " if low is None else (" ?" if low <= 0.0 <= high else "  ")


def _figure(value: float | None, form: str = ".3f", unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}".replace("%", " %").replace("  ", " ")
