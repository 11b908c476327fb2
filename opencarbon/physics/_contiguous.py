"""Lowest integrals of hourly curves over windows of fixed length that run without a pause.

The integral over [s, s + d] is piecewise linear in s with kinks where s or s + d crosses an hour boundary, so
its minimum is at such a kink or at an end of the range of s. With d = D + f (D whole hours and a part f), a
start on boundary p costs I[p + D] - I[p] + f c[p + D], a finish on boundary p + D costs I[p + D] - I[p] + f
c[p - 1]: one pass over p covers both. Once the curves are constant to their end nothing changes any more, and
no later p is tried.
"""

from dataclasses import dataclass

import numpy as np

from opencarbon.physics._arrays import BoolArray, FloatArray, IntArray
from opencarbon.physics._windows import Curves, Windows, ceil, floor, snap

_ELEMENTS = 131072  # of each buffer (1 MiB): long enough for threads to overlap, short enough for caches
_MATRIX = 1 << 18  # elements of a matrix of all candidates of a block of jobs


@dataclass(frozen=True, slots=True)
class _Boundaries:
    """Hour boundaries p to try for each job, first to last, and where each of the two kinds is allowed."""

    first: IntArray
    last: IntArray
    last_start: IntArray  # a start on p is allowed up to here
    first_finish: IntArray  # a finish on p + D is allowed from here
    count: IntArray


def boundaries(windows: Windows, flat_from: int) -> _Boundaries:
    """Hour boundaries worth a try; none lies behind the hour from which the curves are flat."""
    first = ceil(windows.earliest)
    last = np.minimum(floor(snap(windows.finish - windows.whole)), flat_from)
    last_start = floor(snap(windows.finish - windows.duration))
    first_finish = ceil(snap(windows.earliest + windows.part))
    neither = (first == last) & (first > last_start) & (first < first_finish)
    count = np.where(neither, 0, np.maximum(last - first + 1, 0))
    return _Boundaries(first, last, last_start, first_finish, count)


def latest_start(windows: Windows) -> FloatArray:
    """Latest start that still finishes in time [h]."""
    return np.maximum(snap(windows.finish - windows.duration), windows.earliest)


def integral_between(curves: Curves, windows: Windows, start: FloatArray) -> FloatArray:
    """Integral from `start` over the duration, shape (windows, lanes)."""
    finish = np.minimum(snap(start + windows.duration), float(curves.hours))
    head, tail = floor(start), floor(finish)
    within = head == tail
    head_h = np.where(within, finish - start, head + 1.0 - start)
    tail_h = np.where(within, 0.0, finish - tail)
    row = windows.zone * curves.stride
    upper, lower = row + tail, row + np.where(within, tail, head + 1)
    total: FloatArray = curves.integral[upper] - curves.integral[lower]
    total += head_h[:, None] * curves.value[row + head]
    total += tail_h[:, None] * curves.value[upper]
    if curves.missing is not None:
        total += curves.missing[upper] - curves.missing[lower]
    return total


def lowest_integrals(curves: Curves, windows: Windows) -> FloatArray:
    """Lowest integral of every job in every lane, shape (windows, lanes)."""
    lanes = curves.value.shape[1]
    lowest = np.empty((len(windows), lanes))
    bounds = boundaries(windows, curves.flat_from)
    order = np.argsort(-bounds.count, kind="stable")
    size = max(1, _ELEMENTS // lanes)
    buffers = np.empty((5, max(_ELEMENTS, lanes)))
    for begin in range(0, len(windows), size):
        at = order[begin : begin + size]
        block = windows.select(at)
        best = integral_between(curves, block, block.earliest)
        np.minimum(best, integral_between(curves, block, latest_start(block)), out=best)
        _try_boundaries(curves, block, _Boundaries(*(_fields(bounds, at))), best, buffers)
        lowest[at] = best
    return lowest


def _fields(bounds: _Boundaries, at: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    return (
        bounds.first[at],
        bounds.last[at],
        bounds.last_start[at],
        bounds.first_finish[at],
        bounds.count[at],
    )


def _try_boundaries(
    curves: Curves, block: Windows, bounds: _Boundaries, best: FloatArray, buffers: FloatArray
) -> None:
    """Lower `best` to the lowest integral at the boundaries; jobs come with the largest count first."""
    jobs, lanes = best.shape
    most = int(bounds.count[0])
    step = max(1, min(most, buffers.shape[1] // best.size))  # few jobs: several boundaries at once
    row = (block.zone * curves.stride)[:, None]
    ascending = bounds.count[::-1]
    # Spread over the lanes once: multiplying by a broadcast column is three times slower.
    part = buffers[4, : best.size * step].reshape(jobs * step, lanes)
    part[:] = np.repeat(block.part, step)[:, None]
    for begin in range(0, most, step):
        active = jobs - int(np.searchsorted(ascending, begin, side="right"))
        p = np.minimum(
            bounds.first[:active, None] + np.arange(begin, begin + step), bounds.last[:active, None]
        )
        after, before = p + block.whole[:active, None], p - 1
        by_start = np.where(p <= bounds.last_start[:active, None], after, before)
        by_finish = np.where(p >= bounds.first_finish[:active, None], before, after)
        rows = [(index + row[:active]).ravel() for index in (p, after, by_start, by_finish)]
        total, other, least, spare = (
            buffer[: p.size * lanes].reshape(p.size, lanes) for buffer in buffers[:4]
        )
        # mode="clip" lets take write straight into `out`; indices outside carry no weight.
        np.take(curves.integral, rows[1], axis=0, out=total, mode="clip")
        np.take(curves.integral, rows[0], axis=0, out=other, mode="clip")
        np.subtract(total, other, out=total)
        np.take(curves.value, rows[2], axis=0, out=least, mode="clip")
        np.take(curves.value, rows[3], axis=0, out=spare, mode="clip")
        np.minimum(least, spare, out=least)
        np.multiply(least, part[: p.size], out=least)
        np.add(total, least, out=total)
        if curves.missing is not None:
            np.take(curves.missing, rows[1], axis=0, out=least, mode="clip")
            np.take(curves.missing, rows[0], axis=0, out=spare, mode="clip")
            np.subtract(least, spare, out=least)  # exactly 0 where no hour is missing
            np.add(total, least, out=total)
        found = total if step == 1 else total.reshape(active, step, lanes).min(axis=1)
        np.minimum(best[:active], found, out=best[:active])


def earliest_lowest(curves: Curves, windows: Windows) -> tuple[FloatArray, FloatArray]:
    """Earliest start whose mean ties with the lowest, and its integral, each (windows,); stacked curves."""
    start, integral = np.empty(len(windows)), np.empty(len(windows))
    bounds = boundaries(windows, curves.flat_from)
    order = np.argsort(-bounds.count, kind="stable")
    begin = 0
    while begin < len(windows):
        width = 2 * int(bounds.count[order[begin]]) + 2
        at = order[begin : begin + max(1, _MATRIX // width)]
        block = windows.select(at)
        starts, totals = _candidates(curves, block, _Boundaries(*_fields(bounds, at)))
        tied = totals <= curves.tie_limit(totals.min(axis=1, keepdims=True))
        first = np.where(tied, starts, np.inf).argmin(axis=1)
        rows = np.arange(at.size)
        start[at], integral[at] = starts[rows, first], totals[rows, first]
        begin += at.size
    return start, integral


def _candidates(curves: Curves, block: Windows, bounds: _Boundaries) -> tuple[FloatArray, FloatArray]:
    """Return starts and their integrals, each (jobs, 2 + 2 x boundaries), infinite where not allowed."""
    latest = latest_start(block)
    offsets = np.arange(int(bounds.count[0]))
    p = bounds.first[:, None] + offsets
    tried = offsets < bounds.count[:, None]
    rows = p + (block.zone * curves.stride)[:, None]
    whole, part = block.whole[:, None], block.part[:, None]
    table = curves.integral[:, 0]
    between = table.take(rows + whole, mode="clip") - table.take(rows, mode="clip")
    if curves.missing is not None:
        gaps = curves.missing[:, 0]
        between += gaps.take(rows + whole, mode="clip") - gaps.take(rows, mode="clip")
    value = curves.value[:, 0]
    by_start = between + part * value.take(rows + whole, mode="clip")
    by_finish = between + part * value.take(rows - 1, mode="clip")
    totals = [
        integral_between(curves, block, block.earliest),
        integral_between(curves, block, latest),
        _unless_forbidden(tried & (p <= bounds.last_start[:, None]), by_start),
        _unless_forbidden(tried & (p >= bounds.first_finish[:, None]), by_finish),
    ]
    starts = [block.earliest[:, None], latest[:, None], p.astype(np.float64), p - part]
    return np.hstack(starts), np.hstack(totals)


def _unless_forbidden(allowed: BoolArray, totals: FloatArray) -> FloatArray:
    return np.where(allowed, totals, np.inf)
