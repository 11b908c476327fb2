"""What a run goes by: its settings, its secrets and the moment it looks from."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect.blocks.system import Secret
from prefect.runtime import flow_run
from pydantic import SecretStr

from opencarbon.cli.options import settings_of
from opencarbon.errors import ConfigError
from opencarbon.settings import Settings


def settings_of_run(
    config_path: str | None,
    *,
    profile: str | None = None,
    out: str | None = None,
    completed: Sequence[str] | None = None,
    offline: bool = False,
) -> Settings:
    """Settings of a run, with the token of the Secret block they name; what opencarbon logs is kept from here on.

    Parameters
    ----------
    config_path : str or None
        TOML file.
    profile, out, completed : optional
        As the command line has them.
    offline : bool, optional
        No token is needed.

    Returns
    -------
    Settings
    """
    logging.getLogger("opencarbon").setLevel(logging.INFO)
    config = Path(config_path) if config_path else None
    settings = settings_of(config, profile, out, completed=completed or ())
    options = settings.electricity_maps
    if offline or options.token is not None or options.secret_block is None:
        return settings
    token = secret_in(
        options.secret_block, "electricity_maps.secret_block", "OPENCARBON_ELECTRICITY_MAPS__TOKEN"
    )
    return settings.model_copy(update={"electricity_maps": options.model_copy(update={"token": token})})


def secret_in(block_name: str, setting: str, variable: str) -> SecretStr:
    """The text of a Secret block.

    Parameters
    ----------
    block_name : str
    setting : str
        Setting that names the block.
    variable : str
        Environment variable that would do as well.

    Returns
    -------
    SecretStr

    Raises
    ------
    ConfigError
        No such block, or no text in it.
    """
    try:
        block = Secret.load(block_name)
    except ValueError:
        raise ConfigError(
            f"the Secret block {block_name!r} of {setting} does not exist: create it, or set {variable}"
        ) from None
    value = block.get() if isinstance(block, Secret) else None
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"the Secret block {block_name!r} holds no text: store the secret alone in it")
    return SecretStr(value.strip())


def as_of_run(given: datetime | str | None, scheduled: datetime | None = None) -> datetime:
    """The moment a run looks from: what it is given, or its scheduled start, so that a late run looks from its hour.

    Parameters
    ----------
    given : datetime, str or None
        Aware, or ISO 8601 with a time zone.
    scheduled : datetime, optional
        Its scheduled start; that of the run at work if not given.

    Returns
    -------
    datetime
        In UTC; a scheduled start is floored to the hour.
    """
    moment = given or scheduled or flow_run.scheduled_start_time
    # The datetimes of Prefect, and of callers like it, lose their zone when they are added to; a plain one does not.
    text = moment if isinstance(moment, str) else moment.isoformat()
    plain = datetime.fromisoformat(text).astimezone(UTC)
    return plain if given else plain.replace(minute=0, second=0, microsecond=0)


def name_of_run() -> str:
    """Name of the flow and the moment the run looks from, such as ``nightly-20261116T0000Z``.

    Returns
    -------
    str
    """
    return f"{flow_run.flow_name}-{as_of_run(flow_run.parameters.get('as_of')):%Y%m%dT%H%MZ}"
