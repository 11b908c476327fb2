"""Figure of the report: the coming hours of zones, and when advised jobs run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from opencarbon.publishing.figures.marks import legend_below
from opencarbon.publishing.figures.style import (
    ACCENT,
    COLOURS,
    GRID,
    INK,
    MUTED,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    name_y,
    panel,
    text_width,
    title_above,
)
from opencarbon.units import HOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE: Final = "Zones that jobs are advised to, and those they are planned in"

_CURVES_PX: Final = 250
_TOP_PX: Final = 40
_LEFT_PX: Final = 44
_RIGHT_PX: Final[dict[Width, float]] = {"wide": 300, "narrow": 24}
_GAP_PX: Final = 92
_ROW_PX: Final = 36
_FOOT_PX: Final = 20
_LINE_PX: Final = 17
"""Least distance between names of lines."""
_PALETTE: Final = (ACCENT, COLOURS[0], COLOURS[4], COLOURS[1], COLOURS[3])


@dataclass(frozen=True, slots=True)
class HourlyCurve:
    """The coming hours of a zone.

    Parameters
    ----------
    zone : str
    name : str
        What it is called in the figure.
    values : sequence of float or None
        Carbon intensity of each hour from the beginning of the figure [gCO2e/kWh].
    is_current : bool
        Jobs are planned there; otherwise they are advised to go there.
    """

    zone: str
    name: str
    values: Sequence[float | None]
    is_current: bool


@dataclass(frozen=True, slots=True)
class AdvisedWindow:
    """When and where a job is advised to run.

    Parameters
    ----------
    name : str
        What it is called in the figure.
    zone : str
    stretches : sequence of tuple of datetime
        Start and finish of each stretch in which it runs.
    """

    name: str
    zone: str
    stretches: Sequence[tuple[datetime, datetime]]


def coming_hours(
    start_utc: datetime, curves: Sequence[HourlyCurve], windows: Sequence[AdvisedWindow], width: Width
) -> Figure:
    """Draw the curves of zones above the stretches in which advised jobs run.

    Parameters
    ----------
    start_utc : datetime
        The first hour.
    curves : sequence of HourlyCurve
        One at least, no more than there are colours.
    windows : sequence of AdvisedWindow
    width : {"wide", "narrow"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    colours = dict(zip((curve.zone for curve in curves), _PALETTE, strict=False))
    rows = len(windows) * _ROW_PX
    height = _TOP_PX + _CURVES_PX + (_GAP_PX + rows if windows else 46) + _FOOT_PX
    legend = 0 if width == "wide" else (len(curves) + 1) * 20
    with drawing():
        figure = canvas(width, height + legend)
        across = WIDTH_PX[width] - _LEFT_PX - _RIGHT_PX[width]
        upper = panel(figure, _LEFT_PX, _TOP_PX, across, _CURVES_PX)
        hours = max(len(curve.values) for curve in curves)
        _draw_curves(upper, curves, colours, width)
        _draw_days(upper, start_utc, hours, width)
        name_y(upper, "gCO₂e/kWh")
        if windows:
            lower = panel(figure, _LEFT_PX, _TOP_PX + _CURVES_PX + _GAP_PX, across, rows)
            _draw_windows(lower, start_utc, hours, windows, colours)
            title_above(lower, "When advised jobs run", 0, gap_px=14)
        if width == "narrow":
            legend_below(
                figure, [line for line in upper.get_lines() if not str(line.get_label()).startswith("_")], 1
            )
        return figure


def _draw_curves(axes: Axes, curves: Sequence[HourlyCurve], colours: dict[str, str], width: Width) -> None:
    for curve in curves:
        values = [float("nan") if value is None else value for value in curve.values]
        axes.step(
            range(len(values) + 1),
            [*values, values[-1]],
            where="post",
            color=colours[curve.zone],
            linewidth=2,
            linestyle=(0, (4, 2)) if curve.is_current else "-",
            label=_name(curve),
        )
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    if width == "wide":
        _name_lines(axes, curves, colours)


def _name_lines(axes: Axes, curves: Sequence[HourlyCurve], colours: dict[str, str]) -> None:
    """Write the name of each line at its end, apart from the others."""
    lowest, highest = axes.get_ylim()
    per_px = (highest - lowest) / _CURVES_PX
    ends = sorted((_last(curve), _name(curve), colours[curve.zone]) for curve in curves)
    below = -float("inf")
    last = max(len(curve.values) for curve in curves)
    per_px_across = last / axes.get_window_extent().width
    for value, name, colour in ends:
        at = max(value, below + _LINE_PX * per_px)
        below = at
        axes.plot([last + 10 * per_px_across], [at], "s", color=colour, markersize=7, clip_on=False)
        axes.annotate(name, xy=(last, at), xytext=(20, 0), textcoords="offset pixels", va="center", color=INK)


def _last(curve: HourlyCurve) -> float:
    return next((value for value in reversed(curve.values) if value is not None), 0.0)


def _name(curve: HourlyCurve) -> str:
    return f"{curve.name} (now)" if curve.is_current else curve.name


def _draw_days(axes: Axes, start_utc: datetime, hours: int, width: Width) -> None:
    axes.set_xlim(0, hours)
    midnights = [hour for hour in range(hours) if (start_utc + hour * HOUR).hour == 0]
    form = "%a %d %b" if width == "wide" else "%d %b"
    axes.set_xticks(midnights, [f"{start_utc + hour * HOUR:{form}}" for hour in midnights], ha="left")
    for hour in midnights:
        axes.axvline(hour, color=GRID, linewidth=1, zorder=0)


def _draw_windows(
    axes: Axes,
    start_utc: datetime,
    hours: int,
    windows: Sequence[AdvisedWindow],
    colours: dict[str, str],
) -> None:
    axes.set_xlim(0, hours)
    axes.set_ylim(len(windows), 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    per_px = hours / axes.get_window_extent().width
    for row, window in enumerate(windows):
        colour = colours.get(window.zone, MUTED)
        begins = float(hours)
        for start, finish in window.stretches:
            left, right = ((moment - start_utc) / HOUR for moment in (start, finish))
            begins = min(begins, left)
            shown = max(min(right, hours) - max(left, 0.0), 2 * per_px)
            axes.barh(row + 0.78, shown, left=max(left, 0.0), height=0.28, color=colour)
            if right > hours:
                axes.annotate(
                    "→",
                    xy=(hours, row + 0.78),
                    xytext=(2, 0),
                    textcoords="offset pixels",
                    va="center",
                    color=colour,
                )
        room = hours - text_width(window.name) * per_px
        axes.text(max(min(begins, room), 0.0), row + 0.6, window.name, va="bottom", color=INK, clip_on=False)
