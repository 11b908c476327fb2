"""Partitions on the cores of this machine, in threads or in processes of their own; and what is done when a worker dies."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Final, TypeVar

from opencarbon.errors import ConfigError
from opencarbon.pipeline.gate import jobs_of_partition
from opencarbon.pipeline.night import Night
from opencarbon.pipeline.outcomes import PartitionOutcome
from opencarbon.settings import RunSettings, Settings, masked

Step = Callable[[Night, int], PartitionOutcome]
"""What is done to one partition: a function at the top level of a module, so that other processes find it."""

T = TypeVar("T")
R = TypeVar("R")

KILLED: Final = (
    "its worker was killed, as one is that takes more memory than there is; set run.rows_per_partition lower"
)

_BARREN: Final = 6
"""Times that single workers may die in a row before any of them has done anything: more is no fault of a partition."""

_LOGGER: Final = "opencarbon"
_LOG: Final = logging.getLogger("opencarbon.pipeline")


def workers_of(run: RunSettings) -> int:
    """Partitions under way at most.

    Parameters
    ----------
    run : RunSettings

    Returns
    -------
    int
    """
    return run.workers or os.cpu_count() or 1


def refuse_runners_of_flows(run: RunSettings) -> None:
    """Refuse what goes through Prefect, before any work is done.

    Parameters
    ----------
    run : RunSettings

    Raises
    ------
    ConfigError
    """
    if run.runner in ("dask", "ray"):
        raise ConfigError(
            f"run.runner = {run.runner!r} goes through Prefect: use `python flows/nightly.py`, which takes the same "
            "options, or set OPENCARBON_RUN__RUNNER=threads"
        )


def without_secrets(night: Night) -> Night:
    """A night as its workers need it: no token, and no place whose name may hold a key.

    Parameters
    ----------
    night : Night

    Returns
    -------
    Night
        Good for partitions, which read and write the work folder alone.
    """
    return replace(night, settings=Settings(**masked(night.settings)), manifests=(), root="")


def for_partitions(step: Step, night: Night, partitions: int) -> Iterator[PartitionOutcome]:
    """Do a step for every partition of a night, in threads or processes as the settings say.

    Parameters
    ----------
    step : callable
    night : Night
    partitions : int

    Yields
    ------
    PartitionOutcome
        One for every partition, as they are done.
    """
    run, night = night.settings.run, without_secrets(night)
    if run.runner == "processes":

        def attempt(numbers: Sequence[int], workers: int) -> Iterator[tuple[int, PartitionOutcome]]:
            return _in_processes(step, night, numbers, workers)

        yield from until_done(
            range(partitions), workers_of(run), attempt, lambda number: given_up(night, number)
        )
        return
    with _cancelled_at_the_end(ThreadPoolExecutor(workers_of(run))) as pool:
        for done in as_completed([pool.submit(step, night, number) for number in range(partitions)]):
            yield done.result()


def given_up(night: Night, partition: int) -> PartitionOutcome:
    """What came of a partition whose worker was killed time and again.

    Parameters
    ----------
    night : Night
    partition : int

    Returns
    -------
    PartitionOutcome
    """
    return PartitionOutcome(partition, jobs_of_partition(night, partition), 0.0, KILLED)


def until_done(
    units: Sequence[T],
    workers: int,
    attempt: Callable[[Sequence[T], int], Iterator[tuple[T, R]]],
    give_up: Callable[[T], R],
) -> Iterator[R]:
    """Try units of work again whose worker died, each time with half the workers, since together they may need too much.

    Parameters
    ----------
    units : sequence
    workers : int
    attempt : callable
        Takes units and a number of workers, and yields those done with their results, in order where there is one
        worker; the others had a worker that died.
    give_up : callable
        Result of a unit that a worker alone died of twice.

    Yields
    ------
    object
        A result for every unit.
    """
    left, suspect, barren = list(units), None, 0
    while left:
        before = len(left)
        for unit, result in attempt(tuple(left), workers):
            left.remove(unit)
            yield result
        if not left:
            return
        _LOG.warning("workers died: workers=%d left=%d of %d", workers, len(left), len(units))
        if workers > 1:
            workers //= 2
            continue
        barren = barren + 1 if len(left) == before else 0
        if barren >= _BARREN:
            yield from map(give_up, left)
            return
        if left[0] == suspect:
            yield give_up(left.pop(0))
        suspect = next(iter(left), None)


def _in_processes(
    step: Step, night: Night, numbers: Sequence[int], workers: int
) -> Iterator[tuple[int, PartitionOutcome]]:
    """Partitions in processes that know nothing of this one, until one of them dies."""
    level = logging.getLogger(_LOGGER).getEffectiveLevel()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    pool = ProcessPoolExecutor(
        min(workers, len(numbers)), mp_context=spawn, initializer=_end_with, initargs=(theirs,)
    )
    with _cancelled_at_the_end(pool, ours.close):
        with _deaf_to_interrupts():
            submitted = {pool.submit(_work, step, night, number, level): number for number in numbers}
        for done in as_completed(submitted):
            try:
                outcome, records = done.result()
            except BrokenProcessPool:
                continue
            for record in records:
                logging.getLogger(record.name).handle(record)
            yield submitted[done], outcome


@contextmanager
def _cancelled_at_the_end(pool: Executor, stop: Callable[[], None] = lambda: None) -> Iterator[Executor]:
    """Wait for what is under way; where the night is given up, stop it if it can be stopped."""
    try:
        yield pool
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to this one, which ends them."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(
    step: Step, night: Night, number: int, level: int
) -> tuple[PartitionOutcome, list[logging.LogRecord]]:
    """In the worker: a partition, and what was logged about it, which only the parent can show."""
    kept: SimpleQueue[logging.LogRecord] = SimpleQueue()
    logger, handler = logging.getLogger(_LOGGER), QueueHandler(kept)
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        outcome = step(night, number)
    finally:
        logger.removeHandler(handler)
    return outcome, [kept.get() for _ in range(kept.qsize())]


def _end_with(parent: Connection) -> None:
    """In the worker: end when the parent gives the night up, or is killed; the pipe from it closes either way."""

    def wait() -> None:
        with suppress(EOFError, OSError):
            parent.recv_bytes()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
