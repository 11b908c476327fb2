"""Plots of one named row for each mark, as the comparisons draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from opencarbon.publishing.figures.style import (
    CARD,
    INK,
    MUTED,
    ROW_PX,
    WIDTH_PX,
    Width,
    log_limits,
    log_ticks,
    panel,
    size_px,
    spelt_out,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOP_PX: Final = 34
"""Room above a panel, for the name of its rows."""
FOOT_PX: Final = 58
"""Room below a panel, for its ticks and its label."""


def row_panel(
    figure: Figure, names: Sequence[str], left: float, top: float, width: float, height: float, *, above: bool
) -> Axes:
    """Axes of one row for each name.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    names : sequence of str
        Names of the rows, from above; may be empty words where they stand at another panel.
    left, top, width, height : float
        The plotting area, in px.
    above : bool
        Write each name above its row, as on a phone, where there is no room beside it.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = panel(figure, left, top, width, height)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_yticks([] if above else range(len(names)), [] if above else names)
    axes.tick_params(axis="y", labelcolor=INK)
    for at, name in enumerate(names if above else ()):
        # On a ground of its own: lines of the plot go behind a name, not through it.
        axes.annotate(
            name,
            xy=(0, at - 0.35),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.0},
        )
    return axes


def row_panels(
    figure: Figure,
    names: Sequence[str],
    width: Width,
    *,
    count: int,
    height: float,
    top: float,
    gap: float,
    indent: float,
) -> list[Axes]:
    """Panels of the same rows: side by side with the names at the first, or one above the other on a phone.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    names : sequence of str
        Names of the rows, from above.
    width : {"wide", "narrow"}
    count : int
        Panels.
    height, top, gap, indent : float
        Of each panel its height and the room above it, the room between two, and that to the left on a phone, in px.

    Returns
    -------
    list of matplotlib.axes.Axes
    """
    is_narrow = width == "narrow"
    left = indent if is_narrow else beside(names)
    room = WIDTH_PX[width] - left - 16
    each = room if is_narrow else (room - gap * (count - 1)) / count
    found = []
    for at in range(count):
        x, y = (left, at * (top + height + FOOT_PX)) if is_narrow else (left + at * (each + gap), 0.0)
        shown = names if is_narrow or at == 0 else [""] * len(names)
        found.append(row_panel(figure, shown, x, y + top, each, height, above=is_narrow))
    return found


def beside(names: Sequence[str]) -> float:
    """Room that names need beside their rows, in px."""
    return max(map(text_width, names), default=0) + 14


def log_x(
    axes: Axes, values: Sequence[float], most_ticks: int, label: str, loc: Literal["center", "left"]
) -> None:
    """Make the horizontal axis logarithmic, and name it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    values : sequence of float
        Everything drawn, above zero.
    most_ticks : int
    label : str
    loc : {"center", "left"}
        Where the label stands.
    """
    low, high = log_limits(values)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high, most_ticks, spelt_out)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(label, loc=loc)


def wrapped(text: str, width: Width) -> list[str]:
    """Lines of a text that is as wide as the figure."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer) > WIDTH_PX[width] - 16 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def notes_height(notes: Sequence[Sequence[str]]) -> float:
    """Height of notes with their heading, in px."""
    return sum(len(lines) * ROW_PX + 6 for lines in notes) + (ROW_PX + 14 if notes else 0)


def write_notes(figure: Figure, heading: str, notes: Sequence[Sequence[str]], top: float) -> None:
    """Write notes under a heading, ``top`` px from the upper edge."""
    _, height = size_px(figure)
    if notes:
        figure.text(0.002, 1 - top / height, heading, va="top", weight="bold")
    top += ROW_PX + 4
    for lines in notes:
        for line in lines:
            figure.text(0.002, 1 - top / height, line, va="top", color=MUTED)
            top += ROW_PX
        top += 6
