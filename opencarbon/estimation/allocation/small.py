"""A small queue: the best of several orders and prices, then HiGHS over the places that the bound leaves open."""

from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.exact import menu_of, solve
from opencarbon.estimation.allocation.greedy import improve, paused_place, place_in_order
from opencarbon.estimation.allocation.pauses import Pauses, least_costs, pauses_of
from opencarbon.estimation.allocation.placement import Placement, Taken
from opencarbon.estimation.allocation.places import Ground
from opencarbon.estimation.allocation.precedence import give_precedence
from opencarbon.estimation.allocation.prices import PriceSearch, choices, hour_prices, priced_runs
from opencarbon.estimation.allocation.queue import Queue

Floats = npt.NDArray[np.float64]

STEPS: Final = 200
"""Steps of the search for prices."""

ROUNDS: Final = 5
"""Rounds of improvement, and of placing first those that found no place."""

PRICE_FACTORS: Final = (1.0, 0.5, 0.0)
"""Parts of the prices that jobs are placed at."""

PLACES_PER_JOB: Final = (10, 200)
"""Places per job that HiGHS is given, those with the least regret, one after the other until it is close enough."""

MOST_PLACES: Final = 10_000
"""Places that it is given at most."""

CLOSE_ENOUGH: Final = 0.005
"""Part that the emissions may lie above the bound without a further search."""

PAUSED_FACTORS: Final = (0.0, 0.5, 1.0, 2.0)
"""Parts of the prices at which schedules with pauses are put on the menu."""

PAUSED_REGIONS: Final = 6
"""Regions for which they are."""


def allocate_small(queue: Queue, ground: Ground, reference: Floats) -> tuple[Placement, float, bool]:
    """The best allocation that is found, and how good it is.

    Parameters
    ----------
    queue : Queue
    ground : Ground
    reference : ndarray of shape (jobs,)
        What a job without a place counts as [kgCO2e].

    Returns
    -------
    placement : Placement
    bound : float
        The least that jobs placed could cost [kgCO2e].
    proved : bool
        HiGHS was done: there is no better one over the places looked at.
    """
    best, bound, proved = _allocate(queue, ground, reference)
    kept = best.jobs()
    if proved or not 0 < len(kept) < len(queue) or best.cost() - bound <= CLOSE_ENOUGH * best.cost():
        return best, bound, proved
    # Of these jobs alone all have a place, so that what is known limits what HiGHS has to look at.
    some, rank = queue.take(kept), np.arange(len(kept))
    known = _renumbered(best, some, ground, dict(zip(kept.tolist(), rank.tolist(), strict=True)))
    again, bound_again, _ = _allocate(some, ground, reference[kept], known)
    back = dict(zip(rank.tolist(), kept.tolist(), strict=True))
    return _renumbered(again, queue, ground, back), max(bound, bound_again), False


def _renumbered(placement: Placement, queue: Queue, ground: Ground, numbers: dict[int, int]) -> Placement:
    """The same places for the same jobs, counted in another queue."""
    renumbered = Placement(queue, ground.supply.free.copy())
    for job, place in sorted(placement.taken.items()):
        renumbered.put(numbers[job], place)
    return renumbered


def _allocate(
    queue: Queue, ground: Ground, reference: Floats, known: Placement | None = None
) -> tuple[Placement, float, bool]:
    """As :func:`allocate_small`, no worse than an allocation that is known."""
    supply, jobs = ground.supply, np.arange(len(queue))
    block, pauses = ground.block(queue, jobs), pauses_of(queue, jobs[queue.interruptible], ground)
    search = PriceSearch(supply.free)
    for _ in range(STEPS):
        if not search.step([choices(block, pauses, queue, ground, search.prices)]):
            break
    value = choices(block, pauses, queue, ground, search.best).value
    alone = choices(block, pauses, queue, ground, np.zeros(supply.free.shape)).value
    could, worth = np.isfinite(value), float((search.best * supply.free).sum())

    def least(placed: Placement) -> float:
        placed_jobs = placed.jobs()
        return max(float(value[placed_jobs].sum()) - worth, float(alone[placed_jobs].sum()))

    regret = priced_runs(block, queue, search.best) - np.where(could, value, 0.0)[:, None, None]
    best, levels = _placed(queue, ground, search.best, reference), np.unique(queue.priority)[::-1]
    if known is not None:
        best = max(known, best, key=lambda one: one.standing(levels, reference))
    for places in PLACES_PER_JOB:
        bound = least(best)
        all_placed = len(best.taken) == int(could.sum())
        if all_placed and best.cost() - bound <= CLOSE_ENOUGH * best.cost():
            break
        spare = (best.cost() - bound) * (1.0 + 1e-9) if all_placed else np.inf
        paused = _paused_menu(pauses, queue, ground, best, search.best)
        menu = menu_of(block, regret, spare, min(places * len(queue), MOST_PLACES), best, paused)
        solved = solve(queue, supply, menu, best, reference)
        give_precedence(solved.placement, ground)
        best = max(best, solved.placement, key=lambda one: one.standing(levels, reference))
        if menu.whole and not len(pauses.jobs):
            left_out = np.setdiff1d(jobs, best.jobs())
            proved = min(solved.bound_kgco2e - float(reference[left_out].sum()), best.cost())
            return best, max(least(best), proved), solved.proved
    return best, least(best), False


def _placed(queue: Queue, ground: Ground, prices: Floats, reference: Floats) -> Placement:
    """The best of placements in several orders at several parts of the prices."""
    levels, size = np.unique(queue.priority)[::-1], queue.devices * queue.run_h
    found: list[Placement] = []
    for first in (-size, size):
        for factor in PRICE_FACTORS:
            ahead = np.zeros(len(queue), dtype=np.int64)
            for _ in range(ROUNDS):
                order = np.lexsort((first, ahead, -queue.priority))
                placement = place_in_order(queue, ground, order, prices * factor)
                found.append(placement)
                missed = np.setdiff1d(np.arange(len(queue)), placement.jobs())
                if not len(missed):
                    break
                ahead[missed] -= 1
    best = max(found, key=lambda one: one.standing(levels, reference))
    for _ in range(ROUNDS):
        if not improve(best, ground, np.lexsort((-size, -queue.priority))):
            break
    give_precedence(best, ground)
    return best


def _paused_menu(
    pauses: Pauses, queue: Queue, ground: Ground, known: Placement, prices: Floats
) -> dict[int, list[Taken]]:
    """Schedules with pauses: those in use, and the cheapest in some regions at parts of the prices."""
    menu: dict[int, dict[tuple[int, bytes], Taken]] = {int(job): {} for job in pauses.jobs}
    for job, place in known.taken.items():
        if not isinstance(place.hours, slice):
            menu[job][place.region, place.hours.tobytes()] = place
    for factor in PAUSED_FACTORS if pauses.weight.shape[2] else ():
        priced = pauses.weight + hour_prices(pauses, queue, prices * factor)
        least = least_costs(pauses, priced)
        for row, job in enumerate(pauses.jobs.tolist()):
            for region in np.argsort(least[row], kind="stable")[:PAUSED_REGIONS].tolist():
                if not np.isfinite(least[row, region]):
                    continue
                found = paused_place(queue, ground, pauses, row, region, priced[row, region])
                if found is not None:
                    menu[job].setdefault((region, np.asarray(found.hours).tobytes()), found)
    return {job: list(places.values()) for job, places in menu.items()}
