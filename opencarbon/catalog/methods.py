"""The hours-times-power family of methods: one formula, a row of coefficients each.

The formula is :func:`opencarbon.physics.power.hours_power_energy_kwh`, with facility energy, traffic and embodied
emissions after it. ``data/hours_power_methods.csv`` holds the coefficients, ``hours_power_devices.csv`` the powers
that a tool lists for devices, ``hours_power_pue.csv`` the PUE that it takes for providers.

A zero is a term that the method does not have, or leaves out before a run is measured; ``limits`` says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from opencarbon.catalog.files import packaged, read_csv
from opencarbon.errors import ConfigError

DevicePowerBasis: TypeAlias = Literal["tdp", "list_or_tdp", "list_or_default"]
"""Power of a device: its TDP; the method's own list, else TDP; the method's own list, else a default."""

PueBasis: TypeAlias = Literal["none", "constant", "provider"]
"""PUE: not counted; one value; a value per provider, and another where the provider is unknown."""


@dataclass(frozen=True, slots=True)
class HoursPowerMethod:
    """Coefficients of one method of the hours-times-power family.

    Parameters
    ----------
    method, title : str
        Name and title.
    device_power_basis : str
        One of :data:`DevicePowerBasis`.
    default_device_power_w : float or None
        Power of a device of which nothing is known [W]; None where the method then has no answer.
    device_power_fraction : float
        Average draw of a device over its power [1].
    idle_w_per_device, processor_power_w_per_device : float
        Shares per device of the idle cluster and of the host's processors [W].
    memory_w_per_gb, memory_gb_per_device : float
        Power of host memory [W/GB], and the memory taken where the job does not state its own [GB per device].
    pue_basis : str
        One of :data:`PueBasis`.
    pue : float or None
        PUE, of unknown providers where it goes by provider [1]; None where it is not counted.
    world_intensity_gco2e_per_kwh : float or None
        Carbon intensity where no region is known [gCO2e/kWh]; None where the method then has no answer.
    traffic_kwh_per_gb : float
        Energy of data sent [kWh/GB].
    embodied_g_per_device_hour : float or None
        Embodied emissions of an hour of one device [gCO2e/h]; None where the method has none.
    needs, formula, limits : str
        What a job must state; how the method comes to its figure; what it does not know.
    source_id, note : str
        Source, and what else there is to say about the coefficients.
    device_powers_w : mapping of str to float
        Device -> power that the method lists for it [W].
    provider_pues : mapping of str to float
        Provider -> PUE that the method takes [1].
    """

    method: str
    title: str
    device_power_basis: DevicePowerBasis
    default_device_power_w: float | None
    device_power_fraction: float
    idle_w_per_device: float
    processor_power_w_per_device: float
    memory_w_per_gb: float
    memory_gb_per_device: float
    pue_basis: PueBasis
    pue: float | None
    world_intensity_gco2e_per_kwh: float | None
    traffic_kwh_per_gb: float
    embodied_g_per_device_hour: float | None
    needs: str
    formula: str
    limits: str
    source_id: str
    note: str
    device_powers_w: Mapping[str, float]
    provider_pues: Mapping[str, float]

    def device_power_w(self, device: str, tdp_w: float | None) -> float | None:
        """Power of a device at full use, as the method sees it [W].

        Parameters
        ----------
        device : str
            Canonical name.
        tdp_w : float or None
            Its thermal design power [W].

        Returns
        -------
        float or None
            The method's own figure, else `tdp_w` unless the method does without, else its default.
        """
        if device in self.device_powers_w:
            return self.device_powers_w[device]
        if tdp_w is not None and self.device_power_basis != "list_or_default":
            return tdp_w
        return self.default_device_power_w

    def pue_at(self, provider: str | None) -> float:
        """PUE that the method takes [1].

        Parameters
        ----------
        provider : str or None
            Provider, such as ``aws``; None where unknown.

        Returns
        -------
        float
            1 where the method counts no PUE: its facility energy is the IT energy.
        """
        if self.pue is None:
            return 1.0
        return self.pue if provider is None else self.provider_pues.get(provider, self.pue)


@cache
def load_hours_power_methods() -> Mapping[str, HoursPowerMethod]:
    """Every method of the family by name, in the order of the file.

    Returns
    -------
    mapping of str to HoursPowerMethod

    Raises
    ------
    ConfigError
        A file that cannot be read, or an empty cell where the formula needs a number.
    """
    rows = {str(row["method"]): row for row in read_csv(packaged("hours_power_methods.csv")).to_pylist()}
    powers = _by_method("hours_power_devices.csv", "device", "power_w", rows)
    pues = _by_method("hours_power_pue.csv", "provider", "pue", rows)
    return MappingProxyType({name: _method(row, powers[name], pues[name]) for name, row in rows.items()})


def _method(
    row: Mapping[str, Any], powers: Mapping[str, float], pues: Mapping[str, float]
) -> HoursPowerMethod:
    return HoursPowerMethod(
        method=row["method"],
        title=row["title"],
        device_power_basis=row["device_power_basis"],
        default_device_power_w=_number(row, "default_device_power_w"),
        device_power_fraction=_required(row, "device_power_fraction"),
        idle_w_per_device=_required(row, "idle_w_per_device"),
        processor_power_w_per_device=_required(row, "processor_power_w_per_device"),
        memory_w_per_gb=_required(row, "memory_w_per_gb"),
        memory_gb_per_device=_required(row, "memory_gb_per_device"),
        pue_basis=row["pue_basis"],
        pue=_number(row, "pue"),
        world_intensity_gco2e_per_kwh=_number(row, "world_intensity_gco2e_per_kwh"),
        traffic_kwh_per_gb=_required(row, "traffic_kwh_per_gb"),
        embodied_g_per_device_hour=_number(row, "embodied_g_per_device_hour"),
        needs=row["needs"],
        formula=row["formula"],
        limits=row["limits"],
        source_id=row["source_id"],
        note=row["note"],
        device_powers_w=MappingProxyType(dict(powers)),
        provider_pues=MappingProxyType(dict(pues)),
    )


def _by_method(file: str, key: str, value: str, methods: Mapping[str, object]) -> dict[str, dict[str, float]]:
    """Values of a table of method, key and value: method -> key -> value."""
    found: dict[str, dict[str, float]] = {name: {} for name in methods}
    for row in read_csv(packaged(file)).to_pylist():
        found[row["method"]][row[key]] = _required(row, value)
    return found


def _number(row: Mapping[str, Any], column: str) -> float | None:
    return None if row[column] is None else float(row[column])


def _required(row: Mapping[str, Any], column: str) -> float:
    value = _number(row, column)
    if value is None:
        raise ConfigError(f"method {row['method']}: {column} is empty; a term that does not exist is 0")
    return value
