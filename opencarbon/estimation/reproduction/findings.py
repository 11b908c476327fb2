"""What the reproduction brings to light, said with its figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from opencarbon.catalog.paper import PaperFacts
from opencarbon.estimation.reproduction.errors import without_test_runs
from opencarbon.estimation.reproduction.predictions import (
    KG_PER_TONNE,
    AlphaInterval,
    emitted_kgco2e,
    table_1_intervals,
)
from opencarbon.estimation.reproduction.tables import BASELINE_PUE, baseline_pue
from opencarbon.physics.throughput import device_hours
from opencarbon.units import FLOP_PER_TFLOP, SECONDS_PER_HOUR

_FLOP_OF_ENDS: Final = (1e21, 1e23, 1e25)
"""Compute at which the two ends are set against the middle: a small, a large and a very large run [FLOP]."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the reproduction brings to light.

    Parameters
    ----------
    title : str
        The finding, in a few words.
    text : str
        Why it is so, and what follows.
    rows : sequence of (str, float or str or None, str or None)
        Its figures: what, how much, unit.
    """

    title: str
    text: str
    rows: Sequence[tuple[str, float | str | None, str | None]] = ()


def findings(
    paper: PaperFacts,
    cells: pa.Table,
    errors: pa.Table,
    runs: pa.Table,
    figure_1: pa.Table,
    spread: pa.Table,
) -> tuple[Finding, ...]:
    """All findings, most telling first.

    Parameters
    ----------
    paper : PaperFacts
    cells : pa.Table
        ``PAPER_CELL``.
    errors : pa.Table
        ``TEST_RUN_ERROR``.
    runs : pa.Table
        ``training_runs`` behind both.
    figure_1 : pa.Table
        ``FIGURE_1`` on the authors' own inputs.
    spread : pa.Table
        Embodied spread of the devices.

    Returns
    -------
    tuple of Finding
    """
    known = {(row["paper_table"], row["subject"], row["quantity"]): row for row in cells.to_pylist()}
    table_2, intervals = paper.table_2.to_pylist(), table_1_intervals(paper.table_1)
    return (
        _exchanged(known),
        _vit(known),
        _cores(table_2, intervals),
        _by_construction(table_2),
        _mean_of_ends(intervals),
        _left_out(errors, runs),
        _static_baselines(known, table_2, intervals),
        _leaderboard(figure_1, intervals, paper),
        _embodied(spread),
    )


Cells = Mapping[tuple[str, str, str], Mapping[str, Any]]


def _exchanged(cells: Cells) -> Finding:
    rows: list[tuple[str, float | None, str]] = []
    for model, other in (("GLM", "BLOOM"), ("BLOOM", "GLM")):
        stated = cells["table_2", model, "OpenCarbonEval"]
        error = cells["table_2", model, "OpenCarbonEval, error"]
        swapped = cells["table_2", model, "OpenCarbonEval, other FLOP"]
        rows += [
            (f"{model}, published", stated["published_value"], "tCO2e"),
            (f"{model}, from its stated FLOP", stated["recomputed_value"], "tCO2e"),
            (f"{model}, with the FLOP of {other}", swapped["recomputed_value"], "tCO2e"),
            (f"{model}, error as published", error["published_value"], "%"),
            (f"{model}, error from its stated FLOP", error["recomputed_value"], "%"),
        ]
    return Finding(
        "The predictions of GLM and BLOOM match only with their FLOP exchanged",
        "Tables 2 and 3 print for GLM what follows from BLOOM's 387e21 FLOP, and for BLOOM what follows from GLM's "
        "312e21. From the FLOP stated for each, GLM is predicted too low instead of too high, and BLOOM too high "
        "instead of too low.",
        rows,
    )


def _vit(cells: Cells) -> Finding:
    stated, other = (
        cells["table_2", "ViT-L/16", name] for name in ("OpenCarbonEval", "OpenCarbonEval, other FLOP")
    )
    embodied = cells["table_3", "ViT-L/16", "OpenCarbonEval"]
    swin = cells["table_3", "Swin-L", "OpenCarbonEval"]
    return Finding(
        "ViT-L/16 does not follow from its stated inputs",
        "The stated 0.53e21 FLOP give about a third of the published prediction. 1.567e21 FLOP give it exactly, here "
        "and in Table 3: that is the total that the ViT paper states for the run of 0.68 thousand core-days. Swin-L is "
        "a matter of rounding: 0.398e21 FLOP, printed as 0.40, give the published figures.",
        (
            ("ViT-L/16, published", stated["published_value"], "tCO2e"),
            ("ViT-L/16, from its stated FLOP", stated["recomputed_value"], "tCO2e"),
            ("ViT-L/16, with 1.567e21 FLOP", other["recomputed_value"], "tCO2e"),
            ("ViT-L/16 embodied, published", embodied["published_value"], "kgCO2e"),
            ("ViT-L/16 embodied, from its stated FLOP", embodied["recomputed_value"], "kgCO2e"),
            ("Swin-L embodied, published", swin["published_value"], "kgCO2e"),
            ("Swin-L embodied, from its stated FLOP", swin["recomputed_value"], "kgCO2e"),
        ),
    )


def _cores(table_2: Sequence[Mapping[str, Any]], intervals: Mapping[str, AlphaInterval]) -> Finding:
    row = next(row for row in table_2 if row["model"] == "ViT-L/16")
    interval, intensity = intervals[row["device_group"]], row["carbon_intensity_gco2e_per_kwh"]
    by_cores, by_chips = (
        emitted_kgco2e(row[f"{counted}_device_hours"], interval.tdp_w, intensity) / KG_PER_TONNE
        for counted in ("counted", "actual")
    )
    predicted = interval.kgco2e(row["predicted_with_training_flop"], intensity)[1] / KG_PER_TONNE
    return Finding(
        "The actual figure of ViT-L/16 counts cores where it means chips",
        "0.68 thousand core-days are 16,320 core-hours. A TPU v3 chip has two cores and 450 W are those of a chip, so "
        "the run took 8,160 chip-hours and the actual is twice too high. Against chips, the published prediction is "
        "not 15 % low but two thirds high.",
        (
            ("core-hours, as counted", row["counted_device_hours"], "h"),
            ("chip-hours", row["actual_device_hours"], "h"),
            ("actual, as published", row["published_actual_tco2e"], "tCO2e"),
            ("actual, by chips", by_chips, "tCO2e"),
            ("error of the published prediction, by cores", 100.0 * (predicted / by_cores - 1.0), "%"),
            ("error of the published prediction, by chips", 100.0 * (predicted / by_chips - 1.0), "%"),
        ),
    )


def _by_construction(table_2: Sequence[Mapping[str, Any]]) -> Finding:
    return Finding(
        "Five of the six actual figures are device-hours x TDP by construction",
        "A method that multiplies hours by TDP is tested on them for its hours alone: power is the same on both sides. "
        "StarCoder assumes 280 W and a PUE of 1.2 instead. None of the six was measured.",
        tuple(
            (
                f"{row['model']}: {row['counted_device_hours']:,.0f} device-hours",
                "hours x TDP x intensity"
                if row["is_hours_times_tdp"]
                else "hours x 280 W x PUE 1.2 x intensity",
                None,
            )
            for row in table_2
        ),
    )


def _mean_of_ends(intervals: Mapping[str, AlphaInterval]) -> Finding:
    rows = []
    for group, interval in intervals.items():
        middle = (interval.low + interval.high) / 2.0
        added = [
            100.0 * (interval.hours(flop) / float(device_hours(flop, middle)) - 1.0) for flop in _FLOP_OF_ENDS
        ]
        rows.append(
            (f"{group}, from 1e21 to 1e25 FLOP", f"{min(added):+.1f} to {max(added):+.1f}", "% of hours")
        )
    return Finding(
        "The mean of the two ends inflates hours against the middle of the interval",
        "The point prediction is the mean of the emissions at both ends. Hours fall with alpha ever more slowly, so "
        "this mean lies above the hours at the middle alpha: by an eighth on A100 and TPU v4, by up to a third on "
        "V100, where the interval is widest beside its level.",
        rows,
    )


def _left_out(errors: pa.Table, runs: pa.Table) -> Finding:
    used, kept = (int(pc.sum(table["used"]).as_py()) for table in (runs, without_test_runs(runs)))
    rows: list[tuple[str, float | str | None, str | None]] = [
        ("runs in the fit", float(used), None),
        ("runs of the families left out", float(used - kept), None),
    ]
    table = errors.to_pylist()
    for method in dict.fromkeys(row["method"] for row in table):
        for kind, words in (("fitted", "test runs in the fit"), ("left_out", "their families left out")):
            sizes = [
                abs(row["error_pct"]) for row in table if (row["method"], row["test_runs"]) == (method, kind)
            ]
            rows.append(
                (
                    f"{method}, {words}",
                    f"{statistics.fmean(sizes):.1f} mean, {statistics.median(sizes):.1f} median",
                    "% absolute error",
                )
            )
    return Finding(
        "Errors when the six test runs are left out of the fit",
        "The paper's mean error is 9.5 % on runs that are in its own data. Refitted on the runs at hand, every method "
        "errs more, above all on ViT-L/16, whose actual and FLOP do not belong together. Leaving out the families of the "
        "test runs moves errors by a few points: no method leans on them.",
        rows,
    )


def _static_baselines(
    cells: Cells, table_2: Sequence[Mapping[str, Any]], intervals: Mapping[str, AlphaInterval]
) -> Finding:
    rows: list[tuple[str, float | str | None, str | None]] = []
    for row in table_2:
        both = cells["table_2", row["model"], "LLMCarbon"]
        text = f"{both['published_value']:g} published, {both['recomputed_value']:.2f} recomputed"
        rows.append((f"LLMCarbon, {row['model']}, PUE {baseline_pue(row['model'])}", text, "tCO2e"))
    for model in ("GLM", *BASELINE_PUE):
        row = next(one for one in table_2 if one["model"] == model)
        rows.append((f"DTR, {model}: implied throughput", _implied_tflop_per_s(row, intervals), "TFLOP/s"))
    return Finding(
        "The static baselines carry a PUE, and LLMCarbon an A100, that the paper does not state",
        "LLMCarbon's printed column is the pipeline-parallel throughput of an A100 80GB on every device, H100 and "
        "TPU v3 included, with a PUE of 1.1 (1.2 for BLOOM and StarCoder). The decision tree has one throughput for "
        "GLM and BLOOM only with these PUEs. OpenCarbonEval's own column carries none. On an H100 the borrowed "
        "throughput makes LLMCarbon err by +114.5 %. What is left, a tenth of a percent, would go if two digits of the "
        "published slope were exchanged (8.544e-11 for 8.454e-11 TFLOP/s per parameter).",
        rows,
    )


def _implied_tflop_per_s(row: Mapping[str, Any], intervals: Mapping[str, AlphaInterval]) -> float:
    """Throughput behind a printed figure of DTR, with the PUE that LLMCarbon's column shows."""
    one_hour = emitted_kgco2e(
        1.0,
        intervals[row["device_group"]].tdp_w,
        row["carbon_intensity_gco2e_per_kwh"],
        baseline_pue(row["model"]),
    )
    hours = row["published_dtr_tco2e"] * KG_PER_TONNE / one_hour
    return float(row["training_flop"] / FLOP_PER_TFLOP / (hours * SECONDS_PER_HOUR))


def _leaderboard(figure_1: pa.Table, intervals: Mapping[str, AlphaInterval], paper: PaperFacts) -> Finding:
    rows = [row for row in figure_1.to_pylist() if row["published_kgco2e"] and row["operational_kgco2e"]]
    worst = max(abs(row["operational_kgco2e"] / row["published_kgco2e"] - 1.0) for row in rows)
    bloom = next(row for row in figure_1.to_pylist() if row["model"].startswith("BLOOM"))
    table_2 = next(row for row in paper.table_2.to_pylist() if row["model"] == "BLOOM")
    in_table = intervals["A100"].kgco2e(table_2["training_flop"], table_2["carbon_intensity_gco2e_per_kwh"])[
        1
    ]
    return Finding(
        "The published leaderboard reproduces to the digit, and shows what a borrowed carbon intensity does",
        "Every figure of the authors' leaderboard for the models of Figure 1 follows from their data file with alpha as "
        "a power of ten; the column of emissions in the file itself took powers of e and is up to twice as high. Where "
        "the file takes the mean of the world or of a country for the site, emissions are off by far more than any "
        "throughput model errs: BLOOM ran in France.",
        (
            ("models compared", float(len(rows)), None),
            ("largest relative difference", f"{worst:.1e}", None),
            (
                "BLOOM on the leaderboard, at 436 gCO2e/kWh",
                bloom["operational_kgco2e"] / KG_PER_TONNE,
                "tCO2e",
            ),
            ("BLOOM in Table 2, at 57 gCO2e/kWh", in_table / KG_PER_TONNE, "tCO2e"),
            ("BLOOM, actual", table_2["published_actual_tco2e"], "tCO2e"),
        ),
    )


def _embodied(spread: pa.Table) -> Finding:
    rows = sorted(spread.to_pylist(), key=lambda row: -float(row["ratio"]))
    return Finding(
        "Embodied emissions of one device differ by forty times between sources",
        "A bare die is 7 to 15 kg, a vendor's footprint or a bottom-up account of the card ten to forty times as much. "
        "The paper counts the die over one year of life. The sources stand side by side here; none is averaged away.",
        tuple(
            (
                f"{row['device']}, {row['sources']} sources",
                f"{row['lowest_kgco2e']:.3g} to {row['highest_kgco2e']:.4g}, a factor of {row['ratio']:.0f}",
                "kgCO2e",
            )
            for row in rows
            if row["sources"] > 2
        )[:8],
    )
