"""One job through every method, and one device through every source of its embodied emissions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from opencarbon.publishing.figures.marks import (
    category_styles,
    columns_that_fit,
    legend_below,
    legend_handle,
    scatter_size,
)
from opencarbon.publishing.figures.style import (
    ACCENT,
    BAND,
    INK,
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
    size_px,
    text_width,
    tonnes,
)
from opencarbon.publishing.numbers import KILOGRAMS_PER_TONNE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_PX: Final[dict[Width, float]] = {"wide": 34, "narrow": 46}
_TOP_PX: Final = 34
_LOG_FROM: Final = 10.0
"""A spread over this factor is drawn on a logarithmic axis."""
_TONNES_FROM_KG: Final = 1e3
_DOT_PX: Final = 10

Rows = list[dict[str, Any]]


class EmbodiedFigure(NamedTuple):
    """Embodied emissions of a device as one source states them.

    Parameters
    ----------
    device : str
        The device.
    kind : str
        How the source comes to its figure.
    kgco2e : float
        Of one device, in kgCO2e.
    """

    device: str
    kind: str
    kgco2e: float


def methods_compared(method_estimate: pa.Table, dim_method: pa.Table, width: Width) -> Figure:
    """Draw the operational emissions of one job by every method, and say why others give none.

    Parameters
    ----------
    method_estimate : pa.Table
        Rows of ``method_estimate`` for one job.
    dim_method : pa.Table
        Rows of ``dim_method``, for the titles of the methods.
    width : {"wide", "narrow"}
        Which drawing.

    Returns
    -------
    matplotlib.figure.Figure
        In tCO2e from a tonne up, else in kgCO2e; logarithmic where the methods differ by more than a factor of 10.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    titles = {row["method"]: row["title"] for row in dim_method.to_pylist()}
    rows = method_estimate.to_pylist()
    known = [row for row in rows if (row["operational_kgco2e"] or 0) > 0]
    known.sort(key=lambda row: (row["operational_kgco2e"], row["method"]))
    silent = [row for row in rows if row not in known]
    with drawing():
        notes = [
            _wrapped(f"{titles.get(row['method'], row['method'])}: {row['reason'] or 'no figure'}", width)
            for row in silent
        ]
        notes_px = sum(len(lines) * ROW_PX + 6 for lines in notes) + (ROW_PX + 14 if notes else 0)
        plot_px = max(len(known), 1) * _ROW_PX[width]
        figure = canvas(width, _TOP_PX + plot_px + 58 + notes_px)
        names = [titles.get(row["method"], row["method"]) for row in known]
        _estimates(figure, known, names, plot_px, width)
        _write_notes(figure, notes, _TOP_PX + plot_px + 70)
    return figure


def embodied_spread(figures: Sequence[EmbodiedFigure], width: Width) -> Figure:
    """Draw what different kinds of source state for the embodied emissions of one device.

    Parameters
    ----------
    figures : sequence of EmbodiedFigure
        Figures of any number of devices.
    width : {"wide", "narrow"}
        Which drawing.

    Returns
    -------
    matplotlib.figure.Figure
        One row for each device, widest spread first, on a logarithmic axis in kgCO2e.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    by_device: dict[str, list[float]] = {}
    for one in figures:
        by_device.setdefault(one.device, []).append(one.kgco2e)
    order = sorted(by_device, key=lambda name: (-max(by_device[name]) / min(by_device[name]), name))
    kinds = sorted({one.kind for one in figures})
    with drawing():
        styles = category_styles(kinds)
        rows_px = max(len(order), 1) * _ROW_PX[width]
        columns = columns_that_fit(kinds, WIDTH_PX[width])
        height = _TOP_PX + rows_px + 58 + (-(-len(kinds) // columns) + 0.5) * ROW_PX
        figure = canvas(width, height)
        axes = _row_panel(figure, order, rows_px, 24, width)
        _log_x(
            axes,
            [one.kgco2e for one in figures],
            width,
            "Embodied (kgCO₂e per device, logarithmic)",
        )
        name_y(axes, "Device")
        for row, device in enumerate(order):
            axes.plot(
                [min(by_device[device]), max(by_device[device])], [row, row], color=BAND, lw=3, zorder=1
            )
        for one in figures:
            colour, marker = styles[one.kind]
            at = order.index(one.device)
            size = scatter_size(marker, _DOT_PX)
            axes.scatter([one.kgco2e], [at], s=size, marker=marker, color=colour, alpha=0.9, zorder=2)
        legend_below(figure, [legend_handle(*styles[kind], kind) for kind in kinds], columns)
    return figure


def _estimates(figure: Figure, rows: Rows, names: Sequence[str], plot_px: float, width: Width) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    in_tonnes = any(row["operational_kgco2e"] >= _TONNES_FROM_KG for row in rows)
    unit, factor = ("tCO₂e", KILOGRAMS_PER_TONNE) if in_tonnes else ("kgCO₂e", 1.0)
    values = [f"{number(row['operational_kgco2e'] / factor)} {unit}" for row in rows]
    right = max(map(text_width, values), default=0) + 12
    axes = _row_panel(figure, names, plot_px, right, width)
    spans = [[row[name] / factor for name in _ENDS if row[name] is not None] for row in rows]
    ends = [value for span in spans for value in span]
    middles = [row["operational_kgco2e"] for row in rows]
    label = f"Operational emissions ({unit}"
    if rows and max(middles) / min(middles) > _LOG_FROM:
        _log_x(axes, ends, width, f"{label}, logarithmic)")
    else:
        axes.set_xlim(0, 1.08 * max(ends, default=1.0))
        axes.set_xlabel(f"{label})", loc="center" if width == "wide" else "left")
        axes.xaxis.set_major_locator(MaxNLocator(6 if width == "wide" else 4))
        axes.xaxis.set_major_formatter(FuncFormatter(tonnes))
    axes.grid(visible=True, axis="x")
    name_y(axes, "Method")
    for at, (row, span, value) in enumerate(zip(rows, spans, values, strict=True)):
        axes.plot([min(span), max(span)], [at, at], color=ACCENT, lw=4, alpha=0.4, solid_capstyle="butt")
        axes.plot(row["operational_kgco2e"] / factor, at, "o", color=ACCENT, ms=_DOT_PX)
        axes.annotate(
            value,
            xy=(1, at),
            xycoords=axes.get_yaxis_transform(),
            xytext=(8, 0),
            textcoords="offset points",
            ha="left",
            va="center",
        )


_ENDS: Final = ("operational_kgco2e", "operational_low_kgco2e", "operational_high_kgco2e")


def _row_panel(figure: Figure, names: Sequence[str], height: float, right: float, width: Width) -> Axes:
    """Axes of one named row for each mark; on a phone the names stand above, as there is no room beside."""
    above = width == "narrow"
    left = 8 if above else max(map(text_width, names), default=0) + 14
    axes = panel(figure, left, _TOP_PX, WIDTH_PX[width] - left - right, height)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_yticks([] if above else range(len(names)), [] if above else names)
    axes.tick_params(axis="y", labelcolor=INK)
    for at, name in enumerate(names if above else ()):
        axes.annotate(name, xy=(0, at - 0.35), xycoords=axes.get_yaxis_transform(), va="center")
    return axes


def _log_x(axes: Axes, values: Sequence[float], width: Width, label: str) -> None:
    low, high = log_limits(values)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high, 6 if width == "wide" else 4, tonnes)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(label, loc="center" if width == "wide" else "left")


def _wrapped(text: str, width: Width) -> list[str]:
    """Lines of a text that is as wide as the figure."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer) > WIDTH_PX[width] - 16 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write_notes(figure: Figure, notes: Sequence[Sequence[str]], top: float) -> None:
    _, height = size_px(figure)
    if notes:
        figure.text(0.002, 1 - top / height, "No figure from", va="top", weight="bold")
    top += ROW_PX + 4
    for lines in notes:
        for line in lines:
            figure.text(0.002, 1 - top / height, line, va="top", color=MUTED)
            top += ROW_PX
        top += 6
