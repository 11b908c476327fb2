"""The columns of manifests: what theirs are called, which are missing, which cannot be used."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import pyarrow as pa

from opencarbon.errors import ConfigError, ManifestError
from opencarbon.sources.manifests.files import ManifestFile
from opencarbon.sources.manifests.spelling import type_problem
from opencarbon.sources.manifests.text_files import PROBLEM
from opencarbon.tables.columns import all_columns
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.events import Event
from opencarbon.tables.inputs import PLANNED_JOBS, WORK_COLUMNS

INPUT_COLUMNS: Final = (
    *("job_id", "device", "device_count", *WORK_COLUMNS, "architecture"),
    *("state", "repeats", "earliest_start_utc", "finish_by_utc", "interruptible"),
    *("current_region", "allowed_regions", "power_w", "carbon_intensity_gco2e_per_kwh"),
    *("utilisation", "log10_alpha_low", "log10_alpha_high"),
    *("dataset_gb", "carbon_budget_kgco2e", "priority", "team", "project", "model"),
)
"""Columns that a manifest may hold, in the order in which violations are listed."""

REQUIRED_COLUMNS: Final = ("job_id", "device", "device_count")

_EVENT_SOURCE: Final = "manifests"
_NEAR_COLUMN: Final = 0.75
_MOST_NAMED: Final = 10
_MOST_VIOLATIONS: Final = 50


@dataclass(frozen=True, slots=True)
class Rules:
    """What manifests are read against: the names of the catalog and the settings of manifests.

    Parameters
    ----------
    device_units : mapping of str to (str, float)
        Squeezed spelling -> canonical device, devices per unit (a TPU core is 0.5 of a chip).
    squeeze : callable
        Reduces a spelling of a device to what tells names apart.
    device_names : sequence of str
        Canonical names, for near misses.
    regions : frozenset of str
        Known regions, ``provider:region`` in lower case.
    providers : frozenset of str
        Known providers in lower case.
    countries : frozenset of str
        Countries with a region, ISO 3166-1 alpha-2 in upper case.
    columns : mapping of str to str
        Their name of a column -> ours.
    naive_timestamps : {"UTC"} or None
        What timestamps without a time zone mean; None refuses them.
    carry : mapping of str to pa.DataType
        Extra columns that are passed on, with their type, one of those published.

    Raises
    ------
    ConfigError
        A name is mapped to no column, two names to one, or a carried column takes the name of another.
    """

    device_units: Mapping[str, tuple[str, float]]
    squeeze: Callable[[str], str]
    device_names: Sequence[str]
    regions: frozenset[str]
    providers: frozenset[str]
    countries: frozenset[str]
    columns: Mapping[str, str] = field(default_factory=dict)
    naive_timestamps: Literal["UTC"] | None = None
    carry: Mapping[str, pa.DataType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant."""
        taken = {name.casefold() for name in (*PLANNED_JOBS.columns, *PUBLISHED["dim_job"].columns, "run_id")}
        for name in self.carry:
            if name.casefold() in taken:
                raise ConfigError(
                    f"manifest.carry: {name!r} is the name of another column; map it to a new name"
                )
            taken.add(name.casefold())
        known = (*INPUT_COLUMNS, *self.carry)
        for theirs, ours in self.columns.items():
            if ours not in known:
                raise ConfigError(
                    f"manifest.columns: {theirs!r} is mapped to {ours!r}, which is no column of planned jobs"
                    f"{_did_you_mean(ours, known)}"
                )

    def wanted(self) -> dict[str, pa.DataType]:
        """Columns that are read, with the type they come to.

        Returns
        -------
        dict of str to pa.DataType
            Carried columns last.
        """
        known = all_columns()
        return {name: known[name].type for name in INPUT_COLUMNS} | dict(self.carry)


def column_names(schema: pa.Schema, rules: Rules) -> dict[str, str]:
    """Which of their columns is which of ours; case does not matter.

    Parameters
    ----------
    schema : pa.Schema
        Of a file that :func:`check_columns` passed.
    rules : Rules

    Returns
    -------
    dict of str to str
        Our name -> theirs, in our order.
    """
    theirs = {_our_name(name, rules): name for name in schema.names}
    return {name: theirs[name] for name in rules.wanted() if name in theirs}


def check_columns(files: Iterable[ManifestFile], rules: Rules) -> list[Event]:
    """Check the columns of manifests before any row is read.

    Parameters
    ----------
    files : iterable of ManifestFile
        A file without rows may have any columns.
    rules : Rules

    Returns
    -------
    list of Event
        Columns that are ignored, and those of them whose names are close to a column that is absent.

    Raises
    ------
    ManifestError
        Lists everything wrong, each once: names that collide case-insensitively, required columns that are missing,
        timestamps without a time zone, types that cannot be read.
    """
    filled = [file for file in files if file.rows]
    violations: dict[str, list[str]] = defaultdict(list)
    for file in filled:
        for violation in _violations(file, rules):
            violations[violation].append(file.name)
    if violations:
        listed = [f"  - {_where(names)}: {violation}" for violation, names in violations.items()]
        if len(listed) > _MOST_VIOLATIONS:
            listed = [*listed[:_MOST_VIOLATIONS], f"  - and {len(listed) - _MOST_VIOLATIONS} more"]
        raise ManifestError("columns of the manifests cannot be used:\n" + "\n".join(listed))
    return [event for file in filled for event in _ignored(file, rules)] + list(_never_found(filled, rules))


def _our_name(theirs: str, rules: Rules) -> str:
    """Our name of a column: the mapped one, the one that differs in case only, or theirs."""
    folded = {name.casefold(): ours for name, ours in rules.columns.items()}
    ours = rules.columns.get(theirs, folded.get(theirs.casefold()))
    if ours is not None:
        return ours
    return {name.casefold(): name for name in rules.wanted()}.get(theirs.casefold(), theirs)


def _violations(file: ManifestFile, rules: Rules) -> Iterator[str]:
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in file.schema.names:
        spellings[_our_name(name, rules).casefold()].append(name)
    collisions = [names for names in spellings.values() if len(names) > 1]
    for names in collisions:
        yield f"columns {_quoted(names)} mean the same once case and manifest.columns are applied; keep one"
    if collisions:
        return
    found = column_names(file.schema, rules)
    others = [name for name in file.schema.names if name not in found.values()]
    for name in REQUIRED_COLUMNS:
        if name not in found:
            hint = _did_you_mean(name, others)
            yield f"required column {name!r} is missing{hint}; add it, or name yours in manifest.columns"
    if not any(name in found for name in WORK_COLUMNS):
        yield f"no column says how much work a job is; add device_hours or another of {', '.join(WORK_COLUMNS)}"
    wanted = rules.wanted()
    for ours, theirs in found.items():
        problem = type_problem(
            file.schema.field(theirs).type,
            wanted[ours],
            is_list=ours == "allowed_regions",
            is_utc=theirs in file.int96 or rules.naive_timestamps == "UTC",
        )
        if problem:
            yield f"column {theirs!r} {problem}"


def _ignored(file: ManifestFile, rules: Rules) -> Iterator[Event]:
    found = column_names(file.schema, rules)
    others = [name for name in file.schema.names if name not in (*found.values(), PROBLEM)]
    if others:
        detail = f"{len(others)} columns are no part of planned jobs and were ignored: {_quoted(others)}"
        yield Event("info", _EVENT_SOURCE, file.name, "columns_ignored", detail)
    absent = [name for name in rules.wanted() if name not in found]
    for name in others[:_MOST_VIOLATIONS]:
        near = difflib.get_close_matches(name.casefold(), absent, n=1, cutoff=_NEAR_COLUMN)
        if near:
            detail = (
                f"column {name!r} was ignored; if it is {near[0]!r}, rename it or name it in manifest.columns"
            )
            yield Event("warning", _EVENT_SOURCE, file.name, "column_near_miss", detail)


def _never_found(files: Sequence[ManifestFile], rules: Rules) -> Iterator[Event]:
    found = {ours for file in files for ours in column_names(file.schema, rules)}
    for name in (name for name in rules.carry if files and name not in found):
        detail = f"column {name!r} of manifest.carry is in no manifest: it is null for every job"
        yield Event("warning", _EVENT_SOURCE, None, "carried_column_missing", detail)


def _did_you_mean(name: str, choices: Iterable[str]) -> str:
    folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f", did you mean {folded[near[0]]!r}?" if near else ""


def _quoted(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(repr(name[:100]) for name in names[:_MOST_NAMED]) + more


def _where(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more files" if len(names) > 1 else "")
