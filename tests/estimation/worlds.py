"""Small worlds to plan in: zones of every kind of data, regions with and without a zone, and random jobs."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from opencarbon.estimation.grid.curves import PlanningCurves
from opencarbon.estimation.grid.intensity import planning_curves
from opencarbon.estimation.jobs import JobEstimates, estimate_jobs
from opencarbon.estimation.planning.advice import Advice, advise
from opencarbon.estimation.planning.candidates import AllowedRegions, transfer_kgco2e
from opencarbon.estimation.planning.choices import Alternatives, choose
from opencarbon.estimation.planning.plans import field_of_regions
from opencarbon.estimation.planning.windows import Windows, windows_of_jobs
from opencarbon.estimation.region_columns import Regions, regions_as_columns
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import DEVICE_FITS, GRID_INTENSITY, PLANNED_JOBS
from tests.estimation.oracle import World

AS_OF = datetime(2026, 3, 4, 5, 20, 30, 250_000, tzinfo=UTC)

ZONES = (
    # zone, country, annual mean, whole country
    ("AA", "AA", 300.0, True),
    ("BB-1", "BB", 120.0, False),
    ("BB-2", "BB", 120.0, False),
    ("CC", "CC", 60.0, True),
    ("CC-X", "CC", None, False),
    ("DD-1", "DD", None, False),
    ("EE", "EE", 450.0, True),
    ("FF", "FF", 80.0, True),
    ("WORLD", None, 470.0, None),
)
REGIONS = (
    # region, zone, country, PUE, its status, the other reading of its zone
    ("one:aa-west", "AA", "AA", 1.1, "measured", None),
    ("one:aa-east", "AA", "AA", 1.1, "measured", None),
    ("one:bb", "BB-1", "BB", 1.2, "assumed", "BB-2"),
    ("one:cc-x", "CC-X", "CC", 1.15, "estimated", None),
    ("one:dd", "DD-1", "DD", 1.05, "measured", None),
    ("one:nowhere", None, "ZZ", 1.3, "assumed", None),
    ("two:aa", "AA", "AA", 1.3, "assumed", None),
    ("two:bb", "BB-2", "BB", 1.2, "assumed", None),
    ("two:cc", "CC", "CC", 1.1, "measured", None),
    ("two:ee", "EE", "EE", 1.0, "measured", "AA"),
    ("two:cc-no-zone", None, "CC", 1.1, "assumed", None),
    ("two:ff", "FF", "FF", 1.1, "measured", None),
)
PUE_ENDS = {"one": (1.05, 1.1), "two": (1.0, 1.1)}
"""What the providers measure, lowest and highest."""
DEVICES = (
    # device, TDP, power fraction, boundary, host, embodied
    ("Chip A", 400.0, 0.7, "board", 150.0, 150.0),
    ("Chip B", 300.0, 1.1, "server", None, 138.0),
    ("Chip C", 250.0, None, None, None, 90.0),
)
FITS = (("Chip A", 0.5, 1.0, 1.4), ("Chip B", -1.0, -0.6, -0.1), ("Chip C", -3.0, -2.0, -1.5))
OFFERS = {"two": frozenset({"Chip A"})}


def table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema=schema
    )


def devices() -> list[dict[str, Any]]:
    return [
        {
            "device": name,
            "vendor": "Maker",
            "tdp_w": tdp,
            "tdp_status": "measured",
            "peak_dense_tflop_per_s": 300.0,
            "power_fraction": fraction,
            "power_status": None if fraction is None else "measured",
            "power_boundary": boundary,
            "host_power_w": host,
            "embodied_low_kgco2e": embodied * 0.6,
            "embodied_central_kgco2e": embodied,
            "embodied_high_kgco2e": embodied * 2.1,
            "embodied_boundary": "card",
            "embodied_status": "estimated",
            "embodied_source_id": "papers",
            "source_id": "maker",
        }
        for name, tdp, fraction, boundary, host, embodied in DEVICES
    ]


def fits() -> list[dict[str, Any]]:
    return [
        {
            "device": device,
            "log10_alpha_low": low,
            "log10_alpha": central,
            "log10_alpha_high": high,
            "reference_training_flop": 1e20,
            "tflop_per_s": 10.0,
            "utilisation": 0.3,
            "training_runs": 3,
            "fit_source": "device_runs",
            "fit_status": "estimated",
            "fit_source_id": "papers",
        }
        for device, low, central, high in FITS
    ]


def zones() -> list[dict[str, Any]]:
    return [
        {
            "zone": zone,
            "country_code": country,
            "annual_carbon_intensity_gco2e_per_kwh": annual,
            "annual_year": 2025,
            "is_whole_country": whole,
            "source_id": f"annual-{zone}",
        }
        for zone, country, annual, whole in ZONES
    ]


def regions() -> list[dict[str, Any]]:
    return [
        {
            "region": name,
            "provider": name.split(":")[0],
            "zone": zone,
            "country_code": country,
            "pue": pue,
            "pue_status": status,
            "source_id": "places",
            "alternative_zone": other,
            "pue_low": pue if status == "measured" else min(pue, PUE_ENDS[name.split(":")[0]][0]),
            "pue_high": pue if status == "measured" else max(pue, PUE_ENDS[name.split(":")[0]][1]),
        }
        for name, zone, country, pue, status, other in REGIONS
    ]


def reading(
    zone: str, hour: datetime, value: float | None, kind: str, factor: str, fetched: datetime
) -> dict[str, Any]:
    return {
        "zone": zone,
        "hour_start_utc": hour,
        "carbon_intensity_gco2e_per_kwh": value,
        "intensity_kind": kind,
        "emission_factor_type": factor,
        "is_estimated": False,
        "issued_at_utc": fetched,
        "fetched_at_utc": fetched,
        "source_id": f"{kind}-{zone}",
    }


def grid(dice: random.Random, horizon: int, factor: str) -> list[dict[str, Any]]:
    """AA forecast and history, BB-2 half a forecast, CC climatology, DD-1 a forecast with holes, EE example, FF measured now."""
    start = AS_OF.replace(minute=0, second=0, microsecond=0)
    coarse = dice.random() < 0.3  # few values, so that many hours tie

    def value(level: float) -> float:
        return float(dice.choice((0.5, 1.0, 1.5)) * level if coarse else dice.uniform(0.3, 1.7) * level)

    rows = []
    old, new = AS_OF - timedelta(days=1), AS_OF - timedelta(minutes=20)
    for hour in range(horizon):
        at = start + timedelta(hours=hour)
        rows.append(reading("AA", at, value(300), "forecast", factor, new))
        rows.append(reading("AA", at, value(300), "forecast", factor, old))
        if hour < horizon // 2:
            rows.append(reading("BB-2", at, value(120), "forecast", factor, new))
        if hour not in (3, 4) and not 6 <= hour < 10:
            rows.append(reading("DD-1", at, value(200), "forecast", factor, new))
        rows.append(reading("EE", at, value(200), "example", factor, new))
    rows.append(reading("FF", start, value(80), "measured", factor, new))
    rows.append(reading("FF", start + timedelta(hours=1), None, "forecast", factor, new))
    other = "direct" if factor == "lifecycle" else "lifecycle"
    rows.append(reading("FF", start + timedelta(hours=2), 1.0, "forecast", other, new))
    for back in range(1, 60):
        rows.append(reading("CC", start - timedelta(hours=back), value(60), "measured", factor, old))
    rows.append(reading("CC", start - timedelta(days=91), 5_000.0, "measured", factor, old))
    for back in range(3, 200):
        rows.append(reading("AA", start - timedelta(hours=back), value(280), "measured", factor, old))
    dice.shuffle(rows)
    return rows


def world(seed: int, *, horizon: int = 24, factor: str = "lifecycle", **settings: Any) -> World:
    return World(
        as_of=AS_OF,
        horizon=horizon,
        factor_type=factor,
        zones=zones(),
        grid=grid(random.Random(seed), horizon, factor),
        regions=regions(),
        devices=devices(),
        fits=fits(),
        offers=OFFERS,
        **settings,
    )


def job(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A queued job of 8 x 3 h in one:aa-west that may run anywhere."""
    row = dict.fromkeys(PLANNED_JOBS.columns)
    row |= {
        "job_id": f"job-{number:04d}",
        "manifest": "jobs.parquet",
        "row": number,
        "state": "queued",
        "device_as_given": "Chip A",
        "device": "Chip A",
        "device_count": 8.0,
        "repeats": 1,
        "interruptible": False,
        "current_region": "one:aa-west",
        "allowed_regions": "*",
        "work_source": "wall_hours",
        "wall_hours": 3.0,
    }
    return row | changes


def random_job(dice: random.Random, number: int) -> dict[str, Any]:
    names = [region[0] for region in REGIONS]
    wall = dice.choice((1 / 3600, 0.5, 1.0, 2.0, 3.25, 5.0, 10.7, 23.9, 24.0, 30.5, 90.25))
    if dice.random() < 0.03:
        wall = 10_000.0 + dice.choice((0.0, 0.4))
    wall *= dice.choice((1.0, dice.uniform(0.7, 1.3)))
    device = dice.choice(DEVICES)[0]
    changes: dict[str, Any] = {
        "device": device,
        "device_count": float(dice.choice((1, 8, 64, 0.5))),
        "repeats": dice.choice((1, 1, 1, 3)),
        "wall_hours": wall,
        "current_region": dice.choice((*names, None)),
        "allowed_regions": dice.choice(
            ("*", None, "", "one:*", "two:*;one:bb", "country:CC", "one:nowhere", "one:aa-west;one:bb")
        ),
        "interruptible": dice.random() < 0.3,
        "dataset_gb": dice.choice((None, 0.0, 50.0, 1e5)),
        "team": dice.choice(("red", "blue", None)),
    }
    if wall > 1000:
        changes |= {"repeats": 1, "interruptible": False}
    earliest = AS_OF + timedelta(hours=dice.uniform(-3, 30)) if dice.random() < 0.6 else None
    if earliest is not None and dice.random() < 0.3:
        earliest = earliest.replace(minute=0, second=0, microsecond=0)
    changes["earliest_start_utc"] = earliest
    if dice.random() < 0.6:
        slack = dice.choice((-4.0, -0.3, 0.0, 0.2, 2.0, 12.5, 40.0))
        begins = max(AS_OF, earliest or AS_OF)
        finish = begins + timedelta(hours=wall * changes["repeats"] * dice.choice((1.0, 1.2)) + slack)
        changes["finish_by_utc"] = max(
            finish, (earliest or AS_OF - timedelta(hours=1)) + timedelta(minutes=5)
        )
    if dice.random() < 0.5 and wall < 100:
        changes |= _by_flop(dice, wall * changes["device_count"], device)
    rare: list[dict[str, Any]] = [
        {"state": "running"},
        {"carbon_intensity_gco2e_per_kwh": 155.0},
        {"power_w": 512.0},
    ]
    return job(number, **changes, **dice.choice([{}] * 12 + rare))


def _by_flop(dice: random.Random, device_hours: float, device: str) -> dict[str, Any]:
    central = next(central for name, _, central, _ in FITS if name == device)
    alpha, t = 10.0**central, device_hours * 3600.0
    flop = ((1 + alpha * t) * math.log1p(alpha * t) - alpha * t) / alpha * 1e12
    own = {"log10_alpha_low": central - 0.5, "log10_alpha_high": central + 0.7} if dice.random() < 0.3 else {}
    return {"work_source": "training_flop", "wall_hours": None, "training_flop": flop, **own}


@dataclass(frozen=True)
class Planned:
    """Jobs through the package."""

    curves: PlanningCurves
    regions: Regions
    estimates: JobEstimates
    windows: Windows
    alternatives: Alternatives
    advice: Advice


def curves_of(world: World) -> PlanningCurves:
    return planning_curves(
        table(world.grid, GRID_INTENSITY.schema()),
        table(world.zones, PUBLISHED["dim_zone"].schema()),
        world.as_of,
        horizon_hours=world.horizon,
        emission_factor_type=world.factor_type,
    )


def plan(jobs: Sequence[Mapping[str, Any]], world: World, *, top_k: int = 3, **options: Any) -> Planned:
    """Plan jobs as a night does."""
    curves = curves_of(world)
    planned = table(jobs, PLANNED_JOBS.schema())
    places = regions_as_columns(
        table(world.regions, PUBLISHED["dim_region"].schema()),
        curves,
        "paper" if options.get("paper") else "calibrated",
    )
    estimates = estimate_jobs(
        planned,
        table(world.fits, DEVICE_FITS.schema()),
        table(world.devices, PUBLISHED["dim_device"].schema()),
        places,
        curves,
        device_lifetime_years=world.lifetime_h / 8760.0,
        fleet_utilisation=world.fleet_utilisation,
        default_region=world.default_region,
        **options,
    )
    windows = windows_of_jobs(
        estimates,
        curves,
        max_delay_hours=world.max_delay,
        restart_kwh_per_device=world.restart_kwh_per_device,
    )
    allowed = AllowedRegions(places.names, places.providers, places.countries, world.offers)
    move = transfer_kgco2e(planned, estimates.baseline.region >= 0, curves.network_gco2e_per_kwh)
    alternatives = choose(
        estimates,
        windows,
        allowed.mask(planned, world.default_region),
        move,
        field_of_regions(places, curves),
        top_k=top_k,
        min_saving_pct=world.min_saving_pct,
        min_saving_pct_to_delay=world.min_saving_pct_to_delay,
    )
    return Planned(
        curves,
        places,
        estimates,
        windows,
        alternatives,
        advise(estimates, windows, alternatives, places, move),
    )
