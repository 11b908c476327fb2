"""Markers that tell kinds apart, by colour and by shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from opencarbon.errors import ConfigError
from opencarbon.publishing.figures.style import (
    CARD,
    COLOURS,
    LEGEND_SPACING,
    MUTED,
    ROW_PX,
    size_px,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

DASHES: Final = (0, (4, 3))
"""Broken lines, as matplotlib takes them."""
MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_MARKER_AREA: Final = {"o": 1.0, "s": 0.79, "D": 0.62, "^": 0.9, "v": 0.9, "P": 0.9, "x": 0.8, "|": 1.6}
"""Shrinks a marker until it looks as large as the circle of its size."""
_STROKES: Final = "x|"
"""Markers that are all edge."""


def category_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each name: no two names share both, and neighbours share neither.

    Parameters
    ----------
    names : sequence of str
        In the order of the legend; up to 30.

    Returns
    -------
    dict of str to tuple of str
        Colour and marker by name.

    Raises
    ------
    ConfigError
        If there are more names than can be told apart.
    """
    colours = len(COLOURS)
    shapes = next((n for n in (3, 4, 6) if n * colours >= len(names)), None)
    if shapes is None:
        raise ConfigError(f"a figure tells apart at most 30 kinds, here are {len(names)}: draw fewer")
    return {name: (COLOURS[i % colours], MARKERS[i % shapes]) for i, name in enumerate(names)}


def scatter_size(marker: str, diameter_px: float) -> float:
    """Size that matplotlib's ``scatter`` takes, for markers of like area.

    Parameters
    ----------
    marker : str
        One of ``MARKERS``.
    diameter_px : float
        Diameter of the circle of the same area, in px.
    """
    return _MARKER_AREA[marker] * diameter_px**2


def scatter(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    style: tuple[str, str],
    diameter_px: float,
    *,
    edge_px: float = 0.7,
    alpha: float | None = None,
    zorder: float | None = None,
) -> None:
    """Draw markers with an edge in the colour of the page, so that they stay apart where they overlap.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    x, y : sequence of float
    style : tuple of str
        Colour and marker.
    diameter_px : float
        Diameter of the circle of the same area, in px.
    edge_px : float, optional
    alpha, zorder : float, optional
        As matplotlib takes them.
    """
    colour, marker = style
    axes.scatter(
        x,
        y,
        s=scatter_size(marker, diameter_px),
        marker=marker,
        color=colour,
        edgecolors=CARD,
        linewidths=edge_px,
        alpha=alpha,
        zorder=zorder,
    )


def legend_handle(colour: str, marker: str, label: str, *, filled: bool = True) -> Line2D:
    """Entry of a legend: a marker and its words."""
    from matplotlib.lines import Line2D

    size = 9 * math.sqrt(_MARKER_AREA[marker])
    face = colour if filled else "none"
    edge = 1.6 if marker in _STROKES else None
    return Line2D([], [], ls="", marker=marker, ms=size, mfc=face, mec=colour, mew=edge, label=label)


def broken_line_handle(label: str) -> Line2D:
    """Entry of a legend: a broken line, and its words."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=MUTED, lw=1.2, ls=DASHES, label=label)


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """Put a legend at the foot of a figure, as high as ``ROW_PX`` times its rows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    handles : sequence of Artist
        Its entries, with their labels.
    columns : int
        How many stand side by side.
    """
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.004, 4 / size_px(figure)[1]),
        ncols=columns,
        labelspacing=LEGEND_SPACING,
        columnspacing=1.6,
        handletextpad=0.5,
        borderpad=0,
        borderaxespad=0,
    )


def columns_that_fit(names: Sequence[str], width_px: float) -> int:
    """Columns of a legend, as many as fit and no more than fill its rows.

    Parameters
    ----------
    names : sequence of str
        Words of its entries.
    width_px : float
        Room for it, in px.
    """
    widest = max(map(text_width, names), default=0) + 52
    rows = math.ceil(len(names) / max(1, width_px // widest))
    return math.ceil(len(names) / rows) if rows else 1


def legend_room(names: Sequence[str], width_px: float) -> tuple[int, float]:
    """Columns of a legend, and the height that it needs below a figure, in px.

    Parameters
    ----------
    names : sequence of str
        Words of its entries.
    width_px : float
        Room for it, in px.
    """
    columns = columns_that_fit(names, width_px)
    return columns, (math.ceil(len(names) / columns) + 0.5) * ROW_PX
