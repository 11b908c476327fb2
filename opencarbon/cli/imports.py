"""The command ``pull grid --file``."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opencarbon.cli.night import shown_progress
from opencarbon.cli.options import FileOptions, moment
from opencarbon.cli.tables import console_for, printable, write_json
from opencarbon.pipeline.imports import GridImport, import_grid
from opencarbon.settings import Settings
from opencarbon.sources.intensity_files.forms import FileForm
from opencarbon.sources.locations import public_name


def import_command(settings: Settings, options: FileOptions, *, now_utc: datetime, as_json: bool) -> int:
    """Put what the store does not know of intensity files into it, and print what came.

    Parameters
    ----------
    settings : Settings
    options : FileOptions
    now_utc : datetime
    as_json : bool

    Returns
    -------
    int
        0.
    """
    fetched_at_utc = moment(options.fetched_at, option="--fetched-at") if options.fetched_at else now_utc
    form = FileForm(
        columns=settings.store.columns,
        zone=options.zone,
        granularity=options.granularity,
        unit=options.unit,
        naive_is_utc=options.utc,
        is_wide=options.wide,
    )
    with shown_progress(Console(stderr=True)) as progress:
        brought = import_grid(
            settings.store.root,
            options.file,
            form,
            fetched_at_utc=fetched_at_utc,
            emission_factor_type=options.factors,
            accounting_basis=options.basis,
            is_for_real=not options.dry_run,
            progress=progress,
        )
    if as_json:
        write_json(_content(brought, is_for_real=not options.dry_run))
    else:
        _print(console_for(), brought, public_name(settings.store.root), is_for_real=not options.dry_run)
    return 0


def _content(brought: GridImport, *, is_for_real: bool) -> dict[str, Any]:
    return {
        "fetched_at_utc": brought.fetched_at_utc.isoformat(),
        "is_stored": is_for_real,
        "files": [
            asdict(file)
            | {
                name: moment and moment.isoformat()
                for name, moment in (
                    ("first_hour_utc", file.first_hour_utc),
                    ("last_hour_utc", file.last_hour_utc),
                )
            }
            for file in brought.files
        ],
        "events": [asdict(event) for event in brought.events],
    }


def _print(console: Console, brought: GridImport, store: str, *, is_for_real: bool) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("file", overflow="fold")
    for heading in ("zones", "first hour", "last hour", "rows", "null", "new"):
        table.add_column(heading, justify="right", no_wrap=True)
    for file in brought.files:
        hours = (
            f"{hour:%Y-%m-%d %H:%M}" if hour else "" for hour in (file.first_hour_utc, file.last_hour_utc)
        )
        counts = (f"{count:,}" for count in (file.rows, file.null_rows, file.stored_rows))
        table.add_row(Text(printable(file.location)), f"{file.zones:,}", *hours, *counts)
    console.print(table, soft_wrap=False)
    for event in brought.events:
        console.print(f"{event.severity}: {printable(event.detail)}", style="yellow")
    rows, files = (sum(getattr(file, name) for file in brought.files) for name in ("stored_rows", "files"))
    verb = "stored in" if is_for_real else "would be stored in"
    console.print(
        f"{rows:,} rows {verb} {store} as {files:,} files, known from {brought.fetched_at_utc:%Y-%m-%d %H:%M} UTC on"
    )
