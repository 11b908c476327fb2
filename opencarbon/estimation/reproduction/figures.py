"""Figures 1, 4, 5, 6 and 7 of the paper, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opencarbon.catalog import squeeze
from opencarbon.catalog.paper import PaperFacts
from opencarbon.estimation.fitting.paper_fits import PAPER_HALF_WIDTH, device_group
from opencarbon.estimation.reproduction.predictions import KG_PER_TONNE, AlphaInterval, table_1_intervals
from opencarbon.physics.llmcarbon import chip_of, tflop_per_s
from opencarbon.physics.throughput import log10_alpha
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import Contract
from opencarbon.tables.reproduction import FIGURE_1, FIGURE_4, FIGURE_5, FIGURE_6, FIGURE_7
from opencarbon.units import FLOP_PER_TFLOP, SECONDS_PER_HOUR

Row = dict[str, Any]
Intervals = Mapping[str, AlphaInterval]

_NOT_ITS_DEVICE: Final = "LLMCarbon does not know the device."
_NO_PARAMETERS: Final = "The parameters of the model are not known."
_BEYOND_ITS_CURVE: Final = "LLMCarbon's curve gives no throughput for so many parameters."


def figure_tables(
    paper: PaperFacts,
    runs: pa.Table,
    devices: pa.Table,
    refitted: Intervals,
    *,
    models: pa.Table | None = None,
) -> dict[str, pa.Table]:
    """All figures of the paper that this package draws.

    Parameters
    ----------
    paper : PaperFacts
    runs : pa.Table
        ``training_runs``.
    devices : pa.Table
        ``dim_device``.
    refitted : mapping of str to AlphaInterval
        Device -> interval in the paper's form, fitted to `runs`.
    models : pa.Table, optional
        Raw rows of Epoch AI's table of models. With them, emissions stand on the FLOP and dates of today's rows and on
        `refitted`, instead of on what the authors publish.

    Returns
    -------
    dict of str to pa.Table
        By the names of their contracts.
    """
    today = None if models is None else {squeeze(row["model"] or ""): row for row in models.to_pylist()}
    published, vendors = table_1_intervals(paper.table_1), _vendors(devices)
    alphas = _figure_4(runs, devices)
    return {
        "figure_1": _table((_figure_1(row, refitted, today) for row in _of_figure_1(paper)), FIGURE_1),
        "figure_4": _table(alphas, FIGURE_4),
        "figure_5": _table(_figure_5(alphas, published), FIGURE_5),
        "figure_6": _table(_figure_6(runs, alphas, devices), FIGURE_6),
        "figure_7": _table(
            (
                _figure_7(
                    row,
                    group_label(row["device"], vendors[row["device"]]),
                    {} if today else published,
                    refitted,
                )
                for row in paper.scores.to_pylist()
            ),
            FIGURE_7,
        ),
    }


def group_label(device: str, vendor: str) -> str:
    """Group of a device without its vendor: ``A100`` for ``NVIDIA A100 SXM4 80GB``."""
    return device_group(device).removeprefix(vendor).strip()


def _table(rows: Iterable[Row], contract: Contract) -> pa.Table:
    table = pa.Table.from_pylist(list(rows), schema=contract.schema())
    return conform(table.sort_by([(name, "ascending") for name in contract.key]), contract)


def _vendors(devices: pa.Table) -> dict[str, str]:
    return {row["device"]: row["vendor"] for row in devices.select(["device", "vendor"]).to_pylist()}


def _of_figure_1(paper: PaperFacts) -> list[Row]:
    return [row for row in paper.models.to_pylist() if row["in_figure_1"]]


def _figure_1(row: Row, refitted: Intervals, today: Mapping[str, Row] | None) -> Row:
    flop, day, interval, remark = row["training_flop"], row["publication_date"], _authors(row), row["remark"]
    if today is not None:
        found = today.get(squeeze(row["model"])) or {}
        flop, day = found.get("training_flop") or flop, found.get("publication_date") or day
        interval = refitted.get(row["device"])
        if not found:
            remark = f"Not in the file given: FLOP and date as bundled. {remark or ''}".strip()
    published = row["published_tco2e"]
    return {
        "model": row["model"],
        "task": row["task"],
        "publication_date": day,
        "device": row["device"],
        "training_flop": flop,
        "carbon_intensity_gco2e_per_kwh": row["carbon_intensity_gco2e_per_kwh"],
        **_emissions(interval, flop, row["carbon_intensity_gco2e_per_kwh"]),
        "published_kgco2e": None if published is None else published * KG_PER_TONNE,
        "remark": remark,
        "source_id": row["source_id"],
    }


def _authors(row: Row) -> AlphaInterval | None:
    """Interval and design power of the authors' own data file."""
    ends = (row["published_log10_alpha_low"], row["published_log10_alpha_high"], row["published_tdp_w"])
    return None if None in ends else AlphaInterval(*ends)


def _emissions(interval: AlphaInterval | None, flop: float | None, gco2e_per_kwh: float | None) -> Row:
    names = ("operational_low_kgco2e", "operational_kgco2e", "operational_high_kgco2e")
    if interval is None or flop is None or gco2e_per_kwh is None:
        return dict.fromkeys(names)
    return dict(zip(names, interval.kgco2e(flop, gco2e_per_kwh), strict=True))


def _figure_4(runs: pa.Table, devices: pa.Table) -> list[Row]:
    vendors = _vendors(devices)
    rows = [
        row
        for row in runs.to_pylist()
        if row["device"] in vendors and row["device_hours"] and row["training_flop"]
    ]
    flop, hours = (
        np.array([row[name] for row in rows], dtype=np.float64) for name in ("training_flop", "device_hours")
    )
    alphas = np.atleast_1d(log10_alpha(flop, hours))
    return [
        {
            **{name: row[name] for name in ("run", "model", "device", "training_flop", "device_hours")},
            "device_group": group_label(row["device"], vendors[row["device"]]),
            "log10_alpha": float(alpha),
            "tflop_per_s": row["training_flop"] / FLOP_PER_TFLOP / (row["device_hours"] * SECONDS_PER_HOUR),
            **{name: row[name] for name in ("used", "source_id")},
        }
        for row, alpha in zip(rows, alphas, strict=True)
    ]


def _figure_5(alphas: list[Row], published: Intervals) -> list[Row]:
    by_group: dict[str, list[float]] = {group: [] for group in published}
    for row in alphas:
        if row["used"]:
            by_group.setdefault(row["device_group"], []).append(row["log10_alpha"])
    rows = []
    for group, values in by_group.items():
        if not values:
            continue
        mean, sd, printed = float(np.mean(values)), float(np.std(values)), published.get(group)
        rows.append(
            {
                "device_group": group,
                "training_runs": len(values),
                "log10_alpha": mean,
                "log10_alpha_sd": sd,
                "log10_alpha_low": mean - PAPER_HALF_WIDTH * sd,
                "log10_alpha_high": mean + PAPER_HALF_WIDTH * sd,
                "published_log10_alpha_low": printed and printed.low,
                "published_log10_alpha_high": printed and printed.high,
            }
        )
    return rows


def _figure_6(runs: pa.Table, alphas: list[Row], devices: pa.Table) -> list[Row]:
    sizes = {row["run"]: row["active_parameters"] or row["parameters"] for row in runs.to_pylist()}
    memory = {row["device"]: row["memory_gb"] for row in devices.select(["device", "memory_gb"]).to_pylist()}
    return [
        {
            **{name: row[name] for name in ("run", "model", "device", "device_group", "training_flop")},
            **{name: row[name] for name in ("log10_alpha", "tflop_per_s")},
            **_by_llmcarbon(row["device"], memory[row["device"]], sizes[row["run"]]),
        }
        for row in alphas
        if row["used"]
    ]


def _by_llmcarbon(device: str, memory_gb: float | None, parameters: float | None) -> Row:
    if chip_of(device) is None or memory_gb is None:
        return {"llmcarbon_tflop_per_s": None, "reason": _NOT_ITS_DEVICE}
    if parameters is None:
        return {"llmcarbon_tflop_per_s": None, "reason": _NO_PARAMETERS}
    speed = float(tflop_per_s(parameters, memory_gb))
    if np.isnan(speed):
        return {"llmcarbon_tflop_per_s": None, "reason": _BEYOND_ITS_CURVE}
    return {"llmcarbon_tflop_per_s": speed, "reason": None}


def _figure_7(row: Row, group: str, published: Intervals, refitted: Intervals) -> Row:
    interval, remark = published.get(group), row["remark"]
    if interval is None:
        interval = refitted.get(row["device"])
        remark = f"Interval refitted. {remark or ''}".strip()
    names = ("model", "domain", "benchmark", "score_pct", "score_source_id", "device", "training_flop")
    return {
        **{name: row[name] for name in names},
        "carbon_intensity_gco2e_per_kwh": row["carbon_intensity_gco2e_per_kwh"],
        **_emissions(interval, row["training_flop"], row["carbon_intensity_gco2e_per_kwh"]),
        "remark": remark,
        "source_id": row["flop_source_id"],
    }
