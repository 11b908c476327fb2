"""Claims: what the advice puts into a region, and where that is too much for a sum of savings."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from opencarbon.estimation.claims import Claims, claims_of, partial_steps, puts_there
from opencarbon.estimation.regions import region_advice
from opencarbon.estimation.totals import partial_totals, totals
from tests.estimation.test_regions import parts
from tests.estimation.worlds import AS_OF, Planned, job, plan, random_job, world

HOME, CLEAN = "one:aa-west", "two:cc"
AT_ONCE: dict[str, Any] = {"allowed_regions": CLEAN, "finish_by_utc": AS_OF + timedelta(hours=3)}
"""A job of three hours that must leave its home now."""


def claims(*batches: Planned, claim_up_to_mw: float = 10.0, saving_status: str = "potential") -> Claims:
    steps = [partial_steps(one.estimates, one.advice, one.alternatives, one.regions) for one in batches]
    return claims_of(steps, claim_up_to_mw=claim_up_to_mw, saving_status=saving_status)


def sums(claimed: Claims, *batches: Planned) -> dict[tuple[str, str], dict[str, Any]]:
    found = [partial_totals(one.estimates, one.advice, one.regions, one.curves) for one in batches]
    partial, errors, places = zip(*found, strict=True)
    rows = totals(partial, errors, places, claimed, {}).to_pylist()
    return {(row["scope"], row["scope_value"]): dict(row) for row in rows}


def regions(claimed: Claims, *batches: Planned) -> dict[str, dict[str, Any]]:
    table = region_advice(parts(*batches)[1], batches[0].regions, batches[0].curves, claimed)
    return {str(row["region"]): dict(row) for row in table.to_pylist()}


def facility_mw(planned: Planned) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Power of each job in its advised region, from the device up."""
    count = planned.estimates.jobs["device_count"].to_numpy()
    pue = planned.regions.pue[planned.advice.region]
    return np.asarray(count * planned.estimates.power.power_w * pue / 1e6)


def mean_load(planned: Planned, jobs: Sequence[int]) -> dict[tuple[str, int], float]:
    """Mean facility power of every region and hour, stretch by stretch and hour by hour [MW]."""
    shown, power = planned.alternatives, facility_mw(planned)
    load: dict[tuple[str, int], float] = defaultdict(float)
    for at in jobs:
        mine = shown.stretch_job == at
        stretches = list(zip(shown.stretch_start_h[mine], shown.stretch_finish_h[mine], strict=True))
        for start, finish in stretches or [(planned.advice.start_h[at], planned.advice.finish_h[at])]:
            for hour in range(int(start), int(finish) + 1):
                share = min(finish, hour + 1) - max(start, hour)
                load[planned.regions.names[planned.advice.region[at]], hour] += max(share, 0.0) * power[at]
    return load


def peaks(load: dict[tuple[str, int], float]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for (region, _), megawatts in load.items():
        found[region] = max(found[region], megawatts)
    return found


@cache
def mw_of_one_device() -> float:
    one = plan([job(**AT_ONCE)], world(1))
    assert (["move"], [CLEAN]) == (one.advice.action.tolist(), [one.regions.names[one.advice.region[0]]])
    return float(facility_mw(one)[0]) / 8.0


def moved(megawatts: float, number: int = 0, **changes: Any) -> dict[str, Any]:
    """A job that moves from its home to the clean region, and draws so much there."""
    return job(number, **AT_ONCE, device_count=megawatts / mw_of_one_device(), **changes)


@pytest.mark.parametrize("seed", range(2))
def test_peaks_are_those_of_the_load_hour_by_hour(seed: int) -> None:
    dice = random.Random(seed)
    planned = plan([random_job(dice, number) for number in range(60)], world(seed))
    advised = np.flatnonzero(planned.advice.advised)
    baseline, advice = planned.estimates.baseline, planned.advice
    stays = (baseline.region == advice.region) & (advice.action == "run_now")

    found = claims(planned)

    assert peaks(mean_load(planned, advised.tolist())) == pytest.approx(found.peak_power_mw, rel=1e-6)
    shifted = peaks(mean_load(planned, advised[~stays[advised]].tolist()))
    assert len(shifted) > 3
    for region, megawatts in found.shifted_peak_power_mw.items():
        assert shifted.get(region, 0.0) == pytest.approx(megawatts, rel=1e-6, abs=1e-9)


def test_load_behind_the_horizon_counts() -> None:
    late = job(
        allowed_regions=CLEAN,
        earliest_start_utc=AS_OF + timedelta(hours=500),
        finish_by_utc=AS_OF + timedelta(hours=504),
    )
    planned = plan([late], world(1))

    assert planned.advice.start_h[0] > 500
    assert facility_mw(planned)[0] == pytest.approx(claims(planned).shifted_peak_power_mw[CLEAN])


def test_jobs_after_one_another_need_the_power_of_one() -> None:
    first = job(allowed_regions="", wall_hours=2.0, finish_by_utc=AS_OF + timedelta(hours=2))
    begins = AS_OF + timedelta(hours=4)
    then = first | {
        "job_id": "then",
        "earliest_start_utc": begins,
        "finish_by_utc": begins + timedelta(hours=2),
    }
    one, both = (claims(plan(rows, world(1))).peak_power_mw[HOME] for rows in ([first], [first, then]))

    assert one == pytest.approx(both)


class TestWhatIsPutThere:
    def test_a_job_that_runs_where_and_when_it_would_anyway_is_not(self) -> None:
        stays = job(allowed_regions="", wall_hours=2.0, finish_by_utc=AS_OF + timedelta(hours=2))
        planned = plan([stays], world(1))

        assert [False] == puts_there(planned.estimates, planned.advice).tolist()
        found = claims(planned, claim_up_to_mw=0.0)
        assert (0.0, frozenset()) == (found.shifted_peak_power_mw[HOME], found.unclaimed)
        assert found.peak_power_mw[HOME] > 0

    @pytest.mark.parametrize(
        ("changes", "action"),
        [
            (AT_ONCE, "move"),
            ({"allowed_regions": ""}, "delay"),
            (AT_ONCE | {"current_region": None}, "run_now"),
        ],
        ids=["from another region", "from other hours", "from no region"],
    )
    def test_a_job_that_would_not_be_there_is(self, changes: dict[str, Any], action: str) -> None:
        planned = plan([job(**changes)], world(1))

        assert [action] == planned.advice.action.tolist()
        assert [True] == puts_there(planned.estimates, planned.advice).tolist()

    def test_a_job_without_advice_is_not(self) -> None:
        planned = plan([job(state="running")], world(1))

        assert [False] == puts_there(planned.estimates, planned.advice).tolist()
        assert {} == claims(planned).peak_power_mw


class TestTheLimit:
    @pytest.mark.parametrize(
        ("megawatts", "status"), [(9.99, "potential"), (10.0, "potential"), (10.01, "not_claimed")]
    )
    def test_ten_megawatts_may_be_claimed_and_more_may_not(self, megawatts: float, status: str) -> None:
        planned = plan([moved(megawatts / 2), moved(megawatts / 2, 1)], world(1))
        found = claims(planned)

        region, run = regions(found, planned)[CLEAN], sums(found, planned)["run", "all jobs"]

        assert megawatts == pytest.approx(region["shifted_peak_power_mw"])
        assert (status, status) == (region["saving_status"], run["saving_status"])
        nothing = status == "not_claimed"
        assert nothing == (region["saving_kgco2e"] is None)
        assert [nothing] * 3 == [run[f"saving{end}_kgco2e"] is None for end in ("", "_low", "_high")]
        assert run["baseline_kgco2e"] > run["advised_kgco2e"] > 0

    def test_only_sums_with_jobs_that_are_put_there_lose_their_saving(self) -> None:
        big, small = moved(20.0, team="red", project="a"), moved(1.0, 1, team="blue", project="b")
        elsewhere = job(2, team="green", allowed_regions="two:ff", device="Chip B")
        planned = plan([big, small, elsewhere], world(1))
        assert [CLEAN, CLEAN, "two:ff"] == [planned.regions.names[at] for at in planned.advice.region]
        found = claims(planned)

        by_sum = {key: row["saving_status"] for key, row in sums(found, planned).items()}

        assert frozenset({CLEAN}) == found.unclaimed
        assert {
            ("run", "all jobs"): "not_claimed",
            ("team", "red"): "not_claimed",
            ("team", "blue"): "not_claimed",
            ("team", "green"): "potential",
            ("project", "a"): "not_claimed",
            ("project", "b"): "not_claimed",
            ("region", HOME): "not_claimed",
            ("device", "Chip A"): "not_claimed",
            ("device", "Chip B"): "potential",
        } == by_sum
        by_region = {name: row["saving_status"] for name, row in regions(found, planned).items()}
        assert {CLEAN} == {name for name, status in by_region.items() if status != "potential"}

    def test_a_sum_of_jobs_that_stay_in_a_full_region_keeps_its_saving(self) -> None:
        stays = job(1, current_region=CLEAN, allowed_regions="", team="blue", wall_hours=2.0)
        stays["finish_by_utc"] = AS_OF + timedelta(hours=2)
        planned = plan([moved(20.0, team="red"), stays], world(1))

        found = sums(claims(planned), planned)

        assert ("not_claimed", None) == tuple(
            found["team", "red"][name] for name in ("saving_status", "saving_kgco2e")
        )
        assert ("potential", 0.0) == tuple(
            found["team", "blue"][name] for name in ("saving_status", "saving_kgco2e")
        )

    def test_a_job_without_a_baseline_fills_a_region_and_spoils_no_sum_that_it_is_not_in(self) -> None:
        nowhere = moved(20.0, team="red") | {"current_region": None}
        elsewhere = job(1, team="red", allowed_regions="two:ff")
        planned = plan([nowhere, elsewhere], world(1))
        found = claims(planned)

        red = sums(found, planned)["team", "red"]

        assert frozenset({CLEAN}) == found.unclaimed
        assert (1, "potential") == (red["jobs_without_baseline"], red["saving_status"])
        assert planned.advice.saving_kgco2e[1] == pytest.approx(red["saving_kgco2e"])

    def test_where_capacity_was_reserved_everything_is_claimed(self) -> None:
        planned = plan([moved(20.0)], world(1))
        found = claims(planned, saving_status="allocated")

        run = sums(found, planned)["run", "all jobs"]

        assert frozenset() == found.unclaimed
        assert "allocated" == run["saving_status"]
        assert planned.advice.saving_kgco2e[0] == pytest.approx(run["saving_kgco2e"])
        assert {"allocated"} == {row["saving_status"] for row in regions(found, planned).values()}


def test_batches_of_any_size_claim_the_same() -> None:
    dice, here = random.Random(5), world(5)
    rows = [random_job(dice, number) for number in range(60)]
    whole = plan(rows, here)
    level = float(np.median(sorted(claims(whole).shifted_peak_power_mw.values())))
    at_once = claims(whole, claim_up_to_mw=level)
    expected = sums(at_once, whole)
    assert {"potential", "not_claimed"} <= {row["saving_status"] for row in expected.values()}

    for edges in ((0, 1, 60), (0, 13, 14, 40, 60)):
        batches = [plan(rows[first:last], here) for first, last in pairwise(edges)]
        found = claims(*batches, claim_up_to_mw=level)

        assert at_once.unclaimed == found.unclaimed
        assert at_once.peak_power_mw == pytest.approx(found.peak_power_mw)
        for key, row in sums(found, *batches).items():
            assert expected[key] == pytest.approx(row, nan_ok=True)
