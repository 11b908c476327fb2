"""Which place each job should take, and which others are worth showing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from opencarbon.estimation.jobs import JobEstimates
from opencarbon.estimation.planning.blocks import make_block
from opencarbon.estimation.planning.picks import pick_places
from opencarbon.estimation.planning.plans import Field, candidates_of, may_start_behind
from opencarbon.estimation.planning.schedules import NONE, Places
from opencarbon.estimation.planning.windows import Windows

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CELLS: Final = 1 << 20
"""Jobs by places planned at once: a matrix of them is 8 MiB."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Places of each job in no order, each array of shape (jobs, picks); and the stretches of pausable advised jobs.

    Parameters
    ----------
    region : ndarray of int
        Index of the region; -1 where there is no pick.
    form : ndarray of int
        One of the forms of :mod:`opencarbon.estimation.planning.schedules`.
    rank : ndarray of int
        Place among all candidates of the job, from 1.
    advised : ndarray of bool
    start_h, finish_h : ndarray
        NaN where there is no pick [h from the first hour of the curves].
    intensity, intensity_sd, restart, shared_sd : ndarray
        As in :class:`~opencarbon.estimation.planning.schedules.Places` [gCO2e/kWh].
    forecast_share : ndarray
    kind : ndarray of int
    stretch_job : ndarray of int of shape (stretches,)
        Index of the job, ascending.
    stretch_number : ndarray of int of shape (stretches,)
        From 1 within the job.
    stretch_start_h, stretch_finish_h : ndarray of shape (stretches,)
        [h from the first hour of the curves].
    """

    region: Integers
    form: Integers
    rank: Integers
    advised: Flags
    start_h: Floats
    finish_h: Floats
    intensity: Floats
    intensity_sd: Floats
    restart: Floats
    shared_sd: Floats
    forecast_share: Floats
    kind: Integers
    stretch_job: Integers
    stretch_number: Integers
    stretch_start_h: Floats
    stretch_finish_h: Floats


def choose(
    estimates: JobEstimates,
    windows: Windows,
    allowed: Flags,
    transfer_kgco2e: Floats,
    field: Field,
    *,
    top_k: int,
    min_saving_pct: float,
    min_saving_pct_to_delay: float = 0.0,
) -> Alternatives:
    """Pick the best places for each job, and the one that is advised.

    Parameters
    ----------
    estimates : JobEstimates
    windows : Windows
    allowed : ndarray of bool of shape (jobs, regions)
    transfer_kgco2e : ndarray of shape (jobs,)
        Emissions of moving the job's data [kgCO2e].
    field : Field
    top_k : int
        Places to show, each in a region of its own, beside the one advised.
    min_saving_pct : float
        Least saving worth leaving the baseline, of its total [%].
    min_saving_pct_to_delay : float, optional
        Least saving worth a later start or pauses, beside the best start without delay, of the total of the baseline
        [%].

    Returns
    -------
    Alternatives
        Of shape (jobs, top_k + 1).
    """
    shape = (len(windows.planned), top_k + 1)
    region, form, rank, kind = (np.full(shape, NONE, dtype=np.int64) for _ in range(4))
    advised = np.zeros(shape, dtype=bool)
    start, finish, intensity, intensity_sd, shared_sd, share = (np.full(shape, np.nan) for _ in range(6))
    restart = np.zeros(shape)
    stretches = [_no_stretches()]
    for jobs in _blocks(windows, allowed, field):
        block = make_block(jobs, estimates, windows, allowed[jobs], transfer_kgco2e, field, min_saving_pct)
        candidates = candidates_of(jobs, windows, block.home, allowed[jobs], block.transfer, field)
        picks = pick_places(block, candidates, top_k, min_saving_pct_to_delay)
        region[jobs], form[jobs] = picks.region, picks.form
        rank[jobs], advised[jobs] = picks.rank, picks.advised
        for row, pick, places in picks.placed:
            at = (jobs[row], pick)
            start[at], finish[at], kind[at] = places.start_h, places.finish_h, places.kind
            intensity[at], intensity_sd[at] = places.intensity, places.intensity_sd
            shared_sd[at], share[at] = places.shared_sd, places.forecast_share
            restart[at] = places.restart
            stretches.append(_stretches(jobs[row], picks.advised[row, pick], places, windows))
    job, number, begin, end = (np.concatenate(column) for column in zip(*stretches, strict=True))
    order = np.argsort(job, kind="stable")
    return Alternatives(
        region=region,
        form=form,
        rank=rank,
        advised=advised,
        start_h=start,
        finish_h=finish,
        intensity=intensity,
        intensity_sd=intensity_sd,
        restart=restart,
        shared_sd=shared_sd,
        forecast_share=share,
        kind=kind,
        stretch_job=job[order],
        stretch_number=number[order],
        stretch_start_h=begin[order],
        stretch_finish_h=end[order],
    )


def _blocks(windows: Windows, allowed: Flags, field: Field) -> Iterator[Integers]:
    """Jobs to plan at once: those that pause share tables, and those that may start behind the horizon have twice the places."""
    planned = np.flatnonzero(windows.planned)
    late, pauses = may_start_behind(planned, windows, field.curves.horizon), windows.interruptible[planned]
    anywhere: Flags = np.any(allowed, axis=0, where=windows.planned[:, None])
    places = int(np.count_nonzero(anywhere[field.index]))
    for alike, times in ((~pauses & ~late, 1), (~pauses & late, 2), (pauses & ~late, 1), (pauses & late, 2)):
        jobs, size = planned[alike], max(1, _CELLS // max(1, places * times))
        for first in range(0, len(jobs), size):
            yield jobs[first : first + size]


def _no_stretches() -> tuple[Integers, Integers, Floats, Floats]:
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)


def _stretches(
    job: Integers, advised: Flags, places: Places, windows: Windows
) -> tuple[Integers, Integers, Floats, Floats]:
    """Job, number, start and finish of the stretches of pausable jobs in the place advised."""
    of_stretch = job[places.stretch_place]
    kept = advised[places.stretch_place] & windows.interruptible[of_stretch]
    return (
        of_stretch[kept],
        places.stretch_number[kept],
        places.stretch_start_h[kept],
        places.stretch_finish_h[kept],
    )
