"""Errors and coverage of methods held out: one row for each method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.marks import (
    DASHES,
    broken_line_handle,
    legend_below,
    legend_handle,
    legend_room,
)
from opencarbon.publishing.figures.rows import FOOT_PX, beside, row_panel, row_panels
from opencarbon.publishing.figures.style import (
    ACCENT,
    COLOURS,
    MUTED,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    title_above,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_PX: Final[dict[Width, float]] = {"wide": 40, "narrow": 62}
_LOWER: Final[dict[Width, float]] = {"wide": 0.0, "narrow": 0.12}
"""How far below the middle of a row its marks stand, in rows: the name is above them on a phone."""
_TOP_PX: Final = 44
_EDGE_PX: Final = 8
"""Room above a panel without a title."""
_INDENT_PX: Final = 18.0
"""Room to the left of a panel on a phone, for half of its first tick."""
_GAP_PX: Final = 34
_DOT_PX: Final = 8
_APART: Final = 0.16
"""How far the two marks of a row stand from its middle, in rows."""
_SECOND: Final = COLOURS[1]
_PANELS: Final = {"decoder_1b": "Decoders from 1e9 parameters", "all": "All scored runs"}

Rows = list[dict[str, Any]]


def errors_by_method(
    evaluation_score: pa.Table, titles: Mapping[str, str], floors: Mapping[str, float | None], width: Width
) -> Figure:
    """Draw E of every method, with families and with organisations left out, for both sets of runs.

    Parameters
    ----------
    evaluation_score : pa.Table
        Rows of ``evaluation_score``; those of device-hours are drawn.
    titles : mapping of str to str
        Method -> its title, in the order of the rows.
    floors : mapping of str to float or None
        Subset -> the error that is left where every device's mean is known.
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
    rows = [
        row
        for row in evaluation_score.to_pylist()
        if row["evaluated_quantity"] == "device_hours" and row["family_error"] is not None
    ]
    methods = [name for name in titles if any(row["evaluated_method"] == name for row in rows)]
    names = [titles[name] for name in methods]
    highest = max((row["family_error_high"] for row in rows), default=1.0)
    with drawing():
        height = max(len(methods), 1) * _ROW_PX[width]
        block = _TOP_PX + height + FOOT_PX
        handles = [
            legend_handle(ACCENT, "o", "families left out"),
            legend_handle(_SECOND, "D", "organisations left out"),
            legend_handle(MUTED, "x", "in-sample: no fair comparison"),
            broken_line_handle("left if only the device were known"),
        ]
        columns, legend = legend_room([str(one.get_label()) for one in handles], WIDTH_PX[width])
        figure = canvas(width, block * (len(_PANELS) if width == "narrow" else 1) + legend)
        panels = row_panels(
            figure,
            names,
            width,
            count=len(_PANELS),
            height=height,
            top=_TOP_PX,
            gap=_GAP_PX,
            indent=_INDENT_PX,
        )
        for axes, (subset, title) in zip(panels, _PANELS.items(), strict=True):
            _frame(axes, "E, mean over families of |ln error|")
            title_above(axes, title, axes.get_window_extent().x0, 14)
            axes.set_xlim(0, 1.06 * highest)
            floor = floors.get(subset)
            if floor is not None:
                axes.axvline(floor, color=MUTED, lw=1.2, ls=DASHES, zorder=0)
            _errors(axes, [row for row in rows if row["subset"] == subset], methods, _LOWER[width])
        legend_below(figure, handles, columns)
    return figure


def coverage_by_method(
    evaluation_score: pa.Table, titles: Mapping[str, str], level: float, width: Width
) -> Figure:
    """Draw the coverage of every method's intervals, by family and by run, on all runs with families left out.

    Parameters
    ----------
    evaluation_score : pa.Table
        Rows of ``evaluation_score``.
    titles : mapping of str to str
        Method -> its title, in the order of the rows.
    level : float
        Share that the intervals are to hold.
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
    found = {
        row["evaluated_method"]: row
        for row in evaluation_score.to_pylist()
        if (row["evaluated_quantity"], row["split"], row["subset"]) == ("device_hours", "family", "all")
        and row["coverage"] is not None
    }
    methods, is_narrow = [name for name in titles if name in found], width == "narrow"
    names = [titles[name] for name in methods]
    with drawing():
        height = max(len(methods), 1) * _ROW_PX[width]
        handles = [
            legend_handle(ACCENT, "o", "mean over families"),
            legend_handle(_SECOND, "D", "share of runs"),
            legend_handle(MUTED, "|", f"{100 * level:.0f} %, as the intervals are to hold"),
        ]
        columns, legend = legend_room([str(one.get_label()) for one in handles], WIDTH_PX[width])
        figure = canvas(width, _EDGE_PX + height + FOOT_PX + legend)
        left = _INDENT_PX if is_narrow else beside(names)
        axes = row_panel(figure, names, left, _EDGE_PX, WIDTH_PX[width] - left - 24, height, above=is_narrow)
        _frame(axes, "Runs within their interval (%)")
        axes.set_xlim(0, 102)
        axes.axvline(100 * level, color=MUTED, lw=1.2, zorder=0)
        for at, name in enumerate(methods):
            for column, colour, marker, off in (
                ("family_coverage", ACCENT, "o", -_APART),
                ("coverage", _SECOND, "D", _APART),
            ):
                value, low, high = (100 * found[name][f"{column}{end}"] for end in ("", "_low", "_high"))
                _dot(axes, value, (low, high), at + off + _LOWER[width], colour, marker)
        legend_below(figure, handles, columns)
    return figure


def _errors(axes: Axes, rows: Rows, methods: list[str], lower: float) -> None:
    for row in rows:
        is_first = row["split"] == "family"
        colour, marker = (ACCENT, "o") if is_first else (_SECOND, "D")
        if row["is_in_sample"]:
            if not is_first:
                continue  # nothing is left out, so both are the same
            colour, marker = MUTED, "x"
        off = 0.0 if row["is_in_sample"] else (-_APART if is_first else _APART)
        span = (row["family_error_low"], row["family_error_high"])
        _dot(
            axes,
            row["family_error"],
            span,
            methods.index(row["evaluated_method"]) + off + lower,
            colour,
            marker,
        )


def _dot(axes: Axes, value: float, span: tuple[float, float], at: float, colour: str, marker: str) -> None:
    axes.plot(span, [at, at], color=colour, lw=3, alpha=0.4, solid_capstyle="butt")
    size = _DOT_PX * (0.8 if marker == "D" else 1.0)
    axes.plot(value, at, marker, mfc=colour, mec=colour, mew=1.6 if marker == "x" else 0.5, ms=size, zorder=3)


def _frame(axes: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(visible=True, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(label, loc="left")
