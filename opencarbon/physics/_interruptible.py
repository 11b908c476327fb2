"""Lowest integrals of hourly curves for jobs that may pause at hour boundaries.

A job of D whole hours and a part f runs D whole hours of its window and a part of one more hour that comes
either before all of them (the end of that hour) or after all of them (its beginning). For a part in hour h
before them the best is f c[h] + the sum of the D lowest hours in (h, B), with B the last boundary in the
window: so a table of sums of the D lowest hours of every suffix that ends at B answers for every h. Jobs with
the same B and D share it. The part after the whole hours is the same problem with time reversed.

Constant tails are shortened first: with Q hours before the tail, a job of many hours runs all but Q of them
in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from opencarbon.physics._arrays import FloatArray, IntArray
from opencarbon.physics._suffix_sums import every_suffix_sum, lowest_suffix_sums
from opencarbon.physics._windows import (
    MISSING,
    UNUSABLE,
    Curves,
    Windows,
    ceil,
    flat_from,
    floor,
    make_curves,
    make_windows,
    snap,
)

_TABLE = 1 << 19  # elements of a block's table of suffix sums (4 MiB)
_SLOTS = 1 << 17  # elements of the sums kept from hour to hour (1 MiB): about the L2 cache
_TABLE_OF_ALL = 1 << 21  # elements of a table of the sums of all D (16 MiB)
_LANES_WORTH_ALL = 8  # with fewer, many tables at once are quicker than one after the other
_ELEMENTS = 65536  # of the sums of a block of windows


@dataclass(frozen=True, slots=True)
class Shortened:
    """Windows on curves whose constant tail is cut, and what was cut.

    Parameters
    ----------
    intensity : ndarray of float64, shape (zones, hours)
        The shorter curves [gCO2e/kWh], NaN where an hour is missing.
    windows : Windows
        The shorter jobs in their shorter windows.
    removed : ndarray of int, shape (windows,)
        Whole hours of the tail that were taken out of each job and its window.
    tail : ndarray of float64, shape (zones,)
        Intensity of the tail [gCO2e/kWh].
    flat_from : int
        First hour of the tail.
    """

    intensity: FloatArray
    windows: Windows
    removed: IntArray
    tail: FloatArray
    flat_from: int


def shorten(intensity: FloatArray, windows: Windows) -> Shortened:
    """Take hours out of the constant tail that every best schedule runs, and hours that none needs."""
    value = np.where(np.isnan(intensity), MISSING, intensity)
    flat = flat_from(value)
    before = np.maximum(flat - ceil(windows.earliest), 0)
    behind = np.maximum(floor(windows.finish) - np.maximum(flat, ceil(windows.earliest)), 0)
    # Two hours more than needed stay, so that the part fits behind and no schedule avoids the tail
    # altogether.
    removed = np.maximum(np.minimum(windows.whole, behind) - before - 2, 0)
    enough = np.maximum(ceil(windows.earliest), flat) + windows.whole - removed + 2
    finish = np.minimum(windows.finish - removed, enough)
    shorter = make_windows(windows.job, windows.zone, windows.duration - removed, windows.earliest, finish)
    hours = min(intensity.shape[1], int(ceil(shorter.finish).max(initial=1)))
    return Shortened(intensity[:, :hours], shorter, removed, value[:, -1], flat)


def mirrored(windows: Windows, hours: int) -> Windows:
    """Return the windows with time reversed."""
    return replace(windows, earliest=snap(hours - windows.finish), finish=snap(hours - windows.earliest))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Hours whose end may hold the part, first to last, and the boundary B that the whole hours end at."""

    first: IntArray
    last: IntArray
    end: IntArray
    count: IntArray


def _parts(windows: Windows) -> _Parts:
    end = floor(windows.finish)
    first = ceil(snap(windows.earliest + windows.part)) - 1
    last = end - windows.whole - 1
    return _Parts(first, last, end, np.maximum(last - first + 1, 0))


@dataclass(frozen=True, slots=True)
class _Block:
    """Windows whose suffix tables are computed together, and those tables.

    ``at`` are the windows, those with the most hours for the part first, and ``pair`` is the table of each. A
    table covers ``length`` hours up to its end. ``sums`` of shape (length * pairs, lanes) holds the sum of
    the D lowest of the hours from the row's hour to the end.
    """

    at: IntArray
    pair: IntArray
    pairs: int
    length: int
    sums: FloatArray


def _blocks(curves: Curves, windows: Windows, parts: _Parts) -> Iterator[_Block]:
    """Tabulate suffix sums: of all D at once for windows with one end, else of each D alone."""
    left = np.flatnonzero(parts.count > 0)
    lanes = curves.value.shape[1]
    if lanes < _LANES_WORTH_ALL or not left.size:
        yield from _blocks_by_whole(curves, windows, parts, left)
        return
    row = (windows.zone * curves.stride + parts.end)[left]
    by_row = np.argsort(row, kind="stable")
    cuts = np.flatnonzero(np.diff(row[by_row])) + 1
    others = []
    for group in np.split(left[by_row], cuts):
        length = int((parts.end - parts.first - 1)[group].max(initial=0))
        deepest = int(windows.whole[group].max(initial=0))
        if length * (deepest + 1) * lanes <= _TABLE_OF_ALL:
            yield _block_of_all(curves, windows, parts, group, length, deepest)
        else:
            others.append(group)
    if others:
        yield from _blocks_by_whole(curves, windows, parts, np.concatenate(others))


def _block_of_all(
    curves: Curves, windows: Windows, parts: _Parts, group: IntArray, length: int, deepest: int
) -> _Block:
    """Tabulate the sums of the lowest 0, 1, 2 ... hours of every suffix, for windows with one end."""
    end = int(parts.end[group[0]])
    row = int(windows.zone[group[0]]) * curves.stride + end
    hours = _gathered(curves, np.array([row]), np.array([end]), length)
    sums = every_suffix_sum(hours, deepest)
    members = group[np.argsort(-parts.count[group], kind="stable")]
    return _Block(members, windows.whole[members], deepest + 1, length, sums.reshape(-1, hours.shape[1]))


def _blocks_by_whole(curves: Curves, windows: Windows, parts: _Parts, possible: IntArray) -> Iterator[_Block]:
    """Tabulate suffix sums for windows that share zone, end and whole hours."""
    lanes = curves.value.shape[1]
    rows = curves.value.shape[0]
    key = (windows.zone * curves.stride + parts.end - windows.whole * rows)[
        possible
    ]  # most whole hours first
    unique, pair = np.unique(key, return_inverse=True)
    whole, end_row = -(unique // rows), unique % rows
    length = np.zeros(whole.size, dtype=np.intp)
    np.maximum.at(length, pair, (parts.end - parts.first - 1)[possible])
    end = np.zeros(whole.size, dtype=np.intp)
    end[pair] = parts.end[possible]
    by_pair = np.argsort(pair, kind="stable")
    starts = np.searchsorted(pair[by_pair], np.arange(whole.size + 1))
    begin = 0
    while begin < whole.size:
        size = _pairs_that_fit(length[begin:], int(whole[begin]), lanes)
        chosen = slice(begin, begin + size)
        longest = int(length[chosen].max())
        hours = _gathered(curves, end_row[chosen], end[chosen], longest)
        sums = lowest_suffix_sums(hours, np.repeat(whole[chosen], lanes))
        members = by_pair[starts[begin] : starts[begin + size]]
        members = members[np.argsort(-parts.count[possible[members]], kind="stable")]
        yield _Block(possible[members], pair[members] - begin, size, longest, sums.reshape(-1, lanes))
        begin += size


def _pairs_that_fit(length: IntArray, whole: int, lanes: int) -> int:
    """Count of pairs, at least one, whose tables and kept sums stay within their budgets."""
    longest = np.maximum.accumulate(length)
    pairs = np.arange(1, length.size + 1)
    fits = (longest * pairs * lanes <= _TABLE) & (whole * pairs * lanes <= _SLOTS)
    return max(1, int(np.count_nonzero(fits)))


def _gathered(curves: Curves, end_row: IntArray, end: IntArray, length: int) -> FloatArray:
    """Intensity of the `length` hours up to each end, (length, pairs x lanes); infinite outside."""
    back = np.arange(-length, 0)[:, None]
    hours = curves.value.take(end_row + back, axis=0, mode="clip")
    hours[(end + back) < 0] = np.inf
    hours[hours > UNUSABLE] = np.inf
    return hours.reshape(length, -1)


def lowest_with_part_first(curves: Curves, windows: Windows) -> FloatArray:
    """Lowest integral with the part before all whole hours, (windows, lanes); infinite where none fits."""
    lanes = curves.value.shape[1]
    lowest = np.full((len(windows), lanes), np.inf)
    parts = _parts(windows)
    size = max(1, _ELEMENTS // lanes)
    for block in _blocks(curves, windows, parts):
        for begin in range(0, block.at.size, size):
            at, pair = block.at[begin : begin + size], block.pair[begin : begin + size]
            step = max(1, size // at.size)  # few windows: several hours at once
            ascending = parts.count[at][::-1]
            best = np.full((at.size, lanes), np.inf)
            for offset in range(0, int(ascending[-1]), step):
                active = at.size - int(np.searchsorted(ascending, offset, side="right"))
                offsets = np.arange(offset, min(offset + step, int(ascending[-1])))
                hour = np.minimum(parts.first[at[:active], None] + offsets, parts.last[at[:active], None])
                every = np.repeat(at[:active], offsets.size), np.repeat(pair[:active], offsets.size)
                found = _with_part_in(curves, windows, parts, block, *every, hour.ravel())
                found = found.reshape(active, offsets.size, lanes).min(axis=1)
                np.minimum(best[:active], found, out=best[:active])
            lowest[at] = best
    return lowest


def _with_part_in(
    curves: Curves,
    windows: Windows,
    parts: _Parts,
    block: _Block,
    at: IntArray,
    pair: IntArray,
    hour: IntArray,
) -> FloatArray:
    """Integral with the part in `hour` (one per window) and the best whole hours behind it."""
    row = windows.zone[at] * curves.stride + hour
    suffix = hour + 1 - (parts.end[at] - block.length)
    total = curves.value.take(row, axis=0, mode="clip")
    total *= windows.part[at][:, None]
    total += block.sums.take(suffix * block.pairs + pair, axis=0, mode="clip")
    return total


def earliest_with_part_first(
    curves: Curves, windows: Windows, *, latest: bool = False
) -> tuple[FloatArray, IntArray]:
    """Lowest integral with the part first, and the earliest (or latest) hour of the part that ties with it.

    Returns two arrays of shape (windows,), for stacked curves; the integral is infinite where none fits.
    """
    integral, hour = np.full(len(windows), np.inf), np.zeros(len(windows), dtype=np.intp)
    parts = _parts(windows)
    for block in _blocks(curves, windows, parts):
        begin = 0
        while begin < block.at.size:
            width = int(parts.count[block.at[begin]])
            size = max(1, _TABLE // width)
            at, pair = block.at[begin : begin + size], block.pair[begin : begin + size]
            columns = np.arange(width)
            tried = columns < parts.count[at][:, None]
            hours = np.where(tried, parts.first[at][:, None] + columns, parts.last[at][:, None])
            every = np.repeat(at, width), np.repeat(pair, width)
            totals = _with_part_in(curves, windows, parts, block, *every, hours.ravel()).reshape(hours.shape)
            integral[at] = totals.min(axis=1)
            tied = totals <= curves.tie_limit(integral[at][:, None])
            far = -1 if latest else curves.hours + 1
            choice = np.where(tied, hours, far)
            hour[at] = choice.max(axis=1) if latest else choice.min(axis=1)
            begin += at.size
    return integral, hour


def shortened_curves(short: Shortened, *, stacked: bool) -> tuple[Curves, Curves]:
    """Tables of the shorter curves, and of the same with time reversed."""
    return (
        make_curves(short.intensity, stacked=stacked),
        make_curves(short.intensity[:, ::-1], stacked=stacked),
    )


def lowest_integrals_with_pauses(intensity: FloatArray, windows: Windows) -> FloatArray:
    """Lowest integral of schedules with pauses, shape (windows, zones); infinite where none fits."""
    short = shorten(intensity, windows)
    forward, backward = shortened_curves(short, stacked=False)
    first = lowest_with_part_first(forward, short.windows)
    last = lowest_with_part_first(backward, mirrored(short.windows, forward.hours))
    return np.minimum(first, last) + short.removed[:, None] * short.tail
