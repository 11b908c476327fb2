"""Estimates at the baseline: every published figure follows from the others, in both profiles."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from opencarbon.catalog import load_catalog
from opencarbon.estimation.energy.power_fractions import power_fractions
from opencarbon.estimation.grid.curves import KINDS
from opencarbon.estimation.job_tables import job_estimate
from opencarbon.pipeline.context import build_context
from opencarbon.pipeline.fits import collect_runs, fit_for_profile
from opencarbon.pipeline.partition import estimate_batch
from opencarbon.settings import Settings
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED, Contract
from opencarbon.tables.inputs import GRID_INTENSITY, PLANNED_JOBS
from tests.estimation.curve_oracle import SD
from tests.estimation.oracle import Z80
from tests.estimation.worlds import job, plan, table, world

A100, H100 = "NVIDIA A100 SXM4 80GB", "NVIDIA H100 SXM5 80GB"


def estimates(jobs: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    jobs = [row | {"job_id": f"job-{number}", "row": number} for number, row in enumerate(jobs)]
    planned = plan(jobs, world(1), **options)
    profile = "paper" if options.get("paper") is not None else "calibrated"
    rows = job_estimate(planned.estimates, planned.regions, planned.curves, profile)
    found = conform(rows.append_column("run_id", pa.repeat("run", len(jobs))), estimate_contract())
    return [dict(row) for row in found.to_pylist()]


def estimate_contract() -> Contract:
    return PUBLISHED["fact_job_estimate"]


def of_catalog(profile: str, *jobs: dict[str, Any], level: float = 0.8) -> list[dict[str, Any]]:
    """Estimates by the functions of a night, with the catalog of the package."""
    settings, catalog = Settings(estimate={"profile": profile, "interval_level": level}), load_catalog()
    fits = fit_for_profile(collect_runs(catalog, None)[0], catalog, settings.estimate.profile, level=level)
    as_of = datetime(2026, 11, 16, tzinfo=UTC)
    context = build_context(settings, as_of, catalog, GRID_INTENSITY.schema().empty_table(), fits)
    found = estimate_batch(table(jobs, PLANNED_JOBS.schema()), context)
    return [dict(row) for row in job_estimate(found, context.regions, context.curves, profile).to_pylist()]


def published_run(device: str, flop: float, intensity: float, **changes: Any) -> dict[str, Any]:
    return job(
        device=device,
        work_source="training_flop",
        wall_hours=None,
        training_flop=flop,
        carbon_intensity_gco2e_per_kwh=intensity,
        **changes,
    )


@pytest.mark.parametrize("region", [None, "aws:us-east-1"])
@pytest.mark.parametrize(
    ("device", "zettaflop", "intensity", "operational_t", "embodied_kg"),
    [
        pytest.param(A100, 93, 155, 18.07, 437.11, id="StarCoder"),
        pytest.param(
            "NVIDIA A100 PCIe 40GB", 93, 155, 18.07, 437.11, id="StarCoder on another card of the family"
        ),
        pytest.param(H100, 6300, 424, 1966.17, 11261.75, id="LLaMa-3"),
        pytest.param(A100, 312, 581, 223.84, 1444.75, id="GLM from its stated FLOP"),
        pytest.param("NVIDIA V100 SXM2 32GB", 0.40, 369, 0.68, 6.81, id="Swin-L"),
    ],
)
def test_the_paper_profile_gives_the_papers_figures(
    region: str | None,
    device: str,
    zettaflop: float,
    intensity: float,
    operational_t: float,
    embodied_kg: float,
) -> None:
    (row,) = of_catalog("paper", published_run(device, zettaflop * 1e21, intensity, current_region=region))

    assert operational_t == pytest.approx(row["operational_kgco2e"] / 1000.0, abs=0.0051)
    assert embodied_kg == pytest.approx(row["embodied_kgco2e"], abs=0.0051)
    assert (1.0, "tdp", "paper", "fixed") == (
        row["pue"],
        row["power_source"],
        row["method"],
        row["intensity_kind"],
    )
    assert row["embodied_low_kgco2e"] == row["embodied_kgco2e"] == row["embodied_high_kgco2e"]


def test_the_calibrated_profile_adds_host_building_and_a_longer_life() -> None:
    paper, calibrated = (
        of_catalog(profile, published_run(A100, 93e21, 155.0))[0] for profile in ("paper", "calibrated")
    )

    assert 1.56 == calibrated["pue"]
    catalog = load_catalog()
    pooled = power_fractions(catalog.measured_power, catalog.devices).to_pylist()
    assert [calibrated["power_w"]] == pytest.approx(
        [row["power_w"] for row in pooled if row["device"] == A100]
    )
    assert calibrated["power_low_w"] < 281 + 150 < calibrated["power_high_w"]
    assert calibrated["operational_kgco2e"] > paper["operational_kgco2e"]
    per_hour = calibrated["embodied_kgco2e"] / calibrated["device_hours"]
    assert pytest.approx(269.0 / (6 * 8760 * 0.85)) == per_hour


def test_energy_power_hours_and_emissions_are_one_chain() -> None:
    rows = estimates(
        [
            job(repeats=3, current_region="one:bb"),
            job(work_source="training_flop", wall_hours=None, training_flop=3e19, repeats=2),
        ]
    )
    for row, repeats in zip(rows, (3, 2), strict=True):
        assert row["device_hours"] == pytest.approx(8 * row["wall_hours"])
        assert row["energy_kwh"] == pytest.approx(row["device_hours"] * row["power_w"] / 1000)
        assert row["facility_energy_kwh"] == pytest.approx(row["energy_kwh"] * row["pue"])
        operational = row["facility_energy_kwh"] * row["carbon_intensity_gco2e_per_kwh"] / 1000
        assert row["operational_kgco2e"] == pytest.approx(operational)
        assert row["total_kgco2e"] == pytest.approx(row["operational_kgco2e"] + row["embodied_kgco2e"])
        assert row["sci_kgco2e_per_run"] == pytest.approx(row["total_kgco2e"] / repeats)
        assert row["total_low_kgco2e"] == pytest.approx(
            row["operational_low_kgco2e"] + row["embodied_kgco2e"]
        )
        assert row["total_high_kgco2e"] == pytest.approx(
            row["operational_high_kgco2e"] + row["embodied_kgco2e"]
        )


def test_half_widths_combine_by_root_sum_square_in_logs_up_and_down_apart() -> None:
    by_flop: dict[str, Any] = {"work_source": "training_flop", "wall_hours": None, "training_flop": 3e19}
    (row,) = estimates([job(device_count=64.0, current_region="two:ee", **by_flop)])

    def width(name: str, unit: str, end: str) -> float:
        central = row[f"{name}{unit}"]
        return abs(math.log(row[f"{name}_{end}{unit}"] / central))

    for end in ("low", "high"):
        work, power = width("device_hours", "", end), width("power", "_w", end)
        place = width("carbon_intensity", "_gco2e_per_kwh", end)
        assert 0.34 == pytest.approx(power)
        assert math.log1p(Z80 * SD["example"]) == pytest.approx(place)
        assert math.hypot(work, power) == pytest.approx(width("energy", "_kwh", end))
        assert math.hypot(work, power, 0.02) == pytest.approx(width("facility_energy", "_kwh", end))
        assert math.hypot(work, power, 0.02, place) == pytest.approx(width("operational", "_kgco2e", end))
        assert work == pytest.approx(width("wall_hours", "", end))
    assert width("device_hours", "", "low") != pytest.approx(width("device_hours", "", "high"), rel=0.01)


def test_the_part_that_widens_the_interval_most_is_named() -> None:
    fitted: dict[str, Any] = {"work_source": "training_flop", "wall_hours": None, "training_flop": 3e19}
    rows = estimates(
        [
            job(power_w=300.0, carbon_intensity_gco2e_per_kwh=155.0, **fitted),
            job(),
            job(power_w=300.0),
            job(power_w=300.0, carbon_intensity_gco2e_per_kwh=155.0),
            job(current_region=None),
        ]
    )
    widest = ["device_hours", "power", "carbon_intensity", "pue", None]
    assert widest == [row["widest_part"] for row in rows]


@pytest.mark.parametrize("level", [0.6, 0.95])
def test_every_half_width_follows_the_level_that_is_asked_for(level: float) -> None:
    manifest = published_run(H100, 1e24, 100.0, current_region="aws:us-east-1", device_count=512.0)
    gridded = manifest | {"carbon_intensity_gco2e_per_kwh": None}
    common, asked = (of_catalog("calibrated", gridded, level=value)[0] for value in (0.8, level))
    ratio = norm.ppf((1 + level) / 2) / Z80

    def width(row: dict[str, Any], name: str, unit: str) -> float:
        return math.log(row[f"{name}_high{unit}"] / row[f"{name}{unit}"])

    assert width(asked, "power", "_w") == pytest.approx(ratio * width(common, "power", "_w"))
    for name, unit in (
        *(("device_hours", ""), ("facility_energy", "_kwh"), ("carbon_intensity", "_gco2e_per_kwh")),
        ("operational", "_kgco2e"),
    ):
        assert (width(asked, name, unit) > width(common, name, unit)) == (level > 0.8)
    assert asked["operational_kgco2e"] == common["operational_kgco2e"]


def test_a_stated_intensity_has_no_interval_of_its_own_and_needs_no_region() -> None:
    (row,) = estimates([job(carbon_intensity_gco2e_per_kwh=155.0, current_region=None)])

    assert (155.0, 155.0, 155.0) == tuple(
        row[f"carbon_intensity{end}_gco2e_per_kwh"] for end in ("", "_low", "_high")
    )
    assert ("fixed_intensity", "fixed", 1.56) == (row["baseline_status"], row["intensity_kind"], row["pue"])
    assert row["operational_high_kgco2e"] == pytest.approx(
        row["operational_kgco2e"] * math.exp(math.hypot(0.34, 0.1))
    )


def test_without_a_region_carbon_is_null_and_energy_is_not() -> None:
    (row,) = estimates([job(current_region=None)])

    assert "no_current_region" == row["baseline_status"]
    assert row["energy_kwh"] > 0
    assert [None] * 4 == [
        row[name] for name in ("pue", "operational_kgco2e", "total_kgco2e", "intensity_kind")
    ]


def test_the_default_region_is_the_baseline_of_jobs_that_name_none() -> None:
    found = plan([job(current_region=None)], world(1, default_region="two:cc"))

    assert "two:cc" == found.regions.names[found.estimates.baseline.region[0]]


def test_a_region_without_a_zone_takes_its_country_or_reports_the_world() -> None:
    country, nowhere = estimates([job(current_region=name) for name in ("two:cc-no-zone", "one:nowhere")])

    assert (pytest.approx(60.0), "country_annual", "annual-CC") == tuple(
        country[name] for name in ("carbon_intensity_gco2e_per_kwh", "intensity_kind", "intensity_source_id")
    )
    assert (pytest.approx(470.0), "world", "annual-WORLD") == tuple(
        nowhere[name] for name in ("carbon_intensity_gco2e_per_kwh", "intensity_kind", "intensity_source_id")
    )


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("estimated", {}),
        ("assumed", {"device": "Chip C"}),
        ("assumed", {"current_region": "one:bb"}),
        ("assumed", {"current_region": "two:ee"}),
        ("assumed", {"current_region": "one:cc-x"}),
    ],
    ids=["all known", "power assumed", "PUE assumed", "example intensity", "mean of the country"],
)
def test_an_estimate_stands_as_its_weakest_part(status: str, changes: dict[str, Any]) -> None:
    assert status == estimates([job(**changes)])[0]["status"]


def test_embodied_emissions_are_a_part_too() -> None:
    here = world(1)
    for device in here.devices:
        device["embodied_status"] = "assumed"  # type: ignore[index]  # rows of this world are dictionaries
    found = plan([job()], here)

    assert ["assumed"] == job_estimate(found.estimates, found.regions, found.curves, "calibrated")[
        "status"
    ].to_pylist()


def test_a_baseline_never_starts_in_the_past() -> None:
    early, late = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, 9, tzinfo=UTC)
    found = plan([job(earliest_start_utc=moment) for moment in (None, early, late)], world(1)).estimates

    now = 20 / 60 + 30.25 / 3600
    assert pytest.approx([now, now, 4.0]) == found.baseline.start_h.tolist()
    assert np.all(np.isfinite(found.operational_kgco2e))


def test_a_region_of_the_users_own_takes_the_mean_of_a_country_that_is_one_zone(tmp_path: Path) -> None:
    places = tmp_path / "regions.csv"
    places.write_text(
        "region,zone,country_code\nonprem:cork,,IE\nonprem:dublin,IE-OWN,IE\nonprem:tokyo,,JP\n"
    )
    catalog = load_catalog(region_files=[str(places)])
    fits = fit_for_profile(collect_runs(catalog, None)[0], catalog, "calibrated")
    as_of = datetime(2026, 11, 16, tzinfo=UTC)
    context = build_context(Settings(), as_of, catalog, GRID_INTENSITY.schema().empty_table(), fits)
    jobs = [job(device=A100, current_region=f"onprem:{name}") for name in ("cork", "dublin", "tokyo")]
    base = estimate_batch(table(jobs, PLANNED_JOBS.schema()), context).baseline
    annual = {row["zone"]: row["annual_carbon_intensity_gco2e_per_kwh"] for row in catalog.zones.to_pylist()}

    assert ["country_annual", "country_annual", "world"] == [KINDS[code] for code in base.kind]
    assert pytest.approx([annual["IE"], annual["IE"], annual["WORLD"]]) == base.intensity.tolist()
    assert [True, True, False] == base.rankable.tolist()
