"""Figure 6: alpha of a run beside the throughput that LLMCarbon predicts, over training FLOP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.marks import (
    category_styles,
    legend_below,
    legend_handle,
    legend_room,
    scatter,
)
from opencarbon.publishing.figures.style import (
    MUTED,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    log_limits,
    log_ticks,
    name_y,
    panel,
    powers,
    title_above,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLOT_PX: Final[dict[Width, float]] = {"wide": 330, "narrow": 270}
_PANEL_TOP_PX: Final = 60
_PANEL_FOOT_PX: Final = 58
_LEFT_PX: Final = 44
_DOT_PX: Final = 9

Rows = list[dict[str, Any]]


def alpha_and_throughput(figure_6: pa.Table, width: Width) -> Figure:
    """Draw log10 alpha and LLMCarbon's throughput against training FLOP, by group of devices.

    Parameters
    ----------
    figure_6 : pa.Table
        Rows of ``figure_6``; runs for which LLMCarbon gives no throughput are counted in its panel.
    width : {"wide", "narrow"}
        Which drawing: panels side by side, or one above the other.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = figure_6.to_pylist()
    groups = _groups(rows)
    with drawing():
        styles = category_styles(groups)
        columns, legend_px = legend_room(groups, WIDTH_PX[width])
        panel_px = _PANEL_TOP_PX + _PLOT_PX[width] + _PANEL_FOOT_PX
        side_by_side = width == "wide"
        height = panel_px * (1 if side_by_side else 2) + legend_px
        figure = canvas(width, height)
        across = WIDTH_PX[width] / 2 if side_by_side else WIDTH_PX[width]
        second = (across + 12, 0.0) if side_by_side else (0.0, panel_px)
        known = [row for row in rows if row["llmcarbon_tflop_per_s"] is not None]
        for (x, y), quantity, shown, title, unit in (
            ((0.0, 0.0), "log10_alpha", rows, "OpenCarbonEval", "log₁₀ of alpha (alpha in 1/s)"),
            (
                second,
                "llmcarbon_tflop_per_s",
                known,
                "LLMCarbon",
                "Predicted throughput (TFLOP/s per device)",
            ),
        ):
            plot_px = across - _LEFT_PX - (24 if side_by_side else 16)
            axes = panel(figure, x + _LEFT_PX, y + _PANEL_TOP_PX, plot_px, _PLOT_PX[width])
            _scatter(axes, shown, quantity, styles)
            _frame(axes, rows, title, unit, x)
            _say_missing(axes, len(rows) - len(shown), len(rows))
        legend_below(figure, [legend_handle(*styles[group], group) for group in groups], columns)
    return figure


def _groups(rows: Rows) -> list[str]:
    """Slowest devices first, as in figures 4 and 5."""
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["device_group"], []).append(row["log10_alpha"])
    return sorted(found, key=lambda group: (sum(found[group]) / len(found[group]), group))


def _scatter(axes: Axes, rows: Rows, quantity: str, styles: dict[str, tuple[str, str]]) -> None:
    for group, style in styles.items():
        mine = [row for row in rows if row["device_group"] == group]
        flop, values = ([row[name] for row in mine] for name in ("training_flop", quantity))
        scatter(axes, flop, values, style, _DOT_PX, alpha=0.9)


def _frame(axes: Axes, rows: Rows, title: str, unit: str, left_px: float) -> None:
    low, high = log_limits([row["training_flop"] for row in rows])
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high, 5, powers)
    axes.grid()
    axes.set_xlabel("Training computation (FLOP)")
    axes.margins(y=0.08)
    axes.locator_params(axis="y", nbins=6)
    name_y(axes, unit, left_px)
    title_above(axes, title, left_px)


def _say_missing(axes: Axes, missing: int, all_runs: int) -> None:
    if missing:
        bounds = axes.get_window_extent()
        axes.annotate(
            f"no prediction for {missing} of {all_runs} runs",
            xy=(bounds.x1, bounds.y1 + 30),
            xycoords="figure pixels",
            ha="right",
            va="bottom",
            color=MUTED,
        )
