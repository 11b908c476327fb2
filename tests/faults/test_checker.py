"""The checker of faults finds what is wrong with a release."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from tests.example import Release
from tests.faults.checker import Reader


@pytest.fixture
def base(example: Release, tmp_path: Path) -> Path:
    shutil.copytree(example.root, tmp_path / "out", symlinks=True)
    store = tmp_path / "store"
    store.mkdir()
    (store / "hours.parquet").write_bytes(b"hours")
    return tmp_path / "out/v1"


def reader_of(base: Path) -> Reader:
    return Reader(pafs.LocalFileSystem(), str(base.parent), str(base.parent.parent / "store"))


def run_of(base: Path) -> Path:
    (run,) = (base / "runs").iterdir()
    return run


def change_a_table(base: Path) -> None:
    with (run_of(base) / "rec_job/part-0.parquet").open("ab") as file:
        file.write(b"x")


def drop_a_file(base: Path) -> None:
    (run_of(base) / "datapackage.json").unlink()


def drop_the_record(base: Path) -> None:
    (run_of(base) / "release.json").unlink()


def mix_runs(base: Path) -> None:
    path = run_of(base) / "rec_region/part-0.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(
        table.set_column(table.num_columns - 1, "run_id", pa.array(["another"] * table.num_rows)), path
    )


def drop_rows(base: Path) -> None:
    path = run_of(base) / "rec_job/part-0.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)


def repeat_history(base: Path) -> None:
    (path,) = (base / "history/fact_total").iterdir()
    table = pq.read_table(path, partitioning=None)
    pq.write_table(pa.concat_tables([table, table]), path)


def forget_in_history(base: Path) -> None:
    (path,) = (base / "history/dim_run").iterdir()
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.slice(0, 0), path)


def change_the_manifest(base: Path) -> None:
    manifest = json.loads((base / "manifest.json").read_text())
    (base / "manifest.json").write_text(json.dumps(manifest | {"version": "another"}))


def lose_the_link(base: Path) -> None:
    (base / "latest").unlink()


def change_the_store(base: Path) -> None:
    (base.parent.parent / "store/hours.parquet").write_bytes(b"other hours")


def accept(base: Path, *tables: str) -> None:
    """Make the record say what tables are, as a publisher that errs would."""
    for path in (run_of(base) / "release.json", base / "manifest.json"):
        record = json.loads(path.read_text())
        for table in tables:
            content = (run_of(base) / table / "part-0.parquet").read_bytes()
            record["tables"][table] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        path.write_text(json.dumps(record))


def test_a_sound_release_has_no_faults(base: Path) -> None:
    reader = reader_of(base)
    now = reader.look()
    assert now.named == run_of(base).name
    assert reader.problems(now, now) == []
    assert reader.debris(now, now, now.named[:14]) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (change_a_table, "rec_job is not what was recorded"),
        (drop_a_file, "is not what it was"),
        (drop_the_record, "which has no record"),
        (repeat_history, "rows are there twice"),
        (forget_in_history, "is there 0 times"),
        (change_the_manifest, "is not the record"),
        (lose_the_link, "latest leads nowhere"),
        (change_the_store, "the store lost or changed"),
    ],
)
def test_damage_is_found(base: Path, damage: Callable[[Path], None], words: str) -> None:
    reader = reader_of(base)
    before = reader.look()
    damage(base)
    assert any(words in problem for problem in reader.problems(before, reader.look()))


@pytest.mark.parametrize(
    ("damage", "table", "words"),
    [(mix_runs, "rec_region", "holds rows of ['another']"), (drop_rows, "rec_job", "rows, recorded are")],
)
def test_tables_that_were_recorded_wrong_are_found(
    base: Path, damage: Callable[[Path], None], table: str, words: str
) -> None:
    reader = reader_of(base)
    damage(base)
    accept(base, table)
    now = reader.look()
    assert any(words in problem for problem in reader.problems(now, now))


def test_what_is_left_of_a_fault_is_found(base: Path) -> None:
    reader = reader_of(base)
    before = reader.look()
    (base / ".staging/20261117T0000Z-00000000-host-1-0").mkdir(parents=True)
    (base / "runs/20261117T0000Z-00000000").mkdir()
    found = reader.debris(before, reader.look(), "20261117T0000Z")
    for words in ("left in staging", "has no record", "no run of 20261117T0000Z was published"):
        assert any(words in problem for problem in found)
