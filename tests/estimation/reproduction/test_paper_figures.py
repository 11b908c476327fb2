"""Figures as tables: the authors' own values, the runs behind alpha, and what LLMCarbon cannot say."""

from datetime import date

import pyarrow as pa
import pytest

from opencarbon.catalog import Catalog
from opencarbon.catalog.paper import PaperFacts
from opencarbon.estimation.reproduction import RefittedHours, figure_tables
from opencarbon.physics.throughput import device_hours
from opencarbon.sources.epoch_ai import MODEL_ROWS

Figures = dict[str, pa.Table]


@pytest.fixture(scope="module")
def figures(paper: PaperFacts, catalog: Catalog, training_runs: pa.Table, fitted: RefittedHours) -> Figures:
    return figure_tables(paper, training_runs, catalog.devices, fitted.intervals())


def test_figure_1_has_the_43_models_in_15_tasks_that_the_appendix_prints(figures: Figures) -> None:
    table = figures["figure_1"]

    assert table.num_rows == 43
    assert len(set(table["task"].to_pylist())) == 15


def test_figure_1_gives_every_emission_of_the_leaderboard(figures: Figures) -> None:
    rows = [row for row in figures["figure_1"].to_pylist() if row["published_kgco2e"] is not None]

    assert len(rows) == 43
    for row in rows:
        assert row["operational_kgco2e"] == pytest.approx(row["published_kgco2e"], rel=1e-12), row["model"]
        assert row["operational_low_kgco2e"] <= row["operational_kgco2e"] <= row["operational_high_kgco2e"]


def test_figure_1_of_a_newer_table_takes_its_flop_and_dates_and_refits(
    paper: PaperFacts, catalog: Catalog, training_runs: pa.Table, fitted: RefittedHours, figures: Figures
) -> None:
    newer = {"model": "GPT-4", "training_flop": 4.2e25, "publication_date": date(2023, 3, 16)}
    models = pa.Table.from_pylist([newer], schema=MODEL_ROWS)
    table = figure_tables(paper, training_runs, catalog.devices, fitted.intervals(), models=models)[
        "figure_1"
    ]
    rows = {row["model"]: row for row in table.to_pylist()}
    before = {row["model"]: row for row in figures["figure_1"].to_pylist()}

    assert rows["GPT-4"]["training_flop"] == 4.2e25
    assert rows["GPT-4"]["publication_date"] == date(2023, 3, 16)
    assert "Not in the file given" not in (rows["GPT-4"]["remark"] or "")
    assert rows["PaLM 2"]["training_flop"] == before["PaLM 2"]["training_flop"]
    assert rows["PaLM 2"]["remark"].startswith("Not in the file given")
    assert rows["PaLM 2"]["operational_kgco2e"] != before["PaLM 2"]["operational_kgco2e"]


def test_alpha_of_a_run_gives_its_hours_back(figures: Figures) -> None:
    for row in figures["figure_4"].to_pylist():
        hours = device_hours(row["training_flop"], row["log10_alpha"])
        assert float(hours) == pytest.approx(row["device_hours"], rel=1e-9)


def test_groups_are_those_of_the_paper_and_count_the_runs_in_the_fit(figures: Figures) -> None:
    used = [row["device_group"] for row in figures["figure_4"].to_pylist() if row["used"]]
    groups = {row["device_group"]: row for row in figures["figure_5"].to_pylist()}

    assert {"A100", "V100", "H100", "TPU v3", "TPU v4"} <= set(groups)
    for name, row in groups.items():
        assert row["training_runs"] == used.count(name)
        middle, half = row["log10_alpha"], 0.6 * row["log10_alpha_sd"]
        assert row["log10_alpha_low"] == pytest.approx(middle - half)
        assert row["log10_alpha_high"] == pytest.approx(middle + half)
    assert groups["A100"]["published_log10_alpha_low"] == 20
    assert groups["A800"]["published_log10_alpha_low"] is None


def test_llmcarbon_says_why_it_gives_no_throughput(figures: Figures) -> None:
    rows = figures["figure_6"].to_pylist()

    assert all((row["llmcarbon_tflop_per_s"] is None) == (row["reason"] is not None) for row in rows)
    reasons = {row["device_group"]: row["reason"] for row in rows if row["reason"]}
    assert "does not know the device" in reasons["P100"]
    bloom = next(row for row in rows if row["run"] == "bloom-176b")
    assert bloom["llmcarbon_tflop_per_s"] == pytest.approx(147.7, abs=0.1)


def test_figure_7_has_the_models_it_lists_with_a_score_and_emissions(figures: Figures) -> None:
    rows = figures["figure_7"].to_pylist()

    assert sum(row["domain"] == "language" for row in rows) == 7
    assert sum(row["domain"] == "vision" for row in rows) == 11
    for row in rows:
        assert 30 < row["score_pct"] < 92
        assert row["operational_low_kgco2e"] <= row["operational_kgco2e"] <= row["operational_high_kgco2e"]
    deepseek = next(row for row in rows if row["model"] == "DeepSeek LLM 67B")
    assert deepseek["remark"].startswith("Interval refitted.")
