"""What a night shows in Prefect's interface."""

from dataclasses import replace

from opencarbon.cli.artifacts import problem_rows, summary_markdown
from opencarbon.pipeline.accounts import account_events
from opencarbon.pipeline.outcomes import PartitionOutcome, ZoneOutcome
from opencarbon.pipeline.summary import OverBudget
from opencarbon.settings import load_settings
from tests.cli.test_tables import outcome


def test_markdown_lists_the_sentences_and_the_budget() -> None:
    summary = replace(outcome().summary, over=(OverBudget("run", "all jobs", 9e5, 1e6),))
    text = summary_markdown(outcome(summary=summary, events=account_events(summary, load_settings())))

    assert text.startswith("# Run 20261116T0000Z-0123abcd\n\n- planned ")
    assert text.endswith(
        "\n- **over budget: all jobs together are advised to emit 1,000 tCO2e, 100 tCO2e above the budget of "
        "900 tCO2e**\n"
    )


def test_partitions_and_zones_with_a_problem_are_rows_and_the_others_are_not() -> None:
    partitions = (PartitionOutcome(0, 10, 1.0), PartitionOutcome(1, 7, 1.0, "OSError: \x1b[31m no space"))
    zones = (ZoneOutcome("DE", True, 72, "forecast"), ZoneOutcome("FR", True, 0, "annual", "no answer"))

    rows = problem_rows(outcome(partitions=partitions, zones=zones))

    assert rows == [
        {"of": "partition 1", "cost": "7 jobs not estimated", "problem": r"OSError: \x1b[31m no space"},
        {"of": "zone FR", "cost": "planned on: annual", "problem": "no answer"},
    ]


def test_no_more_rows_than_the_interface_takes_and_partitions_first() -> None:
    zones = tuple(ZoneOutcome(f"Z{number}", True, 0, "annual", "no answer") for number in range(300))

    rows = problem_rows(outcome(partitions=(PartitionOutcome(3, 7, 1.0, "broken"),), zones=zones))

    assert len(rows) == 200
    assert rows[0]["of"] == "partition 3"
