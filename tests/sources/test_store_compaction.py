"""Merging files of the store: nobody who reads it can tell, at whatever moment, even where it was killed."""

import json
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencarbon.errors import SourceUnavailableError
from opencarbon.sources.store import compaction as store_compaction
from opencarbon.sources.store.compaction import Compaction, compact
from opencarbon.sources.store.files import digest_of, find, parquet_bytes
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.sources.store.layout import stored_files
from opencarbon.sources.store.purge import contents_of, purge
from tests.sources.fetches import HOUR, LATER, T0, fetched, known, stored

DAY = timedelta(days=1)
AUGUST = T0 - timedelta(days=80)
"""In the middle of a month that is past at T0."""


def merge(root: Path, now: datetime = LATER) -> Compaction:
    return compact(str(root), now_utc=now, told=lambda done, total: None)


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("[!.]*.parquet"))


def old_fetch(root: Path, at: datetime, *rows: tuple[str, int, float | None]) -> Path:
    """A fetch as stores of format 1 hold it."""
    content = parquet_bytes(fetched(at, *rows).drop_columns(["accounting_basis"]))
    path = root / f"intensity/v1/{at:%Y-%m}/{at:%Y%m%dT%H%M%S%fZ}-{digest_of(content)}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (root / "store.json").write_text('{"format": 1}', encoding="utf-8")
    return path


# --- what is merged --------------------------------------------------------------------------------------------------


def test_fetches_of_a_month_become_one_file_of_the_newest_and_one_of_the_earlier_of_each_kind(
    tmp_path: Path,
) -> None:
    for hour in range(3):
        stored(
            tmp_path,
            T0 + hour * HOUR,
            ("DE", 0, float(hour)),
            ("DE", hour, 7.0 + hour) if hour else ("FR", 0, 9.0),
        )
    stored(tmp_path, T0, ("DE", 5, 1.0), kind="forecast")
    done = merge(tmp_path)
    assert (done.files_before, done.files_after, done.rows, done.events) == (4, 3, 7, ())
    starts = [name.rsplit("-", 1)[0] for name in names(tmp_path)]
    first, second, third = (f"2026110{1}T0{hour}0000000000Z" for hour in range(3))
    assert starts == [
        f"forecast-newest-{first}-{first}",
        f"measured-earlier-{first}-{second}-{third}",
        f"measured-newest-{first}-{third}",
    ]
    assert {path.parent.name for path in tmp_path.rglob("*-newest-*")} == {"2026-11"}


def test_hours_of_two_months_go_into_the_files_of_both(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", -1, 1.0), ("DE", 0, 2.0))
    merge(tmp_path)
    assert {path.parent.name for path in tmp_path.rglob("[!.]*.parquet")} == {"2026-10", "2026-11"}
    assert known(tmp_path, LATER) == {("DE", -1): 1.0, ("DE", 0): 2.0}
    assert known(tmp_path, LATER, until_utc=T0) == {("DE", -1): 1.0}


def test_a_few_fetches_of_the_running_month_stay_and_many_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_compaction.MOST_FETCHES == 50
    monkeypatch.setattr(store_compaction, "MOST_FETCHES", 2)
    stored(tmp_path, AUGUST, ("DE", -2000, 1.0))
    for hour in range(2):
        stored(tmp_path, T0 + hour * HOUR, ("DE", hour, 1.0))
    assert merge(tmp_path, T0 + DAY).files_after == 3
    assert sum(name.startswith("measured") for name in names(tmp_path)) == 1
    stored(tmp_path, T0 + 2 * HOUR, ("DE", 2, 1.0))
    assert merge(tmp_path, T0 + DAY).files_after == 2
    assert known(tmp_path, LATER) == {("DE", -2000): 1.0, **{("DE", hour): 1.0 for hour in range(3)}}


def test_fetches_of_hours_of_past_months_are_merged_whenever_they_were_fetched(tmp_path: Path) -> None:
    for hour in range(2):
        stored(tmp_path, T0, ("DE", -2000 + hour, 1.0))
    assert merge(tmp_path, T0).files_after == 1


def test_what_is_merged_stays_as_it_is(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    merge(tmp_path)
    before = {path: path.stat() for path in tmp_path.rglob("*") if path.is_file()}
    assert merge(tmp_path).rows == 0
    assert {path: path.stat() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_damaged_file_is_named_and_stays_with_nothing_lost_of_the_others(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    damaged = tmp_path / stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    damaged.write_bytes(b"half")
    (event,) = merge(tmp_path).events
    assert (event.subject, event.code) == (damaged.name, "unreadable_file")
    assert damaged.read_bytes() == b"half"
    damaged.unlink()
    assert known(tmp_path, LATER) == {("DE", 0): 1.0}


# --- what is read ----------------------------------------------------------------------------------------------------

FETCHES = st.lists(
    st.tuples(
        st.integers(0, 20),  # hours after T0 of the fetch
        st.dictionaries(st.integers(-2, 2), st.none() | st.floats(0, 2000), max_size=4),
        st.booleans(),  # whether compaction follows
    ),
    max_size=5,
    unique_by=lambda fetch: fetch[0],
)


@settings(max_examples=25, deadline=None)
@given(fetches=FETCHES, as_of=st.integers(-1, 21))
def test_at_any_time_the_newest_fetch_so_far_wins_however_files_were_merged(
    fetches: list[tuple[int, dict[int, float | None], bool]], as_of: int
) -> None:
    expected: dict[tuple[str, int], float | None] = {}
    for at, rows, _ in sorted(fetches, key=lambda fetch: fetch[0]):
        if at <= as_of:
            expected |= {("DE", hour): value for hour, value in rows.items()}
    with TemporaryDirectory() as folder:
        for at, rows, is_merged in fetches:
            stored(Path(folder), T0 + at * HOUR, *(("DE", hour, value) for hour, value in rows.items()))
            if is_merged:
                merge(Path(folder))
        assert known(Path(folder), T0 + as_of * HOUR) == expected


def test_what_a_newer_fetch_replaced_is_opened_only_by_who_looks_from_before(tmp_path: Path) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0))
    stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    merge(tmp_path)
    (earlier,) = tmp_path.rglob("measured-earlier-*")
    assert known(tmp_path, T0 + HOUR - timedelta(microseconds=1)) == {("DE", 0): 1.0}
    earlier.write_bytes(b"damaged")
    assert known(tmp_path, T0 + HOUR) == {("DE", 0): 2.0}
    rows, (event,) = read_as_of(str(tmp_path), T0 + HOUR - timedelta(microseconds=1))
    assert (rows.num_rows, event.subject) == (0, earlier.name)


def test_only_files_of_the_hours_and_kinds_that_are_wanted_are_opened(tmp_path: Path) -> None:
    for month in range(3):
        stored(tmp_path, T0, ("DE", -700 * month, float(month)))
        stored(tmp_path, T0, ("DE", -700 * month, 5.0), kind="forecast")
    merge(tmp_path)
    for path in tmp_path.rglob("[!.]*.parquet"):
        if path.parent.name != "2026-10" or path.name.startswith("forecast"):
            path.write_bytes(b"damaged")
    october = {"since_utc": T0 - 31 * DAY, "until_utc": T0, "kinds": ["measured"]}
    assert known(tmp_path, LATER, **october) == {("DE", -700): 1.0}
    assert len(read_as_of(str(tmp_path), LATER)[1]) == 5


def test_a_store_of_format_1_is_read_and_merged_and_then_says_2(tmp_path: Path) -> None:
    old_fetch(tmp_path, T0, ("DE", -1000, 1.0), ("DE", 0, 2.0))
    before = known(tmp_path, LATER)
    assert before == {("DE", -1000): 1.0, ("DE", 0): 2.0}
    assert known(tmp_path, LATER, since_utc=T0 + 30 * DAY) == {}
    rows, _ = read_as_of(str(tmp_path), LATER)
    assert set(rows["accounting_basis"].to_pylist()) == {"flow_traced"}
    stored(tmp_path, T0 + HOUR, ("DE", 0, 3.0))
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 2}
    assert merge(tmp_path).files_after == 3
    assert list((tmp_path / "intensity/v1").rglob("*.parquet")) == []
    assert known(tmp_path, LATER) == {("DE", -1000): 1.0, ("DE", 0): 3.0}
    assert known(tmp_path, T0) == before


def test_a_reader_finds_every_row_while_files_are_merged(tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(12):
            stored(tmp_path, T0 + number * HOUR, *(("DE", hour, float(number)) for hour in range(-2, 2)))
            merge(tmp_path)
        done.set()

    stored(tmp_path, T0 - HOUR, *(("DE", hour, 0.0) for hour in range(-2, 2)))
    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert len(known(tmp_path, LATER)) == 4
        assert set(known(tmp_path, T0 - HOUR).values()) == {0.0}
    writer.join()
    assert set(known(tmp_path, LATER).values()) == {11.0}


def test_a_compaction_killed_at_any_step_is_one_that_nobody_notices(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.sources.store_kills", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=300)
    told = json.loads(ran.stdout)
    assert told["faults"] == []
    assert {"before replace", "after replace", "before unlink", "after unlink"} <= set(told["points"])


def test_a_file_that_someone_else_removed_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / stored(tmp_path, T0, ("DE", 0, 1.0))
    listed = find(str(tmp_path), "intensity", stored_files, store="store")
    path.unlink()
    monkeypatch.setattr(store_compaction, "find", lambda *_, **__: listed)
    with pytest.raises(SourceUnavailableError, match="someone else is merging or deleting them"):
        merge(tmp_path)


# --- what it holds, and deleting ---------------------------------------------------------------------------------------


def test_the_contents_are_told_by_the_names(tmp_path: Path) -> None:
    assert contents_of(str(tmp_path)).first_hour_utc is None
    stored(tmp_path, AUGUST, ("DE", -2000, 1.0))
    merge(tmp_path, T0)
    path = stored(tmp_path, T0, ("DE", 3, 1.0))
    found = contents_of(str(tmp_path))
    assert (found.fetches, found.merged) == (1, 1)
    assert found.size_bytes == sum(file.stat().st_size for file in tmp_path.rglob("[!.]*.parquet"))
    assert (found.first_fetch_utc, found.last_fetch_utc, found.last_hour_utc) == (AUGUST, T0, T0 + 3 * HOUR)
    assert (tmp_path / path).is_file()


@pytest.mark.parametrize("is_merged", [False, True])
def test_purging_deletes_what_was_fetched_before_and_nothing_else(tmp_path: Path, *, is_merged: bool) -> None:
    stored(tmp_path, T0, ("DE", 0, 1.0), ("FR", 0, 1.0))
    stored(tmp_path, T0 + HOUR, ("DE", 0, 2.0))
    stored(tmp_path, T0 + 2 * HOUR, ("DE", 0, 3.0))
    if is_merged:
        merge(tmp_path)
    before, after = names(tmp_path), known(tmp_path, LATER)

    said = purge(str(tmp_path), before_utc=T0 + HOUR, is_for_real=False)
    assert (said.rows, said.lost_hours, names(tmp_path)) == (2, 1, before)

    assert purge(str(tmp_path), before_utc=T0 + HOUR, is_for_real=True) == said
    assert known(tmp_path, LATER) == {("DE", 0): 3.0} == {key: after[key] for key in [("DE", 0)]}
    assert known(tmp_path, T0 + HOUR) == {("DE", 0): 2.0}
    assert known(tmp_path, T0) == {}
    again = purge(str(tmp_path), before_utc=T0 + HOUR, is_for_real=True)
    assert (again.files, again.rows, again.lost_hours) == (0, 0, 0)


def test_a_damaged_file_is_purged_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / append(str(tmp_path), fetched(T0, ("DE", 0, 1.0)), fetched_at_utc=T0)
    path.write_bytes(b"half")
    done = purge(str(tmp_path), before_utc=T0 + HOUR, is_for_real=True)
    assert (done.files, done.rows, [event.subject for event in done.events]) == (1, 0, [path.name])
    assert not path.exists()
