"""The places that are shown for each job of a block, each in a region of its own, and the one that is advised."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.planning.blocks import TIE, Block
from opencarbon.estimation.planning.delays import without_needless_delay
from opencarbon.estimation.planning.exact_costs import with_exact_costs
from opencarbon.estimation.planning.plans import Candidates
from opencarbon.estimation.planning.schedules import NONE, STAY, Places
from opencarbon.estimation.planning.selection import cheapest, forms_of, is_sure, look_again

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Picks:
    """Picks of a block of jobs, each array of shape (jobs, picks); places of all picks, by (row, pick).

    Parameters
    ----------
    region, form, rank : ndarray of int
        Negative where there is no pick.
    advised : ndarray of bool
    placed : tuple of (row, pick, Places)
    """

    region: Integers
    form: Integers
    rank: Integers
    advised: Flags
    placed: tuple[tuple[Integers, Integers, Places], ...]


def pick_places(
    block: Block, candidates: Candidates, top_k: int, min_saving_pct_to_delay: float = 0.0
) -> Picks:
    """Cheapest places of each job, at most one in each region, and last the one advised where it is none of them.

    Parameters
    ----------
    block : Block
    candidates : Candidates
    top_k : int
    min_saving_pct_to_delay : float, optional
        [%]

    Returns
    -------
    Picks
        Of shape (jobs, top_k + 1).
    """
    candidates = with_exact_costs(block, candidates, top_k)
    rows, forms = np.arange(len(block.jobs)), forms_of(block, candidates)
    shown = one_per_region(candidates)
    best = cheapest(block, rows, shown, candidates.region, forms)
    top = smallest_by_row(shown.copy(), best, top_k)
    row, pick = np.nonzero(top >= 0)
    region, form = (np.full((len(rows), top_k + 1), NONE, dtype=np.int64) for _ in range(2))
    region[row, pick], form[row, pick] = candidates.region[top[row, pick]], forms[row, top[row, pick]]
    places = block.place(row, region[row, pick], form[row, pick])
    sure = is_sure(
        block, row, region[row, pick], form[row, pick], candidates.cost[row, top[row, pick]], places
    )
    unsure = np.zeros(len(rows), dtype=bool)
    unsure[row[(pick == 0) & ~sure]] = True
    advice = _advise(block, candidates, forms, best, unsure, min_saving_pct_to_delay)
    rank, advised = _insert(advice, candidates.region, shown, forms, top)
    extra = np.flatnonzero(advised[:, top_k])
    region[extra, top_k], form[extra, top_k] = advice.region[extra], advice.form[extra]
    more = block.place(extra, advice.region[extra], advice.form[extra])
    return Picks(
        region, form, rank, advised, ((row, pick, places), (extra, np.full(len(extra), top_k), more))
    )


def one_per_region(candidates: Candidates) -> Floats:
    """Costs of the better start in each region, before the horizon where they are equal; infinite for the other.

    Parameters
    ----------
    candidates : Candidates

    Returns
    -------
    ndarray of shape (jobs, places)
    """
    late = np.flatnonzero(candidates.behind)
    if not late.size:
        return candidates.cost
    cost = candidates.cost.copy()
    before, behind = cost[:, : late[0]], cost[:, late]
    first = before <= behind * (1.0 + TIE)
    cost[:, late] = np.where(first, np.inf, behind)
    cost[:, : late[0]] = np.where(first, before, np.inf)
    return cost


@dataclass(frozen=True, slots=True)
class _Advice:
    """The place advised to each job of a block, each array of shape (jobs,).

    ``column`` counts among the candidates, negative where it is none of them; ``region`` is negative where nothing is
    advised.
    """

    column: Integers
    form: Integers
    region: Integers
    cost: Floats


def _advise(
    block: Block,
    candidates: Candidates,
    forms: Integers,
    best: Integers,
    unsure: Flags,
    min_saving_pct_to_delay: float,
) -> _Advice:
    rows = np.arange(len(best))
    column, form = best.copy(), np.full(len(best), NONE, dtype=np.int64)
    cost = np.full(len(best), np.inf)
    if len(candidates.region):
        form, cost = forms[rows, best], candidates.cost[rows, best]
    worth = block.is_worth(cost)
    column[~worth] = -1
    again = np.flatnonzero(worth & unsure)
    if again.size:
        column[again], form[again], cost[again] = look_again(block, again, candidates, forms, best[again])
    if min_saving_pct_to_delay > 0:
        column, form, cost = without_needless_delay(
            block, candidates, column, form, cost, min_saving_pct=min_saving_pct_to_delay
        )
    stays = (column < 0) & block.may_stay
    row, home = np.nonzero((forms == STAY) & stays[:, None])
    column[row] = home
    region = np.full(len(best), NONE, dtype=np.int64)
    region[column >= 0] = candidates.region[column[column >= 0]]
    return _Advice(
        column=column,
        form=np.where(stays, STAY, form),
        region=np.where(stays, block.home, region),
        cost=np.where(stays, block.base_cost, cost),
    )


def _insert(
    advice: _Advice, region: Integers, shown: Floats, forms: Integers, top: Integers
) -> tuple[Integers, Flags]:
    """Rank of every pick and whether it is advised, the advice last where it is none of the cheapest places."""
    jobs, top_k = top.shape
    rank = np.tile(np.arange(1, top_k + 2), (jobs, 1))
    advised = np.zeros(rank.shape, dtype=bool)
    listed = advice.column >= 0
    listed[listed] = forms[listed, advice.column[listed]] == advice.form[listed]
    listed[listed] = np.isfinite(shown[listed, advice.column[listed]])
    advised[:, :top_k] = listed[:, None] & (top == advice.column[:, None])
    extra = (advice.region >= 0) & ~advised.any(axis=1)
    advised[:, top_k] = extra
    cost, ahead = advice.cost[:, None], np.arange(len(region)) < advice.column[:, None]
    before = shown < cost * (1.0 - TIE)  # the same cost may be rounded otherwise
    before |= listed[:, None] & ahead & (shown <= cost * (1.0 + TIE))
    rank[:, top_k] = 1 + np.count_nonzero(before, axis=1)
    rank[listed, top_k] = np.maximum(
        rank[listed, top_k], top_k + 1
    )  # the tie that came first may cost a trifle more
    shifted = (extra & ~listed)[:, None] & (rank[:, :top_k] >= rank[:, [top_k]])
    rank[:, :top_k] += shifted
    return rank, advised


def smallest_by_row(costs: Floats, first: Integers, count: int) -> Integers:
    """Columns of the smallest values of each row, in order; of equal values ``first``, then in order of the columns.

    Parameters
    ----------
    costs : ndarray of shape (rows, columns)
        Infinity marks what is not to be had. Left changed.
    first : ndarray of int of shape (rows,)
        Column of a smallest value of each row.
    count : int

    Returns
    -------
    ndarray of int of shape (rows, count)
        -1 where a row holds no more finite values.
    """
    rows = np.arange(len(costs))
    picked = np.full((len(costs), count), -1, dtype=np.int64)
    for place in range(min(count, costs.shape[1])):
        best = costs.argmin(axis=1) if place else first
        found = np.isfinite(costs[rows, best])
        picked[:, place] = np.where(found, best, -1)
        costs[rows, best] = np.inf
    return picked
