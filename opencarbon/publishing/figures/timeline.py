"""Figure 1: what the training of large models emits, over the years."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.labels import Point, label_points
from opencarbon.publishing.figures.marks import category_styles, legend_handle, scatter
from opencarbon.publishing.figures.style import (
    LEGEND_SPACING,
    MUTED,
    ROW_PX,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    log_limits,
    log_ticks,
    name_y,
    panel,
    spelt_out,
    text_width,
)
from opencarbon.publishing.numbers import KILOGRAMS_PER_TONNE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LARGEST_PX: Final[dict[Width, float]] = {"wide": 64, "narrow": 44}
_SMALLEST_PX: Final = 8.0
"""Diameters of the bubbles: below the smallest, area no longer follows emission."""
_NAMED: Final[dict[Width, int]] = {"wide": 16, "narrow": 8}
_PLOT_PX: Final[dict[Width, float]] = {"wide": 470, "narrow": 400}


def emissions_over_time(figure_1: pa.Table, width: Width) -> Figure:
    """Draw emissions over publication date: area of a bubble by emission, colour and shape by task.

    Parameters
    ----------
    figure_1 : pa.Table
        Rows of ``figure_1``; those without ``operational_kgco2e`` are left out.
    width : {"wide", "narrow"}
        Which drawing.

    Returns
    -------
    matplotlib.figure.Figure
        Emissions in tCO2e on a logarithmic axis; hairlines are intervals, the largest models are named.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = [row for row in figure_1.to_pylist() if (row["operational_kgco2e"] or 0) > 0]
    rows.sort(key=lambda row: (-row["operational_kgco2e"], row["model"]))
    with drawing():
        tasks = sorted({row["task"] for row in figure_1.to_pylist()})
        styles = category_styles(tasks)
        beside = width == "wide"
        legend_px = max((text_width(task) for task in tasks), default=0) + 40
        legend_rows = len(tasks) + 1
        height = _PLOT_PX[width] + 84 + (0 if beside else legend_rows * ROW_PX + 20)
        figure = canvas(width, height)
        plot_px = WIDTH_PX[width] - 62 - (legend_px + 8 if beside else 14)
        axes = panel(figure, 62, 34, plot_px, _PLOT_PX[width])
        _frame(axes, rows, width)
        diameters = _bubbles(axes, rows, styles, width)
        _names(axes, rows, diameters, width)
        figure.legend(
            handles=[legend_handle(*styles[task], task) for task in tasks],
            title="Task",
            alignment="left",
            loc="upper left",
            bbox_to_anchor=(
                ((WIDTH_PX[width] - legend_px) / WIDTH_PX[width], 1 - 26 / height)
                if beside
                else (0.004, 1 - (_PLOT_PX[width] + 84) / height)
            ),
            labelspacing=LEGEND_SPACING,
            handletextpad=0.4,
            borderpad=0,
            borderaxespad=0,
        )
    return figure


def _frame(axes: Axes, rows: list[dict[str, Any]], width: Width) -> None:
    from matplotlib.ticker import FixedLocator

    ends = [
        row[name] / KILOGRAMS_PER_TONNE
        for row in rows
        for name in ("operational_kgco2e", "operational_low_kgco2e", "operational_high_kgco2e")
        if row[name] is not None
    ]
    low, high = log_limits(ends, 0.09)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    log_ticks(axes.yaxis, low, high, 8, spelt_out)
    axes.grid(axis="y")
    axes.set_xlabel("Publication date (year)")
    name_y(axes, "Emissions of training (tCO₂e, logarithmic)")
    if rows:
        years = [_year(row) for row in rows]
        edge = _LARGEST_PX[width] / 2 + 10
        span = max(max(years) - min(years), 1.0)
        room = span * edge / (axes.get_window_extent().width - 2 * edge)
        first, last = min(years) - room, max(years) + room
        axes.set_xlim(first, last)
        step = 1 if width == "wide" or span < 5 else 2
        axes.xaxis.set_major_locator(FixedLocator(range(math.ceil(first), math.floor(last) + 1, step)))
        axes.xaxis.set_major_formatter(lambda year, _: f"{year:.0f}")


def _year(row: dict[str, Any]) -> float:
    """Publication date as years and their fraction."""
    day: date = row["publication_date"]
    return day.year + (day.timetuple().tm_yday - 1) / 366


def _bubbles(
    axes: Axes, rows: list[dict[str, Any]], styles: dict[str, tuple[str, str]], width: Width
) -> list[float]:
    largest = rows[0]["operational_kgco2e"] if rows else 1.0
    diameters = []
    for row in rows:
        year = _year(row)
        share = math.sqrt(row["operational_kgco2e"] / largest)
        diameters.append(max(_SMALLEST_PX, _LARGEST_PX[width] * share))
        if row["operational_low_kgco2e"] is not None and row["operational_high_kgco2e"] is not None:
            ends = [row[f"operational_{end}_kgco2e"] / KILOGRAMS_PER_TONNE for end in ("low", "high")]
            axes.plot([year, year], ends, color=MUTED, lw=1, alpha=0.55, zorder=1.5)
        middle = row["operational_kgco2e"] / KILOGRAMS_PER_TONNE
        scatter(
            axes,
            [year],
            [middle],
            styles[row["task"]],
            diameters[-1],
            edge_px=1,
            alpha=0.85,
            zorder=2,
        )
    return diameters


def _names(axes: Axes, rows: list[dict[str, Any]], diameters: list[float], width: Width) -> None:
    points = [
        Point(
            _year(row),
            row["operational_kgco2e"] / KILOGRAMS_PER_TONNE,
            row["model"],
            diameter / 2,
        )
        for row, diameter in zip(rows, diameters, strict=True)
    ]
    label_points(axes, points, named=_NAMED[width])
