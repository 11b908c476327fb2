"""Jobs without a place take those of jobs of lower priority, as far as priorities allow.

Improvement frees places that a job of higher priority was refused before; whoever is looked at next takes them. This
gives them back: when it is done, no job is left out of a place that would be free without the jobs of lower priority.
"""

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.allocation.greedy import place_left
from opencarbon.estimation.allocation.placement import Placement, Taken
from opencarbon.estimation.allocation.places import Ground
from opencarbon.estimation.allocation.queue import DEVICE_TOLERANCE

Integers = npt.NDArray[np.int64]


def give_precedence(placement: Placement, ground: Ground) -> int:
    """Place jobs that are left out, from the highest priority to the lowest, at the cost of lower ones.

    Parameters
    ----------
    placement : Placement
        Changed.
    ground : Ground

    Returns
    -------
    int
        Jobs that lost their place, found another or not.
    """
    queue, lost = placement.queue, 0
    size = queue.devices * queue.run_h
    for level in np.unique(queue.priority)[::-1].tolist():
        missed = np.setdiff1d(np.flatnonzero(queue.priority == level), placement.jobs())
        if not len(missed):
            continue
        above = Placement(queue, placement.free.copy())  # what is left without the jobs of lower priority
        lower = np.array(
            [job for job in sorted(placement.taken) if queue.priority[job] < level], dtype=np.int64
        )
        # the first to go: of the lowest priority, the smallest
        lower = lower[np.lexsort((size[lower], queue.priority[lower]))]
        rivals: dict[tuple[int, int], list[int]] = {}
        for job in lower.tolist():
            place = placement.taken[job]
            above.free[queue.device[job], place.hours, place.region] += queue.devices[job]
            rivals.setdefault((int(queue.device[job]), place.region), []).append(job)
        for job, place in place_left(above, ground, missed[np.argsort(-size[missed], kind="stable")]):
            above.put(job, place)
            lost += _make_room(placement, job, place, rivals)
            placement.put(job, place)
    return lost


def _make_room(placement: Placement, job: int, place: Taken, rivals: dict[tuple[int, int], list[int]]) -> int:
    """Remove rivals from a place, one after the other, until it holds a job."""
    queue, device = placement.queue, int(placement.queue.device[job])
    needed = queue.devices[job] * (1.0 - DEVICE_TOLERANCE)
    key, lost = (device, place.region), 0
    short = _short(placement, device, place, needed)
    for other in rivals.get(key, []):
        if not short.size:
            break
        if np.isin(short, _hours(placement, placement.taken[other])).any():
            placement.remove(other)
            lost += 1
            short = _short(placement, device, place, needed)
    if lost:
        rivals[key] = [other for other in rivals[key] if other in placement.taken]
    return lost


def _hours(placement: Placement, place: Taken) -> Integers:
    return np.asarray(np.arange(placement.free.shape[1])[place.hours])


def _short(placement: Placement, device: int, place: Taken, needed: float) -> Integers:
    """Hours of a place that do not hold so many devices now."""
    hours = _hours(placement, place)
    return np.asarray(hours[placement.free[device, hours, place.region] < needed])
