"""Jobs placed one after the other where there is room, at prices that keep others in mind, and moved to better places."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.doubt import is_held
from opencarbon.estimation.allocation.pauses import Pauses, cheapest_hours, least_costs, pauses_of
from opencarbon.estimation.allocation.placement import Placement, Taken
from opencarbon.estimation.allocation.places import Block, Ground, start_of
from opencarbon.estimation.allocation.prices import hour_prices, priced_runs
from opencarbon.estimation.allocation.queue import DEVICE_TOLERANCE, Queue

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

JOBS_AT_ONCE: Final = 32
"""Jobs whose runs are worked out together: their arrays stay in the cache."""


class _Row(NamedTuple):
    """A job among those whose runs were worked out together: the cheapest run at the prices, and the least at none."""

    block: Block
    priced: Floats
    row: int
    best: int
    alone: float
    pauses: Pauses
    paused_row: int


def place_in_order(
    queue: Queue, ground: Ground, order: Integers, prices: Floats, least: Floats | None = None
) -> Placement:
    """Give each job the cheapest place that is left at some prices.

    Parameters
    ----------
    queue : Queue
    ground : Ground
    order : ndarray of int
        Jobs, the first to be placed first.
    prices : ndarray of shape (devices, hours, regions)
    least : ndarray of shape (2, jobs), optional
        Filled with what each job would pay if it were alone, at the prices and at none [kgCO2e].

    Returns
    -------
    Placement
    """
    placement = Placement(queue, ground.supply.free.copy())
    for job, row in _rows(queue, ground, order, prices):
        if least is not None:
            least[:, job] = _least(queue, row, prices)
        place = _best_left(placement, ground, job, row, prices)
        if place is not None:
            placement.put(job, place)
    return placement


def improve(placement: Placement, ground: Ground, order: Integers) -> int:
    """Move jobs one by one to the place that costs least for them; jobs without a place take what is left.

    Parameters
    ----------
    placement : Placement
        Changed.
    ground : Ground
    order : ndarray of int
        Jobs to look at.

    Returns
    -------
    int
        Jobs that moved.
    """
    moved, prices = 0, np.zeros(ground.supply.free.shape)
    for job, row in _rows(placement.queue, ground, order, prices):
        before = placement.remove(job) if job in placement.taken else None
        place = _best_left(placement, ground, job, row, prices)
        gains = place is not None and (before is None or place.cost < before.cost * (1.0 - 1e-9))
        kept = place if gains else before
        if kept is not None:
            placement.put(job, kept)
        moved += gains
    return moved


def place_left(placement: Placement, ground: Ground, order: Integers) -> Iterator[tuple[int, Taken]]:
    """The place that costs least for each job in what is left when its turn comes.

    Parameters
    ----------
    placement : Placement
        The caller puts the jobs, one by one.
    ground : Ground
    order : ndarray of int
        Jobs to look at.

    Yields
    ------
    job : int
    place : Taken
    """
    prices = np.zeros(ground.supply.free.shape)
    for job, row in _rows(placement.queue, ground, order, prices):
        place = _best_left(placement, ground, job, row, prices)
        if place is not None:
            yield job, place


def _rows(queue: Queue, ground: Ground, order: Integers, prices: Floats) -> Iterator[tuple[int, _Row]]:
    """Jobs in order with their runs, which are worked out some batches ahead: numpy works outside Python's lock."""
    workers = os.cpu_count() or 1
    ahead: deque[Future[list[tuple[int, _Row]]]] = deque()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for start in range(0, len(order), JOBS_AT_ONCE):
            batch = order[start : start + JOBS_AT_ONCE]
            ahead.append(pool.submit(_batch, queue, ground, batch, prices))
            if len(ahead) > workers:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def _batch(queue: Queue, ground: Ground, batch: Integers, prices: Floats) -> list[tuple[int, _Row]]:
    jobs = np.sort(batch)
    block = ground.block(queue, jobs)
    priced = priced_runs(block, queue, prices)
    pausing = jobs[queue.interruptible[jobs]]
    pauses = pauses_of(queue, pausing, ground)
    paused = {int(job): row for row, job in enumerate(pausing)}
    best = priced.reshape(len(jobs), -1).argmin(axis=1).tolist()
    alone = block.cost.min(axis=(1, 2)).tolist()
    rows = np.searchsorted(jobs, batch)
    return [
        (job, _Row(block, priced, row, best[row], alone[row], pauses, paused.get(job, -1)))
        for job, row in zip(batch.tolist(), rows.tolist(), strict=True)
    ]


def _least(queue: Queue, row: _Row, prices: Floats) -> tuple[float, float]:
    """What a job would pay if it were alone, at the prices and at none."""
    priced, free = float(row.priced[row.row].flat[row.best]), row.alone
    if row.paused_row < 0:
        return priced, free
    one = row.pauses.one(row.paused_row)
    paused = least_costs(one, one.weight + hour_prices(one, queue, prices)), least_costs(one, one.weight)
    return min(priced, float(paused[0].min())), min(free, float(paused[1].min()))


def _best_left(placement: Placement, ground: Ground, job: int, row: _Row, prices: Floats) -> Taken | None:
    """The cheapest place at some prices that what is left holds."""
    queue, block, priced = placement.queue, row.block, row.priced[row.row]
    device, needed = queue.device[job], queue.devices[job] * (1.0 - DEVICE_TOLERANCE)
    free = placement.free[device]
    first, stop = block.first[row.row], block.stop[row.row]
    run, region = divmod(row.best, priced.shape[1])
    cost = priced[run, region]
    if not np.isfinite(cost):
        straight = None
    elif free[first[run] : stop[run], region].min() >= needed:
        straight = (run, region)
    else:
        low = int(first.min())
        short = np.zeros((int(stop.max()) - low + 1, free.shape[1]), dtype=np.int32)
        np.cumsum(free[low : low + len(short) - 1] < needed, axis=0, out=short[1:])
        fits = short[stop - low] == short[first - low]
        left = np.where(fits, priced, np.inf)
        run, region = divmod(int(left.argmin()), priced.shape[1])
        cost = left[run, region]
        straight = (run, region) if np.isfinite(cost) else None
    paused = None
    if row.paused_row >= 0:
        paused = _paused(placement, ground, job, row, prices, cost if straight else np.inf)
    if paused is not None or straight is None:
        return paused
    at = (row.row, *straight)
    return Taken(
        region,
        start_of(block, *at),
        float(block.emits[at]),
        float(block.cost[at]),
        slice(int(first[run]), int(stop[run])),
    )


def _paused(
    placement: Placement, ground: Ground, job: int, row: _Row, prices: Floats, below: float
) -> Taken | None:
    """The cheapest schedule with pauses that what is left holds, if it costs less than some straight run."""
    queue, pauses, at = placement.queue, row.pauses, row.paused_row
    weight, count = pauses.weight[at], queue.devices[job]
    touched, begin = int(pauses.touched[at]), int(pauses.begin[at])
    end = min(begin + weight.shape[1], placement.free.shape[1])
    if end - begin < touched:
        return None
    device, weight = queue.device[job], weight[:, : end - begin]
    fits = count * (1.0 - DEVICE_TOLERANCE) <= placement.free[device, begin:end].T
    priced = np.where(fits, weight + count * prices[device, begin:end].T, np.inf)
    lowest = np.partition(priced, touched - 1, axis=1)[:, :touched]
    with np.errstate(invalid="ignore"):
        least = lowest.sum(axis=1) - (1.0 - pauses.part[at]) * lowest[:, -1] + pauses.moving[at]
    least = np.where(np.isfinite(lowest[:, -1]), least, np.inf)
    region = int(least.argmin())
    if not least[region] < below * (1.0 - 1e-9):
        return None
    place = paused_place(queue, ground, pauses, at, region, priced[region])
    if place is None:
        return None
    paid = place.cost + count * float(prices[device, place.hours, region].sum())
    return place if paid < below * (1.0 - 1e-9) else None


def paused_place(
    queue: Queue, ground: Ground, pauses: Pauses, row: int, region: int, priced: Floats
) -> Taken | None:
    """A job in the cheapest hours of a region, if that holds as a move.

    Parameters
    ----------
    queue : Queue
    ground : Ground
    pauses : Pauses
    row, region : int
    priced : ndarray of shape (hours,)
        Cost of each hour; infinite where it is not to be had.

    Returns
    -------
    Taken or None
    """
    hours, part_first, emits = cheapest_hours(pauses, row, region, priced)
    job, moving = int(pauses.jobs[row]), float(pauses.moving[row, region])
    if region != queue.home[job] and bool(is_held(queue.take(pauses.jobs[row : row + 1]), ground)[0, region]):
        worst = (emits - moving) * ground.pue_ratio[region] + moving
        if not worst < queue.least_kgco2e[job]:
            return None
    start = float(hours[0] + (1.0 - pauses.part[row] if part_first else 0.0))
    cost = _ranked(queue, job, emits)
    return Taken(region, start, emits, cost, hours, part_first)


def _ranked(queue: Queue, job: int, emits: float) -> float:
    """What a schedule is ranked by: one not worth leaving the baseline for ranks behind it."""
    base, limit = queue.base_kgco2e[job], queue.stays_below_kgco2e[job]
    return float(max(emits, base)) if np.isfinite(limit) and np.isfinite(base) and emits > limit else emits
