"""Mean power and embodied emissions of devices, as the jobs of a batch need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from opencarbon.catalog.catalog import PAPER_SOURCE, PaperDevice
from opencarbon.estimation.fitting.history_runs import OWN_HISTORY
from opencarbon.estimation.hours import row_of_device
from opencarbon.estimation.work import numbers, texts
from opencarbon.physics.carbon import (
    PAPER_FLEET_UTILISATION,
    PAPER_LIFETIME_H,
    Z80,
    embodied_kgco2e,
)
from opencarbon.physics.power import node_power_w
from opencarbon.units import GRAMS_PER_KILOGRAM

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]

DEFAULT_POWER_FRACTION: Final = 0.75
"""Mean power of an accelerator over its TDP while training, for a table of devices that states none; the constant that
pooled fractions are scored against. Middle of the 0.70 to 0.80 of large language models on A100 (281 of 400 W, Dodge et
al. 2022) and, with its host taken off, V100 (330 W, Patterson et al. 2021)."""

DEFAULT_HOST_FRACTION: Final = 0.30
"""Host share per accelerator over its TDP, where none is known: EcoLogits 0.11.3 takes 1.2 kW for the host of eight GPUs,
0.375 of the TDP of an A100 and 0.214 of that of an H100."""

HALF_WIDTH: Final = {
    "manifest": 0.0,
    "own_runs": 0.28,
    "measured_fraction": 0.34,
    "assumed_fraction": 0.39,
    "tdp": 0.0,
}
"""80 % half-width of ln power at the server, of a new run. Medians over the devices of the catalog of what
:func:`~opencarbon.estimation.energy.power_fractions.power_fractions` gives: runs, sources and devices differ as they do in 23
measured runs. Predicted without its source, power was within its interval in 19 of 22. The paper's TDP carries none.
Own runs differ as runs of one source do: 1.28 of their deviation of 0.3, for the device, which is three quarters of the
power at the server."""


_ENDS: Final = ("low", "central", "high")


@dataclass(frozen=True, slots=True)
class PowerColumns:
    """Power and embodied emissions for a batch of jobs, each array of shape (jobs,).

    Parameters
    ----------
    power_w : ndarray
        Mean power of one device with its share of the host [W].
    up, down : ndarray
        Half-widths of its interval in logs.
    source, source_id, status : ndarray of object
    embodied_kgco2e_per_device_hour : mapping of str to ndarray
        ``low``, ``central`` and ``high`` [kgCO2e/h].
    embodied_status : ndarray of object
    """

    power_w: Floats
    up: Floats
    down: Floats
    source: Objects
    source_id: Objects
    status: Objects
    embodied_kgco2e_per_device_hour: Mapping[str, Floats]
    embodied_status: Objects


@dataclass(frozen=True, slots=True)
class _Devices:
    """The same for every device of the catalog, each array of shape (devices,)."""

    power_w: Floats
    source: Objects
    source_id: Objects
    status: Objects
    embodied: Mapping[str, Floats]
    embodied_status: Objects


def power_of_devices(
    jobs: pa.Table,
    devices: pa.Table,
    *,
    lifetime_h: float,
    fleet_utilisation: float,
    paper: Mapping[str, PaperDevice] | None = None,
    z: float = Z80,
) -> PowerColumns:
    """Power of every job, measured by its owner, else from its device; and what its hardware embodies.

    Parameters
    ----------
    jobs : pa.Table
        ``PLANNED_JOBS``.
    devices : pa.Table
        ``dim_device``.
    lifetime_h : float
        Service life of a device [h].
    fleet_utilisation : float
        Share of its life that a device is in use.
    paper : mapping of str to PaperDevice, optional
        Do as OpenCarbonEval does: design power, a life of one year, and its own figures where it has them.
    z : float, optional
        Standard deviations of a normal that half the interval spans; those of 80 % if not given.

    Returns
    -------
    PowerColumns
    """
    table = (
        _calibrated(devices, lifetime_h, fleet_utilisation)
        if paper is None
        else _as_published(devices, paper)
    )
    at = row_of_device(jobs["device"], devices)
    own = numbers(jobs, "power_w")
    stated = np.isfinite(own)
    widths = np.array([HALF_WIDTH[name] for name in table.source])[at]
    source, source_id, status = table.source[at], table.source_id[at], table.status[at]
    source[stated], source_id[stated], status[stated] = "manifest", None, "measured"
    width = np.where(stated, HALF_WIDTH["manifest"], widths) * (z / Z80)
    return PowerColumns(
        power_w=node_power_w(measured_power_w=own, tdp_w=table.power_w[at]),
        up=width,
        down=width,
        source=source,
        source_id=source_id,
        status=status,
        embodied_kgco2e_per_device_hour={end: table.embodied[end][at] for end in _ENDS},
        embodied_status=table.embodied_status[at],
    )


def _calibrated(devices: pa.Table, lifetime_h: float, fleet_utilisation: float) -> _Devices:
    tdp, fraction = numbers(devices, "tdp_w"), numbers(devices, "power_fraction")
    host = numbers(devices, "host_power_w")
    known = np.isfinite(fraction)
    includes_host = known & (texts(devices["power_boundary"]) == "server")
    measured = known & (texts(devices["power_status"]) == "measured")
    share = np.where(np.isfinite(host), host, DEFAULT_HOST_FRACTION * tdp)
    named, own = texts(devices["power_source_id"]), texts(devices["source_id"])
    return _Devices(
        power_w=node_power_w(
            tdp_w=tdp,
            power_fraction=np.where(known, fraction, DEFAULT_POWER_FRACTION),
            host_power_w=np.where(includes_host, 0.0, share),
        ),
        source=_source_of_fraction(measured, named),
        source_id=np.array([one or other for one, other in zip(named, own, strict=True)], dtype=object),
        status=np.where(measured, "estimated", "assumed").astype(object),
        embodied=_per_hour(devices, lifetime_h, fleet_utilisation),
        embodied_status=_or_assumed(devices, "embodied_status"),
    )


def _source_of_fraction(measured: npt.NDArray[np.bool_], source_id: Objects) -> Objects:
    own = measured & (source_id == OWN_HISTORY)
    names = np.select([own, measured], ["own_runs", "measured_fraction"], "assumed_fraction")
    return np.asarray(names, dtype=object)


def _as_published(devices: pa.Table, paper: Mapping[str, PaperDevice]) -> _Devices:
    power_w, status = numbers(devices, "tdp_w").copy(), _or_assumed(devices, "tdp_status")
    source_id, embodied_status = texts(devices["source_id"]), _or_assumed(devices, "embodied_status")
    embodied = _per_hour(devices, PAPER_LIFETIME_H, PAPER_FLEET_UTILISATION)
    for row, name in enumerate(devices["device"].to_pylist()):
        published = paper.get(str(name))
        if published is None:
            continue
        power_w[row], source_id[row], status[row] = published.tdp_w, PAPER_SOURCE, "estimated"
        if published.embodied_g_per_device_hour is not None:
            embodied_status[row] = "estimated"
            for end in _ENDS:
                embodied[end][row] = published.embodied_g_per_device_hour / GRAMS_PER_KILOGRAM
    return _Devices(
        power_w=power_w,
        source=np.full(len(power_w), "tdp", dtype=object),
        source_id=source_id,
        status=status,
        embodied=embodied,
        embodied_status=embodied_status,
    )


def _per_hour(devices: pa.Table, lifetime_h: float, fleet_utilisation: float) -> dict[str, Floats]:
    """Embodied emissions of an hour of each device [kgCO2e/h]."""
    one_hour = np.ones(devices.num_rows)
    return {
        end: np.array(
            embodied_kgco2e(
                numbers(devices, f"embodied_{end}_kgco2e"), one_hour, lifetime_h, fleet_utilisation
            )
        )
        for end in _ENDS
    }


def _or_assumed(devices: pa.Table, name: str) -> Objects:
    return np.array([status or "assumed" for status in texts(devices[name])], dtype=object)
