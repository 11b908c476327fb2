"""Figure 7: emissions of language models against MMLU, and of vision models against ImageNet-1k top-1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.labels import Box, Point, label_points
from opencarbon.publishing.figures.style import (
    COLOURS,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    log_limits,
    log_ticks,
    name_y,
    panel,
    spelt_out,
    title_above,
)
from opencarbon.publishing.numbers import KILOGRAMS_PER_TONNE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS: Final = (
    ("mmlu", "Language models", "MMLU (%)", COLOURS[0], "o"),
    ("imagenet_1k_top_1", "Vision models", "ImageNet-1k top-1 accuracy (%)", COLOURS[1], "D"),
)
_PLOT_PX: Final[dict[Width, float]] = {"wide": 400, "narrow": 380}
_TOP_PX: Final = 62
_FOOT_PX: Final = 56
_LEFT_PX: Final = 56
_DOT_PX: Final = 9


def emissions_by_score(figure_7: pa.Table, width: Width) -> Figure:
    """Draw emissions against scores, every model named.

    Parameters
    ----------
    figure_7 : pa.Table
        Rows of ``figure_7``; those without ``operational_kgco2e`` are left out.
    width : {"wide", "narrow"}
        Which drawing: panels side by side, or one above the other.

    Returns
    -------
    matplotlib.figure.Figure
        Emissions in tCO2e on a logarithmic axis, with intervals.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = [row for row in figure_7.to_pylist() if (row["operational_kgco2e"] or 0) > 0]
    with drawing():
        side_by_side = width == "wide"
        panel_px = _TOP_PX + _PLOT_PX[width] + _FOOT_PX
        figure = canvas(width, panel_px if side_by_side else 2 * panel_px)
        across = WIDTH_PX[width] / 2 if side_by_side else WIDTH_PX[width]
        for i, (benchmark, title, unit, colour, marker) in enumerate(_PANELS):
            x, y = (i * (across + 8), 0) if side_by_side else (0, i * panel_px)
            plot_px = across - _LEFT_PX - (20 if side_by_side else 12)
            axes = panel(figure, x + _LEFT_PX, y + _TOP_PX, plot_px, _PLOT_PX[width])
            mine = [row for row in rows if row["benchmark"] == benchmark]
            _frame(axes, mine, unit)
            name_y(axes, "Emissions of training (tCO₂e, logarithmic)", x)
            title_above(axes, title, x)
            _points(axes, mine, colour, marker)
    return figure


def _frame(axes: Axes, rows: list[dict[str, Any]], unit: str) -> None:
    low, high = log_limits([value for row in rows for value in _emissions(row) if value is not None], 0.1)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    log_ticks(axes.yaxis, low, high, 7, spelt_out)
    axes.grid()
    axes.set_xlabel(unit)
    scores = [row["score_pct"] for row in rows]
    if scores:
        room = max(0.12 * (max(scores) - min(scores)), 0.5)
        axes.set_xlim(min(scores) - room, max(scores) + room)
        axes.locator_params(axis="x", nbins=6)


def _emissions(row: dict[str, Any]) -> tuple[float, float | None, float | None]:
    """Emission with its low and its high end, in t."""
    middle, low, high = (
        None if row[name] is None else row[name] / KILOGRAMS_PER_TONNE
        for name in ("operational_kgco2e", "operational_low_kgco2e", "operational_high_kgco2e")
    )
    return middle or 0.0, low, high


def _points(axes: Axes, rows: list[dict[str, Any]], colour: str, marker: str) -> None:
    bars: list[Box] = []
    points = []
    for row in sorted(rows, key=lambda row: row["model"]):
        score, (middle, low, high) = row["score_pct"], _emissions(row)
        if low is not None and high is not None:
            axes.plot([score, score], [low, high], color=colour, lw=1.8, alpha=0.55, solid_capstyle="butt")
            (left, bottom), (_, top) = axes.transData.transform([(score, low), (score, high)]).tolist()
            bars.append((left - 2, bottom, left + 2, top))
        axes.plot(score, middle, marker, color=colour, ms=_DOT_PX, mew=0)
        points.append(Point(score, middle, row["model"], _DOT_PX / 2))
    label_points(axes, points, named=len(points), obstacles=bars, all_of_them=True)
