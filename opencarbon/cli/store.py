"""The commands ``store path``, ``store compact`` and ``store purge``. Each imports what it needs when it is called."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from opencarbon.cli.options import Config, Json, moment, settings_of

store = App(name="store", help="The store of fetched intensities.")


@store.command
def path(*, config: Config = None, json: Json = False) -> int:
    """Print where the store is, and what it holds."""
    from opencarbon.cli.tables import write_json
    from opencarbon.sources.locations import public_name
    from opencarbon.sources.store.purge import contents_of

    root = settings_of(config, None).store.root
    contents = contents_of(root)
    if json:
        write_json({"root": public_name(root)} | _plain(asdict(contents)))
        return 0
    _say(public_name(root))
    files = contents.fetches + contents.merged
    _say(f"{files:,} files ({contents.merged:,} merged), {contents.size_bytes / 1e6:,.1f} MB")
    if contents.first_fetch_utc and contents.last_fetch_utc:
        _say(
            f"fetched {contents.first_fetch_utc:%Y-%m-%d %H:%M} to {contents.last_fetch_utc:%Y-%m-%d %H:%M} UTC"
        )
    if contents.first_hour_utc and contents.last_hour_utc:
        _say(f"hours {contents.first_hour_utc:%Y-%m-%d} to {contents.last_hour_utc:%Y-%m-%d} UTC")
    return 0


@store.command
def compact(*, config: Config = None, json: Json = False) -> int:
    """Merge the files of past months; what any night knew stays as it was."""
    from rich.console import Console

    from opencarbon.cli.night import shown_progress
    from opencarbon.cli.tables import write_json
    from opencarbon.sources.store.compaction import compact as merge

    root = settings_of(config, None).store.root
    with shown_progress(Console(stderr=True)) as progress:
        done = merge(
            root,
            now_utc=datetime.now(UTC),
            told=lambda months, total: progress("merge months", months, total),
        )
    if json:
        write_json(_plain(asdict(done)))
        return 0
    _say(f"{done.files_before:,} files before, {done.files_after:,} after; {done.rows:,} rows merged")
    for event in done.events:
        _say(f"{event.severity}: {event.subject}: {event.detail}")
    return 0


@store.command
def purge(
    *,
    before: Annotated[str, Parameter(help="Delete what was fetched before, an ISO 8601 date or time.")],
    yes: Annotated[bool, Parameter(negative=(), help="Do it; otherwise it is only said.")] = False,
    config: Config = None,
    json: Json = False,
) -> int:
    """Delete what was fetched before a moment. It says what would go away; only with --yes does it."""
    from opencarbon.cli.tables import write_json
    from opencarbon.sources.store.purge import purge as delete

    before_utc = moment(before, option="--before", dates=True)
    done = delete(settings_of(config, None).store.root, before_utc=before_utc, is_for_real=yes)
    if json:
        write_json(_plain(asdict(done)) | {"is_deleted": yes})
        return 0
    _say(
        f"{done.rows:,} rows fetched before {before_utc:%Y-%m-%d %H:%M} UTC, in {done.files:,} files, "
        f"{'are deleted' if yes else 'would be deleted'}; of {done.lost_hours:,} hours nothing is known after that"
    )
    for event in done.events:
        _say(f"{event.severity}: {event.subject}: {event.detail}")
    if not yes:
        _say("nothing is deleted yet: add --yes")
    return 0


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    return {name: item.isoformat() if isinstance(item, datetime) else item for name, item in content.items()}


def _say(words: str) -> None:
    from opencarbon.cli.tables import console_for, printable

    console_for().print(printable(words), markup=False, highlight=False, soft_wrap=True)
