"""The command ``pull grid``. It imports what it needs when it is called."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from opencarbon.cli.options import Config, FileOptions, Json, settings_of
from opencarbon.errors import ConfigError

pull = App(name="pull", help="Fetch data into the store.")


@pull.command(name="grid")
def pull_grid(
    *,
    start: Annotated[
        str | None,
        Parameter(name="--from", help="First hour, an ISO 8601 date or time; default: 10 days before --to."),
    ] = None,
    end: Annotated[
        str | None, Parameter(name="--to", help="End, not counted in; default: the running hour.")
    ] = None,
    zones: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            name="--zones",
            consume_multiple=True,
            negative=(),
            help="Default: those of all regions.",
        ),
    ] = (),
    files: FileOptions | None = None,
    config: Config = None,
    strict: Annotated[bool, Parameter(negative=(), help="Exit status 3 where hours are missing.")] = False,
    json: Json = False,
) -> int:
    """Fetch past hours of carbon intensity that the store lacks, and those that are revised by now.

    Started again, it goes on where it was. With --file, import files instead.
    """
    settings = settings_of(config, None)
    if files:
        from opencarbon.cli.imports import import_command

        if not files.file:
            raise ConfigError("only files can be read in another way: say --file")
        if start or end or zones or strict:
            raise ConfigError("--file imports all of its files: leave out --from, --to, --zones and --strict")
        return import_command(settings, files, now_utc=datetime.now(UTC), as_json=json)
    from opencarbon.cli.pull import pull_grid_command

    return pull_grid_command(settings, start=start, end=end, zones=zones, strict=strict, as_json=json)
