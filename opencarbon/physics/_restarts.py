"""Schedules with pauses where every resume costs energy, by dynamic programming over hours.

The schedules are those of jobs that pause at hour boundaries: D whole hours of the window, and a part f of one more
hour, either before all of them (the end of its hour) or after all of them (its beginning). A resume in hour h costs
r c[h], r being the time [h] in which the job uses as much energy as a resume takes. With G[h, d, s] the least cost of
running d more whole hours from hour h on, s telling whether the hour before ran,

    G[h, d, s] = min(G[h + 1, d, 0], c[h] + (0 if s else r c[h]) + G[h + 1, d - 1, 1]),

G[h, 0, s] is 0 where the part came first, and the least cost of a part still to come where it comes last. Every job of a
block is a lane; the choices are kept, and the schedule is read off them from the first hour on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opencarbon.physics._arrays import BoolArray, FloatArray, IntArray
from opencarbon.physics._windows import RELATIVE_TIE, SNAP_H, UNUSABLE, Curves, Windows, ceil, floor

_LANES = 1 << 15  # elements of one row of a table: (whole hours + 1) x jobs of a block
_TABLE = 1 << 23  # elements of a table of choices (8 MiB)
_FIRST, _LAST = 0, 1  # the part comes before the whole hours, or after them


@dataclass(frozen=True, slots=True)
class Blocks:
    """Schedules of a block of windows, by slot: slot 0 is the hour before the first whole one.

    Parameters
    ----------
    at : ndarray of int, shape (block,)
        Positions of the windows.
    total : ndarray of float64, shape (block,)
        Least integral with resumes [gCO2e/kWh h]; infinite where no schedule fits.
    resumes : ndarray of float64, shape (block,)
        Part of it from resumes.
    begin, finish : ndarray of float64, shape (block, slots)
        Begin and end of the running time within each slot [h]; NaN where the job rests.
    """

    at: IntArray
    total: FloatArray
    resumes: FloatArray
    begin: FloatArray
    finish: FloatArray


@dataclass(frozen=True, slots=True)
class _Hours:
    """Slots of a block, each array of shape (slots, block)."""

    hour: IntArray
    whole: FloatArray  # cost of running the hour, infinite where it may not
    first: FloatArray  # cost of the part at its end
    last: FloatArray  # cost of the part at its beginning
    resume: FloatArray


@dataclass(frozen=True, slots=True)
class _Table:
    """Least cost by slot of the first running hour, (slots, block), and whether to run it, (slots, whole, block)."""

    total: FloatArray
    runs_on: BoolArray
    resumes: BoolArray


def schedules_with_restarts(curves: Curves, windows: Windows, restart_h: FloatArray) -> Iterator[Blocks]:
    """Best schedules of windows that hold at least one whole hour, block by block; curves are stacked."""
    slots = floor(windows.finish) - ceil(windows.earliest) + 2
    order = np.lexsort((-slots, -windows.whole))  # most whole hours first
    begin = 0
    while begin < order.size:
        deep = int(windows.whole[order[begin]]) + 1
        size = max(1, _LANES // deep)
        longest = int(slots[order[begin : begin + size]].max())
        at = order[begin : begin + max(1, min(size, _TABLE // (deep * longest)))]
        begin += at.size
        yield _block(curves, windows.select(at), restart_h[at], at)


def _block(curves: Curves, windows: Windows, restart_h: FloatArray, at: IntArray) -> Blocks:
    hours = _hours(curves, windows, restart_h)
    deepest = int(windows.whole.max())
    best = np.full(at.size, np.inf)
    resumes = np.zeros(at.size)
    begin = np.full((at.size, hours.hour.shape[0]), np.nan)
    finish = begin.copy()
    moment = np.full(at.size, np.inf)
    for form in (_FIRST, _LAST):
        possible = np.flatnonzero(windows.part > 0.0) if form == _FIRST else np.arange(at.size)
        if not possible.size:
            continue
        total, paid, start, end = _best(_select(hours, possible), windows.select(possible), deepest, form)
        first = np.fmin.reduce(start, axis=1)
        tied = total <= best[possible] * (1.0 + RELATIVE_TIE)
        better = (total < best[possible] * (1.0 - RELATIVE_TIE)) | (tied & (first < moment[possible]))
        better &= np.isfinite(total)
        chosen = possible[better]
        best[chosen], resumes[chosen], moment[chosen] = total[better], paid[better], first[better]
        begin[chosen], finish[chosen] = start[better], end[better]
    return Blocks(at, best, resumes, begin, finish)


def _select(hours: _Hours, which: IntArray) -> _Hours:
    return _Hours(
        hours.hour[:, which],
        hours.whole[:, which],
        hours.first[:, which],
        hours.last[:, which],
        hours.resume[:, which],
    )


def _hours(curves: Curves, windows: Windows, restart_h: FloatArray) -> _Hours:
    first, end, part = ceil(windows.earliest), floor(windows.finish), windows.part
    slots = int((end - first).max()) + 2
    hour = first - 1 + np.arange(slots)[:, None]
    row = windows.zone * curves.stride + np.clip(hour, 0, curves.hours)
    value = curves.value[:, 0].take(row)
    value = np.where((value > UNUSABLE) | (hour < 0), np.inf, value)
    whole = np.where((hour >= first) & (hour < end), value, np.inf)
    weighted = part * np.where(part == 0.0, 0.0, value)
    ends = (hour + 1.0 - part >= windows.earliest - SNAP_H) & (hour < end)
    begins = (hour >= first) & (hour + part <= windows.finish + SNAP_H)
    return _Hours(
        hour=hour,
        whole=whole,
        first=np.where(ends, weighted, np.inf),
        last=np.where(begins, weighted, np.inf),
        resume=np.where(np.isinf(value), np.inf, restart_h * np.where(np.isinf(value), 0.0, value)),
    )


def _best(
    hours: _Hours, windows: Windows, deepest: int, form: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Least total, its resumes, and begin and end of the running time by slot, each (block, ...)."""
    table = _table(hours, windows, deepest, form)
    total = table.total.min(axis=0)
    start = (table.total <= total * (1.0 + RELATIVE_TIE)).argmax(axis=0)
    return (total, *_traced(hours, windows, table, start, form))


def _table(hours: _Hours, windows: Windows, deepest: int, form: int) -> _Table:
    slots, jobs = hours.hour.shape
    shallowest = int(windows.whole.min())
    on, off = np.full((deepest + 1, jobs), np.inf), np.full((deepest + 1, jobs), np.inf)
    if form == _FIRST:
        on[0], off[0] = 0.0, 0.0
    else:
        on[0] = off[0] = np.where(windows.part > 0.0, np.inf, 0.0)
    runs_on = np.zeros((slots, deepest + 1, jobs), dtype=np.bool_)
    resumes = np.zeros((slots, deepest + 1, jobs), dtype=np.bool_)
    total = np.full((slots, jobs), np.inf)
    lead = windows.whole if form == _FIRST else windows.whole - 1
    leading = hours.first if form == _FIRST else hours.whole
    lanes = np.arange(jobs)
    for slot in range(slots - 1, -1, -1):
        total[slot] = leading[slot] + on[lead, lanes]
        low, high = max(1, shallowest - slot), min(deepest, slots - slot)
        run = on[low - 1 : high] + hours.whole[slot]
        again = run + hours.resume[slot]
        rest = off[low : high + 1].copy()
        if form == _LAST:
            _part_last(on, off, runs_on[slot, 0], resumes[slot, 0], hours, windows, slot)
        np.less_equal(run, rest, out=runs_on[slot, low : high + 1])
        np.less_equal(again, rest, out=resumes[slot, low : high + 1])
        np.minimum(run, rest, out=on[low : high + 1])
        np.minimum(again, rest, out=off[low : high + 1])
    return _Table(total, runs_on, resumes)


def _part_last(
    on: FloatArray,
    off: FloatArray,
    runs_on: BoolArray,
    resumes: BoolArray,
    hours: _Hours,
    windows: Windows,
    slot: int,
) -> None:
    """Least cost of the part still to come, from a slot on."""
    due = windows.part > 0.0
    run, rest = hours.last[slot], off[0].copy()
    again = run + hours.resume[slot]
    runs_on[:] = due & (run <= rest)
    resumes[:] = due & (again <= rest)
    on[0] = np.where(due, np.minimum(run, rest), 0.0)
    off[0] = np.where(due, np.minimum(again, rest), 0.0)


def _traced(
    hours: _Hours, windows: Windows, table: _Table, start: IntArray, form: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Resumes paid, and begin and end of the running time by slot, from the first one on."""
    slots, jobs = hours.hour.shape
    lanes, part = np.arange(jobs), windows.part
    left = windows.whole.copy()
    part_left = part > 0.0
    running = np.zeros(jobs, dtype=np.bool_)
    paid = np.zeros(jobs)
    begin, finish = np.full((jobs, slots), np.nan), np.full((jobs, slots), np.nan)
    for slot in range(slots):
        starts, started = start == slot, start < slot
        wish = np.where(running, table.runs_on[slot, left, lanes], table.resumes[slot, left, lanes])
        pending = (left > 0) | part_left
        runs = starts | (started & wish & pending)
        resumed = runs & ~starts & ~running
        paid[resumed] += hours.resume[slot, resumed]
        of_part = runs & part_left & (starts if form == _FIRST else left == 0)
        hour = hours.hour[slot].astype(np.float64)
        opens = np.where(of_part & (form == _FIRST), hour + 1.0 - part, hour)
        closes = np.where(of_part & (form == _LAST), hour + part, hour + 1.0)
        begin[runs, slot], finish[runs, slot] = opens[runs], closes[runs]
        left = left - (runs & ~of_part)
        part_left = part_left & ~of_part
        running = runs
    return paid, begin, finish
