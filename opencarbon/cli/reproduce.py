"""The command ``reproduce``."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.night import shown_progress
from opencarbon.cli.tables import console_for, write_json
from opencarbon.pipeline.files import output_folder
from opencarbon.pipeline.reproduce import Reproduction, reproduce
from opencarbon.settings import Settings

_SHOWN = ("OpenCarbonEval", "OpenCarbonEval, other FLOP")


def reproduce_command(settings: Settings, out: str, *, models: str | None, as_json: bool) -> int:
    """Reproduce the paper into a folder, and print what agrees and what does not.

    Parameters
    ----------
    settings : Settings
    out : str
    models : str or None
        Epoch AI's table of models, file or URL.
    as_json : bool

    Returns
    -------
    int
        0.
    """
    folder = output_folder(out)
    with shown_progress(Console(stderr=True)) as progress:
        made = reproduce(settings, folder, models=models, progress=progress)
    if as_json:
        found = [asdict(finding) for finding in made.findings]
        write_json({"folder": str(folder), "page": str(made.page), "rows": made.rows, "findings": found})
        return 0
    console = console_for()
    console.print("OpenCarbonEval, operational emissions of Table 2", style="bold")
    console.print(_predictions(made))
    for finding in made.findings:
        console.print(f"- {finding.title}")
    console.print(f"{len(made.rows)} tables, {len(made.figures)} figures and the page {made.page}")
    return 0


def _predictions(made: Reproduction) -> Table:
    table = Table("model", "tCO2e", "published", "recomputed", "refitted", "difference")
    for column in table.columns[2:]:
        column.justify = "right"
    for row in made.cells.to_pylist():
        if row["paper_table"] == "table_2" and row["quantity"] in _SHOWN:
            values = (row[f"{kind}_value"] for kind in ("published", "recomputed", "refitted"))
            difference = row["difference_pct"]
            cells = (
                row["subject"],
                row["quantity"],
                *("" if value is None else f"{value:,.2f}" for value in values),
            )
            table.add_row(*map(Text, (*cells, "" if difference is None else f"{difference:+.1f} %")))
    return table
