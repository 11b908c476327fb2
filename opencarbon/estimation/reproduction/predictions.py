"""What the paper's method makes of FLOP on a device, from an interval of alpha: hours, then emissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from opencarbon.estimation.baselines.throughput import CONSTANT_UTILISATION
from opencarbon.estimation.fitting.fits import Profile, fit_devices
from opencarbon.estimation.fitting.regressors import Kind, Regressor, fit_regressor
from opencarbon.physics.carbon import operational_kgco2e
from opencarbon.physics.llmcarbon import device_hours_at
from opencarbon.physics.power import energy_kwh
from opencarbon.physics.throughput import device_hours, mean_of_ends_device_hours

KG_PER_TONNE: Final = 1_000.0

REFITTED: Final = ("calibrated", "opencarboneval", "svr", "dtr", "constant-utilisation")
"""Methods that :class:`RefittedHours` knows."""

_PROFILES: Final[tuple[Profile, ...]] = ("calibrated", "paper")
_REGRESSIONS: Final[tuple[Kind, ...]] = ("svr", "dtr")


@dataclass(frozen=True, slots=True)
class AlphaInterval:
    """Interval of log10 alpha with the design power that goes with it.

    Parameters
    ----------
    low, high : float
        [log10(1/s)].
    tdp_w : float
        [W].
    """

    low: float
    high: float
    tdp_w: float

    def hours(self, training_flop: float) -> float:
        """Device-hours as the paper predicts them, the mean of the two ends [h]."""
        return float(mean_of_ends_device_hours(training_flop, self.low, self.high))

    def kgco2e(self, training_flop: float, gco2e_per_kwh: float) -> tuple[float, float, float]:
        """Emissions at the fast end, as predicted, and at the slow end [kgCO2e]."""
        fast, slow = (float(device_hours(training_flop, end)) for end in (self.high, self.low))
        return (
            emitted_kgco2e(fast, self.tdp_w, gco2e_per_kwh),
            emitted_kgco2e(self.hours(training_flop), self.tdp_w, gco2e_per_kwh),
            emitted_kgco2e(slow, self.tdp_w, gco2e_per_kwh),
        )


def emitted_kgco2e(hours: float, power_w: float, gco2e_per_kwh: float, pue: float = 1.0) -> float:
    """Operational emissions of device-hours at a power [kgCO2e]."""
    return float(operational_kgco2e(energy_kwh(hours, power_w) * pue, gco2e_per_kwh))


def table_1_intervals(table_1: pa.Table) -> dict[str, AlphaInterval]:
    """Intervals of the paper's Table 1 by group of devices.

    Parameters
    ----------
    table_1 : pa.Table
        As the catalog has it: device_group, tdp_w, log10_alpha_low, log10_alpha_high.

    Returns
    -------
    dict of str to AlphaInterval
    """
    return {
        row["device_group"]: AlphaInterval(row["log10_alpha_low"], row["log10_alpha_high"], row["tdp_w"])
        for row in table_1.to_pylist()
    }


class RefittedHours:
    """Device-hours by methods fitted to runs.

    Parameters
    ----------
    runs : pa.Table
        ``training_runs``.
    devices : pa.Table
        ``dim_device``.
    """

    def __init__(self, runs: pa.Table, devices: pa.Table) -> None:
        rows = devices.select(["device", "peak_dense_tflop_per_s", "tdp_w"]).to_pylist()
        self._peaks: Mapping[str, float] = {row["device"]: row["peak_dense_tflop_per_s"] for row in rows}
        self._tdp_w: Mapping[str, float] = {row["device"]: row["tdp_w"] for row in rows}
        self.fits: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
            profile: {row["device"]: row for row in fit_devices(runs, devices, profile=profile).to_pylist()}
            for profile in _PROFILES
        }
        self._regressors: Mapping[str, Regressor] = {
            kind: fit_regressor(kind, runs, devices) for kind in _REGRESSIONS
        }

    def intervals(self) -> dict[str, AlphaInterval]:
        """Intervals in the paper's form with the design power of each device.

        Returns
        -------
        dict of str to AlphaInterval
            By device.
        """
        return {
            device: AlphaInterval(row["log10_alpha_low"], row["log10_alpha_high"], self._tdp_w[device])
            for device, row in self.fits["paper"].items()
        }

    def hours(self, method: str, training_flop: float, device: str) -> float:
        """Device-hours that a method predicts [h].

        Parameters
        ----------
        method : str
            One of :data:`REFITTED`.
        training_flop : float
            [FLOP].
        device : str
            Canonical name.

        Returns
        -------
        float
        """
        if method == "calibrated":
            return float(device_hours(training_flop, self.fits["calibrated"][device]["log10_alpha"]))
        if method == "opencarboneval":
            fit = self.fits["paper"][device]
            return float(
                mean_of_ends_device_hours(training_flop, fit["log10_alpha_low"], fit["log10_alpha_high"])
            )
        if method == "constant-utilisation":
            return float(device_hours_at(training_flop, CONSTANT_UTILISATION * self._peaks[device]))
        return float(self._regressors[method].device_hours(training_flop, self._peaks[device]))
