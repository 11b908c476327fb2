"""The few figures that a person looks at first, against the tables they come from."""

from pathlib import Path

import pyarrow as pa
import pytest

from opencarbon.estimation.claims import Claims
from opencarbon.pipeline.summary import Summary, summary_of_parts, summary_of_run, tonnes
from opencarbon.pipeline.work import write_part
from opencarbon.sources.places import Place
from tests.example import Release


def test_jobs_are_the_fifteen_greatest_savings_in_order(example: Release) -> None:
    advice = example.frame("rec_job")
    saving = advice[advice["saving_kgco2e"] > 0].sort_values(
        ["saving_kgco2e", "job_id"], ascending=[False, True]
    )

    shown = summary_of_run(example.latest).jobs

    assert saving["job_id"].head(15).tolist() == [job["job_id"] for job in shown]


def test_actions_are_counted_over_all_jobs(example: Release) -> None:
    advice = example.frame("rec_job")

    assert advice["action"].value_counts().to_dict() == summary_of_run(example.latest).actions


def test_likely_late_are_jobs_at_risk_and_jobs_that_are_late_already(example: Release) -> None:
    advice = example.frame("rec_job")
    late = (advice["deadline_risk"] > 0.5) | advice["plan_status"].isin(["infeasible", "deadline_passed"])

    summary = summary_of_run(example.latest)

    assert int(late.sum()) == summary.likely_late
    assert summary.likely_late >= 2


def test_the_total_is_that_of_the_run(example: Release) -> None:
    totals = example.table("fact_total").drop_columns(["run_id"]).to_pylist()

    assert [row for row in totals if row["scope"] == "run"] == [summary_of_run(example.latest).total]


def test_jobs_over_their_budget_are_named_with_their_excess(example: Release) -> None:
    advice = example.frame("rec_job")
    over = advice[advice["budget_status"] == "over"]

    summary = summary_of_run(example.latest)

    assert 1 == len(over) == summary.jobs_over_budget
    (found,) = summary.over
    assert ("job", over["job_id"].iloc[0]) == (found.scope, found.name)
    excess = over["advised_total_kgco2e"].iloc[0] - over["carbon_budget_kgco2e"].iloc[0]
    assert excess == pytest.approx(found.over_by_kgco2e)
    assert excess > 0


def test_regions_that_take_too_much_stand_in_it_and_the_sum_of_the_run_says_so(example: Release) -> None:
    regions = example.frame("rec_region").set_index("region")
    too_much = regions[regions["shifted_peak_power_mw"] > 10].sort_values(
        "shifted_peak_power_mw", ascending=False
    )

    summary = summary_of_run(example.latest)

    assert {"not_claimed"} == set(too_much["saving_status"])
    assert {"potential"} == set(regions["saving_status"].drop(too_much.index))
    assert too_much["shifted_peak_power_mw"].to_dict() == summary.not_claimed
    assert list(too_much.index) == list(summary.not_claimed)
    assert ("not_claimed", None) == (summary.total["saving_status"], summary.total["saving_kgco2e"])


@pytest.mark.parametrize("rows_per_part", [1, 7, 1000])
def test_a_night_in_parts_has_the_summary_of_the_whole_run(
    rows_per_part: int, example: Release, tmp_path: Path
) -> None:
    table = example.table("rec_job").drop_columns(["run_id"])
    # as if each was over its budget, so that there are more than are shown
    over = pa.repeat(pa.scalar("over"), table.num_rows)
    table = table.set_column(table.column_names.index("budget_status"), "budget_status", over)
    table = table.set_column(
        table.column_names.index("carbon_budget_kgco2e"), "carbon_budget_kgco2e", table["deadline_risk"]
    )
    totals = example.table("fact_total").drop_columns(["run_id"])

    def in_parts(rows: int) -> Summary:
        work = Place.of(tmp_path / str(rows))
        for number, at in enumerate(range(0, table.num_rows, rows)):
            write_part(work, "rec_job", number, table.slice(at, rows))
        return summary_of_parts(work, totals, Claims("potential", {}, {}, frozenset()))

    whole = in_parts(10_000)
    assert len(whole.jobs) == len(whole.over) == 15 < whole.jobs_over_budget == table.num_rows
    assert in_parts(rows_per_part) == whole


@pytest.mark.parametrize(
    ("kgco2e", "said"),
    [
        (123_456.0, "123"),
        (-12_345.0, "-12.3"),
        (0.5, "0.001"),
        (0.0499, "0.00005"),
        (-2e-4, "-0.0000002"),
        (0.0, "0.000"),
    ],
)
def test_what_is_above_nothing_is_not_said_to_be_nothing(kgco2e: float, said: str) -> None:
    assert said == tonnes(kgco2e)
