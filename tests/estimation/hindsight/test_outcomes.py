"""Outcomes of past advice: figures by hand, and job by job by a slow oracle that shares no code with the package."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from opencarbon.estimation.hindsight.measured_curves import MeasuredCurves, measured_curves
from opencarbon.estimation.hindsight.outcomes import HindsightRules, outcomes_if_followed, outcomes_of_runs
from opencarbon.estimation.hindsight.past_advice import PastAdvice
from opencarbon.estimation.hindsight.scorecard import scorecard_of
from opencarbon.tables.contracts import PUBLISHED
from opencarbon.tables.inputs import COMPLETED_JOBS, GRID_INTENSITY
from tests.physics.shifting_oracle import integral, with_pauses, without_pause

START = datetime(2026, 11, 16, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
NEAR = 1e-9

REGIONS = {
    # region: provider, country, zone, PUE
    "aws:a": ("aws", "DE", "DE", 1.25),
    "aws:b": ("aws", "SE", "SE", 1.0),
    "aws:nowhere": ("aws", "XX", None, 1.1),
    "gcp:c": ("gcp", "FR", "FR", None),
}
RULES = HindsightRules({"aws": frozenset({"H100"}), "gcp": frozenset({"A100"})}, 6.0, None)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def curves(**zones: "Sequence[float] | npt.NDArray[np.float64]") -> MeasuredCurves:
    """Measured hours of zones, NaN where there is none."""
    names = tuple(sorted(zones))
    return MeasuredCurves(START, names, np.array([zones[name] for name in names], dtype=np.float64))


def advised(job_id: str = "job", **changes: Any) -> dict[str, Any]:
    """A job of Germany that is advised to run in Sweden two hours later, for four hours of 1,000 kWh."""
    return {
        "job_id": job_id,
        "advised_region": "aws:b",
        "advised_start_utc": at(2),
        "advised_finish_utc": at(6),
        "transfer_kgco2e": 0.0,
        "saving_kgco2e": 400.0,
        "baseline_region": "aws:a",
        "baseline_start_utc": at(0),
        "wall_hours": 4.0,
        "device_hours": 32.0,
        "power_w": 500.0,
        "energy_kwh": 1000.0,
        "device": "H100",
        "current_region": "aws:a",
        "allowed_regions": "aws:a;aws:b",
        "earliest_start_utc": None,
        "finish_by_utc": None,
    } | changes


def ran(job_id: str = "job", **changes: Any) -> dict[str, Any]:
    """A run of it as it was advised."""
    return {
        "job_id": job_id,
        "manifest": "done.csv",
        "row": 0,
        "started_utc": at(2),
        "finished_utc": at(6),
        "region": "aws:b",
        "device_hours": None,
        "energy_kwh": None,
    } | changes


def advice(
    *jobs: dict[str, Any], segments: Sequence[tuple[str, float, float]] = (), as_of_h: float = 0.0
) -> PastAdvice:
    kinds: dict[type, pa.DataType] = {float: pa.float64(), datetime: TIME, str: pa.string()}
    types = {name: kinds[type(value)] for name, value in advised().items() if value is not None}
    types |= {"earliest_start_utc": TIME, "finish_by_utc": TIME}
    regions = [
        {"region": name, "provider": provider, "country_code": country, "zone": zone, "pue": pue}
        for name, (provider, country, zone, pue) in REGIONS.items()
    ]
    moments: dict[str, pa.DataType] = {"job_id": pa.string(), "start_utc": TIME, "finish_utc": TIME}
    stretches = pa.Table.from_pylist(
        [
            {"job_id": job, "start_utc": at(start), "finish_utc": at(finish)}
            for job, start, finish in segments
        ],
        schema=pa.schema(moments),
    )
    table = pa.Table.from_pylist(list(jobs), schema=pa.schema(types))
    return PastAdvice("past", at(as_of_h), "calibrated", table, stretches, pa.Table.from_pylist(regions))


def tell(past: PastAdvice, *runs: dict[str, Any], measured: MeasuredCurves) -> dict[str, dict[str, Any]]:
    completed = pa.Table.from_pylist(list(runs), schema=COMPLETED_JOBS.schema())
    return {row["job_id"]: row for row in outcomes_of_runs(past, completed, measured, RULES).to_pylist()}


def steps(before: float, after: float, hours: int = 24, at_hour: int = 4) -> list[float]:
    return [before] * at_hour + [after] * (hours - at_hour)


TWO = {"DE": steps(400.0, 200.0), "SE": steps(20.0, 60.0)}


class TestByHand:
    def test_a_run_as_advised_saves_what_came_true(self) -> None:
        row = tell(advice(advised()), ran(energy_kwh=800.0), measured=curves(**TWO))["job"]

        assert ("followed", "measured", 800.0, 4.0) == tuple(
            row[name] for name in ("outcome_status", "energy_source", "energy_kwh", "wall_hours")
        )
        # Germany 0-4 h: 400; Sweden 2-6 h: two hours of 20, two of 60
        assert (400.0, 40.0, 40.0) == tuple(
            row[f"{side}_carbon_intensity_gco2e_per_kwh"] for side in ("baseline", "advised", "actual")
        )
        # 800 kWh x (1.25 x 400 - 1.0 x 40) g/kWh
        assert pytest.approx(368.0) == row["saving_kgco2e"]
        assert pytest.approx(368.0) == row["saving_if_followed_kgco2e"]
        assert 400.0 == row["claimed_saving_kgco2e"]
        # best: Sweden 0-4 h at 20; 800 kWh x 20 g/kWh less
        assert ("aws:b", at(0), 20.0) == tuple(
            row[f"best_{name}"] for name in ("region", "start_utc", "carbon_intensity_gco2e_per_kwh")
        )
        assert pytest.approx(16.0) == row["regret_kgco2e"]

    def test_a_run_elsewhere_did_not_follow_and_regrets_it(self) -> None:
        run = ran(started_utc=at(1), finished_utc=at(6), region="aws:a", device_hours=40.0)

        row = tell(advice(advised()), run, measured=curves(**TWO))["job"]

        assert ("not_followed", "device_hours", 40.0) == tuple(
            row[name] for name in ("outcome_status", "energy_source", "device_hours")
        )
        assert pytest.approx(20.0) == row["energy_kwh"]  # 40 device-hours of 500 W
        # five hours each: Germany 0-5 h 360 and 1-6 h 320, Sweden 2-7 h 44 as advised and 0-5 h 28 at best
        assert pytest.approx(20e-3 * 1.25 * (360 - 320)) == row["saving_kgco2e"]
        assert pytest.approx(20e-3 * (1.25 * 360 - 44)) == row["saving_if_followed_kgco2e"]
        assert pytest.approx(20e-3 * (1.25 * 320 - 28)) == row["regret_kgco2e"]

    def test_energy_that_nobody_measured_goes_with_the_hours_of_the_run(self) -> None:
        row = tell(advice(advised()), ran(finished_utc=at(4)), measured=curves(**TWO))["job"]

        assert ("estimate", 500.0) == (row["energy_source"], row["energy_kwh"])

    @pytest.mark.parametrize(
        ("late_h", "region", "status"),
        [
            (1.0, "aws:b", "followed"),
            (-1.0, "aws:b", "followed"),
            (1.01, "aws:b", "not_followed"),
            (0, "aws:a", "not_followed"),
        ],
    )
    def test_the_advised_region_within_an_hour_is_following(
        self, late_h: float, region: str, status: str
    ) -> None:
        run = ran(started_utc=at(2 + late_h), finished_utc=at(6 + late_h), region=region)

        assert status == tell(advice(advised()), run, measured=curves(**TWO))["job"]["outcome_status"]

    def test_moving_costs_what_it_was_said_to_cost(self) -> None:
        past = advice(advised(transfer_kgco2e=5.0))

        row = tell(past, ran(), measured=curves(**TWO))["job"]
        home = tell(past, ran(region="aws:a", started_utc=at(0), finished_utc=at(4)), measured=curves(**TWO))

        assert pytest.approx(1.25 * 400 - 40 - 5) == row["saving_kgco2e"]
        assert pytest.approx(20.0) == row["regret_kgco2e"]  # the best place leaves home too
        assert 0.0 == home["job"]["saving_kgco2e"]
        assert pytest.approx(1.25 * 400 - 20 - 5) == home["job"]["regret_kgco2e"]

    def test_pue_that_nobody_knows_is_that_of_the_estimates(self) -> None:
        job = advised(allowed_regions=None, current_region="gcp:c", baseline_region="gcp:c", device="A100")

        row = tell(advice(job), ran(), measured=curves(**TWO, FR=[100.0] * 24))["job"]

        assert pytest.approx(1.56 * 100 - 40) == row["saving_kgco2e"]
        assert "aws:b" == row["best_region"]  # the run itself, though another provider was not asked for

    def test_without_a_baseline_nothing_is_saved_but_much_may_be_regretted(self) -> None:
        job = advised(baseline_region=None, baseline_start_utc=None, current_region=None, saving_kgco2e=None)

        row = tell(advice(job), ran(), measured=curves(**TWO))["job"]

        assert (None, None, None) == tuple(
            row[name] for name in ("saving_kgco2e", "claimed_saving_kgco2e", "saving_if_followed_kgco2e")
        )
        assert (1.0, "followed") == (row["measured_share"], row["outcome_status"])
        assert pytest.approx(20.0) == row["regret_kgco2e"]


class TestUnmeasured:
    FIGURES = (
        *("saving_kgco2e", "saving_if_followed_kgco2e", "regret_kgco2e", "best_region", "best_start_utc"),
        *(f"{side}_carbon_intensity_gco2e_per_kwh" for side in ("baseline", "advised", "actual", "best")),
    )

    @pytest.mark.parametrize(
        ("gaps", "region", "share"),
        [
            ({"DE": [3]}, "aws:b", 11 / 12),  # an hour of the baseline
            ({"SE": [5]}, "aws:b", 10 / 12),  # an hour of advice and run
            ({"SE": range(24), "DE": range(24)}, "aws:b", 0.0),
            ({}, "aws:nowhere", 8 / 12),
            ({}, "aws:unheard-of", 8 / 12),
        ],
    )
    def test_an_hour_that_is_not_measured_leaves_all_figures_null(
        self, gaps: dict[str, Sequence[int]], region: str, share: float
    ) -> None:
        known = {zone: np.array(values) for zone, values in TWO.items()}
        for zone, hours in gaps.items():
            known[zone][list(hours)] = np.nan

        row = tell(advice(advised()), ran(region=region), measured=curves(**known))["job"]

        assert "no_measured" == row["outcome_status"]
        assert pytest.approx(share) == row["measured_share"]
        assert {None} == {row[name] for name in self.FIGURES}
        assert (400.0, "aws:b", region) == tuple(
            row[name] for name in ("claimed_saving_kgco2e", "advised_region", "actual_region")
        )

    def test_a_gap_elsewhere_only_takes_that_place_away_from_the_best(self) -> None:
        known = {"DE": np.array(TWO["DE"]), "SE": np.array(TWO["SE"])}
        known["SE"][0] = np.nan

        row = tell(advice(advised()), ran(), measured=curves(**known))["job"]

        # Sweden 1-5 h: three hours of 20 and one of 60
        assert (at(1), 30.0) == (row["best_start_utc"], row["best_carbon_intensity_gco2e_per_kwh"])

    def test_nothing_measured_at_all_is_no_error(self) -> None:
        empty = MeasuredCurves(START, (), np.zeros((0, 0)))

        row = tell(advice(advised()), ran(), measured=empty)["job"]

        assert ("no_measured", 0.0) == (row["outcome_status"], row["measured_share"])
        assert 0 == outcomes_if_followed(advice(advised()), empty).num_rows


class TestPauses:
    SEGMENTS = (("job", 2.0, 3.0), ("job", 8.0, 11.0))

    def test_a_run_that_kept_to_its_pauses_ran_only_between_them(self) -> None:
        job, hours = advised(advised_finish_utc=at(11)), [float(hour) for hour in range(24)]

        row = tell(
            advice(job, segments=self.SEGMENTS),
            ran(started_utc=at(2.5), finished_utc=at(11.5)),
            measured=curves(DE=[400.0] * 24, SE=hours),
        )["job"]

        # half an hour at 2, hours 8, 9, 10 and half an hour at 11; as advised an hour at 2, then 8, 9 and 10
        assert (4.0, "followed") == (row["wall_hours"], row["outcome_status"])
        assert pytest.approx((1 + 27 + 5.5) / 4) == row["actual_carbon_intensity_gco2e_per_kwh"]
        assert pytest.approx((2 + 27) / 4) == row["advised_carbon_intensity_gco2e_per_kwh"]
        # a job that may pause, within 6 h of delay: 0, 1, 2, 3
        assert pytest.approx(1.5) == row["best_carbon_intensity_gco2e_per_kwh"]

    def test_a_run_elsewhere_did_not_keep_to_them(self) -> None:
        job = advised(advised_finish_utc=at(11))

        row = tell(
            advice(job, segments=self.SEGMENTS),
            ran(started_utc=at(2), finished_utc=at(11), region="aws:a"),
            measured=curves(DE=[400.0] * 24, SE=[20.0] * 24),
        )["job"]

        assert (9.0, "not_followed") == (row["wall_hours"], row["outcome_status"])

    def test_a_longer_run_draws_the_last_stretch_out_and_a_shorter_one_ends_early(self) -> None:
        hours = [float(hour) for hour in range(24)]
        job = advised(advised_finish_utc=at(11))
        past = advice(job, segments=self.SEGMENTS)
        measured = curves(DE=hours, SE=hours)
        means = {}
        for length in (0.5, 2.0, 6.0):
            run = ran(started_utc=at(5), finished_utc=at(5 + length), region="aws:a")
            means[length] = tell(past, run, measured=measured)["job"][
                "advised_carbon_intensity_gco2e_per_kwh"
            ]

        assert {0.5: 2.0, 2.0: (2 + 8) / 2, 6.0: (2 + 8 + 9 + 10 + 11 + 12) / 6} == pytest.approx(means)


class TestIfFollowed:
    def test_the_estimate_stands_for_the_run(self) -> None:
        (row,) = outcomes_if_followed(advice(advised()), curves(**TWO)).to_pylist()

        assert ("if_followed", "estimate", 1000.0, 4.0, 1.0) == tuple(
            row[name]
            for name in ("outcome_status", "energy_source", "energy_kwh", "wall_hours", "measured_share")
        )
        assert pytest.approx(1.25 * 400 - 40) == row["saving_if_followed_kgco2e"]
        assert {None} == {
            row[name]
            for name in ("saving_kgco2e", "regret_kgco2e", "best_region", "actual_region", "started_utc")
        }

    @pytest.mark.parametrize("gap", [("DE", 3), ("SE", 5)])
    def test_what_is_not_all_measured_is_not_told(self, gap: tuple[str, int]) -> None:
        known = {zone: np.array(values) for zone, values in TWO.items()}
        known[gap[0]][gap[1]] = np.nan

        assert 0 == outcomes_if_followed(advice(advised()), curves(**known)).num_rows

    def test_the_table_is_the_published_one(self) -> None:
        table = outcomes_if_followed(advice(advised()), curves(**TWO))

        assert [*table.column_names, "run_id"] == list(PUBLISHED["fact_advice_outcome"].columns)


class TestMeasuredCurves:
    def test_hold_the_newest_measured_value_of_each_hour_and_nothing_else(self) -> None:
        def known(hour: int, value: float | None, fetched_h: int, **changes: Any) -> dict[str, Any]:
            return {
                "zone": "DE",
                "hour_start_utc": at(hour),
                "carbon_intensity_gco2e_per_kwh": value,
                "intensity_kind": "measured",
                "emission_factor_type": "lifecycle",
                "fetched_at_utc": at(fetched_h),
                "source_id": "x",
            } | changes

        rows = [
            known(0, 100.0, 9),
            known(0, 90.0, 5),
            known(1, 110.0, 5),
            known(1, None, 9),
            known(2, 120.0, 5, intensity_kind="forecast"),
            known(2, 130.0, 5, emission_factor_type="direct"),
            known(2, 140.0, 5, accounting_basis="production"),
            known(3, 150.0, 5),
            known(-1, 160.0, 5),
        ]

        made = measured_curves(
            pa.Table.from_pylist(rows, schema=GRID_INTENSITY.schema()),
            START,
            at(2.5),
            emission_factor_type="lifecycle",
            accounting_basis="flow_traced",
        )

        assert ("DE",) == made.zones
        np.testing.assert_array_equal([[100.0, np.nan, np.nan]], made.values)


def test_the_scorecard_sums_what_is_known_of_both_sides() -> None:
    past = advice(*(advised(job) for job in "abcd"))
    runs = [
        ran("a"),
        ran("b", region="aws:a", started_utc=at(0), finished_utc=at(4)),
        ran("c", region="aws:nowhere"),
    ]
    of_runs = outcomes_of_runs(
        PastAdvice(
            **{name: getattr(past, name) for name in past.__slots__} | {"jobs": past.jobs.slice(0, 3)}
        ),
        pa.Table.from_pylist(runs, schema=COMPLETED_JOBS.schema()),
        curves(**TWO),
        RULES,
    )
    others = outcomes_if_followed(advice(advised("d")), curves(**TWO))

    score = scorecard_of(pa.concat_tables([of_runs, others]))

    assert (3, 1, 2, 1) == (
        *(score.finished_jobs, score.followed_jobs, score.measured_jobs),
        score.if_followed_jobs,
    )
    assert (460.0, 800.0, 20.0 + 480.0, 460.0, 400.0) == pytest.approx(
        (
            *(score.saving_kgco2e, score.claimed_saving_kgco2e, score.regret_kgco2e),
            *(score.saving_if_followed_kgco2e, score.claimed_if_followed_kgco2e),
        )
    )
    finished, hypothetical = score.sentences()
    assert (
        "of 3 finished jobs 1 followed the advice (1 not measured yet or without a baseline): "
        "460 kgCO2e saved of 800 claimed; regret 500 kgCO2e"
    ) == finished
    assert (
        "1 advised job of which no run is known: 460 kgCO2e saved of 400 claimed, if the advice was followed"
    ) == hypothetical


# --- the oracle ------------------------------------------------------------------------------------------------------


def hours(moment: datetime) -> float:
    return (moment - START) / timedelta(hours=1)


def kept_to(plan: list[tuple[float, float]], start: float, finish: float) -> list[tuple[float, float]]:
    """A run that paused as planned, and neither before the first stretch nor after the last."""
    begins = [-99.0, *(begin for begin, _ in plan[1:])]
    ends = [*(end for _, end in plan[:-1]), 99.0]
    cut = [(max(begin, start), min(end, finish)) for begin, end in zip(begins, ends, strict=True)]
    return [(one, other) for one, other in cut if other > one] or [(start, finish)]


def fitted(plan: list[tuple[float, float]], length: float) -> list[tuple[float, float]]:
    """A plan cut off, or drawn out at its end, to a length."""
    made = []
    for number, (begin, end) in enumerate(plan):
        end = begin + length if number == len(plan) - 1 else min(end, begin + length)
        length -= end - begin
        made.append((begin, end))
    return [(begin, end) for begin, end in made if end > begin]


def oracle(
    job: dict[str, Any],
    run: dict[str, Any],
    pieces: list[tuple[float, float]],
    known: dict[str, list[float]],
    as_of_h: float,
) -> dict[str, Any]:
    """Saving and regret of one job, from their definitions."""

    def place(region: str) -> tuple[list[float], float]:
        _, _, zone, pue = REGIONS[region]
        return known[zone] if zone else [float("nan")] * 24, 1.56 if pue is None else pue

    def mean(region: str, stretches: list[tuple[float, float]]) -> float:
        curve, _ = place(region)
        length = sum(finish - start for start, finish in stretches)
        return sum(integral(curve, start, finish) for start, finish in stretches) / length

    def moving(region: str) -> float:
        return float(job["transfer_kgco2e"]) if region != job["baseline_region"] else 0.0

    start, finish = hours(run["started_utc"]), hours(run["finished_utc"])
    followed = run["region"] == job["advised_region"] and abs(start - hours(job["advised_start_utc"])) <= 1
    plan = pieces or [(hours(job["advised_start_utc"]), hours(job["advised_finish_utc"]))]
    actual = kept_to(plan, start, finish) if followed and pieces else [(start, finish)]
    length = sum(b - a for a, b in actual)
    energy = run["energy_kwh"]
    if energy is None and run["device_hours"] is not None:
        energy = run["device_hours"] * job["power_w"] / 1000
    if energy is None:
        energy = job["energy_kwh"] * length / job["wall_hours"]
    base_start = hours(job["baseline_start_utc"])
    total = {
        side: energy * mean(region, stretches) * place(region)[1] / 1000 + moving(region)
        for side, region, stretches in (
            ("base", job["baseline_region"], [(base_start, base_start + length)]),
            ("advised", job["advised_region"], fitted(plan, length)),
            ("actual", run["region"], actual),
        )
    }
    earliest = max(as_of_h, hours(job["earliest_start_utc"]) if job["earliest_start_utc"] else as_of_h)
    by = hours(job["finish_by_utc"]) if job["finish_by_utc"] else earliest + RULES.max_delay_hours + length
    best = [total["actual"]]
    for region in job["allowed_regions"].split(";"):
        curve, pue = place(region)
        ways = without_pause(curve, length, earliest, by)
        if pieces:
            ways += with_pauses(curve, length, earliest, by)
        best += [energy * way * pue / 1000 + moving(region) for way, _ in ways]
    return {
        "saving_kgco2e": total["base"] - total["actual"],
        "saving_if_followed_kgco2e": total["base"] - total["advised"],
        "regret_kgco2e": total["actual"] - min(best),
        "followed": followed,
    }


def test_every_job_is_as_the_oracle_says() -> None:
    random = np.random.default_rng(7)
    known = {zone: random.uniform(10, 600, 24).round(1).tolist() for zone in ("DE", "SE", "FR")}
    places = ("aws:a", "aws:b", "gcp:c")
    jobs, runs, segments, expected = [], [], [], {}
    for number in range(60):
        name = f"job-{number:02d}"
        starts = np.sort(random.choice(8, 3, replace=False)) + 1.0
        pieces = [(float(one), float(one) + 0.75) for one in starts] if number % 3 == 0 else []
        first = pieces[0][0] if pieces else float(random.uniform(0.5, 6))
        last = pieces[-1][1] if pieces else first + float(random.uniform(1, 5))
        job = advised(
            name,
            advised_region=str(random.choice(places)),
            advised_start_utc=at(first),
            advised_finish_utc=at(last),
            baseline_region=str(random.choice(places)),
            baseline_start_utc=at(0.5),
            allowed_regions=";".join(places[: random.integers(1, 4)]),
            transfer_kgco2e=float(random.choice([0.0, 3.0])),
            earliest_start_utc=at(1) if number % 4 == 0 else None,
            finish_by_utc=at(14) if number % 5 == 0 else None,
        )
        began = first + float(random.choice([0.0, 0.4, -0.4, 3.0]))
        run = ran(
            name,
            region=str(random.choice([job["advised_region"], "aws:a"])),
            started_utc=at(began),
            finished_utc=at(began + float(random.uniform(0.5, 7))),
            energy_kwh=900.0 if number % 2 else None,
            device_hours=25.0 if number % 7 == 0 else None,
        )
        jobs.append(job)
        runs.append(run)
        segments += [(name, *piece) for piece in pieces]
        expected[name] = oracle(job, run, pieces, known, 0.5)

    told = tell(advice(*jobs, segments=segments, as_of_h=0.5), *reversed(runs), measured=curves(**known))

    assert list(expected) == list(told)
    statuses = {True: "followed", False: "not_followed"}
    for name, one in expected.items():
        assert statuses[one.pop("followed")] == told[name]["outcome_status"], name
        assert one == pytest.approx({key: told[name][key] for key in one}, rel=1e-9, abs=1e-9), name
    assert {"followed", "not_followed"} == {row["outcome_status"] for row in told.values()}
