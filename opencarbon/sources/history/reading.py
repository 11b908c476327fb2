"""Run histories by path: files found, each parsed on its own, runs that stand twice told apart."""

from collections.abc import Iterable, Mapping, Sequence
from os.path import realpath
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs

from opencarbon.errors import ManifestError, SourceError
from opencarbon.sources.history.devices import DeviceNames
from opencarbon.sources.history.formats import format_of
from opencarbon.sources.history.gathering import samples
from opencarbon.sources.history.records import read_records
from opencarbon.sources.history.rules import Fault, fault
from opencarbon.sources.history.runs import read_runs
from opencarbon.sources.locations import FoundFile, find_files, public_name
from opencarbon.sources.storage import read_found
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import REJECTED_ROWS, RUN_HISTORY

SUFFIXES: Final = (".csv", ".txt", ".psv", ".parquet", ".parq", ".pq", ".json", ".jsonl", ".log")
"""Endings of the files that count below a folder."""

_GATHERERS: Final = {"samples": samples}
_LOG: Final = "_carbontracker.log"
_COMPANIONS: Final = ("_carbontracker_output.log", "_carbontracker_err.log")
"""What carbontracker writes beside its log: nothing more about the run, and energies after a PUE."""


def read_history(
    paths: Sequence[str], *, device_units: Mapping[str, tuple[str, float]], format: str | None = None
) -> tuple[pa.Table, pa.Table]:
    """Read the completed runs of a fleet from the logs of whatever tools wrote them.

    Parameters
    ----------
    paths : sequence of str
        Files, folders and globs, local or ``file://``, ``s3://``, ``gs://``, ``abfss://``; formats may be mixed.
    device_units : mapping of str to (str, float)
        Squeezed spelling of a device or of a part of one -> its canonical name, devices per unit.
    format : str, optional
        Format of all files: a name of ``history_formats.toml``. By default each is recognised by its columns.

    Returns
    -------
    good : pa.Table
        ``RUN_HISTORY``: completed runs, by file and row, whatever the order of the paths. Hours [h], energy before PUE
        [kWh], power [W]; devices are whole ones of the canonical name. What a tool does not say is null.
    rejected : pa.Table
        ``REJECTED_ROWS``: a row for each column in which a row of a file breaks a rule; ``job_id`` is the id of the run.
        Of a run that stands more than once, the row with the most hours is good.

    Raises
    ------
    SourceError
        No path is given, or none holds a file that can be read: the first reason. Beside a file that can, each path
        and file that cannot is a rejected row.
    ConfigError
        No format has the given name.

    Notes
    -----
    A run that two tools logged has two ids and is read twice: give the log of one of them.
    """
    files, refused = _found(paths)
    results = []
    for file in files:
        try:
            results.append(parse(read_found(file), format, device_units=device_units, name=file.name))
        except SourceError as problem:
            refused.append((file.name, problem))
    if not results:
        raise refused[0][1]
    unread = [(name, fault("unread_file", 0, None, "file", None, words=str(why))) for name, why in refused]
    results.append((RUN_HISTORY.schema().empty_table(), _rejected(unread)))
    good = pa.concat_tables([RUN_HISTORY.schema().empty_table(), *(runs for runs, _ in results)])
    rejected = pa.concat_tables([REJECTED_ROWS.schema().empty_table(), *(rows for _, rows in results)])
    return _once(good, rejected)


def parse(
    content: bytes,
    format: str | None = None,
    *,
    device_units: Mapping[str, tuple[str, float]],
    name: str = "run history",
) -> tuple[pa.Table, pa.Table]:
    """Read the completed runs of one file that is at hand.

    Parameters
    ----------
    content : bytes
    format : str, optional
    device_units : mapping of str to (str, float)
        As for :func:`read_history`.
    name : str, optional
        Name of the file, published as ``manifest``.

    Returns
    -------
    good, rejected : pa.Table
        As :func:`read_history` returns them.

    Raises
    ------
    SourceShapeError, ConfigError
        As :func:`read_history` raises them.
    """
    records = read_records(content, name)
    form = format_of(records.columns, format, name)
    if form.gathered_by:
        records = _GATHERERS[form.gathered_by](records)
    runs, faults = read_runs(records, form, DeviceNames(device_units), name)
    good = pa.Table.from_pylist(sorted(runs, key=lambda run: int(run["row"])), schema=RUN_HISTORY.schema())
    return _once(good, _rejected((name, one) for one in faults))


def _found(paths: Iterable[str]) -> tuple[list[FoundFile], list[tuple[str, SourceError]]]:
    """Files, each once, in the order of their names, without the companions of a log; paths that hold none."""
    locations = list(paths)
    if not locations:
        raise SourceError("no run history is given: name at least one file, folder or glob")
    listed: list[FoundFile] = []
    refused: list[tuple[str, SourceError]] = []
    for location in locations:
        try:
            listed += find_files(location, suffixes=SUFFIXES)
        except ManifestError as problem:
            refused.append((public_name(location), SourceError(str(problem))))
    files: dict[str, FoundFile] = {}
    for file in sorted(listed, key=lambda file: file.name):
        files.setdefault(_identity(file), file)
    return [file for key, file in files.items() if _log_beside(key) not in files], refused


def _identity(file: FoundFile) -> str:
    is_local = isinstance(file.filesystem, pafs.LocalFileSystem)
    return realpath(file.path) if is_local else file.name


def _log_beside(key: str) -> str | None:
    for ending in _COMPANIONS:
        if key.endswith(ending):
            return key.removesuffix(ending) + _LOG
    return None


def _once(good: pa.Table, rejected: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Keep the longest row of a run that stands more than once, the first of equals; reject the others."""
    rows = good.select(["run", "wall_hours", "manifest", "row"]).to_pylist()
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["wall_hours"] > best.setdefault(row["run"], row)["wall_hours"]:
            best[row["run"]] = row
    is_kept = [best[row["run"]] is row for row in rows]
    repeated = [
        (row["manifest"], _repeated(row, best[row["run"]]))
        for row, kept in zip(rows, is_kept, strict=True)
        if not kept
    ]
    rejected = pa.concat_tables([rejected, _rejected(repeated)]).sort_by(
        [("manifest", "ascending"), ("row", "ascending"), ("column", "ascending")]
    )
    kept_runs = good.filter(pa.array(is_kept, pa.bool_()))
    return conform(kept_runs, RUN_HISTORY), conform(rejected, REJECTED_ROWS)


def _repeated(row: Mapping[str, Any], kept: Mapping[str, Any]) -> Fault:
    words = {"other_file": kept["manifest"], "other_row": kept["row"]}
    return fault("repeated_run", row["row"], row["run"], "run", row["run"], **words)


def _rejected(faults: Iterable[tuple[str, Fault]]) -> pa.Table:
    """Faults as a table; the first of a row and column stands for the others."""
    once: dict[tuple[str, int, str], dict[str, Any]] = {}
    for name, one in faults:
        row = {
            "manifest": name,
            "row": one.row,
            "job_id": one.run,
            "column": one.column,
            "value": one.value,
            "rule_code": one.code,
            "reason": one.reason,
            "remedy": one.remedy,
        }
        once.setdefault((name, one.row, one.column), row)
    return pa.Table.from_pylist(list(once.values()), schema=REJECTED_ROWS.schema())
