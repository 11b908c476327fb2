"""Which nights are the same run, what a dry run foresees, and when a run is over budget."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from opencarbon.pipeline import Outcome, run_night
from opencarbon.tables.events import Event
from tests.example import Release, tree, write_queue
from tests.pipeline.nights import AS_OF, a_night, publish, run_id_of, settings_for


class TestIdentity:
    @pytest.mark.parametrize(
        "sections",
        [
            {"publish": {"keep_runs": 7, "max_rejected_pct": 50}},
            {"budget": {"when_over": "flag"}},
            {"electricity_maps": {"base_url": "https://proxy.example/v4", "requests_per_minute": 5}},
            {"electricity_maps": {"requests_per_night": 5, "concurrency": 1}},
            {"http": {"timeout_s": 3, "attempts": 1}},
            {"epoch_ai": {"models_url": "https://mirror.example/models.csv"}},
            {"run": {"runner": "processes", "workers": 3}},
        ],
    )
    def test_what_moves_no_figure_makes_no_other_run(
        self, tmp_path: Path, queue: Path, first: Outcome, sections: dict[str, dict[str, object]]
    ) -> None:
        assert first.run_id == run_id_of(settings_for(tmp_path, **sections), queue)

    @pytest.mark.parametrize(
        "sections",
        [
            {"plan": {"top_k": 2}},
            {"plan": {"horizon_hours": 24}},
            {"plan": {"claim_up_to_mw": 0.001}},
            {"budget": {"run_kgco2e": 5.0}},
            {"budget": {"teams": {"chat": 5.0}}},
            {"estimate": {"profile": "paper"}},
            {"estimate": {"device_lifetime_years": 4}},
            {"electricity_maps": {"emission_factor_type": "direct"}},
            {"electricity_maps": {"flow_traced": False}},
            {"run": {"rows_per_partition": 2}},
        ],
    )
    def test_what_moves_a_figure_makes_another_run(
        self, tmp_path: Path, queue: Path, first: Outcome, sections: dict[str, dict[str, object]]
    ) -> None:
        assert first.run_id != run_id_of(settings_for(tmp_path, **sections), queue)

    def test_another_job_makes_another_run(self, tmp_path: Path) -> None:
        path = tmp_path / "queue.parquet"
        ids = {
            run_id_of(settings_for(tmp_path), write_queue(path, wall_hours=[5.0, 12.0, last]))
            for last in (3.5, 3.6)
        }

        assert 2 == len(ids)

    def test_a_region_file_counts_by_what_it_holds_not_by_where_it_is(
        self, tmp_path: Path, queue: Path, first: Outcome
    ) -> None:
        ids = []
        for name, pue in (("a.csv", 1.3), ("b.csv", 1.3), ("c.csv", 1.4)):
            (tmp_path / name).write_text(f"region,zone,pue\nonprem:berlin,DE,{pue}\n", encoding="utf-8")
            settings = settings_for(tmp_path).model_copy(update={"regions": (str(tmp_path / name),)})
            ids.append(run_id_of(settings, queue))

        assert ids[0] == ids[1]
        assert 3 == len({first.run_id, *ids})


class TestBudget:
    def test_a_run_over_its_budget_says_so_every_time_it_is_run(
        self, tmp_path: Path, queue: Path, release: Release
    ) -> None:
        settings = settings_for(
            tmp_path, budget={"run_kgco2e": 0.001, "teams": {"chat": 0.002, "vision": 1e9}}
        )
        older = publish(settings, queue, as_of_utc=AS_OF - timedelta(hours=1))
        once = publish(settings, queue)

        again = publish(settings, queue)

        assert ("superseded", True) == (older.status, older.over_budget)
        assert ("published", True) == (once.status, once.over_budget)
        assert ("unchanged", True) == (again.status, again.over_budget)
        assert once.summary == again.summary
        assert once.events == again.events
        assert [("run", "all jobs", 0.001), ("team", "chat", 0.002)] == [
            (one.scope, one.name, one.budget_kgco2e) for one in again.summary.over
        ]
        assert 4 == again.exit_status(strict=False, fail_over_budget=True)
        assert 0 == again.exit_status(strict=False, fail_over_budget=False)

    def test_a_run_within_its_budget_is_not_over_it(
        self, tmp_path: Path, queue: Path, first: Outcome, release: Release
    ) -> None:
        limit = first.summary.total["advised_all_jobs_kgco2e"] * 1.001

        outcome = publish(settings_for(tmp_path, budget={"run_kgco2e": limit}), queue)

        assert ("published", False) == (outcome.status, outcome.over_budget)
        assert "within" == outcome.summary.total["budget_status"]

    def test_the_run_is_over_its_budget_in_its_tables_events_and_summary_by_the_same(
        self, tmp_path: Path
    ) -> None:
        """One job has no baseline: its emissions count against the budget all the same."""
        queue = write_queue(
            tmp_path / "q.parquet", current_region=["aws:us-east-1", None, "aws:eu-central-1"]
        )
        outcome = publish(settings_for(tmp_path, budget={"run_kgco2e": 0.001}), queue)
        release = Release(tmp_path / "release")

        advised = release.frame("rec_job")["advised_total_kgco2e"].sum()
        run = release.frame("fact_total").set_index("scope").loc["run"]
        assert 1 == run["jobs_without_baseline"]
        assert run["advised_kgco2e"] < advised == pytest.approx(run["advised_all_jobs_kgco2e"])
        assert (0.001, "over") == (run["budget_kgco2e"], run["budget_status"])
        assert advised - 0.001 == pytest.approx(outcome.summary.over[0].over_by_kgco2e)
        events = release.frame("run_event")
        told = events[events["source"] == "budget"]
        assert [("warning", "over_budget")] == list(zip(told["severity"], told["code"], strict=True))
        assert f"advised to emit {advised / 1000:.3f} tCO2e" in told["detail"].iloc[0]

    def test_a_budget_of_a_team_that_no_job_names_is_told_with_the_nearest_one(self, tmp_path: Path) -> None:
        queue = write_queue(tmp_path / "q.parquet")

        outcome = publish(settings_for(tmp_path, budget={"teams": {"chatt": 5.0, "chat": 1e9}}), queue)

        (told,) = (event for event in outcome.events if event.source == "budget")
        assert ("info", "chatt", "unknown_team") == (told.severity, told.subject, told.code)
        assert told.detail.endswith("; did you mean 'chat'?")
        assert not outcome.over_budget
        stored = Release(tmp_path / "release").frame("run_event")
        assert told.detail in stored["detail"].tolist()

    def test_what_is_said_of_budgets_degrades_nothing(self, first: Outcome) -> None:
        over = Event(
            "warning", "budget", None, "over_budget", "all jobs together are advised to emit too much"
        )
        poorer = Event("warning", "planning", "DE", "no_forecast", "annual intensities stand in")

        assert 0 == replace(first, events=(over,)).exit_status(strict=True, fail_over_budget=True)
        assert 3 == replace(first, events=(over, poorer)).exit_status(strict=True, fail_over_budget=True)

    def test_a_job_over_its_own_budget_is_enough(self, tmp_path: Path) -> None:
        queue = write_queue(tmp_path / "q.parquet", carbon_budget_kgco2e=[None, 0.001, 1e6])

        outcome = publish(settings_for(tmp_path), queue)

        assert (True, 1) == (outcome.over_budget, outcome.summary.jobs_over_budget)


class TestDryRun:
    def test_writes_nothing_and_says_what_would_come(
        self, tmp_path: Path, queue: Path, first: Outcome
    ) -> None:
        before = tree(tmp_path)

        with a_night(settings_for(tmp_path), queue) as night:
            foreseen = run_night(night, dry_run=True)

        assert before == tree(tmp_path)
        assert ("dry_run", "published") == (foreseen.status, foreseen.would_be)
        assert first.run_id == foreseen.run_id
        assert first.summary == foreseen.summary

    @pytest.mark.parametrize(("days", "would_be"), [(0, "unchanged"), (-1, "superseded"), (1, "published")])
    def test_tells_a_run_that_is_there_already_from_one_that_a_newer_one_outranks(
        self, tmp_path: Path, queue: Path, release: Release, days: int, would_be: str
    ) -> None:
        before = tree(tmp_path)

        with a_night(settings_for(tmp_path), queue, as_of_utc=AS_OF + timedelta(days=days)) as night:
            assert would_be == run_night(night, dry_run=True).would_be

        assert before == tree(tmp_path)
