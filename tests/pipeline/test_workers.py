"""Partitions in threads and in processes: the same bytes, whatever happens to a worker."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opencarbon import pipeline
from opencarbon.cli import main
from opencarbon.pipeline import Night, Outcome, PartitionOutcome
from opencarbon.pipeline.workers import KILLED, for_partitions, until_done, without_secrets
from tests.example import ROOT, Release, write_queue
from tests.pipeline.nights import a_night, publish, settings_for
from tests.s3_server import S3

PARTS: dict[str, object] = {"rows_per_partition": 2, "workers": 2}


@pytest.fixture(scope="session")
def long_queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine jobs in five partitions."""
    path = write_queue(tmp_path_factory.mktemp("long") / "queue.parquet", interruptible=[True, False, False])
    jobs = pq.read_table(path)
    copies = [
        jobs.set_column(0, "job_id", pa.array([f"{job}-{copy}" for job in jobs["job_id"].to_pylist()]))
        for copy in range(3)
    ]
    pq.write_table(pa.concat_tables(copies), path)
    return path


@pytest.fixture(scope="session")
def in_threads(tmp_path_factory: pytest.TempPathFactory, long_queue: Path) -> Outcome:
    return publish(settings_for(tmp_path_factory.mktemp("threads"), run=PARTS), long_queue)


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*.parquet")
    }


def region_file(folder: Path) -> str:
    path = folder / "regions.csv"
    path.write_text("region,zone,pue\nonprem:berlin,DE,1.3\n", encoding="utf-8")
    return str(path)


# --- steps of the tests, which worker processes look up here -----------------------------------------------------------


def dies_once(night: Night, partition: int) -> PartitionOutcome:
    marker = night.work.local / f"died-{partition}"  # type: ignore[operator]  # it is on this machine
    if partition == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return pipeline.estimate(night, partition)


def always_dies_of_the_last(night: Night, partition: int) -> PartitionOutcome:
    if partition == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return pipeline.estimate(night, partition)


def tells_its_process(night: Night, partition: int) -> PartitionOutcome:
    logging.getLogger("opencarbon.made_up").info("process=%d token=%s", os.getpid(), night.settings)
    logging.getLogger("opencarbon.made_up").debug("too much")
    return PartitionOutcome(partition, 0, 0.0)


# --- the same bytes ------------------------------------------------------------------------------------------------------


def test_processes_and_a_folder_on_s3_give_the_very_bytes_of_threads(
    tmp_path: Path, long_queue: Path, in_threads: Outcome, s3: S3
) -> None:
    run = PARTS | {"runner": "processes", "work_root": s3.uri("work")}

    outcome = publish(settings_for(tmp_path, run=run), long_queue)

    assert in_threads.run_id == outcome.run_id
    expected = digests(Path(str(in_threads.directory)))
    assert len(expected) > 15
    assert expected == digests(Path(str(outcome.directory)))


@pytest.mark.parametrize("workers", [1, 7])
def test_any_number_of_threads_gives_the_same_bytes(
    tmp_path: Path, long_queue: Path, in_threads: Outcome, workers: int
) -> None:
    outcome = publish(settings_for(tmp_path, run=PARTS | {"workers": workers}), long_queue)

    assert digests(Path(str(in_threads.directory))) == digests(Path(str(outcome.directory)))


def test_another_size_of_partitions_is_another_run_with_equal_figures(
    tmp_path: Path, long_queue: Path, in_threads: Outcome
) -> None:
    outcome = publish(settings_for(tmp_path), long_queue)

    assert in_threads.run_id != outcome.run_id
    ours, theirs = (
        Release(Path(str(made.directory)).parents[2]).table("rec_job").drop_columns(["run_id"])
        for made in (outcome, in_threads)
    )
    assert ours.equals(theirs)


def test_workers_need_none_of_the_files_that_the_settings_name(tmp_path: Path, long_queue: Path) -> None:
    settings = settings_for(tmp_path, run=PARTS).model_copy(update={"regions": (region_file(tmp_path),)})
    with a_night(settings, long_queue) as night:
        prepared = pipeline.prepare(night, pipeline.read(night))
        (tmp_path / "regions.csv").unlink()
        pipeline.context._loaded.clear()  # as in another process
        outcomes = list(for_partitions(pipeline.estimate, night, prepared.partitions))
        regions = pipeline.context.load_context(night).regions

    assert [None] * 5 == [outcome.problem for outcome in outcomes]
    assert "onprem:berlin" in regions.names


# --- workers that die ----------------------------------------------------------------------------------------------------


def test_partitions_of_workers_that_were_killed_are_done_by_others(
    tmp_path: Path,
    long_queue: Path,
    in_threads: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pipeline, "estimate", dies_once)

    outcome = publish(settings_for(tmp_path, run=PARTS | {"runner": "processes"}), long_queue)

    assert digests(Path(str(in_threads.directory))) == digests(Path(str(outcome.directory)))
    assert "workers died: workers=2" in caplog.text


def test_a_partition_that_kills_every_worker_costs_its_own_jobs_alone(
    tmp_path: Path, long_queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "estimate", always_dies_of_the_last)
    run = PARTS | {"runner": "processes", "workers": 1}

    outcome = publish(settings_for(tmp_path, run=run), long_queue)

    release = Release(tmp_path / "release")
    assert (9, 1) == (outcome.jobs_read, outcome.jobs_rejected)
    assert 8 == release.table("rec_job").num_rows
    (rejected,) = release.table("rejected_job").to_pylist()
    assert ("three-2", "not_estimated") == (rejected["job_id"], rejected["rule_code"])
    assert KILLED in rejected["reason"]


_SLEEPERS = """
import signal
import sys
from contextlib import suppress
from pathlib import Path
from opencarbon.pipeline import PartitionOutcome
from opencarbon.pipeline.workers import for_partitions
from tests.pipeline.nights import a_night, settings_for
from tests.pipeline.test_workers import sleeps

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for what runs in the background
    folder = Path(sys.argv[1])
    settings = settings_for(folder, run={"runner": "processes", "workers": 1, "work_root": str(folder)})
    with suppress(KeyboardInterrupt), a_night(settings, folder) as night:
        list(for_partitions(sleeps, night, 2))
"""


def sleeps(night: Night, partition: int) -> PartitionOutcome:
    (night.work.local.parent / "worker").write_text(str(os.getpid()))  # type: ignore[union-attr]  # as above
    time.sleep(600)
    return PartitionOutcome(partition, 0, 0.0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_night_that_is_killed_or_stopped_leaves_no_worker_behind_and_shows_no_traceback(
    tmp_path: Path, how: signal.Signals
) -> None:
    script, worker = tmp_path / "sleepers.py", tmp_path / "worker"
    script.write_text(_SLEEPERS)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as night:
        assert eventually(lambda: worker.exists() and bool(worker.read_text()))
        night.kill() if how == signal.SIGKILL else os.killpg(night.pid, how)  # as a terminal does
        _, said = night.communicate()

    assert b"Traceback" not in said
    assert eventually(lambda: not is_running(int(worker.read_text())))


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # what nobody waits for, in a container without an init


def eventually(is_true: Callable[[], bool]) -> bool:
    for _ in range(600):
        if is_true():
            return True
        time.sleep(0.1)
    return False


class TestUntilDone:
    """The order of things, without processes."""

    def attempts(self, deadly: dict[int, int], units: int, workers: int) -> tuple[list[object], list[int]]:
        """Results, and workers of each attempt, where units kill their worker so many times."""
        tried: list[int] = []

        def attempt(left: Sequence[int], at_once: int) -> Iterator[tuple[int, str]]:
            tried.append(at_once)
            for first in range(0, len(left), at_once):
                together = left[first : first + at_once]
                killers = [unit for unit in together if deadly.get(unit, 0) > 0]
                for unit in killers:
                    deadly[unit] -= 1
                if killers:
                    return
                yield from ((unit, f"done {unit}") for unit in together)

        results: list[object] = list(
            until_done(range(units), workers, attempt, lambda unit: f"gave up {unit}")
        )
        return results, tried

    def test_nothing_is_tried_where_there_is_nothing(self) -> None:
        assert ([], []) == self.attempts({}, 0, 4)

    def test_half_the_workers_try_again(self) -> None:
        results, tried = self.attempts({5: 2}, 8, 4)

        assert {f"done {unit}" for unit in range(8)} == set(results)
        assert [4, 2, 1] == tried

    def test_a_worker_alone_tries_twice(self) -> None:
        results, tried = self.attempts({1: 9}, 3, 2)

        assert ["done 0", "done 2", "gave up 1"] == sorted(map(str, results))
        assert [2, 1, 1, 1] == tried

    def test_workers_that_never_do_anything_are_not_started_for_every_unit(self) -> None:
        results, tried = self.attempts(dict.fromkeys(range(1000), 999), 1000, 1)

        assert [f"gave up {unit}" for unit in range(1000)] == results
        assert 6 == len(tried)


# --- what workers say and know -------------------------------------------------------------------------------------------


def test_what_workers_log_is_logged_here_at_the_level_set_here(
    tmp_path: Path, long_queue: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path, run={"runner": "processes", "workers": 1})

    with a_night(settings, long_queue) as night, caplog.at_level(logging.INFO, logger="opencarbon"):
        outcomes = list(for_partitions(tells_its_process, night, 3))

    said = [record.getMessage() for record in caplog.records if record.name == "opencarbon.made_up"]
    assert [0, 1, 2] == sorted(outcome.partition for outcome in outcomes)
    assert 3 == len(said)
    assert not any(f"process={os.getpid()} " in message for message in said)


def test_workers_are_sent_no_secret(
    tmp_path: Path, long_queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "hush-1")
    monkeypatch.setenv("OPENCARBON_NOTIFY__WEBHOOK_URL", "https://host/hush-2")
    monkeypatch.setenv("OPENCARBON_EPOCH_AI__MODELS_URL", "https://me:hush-3@host/models.csv?key=hush-4")
    settings = settings_for(tmp_path, store={"files": ["s3://key:hush-5@bucket/file.parquet"]})

    with a_night(settings, Path("s3://key:hush-6@bucket/queue")) as night:
        sent = without_secrets(night)
        assert b"hush-1" in pickle.dumps(night)
        assert b"hush" not in pickle.dumps(sent)

    assert (night.work, night.as_of_utc) == (sent.work, sent.as_of_utc)
    assert (night.settings.estimate, night.settings.plan) == (sent.settings.estimate, sent.settings.plan)


def test_settings_without_secrets_are_sent_as_they_are(tmp_path: Path, long_queue: Path) -> None:
    settings = settings_for(
        tmp_path,
        plan={"top_k": 7, "default_region": "aws:eu-north-1"},
        estimate={"profile": "paper", "device_lifetime_years": 3.3},
        manifest={"carry": {"cost": "float64"}},
        budget={"teams": {"chat": 5.0}},
        run=PARTS,
    )

    with a_night(settings, long_queue) as night:
        assert night.settings == without_secrets(night).settings


@pytest.mark.parametrize("runner", ["dask", "ray"])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_command_names_the_flow_for_what_goes_through_prefect(
    tmp_path: Path,
    long_queue: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    runner: str,
    command: str,
) -> None:
    monkeypatch.setenv("OPENCARBON_RUN__RUNNER", runner)
    monkeypatch.setenv("OPENCARBON_STORE__ROOT", str(tmp_path / "store"))
    manifest = ["--manifest", str(long_queue)] if command == "run" else [str(long_queue)]

    status = main([command, *manifest, "--out", str(tmp_path / "out"), "--offline"])

    said = " ".join(capsys.readouterr().err.split())
    assert 2 == status
    assert f"run.runner = '{runner}' goes through Prefect: use `python flows/nightly.py`" in said
    assert not (tmp_path / "out").exists()
