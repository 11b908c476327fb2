"""Where the partitions of a night are worked on: threads, processes, Dask or Ray, as ``run.runner`` says."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from opencarbon import pipeline
from opencarbon.errors import ConfigError
from opencarbon.pipeline import Night, PartitionOutcome
from opencarbon.pipeline.outcomes import problem_line
from opencarbon.pipeline.workers import given_up, until_done, without_secrets, workers_of
from opencarbon.settings import RunSettings
from opencarbon.sources.locations import public_name

MOST_TASK_RUNS: Final = 150
"""Task runs that the partitions of a night are put into at most: the Prefect server takes some 30 ms to record each."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A task runner, and the errors that say that a worker died.

    Parameters
    ----------
    tasks : TaskRunner
    deaths : tuple of type
    """

    tasks: TaskRunner[Any]
    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="estimate-partitions-{first}-to-{last}")
def estimate_partitions(night: Night, first: int, last: int) -> list[PartitionOutcome]:
    """Partitions of planned jobs, one after the other, to parts of the published tables."""
    logger = logging.getLogger("opencarbon")
    logger.setLevel(logging.INFO)  # the worker may be another process than the flow
    outcomes = [pipeline.estimate(night, partition) for partition in range(first, last + 1)]
    if night.settings.run.runner in ("dask", "ray"):
        for handler in logger.handlers:
            handler.flush()  # to the server: a cluster that ends would take what is not sent with it
    return outcomes


def map_partitions(night: Night, partitions: int) -> Iterator[PartitionOutcome]:
    """Estimate and plan all partitions of a night in task runs of the flow at work.

    Partitions whose worker died are tried again with fewer workers.

    Parameters
    ----------
    night : Night
    partitions : int

    Yields
    ------
    PartitionOutcome
        One for every partition, as they are done.

    Raises
    ------
    ConfigError
        What the runner needs is not installed, or cannot be reached.
    """
    run, night = night.settings.run, without_secrets(night)

    def attempt(groups: Sequence[range], workers: int) -> Iterator[tuple[range, list[PartitionOutcome]]]:
        runner = runner_of(run, min(workers, len(groups)))
        with runner.tasks as tasks:
            futures = _submitted(tasks, night, groups)
            for future in as_completed(list(futures)):
                try:
                    yield futures[future], future.result()
                except runner.deaths:
                    continue
                except Exception as problem:  # noqa: BLE001  # whatever: a worker elsewhere may lack the package
                    yield futures[future], _failed(night, futures[future], problem_line(problem))

    groups = groups_of(partitions, MOST_TASK_RUNS)
    for outcomes in until_done(groups, workers_of(run), attempt, lambda group: _given_up(night, group)):
        yield from outcomes


def _submitted(
    tasks: TaskRunner[Any], night: Night, groups: Sequence[range]
) -> dict[PrefectFuture[list[PartitionOutcome]], range]:
    try:
        return {
            tasks.submit(estimate_partitions, {"night": night, "first": group[0], "last": group[-1]}): group
            for group in groups
        }
    except OSError as problem:  # Dask connects when the first is submitted
        address = night.settings.run.address
        if address is None:
            raise
        raise ConfigError(
            f"run.address {public_name(address)} cannot be reached ({problem_line(problem)}): start the cluster, or leave "
            "run.address out for workers on this machine"
        ) from None


def groups_of(partitions: int, most: int) -> list[range]:
    """Put partitions into as many runs of neighbours as there may be, of about the same length.

    Parameters
    ----------
    partitions : int
    most : int
        Groups.

    Returns
    -------
    list of range
        In order, none of them empty.
    """
    count = min(partitions, most)
    edges = [partitions * at // count for at in range(count + 1)] if count else []
    return [range(first, end) for first, end in pairwise(edges)]


def runner_of(run: RunSettings, workers: int) -> Runner:
    """A task runner.

    Parameters
    ----------
    run : RunSettings
    workers : int
        Tasks under way at most; a cluster under an address has its own.

    Returns
    -------
    Runner

    Raises
    ------
    ConfigError
        The extra that it needs is not installed.
    """
    makers: dict[str, Callable[[RunSettings, int], Runner]] = {
        "threads": lambda _, workers: Runner(ThreadPoolTaskRunner(max_workers=workers)),
        "processes": lambda _, workers: Runner(ProcessPoolTaskRunner(max_workers=workers)),
        "dask": _dask,
        "ray": _ray,
    }
    return makers[run.runner](run, workers)


def _dask(run: RunSettings, workers: int) -> Runner:
    dask, distributed = _extra("dask", "prefect_dask"), _extra("dask", "distributed")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    cluster = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "dashboard_address": None,
        "memory_limit": 0,  # mapped files count as memory there, and a night's is bounded by its partitions
        "silence_logs": logging.ERROR,
    }
    where = {"address": run.address} if run.address else {"cluster_kwargs": cluster}
    return Runner(dask.DaskTaskRunner(**where), (distributed.scheduler.KilledWorker,))


def _ray(run: RunSettings, workers: int) -> Runner:
    prefect_ray, died = _extra("ray", "prefect_ray"), _extra("ray", "ray.exceptions")
    quiet = {"logging_level": "error", "log_to_driver": False}
    local = {} if run.address else {"num_cpus": workers, "include_dashboard": False}
    tasks = prefect_ray.RayTaskRunner(address=run.address, init_kwargs=quiet | local)
    return Runner(tasks, (died.WorkerCrashedError, died.OutOfMemoryError, died.NodeDiedError))


def _extra(name: str, module: str) -> Any:  # noqa: ANN401  # a module that may not be there
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ConfigError(
            f'run.runner = {name!r} needs the extra {name}: pip install "opencarbon[flows,{name}]"'
        ) from None


def _given_up(night: Night, group: range) -> list[PartitionOutcome]:
    return [given_up(night, partition) for partition in group]


def _failed(night: Night, group: range, problem: str) -> list[PartitionOutcome]:
    return [replace(outcome, problem=problem) for outcome in _given_up(night, group)]
