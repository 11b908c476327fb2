"""Device-hours that a fit predicts, in either form a fit may have.

Fits with a slope of utilisation (the calibrated profile) predict from the throughput that alpha states at the
reference, moved by the ideal wall-hours of the run. Fits without one (the paper's form) follow alpha over the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.errors import FitError
from opencarbon.physics.throughput import FLOP_PER_TFLOP_HOUR, device_hours, mean_tflop_per_s

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FAST_TO_SLOW: Final = ("log10_alpha_high", "log10_alpha", "log10_alpha_low")

HIGHEST_UTILISATION: Final = 0.95
"""Bound of every utilisation: no training run sustains the dense peak of its device."""

ORIGIN_IDEAL_WALL_HOURS: Final = 100.0
"""Ideal wall-hours that decades are counted from: near the median of published runs [h]."""

IDEAL_WALL_HOURS_RANGE: Final = (1.0, 1000.0)
"""Ideal wall-hours between which utilisation is moved: nine in ten published runs are within [h]."""

LONGEST_IDEAL_WALL_HOURS: Final = 8760.0
"""Ideal wall-hours beyond which the number of devices is taken for a placeholder: a year at the dense peak [h]."""

TYPICAL_DECADES: Final = (0.18, 0.35)
"""Decades of ideal wall-hours above the origin of a run of 1e23 FLOP, and their change per decade of FLOP: least
squares on 62 published runs, standard deviation 0.36. It stands in where the number of devices is not known."""


@dataclass(frozen=True, slots=True)
class FittedHours:
    """Device-hours of runs, each array of shape (runs,).

    Parameters
    ----------
    low, central, high : ndarray
        [h]; NaN where the training FLOP is.
    """

    low: Floats
    central: Floats
    high: Floats


def fitted_device_hours(
    fits: pa.Table,
    devices: pa.Table,
    *,
    device: pa.ChunkedArray | pa.Array,  # type: ignore[type-arg]
    training_flop: Floats,
    device_count: Floats,
) -> FittedHours:
    """Device-hours of runs on devices that have a fit.

    Parameters
    ----------
    fits : pa.Table
        ``fact_device_fit``.
    devices : pa.Table
        ``dim_device``: device, peak_dense_tflop_per_s [TFLOP/s].
    device : pa.Array of string, shape (runs,)
        Canonical names.
    training_flop : ndarray of shape (runs,)
        [FLOP]; NaN gives NaN.
    device_count : ndarray of shape (runs,)
        Devices at work together; NaN where not known: see :func:`ideal_decades`.

    Returns
    -------
    FittedHours

    Raises
    ------
    FitError
        Where a device has no fit.
    """
    at = row_of_device(device, fits)
    slope = _column(fits, "ln_utilisation_per_decade")[at]
    by_alpha = np.isnan(slope)
    alphas = np.stack([_column(fits, name) for name in _FAST_TO_SLOW])
    hours = np.full((3, len(at)), np.nan)
    if by_alpha.any():
        hours[:, by_alpha] = device_hours(training_flop[by_alpha], alphas[:, at[by_alpha]])
    if not by_alpha.all():
        rest = ~by_alpha
        row, flop = at[rest], training_flop[rest]
        stated = mean_tflop_per_s(_column(fits, "reference_training_flop"), alphas)[:, row]
        peak = _column(devices, "peak_dense_tflop_per_s")[row_of_device(device, devices)][rest]
        ideal = flop / (peak * FLOP_PER_TFLOP_HOUR)
        reference = np.log10(_column(fits, "reference_ideal_wall_hours")[row] / ORIGIN_IDEAL_WALL_HOURS)
        moved = np.exp(slope[rest] * (ideal_decades(flop, ideal / device_count[rest]) - reference))
        hours[:, rest] = ideal / np.minimum(stated * moved / peak, HIGHEST_UTILISATION)
    return FittedHours(*hours)


def ideal_decades(training_flop: Floats, ideal_wall_hours: Floats) -> Floats:
    """Decades of ideal wall-hours above the origin, within the range that published runs cover.

    Parameters
    ----------
    training_flop : ndarray
        [FLOP]; NaN gives NaN.
    ideal_wall_hours : ndarray
        Training FLOP over the dense peak of all devices at work [h]; where NaN, or longer than any run is, those
        typical of the FLOP stand in.

    Returns
    -------
    ndarray
    """
    at_1e23, per_decade = TYPICAL_DECADES
    known = ideal_wall_hours <= LONGEST_IDEAL_WALL_HOURS
    decades = np.log10(np.where(known, ideal_wall_hours, np.nan) / ORIGIN_IDEAL_WALL_HOURS)
    typical = at_1e23 + per_decade * (np.log10(training_flop) - 23.0)
    lowest, highest = np.log10(np.array(IDEAL_WALL_HOURS_RANGE) / ORIGIN_IDEAL_WALL_HOURS)
    return np.asarray(np.clip(np.where(known, decades, typical), lowest, highest))


def row_of_device(device: pa.ChunkedArray | pa.Array, table: pa.Table) -> Integers:  # type: ignore[type-arg]
    """Row of ``table`` that holds each device.

    Parameters
    ----------
    device : pa.Array of string
    table : pa.Table
        With the column ``device``.

    Returns
    -------
    ndarray of int, of the length of ``device``

    Raises
    ------
    FitError
        Where the table has no row for a device.
    """
    found = pc.index_in(device, value_set=table["device"].combine_chunks())
    if found.null_count:
        lost = pc.unique(device.filter(pc.is_null(found))).to_pylist()
        raise FitError(
            f"no row for the device {', '.join(map(repr, lost))}; device fits need one for every device of the "
            "catalog: write them anew with `opencarbon fit`"
        )
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _column(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)
