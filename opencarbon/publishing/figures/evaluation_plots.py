"""Predictions beside what was, and errors by the number of own runs that the fit was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.marks import DASHES, legend_below, legend_handle, legend_room, scatter
from opencarbon.publishing.figures.style import (
    ACCENT,
    CARD,
    COLOURS,
    GRID,
    MUTED,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    log_limits,
    log_ticks,
    name_y,
    panel,
    spelt_out,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLOT_PX: Final[dict[Width, float]] = {"wide": 460, "narrow": 300}
_LEFT_PX: Final = 84
_LEFT_OF_ERRORS_PX: Final = 48
_TOP_PX: Final = 36
_FOOT_PX: Final = 58
_DOT_PX: Final = 8
_KINDS: Final = {
    True: (ACCENT, "o", "decoder language models from 1e9 parameters"),
    False: (COLOURS[1], "D", "others"),
}
_SPLITS: Final = {"family": (ACCENT, "o"), "organisation": (COLOURS[1], "D")}
_FACTOR: Final = 2.0
"""Either side of the line that is drawn."""


def hours_beside_actual(predictions: pa.Table, width: Width) -> Figure:
    """Draw predicted over actual device-hours with their intervals.

    Parameters
    ----------
    predictions : pa.Table
        Rows of ``evaluation_prediction`` of one method and one split.
    width : {"wide", "narrow"}
        Which drawing.

    Returns
    -------
    matplotlib.figure.Figure
        Both axes logarithmic, in device-hours.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = predictions.to_pylist()
    with drawing():
        handles = [legend_handle(*style) for style in _KINDS.values()]
        columns, legend = legend_room([words for _, _, words in _KINDS.values()], WIDTH_PX[width])
        figure = canvas(width, _TOP_PX + _PLOT_PX[width] + _FOOT_PX + legend)
        plot_px = WIDTH_PX[width] - _LEFT_PX - 24
        axes = panel(figure, _LEFT_PX, _TOP_PX, plot_px, _PLOT_PX[width])
        actual = [row["actual_device_hours"] for row in rows]
        ends = [row[f"device_hours{end}"] for row in rows for end in ("", "_low", "_high")]
        x_limits, y_limits = log_limits(actual), log_limits([*ends, *actual])
        axes.set_xscale("log")
        axes.set_yscale("log")
        for factor, style in ((1.0, "-"), (_FACTOR, DASHES), (1 / _FACTOR, DASHES)):
            axes.plot(x_limits, [factor * x for x in x_limits], color=MUTED, lw=1, ls=style, zorder=1)
        _hours(axes, rows)
        axes.set_xlim(*x_limits)
        axes.set_ylim(*y_limits)
        log_ticks(axes.xaxis, *x_limits, 3 if width == "narrow" else 8, spelt_out)
        log_ticks(axes.yaxis, *y_limits, 8, spelt_out)
        axes.grid()
        axes.set_xlabel("Actual device-hours, logarithmic")
        name_y(axes, "Predicted device-hours, logarithmic")
        legend_below(figure, handles, columns)
    return figure


def _hours(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        colour, marker, _ = _KINDS[row["is_decoder_1b"]]
        x = row["actual_device_hours"]
        axes.plot(
            [x, x],
            [row["device_hours_low"], row["device_hours_high"]],
            color=colour,
            lw=2,
            alpha=0.3,
            zorder=2,
        )
        scatter(axes, [x], [row["device_hours"]], (colour, marker), _DOT_PX, zorder=3)


def errors_by_fleet(evaluation_fleet: pa.Table, width: Width) -> Figure:
    """Draw the mean error on other runs of fleets over the number of own runs given.

    Parameters
    ----------
    evaluation_fleet : pa.Table
        Rows of ``evaluation_fleet``.
    width : {"wide", "narrow"}
        Which drawing.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = evaluation_fleet.to_pylist()
    same = [row for row in rows if row["fleets_counted"] == "same_fleets"]
    with drawing():
        words = {
            split: f"by {split}, the same {max((row['fleets'] for row in same if row['split'] == split), default=0)} fleets"
            for split in _SPLITS
        }
        handles = [legend_handle(*_SPLITS[split], label) for split, label in words.items()]
        columns, legend = legend_room(list(words.values()), WIDTH_PX[width])
        plot_px = _PLOT_PX[width] * 0.66
        figure = canvas(width, _TOP_PX + plot_px + _FOOT_PX + legend)
        axes = panel(figure, _LEFT_OF_ERRORS_PX, _TOP_PX, WIDTH_PX[width] - _LEFT_OF_ERRORS_PX - 24, plot_px)
        for split, (colour, marker) in _SPLITS.items():
            _strokes(axes, [row for row in rows if row["split"] == split and row not in same], colour)
            line = sorted((row["runs_given"], row["mean_error"]) for row in same if row["split"] == split)
            axes.plot(
                [given for given, _ in line],
                [error for _, error in line],
                color=colour,
                lw=2,
                marker=marker,
                ms=_DOT_PX,
                mec=CARD,
                zorder=3,
            )
        _frame(axes, rows)
        legend_below(figure, handles, columns)
    return figure


def _strokes(axes: Axes, rows: list[dict[str, Any]], colour: str) -> None:
    for row in rows:
        if row["mean_error_one_less"] is not None:
            ends = [row["mean_error_one_less"], row["mean_error"]]
            axes.plot(
                [row["runs_given"] - 1, row["runs_given"]], ends, color=colour, lw=3, alpha=0.35, zorder=2
            )


def _frame(axes: Axes, rows: list[dict[str, Any]]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    axes.set_xlim(-0.15, 3.15)
    axes.set_ylim(0, 1.1 * max((row["mean_error"] for row in rows), default=1.0))
    axes.xaxis.set_major_locator(FixedLocator(range(4)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color=GRID)
    axes.set_xlabel("Own completed runs given to the fit")
    name_y(axes, "Mean |ln(predicted / actual)| of the others")
