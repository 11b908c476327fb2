"""Where the published benchmarks find their data: the folder that `OPENCARBON_BENCHMARK_DATA` names.

None of these files ships with the project, as their licences do not let it. The folder holds, as they were published:

- ``hourly_2022_123_zones.csv``: ``datetime_utc`` and a column per zone, hourly lifecycle intensity of 2022
  [gCO2e/kWh], 8,760 rows (github.com/umassos/decarbonization-potential, shared_data/combined_carbon.csv);
- ``shifting_2022_expected.csv``: ``zone,job_hours,slack_hours,n_starts,mean_baseline_sum_ci,
  mean_deferred_sum_ci,mean_deferred_interruptible_sum_ci``, the means over starts of that repository's results, for any
  zones; a row whose result was not published has empty means;
- ``annual_by_zone_2021_2025.csv``: ``zone,year,carbon_intensity_gco2eq_kwh`` among others, means of years (package
  @tgwf/co2 0.19.0, data/electricity-maps/yearly_*.js);
- ``lets_wait_awhile_2020/ger_ci.csv``, ``gb_ci.csv`` and ``fr_ci.csv``: ``Time,Carbon Intensity`` of 2020 every 15 or
  30 minutes (github.com/dos-group/lets-wait-awhile, data).
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

VARIABLE = "OPENCARBON_BENCHMARK_DATA"
FOLDER = os.environ.get(VARIABLE)  # read when tests are collected: while they run no such variable is set

Floats = npt.NDArray[np.float64]

needs_published_data = pytest.mark.skipif(
    FOLDER is None, reason=f"{VARIABLE} names no folder of published data"
)


@dataclass(frozen=True)
class ExpectedMeans:
    """Means over starts of the intensity summed over the hours of a job [gCO2e/kWh h], as published."""

    zone: str
    job_hours: int
    slack_hours: int
    starts: int
    baseline: float
    deferred: float
    interruptible: float


def _rows(name: str) -> list[dict[str, str]]:
    with Path(FOLDER or ".", name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def hourly_2022() -> tuple[list[str], Floats]:
    """Zones, and their curves of shape (zones, hours) [gCO2e/kWh]."""
    rows = _rows("hourly_2022_123_zones.csv")
    zones = [name for name in rows[0] if name != "datetime_utc"]
    return zones, np.array([[float(row[zone]) for row in rows] for zone in zones])


def annual_means(year: int) -> dict[str, float]:
    """Mean of a year by zone [gCO2e/kWh]."""
    return {
        row["zone"]: float(row["carbon_intensity_gco2eq_kwh"])
        for row in _rows("annual_by_zone_2021_2025.csv")
        if row["year"] == str(year) and row["carbon_intensity_gco2eq_kwh"]
    }


def expected_means() -> list[ExpectedMeans]:
    """Every row of the expected means whose result was published."""
    return [
        ExpectedMeans(
            row["zone"],
            int(row["job_hours"]),
            int(row["slack_hours"]),
            int(row["n_starts"]),
            float(row["mean_baseline_sum_ci"]),
            float(row["mean_deferred_sum_ci"]),
            float(row["mean_deferred_interruptible_sum_ci"]),
        )
        for row in _rows("shifting_2022_expected.csv")
        if row["mean_baseline_sum_ci"]
    ]


def half_hours_2020(country: str) -> Floats:
    """Intensity of every half-hour from 1 January 2020 on [gCO2e/kWh]; of quarter-hours the first of two counts."""
    return np.array(
        [
            float(row["Carbon Intensity"])
            for row in _rows(f"lets_wait_awhile_2020/{country}_ci.csv")
            if row["Time"] >= "2020-01-01" and row["Time"][14:16] in {"00", "30"}
        ]
    )
