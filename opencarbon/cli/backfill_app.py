"""The command ``backfill`` and its arguments. It imports what it needs when it is called."""

from typing import Annotated

from cyclopts import Parameter

from opencarbon.cli.options import Completed, Config, Json, Manifests, Offline, ProfileName, settings_of


def backfill(
    manifest: Manifests,
    *,
    start: Annotated[
        str,
        Parameter(name="--from", help="First night, an ISO 8601 date (at 00:00 UTC) or a time with a zone."),
    ],
    end: Annotated[str, Parameter(name="--to", help="Last night, a date or time; it counts.")],
    out: Annotated[str | None, Parameter(help="Where to publish; or publish.root in the settings.")] = None,
    config: Config = None,
    profile: ProfileName = None,
    completed: Completed = (),
    offline: Offline = False,
    dry_run: Annotated[bool, Parameter(negative=(), help="No network, no write: show what would come.")] = (
        False
    ),
    json: Json = False,
) -> int:
    """Publish one night for each day of the past, oldest first, all over the same manifests.

    Each night knows what the store knew by then: where no forecast was stored, it plans on climatology or annual means
    (`opencarbon backtest` says what advice of the past was worth). Nights that are published already are unchanged, the
    newest stays the latest, and a night that fails keeps no other from being published: exit status 1.
    """
    from opencarbon.cli.backfill import BackfillRequest, backfill_command

    request = BackfillRequest(manifest, start, end, offline, dry_run, json)
    return backfill_command(request, settings_of(config, profile, out, completed=completed))
