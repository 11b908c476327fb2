"""The question answered with NumPy: prefix sums, starts and finishes on hour boundaries, zone by zone, in chunks.

The integral over a run is piecewise linear in its start, so the lowest is where the start or the finish is on an hour
boundary, or at an end of the window. A run of D whole hours and a part that starts on boundary p costs
I[p + D] - I[p] + part c[p + D]; one that finishes on p + D, I[p + D] - I[p] + part c[p - 1].
"""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tests.benchmarks.engine.questions import Best, Floats, Jobs

Integers = npt.NDArray[np.intp]

ELEMENTS = 32_768
"""Jobs x boundaries of a chunk: the fastest of 8,192 to 131,072, four arrays of it in a cache of 1 to 2 MB."""
FORBIDDEN = 1e30


class _Tables(NamedTuple):
    """Integrals and values by zone and boundary; the last column stands for what is not allowed."""

    integral: Floats
    value: Floats

    @classmethod
    def of(cls, curves: Floats) -> Self:
        zones, hours = curves.shape
        integral, value = np.full((2, zones, hours + 2), FORBIDDEN)
        integral[:, 0], integral[:, 1:-1] = 0.0, np.cumsum(curves, axis=1)
        value[:, :hours] = curves
        return cls(integral, value)


class _Chunk(NamedTuple):
    """Where to look in the tables: boundaries of shape (jobs, boundaries), the ends of the windows (2, jobs)."""

    first: Integers
    last: Integers
    after: Integers
    before: Integers
    part: Floats
    head: Integers
    head_h: Floats
    tail: Integers
    tail_h: Floats

    def shifted(self, by: Integers) -> "_Chunk":
        """The same in the zone of each job, where the tables of all zones stand one behind the other."""
        rows = {name: getattr(self, name) + by[:, None] for name in ("first", "last", "after", "before")}
        return self._replace(**rows, head=self.head + by, tail=self.tail + by)

    def boundaries(self, integral: Floats, value: Floats) -> Floats:
        """Integral of the better of the two runs at every boundary."""
        total = integral.take(self.last)
        total -= integral.take(self.first)
        partly = value.take(self.after)
        np.minimum(partly, value.take(self.before), out=partly)
        partly *= self.part
        total += partly
        return total

    def ends(self, integral: Floats, value: Floats) -> Floats:
        """Integral of the runs from the first and the last moment of the window."""
        finished = integral.take(self.tail) + self.tail_h * value.take(self.tail)
        return finished - integral.take(self.head) - self.head_h * value.take(self.head)


def every_boundary(curves: Floats, jobs: Jobs) -> Best:
    """Brute force: every hour boundary of the curves is tried for every job."""
    return _best(curves, jobs, np.arange(len(jobs.duration_h)), None)


def within_windows(curves: Floats, jobs: Jobs) -> Best:
    """Only boundaries inside of the windows, jobs with as many of them together."""
    whole = np.floor(jobs.duration_h)
    count = np.floor(jobs.finish_h - whole) - np.ceil(jobs.earliest_h) + 1
    return _best(curves, jobs, np.argsort(count), np.maximum(count, 1).astype(np.intp))


def _best(curves: Floats, jobs: Jobs, order: Integers, count: Integers | None) -> Best:
    tables, hours = _Tables.of(curves), curves.shape[1]
    best = Best(np.empty(len(order)), np.empty(len(order)))
    begin = 0
    while begin < len(order):
        width = (
            hours + 1 if count is None else int(count[order[min(begin + ELEMENTS // hours, len(order) - 1)]])
        )
        at = order[begin : begin + max(1, ELEMENTS // width)]
        begin += len(at)
        some = jobs.part(at)
        if count is None:
            first = np.broadcast_to(np.arange(hours + 1), (len(at), hours + 1))
        else:
            inside = np.ceil(some.earliest_h).astype(np.intp)[:, None] + np.arange(count[at[-1]])
            first = np.minimum(inside, hours)
        best.mean[at], best.start_h[at] = _best_of_chunk(tables, some, first)
    return best


def _best_of_chunk(tables: _Tables, jobs: Jobs, first: Integers) -> Best:
    chunk, rows = _chunk(jobs, first, tables.value.shape[1] - 1), np.arange(len(first))
    lowest, zone = np.full(len(first), np.inf), np.zeros(len(first), dtype=np.intp)
    for number, (integral, value) in enumerate(zip(*tables, strict=True)):
        found = chunk.boundaries(integral, value).min(axis=1)
        np.minimum(found, chunk.ends(integral, value).min(axis=0), out=found)
        better = found < lowest
        zone[better] = number
        np.minimum(lowest, found, out=lowest)
    integral, value = (table.ravel() for table in tables)
    here = chunk.shifted(zone * tables.value.shape[1])
    totals, ends = here.boundaries(integral, value), here.ends(integral, value)
    at, end = totals.argmin(axis=1), ends.argmin(axis=0)
    on_start = value[here.after[rows, at]] <= value[here.before[rows, at]]
    boundary = first[rows, at] - np.where(on_start, 0.0, here.part[:, 0])
    start = np.where(end == 0, jobs.earliest_h, jobs.finish_h - jobs.duration_h)
    start = np.where(totals[rows, at] < ends[end, rows], boundary, start)
    return Best(lowest / jobs.duration_h, start)


def _chunk(jobs: Jobs, first: Integers, forbidden: int) -> _Chunk:
    duration, earliest, finish = (column[:, None] for column in jobs)
    whole = duration.astype(np.intp)
    part, last = duration - whole, first + whole
    on_start = (first >= earliest) & (first + duration <= finish)
    on_finish = (first - part >= earliest) & (last <= finish)
    starts = np.stack([jobs.earliest_h, jobs.finish_h - jobs.duration_h])
    finishes = starts + jobs.duration_h
    head, tail = starts.astype(np.intp), np.minimum(finishes.astype(np.intp), forbidden - 2)
    return _Chunk(
        first=first,
        last=np.where(on_start | on_finish, last, forbidden),
        after=np.where(on_start, last, forbidden),
        before=np.where(on_finish, np.maximum(first - 1, 0), forbidden),
        part=part,
        head=head,
        head_h=starts - head,
        tail=tail,
        tail_h=finishes - tail,
    )
