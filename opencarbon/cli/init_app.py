"""The command ``init`` and its arguments. It imports what it needs when it is called."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def init(
    folder: Annotated[Path, Parameter(help="Where to write.")] = Path(),
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative=(), help="List the files, and write none.")] = False,
) -> int:
    """Write a commented configuration and a template of a queue, as CSV and Parquet; nothing is replaced."""
    from datetime import UTC, datetime

    from opencarbon.cli.tables import console_for
    from opencarbon.pipeline.starter import CONFIGURATION, starter_files, write_starter

    wanted = starter_files(folder, datetime.now(UTC))
    new = {path: content for path, content in wanted.items() if not path.exists()}
    if not dry_run:
        write_starter(new)
    console = console_for()
    for path in wanted:
        done = "would be written" if dry_run else "written"
        what = done if path in new else "is there already, and stays as it is"
        console.print(f"{path}: {what}", highlight=False, soft_wrap=True)
    queue = folder / "jobs.csv"
    console.print("\nNext, with your own jobs in the place of these:", highlight=False)
    for words in (
        f"opencarbon check {queue} --config {folder / CONFIGURATION}",
        f"opencarbon run --manifest {queue} --config {folder / CONFIGURATION} --out {folder / 'release'} --offline",
        f"opencarbon show latest --release {folder / 'release'}",
    ):
        console.print(f"  {words}", highlight=False, soft_wrap=True)
    return 0
