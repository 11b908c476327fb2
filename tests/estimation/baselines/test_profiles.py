"""The two profiles as methods: the same figures as estimates of jobs by profile."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from opencarbon.catalog.catalog import PaperDevice
from opencarbon.estimation.job_tables import job_estimate
from opencarbon.physics.throughput import device_hours
from tests.estimation.baselines.contexts import Row, context_of, estimate, estimates, planned
from tests.estimation.oracle import World
from tests.estimation.worlds import DEVICES, REGIONS, job, plan, random_job, world

PAPER = {"Chip A": PaperDevice(20.0, 50.0, 500.0, 1.5), "Chip B": PaperDevice(-1.0, 2.0, 310.0, None)}
OTHER = ("method",)
"""Shared columns that differ: a method is called otherwise than its profile."""


def paper_fits(small: World) -> list[Row]:
    """Wider fits than ours, so that taking the wrong ones shows."""
    return [dict(fit) | {"log10_alpha_low": -2.0, "log10_alpha_high": 3.0} for fit in small.fits]


def mixed_jobs(seed: int) -> list[Row]:
    """Random jobs by hours and FLOP, and every other way to state work, power, intensity and throughput."""
    dice = random.Random(seed)
    jobs = [random_job(dice, number) for number in range(60)]
    work: list[Row] = [
        {"work_source": "parameters_tokens", "parameters": 7e9, "training_tokens": 2e9},
        {
            "work_source": "parameters_tokens",
            "parameters": 7e10,
            "active_parameters": 1e9,
            "training_tokens": 3e8,
        },
        {"work_source": "forward_flop", "forward_flop_per_sample": 1e12, "samples": 1e6},
        {"work_source": "training_flop", "training_flop": 3e18, "utilisation": 0.41},
        {"work_source": "training_flop", "training_flop": 3e18, "power_w": 512.0},
        {
            "work_source": "training_flop",
            "training_flop": 3e18,
            "log10_alpha_low": -1.5,
            "log10_alpha_high": 2.5,
        },
        {"work_source": "device_hours", "device_hours": 71.0, "power_w": 333.0, "repeats": 4},
        {"work_source": "device_hours", "device_hours": 71.0, "training_flop": 3e18, "utilisation": 0.2},
    ]
    places: list[Row] = [
        {"current_region": None},
        {"current_region": None, "carbon_intensity_gco2e_per_kwh": 57.0},
        {"carbon_intensity_gco2e_per_kwh": 57.0},
        {"carbon_intensity_gco2e_per_kwh": 0.0},
        {"current_region": "one:nowhere"},
        {"current_region": "two:bb", "repeats": 3},
    ]
    jobs += [
        job(device=device, device_as_given=device, wall_hours=None) | way | place
        for device in ("Chip A", "Chip B", "Chip C")
        for way in work
        for place in places
    ]
    return [row | {"job_id": f"job-{at:04d}", "row": at} for at, row in enumerate(jobs)]


def by_profile(jobs: list[Row], small: World, profile: str, **options: Any) -> list[Row]:
    done = plan(jobs, small, **options)
    return [dict(row) for row in job_estimate(done.estimates, done.regions, done.curves, profile).to_pylist()]


def same(one: Any, other: Any) -> bool:
    """Equal, or numbers that rounding alone keeps apart; null is null only."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def differences(profile: list[Row], method: list[Row]) -> dict[str, list[tuple[str, Any, Any]]]:
    """Shared columns that are not the same, with the jobs."""
    shared = [name for name in method[0] if name in profile[0] and name not in OTHER]
    assert 30 == len(shared)  # job, region, work, place, and six quantities with their ends
    found = {
        name: [
            (one["job_id"], one[name], other[name])
            for one, other in zip(profile, method, strict=True)
            if not same(one[name], other[name])
        ]
        for name in shared
    }
    return {name: rows for name, rows in found.items() if rows}


class TestEqualToTheProfiles:
    @pytest.mark.parametrize("default_region", [None, "two:cc"])
    @pytest.mark.parametrize("seed", [1, 2])
    def test_calibrated_is_the_calibrated_profile_in_every_column(
        self, seed: int, default_region: str | None
    ) -> None:
        small = world(seed, default_region=default_region, lifetime_h=5 * 8760.0, fleet_utilisation=0.7)
        jobs = mixed_jobs(seed)

        method = estimates("calibrated", *jobs, context=context_of(small, paper_fits(small), PAPER))

        assert {} == differences(by_profile(jobs, small, "calibrated"), method)

    @pytest.mark.parametrize("default_region", [None, "two:cc"])
    @pytest.mark.parametrize("seed", [1, 2])
    def test_opencarboneval_is_the_paper_profile_in_every_column(
        self, seed: int, default_region: str | None
    ) -> None:
        small = world(seed, default_region=default_region)
        jobs, fits = mixed_jobs(seed), paper_fits(small)

        method = estimates("opencarboneval", *jobs, context=context_of(small, fits, PAPER))

        assert {} == differences(by_profile(jobs, replace(small, fits=fits), "paper", paper=PAPER), method)

    def test_the_jobs_compared_are_of_every_kind(self) -> None:
        rows = estimates("calibrated", *mixed_jobs(1), context=context_of(world(1), [], PAPER))

        assert {"stated", "predicted"} == {row["hours_source"] for row in rows}
        assert {None} < {row["pue"] for row in rows}
        assert {None, 0.0} < {row["operational_kgco2e"] for row in rows}
        assert {None, "fixed", "forecast", "annual"} <= {row["intensity_kind"] for row in rows}
        assert {region[0] for region in REGIONS} <= {row["baseline_region"] for row in rows}
        assert {device[0] for device in DEVICES} == {row["device"] for row in rows}


class TestFigures:
    def test_opencarboneval_takes_the_mean_of_the_hours_at_both_ends(self) -> None:
        # Table 1: log10 alpha of A100 20 to 50, TDP 400 W; section 3.4: 1.5 g of embodied carbon an hour.
        row = estimate("opencarboneval", training_flop=1e22, carbon_intensity_gco2e_per_kwh=100.0)

        slow, fast = (float(device_hours(1e22, alpha)) for alpha in (20.0, 50.0))
        assert row["device_hours"] == pytest.approx((slow + fast) / 2)
        assert [row["device_hours_low"], row["device_hours_high"]] == pytest.approx([fast, slow])
        assert row["energy_kwh"] == pytest.approx(row["device_hours"] * 0.4)
        assert (1.0, row["energy_kwh"]) == (row["pue"], row["facility_energy_kwh"])
        assert row["operational_kgco2e"] == pytest.approx(row["energy_kwh"] * 0.1)
        assert row["embodied_kgco2e"] == pytest.approx(row["device_hours"] * 1.5e-3)

    def test_calibrated_counts_the_host_and_the_pue_of_the_region(self) -> None:
        # A100: 281 W of 400 W measured on the board, pooled with other devices, and 150 W of the host.
        row = estimate("calibrated", device_hours=100.0, carbon_intensity_gco2e_per_kwh=100.0)

        assert row["power_w"] == pytest.approx(399.1, abs=0.1)
        assert row["power_low_w"] < 281 + 150 < row["power_high_w"]
        assert row["energy_kwh"] == pytest.approx(0.1 * row["power_w"])
        assert row["pue"] > 1.0
        assert row["facility_energy_kwh"] == pytest.approx(row["energy_kwh"] * row["pue"])
        assert row["power_low_w"] < row["power_w"] < row["power_high_w"]

    @pytest.mark.parametrize("method", ["calibrated", "opencarboneval"])
    def test_hours_that_are_withheld_are_those_of_a_job_that_states_none(self, method: str) -> None:
        stating = planned(device_hours=10.0, parameters=7e9, training_tokens=1e11, utilisation=0.3)
        silent = planned(parameters=7e9, training_tokens=1e11, utilisation=0.3)

        (stated,) = estimates(method, stating)
        (withheld,) = estimates(method, stating, is_predicting=True)

        assert (10.0, "stated") == (stated["device_hours"], stated["hours_source"])
        assert estimates(method, silent) == [withheld]
        assert withheld["device_hours"] == pytest.approx(
            6 * 7e9 * 1e11 / (0.3 * 312e12 * 3600), rel=1e-9 if method == "calibrated" else 1e-6
        )

    def test_hours_are_stated_where_there_is_nothing_to_predict_them_from(self) -> None:
        (row,) = estimates("calibrated", planned(device_hours=10.0), is_predicting=True)

        assert (10.0, "stated") == (row["device_hours"], row["hours_source"])


class TestDeviceWithoutEmbodiedFigure:
    @pytest.mark.parametrize("method", ["calibrated", "opencarboneval"])
    def test_has_operational_emissions_and_no_total(self, method: str) -> None:
        small = world(1)
        lacking = [
            dict(device) | {f"embodied_{end}_kgco2e": None for end in ("low", "central", "high")}
            for device in small.devices
        ]
        context = context_of(replace(small, devices=lacking), paper_fits(small), {})

        known, unknown = (
            estimates(method, job(current_region=region), context=context)[0]
            for region in ("one:aa-west", None)
        )

        assert known["operational_kgco2e"] > 0
        assert [None] * 3 == [known[f"{name}_kgco2e"] for name in ("embodied", "total", "total_low")]
        remedy = "no total without embodied emissions: add embodied_central_kgco2e to the entry of Chip A"
        assert remedy == known["reason"]
        assert unknown["reason"] == (
            f"{remedy}; no carbon intensity: give current_region or carbon_intensity_gco2e_per_kwh"
        )
