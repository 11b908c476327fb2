"""The catalog as tables: the package's rows, then the user's, which add or override."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from opencarbon.catalog.files import (
    packaged,
    packaged_sources,
    read_csv,
    read_devices_toml,
    refuse_unknown,
    rows_table,
)
from opencarbon.catalog.names import squeeze
from opencarbon.catalog.pue import UNKNOWN_PUE, with_pue_ends
from opencarbon.errors import ConfigError, ContractError
from opencarbon.tables.conform import conform, foreign_key_violations
from opencarbon.tables.contracts import PUBLISHED

WORLD_ZONE: Final = "WORLD"
"""Row of the annual intensities that stands for the world; it reports, it never ranks."""

_USER_SOURCE: Final = "user-catalog"
_EMBODIED_FIGURES: Final = frozenset(
    ("embodied_low_kgco2e", "embodied_central_kgco2e", "embodied_high_kgco2e")
)
_REGION_FORM: Final = re.compile(r"[^\s:;*A-Z]+:[^\s:;*A-Z]+")
PAPER_SOURCE: Final = "opencarboneval-2024"
"""Source of what OpenCarbonEval publishes about devices."""


@dataclass(frozen=True, slots=True)
class PaperDevice:
    """What OpenCarbonEval publishes about the family of a device (arXiv:2405.12843, Table 1 and section 3.4).

    Parameters
    ----------
    log10_alpha_low, log10_alpha_high : float
        Interval of the throughput parameter [log10(1/s)].
    tdp_w : float
        Design power [W].
    embodied_g_per_device_hour : float or None
        Embodied emissions of an hour of one device [gCO2e/h]; None where the paper gives none.
    """

    log10_alpha_low: float
    log10_alpha_high: float
    tdp_w: float
    embodied_g_per_device_hour: float | None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Facts about devices, regions, grids and published runs.

    Parameters
    ----------
    devices, regions, zones, sources : pa.Table
        ``dim_device``, ``dim_region``, ``dim_zone`` and ``dim_source``.
    embodied : pa.Table
        ``dim_device_embodied``: what each source says the making of a device emits. The user's files leave it alone:
        their embodied figures stand in ``devices``.
    annual : pa.Table
        Annual carbon intensity by zone and year.
    runs : pa.Table
        Published training runs.
    measured_power : pa.Table
        Power of devices in training as it was measured, and what looks like it but is not, with the reason. Rows whose
        evidence is ``measured`` are used; those of ``sensitivity`` stand there to be seen.
    benchmarks : pa.Table
        Utilisation that tuned training code was measured to reach, by device and model.
    training_compute : pa.Table
        Published training FLOP of models beside the figures that a count of their architecture takes.
    device_units : mapping of str to (str, float)
        Squeezed spelling of a device or of a part of one -> its canonical name, devices per unit.
    paper_devices : mapping of str to PaperDevice
        Device -> what the paper publishes about its family; devices of other families are absent.
    offers : mapping of str to frozenset of str
        Provider -> devices it rents; providers of whom nothing is known are absent.
    """

    devices: pa.Table
    regions: pa.Table
    zones: pa.Table
    sources: pa.Table
    embodied: pa.Table
    annual: pa.Table
    runs: pa.Table
    measured_power: pa.Table
    benchmarks: pa.Table
    training_compute: pa.Table
    device_units: Mapping[str, tuple[str, float]]
    paper_devices: Mapping[str, PaperDevice]
    offers: Mapping[str, frozenset[str]]

    def device_names(self) -> list[str]:
        """Canonical names of the devices.

        Returns
        -------
        list of str
        """
        return _texts(self.devices, "device")

    def region_names(self) -> list[str]:
        """Names of the regions, ``provider:region``.

        Returns
        -------
        list of str
        """
        return _texts(self.regions, "region")


def load_catalog(device_files: Sequence[str] = (), region_files: Sequence[str] = ()) -> Catalog:
    """Read the package's catalog and lay the user's files over it.

    Parameters
    ----------
    device_files : sequence of str
        TOML files of ``[[device]]`` entries; an entry of a known device overrides the keys it states.
    region_files : sequence of str
        CSV files with the columns of ``data/regions.csv``; a known region is overridden as a whole row.

    Returns
    -------
    Catalog

    Raises
    ------
    ConfigError
        A file that cannot be read, a spelling that stands for two devices, a value out of bounds, a source that
        nobody declares.
    """
    entries = _device_entries(device_files)
    annual = read_csv(packaged("annual_intensity.csv"))
    regions = _regions(region_files)
    providers = read_csv(packaged("providers.csv")).to_pylist()
    tables = {
        "dim_device": rows_table(entries, PUBLISHED["dim_device"].columns),
        "dim_device_embodied": read_csv(packaged("embodied_figures.csv")),
        "dim_region": regions,
        "dim_zone": _zones(regions, annual),
        "dim_source": packaged_sources(),
    }
    tables = {name: _checked(name, rows) for name, rows in tables.items()}
    lost = foreign_key_violations(tables, PUBLISHED)
    if lost:
        raise ConfigError(
            f"the catalog is not whole: {'; '.join(lost)}; leave source_id out for rows of your own"
        )
    return Catalog(
        devices=tables["dim_device"],
        regions=tables["dim_region"],
        zones=tables["dim_zone"],
        sources=tables["dim_source"],
        embodied=tables["dim_device_embodied"],
        annual=annual,
        runs=read_csv(packaged("published_runs.csv")),
        benchmarks=read_csv(packaged("throughput_benchmarks.csv")),
        measured_power=read_csv(packaged("measured_power.csv")),
        training_compute=read_csv(packaged("training_compute.csv")),
        device_units=_device_units(entries),
        paper_devices=_paper_devices(entries),
        offers={
            row["provider"]: frozenset(row["accelerators"].split(";"))
            for row in providers
            if row["accelerators"]
        },
    )


def _checked(table: str, rows: pa.Table) -> pa.Table:
    contract = PUBLISHED[table]
    in_order = rows.select(contract.columns).sort_by([(name, "ascending") for name in contract.key])
    try:
        return conform(in_order, contract)
    except ContractError as problem:
        raise ConfigError(f"the catalog with the files laid over it cannot be used: {problem}") from None


def _device_entries(device_files: Iterable[str]) -> list[dict[str, Any]]:
    entries = {entry["device"]: entry for entry in read_devices_toml(packaged("devices.toml"))}
    for path in device_files:
        for entry in read_devices_toml(Path(path)):
            name = entry["device"]
            entries[name] = entries.get(name, {}) | _owner(entry) | entry
    return list(entries.values())


def _owner(entry: Mapping[str, Any]) -> dict[str, str]:
    """Sources of an entry of the user that names none: the user's figures are not another source's."""
    own = {"source_id": _USER_SOURCE}
    if not _EMBODIED_FIGURES.isdisjoint(entry):
        own["embodied_source_id"] = _USER_SOURCE
    return own


def _device_units(entries: list[dict[str, Any]]) -> dict[str, tuple[str, float]]:
    units: dict[str, tuple[str, float]] = {}
    for entry in entries:
        device = entry["device"]
        spellings = dict.fromkeys((device, *entry.get("aliases", ())), 1.0) | entry.get("part_aliases", {})
        for spelling, per_unit in spellings.items():
            known = units.setdefault(squeeze(spelling), (device, float(per_unit)))
            if known != (device, float(per_unit)):
                raise ConfigError(
                    f"device spelling {spelling!r} stands for {known[0]} and for {device}: remove one"
                )
    return units


def _paper_devices(entries: list[dict[str, Any]]) -> dict[str, PaperDevice]:
    return {
        entry["device"]: PaperDevice(
            log10_alpha_low=float(entry["published_log10_alpha_low"]),
            log10_alpha_high=float(entry["published_log10_alpha_high"]),
            tdp_w=float(entry["published_tdp_w"]),
            embodied_g_per_device_hour=entry.get("published_embodied_g_per_device_hour"),
        )
        for entry in entries
        if "published_log10_alpha_low" in entry
    }


def _regions(region_files: Iterable[str]) -> pa.Table:
    columns = PUBLISHED["dim_region"].columns
    shipped = read_csv(packaged("regions.csv"))
    known = shipped.column_names
    rows = {row["region"]: row for row in shipped.to_pylist()}
    for path in region_files:
        table = read_csv(Path(path))
        if "region" not in table.column_names:
            raise ConfigError(f"region file {path} has no column region; it may have {', '.join(known)}")
        refuse_unknown(table.column_names, known, f"region file {path}")
        for number, row in enumerate(table.to_pylist(), start=1):
            if not _REGION_FORM.fullmatch(row["region"] or ""):
                raise ConfigError(
                    f"region file {path}, row {number}: region {row['region']!r} is not of the form "
                    "provider:region in lower case, such as onprem:berlin"
                )
            rows[row["region"]] = _completed(row)
    return rows_table(with_pue_ends(rows.values()), columns)


def _completed(row: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in row.items() if value is not None}
    provider = row["region"].split(":", 1)[0]
    defaults = {"provider": provider, "source_id": _USER_SOURCE}
    if "pue" not in given:
        defaults |= {"pue": UNKNOWN_PUE, "pue_status": "assumed"}
    return defaults | {"pue_status": "estimated"} | given if "pue" in given else defaults | given


def _zones(regions: pa.Table, annual: pa.Table) -> pa.Table:
    rows = {row["zone"]: row for row in read_csv(packaged("zones.csv")).to_pylist()}
    latest: dict[str, dict[str, Any]] = {}
    for row in annual.sort_by("year").to_pylist():
        latest[row["zone"]] = row
    for place in regions.select(["zone", "alternative_zone", "country_code"]).to_pylist():
        for zone in (place["zone"], place["alternative_zone"]):
            if zone is not None:
                rows.setdefault(zone, {"zone": zone, "country_code": place["country_code"]})
    rows.setdefault(WORLD_ZONE, {"zone": WORLD_ZONE, "name": "World"})
    for zone, row in rows.items():
        if zone in latest:
            row["annual_carbon_intensity_gco2e_per_kwh"] = latest[zone]["carbon_intensity_gco2e_per_kwh"]
            row["annual_year"] = latest[zone]["year"]
            row["source_id"] = latest[zone]["source_id"]
    return rows_table(rows.values(), PUBLISHED["dim_zone"].columns)


def _texts(table: pa.Table, column: str) -> list[str]:
    return [str(value) for value in table[column].to_pylist()]
