"""A large queue: prices found on a sample, then every job placed at them, then moved to better places that are left."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.greedy import JOBS_AT_ONCE, improve, place_in_order
from opencarbon.estimation.allocation.pauses import Pauses, pauses_of
from opencarbon.estimation.allocation.placement import Placement
from opencarbon.estimation.allocation.places import Block, Ground
from opencarbon.estimation.allocation.precedence import give_precedence
from opencarbon.estimation.allocation.prices import Choices, PriceSearch, choices
from opencarbon.estimation.allocation.queue import Queue

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAMPLE: Final = 2_000
"""Jobs that prices are found on; their capacity is scaled to their share of the device-hours."""

STEPS: Final = 200
"""Steps of the search for prices."""

MOST_IMPROVED: Final = 15_000
"""Jobs that are looked at once more, those that pay most above what they would alone."""


def allocate_large(queue: Queue, ground: Ground) -> tuple[Placement, float]:
    """A good allocation, and how good it is.

    Parameters
    ----------
    queue : Queue
    ground : Ground

    Returns
    -------
    placement : Placement
    bound : float
        The least that the jobs placed could cost [kgCO2e].
    """
    prices = _prices(queue, ground)
    size = queue.devices * queue.run_h
    order = np.lexsort((-size, -queue.priority))
    least = np.full((2, len(queue)), np.inf)
    placement = place_in_order(queue, ground, order, prices, least)
    paid = np.full(len(queue), np.inf)
    for job, place in placement.taken.items():
        paid[job] = place.cost
    with np.errstate(invalid="ignore"):
        regret = np.where(np.isfinite(least[1]), paid - least[1], 0.0)
    worst = np.sort(np.argsort(-regret, kind="stable")[:MOST_IMPROVED])
    improve(placement, ground, worst[np.lexsort((-size[worst], -queue.priority[worst]))])
    give_precedence(placement, ground)
    at_prices, alone = least[:, placement.jobs()].sum(axis=1).tolist()
    return placement, max(at_prices - float((prices * ground.supply.free).sum()), alone)


def _prices(queue: Queue, ground: Ground) -> Floats:
    """Prices at which a sample of the jobs asks for its share of the capacity."""
    size = queue.devices * queue.run_h
    order = np.lexsort((size, queue.device))
    sample = np.sort(order[:: max(len(order) // SAMPLE, 1)])
    free = ground.supply.free
    whole = np.bincount(queue.device, size, minlength=len(free))
    share = np.bincount(queue.device[sample], size[sample], minlength=len(free)) / np.maximum(whole, 1e-300)
    search = PriceSearch(free * share[:, None, None])
    blocks = list(_blocks(queue, ground, sample))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:  # numpy works outside Python's lock
        for _ in range(STEPS):
            found = pool.map(partial(_choices, queue, ground, search.prices), blocks)
            if not search.step(found):
                break
    return search.best


def _choices(queue: Queue, ground: Ground, prices: Floats, one: tuple[Block, Pauses]) -> Choices:
    return choices(*one, queue, ground, prices)


def _blocks(queue: Queue, ground: Ground, jobs: Integers) -> Iterator[tuple[Block, Pauses]]:
    for start in range(0, len(jobs), JOBS_AT_ONCE):
        some = jobs[start : start + JOBS_AT_ONCE]
        block = ground.block(queue, some)
        yield replace(block, emits=block.cost), pauses_of(queue, some[queue.interruptible[some]], ground)
