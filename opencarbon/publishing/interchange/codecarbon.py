"""Planned jobs in the columns of CodeCarbon's ``emissions.csv``, https://docs.codecarbon.io.

As there, energies are those of the data centre (``pue`` times what the devices take), powers are before PUE, and making
the hardware is not in ``emissions``. What is not known before a run is empty: the parts of CPU and memory, of which
``gpu_power`` holds the share at the boundary of our power figures.
"""

from __future__ import annotations

from typing import Any, Final

from opencarbon.publishing.interchange.jobs import Exchange, Row

CODECARBON_COLUMNS: Final = (
    *("timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions", "emissions_rate"),
    *(
        "cpu_utilization_percent",
        "ram_utilization_percent",
        "ram_used_gb",
        "cpu_power",
        "gpu_power",
        "ram_power",
    ),
    *("cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "water_consumed", "country_name"),
    *("country_iso_code", "region", "cloud_provider", "cloud_region", "os", "python_version"),
    *("codecarbon_version", "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude", "latitude"),
    *("ram_total_size", "tracking_mode", "on_cloud", "pue", "wue"),
)
"""Columns of version 3: ``EmissionsData`` in ``codecarbon/output_methods/emissions_data.py``."""
_SECONDS: Final = 3600.0
_CLOUDS: Final = frozenset({"aws", "azure", "gcp"})


def codecarbon_row(job: Row, exchange: Exchange) -> dict[str, Any]:
    """A job as a row of CodeCarbon: kg, kWh, W and seconds.

    Parameters
    ----------
    job : dict
    exchange : Exchange

    Returns
    -------
    dict
        The columns that are known.
    """
    region = exchange.regions.get(job["baseline_region"] or "", {})
    provider, _, place = (job["baseline_region"] or "").partition(":")
    on_cloud = provider in _CLOUDS
    duration_s = job["wall_hours"] * _SECONDS
    start = job["baseline_start_utc"]
    return {
        "timestamp": None if start is None else f"{start:%Y-%m-%dT%H:%M:%S}",
        "project_name": job["project"],
        "run_id": job["job_id"],
        "experiment_id": exchange.run["run_id"],
        "duration": duration_s,
        "emissions": job["operational_kgco2e"],
        "emissions_rate": job["operational_kgco2e"] / duration_s if duration_s else None,
        "gpu_power": job["power_w"] * job["device_count"],
        "energy_consumed": job["facility_energy_kwh"],
        "country_iso_code": region.get("country_code"),
        "region": region.get("location"),
        "cloud_provider": provider if on_cloud else None,
        "cloud_region": place if on_cloud else None,
        "gpu_count": job["device_count"],
        "gpu_model": f"{job['device_count']:g} x {job['device']}",
        "longitude": region.get("longitude"),
        "latitude": region.get("latitude"),
        "tracking_mode": "machine",
        "on_cloud": "Y" if on_cloud else "N",
        "pue": job["pue"],
    }
