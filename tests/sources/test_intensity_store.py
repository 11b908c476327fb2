"""The append-only store: what is written once stays, and what is read is what was known at a time."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencarbon.errors import ConfigError, ContractError, SourceError, SourceUnavailableError
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.sources.store.layout import LONGEST_LEAD
from opencarbon.tables.inputs import GRID_INTENSITY
from tests.sources.fetches import HOUR, LATER, T0, fetched, known, snapshot_digest, stored


def files_of(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_what_is_stored_is_read_back_as_it_was(tmp_path: Path) -> None:
    table = fetched(T0, ("DE", 0, 300.5), ("DE", 1, None), ("NA", 0, 0.0))
    append(str(tmp_path), table, fetched_at_utc=T0)
    read, events = read_as_of(str(tmp_path), T0)
    assert events == []
    assert read.equals(table)
    assert read.schema.equals(GRID_INTENSITY.schema())


def test_a_file_lies_in_the_month_of_its_fetch_and_names_time_hours_and_digest(tmp_path: Path) -> None:
    at = datetime(2026, 11, 22, 21, 30, 15, 123456, tzinfo=UTC)
    path = stored(tmp_path, at, ("DE", 5, 1.0), ("DE", -1, 1.0), ("FR", 0, 1.0))
    digest = hashlib.sha256((tmp_path / path).read_bytes()).hexdigest()[:16]
    month = "intensity/v2/fetches/2026-11"
    assert path == f"{month}/20261122T213015123456Z-20261031T23-20261101T05-{digest}.parquet"
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 2}
    assert len(files_of(tmp_path)) == 2


def test_the_same_fetch_twice_is_one_file_whatever_its_order_and_chunks(tmp_path: Path) -> None:
    table = fetched(T0, ("DE", 0, 1.0), ("FR", 0, 2.0), ("DE", 1, 3.0))
    first = append(str(tmp_path), table, fetched_at_utc=T0)
    before = (tmp_path / first).stat()
    shuffled = pa.concat_tables([table.slice(2, 1), table.slice(0, 2)])
    elsewhere = T0.astimezone(timezone(timedelta(hours=5)))
    assert append(str(tmp_path), shuffled, fetched_at_utc=elsewhere) == first
    assert (tmp_path / first).stat() == before
    assert len(files_of(tmp_path)) == 2


def test_another_fetch_never_changes_a_file(tmp_path: Path) -> None:
    first = stored(tmp_path, T0, ("DE", 0, 1.0))
    before = (tmp_path / first).read_bytes()
    second = stored(tmp_path, T0, ("DE", 0, 2.0))
    assert second != first
    assert (tmp_path / first).read_bytes() == before


def test_the_newest_fetch_wins_and_a_later_one_is_not_known_yet(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", 0, 100.0), ("DE", 1, 101.0))
    stored(tmp_path, T0 + HOUR, ("DE", 1, 201.0), ("DE", 2, 202.0))
    assert known(tmp_path, T0 - timedelta(microseconds=1)) == {}
    assert known(tmp_path, T0) == {("DE", 0): 100.0, ("DE", 1): 101.0}
    assert known(tmp_path, T0 + HOUR) == {("DE", 0): 100.0, ("DE", 1): 201.0, ("DE", 2): 202.0}


def test_the_order_of_appending_does_not_matter(tmp_path: Path) -> None:
    stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    stored(tmp_path, T0, ("DE", 0, 1.0))
    assert known(tmp_path, LATER) == {("DE", 0): 2.0}


def test_a_null_of_the_newest_fetch_wins(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    stored(tmp_path, T0 + HOUR, ("DE", 0, None))
    assert known(tmp_path, LATER) == {("DE", 0): None}


def test_within_a_fetch_the_newest_issue_wins(tmp_path: Path) -> None:
    tables = [
        fetched(T0, ("DE", 0, value), kind="forecast", issued_at_utc=issued)
        for value, issued in ((3.0, None), (1.0, T0 - 2 * HOUR), (2.0, T0 - HOUR))
    ]
    append(str(tmp_path), pa.concat_tables(tables), fetched_at_utc=T0)
    assert known(tmp_path, LATER) == {("DE", 0): 2.0}


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("intensity_kind", "forecast"),
        ("emission_factor_type", "direct"),
        ("accounting_basis", "production"),
        ("zone", "FR"),
    ],
)
def test_kinds_factor_types_and_zones_do_not_replace_each_other(
    tmp_path: Path, column: str, other: str
) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0), **{column: other})
    table, _ = read_as_of(str(tmp_path), LATER)
    assert set(table["carbon_intensity_gco2e_per_kwh"].to_pylist()) == {1.0, 2.0}


def test_zones_and_earlier_hours_can_be_left_out(tmp_path: Path) -> None:
    stored(tmp_path, T0, *((zone, hour, 1.0) for zone in ("DE", "FR", "NA") for hour in range(4)))
    assert set(known(tmp_path, LATER, zones=["NA", "DE"])) == {(z, h) for z in ("DE", "NA") for h in range(4)}
    assert set(known(tmp_path, LATER, zones=[])) == set()
    assert set(known(tmp_path, LATER, since_utc=T0 + 2 * HOUR, zones={"FR"})) == {("FR", 2), ("FR", 3)}


def test_since_finds_forecasts_of_the_longest_lead_across_months(tmp_path: Path) -> None:
    at = T0 - timedelta(days=1)
    hours = round((at + LONGEST_LEAD - T0) / HOUR)
    stored(tmp_path, at, ("DE", hours, 7.0), kind="forecast")
    assert known(tmp_path, LATER, since_utc=T0 + hours * HOUR) == {("DE", hours): 7.0}


def test_old_files_are_not_opened_for_recent_hours(tmp_path: Path) -> None:
    old = tmp_path / stored(tmp_path, T0 - timedelta(days=40), ("DE", -1000, 1.0))
    old.write_bytes(b"damaged")
    stored(tmp_path, T0, ("DE", 0, 2.0))
    assert known(tmp_path, LATER, since_utc=T0) == {("DE", 0): 2.0}


def test_an_empty_fetch_is_stored_and_brings_nothing(tmp_path: Path) -> None:
    stored(tmp_path, T0)
    assert known(tmp_path, LATER) == {}


def test_a_store_that_is_not_there_is_empty_and_not_made_by_reading(tmp_path: Path) -> None:
    assert known(tmp_path / "none", LATER) == {}
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("as_root", [str, Path.as_uri])
def test_a_root_may_be_a_path_or_a_uri(tmp_path: Path, as_root: Callable[[Path], str]) -> None:
    root = tmp_path / "with space"
    append(as_root(root), fetched(T0, ("DE", 0, 1.0)), fetched_at_utc=T0)
    assert known(root, LATER) == {("DE", 0): 1.0}
    assert read_as_of(as_root(root), LATER)[0].num_rows == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:50] + b"X" + content[51:],
        lambda content: b"not parquet at all",
    ],
)
def test_a_damaged_file_is_left_out_and_told(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    path = tmp_path / stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    path.write_bytes(damage(path.read_bytes()))
    table, events = read_as_of(str(tmp_path), LATER)
    assert table["carbon_intensity_gco2e_per_kwh"].to_pylist() == [1.0]
    (event,) = events
    assert (event.severity, event.source, event.subject, event.code) == (
        "warning",
        "intensity_store",
        path.name,
        "unreadable_file",
    )


def test_a_damaged_file_is_mended_by_the_same_fetch(tmp_path: Path) -> None:
    path = tmp_path / stored(tmp_path, T0, ("DE", 0, 1.0))
    path.write_bytes(b"half")
    with path.open("rb") as reader:
        stored(tmp_path, T0, ("DE", 0, 1.0))
        # whoever has a file open keeps what it opened: files are swapped whole
        assert reader.read() == b"half"
    assert known(tmp_path, LATER) == {("DE", 0): 1.0}


def test_a_file_of_another_shape_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / stored(tmp_path, T0, ("DE", 0, 1.0))
    pq.write_table(pa.table({"zone": ["DE"]}), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    path.rename(path.with_name(f"{path.name.rpartition('-')[0]}-{digest}.parquet"))
    table, events = read_as_of(str(tmp_path), LATER)
    assert table.num_rows == 0
    assert "column 'hour_start_utc' is missing" in events[0].detail


def test_what_is_half_written_or_foreign_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / stored(tmp_path, T0, ("DE", 0, 1.0))
    (path.parent / f".{path.name}.0123").write_bytes(b"half")
    (path.parent / "notes.txt").write_text("mine")
    (path.parent.parent / "README").write_text("mine")
    assert known(tmp_path, LATER) == {("DE", 0): 1.0}


def test_what_killed_writers_left_goes_after_a_day_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / stored(tmp_path, T0, ("DE", 0, 1.0))
    old, young = (path.parent / ".staging" / name for name in ("old.parquet.0123", "young.parquet.4567"))
    for left, hours in ((old, 25), (young, 23)):
        left.write_bytes(b"half")
        written_s = left.stat().st_mtime - hours * HOUR.total_seconds()
        os.utime(left, (written_s, written_s))
    stored(tmp_path, T0 + HOUR, ("DE", 1, 2.0))
    assert list(old.parent.iterdir()) == [young]
    assert known(tmp_path, LATER) == {("DE", 0): 1.0, ("DE", 1): 2.0}


@pytest.mark.parametrize(
    "said", ['{"format": 3}', '{"format": true}', '{"format": "1"}', "{}", "[]", "not json"]
)
def test_a_store_of_another_format_is_neither_read_nor_written(tmp_path: Path, said: str) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    (tmp_path / "store.json").write_text(said)
    for use in (
        lambda: read_as_of(str(tmp_path), LATER),
        lambda: stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0)),
    ):
        with pytest.raises(ConfigError, match=r"has format .* and this version of opencarbon knows format 2"):
            use()
    assert len(files_of(tmp_path)) == 2


def test_a_root_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(
        SourceUnavailableError, match="root cannot be written: a file is in the way of a folder"
    ):
        stored(tmp_path / "root", T0, ("DE", 0, 1.0))


def test_a_root_that_no_file_system_speaks_shows_no_key() -> None:
    with pytest.raises(SourceError) as caught:
        read_as_of("nosuch://key-41:secret-41@bucket/store", LATER)
    assert "41" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (fetched(T0 + HOUR, ("DE", 0, 1.0)), "column 'fetched_at_utc' holds"),
        (fetched(T0, ("DE", 24 * 7 + 1, 1.0), kind="forecast"), "is more than 7 days after the fetch"),
        (fetched(T0, ("DE", 0, 1.0), ("DE", 0, 2.0)), "1 rows repeat the hour and issue of another"),
        (fetched(T0, ("DE", 0, 2001.0)), "above 2000"),
        (fetched(T0, ("DE", 0, 1.0)).drop_columns(["zone"]), "column 'zone' is missing"),
    ],
)
def test_a_table_that_is_no_fetch_is_refused(tmp_path: Path, table: pa.Table, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        append(str(tmp_path), table, fetched_at_utc=T0)
    assert files_of(tmp_path) == []


def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    naive = datetime(2026, 11, 1)
    with pytest.raises(ValueError, match="fetched_at_utc must carry a time zone"):
        append(str(tmp_path), fetched(T0, ("DE", 0, 1.0)), fetched_at_utc=naive)
    with pytest.raises(ValueError, match="as_of_utc must carry a time zone"):
        read_as_of(str(tmp_path), naive)
    with pytest.raises(ValueError, match="since_utc must carry a time zone"):
        read_as_of(str(tmp_path), T0, since_utc=naive)


def test_a_reader_never_sees_a_part_of_a_fetch_being_written(tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        for minute in range(30):
            at = T0 + timedelta(minutes=minute)
            stored(tmp_path, at, *(("DE", hour, float(minute)) for hour in range(24)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert len(set(known(tmp_path, LATER).values())) <= 1
    writer.join()
    assert set(known(tmp_path, LATER).values()) == {29.0}


def test_the_digest_is_of_the_rows_and_not_of_the_files(tmp_path: Path) -> None:
    stored(tmp_path / "a", T0, ("DE", 0, 1.0), ("FR", 0, None))
    stored(tmp_path / "b", T0, ("FR", 0, None))
    stored(tmp_path / "b", T0, ("DE", 0, 1.0))
    split, _ = read_as_of(str(tmp_path / "b"), LATER)
    whole, _ = read_as_of(str(tmp_path / "a"), LATER)
    assert snapshot_digest(split) == snapshot_digest(whole)
    assert snapshot_digest(whole) != snapshot_digest(whole.slice(0, 1))
    assert snapshot_digest(whole.slice(0, 0)) == snapshot_digest(read_as_of(str(tmp_path / "c"), LATER)[0])


def test_the_digest_does_not_change_by_later_fetches(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    before = snapshot_digest(read_as_of(str(tmp_path), T0)[0])
    stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    assert snapshot_digest(read_as_of(str(tmp_path), T0)[0]) == before


FETCHES = st.lists(
    st.tuples(
        st.integers(0, 60),  # hours after T0 of the fetch
        st.dictionaries(
            st.tuples(st.sampled_from(["DE", "NA", "SE-SE3"]), st.integers(0, 5)),
            st.none() | st.floats(0, 2000),
            max_size=6,
        ),
    ),
    max_size=6,
    unique_by=lambda fetch: fetch[0],
)


@settings(max_examples=20, deadline=None)
@given(fetches=FETCHES, as_of=st.integers(-1, 61))
def test_at_any_time_the_newest_fetch_so_far_wins(
    fetches: list[tuple[int, dict[tuple[str, int], float | None]]], as_of: int
) -> None:
    expected: dict[tuple[str, int], float | None] = {}
    for at, rows in sorted(fetches, key=lambda fetch: fetch[0]):
        if at <= as_of:
            expected |= rows
    with TemporaryDirectory() as folder:
        for at, rows in fetches:
            stored(
                Path(folder), T0 + at * HOUR, *((zone, hour, value) for (zone, hour), value in rows.items())
            )
        assert known(Path(folder), T0 + as_of * HOUR) == expected


def test_a_store_moved_elsewhere_is_the_same_store(tmp_path: Path) -> None:
    stored(tmp_path / "old", T0, ("DE", 0, 1.0))
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert known(tmp_path / "new", LATER) == {("DE", 0): 1.0}
