"""Earliest lowest starts of many jobs of one duration, which share tables of range minima.

The starts worth a look lie in one row per zone: for every hour boundary p a finish on p + D, which starts at
p - f, then a start on p (D whole hours and a part f; one of the two where f is 0). Every window allows one range
of that row. Level k of the tables holds the minimum of 2^k neighbours: two of them hold the minimum of a range,
and the first start that ties with it is found by jumps of falling powers of two.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from opencarbon.physics._arrays import BoolArray, FloatArray, IntArray
from opencarbon.physics._contiguous import boundaries, integral_between, latest_start
from opencarbon.physics._windows import Curves, Windows

_BOUNDARIES_PER_HOUR = 1.0  # of the curve, tried by all jobs of a duration: more are worth tables
_TABLES = 1 << 20  # elements of the tables of a block of zones (8 MiB)


def alike(windows: Windows, curves: Curves) -> Iterator[IntArray]:
    """Positions of the windows of each duration that has enough of them to be worth tables."""
    _, first, duration = np.unique(np.sort(windows.duration), return_index=True, return_inverse=True)
    order = np.argsort(windows.duration, kind="stable")
    tried = np.bincount(duration, boundaries(windows.select(order), curves.flat_from).count)
    ends = np.append(first[1:], order.size)
    for one in np.flatnonzero(tried > _BOUNDARIES_PER_HOUR * curves.hours):
        yield order[first[one] : ends[one]]


def earliest_lowest_alike(curves: Curves, windows: Windows) -> tuple[FloatArray, FloatArray]:
    """Earliest start that ties with the lowest mean, and its integral, each (windows, lanes); one duration."""
    lanes = curves.value.shape[1]
    start, integral = np.empty((len(windows), lanes)), np.empty((len(windows), lanes))
    bounds = boundaries(windows, curves.flat_from)
    per_hour = 2 if windows.part[0] > 0.0 else 1
    if per_hour == 2:
        first = 2 * bounds.first + (bounds.first < bounds.first_finish)
        after = 2 * bounds.last + np.where(bounds.last <= bounds.last_start, 2, 1)
    else:
        first, after = bounds.first, bounds.last + 1
    count = np.where(bounds.count > 0, after - first, 0)
    levels = max(1, int(count.max()).bit_length())
    step = max(1, _TABLES // (per_hour * (curves.hours + 1) * levels))
    for begin in range(0, lanes, step):
        here = slice(begin, begin + step)
        some = _lanes(curves, here)
        start[:, here], integral[:, here] = _earliest(some, windows, per_hour, first, count, levels)
    return start, integral


def _lanes(curves: Curves, lanes: slice) -> Curves:
    missing = None if curves.missing is None else curves.missing[:, lanes]
    return replace(curves, value=curves.value[:, lanes], integral=curves.integral[:, lanes], missing=missing)


def _earliest(
    curves: Curves, windows: Windows, per_hour: int, first: IntArray, count: IntArray, levels: int
) -> tuple[FloatArray, FloatArray]:
    """The earlier of the ends of the range of starts and of the first candidate that tie with the lowest."""
    ends = (windows.earliest, latest_start(windows))
    totals = [integral_between(curves, windows, start) for start in ends]
    part = float(windows.part[0])
    tables = _minima(_candidates(curves, int(windows.whole[0]), part, per_hour), levels)
    limit = curves.tie_limit(np.minimum(np.minimum(*totals), _lowest_of_ranges(tables, first, count)))
    place, is_within = _first_at_most(tables, first, count, limit)
    totals.append(tables[0, place, np.arange(limit.shape[1])])
    begins = place // per_hour - np.where(place % per_hour == per_hour - 1, 0.0, part)
    starts = [
        np.where(totals[0] <= limit, ends[0][:, None], np.inf),
        np.where(totals[1] <= limit, ends[1][:, None], np.inf),
        np.where(is_within, begins, np.inf),
    ]
    pick = np.argmin(starts, axis=0)
    return np.choose(pick, starts), np.choose(pick, totals)


def _lowest_of_ranges(tables: FloatArray, first: IntArray, count: IntArray) -> FloatArray:
    """Minimum of each range, shape (ranges, lanes); infinite where it is empty."""
    lowest = np.full((len(first), tables.shape[2]), np.inf)
    at = np.flatnonzero(count)
    level = np.frexp(count[at])[1] - 1  # of the largest power of two that the range holds
    begin, end = first[at], first[at] + count[at]
    lowest[at] = np.minimum(tables[level, begin], tables[level, end - (1 << level)])
    return lowest


def _first_at_most(
    tables: FloatArray, first: IntArray, count: IntArray, limit: FloatArray
) -> tuple[IntArray, BoolArray]:
    """First place of each range that is not above the limit, and whether there is one, each (ranges, lanes)."""
    begin, room, lane = first[:, None], count[:, None], np.arange(limit.shape[1])
    passed = np.zeros(limit.shape, dtype=np.intp)
    last = tables.shape[1] - 1
    for level in reversed(range(len(tables))):
        length = 1 << level
        above = tables[level, np.minimum(begin + passed, last), lane] > limit
        passed += length * (above & (passed + length <= room))
    return np.minimum(begin + passed, last), passed < room


def _candidates(curves: Curves, whole: int, part: float, per_hour: int) -> FloatArray:
    """Integrals of the starts in order, shape (starts, lanes)."""
    boundary = np.arange(curves.hours + 1)
    after, before = np.minimum(boundary + whole, curves.hours), np.maximum(boundary - 1, 0)
    between: FloatArray = curves.integral[after] - curves.integral
    if curves.missing is not None:
        between += curves.missing[after] - curves.missing
    if per_hour == 1:
        return between
    row = np.empty((2 * len(boundary), between.shape[1]))
    row[0::2] = between + part * curves.value[before]
    row[1::2] = between + part * curves.value[after]
    return row


def _minima(row: FloatArray, levels: int) -> FloatArray:
    """Minima of 2^level starts from each one on, shape (levels, starts, lanes); not used past the end."""
    tables = np.empty((levels, *row.shape))
    tables[0] = row
    for level in range(1, levels):
        half = 1 << (level - 1)
        tables[level] = tables[level - 1]
        np.minimum(tables[level - 1, :-half], tables[level - 1, half:], out=tables[level, :-half])
    return tables
