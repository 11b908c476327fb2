"""Measured power of the own fleet: from its runs, through the device fits, to its devices."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from opencarbon.estimation.fitting.history_runs import OWN_HISTORY

POWER_FRACTION_BOUNDS: Final = (0.1, 2.0)
"""Mean power over design power between which a log is believed. An idle H100 or H200 draws 70 to 80 of its 700 W (by
nvidia-smi; not checked at its maker): with less, the log did not see the devices. Above is the bound of
``power_fraction``; clusters with their hosts draw 1.10-1.14 (Patterson et al. 2021, arXiv:2104.10350, table 4)."""

_BOUNDARIES: Final = ("chip", "board", "server")
"""What a measurement includes, the least first."""

_FIT_COLUMNS: Final = ("measured_power_w", "measured_power_boundary")

_COLUMNS: Final[Mapping[str, pa.DataType]] = {
    "device": pa.string(),
    "measured_power_w": pa.float64(),
    "measured_power_boundary": pa.string(),
    "measured_runs": pa.int64(),
    "measured_device_hours": pa.float64(),
}


def own_power(history: pa.Table, devices: pa.Table) -> pa.Table:
    """Mean power of one device over the runs of the own fleet, weighted by device-hours.

    Parameters
    ----------
    history : pa.Table
        ``RUN_HISTORY``: device, device_hours [h], power_w [W] before PUE, power_boundary.
    devices : pa.Table
        Devices: device, tdp_w [W].

    Returns
    -------
    pa.Table
        device, measured_power_w [W], measured_power_boundary, measured_runs and measured_device_hours [h], sorted by
        device; no row for a device without a measured run. Of runs with several boundaries those count that include
        most, since nothing has to be assumed beside them. A run outside :data:`POWER_FRACTION_BOUNDS` does not count.
    """
    tdp = dict(zip(devices["device"].to_pylist(), devices["tdp_w"].to_pylist(), strict=True))
    names = ["device", "device_hours", "power_w", "power_boundary"]
    measured: dict[str, list[Mapping[str, Any]]] = {}
    for run in history.select(names).to_pylist():
        if run["power_w"] is not None and _is_plausible(run["power_w"], tdp.get(run["device"])):
            measured.setdefault(run["device"], []).append(run)
    rows = [{"device": device} | _mean(runs) for device, runs in sorted(measured.items())]
    return pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS))


def fits_with_own_power(fits: pa.Table, power: pa.Table) -> pa.Table:
    """Put the measured power of the own fleet beside the throughput of its devices.

    Parameters
    ----------
    fits : pa.Table
        ``fact_device_fit``, with or without ``run_id``.
    power : pa.Table
        As :func:`own_power` gives it.

    Returns
    -------
    pa.Table
        `fits` with ``measured_power_w`` [W] and ``measured_power_boundary``, null for the other devices.
    """
    known = {row["device"]: row for row in power.to_pylist()}
    for name in _FIT_COLUMNS:
        values = [known.get(device, {}).get(name) for device in fits["device"].to_pylist()]
        at = fits.schema.get_field_index(name)
        fits = fits.set_column(at, fits.schema.field(at), pa.array(values, fits.schema.field(at).type))
    return fits


def devices_with_own_power(devices: pa.Table, fits: pa.Table) -> pa.Table:
    """Devices with the measured power of the own fleet in the place of anyone else's.

    Parameters
    ----------
    devices : pa.Table
        ``dim_device``.
    fits : pa.Table
        ``fact_device_fit``, with or without ``run_id``.

    Returns
    -------
    pa.Table
        `devices`; where the fleet was measured, ``power_fraction`` is its mean power over ``tdp_w``,
        ``power_boundary`` what that includes, ``power_status`` measured and ``power_source_id`` the own history.
    """
    if not set(_FIT_COLUMNS) <= set(fits.column_names):
        return devices
    power = {row["device"]: row for row in fits.select(["device", *_FIT_COLUMNS]).to_pylist()}
    rows = [_overlaid(row, power.get(row["device"])) for row in devices.to_pylist()]
    return pa.Table.from_pylist(rows, schema=devices.schema)


def _is_plausible(power_w: float, tdp_w: float | None) -> bool:
    least, most = POWER_FRACTION_BOUNDS
    return tdp_w is not None and least <= power_w / tdp_w <= most


def _mean(runs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    by_boundary: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_boundary.setdefault(run["power_boundary"], []).append(run)
    boundary = max(by_boundary, key=_BOUNDARIES.index)
    counted = by_boundary[boundary]
    hours = sum(run["device_hours"] for run in counted)
    return {
        "measured_power_w": sum(run["power_w"] * run["device_hours"] for run in counted) / hours,
        "measured_power_boundary": boundary,
        "measured_runs": len(counted),
        "measured_device_hours": hours,
    }


def _overlaid(row: dict[str, Any], power: Mapping[str, Any] | None) -> dict[str, Any]:
    if power is None or power["measured_power_w"] is None:
        return row
    return row | {
        "power_fraction": power["measured_power_w"] / row["tdp_w"],
        "power_boundary": power["measured_power_boundary"],
        "power_status": "measured",
        "power_source_id": OWN_HISTORY,
    }
