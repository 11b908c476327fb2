"""How wrong predicted energy and carbon are, on runs whose power was measured."""

from typing import Any, Final

import pyarrow as pa

from opencarbon.estimation.energy.power import DEFAULT_POWER_FRACTION
from opencarbon.estimation.energy.power_fractions import leave_one_source_out
from opencarbon.tables.columns import TYPES
from opencarbon.units import GRAMS_PER_KILOGRAM, WATTS_PER_KILOWATT

_ENERGY: Final = pa.schema(
    [
        ("run", TYPES["string"]),
        ("source", TYPES["string"]),
        ("source_id", TYPES["string"]),
        ("device", TYPES["string"]),
        ("boundary", TYPES["string"]),
        ("actual_energy_kwh", TYPES["float64"]),
        ("predicted_energy_kwh", TYPES["float64"]),
        ("predicted_energy_low_kwh", TYPES["float64"]),
        ("predicted_energy_high_kwh", TYPES["float64"]),
        ("tdp_energy_kwh", TYPES["float64"]),
        ("constant_fraction_energy_kwh", TYPES["float64"]),
    ]
)

_CARBON: Final = pa.schema(
    [
        ("run", TYPES["string"]),
        ("source", TYPES["string"]),
        ("source_id", TYPES["string"]),
        ("device", TYPES["string"]),
        ("pue", TYPES["float64"]),
        ("carbon_intensity_gco2e_per_kwh", TYPES["float64"]),
        ("actual_kgco2e", TYPES["float64"]),
        ("predicted_kgco2e", TYPES["float64"]),
        ("predicted_low_kgco2e", TYPES["float64"]),
        ("predicted_high_kgco2e", TYPES["float64"]),
        ("is_independent", TYPES["bool"]),
    ]
)

_OWN: Final = ("device_hours", "pue", "carbon_intensity_gco2e_per_kwh", "actual_kgco2e")
"""What a run must publish itself for its carbon to be compared."""


def energy_errors(measured: pa.Table, devices: pa.Table, *, level: float = 0.8) -> pa.Table:
    """Energy of every measured run, predicted from the power that other sources measured.

    Hours are those of the run: power alone is tested. No row rests on hours x TDP; it is a baseline, never the truth.

    Parameters
    ----------
    measured : pa.Table
        Measured power, as :func:`leave_one_source_out` takes it, with device_hours [h]; a run whose hours are not
        published has no energy and no row.
    devices : pa.Table
        ``dim_device``.
    level : float, optional
        Share of new runs that the interval is to hold.

    Returns
    -------
    pa.Table
        run, source (its source_group), source_id, device, boundary of the measurement; actual_energy_kwh;
        predicted_energy_kwh with its interval, all of the source left out; and of two baselines tdp_energy_kwh, hours
        x TDP at any boundary, and constant_fraction_energy_kwh, hours x (:data:`DEFAULT_POWER_FRACTION` of TDP and,
        at the server, the host share). IT energy before PUE [kWh].

    Raises
    ------
    FitError
        As :func:`leave_one_source_out`.
    """
    rows = leave_one_source_out(measured, devices, level=level).to_pylist()
    return pa.Table.from_pylist([_energies(row) for row in rows if row["device_hours"]], schema=_ENERGY)


def carbon_errors(runs: pa.Table, measured: pa.Table, devices: pa.Table, *, level: float = 0.8) -> pa.Table:
    """Carbon of measured runs by their own intensity and PUE, which is no independent test.

    The reported carbon is the reported energy x the reported intensity by construction. With the same PUE and
    intensity on both sides they cancel, and what remains is the error of the energy: ``is_independent`` is false in
    every row. A run without an intensity of its own is left out: with another intensity the comparison would be
    one of grids.

    Parameters
    ----------
    runs : pa.Table
        Published runs: run, device_hours [h], pue, carbon_intensity_gco2e_per_kwh, actual_kgco2e.
    measured, devices, level
        As :func:`energy_errors` takes them; of `runs` only those count that were measured at the server, since PUE is
        over the energy of servers.

    Returns
    -------
    pa.Table
        run, source, source_id, device, pue, carbon_intensity_gco2e_per_kwh, actual_kgco2e, predicted_kgco2e with its
        interval [kgCO2e], is_independent.

    Raises
    ------
    FitError
        As :func:`leave_one_source_out`.
    """
    published = {run["run"]: run for run in runs.to_pylist() if all(run[name] is not None for name in _OWN)}
    rows = [
        _carbon(row, published[row["run"]])
        for row in leave_one_source_out(measured, devices, level=level).to_pylist()
        if row["run"] in published and row["power_boundary"] == "server"
    ]
    return pa.Table.from_pylist(rows, schema=_CARBON)


def _energies(row: dict[str, Any]) -> dict[str, Any]:
    kilohours = row["device_hours"] / WATTS_PER_KILOWATT
    return {
        "run": row["run"],
        "source": row["source_group"],
        "source_id": row["source_id"],
        "device": row["device"],
        "boundary": row["power_boundary"],
        "actual_energy_kwh": row["power_w"] * kilohours,
        "predicted_energy_kwh": row["predicted_power_w"] * kilohours,
        "predicted_energy_low_kwh": row["predicted_power_low_w"] * kilohours,
        "predicted_energy_high_kwh": row["predicted_power_high_w"] * kilohours,
        "tdp_energy_kwh": row["tdp_w"] * kilohours,
        "constant_fraction_energy_kwh": (
            (DEFAULT_POWER_FRACTION * row["tdp_w"] + row["host_power_w"]) * kilohours
        ),
    }


def _carbon(row: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    kg_per_w = (
        run["device_hours"]
        / WATTS_PER_KILOWATT
        * run["pue"]
        * run["carbon_intensity_gco2e_per_kwh"]
        / GRAMS_PER_KILOGRAM
    )
    return {
        "run": row["run"],
        "source": row["source_group"],
        "source_id": row["source_id"],
        "device": row["device"],
        **{name: run[name] for name in _OWN[1:]},
        "predicted_kgco2e": row["predicted_power_w"] * kg_per_w,
        "predicted_low_kgco2e": row["predicted_power_low_w"] * kg_per_w,
        "predicted_high_kgco2e": row["predicted_power_high_w"] * kg_per_w,
        "is_independent": False,
    }
