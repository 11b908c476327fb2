"""What is free for a queue, as the platform knows it: devices by region, kind and span of hours."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from opencarbon.catalog import squeeze
from opencarbon.errors import ConfigError, SourceError
from opencarbon.sources.fetching import fetch_bytes
from opencarbon.sources.history.cells import UnreadableCellError, moment_of, number_of, text_of
from opencarbon.sources.history.formats import plain
from opencarbon.sources.history.records import read_records
from opencarbon.sources.locations import public_name
from opencarbon.sources.manifests.names import nearest, shown
from opencarbon.tables.columns import TIMESTAMP
from opencarbon.units import whole_hour

_COLUMNS: Final = {
    "region": pa.string(),
    "device": pa.string(),
    "devices": pa.float64(),
    "from_utc": TIMESTAMP,
    "to_utc": TIMESTAMP,
}
_REQUIRED: Final = ("region", "device", "devices")
_TIMES: Final = ("from_utc", "to_utc")
_EXPECTED: Final = (
    "expected free devices as CSV or Parquet with the columns region, device and devices, and where wanted from_utc and "
    "to_utc"
)
_MOST_SAID: Final = 50
"""Violations that an error lists; there may be one for each row."""

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)


class _Names(NamedTuple):
    regions: Mapping[str, str]
    units: Mapping[str, tuple[str, float]]
    devices: Mapping[str, str]


def read_capacities(
    paths: Sequence[str], *, regions: Collection[str], device_units: Mapping[str, tuple[str, float]]
) -> pa.Table:
    """Read what is free from Parquet or CSV.

    Parameters
    ----------
    paths : sequence of str
        Files, local or by URL or URI. Columns: region (``provider:region``), device (a name or an alias), devices (at
        least 0), and the first hour and the end of the span that holds, with a time zone, empty for ever.
    regions : collection of str
        Regions of the catalog.
    device_units : mapping of str to (str, float)
        Squeezed spelling of a device or of a part of one -> its name, devices per unit.

    Returns
    -------
    pa.Table
        region, device, devices (whole ones of the catalog), from_utc, to_utc; by region, device and start.

    Raises
    ------
    ConfigError
        A file that cannot be read, or rows that break a rule: it names file, row, column and value of each, and says
        what to do.
    """
    spelled = {spelling: name for spelling, (name, _) in sorted(device_units.items())}
    names = _Names({name.casefold(): name for name in sorted(regions)}, device_units, spelled)
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in paths:
        try:
            found, broken = _rows(path, names)
        except SourceError as problem:
            problems.append(str(problem))
            continue
        rows += found
        problems += broken
    rows.sort(key=lambda row: (row["region"], row["device"], row["from_utc"] or _EVER))
    problems += _overlaps(rows)
    if problems:
        more = [f"and {len(problems) - _MOST_SAID} more"] if len(problems) > _MOST_SAID else []
        listed = "\n".join(f"  - {line}" for line in problems[:_MOST_SAID] + more)
        raise ConfigError(f"plan.capacities cannot be used:\n{listed}")
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in _COLUMNS.items()})


def _rows(path: str, names: _Names) -> tuple[list[dict[str, Any]], list[str]]:
    file = public_name(path)
    records = read_records(fetch_bytes(path), file, expected=_EXPECTED)
    known = {plain(column) for column in records.columns}
    lacking = [column for column in _REQUIRED if column not in known]
    if lacking:
        return [], [f"{file} has no column {', '.join(lacking)}; {_EXPECTED}"]
    rows = []
    problems = [
        f"{file}, row {one.row}: the row is damaged: {one.reason}; write the file again"
        for one in records.faults
    ]
    for number, cells in records.rows:
        row, broken = _row(cells, names)
        place = f"{file}, row {number}"
        problems += [f"{place}: {words}" for words in broken]
        if not broken:
            rows.append(row | {"place": place})
    return rows, problems


def _row(cells: Mapping[str, object], names: _Names) -> tuple[dict[str, Any], list[str]]:
    """One row in our types and names, and what is wrong with it."""
    row: dict[str, Any] = {}
    broken: list[str] = []
    texts = {name: text_of(cells.get(name)) for name in _REQUIRED}
    broken += [
        f"{name} is missing; give it, or leave the row out" for name in _REQUIRED if texts[name] is None
    ]
    if (region := texts["region"]) is not None:
        row["region"] = names.regions.get(region.casefold())
        if row["region"] is None:
            near = nearest(region.casefold(), names.regions)
            broken.append(
                f"region {shown(region)!r} is not in the catalog{near}; write it as aws:eu-central-1, or add the "
                "region in a file that the setting regions names"
            )
    if (device := texts["device"]) is not None:
        row["device"], unit = names.units.get(squeeze(device), (None, 1.0))
        if row["device"] is None:
            near = nearest(squeeze(device), names.devices)
            broken.append(
                f"device {shown(device)!r} is not in the catalog{near}; use a name or an alias of the catalog, or add "
                "the device in a file that the setting devices names"
            )
        if texts["devices"] is not None:
            try:
                row["devices"] = number_of(cells["devices"]) * unit
            except UnreadableCellError as problem:
                broken.append(
                    f"devices {shown(texts['devices'])!r} is not {problem.wanted}; write how many are free"
                )
            if row.get("devices", 0.0) < 0:
                broken.append(f"devices {shown(texts['devices'])!r} is below 0; write 0 where none is free")
    times, wrong = _times(cells)
    return row | times, broken + wrong


def _times(cells: Mapping[str, object]) -> tuple[dict[str, datetime | None], list[str]]:
    """The ends of a span, and what is wrong with them."""
    times: dict[str, datetime | None] = {}
    broken: list[str] = []
    for name in _TIMES:
        try:
            times[name] = None if text_of(cells.get(name)) is None else _hour(cells[name])
        except UnreadableCellError as problem:
            wanted = problem.wanted or "a time with its offset from UTC"
            broken.append(
                f"{name} {shown(cells[name])!r} is not {wanted}; write it like 2026-11-16T00:00:00Z"
            )
    first, last = times.get("from_utc"), times.get("to_utc")
    if first is not None and last is not None and last <= first:
        broken.append(f"to_utc {shown(cells['to_utc'])!r} is not after from_utc; correct one of the two")
    return times, broken


def _hour(value: object) -> datetime | None:
    moment = moment_of(value, naive_times="refused")
    if moment is not None and moment != whole_hour(moment):
        raise UnreadableCellError("wrong_type", "the start of an hour")
    return moment


def _overlaps(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Spans of one region and device that say two things of one hour; rows by region, device and start."""
    before: dict[str, Any] | None = None
    for row in rows:
        same = before is not None and all(before[name] == row[name] for name in ("region", "device"))
        if before is not None and same and (row["from_utc"] or _EVER) < (before["to_utc"] or _FOR_EVER):
            yield (
                f"{row['place']}: {row['device']} in {row['region']} overlaps the span of {before['place']}; let one "
                "end where the other begins"
            )
        if not same or before is None or (row["to_utc"] or _FOR_EVER) > (before["to_utc"] or _FOR_EVER):
            before = row
