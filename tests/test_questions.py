"""Questions that a reader has, each one SQL query on the release of the example queue; DuckDB and Polars answer alike."""

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from polars.testing import assert_frame_equal

from opencarbon.publishing.questions import ASKED_BY, Question, questions
from tests.answers import PAGE, answers_page, by_duckdb, by_polars
from tests.example import Release

QUESTIONS = {question.name: question for question in questions()}
HOUR = pd.Timedelta(hours=1)
SHOWN_JOB = "'gpt-4'"


def answer(release: Release, question: str, job_id: str | None = None) -> Any:
    sql = QUESTIONS[question].sql
    if job_id is not None:
        assert 1 == sql.count(SHOWN_JOB)
        sql = sql.replace(SHOWN_JOB, f"'{job_id}'")
    return by_duckdb(release, sql).to_pandas()


def jobs_of(release: Release) -> Any:
    """Every job with its estimate and its advice in one row."""
    frames = [
        release.frame(name).drop(columns="run_id", errors="ignore")
        for name in ("fact_job_estimate", "rec_job")
    ]
    return (
        release.frame("dim_job")
        .merge(frames[0], on="job_id")
        .merge(frames[1], on="job_id")
        .set_index("job_id")
    )


def test_each_of_four_readers_has_three_questions_of_one_statement() -> None:
    assert {who: 3 for who in ASKED_BY} == {
        who: sum(question.asked_by == who for question in QUESTIONS.values()) for who in ASKED_BY
    }
    for question in QUESTIONS.values():
        assert question.text
        assert 1 == len(duckdb.extract_statements(question.sql))


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_duckdb_and_polars_answer_alike(example: Release, question: Question) -> None:
    answered = by_duckdb(example, question.sql)

    assert answered.height > 0
    assert_frame_equal(answered, by_polars(example, question.sql), check_dtypes=False, rel_tol=1e-9)


def test_the_page_of_answers_is_that_of_the_example(example: Release) -> None:
    assert PAGE.read_text(encoding="utf-8") == answers_page(example), "python -m tests.answers writes it anew"


class TestEmissionsPerTeam:
    def test_sums_the_baselines_of_the_jobs_of_each_team(self, example: Release) -> None:
        jobs = jobs_of(example)
        known = jobs[jobs["baseline_total_kgco2e"].notna() & jobs["advised_total_kgco2e"].notna()]

        rows = answer(example, "emissions_per_team").set_index(["scope", "team"])

        expected = known.groupby("team")["total_kgco2e"].sum() / 1000
        pd.testing.assert_series_equal(
            expected, rows.loc["team", "baseline_tco2e"].reindex(expected.index), check_names=False
        )
        assert expected.sum() == pytest.approx(rows.loc[("run", "all jobs"), "baseline_tco2e"])

    def test_counts_every_accepted_job_once(self, example: Release) -> None:
        jobs = jobs_of(example)

        rows = answer(example, "emissions_per_team").set_index(["scope", "team"])

        assert jobs.groupby("team").size().to_dict() == rows.loc["team", "jobs"].to_dict()
        without = jobs["baseline_total_kgco2e"].isna() | jobs["advised_total_kgco2e"].isna()
        assert int(without.sum()) == rows.loc[("run", "all jobs"), "jobs_without_baseline"]

    def test_holds_the_advice_for_all_jobs_of_a_team_against_its_budget(self, example: Release) -> None:
        advised = jobs_of(example).groupby("team")["advised_total_kgco2e"].sum() / 1000

        rows = answer(example, "emissions_per_team").set_index(["scope", "team"])

        pd.testing.assert_series_equal(
            advised, rows.loc["team", "advised_tco2e"].reindex(advised.index), check_names=False
        )
        assert {"no_budget"} == set(rows["budget_status"])
        assert rows["budget_tco2e"].isna().all()

    def test_an_interval_holds_its_centre_and_is_narrower_than_the_sum_of_its_parts(
        self, example: Release
    ) -> None:
        jobs = jobs_of(example)
        jobs = jobs[jobs["baseline_total_kgco2e"].notna()]

        run = answer(example, "emissions_per_team").set_index("scope").loc["run"]

        assert run["baseline_low_tco2e"] < run["baseline_tco2e"] < run["baseline_high_tco2e"]
        assert run["baseline_high_tco2e"] < jobs["total_high_kgco2e"].sum() / 1000
        assert run["baseline_low_tco2e"] > jobs["total_low_kgco2e"].sum() / 1000


class TestWhatToMove:
    def test_lists_each_job_that_should_leave_its_baseline_with_place_time_and_saving(
        self, example: Release
    ) -> None:
        jobs = jobs_of(example)
        moved = jobs[~jobs["action"].isin(["run_now", "none"])]

        rows = answer(example, "what_to_move").set_index("job_id")

        assert set(moved.index) == set(rows.index)
        columns = [
            "advised_region",
            "advised_start_utc",
            "saving_kgco2e",
            "saving_low_kgco2e",
            "saving_high_kgco2e",
        ]
        pd.testing.assert_frame_equal(moved[columns], rows.loc[moved.index, columns], check_dtype=False)
        assert rows["advised_start_utc"].notna().all()

    def test_a_saving_is_the_baseline_less_the_advised_total(self, example: Release) -> None:
        jobs, places = jobs_of(example), example.frame("fact_job_region")
        advised = places[places["is_advised"]].set_index("job_id")["total_kgco2e"]

        rows = answer(example, "what_to_move").set_index("job_id")

        saved = rows[rows["saving_kgco2e"].notna()]
        expected = (jobs["total_kgco2e"] - advised).loc[saved.index]
        np.testing.assert_allclose(expected, saved["saving_kgco2e"], rtol=1e-9)

    def test_the_greatest_saving_stands_first_and_lies_within_its_interval(self, example: Release) -> None:
        rows = answer(example, "what_to_move")

        saved = rows[rows["saving_kgco2e"].notna()]
        assert saved["saving_kgco2e"].is_monotonic_decreasing
        assert (saved["saving_low_kgco2e"] <= saved["saving_kgco2e"]).all()
        assert (saved["saving_kgco2e"] <= saved["saving_high_kgco2e"]).all()
        assert {"potential"} == set(rows["saving_status"])


class TestWhatWillBeLate:
    def test_lists_jobs_whose_deadline_is_in_danger_and_no_others(self, example: Release) -> None:
        jobs = jobs_of(example)
        over = jobs["advised_finish_high_utc"] > jobs["finish_by_utc"]
        status = jobs["plan_status"].isin(["tight", "infeasible", "deadline_passed"])
        before = jobs["baseline_status"].isin(["late", "deadline_passed"])
        expected = jobs[over | status | before]

        rows = answer(example, "what_will_be_late")

        assert set(expected.index) == set(rows["job_id"])

    def test_knows_the_jobs_of_the_example_that_were_made_to_be_late(self, example: Release) -> None:
        rows = answer(example, "what_will_be_late").set_index("job_id")

        assert "infeasible" == rows.loc["meta-pseudo-labels", "plan_status"]
        assert "tight" == rows.loc["starcoder", "plan_status"]
        assert "deadline_passed" == rows.loc["igpt-xl", "plan_status"]
        assert 1.0 == rows.loc["igpt-xl", "deadline_risk"]


class TestWhySoHigh:
    @pytest.mark.parametrize("job_id", ["gpt-4", "llama-3-70b", "glm-130b", "flan-t5-11b"])
    def test_the_factors_multiply_to_the_emissions(self, example: Release, job_id: str) -> None:
        (row,) = answer(example, "why_so_high", job_id).to_dict("records")

        energy_kwh = row["device_hours"] * row["power_w"] / 1000 * row["pue"]
        operational = energy_kwh * row["carbon_intensity_gco2e_per_kwh"] / 1000
        assert energy_kwh == pytest.approx(row["facility_energy_kwh"], rel=1e-9)
        assert operational == pytest.approx(row["operational_kgco2e"], rel=1e-9)
        assert operational + row["embodied_kgco2e"] == pytest.approx(row["total_kgco2e"], rel=1e-9)

    def test_names_where_hours_power_and_intensity_came_from(self, example: Release) -> None:
        job = jobs_of(example).loc["gpt-4"]
        titles = example.frame("dim_source").set_index("source_id")["title"]

        (row,) = answer(example, "why_so_high").to_dict("records")

        assert titles[job["fit_source_id"]] == row["fit_from"]
        assert titles[job["power_source_id"]] == row["power_from"]
        assert titles[job["intensity_source_id"]] == row["intensity_from"]
        assert "device_runs" == row["fit_source"]

    def test_a_job_that_brings_its_intensity_has_no_source_for_it(self, example: Release) -> None:
        (row,) = answer(example, "why_so_high", "glm-130b").to_dict("records")

        assert "fixed" == row["intensity_kind"]
        assert pd.isna(row["intensity_from"])


class TestDevicesPerRegionAndHour:
    def test_counts_the_devices_of_advised_jobs_in_every_hour_of_the_horizon(self, example: Release) -> None:
        rows = answer(example, "devices_per_region_and_hour")

        start = example.frame("dim_run")["as_of_utc"][0]
        horizon = rows["hour_start_utc"].max() + HOUR
        expected = expected_loads(example, start, horizon)
        found = rows.set_index(["region", "hour_start_utc", "device"])["devices_advised"].sort_index()
        pd.testing.assert_series_equal(expected, found, check_names=False, rtol=1e-9)


def expected_loads(release: Release, start: pd.Timestamp, finish: pd.Timestamp) -> Any:
    """Devices at work by region, hour and device, counted job by job and hour by hour."""
    jobs, segments = jobs_of(release), release.frame("fact_job_segment")
    pausable = set(segments["job_id"])
    whole = jobs[~jobs.index.isin(pausable)].reset_index()
    stretches: Any = pd.concat(
        [
            segments[["job_id", "start_utc", "finish_utc"]],
            whole[["job_id", "advised_start_utc", "advised_finish_utc"]].set_axis(
                ["job_id", "start_utc", "finish_utc"], axis=1
            ),
        ]
    ).dropna()
    loads: dict[tuple[str, pd.Timestamp, str], float] = {}
    for stretch in stretches.itertuples():
        job = jobs.loc[stretch.job_id]
        hour = max(stretch.start_utc.floor("h"), start)
        while hour < min(stretch.finish_utc, finish):
            share = (min(stretch.finish_utc, hour + HOUR) - max(stretch.start_utc, hour)) / HOUR
            key = (job["advised_region"], hour, job["device"])
            loads[key] = loads.get(key, 0.0) + share * job["device_count"]
            hour += HOUR
    return pd.Series(loads).sort_index()


class TestRejectedAndDegraded:
    def test_lists_every_rejected_row_with_reason_and_remedy(self, example: Release) -> None:
        rejected = example.frame("rejected_job")

        rows = answer(example, "rejected_and_degraded")

        listed = rows[rows["what"] == "rejected row"]
        assert len(rejected) == len(listed)
        for row in rejected.itertuples():
            (found,) = listed[listed["subject"] == row.job_id].to_dict("records")
            assert (row.rule_code, row.reason, row.remedy) == (found["code"], found["why"], found["remedy"])
        assert {"deepseek-llm-67b", "yi-34b"} == set(rejected["job_id"])

    def test_lists_every_zone_that_has_no_forecast_and_says_what_stands_in(self, example: Release) -> None:
        events, zones = example.frame("run_event"), set(example.frame("dim_zone")["zone"])
        degraded = events[events["subject"].isin(zones) & (events["severity"] != "info")]

        rows = answer(example, "rejected_and_degraded")

        listed = rows[rows["subject"].isin(zones)]
        assert set(degraded["subject"]) == set(listed["subject"])
        assert listed["why"].str.contains("annual|example").all()
        assert {"AE", "FR"} <= set(listed["subject"])

    def test_leaves_out_what_is_only_for_information(self, example: Release) -> None:
        events = example.frame("run_event")
        assert "offline" in set(events.loc[events["severity"] == "info", "code"])

        rows = answer(example, "rejected_and_degraded")

        assert "offline" not in set(rows["code"])


class TestSourceOfANumber:
    def test_names_source_and_licence_of_every_part(self, example: Release) -> None:
        jobs, sources = jobs_of(example).loc["gpt-4"], example.frame("dim_source").set_index("source_id")
        device = example.frame("dim_device").set_index("device").loc[jobs["device"]]
        region = example.frame("dim_region").set_index("region").loc[jobs["baseline_region"]]
        expected = {
            "device_hours": jobs["fit_source_id"],
            "power_w": jobs["power_source_id"],
            "pue": region["source_id"],
            "carbon_intensity_gco2e_per_kwh": jobs["intensity_source_id"],
            "embodied_kgco2e": device["embodied_source_id"],
        }

        rows = answer(example, "source_of_a_number").set_index("part")

        assert expected == rows["source_id"].to_dict()
        assert sources.loc[rows["source_id"], "licence"].tolist() == rows["licence"].tolist()
        assert rows["title"].notna().all()

    def test_annual_intensities_carry_the_words_that_their_licence_asks_for(self, example: Release) -> None:
        rows = answer(example, "source_of_a_number").set_index("part")

        annual = rows.loc["carbon_intensity_gco2e_per_kwh"]
        assert "ODbL" in annual["licence"]
        assert "Electricity Maps" in annual["attribution"]

    def test_made_up_intensities_say_so(self, example: Release) -> None:
        rows = answer(example, "source_of_a_number", "llama-3-70b").set_index("part")

        made_up = rows.loc["carbon_intensity_gco2e_per_kwh"]
        assert "example-intensity" == made_up["source_id"]
        assert "made" in made_up["title"].lower()

    def test_what_the_manifest_states_has_no_source(self, example: Release) -> None:
        rows = answer(example, "source_of_a_number", "llama-3-70b").set_index("part")

        assert pd.isna(rows.loc["device_hours", "source_id"])


def test_every_number_of_every_job_has_a_source_or_is_stated_by_its_manifest(example: Release) -> None:
    jobs = jobs_of(example)

    stated = jobs["fit_source"].isin(["work_given", "manifest"])
    assert jobs.loc[~stated, "fit_source_id"].notna().all()
    assert jobs.loc[jobs["power_source"] != "manifest", "power_source_id"].notna().all()
    grid = jobs["intensity_kind"].notna() & (jobs["intensity_kind"] != "fixed")
    assert [] == sorted(jobs[grid & jobs["intensity_source_id"].isna()].index)


class TestWhatItRestsOn:
    def test_counts_every_job_with_a_figure_once(self, example: Release) -> None:
        totals = jobs_of(example)["total_kgco2e"].dropna()

        rows = answer(example, "what_it_rests_on")

        assert len(totals) == rows["jobs"].sum()
        assert totals.sum() / 1000 == pytest.approx(rows["planned_tco2e"].sum())
        assert {"example", "fixed"} <= set(rows["intensity_kind"])


class TestWhatWaitingSaves:
    def test_no_hour_is_worse_than_the_worst(self, example: Release) -> None:
        rows = answer(example, "what_waiting_saves")

        assert len(rows) > 20
        assert (rows["window_median_total_kgco2e"] <= rows["window_worst_total_kgco2e"] * (1 + 1e-9)).all()
        assert rows["advised_below_worst_pct"].max() > 90


class TestRegionsToFill:
    def test_counts_the_jobs_that_are_advised_there(self, example: Release) -> None:
        advised = jobs_of(example).groupby("advised_region").size()

        rows = answer(example, "regions_to_fill").set_index("region")

        assert advised.to_dict() == rows["jobs"].to_dict()


class TestEmissionsPerDevice:
    def test_means_are_weighted_by_energy(self, example: Release) -> None:
        jobs = jobs_of(example)
        jobs = jobs[(jobs["device"] == "Google TPU v4") & jobs["operational_kgco2e"].notna()]
        weighted = (jobs["carbon_intensity_gco2e_per_kwh"] * jobs["facility_energy_kwh"]).sum()

        row = answer(example, "emissions_per_device").set_index("device").loc["Google TPU v4"]

        assert len(jobs) == row["jobs"] > 2
        assert weighted / jobs["facility_energy_kwh"].sum() == pytest.approx(
            row["carbon_intensity_gco2e_per_kwh"]
        )


class TestWidestParts:
    def test_every_job_with_an_interval_has_one(self, example: Release) -> None:
        jobs = jobs_of(example)

        rows = answer(example, "widest_parts")

        assert int((jobs["operational_low_kgco2e"] > 0).sum()) == rows["jobs"].sum()
        assert (rows["mean_high_over_low"] > 1).all()
