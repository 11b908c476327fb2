"""The nightly flow on every task runner: the bytes of threads though a worker is killed, and few task runs."""

import os
import signal
import sys
import time
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State

from flows import runners
from flows.runners import MOST_TASK_RUNS, groups_of, runner_of
from opencarbon.errors import ConfigError
from opencarbon.pipeline import Night, PartitionOutcome
from opencarbon.settings import RunSettings
from tests.flows.runs import flow_run_id, logs, published, run
from tests.live.nights import Site, this_hour

NEEDS_RAY = [
    pytest.mark.skipif(find_spec("prefect_ray") is None, reason="Ray is not installed"),
    pytest.mark.filterwarnings("ignore"),  # its own import warns
]


def with_partitions(site: Site, rows: int, **more: object) -> Site:
    """Three times the queue of a site, in partitions of so many rows."""
    jobs = pq.read_table(site.queue)
    longer = [
        jobs.set_column(0, "job_id", pa.array([f"{job}-{copy}" for job in jobs["job_id"].to_pylist()]))
        for copy in range(3)
    ]
    pq.write_table(pa.concat_tables(longer), site.queue)
    site.set("run", rows_per_partition=rows, workers=2, **more)
    return site


def tables(site: Site) -> dict[str, bytes]:
    (directory,) = published(site)
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*.parquet")}


def kills_its_worker_once(night: Night, first: int, last: int) -> list[PartitionOutcome]:
    """Stands for the work of a task."""
    assert night.work.local is not None
    marker = night.work.local.parent / "killed"
    if first == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return estimate_partitions(night, first, last)


estimate_partitions = runners.estimate_partitions.fn


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["processes", "dask", pytest.param("ray", marks=NEEDS_RAY)])
def test_every_runner_publishes_the_bytes_of_threads_though_a_worker_is_killed(
    site: Site, client: SyncPrefectClient, runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_partitions(site, 3, work_root=str(site.folder / "work"))
    settings = {"as_of": this_hour(), "offline": True}
    assert run(site, **settings).is_completed()
    expected = tables(site)
    site.out.rename(site.folder / "threads")
    site.set("run", runner=runner)
    monkeypatch.setattr(runners.estimate_partitions, "fn", kills_its_worker_once)

    state = run(site, **settings)

    assert state.is_completed()
    assert (site.folder / "work/killed").exists()
    assert len(expected) > 15
    assert expected == tables(site)
    lines = [f"partition estimated and planned: partition={number} jobs=3" for number in range(4)]
    said = logs(client, flow_run_id(state), until=lambda text: all(line in text for line in lines))
    assert [True] * 4 == [line in said for line in lines]


@pytest.mark.slow
def test_task_runs_are_few_however_many_partitions_there_are(
    site: Site, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "MOST_TASK_RUNS", 5)
    with_partitions(site, 1)

    state = run(site, offline=True)

    assert state.is_completed()
    spans = ("0-to-1", "2-to-3", "4-to-6", "7-to-8", "9-to-11")
    assert [f"estimate-partitions-{span}" for span in spans] == estimates(client, state)


def estimates(client: SyncPrefectClient, state: State[Any]) -> list[str]:
    """Names of the task runs that worked on partitions; the server takes its time to record them."""
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id(state)]))
    names: list[str] = []
    for _ in range(100):
        found = [made.name for made in client.read_task_runs(flow_run_filter=of_run)]
        names = sorted(name for name in found if name.startswith("estimate-partitions"))
        if len(names) >= 5:
            break
        time.sleep(0.1)
    return names


@pytest.mark.parametrize("partitions", [1, 2, 149, 150, 151, 299, 300, 301, 8140])
def test_partitions_are_put_into_few_groups_of_neighbours(partitions: int) -> None:
    groups = groups_of(partitions, MOST_TASK_RUNS)

    assert list(range(partitions)) == [number for group in groups for number in group]
    assert len(groups) == min(partitions, MOST_TASK_RUNS)
    lengths = {len(group) for group in groups}
    assert max(lengths) - min(lengths) <= 1


def test_no_partition_is_no_group() -> None:
    assert [] == groups_of(0, MOST_TASK_RUNS)


@pytest.mark.parametrize(("runner", "module"), [("dask", "prefect_dask"), ("ray", "prefect_ray")])
def test_a_runner_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, runner: Any, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigError, match=rf'pip install "opencarbon\[flows,{runner}\]"'):
        runner_of(RunSettings(runner=runner), 2)
