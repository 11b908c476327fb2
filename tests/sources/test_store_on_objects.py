"""The store of intensities and of fits on an object store: what is written once stays, and is merged and deleted whole."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opencarbon.errors import ConfigError, SourceUnavailableError
from opencarbon.sources.object_locations import RETRIES
from opencarbon.sources.object_versions import objects_below
from opencarbon.sources.places import Place
from opencarbon.sources.store.compaction import compact
from opencarbon.sources.store.fits import StoredFits, keep_fits, newest_fits
from opencarbon.sources.store.intensities import append, read_as_of
from opencarbon.sources.store.purge import contents_of, purge
from opencarbon.sources.store.rows import ordered
from tests.s3_server import FAST, S3, s3_server
from tests.sources.fetches import LATER, T0, fetched
from tests.sources.test_fit_store import AS_OF, fits

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def root(server: S3, tmp_path: Path) -> str:
    return server.uri(f"stores/{tmp_path.name}")


def stored(root: str, at: datetime, *rows: tuple[str, int, float | None], **changed: Any) -> str:
    return append(root, fetched(at, *rows, **changed), fetched_at_utc=at)


def known(root: str, as_of_utc: datetime = LATER) -> pa.Table:
    table, events = read_as_of(root, as_of_utc)
    assert events == []
    return ordered(table)


def written(root: str) -> dict[str, Any]:
    return dict(objects_below(Place.of(root)))


def test_nothing_is_an_empty_store(root: str) -> None:
    assert 0 == known(root).num_rows
    assert 0 == contents_of(root).fetches
    assert newest_fits(root, profile="calibrated", as_of_utc=AS_OF) == (None, [])


def test_the_same_fetch_twice_is_one_object_that_is_put_once(root: str) -> None:
    path = stored(root, T0, ("DE", 0, 1.0), ("FR", 0, 2.0))
    before = written(root)
    assert {"store.json", path} == set(before)
    assert path == stored(root, T0, ("FR", 0, 2.0), ("DE", 0, 1.0))
    assert before == written(root)
    assert known(root).equals(ordered(fetched(T0, ("DE", 0, 1.0), ("FR", 0, 2.0))))


def test_the_newest_fetch_wins_as_of_any_moment(root: str) -> None:
    stored(root, T0, ("DE", 0, 1.0))
    stored(root, T0 + DAY, ("DE", 0, 2.0), ("DE", 24, 3.0))
    assert [1.0] == known(root, T0)["carbon_intensity_gco2e_per_kwh"].to_pylist()
    assert [2.0, 3.0] == known(root)["carbon_intensity_gco2e_per_kwh"].to_pylist()


def test_merging_removes_what_is_merged_and_no_more(root: str) -> None:
    for day in range(5):
        stored(root, T0 + day * DAY, ("NL", 24 * day, float(day)), ("DE", 0, 10.0 + day))
    damaged = stored(root, T0 + 9 * DAY, ("FR", 0, 1.0))
    (Place.of(root) / damaged).write_bytes(b"damaged")
    kept = stored(root, T0 + 200 * DAY, ("DE", 24 * 200, 1.0))
    before, _ = read_as_of(root, LATER)

    merged = compact(root, now_utc=T0 + 200 * DAY, told=lambda *_: None)

    after, events = read_as_of(root, LATER)
    assert ordered(before).equals(ordered(after))
    assert ["unreadable_file"] == [event.code for event in events]
    left = set(written(root))
    assert {damaged, kept} <= left
    assert {damaged, kept} == {name for name in left if "/fetches/" in name}
    assert merged.files_after == len(left) - len({"store.json"})
    assert [10.0] == [
        row["carbon_intensity_gco2e_per_kwh"]
        for row in read_as_of(root, T0)[0].to_pylist()
        if row["zone"] == "DE"
    ]


def test_purging_deletes_what_was_fetched_before(root: str) -> None:
    old = stored(root, T0, ("DE", 0, 1.0))
    new = stored(root, T0 + DAY, ("DE", 0, 2.0))
    assert 1 == purge(root, before_utc=T0 + DAY, is_for_real=False).files
    assert {old, new} < set(written(root))
    purge(root, before_utc=T0 + DAY, is_for_real=True)
    assert {"store.json", new} == set(written(root))


def test_nights_at_the_same_time_lose_nothing(root: str) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda zone: stored(root, T0, (f"US-{zone}", 0, float(zone))), range(24)))
    assert 24 == known(root).num_rows


def test_fits_are_remembered(root: str) -> None:
    for day, tflop_per_s in ((0, 100.0), (1, 200.0)):
        kept = StoredFits(fits(tflop_per_s), AS_OF + day * DAY, 9, 7)
        assert keep_fits(root, kept, profile="calibrated") == keep_fits(root, kept, profile="calibrated")
    for day, tflop_per_s in ((1, 100.0), (2, 200.0)):
        found, _ = newest_fits(root, profile="calibrated", as_of_utc=AS_OF + day * DAY)
        assert found is not None
        assert [tflop_per_s] == found.fits["tflop_per_s"].to_pylist()


def test_a_store_of_a_later_format_is_left_alone(root: str) -> None:
    (Place.of(root) / "store.json").write_bytes(b'{"format": 99}')
    with pytest.raises(ConfigError, match=r"the store at s3://.* has format 99"):
        stored(root, T0, ("DE", 0, 1.0))
    assert {"store.json"} == set(written(root))


def test_a_store_out_of_reach_is_told_without_keys(server: S3) -> None:
    root = f"s3://a-key:a-secret@no-such-bucket/store?{server.query}"
    with pytest.raises(SourceUnavailableError, match="intensity store at s3://no-such-bucket/store") as told:
        stored(root, T0, ("DE", 0, 1.0))
    assert "a-secret" not in str(told.value)


def test_a_third_of_requests_turned_away_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(failing=1 / 3, seed=5) as unsteady:
        for name, value in unsteady.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(RETRIES, "backoff", FAST)
        root = unsteady.uri("store")
        for day in range(3):
            stored(root, T0 + day * DAY, ("DE", 24 * day, float(day)))
        before = known(root)
        compact(root, now_utc=T0 + 100 * DAY, told=lambda *_: None)
        assert 3 == before.num_rows
        assert known(root).equals(before)
        assert 1 == contents_of(root).merged
