"""A staged run is read back, and everything that is wrong with it stops the release."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import PublishError
from opencarbon.publishing.parquet import CONTRACT_KEY, ROW_GROUP_ROWS, contract_footer, write_table
from opencarbon.publishing.verify import TableRecord, verify_tables
from opencarbon.tables.contracts import PUBLISHED, Contract
from tests.tables.make_tables import AS_OF_UTC, RUN_ID, make_release, make_table

Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return make_release()


def stage(
    directory: Path, tables: Mapping[str, pa.Table], contracts: Mapping[str, Contract] = PUBLISHED
) -> None:
    for name, table in tables.items():
        write_table(directory, table.cast(contracts[name].schema()), contracts[name])


def verify(directory: Path, contracts: Mapping[str, Contract] = PUBLISHED) -> dict[str, TableRecord]:
    return verify_tables(directory, contracts, run_id=RUN_ID, as_of_utc=AS_OF_UTC, extra={})


def faults(directory: Path) -> list[str]:
    with pytest.raises(PublishError) as caught:
        verify(directory)
    first, *rest = str(caught.value).split("\n  - ")
    assert first == f"run {RUN_ID} is not published, its tables in {directory} are wrong:"
    return rest


def put(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(values, field.type))


def rewrite(path: Path, **options: Any) -> None:
    """Write a file again in another way, with the footer it had."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    pq.write_table(table, path, **{"version": "2.6", "compression": "snappy"} | options)


def test_a_sound_run_passes_with_its_figures(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, tables)
    records = verify(tmp_path)
    assert list(records) == list(PUBLISHED)
    assert {name: record.rows for name, record in records.items()} == {
        name: table.num_rows for name, table in tables.items()
    }
    path = tmp_path / "rec_job" / "part-0.parquet"
    assert records["rec_job"].bytes == path.stat().st_size


def test_the_digest_is_that_of_the_parts_in_order(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, {name: table for name, table in tables.items() if name != "rec_job"})
    write_table(tmp_path, tables["rec_job"], PUBLISHED["rec_job"], rows_per_file=13)
    content = b"".join((tmp_path / "rec_job" / f"part-{number}.parquet").read_bytes() for number in range(4))
    record = verify(tmp_path)["rec_job"]
    assert (record.parts, record.bytes) == (4, len(content))
    assert record.sha256 == hashlib.sha256(content).hexdigest()


def test_missing_and_unknown_tables_are_named(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, {name: table for name, table in tables.items() if name != "fact_total"})
    (tmp_path / "scratch").mkdir()
    assert faults(tmp_path) == ["table fact_total is missing", "scratch is no table of this release"]


def test_a_file_that_is_cut_short_is_named(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, tables)
    path = tmp_path / "fact_total" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-5])
    (found,) = faults(tmp_path)
    assert found.startswith("fact_total/part-0.parquet: cannot be read back")


def test_a_page_with_flipped_bytes_is_named(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, tables)
    path = tmp_path / "fact_total" / "part-0.parquet"
    content = bytearray(path.read_bytes())
    content[8:40] = bytes(32)
    path.write_bytes(content)
    (found,) = faults(tmp_path)
    assert found.startswith("fact_total/part-0.parquet: ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compression": "zstd"}, "expected snappy, found ZSTD"),
        ({"version": "1.0"}, "expected Parquet 2.6, found 1.0"),
        ({"row_group_size": 10}, f"expected row groups of {ROW_GROUP_ROWS} rows, found [10, 5]"),
        (
            {"write_statistics": False},
            "columns without statistics: advised_all_jobs_kgco2e, advised_high_kgco2e, ",
        ),
        ({"sorting_columns": None}, "expected the recorded order"),
        (
            {"use_dictionary": False, "column_encoding": {"jobs": "DELTA_BINARY_PACKED"}},
            "encodings that some readers lack: DELTA_BINARY_PACKED",
        ),
    ],
)
def test_other_write_settings_are_named(
    options: dict[str, Any], words: str, tables: Tables, tmp_path: Path
) -> None:
    stage(tmp_path, tables)
    order = {"sorting_columns": [pq.SortingColumn(0), pq.SortingColumn(1)]}
    rewrite(tmp_path / "fact_total" / "part-0.parquet", **order | options)
    (found,) = faults(tmp_path)
    assert found.startswith(f"fact_total/part-0.parquet: {words}")


def test_a_footer_with_more_or_other_keys_is_named(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, tables)
    keys = {"pandas": "{}", CONTRACT_KEY: contract_footer(PUBLISHED["rec_job"])}
    path = tmp_path / "rejected_job" / "part-0.parquet"
    pq.write_table(tables["rejected_job"].replace_schema_metadata(keys), path, version="2.6")
    assert faults(tmp_path) == [
        (
            'rejected_job/part-0.parquet: expected the footer opencarbon.contract = {"table":"rejected_job",'
            '"version":"1.0"}, found {"table":"rec_job","version":"1.1"}'
        ),
        "rejected_job/part-0.parquet: the footer holds pandas: footers hold the contract only",
    ]


def test_a_table_of_other_columns_is_named(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, tables)
    table = tables["fact_total"].drop_columns(["jobs"]).append_column("colour", tables["fact_total"]["scope"])
    nullable = table.schema.get_field_index("scope")
    table = table.set_column(nullable, pa.field("scope", pa.string()), table["scope"])
    pq.write_table(table, tmp_path / "fact_total" / "part-0.parquet", version="2.6")
    assert faults(tmp_path) == [
        "fact_total/part-0.parquet: column 'scope': expected string, never null, found string",
        "fact_total/part-0.parquet: column 'jobs' is missing",
        "fact_total/part-0.parquet: column 'colour' is not declared",
    ]


def test_columns_in_another_order_are_named(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, tables)
    table = tables["fact_total"]
    pq.write_table(table.select(table.column_names[::-1]), tmp_path / "fact_total" / "part-0.parquet")
    assert faults(tmp_path)[0].startswith(
        "fact_total/part-0.parquet: expected the columns in the order scope, "
    )


def _spoil(name: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Tables], Tables]:
    return lambda tables: tables | {name: change(tables[name])}


def _first(name: str, value: object) -> Callable[[pa.Table], pa.Table]:
    return lambda table: put(table, name, [value, *table[name].to_pylist()[1:]])


def _swapped(table: pa.Table) -> pa.Table:
    return table.take([1, 0, *range(2, table.num_rows)])


def _doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 1), table])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            _spoil("fact_total", _first("saving_kgco2e", float("nan"))),
            (
                "fact_total/part-0.parquet: row group 0: column 'saving_kgco2e' holds NaN; "
                "a missing number is null"
            ),
        ),
        (
            _spoil("rec_job", _first("action", "wait")),
            (
                "rec_job/part-0.parquet: row group 0: column 'action' holds 1 values other than run_now, delay, "
                "move, move_and_delay, none: 'wait'"
            ),
        ),
        (_spoil("dim_zone", _doubled), "dim_zone: key (zone) repeats 1 times: ('zone-0000000',)"),
        (
            _spoil("dim_zone", _swapped),
            "dim_zone: rows are not sorted by zone: sort them so before they are published",
        ),
        (
            _spoil("rec_job", _swapped),
            "rec_job: jobs do not stand in the order of dim_job: sort them so before they are published",
        ),
        (_spoil("rec_job", _doubled), "rec_job: key (job_id) repeats 1 times: ('job_id-0000000',)"),
        (
            _spoil("fact_job_region", _doubled),
            "fact_job_region: key (job_id, rank) repeats 1 times: ('job_id-0000000', 1)",
        ),
        (
            _spoil("fact_job_region", _first("job_id", "nobody's")),
            'fact_job_region: job_id holds 1 values that dim_job.job_id lacks: "nobody\'s"',
        ),
        (
            _spoil("rec_job", _first("advised_region", "aws:mars-1")),
            "rec_job.advised_region holds 1 values that dim_region.region lacks: 'aws:mars-1'",
        ),
        (
            _spoil("rec_region", _first("run_id", "another")),
            "rec_region.run_id holds 1 values that dim_run.run_id lacks: 'another'",
        ),
        (
            _spoil("fact_grid_intensity_hourly", _first("source_id", "hearsay")),
            "fact_grid_intensity_hourly.source_id holds 1 values that dim_source.source_id lacks: 'hearsay'",
        ),
    ],
)
def test_a_planted_fault_is_named(
    spoil: Callable[[Tables], Tables], words: str, tables: Tables, tmp_path: Path
) -> None:
    stage(tmp_path, spoil(tables))
    assert faults(tmp_path) == [words]


def test_the_run_must_be_the_one_that_is_published(tables: Tables, tmp_path: Path) -> None:
    stage(tmp_path, make_release(run_id="20261122T2100Z-ffffffff"))
    (found,) = faults(tmp_path)
    assert found.startswith(f"dim_run: expected the one run {RUN_ID} as of 2026-11-22T21:00:00+00:00, found ")


def test_all_faults_of_all_tables_are_in_one_error(tables: Tables, tmp_path: Path) -> None:
    spoiled = tables
    for name, change in (
        ("dim_device", _first("tdp_w", -1.0)),
        ("dim_zone", _swapped),
        ("rec_job", _first("advised_region", "aws:mars-1")),
        ("fact_total", _doubled),
    ):
        spoiled = _spoil(name, change)(spoiled)
    stage(tmp_path, spoiled)
    assert [words.partition(" ")[0] for words in faults(tmp_path)] == [
        *("dim_zone:", "dim_device/part-0.parquet:", "rec_job.advised_region", "fact_total:"),
    ]


def test_order_and_keys_are_checked_across_row_groups(tables: Tables, tmp_path: Path) -> None:
    """Each row group is sound; only together they are not."""
    contract = PUBLISHED["run_event"]
    event_rows = ROW_GROUP_ROWS + 5
    table = make_table(contract, rows=event_rows, parents=tables)
    ids = np.concatenate([np.arange(ROW_GROUP_ROWS), np.arange(5)])
    stage(tmp_path, tables | {"run_event": put(table, "event_id", ids.tolist())})
    assert faults(tmp_path) == [
        "run_event: rows are not sorted by event_id: sort them so before they are published",
        "run_event: key (event_id) repeats 5 times: (0,), (1,), (2,)",
    ]


def test_an_empty_run_passes(tables: Tables, tmp_path: Path) -> None:
    empty = {name: table if name == "dim_run" else table.slice(0, 0) for name, table in tables.items()}
    stage(tmp_path, empty)
    assert sum(record.rows for record in verify(tmp_path).values()) == 1
