"""Totals: sums over jobs, with errors shared within a device and within a zone."""

import math
import random
from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.claims import claims_of, partial_steps
from opencarbon.estimation.job_tables import job_estimate, job_recommendation
from opencarbon.estimation.totals import partial_totals, totals
from tests.estimation.planning.test_advice import beside
from tests.estimation.worlds import Planned, job, plan, random_job, world


def summed(
    *batches: Planned,
    claim_up_to_mw: float = 1e9,
    saving_status: str = "potential",
    budgets: dict[tuple[str, str], float] | None = None,
) -> dict[tuple[str, str], dict[str, Any]]:
    parts = [partial_totals(one.estimates, one.advice, one.regions, one.curves) for one in batches]
    steps = [partial_steps(one.estimates, one.advice, one.alternatives, one.regions) for one in batches]
    claims = claims_of(steps, claim_up_to_mw=claim_up_to_mw, saving_status=saving_status)
    sums, errors, places = zip(*parts, strict=True)
    rows = totals(sums, errors, places, claims, budgets or {}).to_pylist()
    return {(row["scope"], row["scope_value"]): dict(row) for row in rows}


def whole(*rows: dict[str, Any], seed: int = 1) -> dict[str, Any]:
    return summed(plan(rows, world(seed)))["run", "all jobs"]


def half_widths(row: dict[str, Any], quantity: str) -> tuple[float, float]:
    central = row[f"{quantity}_kgco2e"]
    return central - row[f"{quantity}_low_kgco2e"], row[f"{quantity}_high_kgco2e"] - central


FLOP: dict[str, Any] = {"work_source": "training_flop", "wall_hours": None, "training_flop": 3e18}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        FLOP,
        {"dataset_gb": 1e4, "allowed_regions": "two:cc"},
        {"state": "running"},
        {"allowed_regions": ""},
    ],
    ids=["hours", "flop", "moved with data", "running", "delayed"],
)
def test_the_total_of_one_job_is_that_job(changes: dict[str, Any]) -> None:
    planned = plan([job(**changes)], world(1))
    total = summed(planned)["run", "all jobs"]
    estimate = job_estimate(planned.estimates, planned.regions, planned.curves, "calibrated").to_pylist()[0]
    advice = job_recommendation(
        planned.estimates, planned.advice, beside(planned), planned.regions, planned.curves.start_utc
    ).to_pylist()[0]

    for end in ("", "_low", "_high"):
        assert estimate[f"total{end}_kgco2e"] == pytest.approx(total[f"baseline{end}_kgco2e"])
        assert advice[f"saving{end}_kgco2e"] == pytest.approx(total[f"saving{end}_kgco2e"])
    assert advice["advised_total_kgco2e"] == pytest.approx(total["advised_kgco2e"])


def test_errors_of_jobs_of_one_device_in_one_zone_add_up() -> None:
    one, two = whole(job(**FLOP)), whole(job(**FLOP), job(1, **FLOP))
    for quantity in ("baseline", "advised", "saving"):
        assert 2 * one[f"{quantity}_kgco2e"] == pytest.approx(two[f"{quantity}_kgco2e"])
        assert tuple(2 * width for width in half_widths(one, quantity)) == pytest.approx(
            half_widths(two, quantity)
        )


def test_errors_of_other_devices_in_other_zones_are_independent() -> None:
    """Half-widths of logarithms times emissions, combined by root-sum-square."""
    here: dict[str, Any] = {"allowed_regions": ""}
    first = job(**FLOP, **here)
    second = job(1, device="Chip B", current_region="two:cc", **FLOP, **here)
    both = whole(first, second)
    parts = []
    for row in (first, second):
        found = plan([row], world(1)).estimates
        parts.append((float(found.operational_kgco2e[0]), float(found.operational_up[0])))
    operational = sum(emitted for emitted, _ in parts)
    width = math.hypot(*(emitted * up for emitted, up in parts)) / operational

    assert operational * math.expm1(width) == pytest.approx(half_widths(both, "baseline")[1])


def test_a_shared_zone_alone_shares_only_the_error_of_the_place() -> None:
    rows = [job(device=device, allowed_regions="", **FLOP) for device in ("Chip A", "Chip B")]
    both = whole(*(row | {"job_id": row["device"]} for row in rows))
    device, place, operational = 0.0, 0.0, 0.0
    for row in rows:
        found = plan([row], world(1)).estimates
        emitted = float(found.operational_kgco2e[0])
        operational += emitted
        device += emitted**2 * (found.work.down[0] ** 2 + found.power.down[0] ** 2)
        place += emitted * found.place_width[0]
    width = math.sqrt(device + place**2) / operational

    assert -operational * math.expm1(-width) == pytest.approx(half_widths(both, "baseline")[0])


def test_the_order_and_the_size_of_batches_change_nothing() -> None:
    dice = random.Random(3)
    rows, here = [random_job(dice, number) for number in range(60)], world(3)
    at_once = summed(plan(rows, here))
    in_parts = summed(*(plan(rows[first : first + 17], here) for first in range(0, 60, 17)))

    assert list(at_once) == list(in_parts)
    for key, row in at_once.items():
        assert row == pytest.approx(in_parts[key], nan_ok=True)


def test_jobs_without_a_baseline_are_counted_and_not_summed() -> None:
    known, unknown = job(team="red"), job(1, team="red", current_region=None)
    nobody = job(2, team="blue", current_region=None)
    found = summed(plan([known, unknown, nobody], world(1)))
    alone = summed(plan([known], world(1)))

    assert (3, 2) == tuple(found["run", "all jobs"][name] for name in ("jobs", "jobs_without_baseline"))
    assert (2, 1) == tuple(found["team", "red"][name] for name in ("jobs", "jobs_without_baseline"))
    assert alone["run", "all jobs"]["baseline_kgco2e"] == pytest.approx(
        found["run", "all jobs"]["baseline_kgco2e"]
    )
    assert (1, 1, None, None) == tuple(
        found["team", "blue"][name]
        for name in ("jobs", "jobs_without_baseline", "baseline_kgco2e", "saving_low_kgco2e")
    )


def test_scopes_divide_the_run() -> None:
    dice = random.Random(4)
    planned = plan([random_job(dice, number) for number in range(80)], world(4))
    found = summed(planned)
    counted = np.isfinite(planned.advice.baseline_total_kgco2e)

    assert planned.advice.saving_kgco2e[counted].sum() == pytest.approx(
        found["run", "all jobs"]["saving_kgco2e"]
    )
    for scope in ("region", "device"):
        rows = [row for (name, _), row in found.items() if name == scope]
        total = sum(row["baseline_kgco2e"] or 0.0 for row in rows)
        assert found["run", "all jobs"]["baseline_kgco2e"] == pytest.approx(total)
    assert 80 == sum(row["jobs"] for (name, _), row in found.items() if name == "device")
    assert all(
        row["baseline_low_kgco2e"] <= row["baseline_kgco2e"]
        for row in found.values()
        if row["baseline_kgco2e"]
    )


class TestBudgets:
    """Of the run and of teams, against the central value of what all their jobs would emit."""

    @staticmethod
    def statuses(budgets: dict[tuple[str, str], float]) -> dict[tuple[str, str], Any]:
        rows = [
            job(team="red"),
            job(1, team="red", current_region=None),
            job(2, team="blue", current_region=None),
        ]
        found = summed(plan(rows, world(1)), budgets=budgets)
        return {key: (row["budget_kgco2e"], row["budget_status"]) for key, row in found.items()}

    def test_jobs_without_a_baseline_are_held_against_them_and_only_what_is_above_is_over(self) -> None:
        planned = plan([job(team="red"), job(1, team="red", current_region=None)], world(1))
        red = summed(planned)["team", "red"]
        held = red["advised_all_jobs_kgco2e"]

        assert planned.advice.advised_total_kgco2e.sum() == pytest.approx(held)
        assert planned.advice.advised_total_kgco2e[0] == pytest.approx(red["advised_kgco2e"])
        for limit, status in ((held, "within"), (0.999 * held, "over")):
            found = summed(planned, budgets={("team", "red"): limit, ("run", "all jobs"): limit})
            for key in (("team", "red"), ("run", "all jobs")):
                assert (limit, status) == (found[key]["budget_kgco2e"], found[key]["budget_status"])

    def test_only_the_run_and_teams_have_one(self) -> None:
        found = self.statuses({("team", "red"): 1e-6, ("device", "Chip A"): 1e-6})

        assert (1e-6, "over") == found["team", "red"]
        assert (None, "no_budget") == found["team", "blue"] == found["run", "all jobs"]
        assert {"run", "team"} == {scope for (scope, _), (_, status) in found.items() if status}

    def test_nothing_is_held_against_one_where_nothing_is_known(self) -> None:
        nowhere = job(team="red", current_region=None, allowed_regions="one:nowhere")
        found = summed(plan([nowhere], world(1)), budgets={("team", "red"): 1.0})["team", "red"]

        assert (None, 1.0, None) == tuple(
            found[name] for name in ("advised_all_jobs_kgco2e", "budget_kgco2e", "budget_status")
        )
        assert found["saving_status"] is None


def test_no_job_at_all_gives_no_total() -> None:
    assert {} == summed(plan([], world(1)))
