"""The command ``show`` and its arguments. It imports what it needs when it is called."""

from typing import Annotated, Literal

from cyclopts import Parameter

from opencarbon.cli.options import Config, Json
from opencarbon.cli.runs import Release, Run


def show(
    name: Annotated[str, Parameter(help="A job, a region, a zone, a run, or latest.")] = "latest",
    /,
    *,
    release: Release = None,
    run: Run = None,
    kind: Annotated[
        Literal["job", "region", "run"] | None,
        Parameter(name="--as", help="What the name is, where several things are called so."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Explain one number of a published run down to its inputs and sources."""
    from opencarbon.cli.runs import run_directory
    from opencarbon.cli.show import show_name
    from opencarbon.publishing.layout import RUN_ID_FORM

    is_run = RUN_ID_FORM.fullmatch(name) is not None and kind in (None, "run")
    return show_name(run_directory(config, release, name if is_run else run), name, kind, as_json=json)
