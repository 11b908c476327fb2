"""Operational and embodied carbon, carbon per functional unit, and how their uncertainties combine.

References
----------
.. [1] "OpenCarbonEval: A Unified Carbon Emission Estimation Framework in Large-Scale AI Models" (2024),
   https://arxiv.org/abs/2405.12843.
.. [2] ISO/IEC 21031:2024, "Software Carbon Intensity (SCI) specification",
   https://sci.greensoftware.foundation.
.. [3] Gupta et al. (2022), "ACT: Designing Sustainable Computer Systems with an Architectural Carbon Modeling
   Tool", https://doi.org/10.1145/3470496.3527408, equation 1 (embodied carbon shared out by time of use over
   lifetime).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from opencarbon.physics._arrays import FloatArray, as_float64, checked, numpy_scalar_if_0d
from opencarbon.units import GRAMS_PER_KILOGRAM, HOURS_PER_YEAR

PAPER_LIFETIME_H = HOURS_PER_YEAR
"""Service life of a device in the published embodied figures [1]_: one year [h]."""

PAPER_FLEET_UTILISATION = 1.0
"""Share of its life that a device is at work in the published embodied figures [1]_: all of it."""

Z80 = 1.2815515655446004
"""Standard normal quantile of 0.9: mean +/- this many standard deviations is a central 80 % interval,
so that ``_low`` and ``_high`` are the 10th and 90th percentile (scipy.special.ndtri(0.9))."""


def normal_half_width(level: float) -> float:
    """Standard deviations of a normal on either side of its mean that hold a share of it.

    Parameters
    ----------
    level : float
        Share, between 0 and 1.

    Returns
    -------
    float
    """
    return float(ndtri((1.0 + level) / 2.0))


class Interval(NamedTuple):
    """Lower and upper end of a central interval, in the unit of what it is about."""

    low: FloatArray
    high: FloatArray


def operational_kgco2e(facility_energy_kwh: ArrayLike, gco2e_per_kwh: ArrayLike) -> FloatArray:
    """Operational emissions, location-based and average [kgCO2e].

    Parameters
    ----------
    facility_energy_kwh : array_like
        Energy of the facility [kWh].
    gco2e_per_kwh : array_like
        Carbon intensity of the electricity, averaged over the run [gCO2e/kWh]. Broadcasts.

    Returns
    -------
    ndarray of float64
        Emissions [kgCO2e], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    energy = checked("facility_energy_kwh", facility_energy_kwh)
    return numpy_scalar_if_0d(
        as_float64(energy * checked("gco2e_per_kwh", gco2e_per_kwh) / GRAMS_PER_KILOGRAM)
    )


def server_boundary_kgco2e(
    device_kgco2e: ArrayLike, server_kgco2e: ArrayLike, devices_per_server: ArrayLike
) -> FloatArray:
    """Embodied carbon of one device within the boundary `server` [kgCO2e per device].

    The boundaries, each within the next: `die` (the processor's silicon alone, as published in [1]_), `card`
    (the board with memory, power stages and cooler), and `server` (the card and an equal share of everything
    else in the server: host processors, memory, storage, network, chassis).

    Parameters
    ----------
    device_kgco2e : array_like
        Embodied carbon of the card [kgCO2e].
    server_kgco2e : array_like
        Embodied carbon of the server without its accelerator cards [kgCO2e].
    devices_per_server : array_like
        Accelerators that share the server [1], at least 1.

    Returns
    -------
    ndarray of float64
        Embodied carbon per device [kgCO2e], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or `devices_per_server` below 1.
    """
    share = checked("server_kgco2e", server_kgco2e) / checked(
        "devices_per_server", devices_per_server, at_least=1.0
    )
    return numpy_scalar_if_0d(as_float64(checked("device_kgco2e", device_kgco2e) + share))


def embodied_kgco2e(
    total_embodied_kgco2e: ArrayLike,
    device_hours: ArrayLike,
    lifetime_h: ArrayLike,
    fleet_utilisation: ArrayLike,
) -> FloatArray:
    """Embodied emissions attributed to a run, ``M = TE x hours / (lifetime x fleet utilisation)`` [kgCO2e].

    Parameters
    ----------
    total_embodied_kgco2e : array_like
        Embodied carbon of one device, TE [kgCO2e], within the boundary `die`, `card` or `server`
        (see `server_boundary_kgco2e`). Figures of different boundaries do not compare.
    device_hours : array_like
        Device-hours of the run [h].
    lifetime_h : array_like
        Service life of the device [h], greater than 0. `PAPER_LIFETIME_H` in the published figures [1]_.
    fleet_utilisation : array_like
        Share of its life that the device is at work [1], greater than 0 and at most 1: the carbon of idle
        hours is borne by the working ones. `PAPER_FLEET_UTILISATION` in the published figures.

    Returns
    -------
    ndarray of float64
        Emissions [kgCO2e], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    total = checked("total_embodied_kgco2e", total_embodied_kgco2e)
    at_work_h = checked("lifetime_h", lifetime_h, above_zero=True) * checked(
        "fleet_utilisation", fleet_utilisation, above_zero=True, at_most=1.0
    )
    return numpy_scalar_if_0d(as_float64(total * checked("device_hours", device_hours) / at_work_h))


def sci_kgco2e_per_unit(
    energy_kwh: ArrayLike,
    gco2e_per_kwh: ArrayLike,
    embodied_kgco2e: ArrayLike,
    functional_units: ArrayLike,
) -> FloatArray:
    """Software carbon intensity ``(E x I + M) / R`` [kgCO2e per functional unit] [2]_.

    Parameters
    ----------
    energy_kwh : array_like
        Energy E of the software [kWh].
    gco2e_per_kwh : array_like
        Location-based carbon intensity I [gCO2e/kWh].
    embodied_kgco2e : array_like
        Embodied emissions M attributed to the software [kgCO2e].
    functional_units : array_like
        Functional units R, such as training runs [1], greater than 0.

    Returns
    -------
    ndarray of float64
        Rate [kgCO2e per functional unit], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or `functional_units` 0.
    """
    emitted = operational_kgco2e(energy_kwh, gco2e_per_kwh) + checked("embodied_kgco2e", embodied_kgco2e)
    return numpy_scalar_if_0d(
        as_float64(emitted / checked("functional_units", functional_units, above_zero=True))
    )


def root_sum_square(ln_ratios: Sequence[ArrayLike]) -> FloatArray:
    """Half-width of a product of independent factors, in logarithms [1].

    Parameters
    ----------
    ln_ratios : sequence of array_like
        Half-width of each factor as the logarithm of a ratio: ``ln(high / central)`` upwards, or
        ``ln(central / low)`` downwards [1], at least 0. All broadcast; an empty sequence gives 0.

    Returns
    -------
    ndarray of float64
        Square root of the sum of squares [1]; a numpy scalar for scalars; NaN where a half-width is.

    Raises
    ------
    ValueError
        If a half-width is negative or infinite.
    """
    squares: FloatArray = np.zeros(())
    for position, ratio in enumerate(ln_ratios):
        squares = squares + np.square(checked(f"ln_ratios[{position}]", ratio))
    return numpy_scalar_if_0d(as_float64(np.sqrt(squares)))


def product_interval(
    central: ArrayLike, *, ln_ratios_down: Sequence[ArrayLike], ln_ratios_up: Sequence[ArrayLike]
) -> Interval:
    """Interval of a product from those of its independent factors, down and up apart.

    Parameters
    ----------
    central : array_like
        Central value, in any unit, at least 0.
    ln_ratios_down : sequence of array_like
        ``ln(central / low)`` of each factor [1].
    ln_ratios_up : sequence of array_like
        ``ln(high / central)`` of each factor [1].

    Returns
    -------
    Interval
        Low and high, in the unit of `central`, each of the broadcast shape.

    Raises
    ------
    ValueError
        If `central` or a half-width is negative or infinite.

    Notes
    -----
    Half-widths must all be of one coverage (here 80 %, see `Z80`). Exact for lognormal factors.
    """
    middle = checked("central", central)
    return Interval(
        low=numpy_scalar_if_0d(as_float64(middle * np.exp(-root_sum_square(ln_ratios_down)))),
        high=numpy_scalar_if_0d(as_float64(middle * np.exp(root_sum_square(ln_ratios_up)))),
    )
