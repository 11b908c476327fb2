"""A small queue solved by HiGHS: one variable for every place that the lower bound leaves open."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix, vstack

from opencarbon.estimation.allocation.placement import Placement, Taken
from opencarbon.estimation.allocation.places import Block, start_of
from opencarbon.estimation.allocation.queue import Queue, Supply

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST_NODES: Final = 3_000
"""Nodes of the search tree after which HiGHS stops: a count, so that equal inputs give equal allocations."""

MOST_SECONDS: Final = 300.0
"""Time after which it stops all the same, the last resort for a queue that is harder than any tried [s]."""

RELATIVE_GAP: Final = 2e-3
"""At which HiGHS is content."""

_USED: Final = 0.5


class Menu(NamedTuple):
    """Places to choose from, and the least that they cost.

    Attributes
    ----------
    job : ndarray of int of shape (places,)
    cost : ndarray of shape (places,)
        [kgCO2e]
    places : tuple of Taken
    whole : bool
        No place that could be in a better allocation is left out.
    """

    job: Integers
    cost: Floats
    places: tuple[Taken, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Solved:
    """What HiGHS found.

    Parameters
    ----------
    placement : Placement
    bound_kgco2e : float
        No allocation of the menu with as many jobs placed costs less, jobs without a place at their reference.
    proved : bool
        HiGHS stopped because it was done.
    """

    placement: Placement
    bound_kgco2e: float
    proved: bool


def menu_of(
    block: Block,
    regret: Floats,
    spare: float,
    most: int,
    known: Placement,
    paused: dict[int, list[Taken]],
) -> Menu:
    """The places that may be part of an allocation better than one known.

    Parameters
    ----------
    block : Block
        Of all jobs.
    regret : ndarray of shape (jobs, runs, regions)
        How much more each place costs at the prices than the cheapest of its job [kgCO2e].
    spare : float
        What the known allocation costs above the bound: a place of more regret is in no better one [kgCO2e].
    most : int
        Straight runs on the menu: those with the least regret, beside those in use.
    known : Placement
    paused : dict of int to list of Taken
        Schedules with pauses by job.

    Returns
    -------
    Menu
    """
    flat = regret.ravel()
    open_ = np.flatnonzero(np.isfinite(block.cost).ravel() & (flat <= spare))
    whole = len(open_) <= most
    if not whole:
        open_ = np.sort(open_[np.argsort(flat[open_], kind="stable")[:most]])
    row, run, region = np.unravel_index(open_, block.cost.shape)
    jobs = block.jobs[row].tolist()
    places = [
        Taken(
            r,
            start_of(block, j, k, r),
            float(block.emits[j, k, r]),
            float(block.cost[j, k, r]),
            slice(int(block.first[j, k]), int(block.stop[j, k])),
        )
        for j, k, r in zip(row.tolist(), run.tolist(), region.tolist(), strict=True)
    ]
    in_use = [(job, place) for job, place in sorted(known.taken.items()) if isinstance(place.hours, slice)]
    more = in_use + [(job, place) for job, found in sorted(paused.items()) for place in found]
    jobs += [job for job, _ in more]
    places += [place for _, place in more]
    cost = np.array([place.cost for place in places])
    return Menu(np.array(jobs, dtype=np.int64), cost, tuple(places), whole)


def solve(queue: Queue, supply: Supply, menu: Menu, known: Placement, reference: Floats) -> Solved:
    """The best allocation over a menu.

    Parameters
    ----------
    queue : Queue
    supply : Supply
    menu : Menu
    known : Placement
        An allocation to do better than.
    reference : ndarray of shape (jobs,)
        What a job without a place counts as [kgCO2e].

    Returns
    -------
    Solved
    """
    model = _Model(queue, supply, menu)
    levels = np.unique(queue.priority)[::-1]
    served = np.zeros(len(queue), dtype=bool)
    served[np.fromiter(known.taken, np.int64, len(known.taken))] = True
    can = np.isin(np.arange(len(queue)), menu.job)
    proved = True
    counts: list[tuple[Flags, int]] = []
    for level in levels:
        of_level = queue.priority == level
        count, possible = int(served[of_level].sum()), int(can[of_level].sum())
        if count < possible:
            found = model.run(-of_level[menu.job].astype(np.float64), [*counts, (of_level, count)])
            proved &= found is not None and found.proved
            count = max(count, 0 if found is None else int(found.used[of_level[menu.job]].sum()))
        counts.append((of_level, count))
    scale = max(float(np.abs(menu.cost).mean()), 1e-12) if len(menu.cost) else 1.0
    found = model.run((menu.cost - reference[menu.job]) / scale, counts)
    if found is None:
        return Solved(known, -np.inf, False)
    placement = Placement(queue, supply.free.copy())
    for at in np.flatnonzero(found.used):
        placement.put(int(menu.job[at]), menu.places[at])
    return Solved(placement, found.bound * scale + float(reference.sum()), proved and found.proved)


class _Found(NamedTuple):
    used: Flags
    bound: float
    proved: bool


class _Model:
    """The menu as rows and columns: one place at most for each job, and every cell of capacity that could run short."""

    def __init__(self, queue: Queue, supply: Supply, menu: Menu) -> None:
        devices, hours, regions = supply.free.shape
        columns, cells = [], []
        every_hour = np.arange(hours)
        for at, (job, place) in enumerate(zip(menu.job.tolist(), menu.places, strict=True)):
            touched = every_hour[place.hours] if isinstance(place.hours, slice) else place.hours
            cells.append((queue.device[job] * hours + touched) * regions + place.region)
            columns.append(np.full(len(touched), at))
        column, cell = np.concatenate(columns), np.concatenate(cells)
        # a job takes one place, so it counts once in what a cell could be asked for
        pair = np.unique(np.stack([cell, menu.job[column]]), axis=1)
        asked = np.bincount(pair[0], queue.devices[pair[1]], minlength=devices * hours * regions)
        scarce = np.flatnonzero(asked > supply.free.ravel())
        kept = np.isin(cell, scarce)
        row = np.searchsorted(scarce, cell[kept])
        weight = queue.devices[menu.job[column[kept]]]
        shape = (len(scarce), len(menu.job))
        self._cells = csr_matrix((weight, (row, column[kept])), shape=shape)
        self._free = supply.free.ravel()[scarce]
        ones = np.ones(len(menu.job))
        self._jobs = csr_matrix(
            (ones, (menu.job, np.arange(len(menu.job)))), shape=(len(queue), len(menu.job))
        )
        self._menu = menu

    def run(self, objective: Floats, counts: list[tuple[Flags, int]]) -> _Found | None:
        """Minimise over the places, with at least so many jobs placed of each priority."""
        of_level = [csr_matrix(flags[self._menu.job].astype(np.float64)) for flags, _ in counts]
        matrix = vstack([self._cells, self._jobs, *of_level], format="csr")
        low = np.concatenate(
            [np.full(len(self._free) + self._jobs.shape[0], -np.inf), [count for _, count in counts]]
        )
        high = np.concatenate([self._free, np.ones(self._jobs.shape[0]), np.full(len(counts), np.inf)])
        answer = milp(
            objective,
            integrality=np.ones(len(objective), dtype=np.int64),
            bounds=Bounds(0.0, 1.0),
            constraints=LinearConstraint(matrix, low, high),
            options={"mip_rel_gap": RELATIVE_GAP, "node_limit": MOST_NODES, "time_limit": MOST_SECONDS},
        )
        if answer.x is None:
            return None
        bound = answer.mip_dual_bound if answer.mip_dual_bound is not None else -np.inf
        return _Found(np.asarray(answer.x > _USED), float(bound), answer.status == 0)
