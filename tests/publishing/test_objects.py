"""Releases on an object store: whole at every moment, whoever dies, and whoever else publishes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import obstore
import pyarrow.parquet as pq
import pytest

from opencarbon.cli import main
from opencarbon.errors import PublishConflictError, PublishError
from opencarbon.publishing import objects
from opencarbon.publishing.layout import Layout
from opencarbon.publishing.parquet import part_places, read_table
from opencarbon.publishing.records import Staged, describe, tables_of_record, whole_run
from opencarbon.publishing.release import PublishOutcome, publish
from opencarbon.publishing.report import report_page
from opencarbon.sources import object_versions
from opencarbon.sources.object_locations import RETRIES
from opencarbon.sources.object_versions import objects_below
from opencarbon.sources.places import Place
from tests.example import Release
from tests.publishing.runs import CONTRACTS, FEWEST, as_of, publish_run, run_of, stage_run, tables_of
from tests.s3_server import FAST, S3, s3_server

SUNDAY, MONDAY, TUESDAY, WEDNESDAY = (run_of(day) for day in (15, 16, 17, 18))


def now() -> datetime:
    """Objects carry the time of the server's clock."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def root(server: S3, tmp_path: Path) -> str:
    return server.uri(tmp_path.name)


def layout_of(root: str) -> Layout:
    return Layout(Place.of(root))


def publish_now(root: str, run_id: str, **more: Any) -> PublishOutcome:
    options: dict[str, Any] = {"now_utc": now(), "contracts": FEWEST} | more
    return publish_run(root, run_id, **options)


def contents(place: Place) -> dict[str, bytes]:
    return {name: (place / name).read_bytes() for name in objects_below(place)}


def faults(root: str, allowed: set[str]) -> list[str]:
    """What is wrong for whoever follows the manifest, or reads a run or the history."""
    layout = layout_of(root)
    manifest = json.loads(layout.manifest.read_bytes())
    named = manifest["run_id"]
    found = [] if named in allowed else [f"the manifest names {named}"]
    if layout.record(named).read_bytes() != layout.manifest.read_bytes():
        found.append("the manifest is not the record of its run")
    for name, table in tables_of_record(layout.manifest.read_bytes()).items():
        content = b"".join(part.read_bytes() for part in part_places(layout.runs / named, name))
        if hashlib.sha256(content).hexdigest() != table.sha256:
            found.append(f"{name} is not what was recorded")
    for run_id in layout.stored_runs():
        if layout.record(run_id).is_file() and whole_run(layout, run_id) is None:
            found.append(f"{run_id} has a record and is not whole")
    for name, content in contents(layout.history).items():
        contract = CONTRACTS[name.partition("/")[0]]
        key = ("run_id", *(column for column in contract.key if column != "run_id"))
        rows = pq.read_table(BytesIO(content), columns=list(key)).to_pylist()
        keys = [tuple(row[column] for column in key) for row in rows]
        if keys != sorted(set(keys)):
            found.append(f"history {name} repeats rows or has lost its order")
    return found


def latest_faults(root: str) -> list[str]:
    """What is wrong with the copy of the newest run."""
    layout = layout_of(root)
    copied, run_id = contents(layout.latest), layout.latest_run()
    copied.pop(objects.COPIED)
    return [] if copied == contents(layout.runs / str(run_id)) else [f"latest is not {run_id}"]


def history(root: str, table: str = "dim_run") -> set[str]:
    place = layout_of(root).history / table / "2026-11.parquet"
    return set(map(str, pq.read_table(BytesIO(place.read_bytes()))["run_id"].to_pylist()))


def test_a_run_is_published_whole_with_what_follows_it(root: str) -> None:
    outcome = publish_now(root, MONDAY, contracts=CONTRACTS)

    assert ("published", MONDAY) == (outcome.status, outcome.latest_run_id)
    assert f"{root}/v1/runs/{MONDAY}" == str(outcome.directory)
    for name, table in tables_of(MONDAY).items():
        assert read_table(outcome.directory, name).equals(table)
        assert read_table(layout_of(root).latest, name).equals(table)
    assert [] == faults(root, {MONDAY}) + latest_faults(root)
    assert {MONDAY} == history(root)
    names = [name for name in objects_below(Place.of(root) / "v1") if "/" not in name]
    assert {"manifest.json", "duckdb.sql", "athena.sql"} == set(names)
    duckdb, athena = (
        (Place.of(root) / f"v1/{name}.sql").read_bytes().decode() for name in ("duckdb", "athena")
    )
    assert f"read_parquet(['{root}/v1/runs/{MONDAY}/dim_run/part-0.parquet'])" in duckdb
    assert f"read_parquet('{root}/v1/history/dim_run/*.parquet'" in duckdb
    assert f"LOCATION '{root}/v1/runs/{MONDAY}/dim_run/'" in athena
    assert "BUCKET" not in athena


def test_the_same_run_again_changes_nothing(root: str) -> None:
    publish_now(root, MONDAY)
    before = objects_below(Place.of(root))

    outcome = publish_now(root, MONDAY)

    assert "unchanged" == outcome.status
    assert before == objects_below(Place.of(root))


def test_an_older_run_is_kept_and_moves_nothing(root: str) -> None:
    publish_now(root, TUESDAY)
    followed = {name: content for name, content in contents(Place.of(root)).items() if "history" not in name}

    outcome = publish_now(root, MONDAY)

    assert ("superseded", TUESDAY) == (outcome.status, outcome.latest_run_id)
    assert followed.items() <= contents(Place.of(root)).items()
    assert [MONDAY, TUESDAY] == layout_of(root).stored_runs()
    assert {MONDAY, TUESDAY} == history(root)


def test_what_latest_holds_already_is_not_copied_and_what_is_left_over_goes(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_now(root, MONDAY, contracts=CONTRACTS)
    latest = layout_of(root).latest
    (latest / "dim_gone/part-0.parquet").write_bytes(b"of an older version")
    (latest / "dim_source/part-0.parquet").write_bytes(b"damaged by other hands")
    tables = tables_of(TUESDAY)
    for same in ("dim_device", "dim_source"):
        monkeypatch.setitem(tables, same, tables_of(MONDAY)[same])
    copied: list[str] = []

    def copy(source: Place, target: Place) -> None:
        copied.append(str(target).partition("/latest/")[2])
        object_versions.copy(source, target)

    monkeypatch.setattr(objects, "copy", copy)
    publish_now(root, TUESDAY, contracts=CONTRACTS)

    assert "dim_run/part-0.parquet" in copied
    assert "dim_source/part-0.parquet" in copied
    assert "dim_device/part-0.parquet" not in copied
    assert [] == faults(root, {TUESDAY}) + latest_faults(root)


def test_what_another_publisher_overwrites_meanwhile_is_copied_again(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_now(root, MONDAY)
    first: list[Place] = []

    def copy(source: Place, target: Place) -> None:
        object_versions.copy(source, target)
        first.append(target)
        if target.name == "release.json":  # long after the first file, and before the last
            first[0].write_bytes(b"of another run")

    with monkeypatch.context() as patch:
        patch.setattr(objects, "copy", copy)
        patch.setattr(objects, "_AT_ONCE", 1)
        publish_now(root, TUESDAY)
    assert latest_faults(root) == [f"latest is not {TUESDAY}"]

    publish_now(root, TUESDAY)
    assert [] == faults(root, {TUESDAY}) + latest_faults(root)


def test_wrong_tables_are_not_published_and_leave_nothing(root: str) -> None:
    staged = stage_run(root, MONDAY)
    (staged / "dim_run" / "part-0.parquet").write_bytes(b"no Parquet")

    with pytest.raises(PublishError, match="cannot be read back"):
        publish(root, MONDAY, as_of(MONDAY), staged, CONTRACTS, facts={}, keep_runs=9, now_utc=now())

    assert {} == objects_below(Place.of(root))
    assert not staged.exists()


def test_old_runs_go_but_neither_the_newest_nor_young_ones(root: str) -> None:
    other_of_tuesday = run_of(17, inputs="f")
    for run_id in (other_of_tuesday, TUESDAY, SUNDAY):
        publish_now(root, run_id)
    half = layout_of(root).runs / WEDNESDAY
    (half / "dim_run/part-0.parquet").write_bytes(b"half uploaded")

    assert () == publish_now(root, MONDAY, keep_runs=1).removed_run_ids
    tomorrow = now() + timedelta(hours=25)
    outcome = publish_now(root, MONDAY, keep_runs=1, now_utc=tomorrow)

    assert (SUNDAY, MONDAY) == outcome.removed_run_ids
    assert [TUESDAY, other_of_tuesday] == layout_of(root).stored_runs()
    assert [] == faults(root, {TUESDAY}) + latest_faults(root)


def test_a_damaged_run_is_made_again(root: str) -> None:
    publish_now(root, MONDAY)
    layout = layout_of(root)
    (layout.runs / MONDAY / "dim_run/part-0.parquet").write_bytes(b"damaged")
    (layout.runs / MONDAY / "dim_run/part-1.parquet").write_bytes(b"left over")

    assert "published" == publish_now(root, MONDAY).status
    assert [] == faults(root, {MONDAY}) + latest_faults(root)


@pytest.mark.parametrize("manifest", [b"garbage", b'{"run_id": "../../x"}', b"[]"])
def test_what_is_no_manifest_is_replaced(root: str, manifest: bytes) -> None:
    publish_now(root, MONDAY)
    layout_of(root).manifest.write_bytes(manifest)
    (layout_of(root).latest / objects.COPIED).write_bytes(manifest)

    assert "published" == publish_now(root, MONDAY).status
    assert [] == faults(root, {MONDAY}) + latest_faults(root)


def test_publishers_at_the_same_time_lose_nothing_and_never_go_back(root: str) -> None:
    runs = [run_of(day) for day in range(2, 8)]
    for run_id in runs:
        tables_of(run_id)
    with ThreadPoolExecutor(max_workers=len(runs)) as pool:
        outcomes = list(pool.map(lambda run_id: publish_now(root, run_id), runs))

    assert "published" == outcomes[-1].status
    assert set(runs) == history(root) == history(root, "fact_total")
    assert runs == layout_of(root).stored_runs()
    assert [] == faults(root, {runs[-1]})
    publish_now(root, runs[-1])
    assert [] == faults(root, {runs[-1]}) + latest_faults(root)


@pytest.mark.parametrize("before", [(), (SUNDAY,)])
@pytest.mark.parametrize("name", ["2026-11.parquet", "manifest.json"])
def test_whoever_comes_second_reads_again_and_decides_again(
    root: str, monkeypatch: pytest.MonkeyPatch, name: str, before: tuple[str, ...]
) -> None:
    for run_id in before:
        publish_now(root, run_id)
    raced: list[str] = []

    def swap(place: Place, content: bytes, *, read: object_versions.Version | None) -> bool:
        if place.name == name and not raced:
            raced.append(name)
            publish_now(root, TUESDAY)
        return object_versions.swap(place, content, read=read)

    monkeypatch.setattr(objects, "swap", swap)
    outcome = publish_now(root, MONDAY)

    assert [name] == raced
    assert ("superseded", TUESDAY) == (outcome.status, outcome.latest_run_id)
    assert {*before, MONDAY, TUESDAY} == history(root) == history(root, "fact_total")
    assert [] == faults(root, {TUESDAY}) + latest_faults(root)


def test_another_run_under_the_same_name_is_a_conflict(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    really_swap = object_versions.swap

    def swap(place: Place, content: bytes, **read: Any) -> bool:
        if place.name == "release.json":
            other = json.loads(content)
            other["tables"]["dim_run"]["sha256"] = "0" * 64
            place.write_bytes(json.dumps(other).encode())
        return really_swap(place, content, **read)

    monkeypatch.setattr(objects, "swap", swap)
    with pytest.raises(PublishConflictError, match=f"run {MONDAY} is not published"):
        publish_now(root, MONDAY)
    assert not layout_of(root).manifest.exists()


def test_a_publisher_that_is_second_and_dies_takes_nothing_from_the_first(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_first(staged: Staged) -> Any:
        monkeypatch.setattr(objects, "describe", describe)
        publish_now(root, MONDAY)
        monkeypatch.setattr(objects, "upload", None)  # whoever uploads now dies
        return describe(staged)

    monkeypatch.setattr(objects, "describe", others_first)
    with suppress(TypeError):
        publish_now(root, MONDAY)
    assert [] == faults(root, {MONDAY}) + latest_faults(root)


def test_a_third_of_requests_turned_away_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(failing=1 / 3, seed=7) as unsteady:
        for name, value in unsteady.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(RETRIES, "backoff", FAST)
        root = unsteady.uri("release")
        statuses = [publish_now(root, run_id).status for run_id in (MONDAY, TUESDAY)]
        assert ["published", "published"] == statuses
        assert {MONDAY, TUESDAY} == history(root)
        assert [] == faults(root, {TUESDAY}) + latest_faults(root)


def test_a_store_that_fails_is_told_with_what_to_do(server: S3) -> None:
    root = f"s3://a-key:a-secret@no-such-bucket/r?{server.query}"
    with pytest.raises(PublishError, match=r"publishing run .* in s3://no-such-bucket/r/v1 failed") as told:
        publish_now(root, MONDAY)
    assert "publish it again" in str(told.value)
    assert "a-secret" not in str(told.value)


def test_a_release_out_of_reach_is_told_by_name(server: S3) -> None:
    layout = layout_of("s3://no-such-bucket/r")
    for read in (layout.stored_runs, layout.latest_run):
        with pytest.raises(
            PublishError, match=r"the release in s3://no-such-bucket/r/v1 cannot be read: it answered 404"
        ):
            read()


class PowerCut(BaseException):
    """Nothing of the publisher runs any more."""


_CHANGES: Final = ("put", "copy", "delete")


class Power:
    """Goes off after some changes to the store, for good."""

    def __init__(self, changes: int) -> None:
        self.left = changes
        self.used = 0

    def of(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """The change, as long as there is power."""

        def changed(*arguments: Any, **options: Any) -> Any:
            if self.used >= self.left:
                raise PowerCut
            self.used += 1
            return change(*arguments, **options)

        return changed


def publish_with(power: Power, root: str, run_id: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in _CHANGES:
            patch.setattr(obstore, name, power.of(getattr(obstore, name)))
        publish_now(root, run_id, keep_runs=2, now_utc=now() + timedelta(hours=25))


def test_wherever_a_publisher_dies_readers_see_one_run_and_the_next_one_repairs(root: str) -> None:
    enough = Power(1_000)
    for run_id in (SUNDAY, MONDAY):
        publish_with(enough, f"{root}/whole", run_id)
    before = enough.used
    publish_with(enough, f"{root}/whole", TUESDAY)
    changes = enough.used - before
    assert changes > 15

    for run_id in (SUNDAY, MONDAY):
        publish_now(f"{root}/base", run_id)
    base = contents(Place.of(f"{root}/base"))
    for at in range(0, changes, 3):
        one = f"{root}/{at}"
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name, one=one: (Place.of(one) / name).write_bytes(base[name]), base))
        with pytest.raises(PowerCut):
            publish_with(Power(at), one, TUESDAY)
        assert [] == faults(one, {MONDAY, TUESDAY}), f"dead after {at} changes"

        after = (TUESDAY, WEDNESDAY)[at // 3 % 2]
        outcome = publish_now(one, after, keep_runs=2, now_utc=now() + timedelta(hours=25))
        found = faults(one, {after}) + latest_faults(one)
        assert [] == found, f"dead after {at} changes, then {after}"
        assert after == outcome.latest_run_id
        stored = set(layout_of(one).stored_runs())
        assert stored <= history(one)
        assert len(stored) == 2
        assert objects_below(layout_of(one).runs / SUNDAY) == {}


def test_a_run_on_an_object_store_is_shown_reported_and_exported(
    root: str, example: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = example.root / "v1"
    for path in (base / "manifest.json", *(base / "runs").rglob("*")):
        if path.is_file():
            (Place.of(root) / "v1" / str(path.relative_to(base))).write_bytes(path.read_bytes())
    words = ("--release", root)
    for here, there in (("show", ["gpt-4"]), ("export", ["--format", "sci"])):
        told = []
        for place in (words, ("--release", str(example.root))):
            assert main([here, *there, *place]) == 0
            told.append(capsys.readouterr().out)
        assert told[0] == told[1]
        assert told[0]
    assert main(["report", *words, "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == report_page(example.latest.resolve())
