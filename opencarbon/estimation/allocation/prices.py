"""Prices of devices by region and hour, and the lower bound that they give.

At prices of at least zero every job takes the place that is cheapest for it alone. What all jobs then pay, less what
the capacity is worth, is at most what any allocation emits: the Lagrangian bound. Prices rise where more is asked than is
free and fall where less is, by steps toward a target above the best bound so far.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.pauses import Pauses, least_costs
from opencarbon.estimation.allocation.places import Block, Ground
from opencarbon.estimation.allocation.queue import Queue

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TURNED_AWAY: Final = 3.0
"""In the search for prices a job stays out where even its best place costs this many times its dearest."""

_FIRST_TARGET: Final = 0.2
_LEAST_TARGET: Final = 1e-5
"""The target lies this part of the bound above it, from the first to the least."""

_PATIENCE: Final = 8
"""Steps without progress after which the target comes half as near."""

_PROGRESS: Final = 1e-4
_MEMORY: Final = 0.8
"""Part of the last direction that stays in the next one; tuned, as the others, on made-up queues."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The cheapest place of each job at some prices, each array of shape (jobs,), and what they ask for.

    Parameters
    ----------
    jobs : ndarray of int
    value : ndarray
        Cost at the prices; infinite where there is no place [kgCO2e].
    asked : ndarray of shape (devices, hours, regions)
    """

    jobs: Integers
    value: Floats
    asked: Floats


def priced_runs(block: Block, queue: Queue, prices: Floats) -> Floats:
    """Costs of places with what their devices cost, shape (jobs, runs, regions) [kgCO2e].

    Parameters
    ----------
    block : Block
    queue : Queue
    prices : ndarray of shape (devices, hours, regions)
        [kgCO2e per device and hour].

    Returns
    -------
    ndarray
    """
    if not prices.any():
        return block.cost
    devices, hours, regions = prices.shape
    sums = np.zeros((devices, hours + 1, regions))
    np.cumsum(prices, axis=1, out=sums[:, 1:])
    flat = sums.reshape(-1, regions)
    row = (queue.device[block.jobs] * (hours + 1))[:, None]
    paid = flat[row + block.stop]
    paid -= flat[row + block.first]
    paid *= queue.devices[block.jobs][:, None, None]
    paid += block.cost
    return np.asarray(paid, dtype=np.float64)


def hour_prices(pauses: Pauses, queue: Queue, prices: Floats) -> Floats:
    """What the devices of pausable jobs cost in the hours of their windows, shape (jobs, regions, hours) [kgCO2e].

    Parameters
    ----------
    pauses : Pauses
    queue : Queue
    prices : ndarray of shape (devices, hours, regions)

    Returns
    -------
    ndarray
    """
    hours = np.minimum(pauses.begin[:, None] + np.arange(pauses.weight.shape[2]), prices.shape[1] - 1)
    price = prices[queue.device[pauses.jobs][:, None], hours].transpose(0, 2, 1)
    return np.asarray(price * queue.devices[pauses.jobs][:, None, None], dtype=np.float64)


def choices(block: Block, pauses: Pauses, queue: Queue, ground: Ground, prices: Floats) -> Choices:
    """The cheapest places at some prices.

    Parameters
    ----------
    block : Block
    pauses : Pauses
        The jobs of the block that may pause.
    queue : Queue
    ground : Ground
    prices : ndarray of shape (devices, hours, regions)

    Returns
    -------
    Choices
    """
    devices, hours, regions = prices.shape
    size, rows = len(block.jobs), np.arange(len(block.jobs))
    priced = priced_runs(block, queue, prices).reshape(size, -1)
    best = priced.argmin(axis=1)
    value = priced[rows, best]
    out = value > TURNED_AWAY * block.dearest
    paused, asked_paused, value = _paused_choices(block, pauses, queue, prices, value)
    run, region = np.divmod(best, regions)
    takes = np.isfinite(value) & ~out & ~paused
    steps = np.zeros(devices * (hours + 1) * regions)
    row = queue.device[block.jobs] * (hours + 1)
    for edge, sign in ((block.first, 1.0), (block.stop, -1.0)):
        at = (row + edge[rows, run]) * regions + region
        weight = sign * queue.devices[block.jobs]
        steps += np.bincount(at[takes], weight[takes], minlength=len(steps))
    asked = np.cumsum(steps.reshape(devices, hours + 1, regions), axis=1)[:, :-1] + asked_paused
    capped = np.where(out & ~paused, TURNED_AWAY * block.dearest, value)
    return Choices(block.jobs, np.where(np.isfinite(value), capped, np.inf), asked)


def _paused_choices(
    block: Block, pauses: Pauses, queue: Queue, prices: Floats, value: Floats
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    paused, asked = np.zeros(len(block.jobs), dtype=bool), np.zeros(prices.shape)
    if not len(pauses.jobs) or not pauses.weight.shape[2]:
        return paused, asked, value
    hours = np.minimum(pauses.begin[:, None] + np.arange(pauses.weight.shape[2]), prices.shape[1] - 1)
    device, count = queue.device[pauses.jobs], queue.devices[pauses.jobs]
    priced = pauses.weight + hour_prices(pauses, queue, prices)
    least = least_costs(pauses, priced)
    region = least.argmin(axis=1)
    cost = least[np.arange(len(region)), region]
    row = np.searchsorted(block.jobs, pauses.jobs)
    wins = np.flatnonzero(cost < value[row] * (1.0 - 1e-9))
    paused[row[wins]] = True
    value = value.copy()
    value[row[wins]] = cost[wins]
    order = np.argsort(priced[wins, region[wins]], axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(order.shape[1])[None, :], axis=1)
    whole = place < (pauses.touched[wins] - 1)[:, None]
    share = whole + (place == (pauses.touched[wins] - 1)[:, None]) * pauses.part[wins][:, None]
    np.add.at(
        asked,
        (device[wins][:, None], hours[wins], region[wins][:, None]),
        share * count[wins][:, None],
    )
    return paused, asked, value


class PriceSearch:
    """Prices, improved step by step along averaged directions, cells of much capacity in larger steps.

    Parameters
    ----------
    free : ndarray of shape (devices, hours, regions)
        Capacity.
    """

    def __init__(self, free: Floats, prices: Floats | None = None) -> None:
        self.free = free
        self.bound = -np.inf
        self.prices = self.best = np.zeros(free.shape) if prices is None else prices
        self._scale = np.maximum(free, 1.0)
        self._target, self._waited = _FIRST_TARGET, 0
        self._direction = np.zeros(free.shape)

    def step(self, found: Iterable[Choices]) -> bool:
        """Move the prices by what all jobs ask at them.

        Parameters
        ----------
        found : iterable of Choices
            Of every job once, at ``prices``.

        Returns
        -------
        bool
            Whether the prices are not settled.
        """
        paid, asked = 0.0, np.zeros(self.free.shape)
        for one in found:
            paid += float(one.value[np.isfinite(one.value)].sum())
            asked += one.asked
        bound = paid - float((self.prices * self.free).sum())
        self._waited = 0 if not bound <= self.bound + _PROGRESS * abs(self.bound) else self._waited + 1
        if bound > self.bound:
            self.bound, self.best = bound, self.prices
        if self._waited >= _PATIENCE:
            self._target, self._waited = self._target / 2.0, 0
            self._direction = np.zeros(self.free.shape)
        self._direction = asked - self.free + _MEMORY * self._direction
        move = np.where((self.prices <= 0) & (self._direction < 0), 0.0, self._direction)
        norm = float((move**2 / self._scale).sum())
        if norm <= 0 or self._target < _LEAST_TARGET:
            return False
        length = (self.bound + self._target * abs(self.bound) - bound) / norm
        self.prices = np.maximum(self.prices + length * move / self._scale, 0.0)
        return True
