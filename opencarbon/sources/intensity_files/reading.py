"""Carbon intensities from a user's own file, Parquet or CSV; the exports of Electricity Maps among them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from opencarbon.errors import SourceShapeError
from opencarbon.sources.fetching import fetch_bytes
from opencarbon.sources.intensity_files.columns import INTENSITY, START, Given, converted, plain, sentence
from opencarbon.sources.intensity_files.forms import EXPORT_SOURCE_ID, MINUTES_OF, Export, FileForm, export_of
from opencarbon.sources.intensity_files.hours import hourly_means, is_of_days
from opencarbon.sources.locations import public_name
from opencarbon.tables.columns import TIMESTAMP, all_columns
from opencarbon.tables.conform import conform
from opencarbon.tables.inputs import GRID_INTENSITY

if TYPE_CHECKING:  # pyarrow's arrays are generic in its stubs only
    Values = pa.Array[Any]

REQUIRED: Final = ("zone", START, INTENSITY)
OPTIONAL: Final = (
    *("intensity_kind", "emission_factor_type", "is_estimated", "issued_at_utc"),
    "accounting_basis",
)

_UNIQUE_BY: Final = (
    *("zone", START, "intensity_kind", "emission_factor_type", "issued_at_utc"),
    "accounting_basis",
)
_USUAL: Final = FileForm()


def read_intensity_file(
    location: str | os.PathLike[str],
    *,
    fetched_at_utc: datetime,
    source_id: str,
    intensity_kind: str = "measured",
    emission_factor_type: str = "lifecycle",
    accounting_basis: str | None = None,
    form: FileForm = _USUAL,
) -> pa.Table:
    """Read carbon intensities from a file.

    Parameters
    ----------
    location : str or os.PathLike
        Path, URL or URI of a Parquet file, or of a CSV file where it ends in ``.csv``. Columns ``zone``,
        ``hour_start_utc`` and ``carbon_intensity_gco2e_per_kwh``; and where wanted ``intensity_kind``,
        ``emission_factor_type``, ``is_estimated``, ``issued_at_utc`` and ``accounting_basis`` (``flow_traced``, as
        where it is null, or ``production``). Other columns are ignored. In a CSV only an empty cell is null, so that
        ``NA`` is Namibia. Times say their zone (``2026-11-22T13:00:00Z``), or stand in a column of another name than
        ours that says UTC. An hourly export of Electricity Maps is recognised by its header, and gives rows of both
        emission factor types.
    fetched_at_utc : datetime
        What to give as time of the fetch, with a time zone.
    source_id : str
        What to give as source; an export has its own.
    intensity_kind, emission_factor_type, accounting_basis : str, optional
        Used where the file lacks the column.
    form : FileForm, optional
        What its columns are called, its unit, how fine its rows are.

    Returns
    -------
    pa.Table
        Rows of ``GRID_INTENSITY`` in the order of the file. An empty intensity stays null.

    Raises
    ------
    SourceShapeError
        If columns are missing, or rows break the rules: it names row (the first below the header is 1), column and
        value. If the rows are of days or longer.
    SourceError
        If the file cannot be read.
    """
    if fetched_at_utc.tzinfo is None:
        raise ValueError(f"fetched_at_utc must carry a time zone, not {fetched_at_utc.isoformat()}")
    shown = public_name(os.fspath(location))
    file = _load(fetch_bytes(location), shown, is_csv=shown.lower().endswith(".csv"))
    said: dict[str, str | None] = {
        "intensity_kind": intensity_kind,
        "emission_factor_type": emission_factor_type,
        "accounting_basis": accounting_basis,
    }
    export = None if form.is_wide else export_of(file.column_names)
    if export or form.is_wide:
        _check_once(file.column_names, shown)
    if export:
        tables = [*_exported(file, export, form, said, shown)]
    elif form.is_wide:
        tables = [_wide(file, form, said, shown)]
    else:
        tables = [_long(_named(file, form, shown), form, said, shown)]
    rows = pa.concat_tables(tables)
    if is_of_days(rows[START]) and form.granularity == "hourly":
        raise SourceShapeError(
            f"{shown}: every row begins at midnight, so that it is of a day, a month or a year: give hourly data"
        )
    rows = rows.append_column("fetched_at_utc", _all(fetched_at_utc.astimezone(UTC), len(rows), TIMESTAMP))
    source = EXPORT_SOURCE_ID if export else source_id
    return conform(rows.append_column("source_id", _all(source, len(rows), pa.string())), GRID_INTENSITY)


def _load(content: bytes, shown: str, *, is_csv: bool) -> pa.Table:
    try:
        if not is_csv:
            return pq.read_table(io.BytesIO(content))
        _check_separator(content, shown)
        with pacsv.open_csv(io.BytesIO(content)) as reader:
            names = reader.schema.names
        return pacsv.read_csv(
            io.BytesIO(content),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except (OSError, pa.ArrowException) as problem:
        reason = str(problem).splitlines()[0]
    raise SourceShapeError(f"{shown} is no {'CSV' if is_csv else 'Parquet'} file: {reason}")


def _check_separator(content: bytes, shown: str) -> None:
    header = content.partition(b"\n")[0]
    for separator, words in ((b";", "semicolons"), (b"\t", "tabs")):
        if separator in header and b"," not in header:
            raise SourceShapeError(
                f"{shown} has its columns apart by {words}: write it with commas, and with a point in its numbers"
            )


def _check_once(names: Sequence[str], shown: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SourceShapeError(f"{shown} has {names.count(name)} columns {name}: keep one of them")


def _named(file: pa.Table, form: FileForm, shown: str) -> dict[str, Given]:
    """Columns of a file with one row per zone and hour, by our names."""
    ours = {theirs: form.columns.get(theirs, theirs) for theirs in file.column_names}
    wanted = [form.columns.get(theirs, theirs) for theirs in file.column_names]
    _check_once([name for name in wanted if name in (*REQUIRED, *OPTIONAL)], shown)
    known = {
        name: Given(plain(file[theirs]), theirs)
        for theirs, name in ours.items()
        if name in (*REQUIRED, *OPTIONAL)
    }
    if form.zone is not None and "zone" in known:
        raise SourceShapeError(
            f"{shown} has a column of zones, {known['zone'].heading}: leave out --zone {form.zone}"
        )
    if form.zone is not None:
        known["zone"] = Given(_all(form.zone, file.num_rows, pa.string()), "zone")
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise SourceShapeError(
            f"{shown} lacks the columns {', '.join(missing)}; it has {', '.join(file.column_names)}: "
            "name them under store.columns, or say --zone or --wide"
        )
    return known


def _exported(
    file: pa.Table, export: Export, form: FileForm, said: Mapping[str, str | None], shown: str
) -> Iterator[pa.Table]:
    common = {name: Given(plain(file[theirs]), theirs) for name, theirs in export.columns.items()}
    for factors, theirs in export.intensities.items():
        known = common | {INTENSITY: Given(plain(file[theirs]), theirs)}
        yield _long(known, form, {**said, "emission_factor_type": factors}, shown)


def _long(known: Mapping[str, Given], form: FileForm, said: Mapping[str, str | None], shown: str) -> pa.Table:
    problems: list[str] = []
    columns: dict[str, Values] = {}
    for name in (*REQUIRED, *OPTIONAL):
        if name in known:
            columns[name], found = converted(known[name], name, form)
            problems += found
        else:
            columns[name] = _all(said.get(name), len(known[START].values), all_columns()[name].type)
    problems = problems or _repeated(pa.table(columns), known[START])
    if problems:
        raise SourceShapeError(f"{shown}: {'; '.join(problems)}")
    return _by_hours(pa.table(columns), form)


def _wide(file: pa.Table, form: FileForm, said: Mapping[str, str | None], shown: str) -> pa.Table:
    heading, *zones = file.column_names
    if not zones:
        raise SourceShapeError(f"{shown} has no column of a zone beside its first column {heading}")
    time = Given(plain(file[heading]), heading)
    starts, problems = converted(time, START, form)
    problems = problems or _repeated(pa.table({START: starts}), time)
    values = []
    for zone in zones:
        intensities, found = converted(Given(plain(file[zone]), zone), INTENSITY, form)
        values.append(intensities)
        problems += found
    if problems:
        raise SourceShapeError(f"{shown}: {'; '.join(problems)}")
    count = len(zones) * file.num_rows
    columns: dict[str, Values] = {
        "zone": pa.array(zones, pa.string()).take(np.repeat(np.arange(len(zones)), file.num_rows)),
        START: pa.concat_arrays([starts] * len(zones)),
        INTENSITY: pa.concat_arrays(values),
    }
    columns |= {name: _all(said.get(name), count, all_columns()[name].type) for name in OPTIONAL}
    return _by_hours(pa.table(columns), form)


def _all(value: str | datetime | None, rows: int, data_type: pa.DataType) -> Values:
    """One value for all rows."""
    return pa.array([value], data_type).take(np.zeros(rows, dtype=np.int64))


def _by_hours(rows: pa.Table, form: FileForm) -> pa.Table:
    return rows if form.granularity == "hourly" else hourly_means(rows, MINUTES_OF[form.granularity])


def _repeated(table: pa.Table, starts: Given) -> list[str]:
    frame = table.select([name for name in _UNIQUE_BY if name in table.column_names]).to_pandas()
    given = Given(table[START].combine_chunks(), starts.heading)
    return sentence(frame.duplicated().to_numpy(), given, "repeats an hour of its zone")
