"""Sums of the lowest hours of every suffix of an hourly curve, many curves at once.

The d lowest hours of a suffix hold its first hour, and the d - 1 lowest of the hours behind it, or they do not, and are
the d lowest of those: S[h, d] = min(S[h + 1, d], c[h] + S[h + 1, d - 1]). One hour costs two operations on whole rows.
"""

import heapq

import numpy as np

from opencarbon.physics._arrays import FloatArray, IntArray

_CALL_COST = 1000.0  # of the numpy calls for an hour, in elements of a vectorised operation
_HEAP_COST = 1000.0  # of a heap operation, in the same unit


def lowest_suffix_sums(hours: FloatArray, whole: IntArray) -> FloatArray:
    """Sum of the lowest `whole` hours of every suffix of every lane.

    Parameters
    ----------
    hours : ndarray of float64, shape (hours, lanes)
        Intensity, infinite where an hour cannot be used.
    whole : ndarray of int, shape (lanes,)
        How many hours to sum, at least 1.

    Returns
    -------
    ndarray of float64, shape (hours, lanes)
        Row i: for the suffix that begins with hour i; infinite where it has fewer usable hours.
    """
    lanes, deepest = hours.shape[1], int(whole.max(initial=0))
    if _HEAP_COST * lanes < _CALL_COST + deepest * lanes:
        return np.stack([by_heap(hours[:, lane], int(whole[lane])) for lane in range(lanes)], axis=1)
    return by_recursion(hours, whole)


def by_recursion(hours: FloatArray, whole: IntArray) -> FloatArray:
    """Keep the sums of the lowest 1, 2 ... hours of every lane, and take the wanted one after every hour."""
    deepest, lanes = int(whole.max(initial=0)), np.arange(hours.shape[1])
    kept = np.full((deepest + 1, lanes.size), np.inf)
    kept[0] = 0.0
    with_hour = np.empty((deepest, lanes.size))
    wanted = whole * lanes.size + lanes
    sums = np.empty_like(hours)
    for row in range(hours.shape[0] - 1, -1, -1):
        np.add(kept[:-1], hours[row], out=with_hour)
        np.minimum(kept[1:], with_hour, out=kept[1:])
        np.take(kept, wanted, out=sums[row])
    return sums


def by_heap(hours: FloatArray, whole: int) -> FloatArray:
    """Do the same for one lane with a heap of the lowest hours, highest on top."""
    heap: list[float] = []
    total, sums = 0.0, [np.inf] * hours.size
    for row in range(hours.size - 1, -1, -1):
        hour = float(hours[row])
        if hour < np.inf and len(heap) < whole:
            heapq.heappush(heap, -hour)
            total += hour
        elif hour < np.inf:
            total += hour + heapq.heappushpop(heap, -hour)
        if len(heap) == whole:
            sums[row] = max(total, 0.0)
    return np.array(sums)


def every_suffix_sum(hours: FloatArray, deepest: int) -> FloatArray:
    """Sum the lowest 0, 1 ... `deepest` hours of every suffix, (hours, 1 + deepest, lanes)."""
    sums = np.full((hours.shape[0] + 1, deepest + 1, hours.shape[1]), np.inf)
    sums[:, 0] = 0.0
    for row in range(hours.shape[0] - 1, -1, -1):
        here = sums[row, 1:]
        np.add(sums[row + 1, :-1], hours[row], out=here)
        np.minimum(here, sums[row + 1, 1:], out=here)
    return sums[:-1]
