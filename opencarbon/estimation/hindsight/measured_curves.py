"""Carbon intensities that came true: measured hours by zone, and means over stretches of time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.tables.inputs import with_accounting_basis
from opencarbon.units import HOUR

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_US_PER_HOUR = 3_600_000_000


@dataclass(frozen=True)
class MeasuredCurves:
    """Measured carbon intensity, hour by hour.

    Parameters
    ----------
    start_utc : datetime
        Start of the first hour, aware.
    zones : tuple of str
        Sorted.
    values : ndarray of shape (zones, hours)
        [gCO2e/kWh]; NaN where an hour is not measured.
    """

    start_utc: datetime
    zones: tuple[str, ...]
    values: Floats

    def hours(self, moments: "pa.ChunkedArray[Any]") -> Floats:
        """Hours from the start of the curves to moments.

        Parameters
        ----------
        moments : pa.ChunkedArray of timestamp[us, UTC]

        Returns
        -------
        ndarray
            NaN for null [h].
        """
        since = moments.cast(pa.int64()).to_numpy() - self.start_utc.timestamp() * 1e6
        return np.asarray(since / _US_PER_HOUR, dtype=np.float64)

    def rows_of(self, zones: Collection[str | None]) -> Integers:
        """Row of each zone.

        Parameters
        ----------
        zones : collection of str or None

        Returns
        -------
        ndarray of int
            Negative where nothing of the zone is measured.
        """
        row = {zone: at for at, zone in enumerate(self.zones)}
        return np.array([-1 if zone is None else row.get(zone, -1) for zone in zones], dtype=np.int64)

    def exposure(self, zone: Integers, start_h: Floats, finish_h: Floats) -> tuple[Floats, Floats]:
        """Integrals over stretches of time.

        Parameters
        ----------
        zone : ndarray of int of shape (stretches,)
            Row of the zone; negative where there is none.
        start_h, finish_h : ndarray of shape (stretches,)
            [h from the start of the curves]; NaN where there is no stretch.

        Returns
        -------
        intensity_hours : ndarray
            Integral of the intensity over the measured part [gCO2e/kWh x h].
        measured_hours : ndarray
            Length of the measured part [h].
        """
        known = (zone >= 0) & np.isfinite(start_h) & np.isfinite(finish_h)
        row = np.where(known, zone, 0)
        ends = [np.where(known, end, 0.0) for end in (start_h, finish_h)]

        def between(rates: Floats, before: Floats) -> Floats:
            if not rates.size:
                return np.zeros(zone.shape)
            first, last = (_up_to(rates, before, row, end) for end in ends)
            return last - first

        return between(*self._intensity), between(*self._is_measured)

    @cached_property
    def _intensity(self) -> tuple[Floats, Floats]:
        return _with_sums(np.nan_to_num(self.values))

    @cached_property
    def _is_measured(self) -> tuple[Floats, Floats]:
        return _with_sums(np.isfinite(self.values).astype(np.float64))


def measured_curves(
    grid: pa.Table,
    start_utc: datetime,
    finish_utc: datetime,
    *,
    emission_factor_type: str,
    accounting_basis: str,
) -> MeasuredCurves:
    """Measured hours of a span of time.

    Parameters
    ----------
    grid : pa.Table
        ``GRID_INTENSITY``: of the same zone and hour the newest fetch counts, a null of it too.
    start_utc, finish_utc : datetime
        Span, aware; the start is the start of an hour.
    emission_factor_type, accounting_basis : str
        Only rows of this type and basis count.

    Returns
    -------
    MeasuredCurves
    """
    hour = pa.timestamp("us", "UTC")
    grid = with_accounting_basis(grid)
    wanted = pc.equal(grid["intensity_kind"], pa.scalar("measured"))
    for name, value in (
        ("emission_factor_type", emission_factor_type),
        ("accounting_basis", accounting_basis),
    ):
        wanted = pc.and_(wanted, pc.equal(grid[name], pa.scalar(value)))
    wanted = pc.and_(wanted, pc.greater_equal(grid["hour_start_utc"], pa.scalar(start_utc, hour)))
    wanted = pc.and_(wanted, pc.less(grid["hour_start_utc"], pa.scalar(finish_utc, hour)))
    # oldest first, so that the newest is what stays in the place of an hour
    rows = grid.filter(wanted).sort_by([("fetched_at_utc", "ascending")])
    zones = tuple(sorted(str(zone) for zone in pc.unique(rows["zone"]).to_pylist()))
    count = max(-((start_utc - finish_utc) // HOUR), 0)
    values = np.full((len(zones), count), np.nan)
    curves = MeasuredCurves(start_utc, zones, values)
    row = np.asarray(pc.index_in(rows["zone"], pa.array(zones, pa.string())).to_numpy(), dtype=np.int64)
    column = np.round(curves.hours(rows["hour_start_utc"])).astype(np.int64)
    values[row, column] = rows["carbon_intensity_gco2e_per_kwh"].to_numpy()
    return curves


def _with_sums(rates: Floats) -> tuple[Floats, Floats]:
    """Hourly rates, and the sum of the hours before each one."""
    sums = np.zeros(rates.shape)
    np.cumsum(rates[:, :-1], axis=1, out=sums[:, 1:])
    return rates, sums


def _up_to(rates: Floats, before: Floats, row: Integers, at: Floats) -> Floats:
    """Integral from the start of the curves to a moment."""
    within = np.clip(at, 0.0, rates.shape[1])
    hour = np.minimum(within.astype(np.int64), rates.shape[1] - 1)
    return np.asarray(before[row, hour] + (within - hour) * rates[row, hour])
