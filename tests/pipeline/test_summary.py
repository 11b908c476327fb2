"""The few figures that a person looks at first, against the tables they come from."""

import pytest

from opencarbon.pipeline.summary import summary_of_run
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


def test_budgets_are_those_of_single_jobs_and_of_all_jobs_together(example: Release) -> None:
    advice = example.frame("rec_job")
    summary = summary_of_run(example.latest)

    assert int((advice["budget_status"] == "over").sum()) == summary.jobs_over_budget
    assert 1 == summary.jobs_over_budget
    assert summary.is_over_budget(None)
    alone = type(summary)(summary.total, [], {}, 0, summary.advised_kgco2e, 0)
    assert advice["advised_total_kgco2e"].sum() == pytest.approx(alone.advised_kgco2e, rel=1e-12)
    assert not alone.is_over_budget(None)
    assert not alone.is_over_budget(alone.advised_kgco2e)
    assert alone.is_over_budget(alone.advised_kgco2e * 0.999)
