"""The commands ``release list`` and ``release rollback``. Each imports what it needs when it is called."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from opencarbon.cli.options import Config, Json
from opencarbon.cli.runs import release_root_of

release = App(name="release", help="The runs of a release.")

Out = Annotated[str | None, Parameter(help="Root of the release; or publish.root in the settings.")]


@release.command(name="list")
def list_runs(*, out: Out = None, config: Config = None, json: Json = False) -> int:
    """List the runs that are stored, and which of them readers follow."""
    from rich.table import Table

    from opencarbon.cli.tables import console_for, write_json
    from opencarbon.publishing.rollback import runs_of

    stored = runs_of(release_root_of(config, out, option="--out"))
    if json:
        rows = [{"run_id": run.run_id, "as_of_utc": run.as_of_utc.isoformat()} for run in stored.runs]
        write_json({"runs": rows, "latest_run_id": stored.latest_run_id})
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "as of (UTC)", ""):
        table.add_column(heading)
    for run in stored.runs:
        mark = "latest" if run.run_id == stored.latest_run_id else ""
        table.add_row(run.run_id, f"{run.as_of_utc:%Y-%m-%d %H:%M}", mark)
    console_for().print(table if stored.runs else "no run is stored here")
    return 0


@release.command
def rollback(
    run_id: Annotated[str, Parameter(help="A run that `opencarbon release list` names.")],
    *,
    out: Out = None,
    config: Config = None,
) -> int:
    """Make an earlier run the one that readers follow; the next night moves them on again."""
    from opencarbon.cli.tables import console_for
    from opencarbon.publishing.rollback import roll_back

    changed = roll_back(release_root_of(config, out, option="--out"), run_id, now_utc=datetime.now(UTC))
    words = "is the latest now" if changed else "was the latest already"
    console_for().print(f"run {run_id} {words}", highlight=False, soft_wrap=True)
    return 0
