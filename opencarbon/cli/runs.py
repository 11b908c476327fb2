"""Which stored run a command is about."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from opencarbon.cli.options import settings_of
from opencarbon.errors import ConfigError

if TYPE_CHECKING:
    from opencarbon.sources.places import Place

Release = Annotated[
    str | None,
    Parameter(help="Root of the release, or the folder of a run; or publish.root in the settings."),
]
Run = Annotated[
    str | None, Parameter(help="A run that `opencarbon release list` names; default: the newest.")
]


def release_root_of(config: Path | None, given: str | None, *, option: str) -> str:
    """Root of the release that a command is about.

    Parameters
    ----------
    config : Path or None
        Settings, whose ``publish.root`` counts where none is given.
    given : str or None
    option : str
        How it is given, for the message.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If none is named, or it cannot be one.
    """
    from opencarbon.pipeline.files import release_root

    root = settings_of(config, None, given).publish.root
    if root is None:
        raise ConfigError(f"no release: give {option}, or set publish.root")
    return release_root(root)


def run_directory(config: Path | None, release: str | None, run_id: str | None) -> "Place":
    """Directory of a stored run.

    Parameters
    ----------
    config : Path or None
        Settings, whose ``publish.root`` counts where no release is given.
    release : str or None
        Root of the release, or the folder of a run itself.
    run_id : str or None
        ``latest`` and None are the newest.

    Returns
    -------
    Place

    Raises
    ------
    ConfigError
        If there is no such run, with those that there are.
    """
    from opencarbon.publishing.layout import RECORD, RUN_ID_FORM, Layout
    from opencarbon.sources.places import Place

    root = release_root_of(config, release, option="--release")
    place = Place.of(root)
    if run_id in (None, "latest") and (place / RECORD).is_file():
        return place
    layout = Layout(place)
    found = layout.latest_run() if run_id in (None, "latest") else run_id
    if found is None:
        raise ConfigError(
            f"no run is stored in {layout.base}: publish one with `opencarbon run --out {root}`"
        )
    if not RUN_ID_FORM.fullmatch(found) or not layout.record(found).is_file():
        stored = layout.stored_runs()
        newest = ", ".join(stored[-3:]) or "none"
        raise ConfigError(
            f"run {found!r} is not stored in {layout.runs}: {len(stored)} are there, the newest {newest}"
        )
    return layout.runs / found
