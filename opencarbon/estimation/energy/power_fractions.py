"""Measured power over TDP: what a new run draws on each device, from the measurements there are.

The fraction is of the device alone, in logs; the share of the host is taken off what was measured at the server and
added back where power at the server is wanted, never to power that has it. Runs of one source on one silicon are one
observation, their mean. The silicon differs about a mean that is not known, the source about the silicon, the run
about the source: the best linear unbiased prediction (ordinary kriging) of every device has a closed form, whether
it was measured or not.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtri

from opencarbon.errors import FitError
from opencarbon.estimation.energy.power import DEFAULT_HOST_FRACTION
from opencarbon.tables.columns import TYPES

POWER_FRACTIONS_SOURCE: Final = "opencarbon-power-fractions"
"""Source of the pooled fractions."""

WITHIN_SOURCE: Final = 0.3
"""Standard deviation of ln fraction between runs of one source on one silicon.

Over the 23 measured runs it is 0.31: 0.44 from small training on one V100 to large vision models on four, 0.08 between
large language models on TPU v3.
"""

BETWEEN_SOURCES: Final = 0.2
"""Standard deviation of ln fraction between sources on one silicon.

Only the V100 was measured by several, and the means of the three differ by 0.22. Their runs alone explain that (the
restricted likelihood of all runs is flat below 0.2), but three sources are too few to rely on it.
"""

BETWEEN_DEVICES: Final = 0.25
"""Standard deviation of ln fraction between silicons: where the restricted likelihood of the 23 runs is greatest."""

Floats = NDArray[np.float64]

_PREDICTED: Final = pa.schema(
    [
        ("device", TYPES["string"]),
        ("power_fraction_board", TYPES["float64"]),
        ("power_fraction_server", TYPES["float64"]),
        ("power_w", TYPES["float64"]),
        ("power_low_w", TYPES["float64"]),
        ("power_high_w", TYPES["float64"]),
        ("power_status", TYPES["string"]),
        ("measured_runs", TYPES["int64"]),
    ]
)

_LEFT_OUT: Final = pa.schema(
    [
        ("run", TYPES["string"]),
        ("source_group", TYPES["string"]),
        ("source_id", TYPES["string"]),
        ("device", TYPES["string"]),
        ("power_boundary", TYPES["string"]),
        ("tdp_w", TYPES["float64"]),
        ("host_power_w", TYPES["float64"]),
        ("device_hours", TYPES["float64"]),
        ("power_w", TYPES["float64"]),
        ("predicted_power_w", TYPES["float64"]),
        ("predicted_power_low_w", TYPES["float64"]),
        ("predicted_power_high_w", TYPES["float64"]),
    ]
)


class _Device(NamedTuple):
    """A device: its TDP and own host share [W], its die and its peak [TFLOP/s]."""

    tdp_w: float
    host_power_w: float | None
    die: Hashable
    peak: float | None

    def host_share_w(self) -> float:
        return DEFAULT_HOST_FRACTION * self.tdp_w if self.host_power_w is None else self.host_power_w


class _Run(NamedTuple):
    """A measured run: on which die, by whom, and ln(power of the device alone / TDP)."""

    die: Hashable
    source_group: str
    ln_fraction: float


def power_fractions(measured: pa.Table, devices: pa.Table, *, level: float = 0.8) -> pa.Table:
    """Mean power of a new run on each device.

    Parameters
    ----------
    measured : pa.Table
        Measured power: device, tdp_w, power_w [W], power_boundary, evidence, source_group. Only rows whose evidence is
        ``measured`` count; their order does not matter.
    devices : pa.Table
        ``dim_device``: those to predict, and those measured. A fraction stated there plays no part.
    level : float, optional
        Share of new runs of new sources that the interval is to hold.

    Returns
    -------
    pa.Table
        One row per device, in the order of `devices`: power_fraction_board of the device alone and
        power_fraction_server with its host, both over ``tdp_w``; power_w at the server with its interval [W];
        measured_runs; power_status ``measured`` where a device of the same die, TDP and peak was measured, else
        ``assumed``. The host share is ``host_power_w`` of the device, else :data:`DEFAULT_HOST_FRACTION` of its TDP.
        Devices of one die share the fraction at any TDP: a V100 PCIe is as a V100 SXM2, but assumed.

    Raises
    ------
    FitError
        Nothing was measured, or a measured run cannot be used.
    """
    known, rows = _known_devices(devices), _measured_rows(measured)
    runs = [_as_run(row, known) for row in rows]
    counts = _runs_by_twin(rows, known)
    names = [str(name) for name in devices["device"].to_pylist()]
    centre, sd = _predicted_ln_fraction(runs, [known[name].die for name in names])
    found = []
    for name, ln_fraction, spread in zip(names, centre, _half_widths(sd, level), strict=True):
        tdp_w, host_w = known[name].tdp_w, known[name].host_share_w()
        low_w, power_w, high_w = (
            tdp_w * math.exp(ln_fraction + sign * spread) + host_w for sign in (-1, 0, 1)
        )
        measured_runs = counts.get(_twin(known[name], tdp_w), 0)
        found.append(
            {
                "device": name,
                "power_fraction_board": math.exp(ln_fraction),
                "power_fraction_server": power_w / tdp_w,
                "power_w": power_w,
                "power_low_w": low_w,
                "power_high_w": high_w,
                "power_status": "measured" if measured_runs else "assumed",
                "measured_runs": measured_runs,
            }
        )
    return pa.Table.from_pylist(found, schema=_PREDICTED)


def devices_with_power_fractions(devices: pa.Table, measured: pa.Table) -> pa.Table:
    """Devices with the pooled fraction where none is stated.

    Parameters
    ----------
    devices : pa.Table
        ``dim_device``. A power_fraction that stands there, the user's or one cited, stays as it is.
    measured : pa.Table
        As :func:`power_fractions` takes it.

    Returns
    -------
    pa.Table
        `devices`; where power_fraction was null it is that at the server, with its status and source.

    Raises
    ------
    FitError
        As :func:`power_fractions`.
    """
    pooled = power_fractions(measured, devices).to_pylist()
    rows = [
        row if row["power_fraction"] is not None else row | _as_stated(fraction)
        for row, fraction in zip(devices.to_pylist(), pooled, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=devices.schema)


def leave_one_source_out(measured: pa.Table, devices: pa.Table, *, level: float = 0.8) -> pa.Table:
    """Predict every measured run from the runs of all other sources.

    Parameters
    ----------
    measured, devices, level
        As :func:`power_fractions` takes them. Papers of one source_group are one source: all are left out together.

    Returns
    -------
    pa.Table
        One row per measured run, in the order of `measured`: run, source_group, source_id, device, power_boundary,
        tdp_w [W], device_hours [h] and power_w [W] as measured; predicted_power_w with its interval [W] at the boundary
        of the measurement: with host_power_w, a share of the TDP, at the server and with none below.

    Raises
    ------
    FitError
        There are not two sources, or a measured run cannot be used.
    """
    known, rows = _known_devices(devices), _measured_rows(measured)
    if len({row["source_group"] for row in rows}) < 2:
        raise FitError("measured power of one source alone cannot be tested: add another source_group")
    found = []
    for row in rows:
        others = [_as_run(other, known) for other in rows if other["source_group"] != row["source_group"]]
        centre, sd = _predicted_ln_fraction(others, [_device(row, known).die])
        spread, host_w = float(_half_widths(sd, level)[0]), _measured_host_w(row)
        low, central, high = (
            row["tdp_w"] * math.exp(float(centre[0]) + sign * spread) + host_w for sign in (-1, 0, 1)
        )
        predicted = {
            "predicted_power_w": central,
            "predicted_power_low_w": low,
            "predicted_power_high_w": high,
        }
        found.append({name: row.get(name) for name in _LEFT_OUT.names} | {"host_power_w": host_w} | predicted)
    return pa.Table.from_pylist(found, schema=_LEFT_OUT)


def _known_devices(devices: pa.Table) -> dict[str, _Device]:
    return {row["device"]: _as_device(row) for row in devices.to_pylist()}


def _as_device(row: Mapping[str, Any]) -> _Device:
    name, area = row["device"], row["die_mm2"]
    die = name if area is None else (row["vendor"], row["generation"], area)
    return _Device(row["tdp_w"], row["host_power_w"], die, row["peak_dense_tflop_per_s"])


def _measured_rows(measured: pa.Table) -> list[dict[str, Any]]:
    rows = [row for row in measured.to_pylist() if row["evidence"] == "measured"]
    if not rows:
        raise FitError("no power was measured: at least one row needs evidence measured")
    return rows


def _device(row: Mapping[str, Any], known: Mapping[str, _Device]) -> _Device:
    if row["device"] not in known:
        raise FitError(
            f"measured power of {row['run']}: {row['device']!r} is no device; add it to the devices"
        )
    return known[row["device"]]


def _twin(device: _Device, tdp_w: float) -> Hashable:
    """What devices that draw alike have in common: die, TDP and peak."""
    return device.die, tdp_w, device.peak


def _runs_by_twin(rows: Sequence[Mapping[str, Any]], known: Mapping[str, _Device]) -> dict[Hashable, int]:
    twins = [_twin(_device(row, known), row["tdp_w"]) for row in rows]
    return {twin: twins.count(twin) for twin in twins}


def _measured_host_w(row: Mapping[str, Any]) -> float:
    """Host share in a measurement [W]: of the server that was measured, which is not the user's."""
    return DEFAULT_HOST_FRACTION * float(row["tdp_w"]) if row["power_boundary"] == "server" else 0.0


def _as_run(row: Mapping[str, Any], known: Mapping[str, _Device]) -> _Run:
    device = _device(row, known)
    host_w = _measured_host_w(row)
    if row["power_w"] <= host_w:
        raise FitError(
            f"measured power of {row['run']}: {row['power_w']:g} W at the server is not above the host share of "
            f"{host_w:g} W; correct its power_w or its power_boundary"
        )
    return _Run(device.die, row["source_group"], math.log((row["power_w"] - host_w) / row["tdp_w"]))


def _as_stated(fraction: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "power_fraction": fraction["power_fraction_server"],
        "power_boundary": "server",
        "power_status": fraction["power_status"],
        "power_source_id": POWER_FRACTIONS_SOURCE,
    }


def _half_widths(sd: Floats, level: float) -> Floats:
    return np.asarray(float(ndtri((1.0 + level) / 2.0)) * sd)


def _predicted_ln_fraction(runs: Sequence[_Run], dies: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Median and standard deviation of ln fraction of a new run of a new source on each die."""
    keys = sorted({(run.die, run.source_group) for run in runs}, key=repr)
    grouped = [[run.ln_fraction for run in runs if (run.die, run.source_group) == key] for key in keys]
    counts = np.array([float(len(values)) for values in grouped])
    values = np.array([math.fsum(values) for values in grouped]) / counts
    same_die = np.array([[float(die == other) for other, _ in keys] for die, _ in keys])
    same_source = np.array([[float(source == other) for _, other in keys] for _, source in keys])
    reach = BETWEEN_DEVICES**2 * np.array([[float(die == other) for other in dies] for die, _ in keys])
    covariance = BETWEEN_DEVICES**2 * same_die + BETWEEN_SOURCES**2 * same_source
    covariance += np.diag(WITHIN_SOURCE**2 / counts)
    solved = np.linalg.solve(covariance, np.column_stack([np.ones(len(keys)), values, reach]))
    of_ones, of_values, of_reach = solved[:, 0], solved[:, 1], solved[:, 2:]
    mean = of_values.sum() / of_ones.sum()
    centre = mean + reach.T @ (of_values - mean * of_ones)
    left = BETWEEN_DEVICES**2 - np.einsum("ij,ij->j", reach, of_reach)
    error = left + (1.0 - of_reach.sum(axis=0)) ** 2 / of_ones.sum()
    return centre, np.sqrt(error + BETWEEN_SOURCES**2 + WITHIN_SOURCE**2)
