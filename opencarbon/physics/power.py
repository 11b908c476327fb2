"""From device-hours to energy: power of a device with its share of the host, then the building around it."""

import numpy as np
from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, as_float64, checked, numpy_scalar_if_0d
from opencarbon.units import WATTS_PER_KILOWATT


def node_power_w(
    *,
    measured_power_w: ArrayLike = np.nan,
    tdp_w: ArrayLike = np.nan,
    power_fraction: ArrayLike = 1.0,
    host_power_w: ArrayLike = 0.0,
) -> FloatArray:
    """Average power per device while training, its share of the host included [W].

    A measured average is taken as it is. Otherwise ``tdp_w x power_fraction + host_power_w``. The defaults
    are the method of OpenCarbonEval (arXiv:2405.12843): TDP, no host.

    Parameters
    ----------
    measured_power_w : array_like, optional
        Measured average per device, share of the host included [W]; NaN where not measured.
    tdp_w : array_like, optional
        Thermal design power of the device [W].
    power_fraction : array_like, optional
        Average draw of the device in training over its TDP [1].
    host_power_w : array_like, optional
        Share of the host (processors, memory, network, fans) per device [W].

    Returns
    -------
    ndarray of float64
        Power per device [W], of the broadcast shape; a numpy scalar for scalars; NaN where nothing is known.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    measured = checked("measured_power_w", measured_power_w)
    modelled = checked("tdp_w", tdp_w) * checked("power_fraction", power_fraction) + checked(
        "host_power_w", host_power_w
    )
    return numpy_scalar_if_0d(as_float64(np.where(np.isnan(measured), modelled, measured)))


def energy_kwh(device_hours: ArrayLike, power_w: ArrayLike) -> FloatArray:
    """Energy of the IT equipment, at the server [kWh].

    Parameters
    ----------
    device_hours : array_like
        Device-hours [h].
    power_w : array_like
        Average power per device, share of the host included [W]. Broadcasts.

    Returns
    -------
    ndarray of float64
        Energy [kWh], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    return numpy_scalar_if_0d(
        as_float64(checked("device_hours", device_hours) * checked("power_w", power_w) / WATTS_PER_KILOWATT)
    )


def facility_energy_kwh(energy_kwh: ArrayLike, pue: ArrayLike) -> FloatArray:
    """Energy of the whole facility, cooling and power distribution included [kWh].

    Parameters
    ----------
    energy_kwh : array_like
        IT energy, at the server [kWh].
    pue : array_like
        Power usage effectiveness (ISO/IEC 30134-2): facility energy over IT energy [1], at least 1.
        Broadcasts.

    Returns
    -------
    ndarray of float64
        Energy [kWh], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If the energy is negative or infinite, or `pue` below 1 or infinite.
    """
    return numpy_scalar_if_0d(
        as_float64(checked("energy_kwh", energy_kwh) * checked("pue", pue, at_least=1.0))
    )


def hours_power_energy_kwh(
    device_hours: ArrayLike,
    device_power_w: ArrayLike,
    *,
    device_power_fraction: ArrayLike = 1.0,
    idle_w: ArrayLike = 0.0,
    processor_power_w: ArrayLike = 0.0,
    memory_w_per_gb: ArrayLike = 0.0,
    memory_gb: ArrayLike = 0.0,
    repeats: ArrayLike = 1.0,
) -> FloatArray:
    """IT energy by hours times power, the one formula of the tools that need known device-hours [kWh].

    ``device_hours x (device_power_w x device_power_fraction + idle_w + processor_power_w
    + memory_w_per_gb x memory_gb) / 1000 x repeats``, every power per device. The defaults leave device-hours
    times device power, the method of ML CO2 Impact (arXiv:1910.09700). With memory and repeats it is
    Green Algorithms (doi:10.1002/advs.202100707), with idle power the account of BLOOM (arXiv:2211.02001).

    Parameters
    ----------
    device_hours : array_like
        Device-hours of one run [h].
    device_power_w : array_like
        Power of the device at full use [W].
    device_power_fraction : array_like, optional
        Average draw of the device over `device_power_w` [1].
    idle_w : array_like, optional
        Share per device of what the cluster draws while nothing runs [W].
    processor_power_w : array_like, optional
        Share per device of the host's processors [W].
    memory_w_per_gb : array_like, optional
        Power of host memory [W/GB].
    memory_gb : array_like, optional
        Host memory per device [GB].
    repeats : array_like, optional
        How often the run is done in all [1], at least 1: the pragmatic scaling factor of Green Algorithms.

    Returns
    -------
    ndarray of float64
        Energy at the server [kWh], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or `repeats` below 1.
    """
    device_w = checked("device_power_w", device_power_w) * checked(
        "device_power_fraction", device_power_fraction
    )
    host_w = (
        checked("idle_w", idle_w)
        + checked("processor_power_w", processor_power_w)
        + checked("memory_w_per_gb", memory_w_per_gb) * checked("memory_gb", memory_gb)
    )
    once_kwh = energy_kwh(device_hours, device_w + host_w)
    return numpy_scalar_if_0d(as_float64(once_kwh * checked("repeats", repeats, at_least=1.0)))


def traffic_energy_kwh(traffic_gb: ArrayLike, kwh_per_gb: ArrayLike) -> FloatArray:
    """Energy of data sent through data centres, to be added to that of the facility [kWh].

    Parameters
    ----------
    traffic_gb : array_like
        Data sent [GB of 1e9 bytes].
    kwh_per_gb : array_like
        Energy of sending it [kWh/GB]; no PUE comes on top. Broadcasts.

    Returns
    -------
    ndarray of float64
        Energy [kWh], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    return numpy_scalar_if_0d(
        as_float64(checked("traffic_gb", traffic_gb) * checked("kwh_per_gb", kwh_per_gb))
    )
