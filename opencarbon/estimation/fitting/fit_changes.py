"""What a refit changes, and which of its changes are held back until a person accepts them.

A refit is compared with the fits that were used last. Two limits are set: by how much the predicted hours of a device
may move, and how many of its runs it must keep. Beyond either the device keeps its previous fit.

Hours are compared at the previous ``reference_training_flop``, on as many devices as make its ideal wall-hours the
shortest and the longest that utilisation is moved for, and 100 h between them; the farthest of the three counts. Each fit is
taken with the dense peak it was made with, so that a peak which changes in the catalog is a change like any other:
the device keeps its predicted hours until the change is accepted.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from opencarbon.estimation.hours import (
    IDEAL_WALL_HOURS_RANGE,
    ORIGIN_IDEAL_WALL_HOURS,
    Floats,
    fitted_device_hours,
)
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR

State = Literal["first", "kept", "moved", "held", "accepted", "gone"]

Row = Mapping[str, Any]

_REFIT_COLUMNS: Final = ("refit_state", "refit_tflop_per_s", "refit_training_runs")
_POOLED: Final = {"pooled_all": 0, "pooled_generation": 1}
_OWN: Final = 2
"""How near to a device the runs behind its fit are: of all devices, of its generation, its own."""
_IDEAL_WALL_HOURS: Final = (
    IDEAL_WALL_HOURS_RANGE[0],
    ORIGIN_IDEAL_WALL_HOURS,
    IDEAL_WALL_HOURS_RANGE[1],
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond which changes are held.

    Parameters
    ----------
    max_change_pct : float
        Most by which predicted hours may move [%]: 25 stands for a factor of 1.25 either way.
    min_runs_kept_pct : float
        Least share of the runs behind a fit that must stay behind it [%].
    """

    max_change_pct: float
    min_runs_kept_pct: float

    def is_far(self, hours_before: float, hours_after: float) -> bool:
        """Whether predicted hours move by more than they may.

        Parameters
        ----------
        hours_before, hours_after : float
            [h].

        Returns
        -------
        bool
        """
        return abs(math.log(hours_after / hours_before)) > math.log1p(self.max_change_pct / 100.0)

    def is_lost(self, runs_before: int, runs_after: int) -> bool:
        """Whether fewer runs are left than must be.

        Parameters
        ----------
        runs_before, runs_after : int

        Returns
        -------
        bool
        """
        return runs_after < runs_before * self.min_runs_kept_pct / 100.0


@dataclass(frozen=True, slots=True)
class FitChange:
    """What a refit does to a device.

    Parameters
    ----------
    device : str
    state : {"first", "kept", "moved", "held", "accepted", "gone"}
        As ``refit_state``; ``gone`` where the catalog has the device no more.
    training_flop : float or None
        Work that the hours are of [FLOP]; None for a device that had no fit, or has none.
    hours_before, hours_after : float or None
        Predicted device-hours of the previous fit and of the refit, where they are farthest apart [h].
    runs_before, runs_after : int or None
        Runs behind the fits; runs of other devices do not count after where the device's own are lost.
    moves_too_far, loses_runs : bool
        Which limits it breaks.
    """

    device: str
    state: State
    training_flop: float | None = None
    hours_before: float | None = None
    hours_after: float | None = None
    runs_before: int | None = None
    runs_after: int | None = None
    moves_too_far: bool = False
    loses_runs: bool = False


def hold_changes(
    refit: pa.Table, previous: pa.Table | None, devices: pa.Table, limits: Limits, *, accept: bool = False
) -> tuple[pa.Table, list[FitChange]]:
    """Fits to use: those of the refit, and the previous ones of the devices it changes beyond a limit.

    Parameters
    ----------
    refit : pa.Table
        ``DEVICE_FITS``, a row for every device of the catalog.
    previous : pa.Table or None
        ``DEVICE_FITS`` as they were used last; None where there are none.
    devices : pa.Table
        The catalog's: device, peak_dense_tflop_per_s [TFLOP/s].
    limits : Limits
    accept : bool, optional
        Take what is beyond a limit too, and say so.

    Returns
    -------
    fits : pa.Table
        ``DEVICE_FITS`` of the devices of `refit`, with ``refit_state``.
    changes : list of FitChange
        One for every device of either table, by name.
    """
    schema = refit.schema
    peaks = _peaks(devices)
    after = {row["device"]: _bare(row) for row in refit.to_pylist()}
    before = {} if previous is None else {row["device"]: _bare(row) for row in previous.to_pylist()}
    states = {} if previous is None else {row["device"]: row["refit_state"] for row in previous.to_pylist()}
    compared = [device for device in after if device in before]
    hours = _farthest_hours(
        [before[name] for name in compared], [after[name] for name in compared], peaks, schema
    )
    changes, rows = {}, {}
    for device, row in after.items():
        if device not in before:
            changes[device] = FitChange(device, "first", runs_after=row["training_runs"])
            rows[device] = {**row, "refit_state": "first"}
            continue
        change = _change(before[device], row, hours[device], limits, accept=accept, was=states[device])
        changes[device] = change
        rows[device] = {**row, "refit_state": change.state}
        if change.state == "held":
            rows[device] = held_row(before[device], peaks[device], refit=row)
    for device, row in before.items():
        if device not in after:
            changes[device] = FitChange(device, "gone", runs_before=row["training_runs"])
    table = pa.Table.from_pylist([rows[device] for device in after], schema=schema)
    return table, [changes[device] for device in sorted(changes)]


def keep_previous(previous: pa.Table, refit: pa.Table | None, devices: pa.Table) -> pa.Table:
    """Fits to use where a refit as a whole is refused.

    Parameters
    ----------
    previous : pa.Table
        ``DEVICE_FITS`` as they were used last.
    refit : pa.Table or None
        ``DEVICE_FITS`` that devices without a previous fit take.
    devices : pa.Table
        The catalog's: device, peak_dense_tflop_per_s [TFLOP/s].

    Returns
    -------
    pa.Table
        ``DEVICE_FITS`` of the devices of the catalog that have a fit, by name.
    """
    before = {row["device"]: _bare(row) for row in previous.to_pylist()}
    after = {} if refit is None else {row["device"]: _bare(row) for row in refit.to_pylist()}
    rows = []
    for device, peak in sorted(_peaks(devices).items()):
        if device in before:
            rows.append(held_row(before[device], peak, refit=None))
        elif device in after:
            rows.append({**after[device], "refit_state": "first"})
    return pa.Table.from_pylist(rows, schema=previous.schema)


def held_row(previous: Row, peak_tflop_per_s: float, *, refit: Row | None) -> dict[str, Any]:
    """A previous fit that stays in use.

    Parameters
    ----------
    previous : mapping
        Its row of ``DEVICE_FITS``.
    peak_tflop_per_s : float
        Dense peak of the device in the catalog: utilisation is restated where it is another than before, so that the
        predicted hours stay.
    refit : mapping or None
        Row that is not used.

    Returns
    -------
    dict
    """
    row = dict(previous)
    factor = _peak_of(previous) / peak_tflop_per_s
    if not math.isclose(factor, 1.0, rel_tol=1e-9):
        for name in ("utilisation", "utilisation_low", "utilisation_high"):
            if row.get(name) is not None:
                row[name] = min(row[name] * factor, 1.0)
    return row | {
        "refit_state": "held",
        "refit_tflop_per_s": None if refit is None else refit["tflop_per_s"],
        "refit_training_runs": None if refit is None else refit["training_runs"],
    }


def _change(
    before: Row, after: Row, hours: tuple[float, float], limits: Limits, *, accept: bool, was: str | None
) -> FitChange:
    runs_before, runs_after = before["training_runs"], after["training_runs"]
    if _nearness(after) < _nearness(before):
        runs_after = 0
    far = limits.is_far(*hours)
    lost = _nearness(after) <= _nearness(before) and limits.is_lost(runs_before, runs_after)
    state: State = "moved"
    if far or lost:
        state = "accepted" if accept else "held"
    elif after == before:
        state = "accepted" if was == "accepted" else "kept"
    flop = before["reference_training_flop"]
    return FitChange(after["device"], state, flop, *hours, runs_before, runs_after, far, lost)


def _nearness(row: Row) -> int:
    return _POOLED.get(row["fit_source"], _OWN)


def _bare(row: Row) -> dict[str, Any]:
    """A fit without what was said of the refit that made it."""
    return {name: value for name, value in row.items() if name not in _REFIT_COLUMNS}


def _peaks(devices: pa.Table) -> dict[str, float]:
    columns = devices.select(["device", "peak_dense_tflop_per_s"]).to_pylist()
    return {row["device"]: row["peak_dense_tflop_per_s"] for row in columns}


def _peak_of(row: Row) -> float:
    """Dense peak that a fit was made with [TFLOP/s]."""
    return float(row["tflop_per_s"] / row["utilisation"])


def _farthest_hours(
    before: Sequence[Row], after: Sequence[Row], peaks: Mapping[str, float], schema: pa.Schema
) -> dict[str, tuple[float, float]]:
    """Predicted hours of each device by both fits, where they are farthest apart [h]."""
    if not before:
        return {}
    flop = np.array([row["reference_training_flop"] for row in before])
    ideal = flop / (np.array([peaks[row["device"]] for row in after]) * FLOP_PER_TFLOP_HOUR)
    old_peaks = [_peak_of(row) for row in before]
    pairs: list[tuple[Floats, Floats]] = []
    for wall_hours in _IDEAL_WALL_HOURS:
        count = ideal / wall_hours
        pairs.append(
            (
                _hours(before, old_peaks, flop, count, schema),
                _hours(after, [peaks[row["device"]] for row in after], flop, count, schema),
            )
        )
    old, new = (np.stack(sides) for sides in zip(*pairs, strict=True))
    at = np.argmax(np.abs(np.log(new / old)), axis=0)
    rows = np.arange(len(before))
    return {
        row["device"]: (float(one), float(other))
        for row, one, other in zip(before, old[at, rows], new[at, rows], strict=True)
    }


def _hours(
    rows: Sequence[Row], peaks: Sequence[float], flop: Floats, count: Floats, schema: pa.Schema
) -> Floats:
    fits = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    device = fits["device"].combine_chunks()
    devices = pa.table({"device": device, "peak_dense_tflop_per_s": pa.array(peaks, pa.float64())})
    return fitted_device_hours(fits, devices, device=device, training_flop=flop, device_count=count).central
