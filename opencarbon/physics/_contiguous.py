"""Lowest integrals of hourly curves over windows of fixed length that run without a pause.

The integral over [s, s + d] is piecewise linear in s with kinks where s or s + d crosses an hour boundary, so
its minimum is at such a kink or at an end of the range of s. With d = D + f (D whole hours and a part f), a
start on boundary p costs I[p + D] - I[p] + f c[p + D], a finish on boundary p + D costs I[p + D] - I[p] + f
c[p - 1]: one pass over p covers both. Once the curves are constant to their end nothing changes any more, and
no later p is tried.
"""

from dataclasses import dataclass

import numpy as np

from opencarbon.physics._arrays import FloatArray, IntArray
from opencarbon.physics._windows import Curves, Windows, ceil, floor, snap

_ELEMENTS = 131072  # of each buffer (1 MiB): long enough for threads to overlap, short enough for caches
_TABLE = 1 << 19  # elements of a table of the boundaries of a block of jobs (4 MiB)
_MATRIX = 1 << 17  # elements of a matrix of all candidates of a block of jobs (1 MiB: more faults pages)


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
    first, count = _of_both(bounds)
    place = windows.whole * (curves.hours + 2) + first
    order = np.argsort(place, kind="stable")  # jobs of one D stand together
    buffers = np.empty((3, max(_ELEMENTS, lanes)))
    begin = 0
    while begin < len(windows):
        at = order[begin : begin + max(1, _ELEMENTS // lanes)]
        shared = _shared(at, place[at], count[at], curves.hours, _TABLE // lanes)
        begin += shared.at.size
        block = windows.select(shared.at)
        best = integral_between(curves, block, block.earliest)
        np.minimum(best, integral_between(curves, block, latest_start(block)), out=best)
        _try_ends(curves, block, _Boundaries(*_fields(bounds, shared.at)), best)
        _try_boundaries(curves, block, shared, best, buffers)
        lowest[shared.at] = best
    return lowest


def _fields(bounds: _Boundaries, at: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    return (
        bounds.first[at],
        bounds.last[at],
        bounds.last_start[at],
        bounds.first_finish[at],
        bounds.count[at],
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """Boundaries p at which a block of jobs may start and may finish on p + D: each once for all jobs of one D.

    ``at`` are the jobs, those with the most boundaries first; theirs are the next ``count`` from ``begin`` on.
    """

    at: IntArray
    begin: IntArray
    count: IntArray
    p: IntArray
    after: IntArray


def _of_both(bounds: _Boundaries) -> tuple[IntArray, IntArray]:
    """First boundary p at which each job may start and may finish on p + D, and how many there are."""
    first = bounds.first + (bounds.first < bounds.first_finish)
    last = bounds.last - (bounds.last > bounds.last_start)
    return first, np.where(bounds.count > 0, np.maximum(last - first + 1, 0), 0)


def _shared(at: IntArray, place: IntArray, count: IntArray, hours: int, most: int) -> _Shared:
    """Boundaries of the first of these jobs, at least one job, and else no more than `most` boundaries.

    ``place`` counts boundaries through all D and ascends.
    """
    reached = np.maximum.accumulate(place + count)
    known = np.append(place[:1], reached[:-1])
    fresh_from = np.maximum(place, known)
    fresh = reached - fresh_from
    total = np.cumsum(fresh)
    jobs = max(1, int(np.searchsorted(total, most, side="right")))
    begin = (total - fresh - np.maximum(known - place, 0))[:jobs]
    places = np.repeat((fresh_from - total + fresh)[:jobs], fresh[:jobs]) + np.arange(total[jobs - 1])
    whole, p = np.divmod(places, hours + 2)
    order = np.argsort(-count[:jobs], kind="stable")
    return _Shared(at[order], begin[order], count[order], p, p + whole)


def _try_ends(curves: Curves, block: Windows, bounds: _Boundaries, best: FloatArray) -> None:
    """Lower `best` to starts on a first boundary that is too early to finish on, and finishes on a last one."""
    first, last = bounds.first, bounds.last
    starts = (first < bounds.first_finish) & (first <= bounds.last_start) & (first > block.earliest)
    finishes = (last > bounds.last_start) & (last >= bounds.first_finish)
    for may, p, after in ((starts, first, block.whole), (finishes, last, -1)):
        at = np.flatnonzero(may & (bounds.count > 0))
        if not at.size:
            continue
        row = p[at]
        total = _between(curves, row, row + block.whole[at])
        total += block.part[at, None] * curves.value[(p + after)[at]]
        best[at] = np.minimum(best[at], total)


def _try_boundaries(
    curves: Curves, block: Windows, shared: _Shared, best: FloatArray, buffers: FloatArray
) -> None:
    """Lower `best` to the lowest integral at the boundaries; jobs come with the largest count first."""
    jobs, lanes = best.shape
    most = int(shared.count[0])
    if not most:
        return
    between = _between(curves, shared.p, shared.after)
    rate = np.minimum(curves.value.take(shared.after, axis=0), curves.value.take(shared.p - 1, axis=0))
    step = max(1, min(most, buffers.shape[1] // best.size))  # few jobs: several boundaries at once
    ascending = shared.count[::-1]
    # Spread over the lanes once: multiplying by a broadcast column is three times slower.
    part = buffers[2, : best.size * step].reshape(jobs * step, lanes)
    part[:] = np.repeat(block.part, step)[:, None]
    for offset in range(0, most, step):
        active = jobs - int(np.searchsorted(ascending, offset, side="right"))
        offsets = np.minimum(np.arange(offset, offset + step), shared.count[:active, None] - 1)
        rows = (shared.begin[:active, None] + offsets).ravel()
        total, other = (buffer[: rows.size * lanes].reshape(-1, lanes) for buffer in buffers[:2])
        # mode="clip" lets take write straight into `out`.
        np.take(rate, rows, axis=0, out=total, mode="clip")
        np.multiply(total, part[: rows.size], out=total)
        np.take(between, rows, axis=0, out=other, mode="clip")
        np.add(total, other, out=total)
        found = total if step == 1 else total.reshape(active, step, lanes).min(axis=1)
        np.minimum(best[:active], found, out=best[:active])


def earliest_lowest(curves: Curves, windows: Windows) -> tuple[FloatArray, FloatArray]:
    """Earliest start whose mean ties with the lowest, and its integral, each (windows,); stacked curves."""
    start, integral = np.empty(len(windows)), np.empty(len(windows))
    bounds = boundaries(windows, curves.flat_from)
    order = np.argsort(-bounds.count, kind="stable")
    begin = 0
    while begin < len(windows):
        width = max(1, int(bounds.count[order[begin]]))
        at = order[begin : begin + max(1, _MATRIX // width)]
        block = windows.select(at)
        start[at], integral[at] = _earliest(curves, block, _Boundaries(*_fields(bounds, at)))
        begin += at.size
    return start, integral


def _earliest(curves: Curves, block: Windows, bounds: _Boundaries) -> tuple[FloatArray, FloatArray]:
    """The earliest of the ends of the range of starts and of those at boundaries that tie with the lowest."""
    ends = (block.earliest, latest_start(block))
    totals = [integral_between(curves, block, end)[:, 0] for end in ends]
    by_boundary = _lowest_by_boundary(curves, block, bounds)
    limit = curves.tie_limit(np.minimum(np.minimum(*totals), by_boundary.min(axis=1)))
    p = bounds.first + (by_boundary <= limit[:, None]).argmax(axis=1)
    by_start, by_finish = _at_boundary(curves, block, bounds, p)
    finishes = by_finish <= limit
    every = np.stack([*totals, np.where(finishes, by_finish, by_start)])
    starts = np.stack([*ends, np.where(finishes, p - block.part, p)])
    pick = np.where(every <= limit, starts, np.inf).argmin(axis=0), np.arange(len(block))
    return starts[pick], every[pick]


def _lowest_by_boundary(curves: Curves, block: Windows, bounds: _Boundaries) -> FloatArray:
    """Lower integral of a start on each boundary p and a finish on p + D, shape (jobs, boundaries)."""
    offsets = np.arange(max(1, int(bounds.count[0])))
    rows = (bounds.first + block.zone * curves.stride)[:, None] + offsets
    after, value = rows + block.whole[:, None], curves.value[:, 0]
    lowest = value.take(after, mode="clip")
    np.minimum(lowest, value.take(rows - 1, mode="clip"), out=lowest)
    lowest *= block.part[:, None]
    lowest += _between(curves, rows, after)[..., 0]
    # A job may do both at all boundaries but the first and the last.
    ends = np.stack([bounds.first, np.maximum(bounds.last, bounds.first)], axis=1)
    column = ends - bounds.first[:, None]
    here = np.arange(len(block))[:, None]
    lowest[here, column] = np.minimum(*_at_boundary(curves, block, bounds, ends))
    np.copyto(lowest, np.inf, where=offsets >= bounds.count[:, None])
    return lowest


def _at_boundary(
    curves: Curves, block: Windows, bounds: _Boundaries, p: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Integrals of a start on p and of a finish on p + D, infinite where a job may not."""
    shape = (-1,) + (1,) * (p.ndim - 1)
    rows = p + (block.zone * curves.stride).reshape(shape)
    after = rows + block.whole.reshape(shape)
    part, value = block.part.reshape(shape), curves.value[:, 0]
    between = _between(curves, rows, after)[..., 0]
    some = bounds.count.reshape(shape) > 0
    starts = some & (p <= bounds.last_start.reshape(shape))
    finishes = some & (p >= bounds.first_finish.reshape(shape))
    by_start = np.where(starts, between + part * value.take(after, mode="clip"), np.inf)
    by_finish = np.where(finishes, between + part * value.take(rows - 1, mode="clip"), np.inf)
    return by_start, by_finish


def _between(curves: Curves, rows: IntArray, after: IntArray) -> FloatArray:
    """Integral from boundary to boundary, of the shape of both and lanes."""
    between: FloatArray = curves.integral.take(after, axis=0, mode="clip")
    between -= curves.integral.take(rows, axis=0, mode="clip")
    if curves.missing is not None:
        gaps = curves.missing.take(after, axis=0, mode="clip")
        between += gaps - curves.missing.take(rows, axis=0, mode="clip")  # exactly 0 where no hour is missing
    return between
