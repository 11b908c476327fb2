"""What the reproduction says unprompted, and errors with and without the test runs."""

import pyarrow as pa
import pytest

from opencarbon.catalog import Catalog
from opencarbon.catalog.paper import PaperFacts
from opencarbon.estimation.embodied_spread import embodied_spread
from opencarbon.estimation.reproduction import (
    Finding,
    RefittedHours,
    figure_tables,
    findings,
    without_test_runs,
)
from opencarbon.estimation.reproduction import test_run_errors as errors_of_test_runs


@pytest.fixture(scope="module")
def errors(paper: PaperFacts, catalog: Catalog, training_runs: pa.Table, fitted: RefittedHours) -> pa.Table:
    left_out = RefittedHours(without_test_runs(training_runs), catalog.devices)
    return errors_of_test_runs(paper.table_1, paper.table_2, fitted, left_out)


@pytest.fixture(scope="module")
def found(
    paper: PaperFacts,
    catalog: Catalog,
    training_runs: pa.Table,
    fitted: RefittedHours,
    paper_cell: pa.Table,
    errors: pa.Table,
) -> dict[str, Finding]:
    figure_1 = figure_tables(paper, training_runs, catalog.devices, fitted.intervals())["figure_1"]
    made = findings(paper, paper_cell, errors, training_runs, figure_1, embodied_spread(catalog.embodied))
    return {finding.title: finding for finding in made}


def figure(found: dict[str, Finding], words: str, label: str) -> float:
    """Figure of the finding whose title holds the words."""
    finding = next(finding for title, finding in found.items() if words in title)
    value = next(value for name, value, _ in finding.rows if name == label)
    assert isinstance(value, float | int)
    return float(value)


@pytest.mark.parametrize(
    ("words", "label", "expected"),
    [
        ("FLOP exchanged", "GLM, from its stated FLOP", 223.84),
        ("FLOP exchanged", "GLM, with the FLOP of BLOOM", 276.92),
        ("FLOP exchanged", "BLOOM, with the FLOP of GLM", 21.96),
        ("does not follow", "ViT-L/16, from its stated FLOP", 0.80),
        ("does not follow", "ViT-L/16, with 1.567e21 FLOP", 2.29),
        ("does not follow", "ViT-L/16 embodied, from its stated FLOP", 3.88),
        ("does not follow", "Swin-L embodied, from its stated FLOP", 6.81),
        ("counts cores", "core-hours, as counted", 16320),
        ("counts cores", "actual, by chips", 1.35),
        ("counts cores", "error of the published prediction, by cores", -15.4),
        ("carry a PUE", "DTR, GLM: implied throughput", 137.28),
        ("carry a PUE", "DTR, BLOOM: implied throughput", 137.31),
        ("leaderboard", "models compared", 43),
    ],
)
def test_a_finding_holds_its_figure(
    found: dict[str, Finding], words: str, label: str, expected: float
) -> None:
    assert figure(found, words, label) == pytest.approx(expected, abs=0.051)


def test_five_actual_figures_are_hours_times_tdp(found: dict[str, Finding]) -> None:
    finding = next(finding for title, finding in found.items() if "by construction" in title)

    assert [value for _, value, _ in finding.rows].count("hours x TDP x intensity") == 5


def test_the_mean_of_the_ends_is_said_for_every_group(found: dict[str, Finding]) -> None:
    finding = next(finding for title, finding in found.items() if "mean of the two ends" in title)
    rows = {label.partition(",")[0]: str(value) for label, value, _ in finding.rows}

    assert rows["A100"] == "+11.8 to +14.5"
    assert rows["H100"] == "+0.2 to +0.2"
    assert rows["V100"].endswith("+34.9")


def test_the_fit_without_the_test_runs_lacks_their_families_and_nothing_else(
    training_runs: pa.Table,
) -> None:
    before, after = (
        {row["run"] for row in table.to_pylist() if row["used"]}
        for table in (training_runs, without_test_runs(training_runs))
    )

    assert before - after == {
        *("bloom-176b", "llama-3-8b", "llama-3-70b", "santacoder-1.1b", "starcoderbase-15.5b"),
        *("vit-l-16-jft", "vit-h-14-jft", "vit-g-14", "vit-22b"),
    }


def test_errors_stand_for_every_model_method_and_fit(errors: pa.Table) -> None:
    rows = errors.to_pylist()

    assert len(rows) == 6 * 5 * 2
    for row in rows:
        assert row["error_pct"] == pytest.approx(100 * (row["operational_kgco2e"] / row["actual_kgco2e"] - 1))
    by = {(row["model"], row["method"], row["test_runs"]): row["error_pct"] for row in rows}
    constant = {kind: by["GLM", "constant-utilisation", kind] for kind in ("fitted", "left_out")}
    assert constant["fitted"] == constant["left_out"] == pytest.approx(-23.9, abs=0.05)
    assert by["BLOOM", "calibrated", "fitted"] != by["BLOOM", "calibrated", "left_out"]
