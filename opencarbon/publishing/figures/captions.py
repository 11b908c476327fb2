"""What stands with each figure: its title, what it shows, and its data said in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.embodied import EmbodiedFigure
from opencarbon.publishing.numbers import KILOGRAMS_PER_TONNE, number

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Caption:
    """Words of a figure.

    Parameters
    ----------
    label : str
        Such as ``Figure 1``; empty for one that the paper does not have.
    title : str
        What it is.
    text : str
        How to read it.
    """

    label: str
    title: str
    text: str


CAPTIONS: Final[dict[str, Caption]] = {
    "figure_1": Caption(
        "Figure 1",
        "Emissions of training large models, over time",
        "The area of a mark follows the emission, down to a smallest size; colour and shape name the task. Hairlines "
        "reach from the fast to the slow end of the device's interval. The largest models are named.",
    ),
    "figure_4": Caption(
        "Figure 4",
        "Alpha of every published run, by device",
        "Ten decades of alpha are only 23 TFLOP/s, since throughput is ln(1 + alpha t) TFLOP/s. Runs that are not used, "
        "such as those whose FLOP were derived from an assumed utilisation, are hollow.",
    ),
    "figure_5": Caption(
        "Figure 5",
        "Distribution of alpha, by device",
        "The interval from which the method predicts is the mean less and plus 0.6 standard deviations; below it stands "
        "the interval that the paper publishes.",
    ),
    "figure_6": Caption(
        "Figure 6",
        "Alpha beside LLMCarbon's throughput, over training computation",
        "If devices had their era, the marks of each would lie level. Runs for which LLMCarbon states no throughput are "
        "missing from its panel.",
    ),
    "figure_7": Caption(
        "Figure 7",
        "Emissions against scores",
        "Bars reach from the fast to the slow end of the device's interval. Scores of different models were measured by "
        "their own authors.",
    ),
    "compare": Caption(
        "",
        "One run, BLOOM 176B, by every method",
        "Bars are intervals, where a method states one. Hours are predicted where a method predicts them, and those "
        "stated where it needs them; the upright tick is the operational part of an emission that also counts embodied "
        "emissions.",
    ),
    "embodied": Caption(
        "",
        "What sources say the making of one device emits",
        "Part of the spread is in what is counted: a bare die, a card, or a card with its share of a server.",
    ),
}
"""Every figure a page may show, in its order."""


def describe(name: str, tables: Mapping[str, pa.Table], embodied: Sequence[EmbodiedFigure] = ()) -> str:
    """Say in words what a figure shows, for those who do not see it.

    Parameters
    ----------
    name : str
        A name of ``CAPTIONS``.
    tables : mapping of str to pa.Table
        Tables of ``REPRODUCED``, and ``method_estimate`` for ``compare``.
    embodied : sequence of EmbodiedFigure
        For ``embodied``.

    Returns
    -------
    str
        A sentence or two with the extremes.
    """
    if name == "embodied":
        return _embodied(embodied)
    return _DESCRIBED[name](tables["method_estimate" if name == "compare" else name].to_pylist())


def _timeline(rows: Rows) -> str:
    known = [row for row in rows if row["operational_kgco2e"] is not None]
    if not known:
        return "No model has an emission."
    years = [row["publication_date"].year for row in known]
    tasks = len({row["task"] for row in known})
    return (
        f"Bubble chart of {len(known)} models in {tasks} tasks, {min(years)} to {max(years)}. {_extremes(known)} "
        f"{len(rows) - len(known)} models are not drawn, as their emission is not known."
    )


def _runs(rows: Rows) -> str:
    groups = len({row["device_group"] for row in rows})
    used = sum(row["used"] for row in rows)
    return (
        f"Strip chart of log10 alpha of {len(rows)} runs on {groups} groups of devices; {used} runs are used."
    )


def _distribution(rows: Rows) -> str:
    said = "; ".join(
        f"{row['device_group']} {number(row['log10_alpha'], 3)}, sigma {number(row['log10_alpha_sd'], 3)}"
        for row in sorted(rows, key=lambda row: (row["log10_alpha"], row["device_group"]))
    )
    return f"Box plots of log10 alpha by group of devices. Mean and standard deviation: {said}."


def _throughput(rows: Rows) -> str:
    known = [row["llmcarbon_tflop_per_s"] for row in rows if row["llmcarbon_tflop_per_s"] is not None]
    span = f", between {number(min(known), 3)} and {number(max(known), 3)} TFLOP/s" if known else ""
    return (
        f"Two scatter plots over training FLOP: log10 alpha of {len(rows)} runs, and the throughput that LLMCarbon "
        f"predicts for {len(known)} of them{span}."
    )


def _scores(rows: Rows) -> str:
    parts = []
    for domain in ("language", "vision"):
        known = [row for row in rows if row["domain"] == domain and row["operational_kgco2e"] is not None]
        if known:
            parts.append(f"{len(known)} {domain} models. {_extremes(known)}")
    return f"Two scatter plots of emissions over scores: {' '.join(parts)}"


def _methods(rows: Rows) -> str:
    known = [row for row in rows if row["total_kgco2e"] is not None]
    if not known:
        return "No method comes to emissions of this job."
    values = [row["total_kgco2e"] for row in known]
    low, high = (number(value / KILOGRAMS_PER_TONNE) for value in (min(values), max(values)))
    return (
        f"Hours, energy and emissions by {len(known)} of {len(rows)} methods, the emissions from {low} to {high} tCO2e "
        "for the same job."
    )


def _embodied(figures: Sequence[EmbodiedFigure]) -> str:
    if not figures:
        return "No source has a figure."
    devices = {one.device for one in figures}
    low, high = (number(extreme(one.kgco2e for one in figures)) for extreme in (min, max))
    return (
        f"Dots of {len(figures)} figures for {len(devices)} devices, from {low} to {high} kgCO2e per device."
    )


def _extremes(rows: Rows) -> str:
    ordered = sorted(rows, key=lambda row: (row["operational_kgco2e"], row["model"]))
    least, most = (
        f"{row['model']} with {number(row['operational_kgco2e'] / KILOGRAMS_PER_TONNE)} tCO2e"
        for row in (ordered[0], ordered[-1])
    )
    return f"The least is {least}, the most {most}."


_DESCRIBED: Final[dict[str, Callable[[Rows], str]]] = {
    "figure_1": _timeline,
    "figure_4": _runs,
    "figure_5": _distribution,
    "figure_6": _throughput,
    "figure_7": _scores,
    "compare": _methods,
}
