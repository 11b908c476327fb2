"""Where settings are read from, a TOML file and the environment, and what is refused there."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from opencarbon.errors import ConfigError

ENVIRONMENT_PREFIX: Final = "OPENCARBON_"
_PATHS: Final = (
    ("store", "root"),
    ("store", "files"),
    ("run", "work_root"),
    ("publish", "root"),
    ("epoch_ai", "models_url"),
    ("history", "files"),
    ("hindsight", "completed"),
    ("plan", "capacities"),
    ("regions",),
    ("devices",),
)
"""Settings that are paths: in a file, they count from its folder."""

_SECRETS: Final = (("electricity_maps", "token"), ("notify", "webhook_url"))

_AZURE: Final = ("abfs", "abfss")
"""Schemes that name a container where others name a user."""

_MAPS: Final = ("store.columns", "manifest.columns", "manifest.carry", "budget.teams")
"""Settings whose keys are the user's."""


def read_toml(path: Path, known: Sequence[str]) -> dict[str, Any]:
    """Settings in a TOML file.

    Parameters
    ----------
    path : Path
    known : sequence of str
        Every setting, levels joined by a dot.

    Returns
    -------
    dict
        Nested like the file; relative paths are absolute.

    Raises
    ------
    ConfigError
        A file that cannot be read, an unknown key, a token.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigError(f"configuration {path} cannot be read: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"configuration {path} is not TOML: {problem}") from None
    for name in sorted({name.split(".")[0] for name in known if "." in name} & settings.keys()):
        if not isinstance(settings[name], dict):
            raise ConfigError(
                f"configuration {path}: {name} is a section, not a value: write [{name}] and its keys below"
            )
    for section, key in _SECRETS:
        if key in settings.get(section, {}):
            raise ConfigError(
                f"configuration {path} holds {section}.{key}; a secret does not belong in a file: "
                f"remove it and set {ENVIRONMENT_PREFIX}{section.upper()}__{key.upper()}"
            )
    _refuse_unknown(_names(settings), known, str(path))
    for keys in _PATHS:
        _count_from(path.parent, settings, keys)
    return settings


def read_environment(model: type[BaseSettings], known: Sequence[str]) -> dict[str, Any]:
    """Settings in the environment.

    Parameters
    ----------
    model : type
        The settings.
    known : sequence of str
        Every setting, levels joined by a dot.

    Returns
    -------
    dict
        Nested.

    Raises
    ------
    ConfigError
        An unknown key, a list or table that is not JSON. No message holds a value: it may be the token.
    """
    names = [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]
    _refuse_unknown((_key_of(name) for name in names), known, "the environment")
    try:
        settings = EnvSettingsSource(model)()
    except SettingsError as problem:
        field = str(problem).partition('"')[2].partition('"')[0]
        variables = ", ".join(name for name in names if _key_of(name).split(".")[0] == field)
        raise ConfigError(
            f"environment variable {variables or field}: a list or a table is written as JSON there, "
            """such as '["a.csv", "b.csv"]' or '{"JobName": "job_id"}'"""
        ) from None
    _refuse_unknown(_names(settings), known, "the environment")
    return settings


def without_none(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that are None, and without sections that hold nothing else.

    Parameters
    ----------
    nested : mapping

    Returns
    -------
    dict
    """
    cleaned = {
        key: without_none(value) if isinstance(value, Mapping) else value for key, value in nested.items()
    }
    return {key: value for key, value in cleaned.items() if value is not None and value != {}}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others over them, section by section.

    Parameters
    ----------
    below, above : mapping

    Returns
    -------
    dict
    """
    result = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if nested else value
    return result


def masked_url(url: str) -> str:
    """A URL without what may be secret in it.

    Parameters
    ----------
    url : str
        A URL or a path.

    Returns
    -------
    str
        User, password and query are replaced by asterisks.
    """
    if "://" not in url:
        return url
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    shown = user.partition(":")[0] if parts.scheme in _AZURE else "***"
    netloc = f"{shown}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc, query="***" if parts.query else "", fragment=""))


def _count_from(folder: Path, settings: dict[str, Any], keys: tuple[str, ...]) -> None:
    *above, last = keys
    for key in above:
        settings = settings.get(key, {})
    value = settings.get(last)
    if isinstance(value, str):
        settings[last] = _absolute(folder, value)
    elif isinstance(value, list):
        settings[last] = [_absolute(folder, item) if isinstance(item, str) else item for item in value]


def _absolute(folder: Path, path: str) -> str:
    return path if "://" in path else str((folder / Path(path).expanduser()).resolve())


def _key_of(variable: str) -> str:
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")


def _names(nested: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in nested.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value and name not in _MAPS:
            yield from _names(value, f"{name}.")
        else:
            yield name


def _refuse_unknown(names: Iterable[str], known: Sequence[str], where: str) -> None:
    sections = {name.split(".")[0] for name in known}
    for name in names:
        if name in known or name in sections or name.startswith(tuple(f"{above}." for above in _MAPS)):
            continue
        near = _nearest(name, known)
        hint = f"did you mean {near!r}?" if near else "see `opencarbon check` for all of them"
        raise ConfigError(f"{where} holds the unknown setting {name!r}; {hint}")


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """The setting most like this one; one of the same last name in another section counts as near."""
    last = name.rpartition(".")[2]
    moved = [key for key in known if key.rpartition(".")[2] == last]
    return next(iter(moved or difflib.get_close_matches(name, known, n=1, cutoff=0.5)), None)
