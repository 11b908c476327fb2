"""Formats of run histories: which columns of a tool's log are which field of a run."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from opencarbon.errors import ConfigError, SourceShapeError

EVERYWHERE: Final = MappingProxyType(
    {
        "device": "text",
        "device_count": "number",
        "training_flop": "number",
        "parameters": "number",
        "active_parameters": "number",
        "training_tokens": "number",
    }
)
"""Columns of our own names that may stand in the log of any tool, and how they are read."""

_MOST_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows that are a part of another row's run.

    Parameters
    ----------
    column : str
        Column that tells them.
    pattern : re.Pattern
        Found in its text where the row is a part.
    are_rejected : bool
        Whether they are rejected with a reason; else they are left out without a word.
    """

    column: str
    pattern: re.Pattern[str]
    are_rejected: bool


@dataclass(frozen=True, slots=True)
class Format:
    """How the log of a tool is read; ``history_formats.toml`` explains each entry.

    Parameters
    ----------
    name : str
        Name of the format.
    title : str
        What the file is.
    recognised_by, id, needed : tuple of str
        Columns that tell the format, columns of the tool's own id, fields that the file must have.
    columns : mapping of str to mapping of str to str
        Field -> column, plain -> how it is read.
    spelling : mapping of str to str
        Column, plain -> as the tool writes it.
    null : mapping of str to frozenset of str
        Column, plain, or ``*`` -> spellings of nothing.
    completed : frozenset of str
        States that count as completed; empty where the format knows no state.
    naive_times : str
        ``local`` or ``refused``.
    device_pattern : re.Pattern or None
        Finds the devices in a text.
    power_boundary : str or None
        What the energy includes, unless the row says it.
    parts : Parts or None
    adds_up : bool
        Whether rows of one id are stretches of one run.
    gathered_by : str or None
        Name of the function that makes one run of all rows.
    """

    name: str
    title: str
    recognised_by: tuple[str, ...]
    id: tuple[str, ...]
    needed: tuple[str, ...]
    columns: Mapping[str, Mapping[str, str]]
    spelling: Mapping[str, str] = field(repr=False)
    null: Mapping[str, frozenset[str]]
    completed: frozenset[str]
    naive_times: str
    device_pattern: re.Pattern[str] | None
    power_boundary: str | None
    parts: Parts | None
    adds_up: bool
    gathered_by: str | None


def plain(column: str) -> str:
    """Name of a column as it is compared.

    Parameters
    ----------
    column : str

    Returns
    -------
    str
        Without outer spaces and case: ``AllocTRES`` of older Slurm is ``AllocTres`` of newer.
    """
    return column.strip().casefold()


@cache
def formats() -> Mapping[str, Format]:
    """Every format by name, in the order in which they are tried.

    Returns
    -------
    mapping of str to Format
    """
    text = (files("opencarbon.sources") / "history_formats.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: _format(name, entry) for name, entry in tomllib.loads(text).items()})


def format_of(columns: Collection[str], given: str | None, shown: str) -> Format:
    """Recognise the format of a file by its columns, and see that it has what is needed.

    Parameters
    ----------
    columns : collection of str
        Columns of the file, as it spells them.
    given : str or None
        Name of the format where it is known.
    shown : str
        Name of the file, for messages.

    Returns
    -------
    Format

    Raises
    ------
    ConfigError
        No format has the given name.
    SourceShapeError
        No format fits, or a needed column is missing: it is named.
    """
    known = formats()
    if given is not None and given not in known:
        raise ConfigError(f"no run history has the format {given!r}; known are {', '.join(known)}")
    found = frozenset(map(plain, columns))
    fitting = (one for one in known.values() if found >= set(map(plain, one.recognised_by)))
    chosen = known[given] if given is not None else next(fitting, None)
    listed = ", ".join(list(columns)[:_MOST_SHOWN]) or "none"
    if chosen is None:
        raise SourceShapeError(
            f"{shown} is no run history that is known by its columns ({listed}): "
            f"give {'; or '.join(one.title for one in known.values())}"
        )
    missing = [
        " or ".join(chosen.spelling[name] for name in chosen.columns[needed])
        for needed in chosen.needed
        if found.isdisjoint(chosen.columns[needed])
    ]
    if missing:
        raise SourceShapeError(
            f"{shown}, read as {chosen.title}, lacks the column {', and '.join(missing)}; it has {listed}"
        )
    return chosen


def _format(name: str, entry: Mapping[str, Any]) -> Format:
    given: dict[str, dict[str, str]] = {key: dict(value) for key, value in entry["columns"].items()}
    for column, reading in EVERYWHERE.items():
        given.setdefault(column, {}).setdefault(column, reading)
    spelling = {plain(column): column for columns in given.values() for column in columns}
    spelling |= {plain(column): column for column in entry.get("id", ())}
    return Format(
        name=name,
        title=entry["title"],
        recognised_by=tuple(entry["recognised_by"]),
        id=tuple(map(plain, entry.get("id", ()))),
        needed=tuple(entry["needed"]),
        columns={
            key: {plain(column): reading for column, reading in columns.items()}
            for key, columns in given.items()
        },
        spelling=spelling,
        null={plain(column): frozenset(texts) for column, texts in entry.get("null", {}).items()},
        completed=frozenset(entry.get("completed", ())),
        naive_times=entry["naive_times"],
        device_pattern=re.compile(entry["device_pattern"]) if "device_pattern" in entry else None,
        power_boundary=entry.get("power_boundary"),
        parts=_parts(entry["parts"]) if "parts" in entry else None,
        adds_up=entry.get("adds_up", False),
        gathered_by=entry.get("gathered_by"),
    )


def _parts(entry: Mapping[str, Any]) -> Parts:
    return Parts(plain(entry["column"]), re.compile(entry["pattern"]), entry["are_rejected"])
