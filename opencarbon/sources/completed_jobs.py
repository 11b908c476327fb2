"""Jobs that ended, as the platform that ran them knows it: when and where each one ran, and what it used."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from opencarbon.errors import ManifestError, SourceError, SourceShapeError
from opencarbon.sources.history.cells import UnreadableCellError, moment_of, number_of, text_of
from opencarbon.sources.history.formats import plain
from opencarbon.sources.history.records import Records, read_records
from opencarbon.sources.locations import FoundFile, find_files
from opencarbon.sources.manifests.names import MOST_HINTS, nearest, shown
from opencarbon.sources.manifests.rules import BOUNDS, Bounds, Rule
from opencarbon.sources.storage import read_found
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import COMPLETED_JOBS, REJECTED_ROWS

SUFFIXES: Final = (".csv", ".parquet", ".parq", ".pq")
"""Endings of the files that count below a folder."""

UNREAD_FILE: Final = "unread_file"
"""Rule that a file breaks as a whole."""

_REQUIRED: Final = ("job_id", "started_utc", "finished_utc", "region")
_TIMES: Final = ("started_utc", "finished_utc")
_NUMBERS: Final[Mapping[str, Bounds]] = {
    "device_hours": BOUNDS["device_hours"],
    "energy_kwh": Bounds(0, 1e12, excludes_least=True),
}
_EXPECTED: Final = f"expected completed jobs as CSV or Parquet with the columns {', '.join(_REQUIRED)}"

RULES: Final[Mapping[str, Rule]] = {
    UNREAD_FILE: Rule("the file is not read: {words}", "write the file again, or leave it out"),
    "missing": Rule("{column} is missing", "give every completed job its {column}, or leave it out"),
    "wrong_type": Rule("{column} {value} is not read as {words}", "write {column} as {words}"),
    "naive_timestamp": Rule(
        "{column} {value} has no offset from UTC",
        "append Z or an offset such as +01:00, or set manifest.naive_timestamps to UTC",
    ),
    "time_out_of_range": Rule("{column} {value} is not between 1970 and 2200", "check the unit of {column}"),
    "out_of_range": Rule("{column} {value} is not {words}", "check the unit of {column}, or leave it empty"),
    "finish_before_start": Rule(
        "finished_utc {value} is not after started_utc", "correct one of the two, or leave the job out"
    ),
    "unknown_region": Rule(
        "region {value} is not in the catalog{words}",
        "write it as aws:eu-central-1, or add the region in a file that the setting regions names",
    ),
    "duplicate_job_id": Rule(
        "job_id {value} stands already in {words}", "give every completed job once; the first row is kept"
    ),
}
"""Code of a rule -> what is said where a row breaks it."""


@dataclass(frozen=True, slots=True)
class CompletedJobs:
    """What the files of completed jobs hold.

    Parameters
    ----------
    jobs : pa.Table
        ``COMPLETED_JOBS``: rows that keep every rule, by file and row.
    rejected : pa.Table
        ``REJECTED_ROWS``: a row for each column in which a row breaks a rule, and one for each file that is not read.
    sha256 : str
        Digest of the names and contents of the files.
    """

    jobs: pa.Table
    rejected: pa.Table
    sha256: str


class _Reading(NamedTuple):
    regions: Mapping[str, str]
    columns: Mapping[str, str]
    naive_as_utc: bool
    hints: dict[str, str]

    def hint(self, region: str) -> str:
        """What an unknown region may have been meant to be; looked for once, and for not too many."""
        if region not in self.hints and len(self.hints) < MOST_HINTS:
            self.hints[region] = nearest(region, self.regions)
        return self.hints.get(region, "")


def read_completed(
    paths: Sequence[str],
    *,
    regions: Collection[str],
    columns: Mapping[str, str] | None = None,
    naive_as_utc: bool = False,
) -> CompletedJobs:
    """Read jobs that ended from Parquet or CSV.

    Parameters
    ----------
    paths : sequence of str
        Files, folders and globs, local or ``file://``, ``s3://``, ``gs://``, ``abfss://``.
    regions : collection of str
        Regions of the catalog, ``provider:region``.
    columns : mapping of str to str, optional
        Their column name -> ours.
    naive_as_utc : bool, optional
        Times without an offset are UTC; by default they are refused.

    Returns
    -------
    CompletedJobs
        Times in UTC, device-hours of whole devices, energy before PUE [kWh]. Of a job that stands more than once the
        first row is good. A file that cannot be read is a rejected row, and spoils no other.
    """
    reading = _Reading(
        {name.casefold(): name for name in sorted(regions)},
        {plain(theirs): ours for theirs, ours in (columns or {}).items()},
        naive_as_utc,
        {},
    )
    files, rejected = _found(paths)
    sha, good = hashlib.sha256(), []
    for file in files:
        try:
            content = read_found(file)
            sha.update(hashlib.sha256(file.name.encode() + b"\0" + content).digest())
            rows, broken = _rows(read_records(content, file.name, expected=_EXPECTED), file.name, reading)
        except SourceError as problem:
            rejected.append(_broken(UNREAD_FILE, file.name, 0, None, "file", None, str(problem)))
            continue
        good += rows
        rejected += broken
    kept, repeated = _once(good)
    rejected = sorted(rejected + repeated, key=lambda row: (row["manifest"], row["row"]))
    return CompletedJobs(
        conform(pa.Table.from_pylist(kept, schema=COMPLETED_JOBS.schema()), COMPLETED_JOBS),
        conform(pa.Table.from_pylist(rejected, schema=REJECTED_ROWS.schema()), REJECTED_ROWS),
        sha.hexdigest(),
    )


def _found(paths: Iterable[str]) -> tuple[list[FoundFile], list[dict[str, Any]]]:
    """Files in the order of their names, each once, and places that hold none."""
    found: dict[str, FoundFile] = {}
    refused = []
    for path in paths:
        try:
            found |= {file.name: file for file in find_files(path, suffixes=SUFFIXES)}
        except ManifestError as problem:
            refused.append(_broken(UNREAD_FILE, shown(path), 0, None, "file", None, str(problem)))
    return [found[name] for name in sorted(found)], refused


def _rows(
    records: Records, name: str, reading: _Reading
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of a file that keep every rule, and the rules that the others break."""
    theirs = {reading.columns.get(plain(column), plain(column)): plain(column) for column in records.columns}
    lacking = [column for column in _REQUIRED if column not in theirs]
    if lacking:
        raise SourceShapeError(f"{name} has no column {', '.join(lacking)}; {_EXPECTED}")
    good = []
    rejected: list[dict[str, Any]] = [
        {
            "manifest": name,
            "row": one.row,
            "job_id": None,
            "column": one.column,
            "value": one.value,
            "rule_code": one.code,
            "reason": one.reason,
            "remedy": one.remedy,
        }
        for one in records.faults
    ]
    for number, cells in records.rows:
        given = {ours: cells.get(column) for ours, column in theirs.items()}
        row, broken = _row(given, name, number, reading)
        if broken:
            rejected += broken
        else:
            good.append(row)
    return good, rejected


def _row(
    given: Mapping[str, object], name: str, number: int, reading: _Reading
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One row in our types, and the rules that it breaks."""
    texts = {column: text_of(given.get(column)) for column in (*_REQUIRED, *_NUMBERS)}
    job_id, region = texts["job_id"], texts["region"]
    row: dict[str, Any] = {"job_id": job_id, "manifest": name, "row": number}
    broken: list[dict[str, Any]] = []

    def refuse(code: str, column: str, words: str = "") -> None:
        broken.append(_broken(code, name, number, job_id, column, given.get(column), words))

    for column, text in texts.items():
        if text is None:
            if column in _REQUIRED:
                refuse("missing", column)
        elif column in _READ:
            try:
                row[column] = _READ[column](given[column], column, reading)
            except UnreadableCellError as problem:
                refuse(problem.code, column, problem.wanted)
    if "started_utc" in row and "finished_utc" in row and row["finished_utc"] <= row["started_utc"]:
        refuse("finish_before_start", "finished_utc")
    if region is not None:
        row["region"] = reading.regions.get(region.casefold())
        if row["region"] is None:
            refuse("unknown_region", "region", reading.hint(region.casefold()))
    return row, broken


def _time(value: object, column: str, reading: _Reading) -> datetime | None:
    del column
    if reading.naive_as_utc:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
            value = moment.replace(tzinfo=moment.tzinfo or UTC)
        except ValueError:
            pass  # said by moment_of
    return moment_of(value, naive_times="refused")


def _number(value: object, column: str, reading: _Reading) -> float:
    del reading
    number = number_of(value)
    bounds = _NUMBERS[column]
    if (number <= bounds.least if bounds.excludes_least else number < bounds.least) or number > bounds.most:
        raise UnreadableCellError("out_of_range", str(bounds))
    return number


_READ: Final = dict.fromkeys(_TIMES, _time) | dict.fromkeys(_NUMBERS, _number)
"""How the cells of a column are read; the others are text."""


def _once(rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first row of each job, and the others."""
    first: dict[str, dict[str, Any]] = {}
    repeated = []
    for row in rows:
        kept = first.setdefault(row["job_id"], row)
        if kept is not row:
            where = f"{kept['manifest']}, row {kept['row']}"
            place = (row["manifest"], row["row"], row["job_id"])
            repeated.append(_broken("duplicate_job_id", *place, "job_id", row["job_id"], where))
    return list(first.values()), repeated


def _broken(
    code: str, name: str, row: int, job_id: str | None, column: str, value: object, words: str
) -> dict[str, Any]:
    """A row of ``REJECTED_ROWS``."""
    text = None if value is None else shown(value)
    said = {"column": column, "value": repr(text) if isinstance(value, str) else text or "", "words": words}
    return {
        "manifest": name,
        "row": row,
        "job_id": None if job_id is None else shown(job_id),
        "column": column,
        "value": text,
        "rule_code": code,
        "reason": RULES[code].reason.format_map(said),
        "remedy": RULES[code].remedy.format_map(said),
    }


def sentences(rejected: pa.Table) -> Iterator[str]:
    """Rejected rows in a sentence each.

    Parameters
    ----------
    rejected : pa.Table
        ``REJECTED_ROWS``.

    Yields
    ------
    str
        Where, what and the remedy.
    """
    for row in rejected.to_pylist():
        where = row["manifest"] if row["rule_code"] == UNREAD_FILE else f"{row['manifest']}, row {row['row']}"
        yield f"{where}: {row['reason']}; {row['remedy']}"
