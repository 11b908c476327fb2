"""Software Carbon Intensity, ISO/IEC 21031:2024: SCI = (E x I + M) / R, https://sci.greensoftware.foundation/.

R is one training run. E is the energy of the data centre, its overhead (PUE) included; I the location-based intensity of
the grid, as the standard asks: market-based instruments do not lower it; O = E x I, for the advised plan with the transfer
of the data set; M the share of making the devices that the run uses up, at the boundary that ``embodied_boundary`` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from opencarbon.publishing.interchange.jobs import Exchange, Row

SCI_COLUMNS: Final = {
    "job_id": "string",
    "plan": "string",
    "region": "string",
    "functional_unit": "string",
    "runs": "int64",
    "energy_kwh_per_run": "float64",
    "carbon_intensity_gco2e_per_kwh": "float64",
    "operational_gco2e_per_run": "float64",
    "embodied_gco2e_per_run": "float64",
    "sci_gco2e_per_run": "float64",
    "embodied_boundary": "string",
}
"""Columns and their types: E, I, O, M and SCI in gCO2e and kWh per training run."""
_GRAMS: Final = 1000.0


def sci_rows(job: Row, exchange: Exchange) -> Iterator[dict[str, Any]]:
    """A row for the plan of a job, and one for its advice where it has some.

    Parameters
    ----------
    job : dict
    exchange : Exchange

    Yields
    ------
    dict
        In ``SCI_COLUMNS``.
    """
    embodied = job["embodied_kgco2e"] or 0.0
    yield _row(
        *(job, exchange, "baseline", job["baseline_region"]),
        energy_kwh=job["facility_energy_kwh"],
        operational_kgco2e=job["operational_kgco2e"],
    )
    region = exchange.regions.get(job["advised_region"] or "")
    if region is None or region["pue"] is None or job["advised_total_kgco2e"] is None:
        return
    yield _row(
        *(job, exchange, "advised", job["advised_region"]),
        energy_kwh=job["energy_kwh"] * region["pue"],
        operational_kgco2e=job["advised_total_kgco2e"] - embodied,
    )


def _row(
    job: Row,
    exchange: Exchange,
    plan: str,
    region: str | None,
    *,
    energy_kwh: float,
    operational_kgco2e: float,
) -> dict[str, Any]:
    runs, embodied = job["runs"], job["embodied_kgco2e"] or 0.0
    per_run = _GRAMS / runs
    return {
        "job_id": job["job_id"],
        "plan": plan,
        "region": region,
        "functional_unit": "training run",
        "runs": runs,
        "energy_kwh_per_run": energy_kwh / runs,
        "carbon_intensity_gco2e_per_kwh": _GRAMS * operational_kgco2e / energy_kwh if energy_kwh else None,
        "operational_gco2e_per_run": operational_kgco2e * per_run,
        "embodied_gco2e_per_run": embodied * per_run,
        "sci_gco2e_per_run": (operational_kgco2e + embodied) * per_run,
        "embodied_boundary": exchange.devices[job["device"]]["embodied_boundary"],
    }
