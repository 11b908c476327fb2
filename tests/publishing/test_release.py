"""A run is published whole or not at all, and readers never see a mixture."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon.errors import PublishConflictError, PublishError
from opencarbon.publishing import release
from opencarbon.publishing.local import LocalLayout as Layout
from opencarbon.publishing.local import publisher_lock
from opencarbon.publishing.parquet import read_table, write_table
from opencarbon.publishing.release import publish, run_id_for, stage_directory
from opencarbon.tables.contracts import PUBLISHED
from tests.publishing.runs import (
    CONTRACTS,
    as_of,
    publish_run,
    reader_faults,
    run_of,
    stage_run,
    tables_of,
)
from tests.tables.make_tables import make_release

NOW_UTC = datetime.now(UTC)  # files carry the clock of the machine, so publishing looks at the same one
DOCUMENTS = ("README.md", "views.sql", "report.html")
MONDAY, TUESDAY, WEDNESDAY = (run_of(day) for day in (16, 17, 18))
SPAWN = multiprocessing.get_context("spawn")


def publish_now(root: Path, run_id: str, *, keep_runs: int = 9) -> release.PublishOutcome:
    return publish_run(root, run_id, now_utc=NOW_UTC, keep_runs=keep_runs)


def publish_staged(root: Path, run_id: str, staged: Path) -> release.PublishOutcome:
    return publish(root, run_id, as_of(run_id), staged, CONTRACTS, facts={}, keep_runs=9, now_utc=NOW_UTC)


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    """Inode and content of every file below, without following links."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def make_older(root: Path, run_id: str, hours: float) -> None:
    moment = (NOW_UTC - timedelta(hours=hours)).timestamp()
    os.utime(Layout(root).runs / run_id, (moment, moment))


# --- what is published


def test_a_run_is_named_by_its_minute_and_its_inputs() -> None:
    moment = datetime.fromisoformat("2026-11-22T22:30:59+01:00")
    assert run_id_for(moment, "0123abcdef" + "0" * 54) == "20261122T2130Z-0123abcd"


def test_a_published_run_is_what_readers_find(tmp_path: Path) -> None:
    outcome = publish_now(tmp_path, MONDAY)
    assert (outcome.status, outcome.run_id, outcome.latest_run_id) == ("published", MONDAY, MONDAY)
    assert outcome.directory.local == tmp_path / "v1" / "runs" / MONDAY
    assert os.readlink(tmp_path / "v1" / "latest") == f"runs/{MONDAY}"
    assert reader_faults(tmp_path, {MONDAY}) == []
    for name, table in tables_of(MONDAY).items():
        assert read_table(tmp_path / "v1" / "latest", name).equals(table)


def test_every_table_of_the_vocabulary_can_be_published(tmp_path: Path) -> None:
    staged = stage_directory(tmp_path, MONDAY)
    for name, table in make_release(run_id=MONDAY, as_of_utc=as_of(MONDAY)).items():
        write_table(staged, table, PUBLISHED[name])
    outcome = publish(
        tmp_path, MONDAY, as_of(MONDAY), staged, PUBLISHED, facts={}, keep_runs=1, now_utc=NOW_UTC
    )
    assert list(outcome.tables) == list(PUBLISHED)
    pattern = tmp_path / "v1" / "latest" / "fact_job_region" / "*.parquet"
    assert duckdb.execute(f"select count(*) from '{pattern}'").fetchall() == [(40,)]


def test_the_manifest_tells_what_was_published(tmp_path: Path) -> None:
    outcome = publish_now(tmp_path, MONDAY)
    manifest = json.loads((tmp_path / "v1" / "manifest.json").read_text())
    (run,) = tables_of(MONDAY)["dim_run"].to_pylist()
    path = tmp_path / "v1" / "runs" / MONDAY / "fact_total" / "part-0.parquet"
    assert manifest["tables"].pop("fact_total") == {
        "contract_version": "1.1",
        "rows": 3,
        "bytes": path.stat().st_size,
        "parts": 1,
        "sha256": outcome.tables["fact_total"].sha256,
    }
    assert set(manifest.pop("tables")) == set(CONTRACTS) - {"fact_total"}
    latest = tmp_path / "v1" / "latest"
    assert manifest.pop("documents") == {
        name: {"bytes": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in ((name, (latest / name).read_bytes()) for name in DOCUMENTS)
    }
    assert manifest == {
        "record_version": 1,
        "run_id": MONDAY,
        "as_of_utc": "2026-11-16T21:00:00Z",
        "version": run["version"],
        "inputs_sha256": run["inputs_sha256"],
        "path": f"runs/{MONDAY}",
        "facts": {"durations_s": {"estimate": 1.5}},
    }


def test_a_run_carries_its_dictionary(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    package = json.loads((tmp_path / "v1" / "latest" / "datapackage.json").read_text())
    assert [one["path"] for one in package["resources"]] == [f"{name}/part-0.parquet" for name in CONTRACTS]
    assert len(package["sources"]) == tables_of(MONDAY)["dim_source"].num_rows


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    trees = []
    for root in (tmp_path / "a", tmp_path / "b"):
        publish_now(root, MONDAY)
        trees.append({name: content for name, (_, content) in everything(root).items()})
    assert trees[0] == trees[1]


def test_what_is_published_can_be_read_by_others(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    modes = {path.stat().st_mode & 0o055 for path in (tmp_path / "v1" / "runs").rglob("*") if path.is_dir()}
    assert modes == {0o055 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_carried_columns_are_published(tmp_path: Path) -> None:
    extra = {"dim_job": [pa.field("cost_centre", pa.int64())]}
    staged = stage_directory(tmp_path, MONDAY)
    for name, made in make_release(run_id=MONDAY, as_of_utc=as_of(MONDAY)).items():
        table = made
        if name == "dim_job":
            table = table.append_column(extra["dim_job"][0], pa.array(range(table.num_rows)))
        write_table(staged, table, PUBLISHED[name], extra=extra.get(name, ()))
    publish(
        tmp_path,
        MONDAY,
        as_of(MONDAY),
        staged,
        PUBLISHED,
        facts={},
        keep_runs=1,
        now_utc=NOW_UTC,
        extra=extra,
    )
    assert "cost_centre" in read_table(tmp_path / "v1" / "latest", "dim_job").column_names
    assert "cost_centre" in (tmp_path / "v1" / "latest" / "datapackage.json").read_text()


# --- which run is the newest


def test_the_same_run_again_changes_nothing(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    before = everything(tmp_path)
    assert publish_now(tmp_path, MONDAY).status == "unchanged"
    assert everything(tmp_path) == before


def test_a_later_run_becomes_the_newest(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    assert publish_now(tmp_path, TUESDAY).status == "published"
    assert reader_faults(tmp_path, {TUESDAY}) == []


def test_a_run_of_the_same_moment_becomes_the_newest(tmp_path: Path) -> None:
    publish_now(tmp_path, run_of(16, inputs="a"))
    assert publish_now(tmp_path, run_of(16, inputs="1")).status == "published"
    assert reader_faults(tmp_path, {run_of(16, inputs="1")}) == []


def test_a_backfill_is_stored_and_moves_nothing(tmp_path: Path) -> None:
    publish_now(tmp_path, TUESDAY)
    manifest = (tmp_path / "v1" / "manifest.json").read_bytes()
    outcome = publish_now(tmp_path, MONDAY)
    assert (outcome.status, outcome.latest_run_id) == ("superseded", TUESDAY)
    assert Layout(tmp_path).stored_runs() == [MONDAY, TUESDAY]
    assert (tmp_path / "v1" / "manifest.json").read_bytes() == manifest
    assert reader_faults(tmp_path, {TUESDAY}) == []


def test_a_damaged_run_is_published_anew(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    path = tmp_path / "v1" / "runs" / MONDAY / "fact_total" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert publish_now(tmp_path, MONDAY).status == "published"
    assert reader_faults(tmp_path, {MONDAY}) == []


@pytest.mark.parametrize("lost", ["latest", "manifest.json"])
def test_a_lost_entrance_is_put_back(lost: str, tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    (tmp_path / "v1" / lost).unlink()
    assert publish_now(tmp_path, MONDAY).status == "published"
    assert reader_faults(tmp_path, {MONDAY}) == []


def test_latest_that_is_a_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "v1" / "latest").mkdir(parents=True)
    with pytest.raises(PublishError, match="is no symbolic link: move it away"):
        publish_now(tmp_path, MONDAY)


# --- history


def test_the_history_holds_every_run_by_month(tmp_path: Path) -> None:
    october = run_id_for(datetime(2026, 10, 31, 21, tzinfo=UTC), "0" * 64)
    for run_id in (MONDAY, october, TUESDAY, TUESDAY):
        publish_now(tmp_path, run_id)
    found = {
        f"{path.parent.name}/{path.name}": read_runs(path)
        for path in sorted((tmp_path / "v1" / "history").glob("*/*"))
    }
    assert found == {
        f"{name}/{month}.parquet": runs
        for name in ("dim_run", "fact_device_fit", "fact_total")
        for month, runs in (("2026-10", {october}), ("2026-11", {MONDAY, TUESDAY}))
    }


def read_runs(path: Path) -> set[str | None]:
    with pq.ParquetFile(path) as file:
        return set(file.read(columns=["run_id"])["run_id"].to_pylist())


def test_the_history_holds_the_rows_of_the_runs(tmp_path: Path) -> None:
    for run_id in (TUESDAY, MONDAY):
        publish_now(tmp_path, run_id)
    with pq.ParquetFile(tmp_path / "v1" / "history" / "fact_total" / "2026-11.parquet") as file:
        rows = file.read()
    expected = pa.concat_tables([tables_of(MONDAY)["fact_total"], tables_of(TUESDAY)["fact_total"]])
    assert rows.equals(expected)


def test_a_run_that_the_history_lacks_is_added_by_the_next_one(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    history = tmp_path / "v1" / "history" / "dim_run" / "2026-11.parquet"
    history.unlink()
    publish_now(tmp_path, TUESDAY)
    assert read_runs(history) == {MONDAY, TUESDAY}


def test_the_history_keeps_runs_that_are_deleted(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    make_older(tmp_path, MONDAY, 25)
    publish_now(tmp_path, TUESDAY, keep_runs=1)
    assert read_runs(tmp_path / "v1" / "history" / "fact_total" / "2026-11.parquet") == {MONDAY, TUESDAY}


def test_the_history_of_an_older_contract_gains_the_new_column(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    path = tmp_path / "v1" / "history" / "fact_device_fit" / "2026-11.parquet"
    with pq.ParquetFile(path) as file:
        older = file.read().drop_columns(["fit_source_id"])
    pq.write_table(older, path)
    publish_now(tmp_path, TUESDAY)
    with pq.ParquetFile(path) as file:
        rows = file.read()
    assert rows.schema.names == list(CONTRACTS["fact_device_fit"].columns)
    assert rows.slice(0, 3)["fit_source_id"].null_count == 3


def test_a_history_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    path = tmp_path / "v1" / "history" / "dim_run" / "2026-11.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(PublishError, match=r"2026-11.parquet cannot be read: .* move it away"):
        publish_now(tmp_path, TUESDAY)
    assert Layout(tmp_path).latest_run() == MONDAY


# --- old runs


def test_the_oldest_runs_are_deleted(tmp_path: Path) -> None:
    for run_id in (MONDAY, TUESDAY):
        publish_now(tmp_path, run_id)
        make_older(tmp_path, run_id, 24)
    outcome = publish_now(tmp_path, WEDNESDAY, keep_runs=2)
    assert outcome.removed_run_ids == (MONDAY,)
    assert Layout(tmp_path).stored_runs() == [TUESDAY, WEDNESDAY]


def test_a_run_of_the_last_24_hours_is_kept(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    make_older(tmp_path, MONDAY, 23.9)
    assert publish_now(tmp_path, TUESDAY, keep_runs=1).removed_run_ids == ()


def test_the_newest_run_is_kept_however_old(tmp_path: Path) -> None:
    publish_now(tmp_path, MONDAY)
    make_older(tmp_path, MONDAY, 1000)
    assert publish_now(tmp_path, MONDAY, keep_runs=1).removed_run_ids == ()


def test_what_is_no_run_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "v1" / "runs" / "notes").mkdir(parents=True)
    os.utime(tmp_path / "v1" / "runs" / "notes", (0, 0))
    publish_now(tmp_path, MONDAY, keep_runs=1)
    assert (tmp_path / "v1" / "runs" / "notes").is_dir()


# --- staging


def test_staging_of_the_dead_is_removed_and_of_the_living_kept(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    living = stage_run(tmp_path, TUESDAY)
    dead = living.with_name(living.name.replace(f"-{os.getpid()}-", f"-{process.pid}-"))
    elsewhere = living.with_name(f"{TUESDAY}-elsewhere-{process.pid}-00000000")
    forgotten = living.with_name(f"{TUESDAY}-elsewhere-{process.pid}-11111111")
    for path in (dead, elsewhere, forgotten):
        path.mkdir()
    os.utime(forgotten, (0, 0))
    publish_now(tmp_path, MONDAY)
    assert {path for path in living.parent.iterdir() if path.name != "work"} == {living, elsewhere}


def test_the_staged_run_is_gone_once_published(tmp_path: Path) -> None:
    for run_id in (MONDAY, MONDAY, TUESDAY):
        publish_now(tmp_path, run_id)
    assert list(Layout(tmp_path).staging.rglob("*")) == [Layout(tmp_path).work]


@pytest.mark.parametrize("run_id", ["latest", "../../etc", "20261122T2100Z-0123ABCD", "20261122T2100Z"])
def test_what_is_no_run_id_is_refused(run_id: str, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="expected a moment and 8 hex digits"):
        stage_directory(tmp_path, run_id)


def test_a_root_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "v1").write_text("a file")
    with pytest.raises(PublishError, match=f"run {MONDAY} cannot be written to .*v1: "):
        stage_directory(tmp_path, MONDAY)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(PublishError, match="carries no time zone"):
        run_id_for(datetime(2026, 11, 22), "0" * 64)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"as_of_utc": as_of(TUESDAY)}, "is not that of as_of_utc"),
        ({"staged": Path("/nowhere")}, "is no directory that stage_directory"),
        ({"contracts": {"dim_source": PUBLISHED["dim_source"]}}, "a release holds dim_run"),
        ({"keep_runs": 0}, "keep at least 1 run"),
    ],
)
def test_arguments_that_make_no_release_are_refused(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    arguments = {
        "root": tmp_path,
        "run_id": MONDAY,
        "as_of_utc": as_of(MONDAY),
        "staged": stage_run(tmp_path, MONDAY),
        "contracts": CONTRACTS,
        "facts": {},
        "keep_runs": 1,
        "now_utc": NOW_UTC,
    }
    with pytest.raises(PublishError, match=words):
        publish(**(arguments | changes))  # type: ignore[arg-type]  # one argument is wrong on purpose


def test_a_full_disk_is_a_publish_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    publish_now(tmp_path, MONDAY)
    monkeypatch.setattr(release, "write_durably", full)
    with pytest.raises(PublishError, match=r"No space left on device.*publish it again to finish"):
        publish_now(tmp_path, TUESDAY)
    monkeypatch.undo()
    assert reader_faults(tmp_path, {MONDAY}) == []
    assert publish_now(tmp_path, TUESDAY).status == "published"


# --- several publishers and readers


@contextmanager
def another_process(work: Callable[..., None], *arguments: object) -> Iterator[None]:
    process = SPAWN.Process(target=work, args=arguments)
    process.start()
    try:
        yield
    finally:
        process.join(60)
        process.kill()
        assert process.exitcode == 0


def _hold_the_lock(root: Path, run_id: str, held: Event, enough: Event) -> None:
    with publisher_lock(Layout(root), run_id, now_utc=NOW_UTC):
        held.set()
        enough.wait(60)


def test_the_second_publisher_is_told_who_the_first_is(tmp_path: Path) -> None:
    held, enough = SPAWN.Event(), SPAWN.Event()
    publish_now(tmp_path, MONDAY)
    before = everything(tmp_path / "v1" / "runs")
    with another_process(_hold_the_lock, tmp_path, TUESDAY, held, enough):
        assert held.wait(60)
        with pytest.raises(
            PublishConflictError, match=f"process [0-9]+ on .* publishes run {TUESDAY} since 20"
        ):
            publish_now(tmp_path, WEDNESDAY)
        assert everything(tmp_path / "v1" / "runs") == before
        enough.set()
    assert publish_now(tmp_path, WEDNESDAY).status == "published"


def test_a_publisher_that_dies_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from datetime import datetime, UTC\n"
        "from opencarbon.publishing.local import LocalLayout as Layout, publisher_lock\n"
        f"with publisher_lock(Layout(Path({str(tmp_path)!r})), {MONDAY!r}, now_utc=datetime.now(UTC)):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert (tmp_path / "v1" / ".lock").read_bytes() != b""
    assert publish_now(tmp_path, TUESDAY).status == "published"


def _publish_at_once(root: Path, run_id: str, together: Barrier, told: Path) -> None:
    staged = stage_run(root, run_id)
    together.wait(60)
    try:
        told.write_text(publish_staged(root, run_id, staged).status)
    except PublishConflictError as problem:
        told.write_text(f"conflict: {problem}")


def test_of_two_publishers_at_once_one_wins_and_the_other_says_so(tmp_path: Path) -> None:
    root, together = tmp_path / "root", SPAWN.Barrier(2)
    runs = (MONDAY, TUESDAY)
    with (
        another_process(_publish_at_once, root, MONDAY, together, tmp_path / MONDAY),
        another_process(_publish_at_once, root, TUESDAY, together, tmp_path / TUESDAY),
    ):
        pass
    told = {run_id: (tmp_path / run_id).read_text() for run_id in runs}
    # on a slow machine the second may come when the first is done
    published = {run_id for run_id in runs if told[run_id] in ("published", "superseded")}
    refused = {
        run_id for run_id in runs if told[run_id].startswith(f"conflict: run {run_id} is not published")
    }
    assert published
    assert published | refused == set(runs)
    assert set(Layout(root).stored_runs()) == published
    assert reader_faults(root, {max(published)}) == []


def _read_on(root: Path, enough: Event, ready: Event, told: Path) -> None:
    looks, faults, seen = 0, [], set()
    ready.set()
    while not enough.is_set():
        directory = (root / "v1" / "latest").resolve()
        seen.add(directory.name)
        rows = {
            name: read_table(directory, name, columns=["run_id"])["run_id"].unique().to_pylist()
            for name in ("dim_run", "fact_total", "fact_device_fit")
        }
        faults += [str(rows)] if set(map(tuple, rows.values())) != {(directory.name,)} else []
        named = json.loads((root / "v1" / "manifest.json").read_bytes())
        faults += [] if (root / "v1" / named["path"] / "release.json").exists() else [str(named)]
        looks += 1
    told.write_text(json.dumps({"looks": looks, "faults": faults, "seen": sorted(seen)}))


def test_a_reader_sees_whole_runs_while_others_are_published(tmp_path: Path) -> None:
    root, told = tmp_path / "root", tmp_path / "told.json"
    runs = [run_of(day) for day in range(1, 13)]
    publish_now(root, runs[0])
    enough, ready = SPAWN.Event(), SPAWN.Event()
    with another_process(_read_on, root, enough, ready, told):
        assert ready.wait(60)
        for run_id in runs[1:]:
            publish_now(root, run_id)
        enough.set()
    found = json.loads(told.read_text())
    assert found["faults"] == []
    assert found["looks"] > 1
    assert set(found["seen"]) <= set(runs)
    assert len(found["seen"]) > 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_point_readers_see_one_whole_run_and_the_next_publication_repairs() -> None:
    shares = 2
    memory = Path("/dev/shm")  # noqa: S108  # hundreds of releases; a disk would spend minutes in fsync
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
        processes = []
        for share in range(shares):
            work = Path(directory) / str(share)
            work.mkdir()
            command = [
                sys.executable,
                "-m",
                "tests.publishing.kill_points",
                str(work),
                str(share),
                str(shares),
            ]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        answers = [json.loads(process.communicate()[0]) for process in processes]
    points = answers[0]["points"]
    assert [fault for answer in answers for fault in answer["faults"]] == []
    assert len(points) > 120
    kinds = {point.partition(" ")[2] for point in points}
    assert {"replace", "symlink", "rename", "mkdir", "unlink", "rmdir", "fsync", "open", "write"} <= kinds
    assert {"parquet __init__", "parquet write_table", "parquet close"} <= kinds
