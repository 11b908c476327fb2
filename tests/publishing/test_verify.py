"""A staged run is read back, and everything that is wrong with it stops the release."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencarbon.errors import PublishError
from opencarbon.publishing import footers, parquet
from opencarbon.publishing import verify as verify_module
from opencarbon.publishing.parquet import (
    CONTRACT_KEY,
    ROW_GROUP_ROWS,
    contract_footer,
    part_paths,
    write_table,
)
from opencarbon.publishing.read_back import read_back, violations_of
from opencarbon.publishing.soundness import JOB_REFERENCE, sound_rows
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


# in the tables of jobs: row groups of a few rows, so that what is wrong can lie on both sides of an edge

SMALL_GROUP = 16
JOB_TABLES = ("dim_job", "fact_job_estimate", "rec_job", "fact_job_region", "fact_job_segment")


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parquet, footers):
        monkeypatch.setattr(module, "ROW_GROUP_ROWS", SMALL_GROUP)


def _without(name: str, *rows: int) -> Callable[[Tables], Tables]:
    return _spoil(name, lambda table: table.take([row for row in range(table.num_rows) if row not in rows]))


def _exchanged(name: str, one: int, other: int) -> Callable[[Tables], Tables]:
    def change(table: pa.Table) -> pa.Table:
        rows = list(range(table.num_rows))
        rows[one], rows[other] = other, one
        return table.take(rows)

    return _spoil(name, change)


def _again(name: str, row: int, at: int) -> Callable[[Tables], Tables]:
    """A row once more, further on."""
    return _spoil(name, lambda table: table.take([*range(at), row, *range(at, table.num_rows)]))


def _with_the_last_as_the_third(table: pa.Table) -> list[Any]:
    ids: list[Any] = table["job_id"].to_pylist()
    return [*ids[:-1], ids[2]]


_OUT_OF_ORDER = "jobs do not stand in the order of dim_job: sort them so before they are published"


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_exchanged("rec_job", SMALL_GROUP - 1, SMALL_GROUP), [f"rec_job: {_OUT_OF_ORDER}"]),
        (_exchanged("rec_job", 3, 37), [f"rec_job: {_OUT_OF_ORDER}"]),
        (_exchanged("fact_job_region", 3, 37), [f"fact_job_region: {_OUT_OF_ORDER}"]),
        (
            _exchanged("fact_job_segment", SMALL_GROUP - 1, SMALL_GROUP),
            [
                (
                    "fact_job_segment: rows of a job are not sorted by segment: "
                    "sort them so before they are published"
                ),
            ],
        ),
        (
            _again("fact_job_estimate", 2, 39),
            [
                f"fact_job_estimate: {_OUT_OF_ORDER}",
                "fact_job_estimate: key (job_id) repeats 1 times: ('job_id-0000002',)",
            ],
        ),
        (
            _spoil("dim_job", lambda table: put(table, "job_id", _with_the_last_as_the_third(table))),
            [
                "dim_job: key (job_id) repeats 1 times: ('job_id-0000002',)",
                *(
                    f"{name}: job_id holds 1 values that dim_job.job_id lacks: 'job_id-0000039'"
                    for name in ("fact_job_estimate", "rec_job")
                ),
            ],
        ),
        (_without("rec_job", 17), ["rec_job: 1 jobs of dim_job have no row: 'job_id-0000017'"]),
        (
            _without("rec_job", *range(30, 40)),
            [
                (
                    "rec_job: 10 jobs of dim_job have no row: 'job_id-0000030', 'job_id-0000031', "
                    "'job_id-0000032', ..."
                ),
            ],
        ),
        (_without("fact_job_region", 17, 18, 19), []),
        (
            _without("dim_job", 17),
            [
                f"{name}: job_id holds 1 values that dim_job.job_id lacks: 'job_id-0000017'"
                for name in ("fact_job_estimate", "rec_job")
            ],
        ),
    ],
)
def test_jobs_are_held_against_each_other_across_row_groups(
    spoil: Callable[[Tables], Tables], words: list[str], tables: Tables, tmp_path: Path
) -> None:
    stage(tmp_path, spoil(tables))
    if words:
        assert faults(tmp_path) == words
    else:
        verify(tmp_path)


@pytest.mark.usefixtures("small_groups")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(JOB_TABLES), data=st.data())
def test_a_stream_and_a_look_at_the_whole_judge_alike(
    name: str, data: st.DataObject, tables: Tables, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rows left out, doubled and exchanged: the quick judgement is that of the one with words."""
    rows = list(range(tables[name].num_rows))
    for _ in range(data.draw(st.integers(0, 2))):
        one, other = (data.draw(st.integers(0, len(rows) - 1)) for _ in range(2))
        change = data.draw(st.sampled_from(["exchange", "leave out", "double"]))
        if change == "exchange":
            rows[one], rows[other] = rows[other], rows[one]
        elif change == "leave out":
            del rows[one]
        else:
            rows.insert(other, rows[one])
    directory = tmp_path_factory.mktemp("run")
    held = {"dim_job": tables["dim_job"], name: tables[name].take(rows)}
    contracts = {
        one: replace(
            PUBLISHED[one], references=tuple(r for r in PUBLISHED[one].references if r == JOB_REFERENCE)
        )
        for one in held
    }
    stage(directory, held, contracts)
    paths = part_paths(directory, name)
    jobs = part_paths(directory, "dim_job") if name != "dim_job" else []
    sound = sound_rows(paths, contracts[name], (), {}, jobs)
    checked = _check_whole(directory, contracts, name)
    assert (sound is None) == bool(checked)
    assert sound in (None, len(rows))


def _check_whole(directory: Path, contracts: Mapping[str, Contract], name: str) -> tuple[str, ...]:
    read = {one: read_back(directory, contract, ()) for one, contract in contracts.items()}
    return violations_of(read[name], read)


@pytest.mark.usefixtures("small_groups")
def test_no_sound_table_of_jobs_is_held_whole(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def read(directory: Path, contract: Contract, extra: Sequence[Any]) -> Any:
        held.append(contract.name)
        return read_back(directory, contract, extra)

    stage(tmp_path, tables)
    monkeypatch.setattr(verify_module, "read_back", read)
    verify(tmp_path)
    assert not [name for name in held if PUBLISHED[name].keeps_manifest_order]
