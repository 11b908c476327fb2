"""What a night looks like at any width."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from opencarbon.cli.tables import (
    artifact_rows,
    console_for,
    print_outcome,
    printable,
    summary_lines,
)
from opencarbon.pipeline.accounts import account_events
from opencarbon.pipeline.night import Outcome
from opencarbon.pipeline.summary import OverBudget, Summary, summary_of_run
from opencarbon.settings import load_settings
from opencarbon.sources.places import Place
from opencarbon.tables.events import Event
from tests.example import Release

TOTAL = {
    "scope": "run",
    "scope_value": "all jobs",
    "jobs": 46,
    "jobs_without_baseline": 0,
    "baseline_kgco2e": 1234567.0,
    "baseline_low_kgco2e": 900_000.0,
    "baseline_high_kgco2e": 2_000_000.0,
    "saving_kgco2e": 12_345.6,
    "saving_low_kgco2e": 4_321.0,
    "saving_high_kgco2e": 20_000.0,
    "saving_status": "potential",
}


def job(**more: Any) -> dict[str, Any]:
    return {
        "job_id": "llama-3-70b",
        "action": "move_and_delay",
        "plan_status": "ok",
        "advised_region": "gcp:northamerica-northeast1",
        "advised_start_utc": datetime(2026, 11, 17, 23, tzinfo=UTC),
        "saving_kgco2e": 13958006.7,
        "saving_low_kgco2e": 10217365.5,
        "saving_high_kgco2e": 17698647.9,
        "saving_pct": 94.7,
        "deadline_risk": 0.05,
    } | more


def outcome(**more: Any) -> Outcome:
    summary = Summary(TOTAL, [job()], {"move_and_delay": 40, "none": 6}, 2, 0, (), (), {})
    made = Outcome("published", "20261116T0000Z-0123abcd", Place.of("/r/v1/runs/x"), 48, 2, (), summary)
    return replace(made, **more)


def printed(width: int, made: Outcome) -> list[str]:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
        force_terminal=False,
    )
    print_outcome(console, made)
    return stream.getvalue().splitlines()


def rows_of(lines: list[str]) -> list[str]:
    """Heading and rows of the table."""
    start = next(number for number, line in enumerate(lines) if line.startswith("job "))
    return [lines[start], *lines[start + 2 : -2]]


class TestWidth:
    @pytest.mark.parametrize("width", [80, 90, 100, 120, 200])
    def test_no_line_of_the_table_is_wider_than_the_console(self, example: Release, width: int) -> None:
        made = outcome(summary=summary_of_run(example.latest))

        lines = printed(width, made)
        table = lines[1 : 4 + len(made.summary.jobs)]
        assert max(len(line.rstrip()) for line in table) <= width

    @pytest.mark.parametrize("width", [80, 120])
    def test_every_job_is_one_line_with_its_whole_name_and_region(self, example: Release, width: int) -> None:
        made = outcome(summary=summary_of_run(example.latest))

        lines = printed(width, made)
        assert 15 == len(made.summary.jobs)
        for shown in made.summary.jobs:
            (line,) = [line for line in lines if line.startswith(f"{shown['job_id']} ")]
            assert shown["advised_region"] in line

    def test_the_interval_goes_first_where_it_is_narrow(self) -> None:
        wide, narrow = (rows_of(printed(width, outcome())) for width in (120, 100))

        assert "10,217 to 17,699" in wide[1]
        assert "interval" not in narrow[0]
        assert "13,958" in narrow[1]

    def test_a_very_narrow_one_keeps_job_place_and_saving(self) -> None:
        heading, row = rows_of(printed(70, outcome()))[:2]

        assert ["job", "do", "where", "tCO2e"] == heading.split()
        assert "gcp:northamerica-northeast1" in row

    def test_sentences_are_left_to_the_terminal_to_break(self) -> None:
        detail = "zone DE is planned on made-up example intensities " * 4
        made = outcome(events=(Event("warning", "planning", "DE", "example_intensity", detail),))

        assert f"warning: {detail}" in printed(60, made)

    def test_output_that_is_no_terminal_is_120_wide(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("COLUMNS", raising=False)
        assert 120 == console_for().width

        monkeypatch.setenv("COLUMNS", "66")
        assert 66 == console_for().width


class TestWords:
    def test_total_and_saving_come_in_tonnes_with_their_intervals(self) -> None:
        first = next(summary_lines(outcome()))

        assert first.startswith(
            "planned 1,235 (900 to 2,000) tCO2e; potential saving 12.3 (4.32 to 20.0) tCO2e"
        )

    def test_jobs_without_a_baseline_are_said_to_be_in_no_sum(self) -> None:
        total = TOTAL | {"jobs_without_baseline": 2}

        first = next(summary_lines(outcome(summary=replace(outcome().summary, total=total))))

        assert "2 of 46 jobs have no baseline" in first

    @pytest.mark.parametrize("total", [{}, TOTAL | {"baseline_kgco2e": None}])
    def test_no_baseline_at_all_is_said(self, total: dict[str, Any]) -> None:
        made = outcome(summary=replace(outcome().summary, total=total, jobs=[]))

        assert "no job has a baseline, so nothing can be summed" == printed(120, made)[0]

    @pytest.mark.parametrize(
        ("status", "would_be", "words"),
        [
            ("published", None, "published run 20261116T0000Z-0123abcd in /r/v1/runs/x"),
            ("unchanged", None, "nothing changed"),
            ("superseded", None, "a newer run stays the latest"),
            ("dry_run", "published", "would be published"),
            ("dry_run", "unchanged", "nothing would change"),
            ("dry_run", "superseded", "a newer run would stay the latest"),
        ],
    )
    def test_the_last_line_says_how_it_ended(self, status: str, would_be: str | None, words: str) -> None:
        made = outcome(status=status, would_be=would_be)

        assert words in list(summary_lines(made))[-1]

    def test_warnings_of_one_kind_are_one_line_and_information_is_none(self) -> None:
        events = (
            *(
                Event("warning", "planning", zone, "no_forecast", f"zone {zone}")
                for zone in ("DE", "FR", "SE")
            ),
            Event("info", "electricity_maps", None, "offline", "offline"),
            Event("error", "manifests", None, "rejected_rows", "2 rows"),
        )

        lines = list(summary_lines(outcome(events=events)))

        assert ["error: 2 rows", "warning: zone DE (and 2 more like it, see run_event)"] == lines[2:4]
        assert all("offline" not in line for line in lines)

    def test_over_budget_says_who_by_how_much_last_of_all(self) -> None:
        over = (
            OverBudget("run", "all jobs", 9e5, 1e6),
            OverBudget("team", "a\u202eb", 1e3, 3.5e3),
            *(OverBudget("job", f"job-{number}", 5.0, 105.0 - number) for number in range(4)),
        )
        summary = replace(outcome().summary, over=over, jobs_over_budget=16)

        lines = printed(120, outcome(summary=summary, events=account_events(summary, load_settings())))

        assert [
            "over budget: all jobs together are advised to emit 1,000 tCO2e, 100 tCO2e above the budget of 900 tCO2e",
            "over budget: team 'a\\u202eb' is advised to emit 3.50 tCO2e, 2.50 tCO2e above the budget of 1.00 tCO2e",
            (
                "over budget: 16 jobs are advised to emit more than carbon_budget_kgco2e allows: job-0 by 0.100 tCO2e, "
                "job-1 by 0.099 tCO2e, job-2 by 0.098 tCO2e and 13 more; see budget_status in rec_job"
            ),
        ] == lines[-3:]
        assert not any(line.startswith("warning") for line in lines)

    def test_of_many_teams_over_budget_eight_are_named(self) -> None:
        over = tuple(OverBudget("team", f"team-{number:02}", 1.0, 100.0 - number) for number in range(12))
        summary = replace(outcome().summary, over=over)

        lines = printed(120, outcome(summary=summary, events=account_events(summary, load_settings())))

        assert "team-07" in lines[-2]
        assert "over budget: and 4 more teams, see budget_status in fact_total" == lines[-1]

    def test_a_saving_that_is_not_claimed_is_no_figure_but_says_why(self) -> None:
        total = TOTAL | dict.fromkeys(("saving_kgco2e", "saving_low_kgco2e", "saving_high_kgco2e"))
        loads = {
            "aws:eu-north-1": 41.26,
            "gcp:europe-north2": 12.0,
            "one:a": 11.0,
            "one:b": 10.5,
            "one:c": 10.1,
        }
        summary = replace(
            outcome().summary, total=total | {"saving_status": "not_claimed"}, not_claimed=loads
        )

        first = next(summary_lines(outcome(summary=summary)))

        assert first == (
            "planned 1,235 (900 to 2,000) tCO2e; saving not claimed: advised are 41.3 MW into aws:eu-north-1, "
            "12.0 MW into gcp:europe-north2, 11.0 MW into one:a and 2 more regions; give plan.capacities"
        )

    def test_a_saving_with_reserved_capacity_is_not_called_potential(self) -> None:
        summary = replace(outcome().summary, total=TOTAL | {"saving_status": "allocated"})

        first = next(summary_lines(outcome(summary=summary)))

        assert first.endswith("; saving 12.3 (4.32 to 20.0) tCO2e, capacity reserved")

    def test_what_is_not_known_is_left_blank(self) -> None:
        unknown = job(deadline_risk=None, saving_low_kgco2e=None, saving_high_kgco2e=None)
        made = outcome(summary=replace(outcome().summary, jobs=[unknown]))

        (_, row) = rows_of(printed(140, made))[:2]

        assert "None" not in row

    def test_a_name_that_would_turn_the_line_around_is_shown_escaped(self) -> None:
        made = outcome(summary=replace(outcome().summary, jobs=[job(job_id="a\u202eb")]))

        assert rows_of(printed(140, made))[1].startswith("a\\u202eb ")

    def test_control_characters_are_shown_not_obeyed(self) -> None:
        assert r"\x1b[31mred\x07" == printable("\x1b[31mred\x07")
        assert "größe 日本" == printable("größe 日本")


class TestArtifacts:
    def test_rows_of_the_table_are_texts_by_heading(self) -> None:
        (row,) = artifact_rows(outcome().summary)

        assert row["job"] == "llama-3-70b"
        assert row["interval"] == "10,217 to 17,699"
        assert all(isinstance(value, str) for value in row.values())
