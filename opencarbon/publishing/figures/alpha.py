"""Figures 4 and 5: log10 alpha of published runs, run by run and as a distribution, by group of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.marks import legend_below
from opencarbon.publishing.figures.style import (
    BAND,
    COLOURS,
    MUTED,
    ROW_PX,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    name_y,
    panel,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_ROW_PX: Final = 46
_DOT_PX: Final = 8
_TOP_PX: Final = 34
_FEWEST_FOR_BOX: Final = 5
"""Quartiles of fewer runs say nothing."""
_AXIS: Final = "log₁₀ of alpha (alpha in 1/s)"

Rows = list[dict[str, Any]]


def alpha_by_run(figure_4: pa.Table, figure_5: pa.Table, width: Width) -> Figure:
    """Draw log10 alpha of every run, one row for each group of devices.

    Parameters
    ----------
    figure_4 : pa.Table
        Rows of ``figure_4``: runs; those not ``used`` are drawn hollow, and at the edge where they are far away.
    figure_5 : pa.Table
        Rows of ``figure_5``, for the intervals that the paper publishes.
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
    runs, groups = figure_4.to_pylist(), {row["device_group"]: row for row in figure_5.to_pylist()}
    order = _order(runs, groups)
    with drawing():
        from matplotlib.lines import Line2D

        figure, axes = _frame(runs, order, groups, width, legend_rows=2 if width == "wide" else 4)
        low, high = axes.get_xlim()
        beyond = 0
        for row, group in enumerate(order):
            _published(axes, row, groups.get(group), offset=0.3)
            mine = [run for run in runs if run["device_group"] == group]
            inside = [run for run in mine if low <= run["log10_alpha"] <= high]
            beyond += len(mine) - len(inside)
            for used in (True, False):
                values = [run["log10_alpha"] for run in inside if run["used"] is used]
                _dots(axes, row, values, filled=used)
            edges = {high if run["log10_alpha"] > high else low for run in mine if run not in inside}
            for edge in edges:
                axes.plot(edge, row, ">" if edge == high else "<", color=MUTED, ms=8, clip_on=False)
        handles = [_run_mark("run used in the fit"), _run_mark("run not used", used=False), _published_mark()]
        if beyond:
            words = f"{beyond} {'run' if beyond == 1 else 'runs'} not used, beyond the axis"
            handles.append(Line2D([], [], ls="", marker=">", ms=8, color=MUTED, label=words))
        legend_below(figure, handles, 2 if width == "wide" else 1)
    return figure


def alpha_distribution(figure_4: pa.Table, figure_5: pa.Table, width: Width) -> Figure:
    """Draw the distribution of log10 alpha in each group of devices, and the interval mean -/+ 0.6 sigma.

    Parameters
    ----------
    figure_4 : pa.Table
        Rows of ``figure_4``; the boxes are drawn from the runs that are ``used``.
    figure_5 : pa.Table
        Rows of ``figure_5``: mean, interval, and the interval that the paper publishes.
    width : {"wide", "narrow"}
        Which drawing.

    Returns
    -------
    matplotlib.figure.Figure
        Boxes span the quartiles, whiskers all runs; groups of fewer than 5 runs show the runs themselves.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    runs = [run for run in figure_4.to_pylist() if run["used"]]
    groups = {row["device_group"]: row for row in figure_5.to_pylist()}
    order = [group for group in _order(runs, groups) if group in groups]
    with drawing():
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        figure, axes = _frame(runs, order, groups, width, legend_rows=2 if width == "wide" else 4)
        for row, group in enumerate(order):
            values = [run["log10_alpha"] for run in runs if run["device_group"] == group]
            _published(axes, row, groups[group], offset=0.32)
            if len(values) >= _FEWEST_FOR_BOX:
                _box(axes, row, values)
            else:
                _dots(axes, row, values, filled=True)
            _interval(axes, row, groups[group])
        handles: list[Artist] = [
            Patch(facecolor=COLOURS[0], alpha=0.35, label="quartiles and median; whiskers: all runs"),
            _run_mark(f"runs, where fewer than {_FEWEST_FOR_BOX}"),
            Line2D([], [], color=COLOURS[1], lw=3, marker="D", ms=7.5, label="mean, and mean ∓ 0.6 sigma"),
            _published_mark(),
        ]
        legend_below(figure, handles, 2 if width == "wide" else 1)
    return figure


def _order(runs: Rows, groups: Mapping[str, dict[str, Any]]) -> list[str]:
    """Slowest devices first, by mean of the runs used, else of all."""
    found: dict[str, list[float]] = {}
    for run in sorted(runs, key=lambda run: run["used"]):
        found.setdefault(run["device_group"], []).append(run["log10_alpha"])
    middle = {group: sorted(values)[len(values) // 2] for group, values in found.items()}
    middle |= {group: row["log10_alpha"] for group, row in groups.items()}
    return sorted(middle, key=lambda group: (middle[group], group))


def _frame(
    runs: Rows, order: Sequence[str], groups: Mapping[str, dict[str, Any]], width: Width, *, legend_rows: int
) -> tuple[Figure, Axes]:
    counts = {group: sum(run["device_group"] == group and run["used"] for run in runs) for group in order}
    names = [f"{group} ({counts[group]})" for group in order]
    left = max((text_width(name) for name in names), default=0) + 12
    plot_px = max(len(order), 1) * _ROW_PX
    figure = canvas(width, _TOP_PX + plot_px + 62 + legend_rows * ROW_PX)
    axes = panel(figure, left, _TOP_PX, WIDTH_PX[width] - left - 16, plot_px)
    axes.set_ylim(max(len(order), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(order)), names)
    axes.set_xlim(*_limits(runs, groups))
    axes.grid(axis="x")
    axes.set_xlabel(_AXIS)
    name_y(axes, "Group of devices (runs used in the fit)")
    for row in range(1, len(order)):
        axes.axhline(row - 0.5, color=BAND, lw=0.8, alpha=0.6, zorder=0.5)
    return figure, axes


def _limits(runs: Rows, groups: Mapping[str, dict[str, Any]]) -> tuple[float, float]:
    """What runs in use and intervals span: a run with the FLOP of another model would press all others together."""
    names = ("low", "high")
    values = [
        row[f"{kind}log10_alpha_{end}"]
        for row in groups.values()
        for kind in ("", "published_")
        for end in names
    ]
    values += [run["log10_alpha"] for run in runs if run["used"]]
    known = [value for value in values if value is not None] or [run["log10_alpha"] for run in runs] or [0.0]
    room = max(0.04 * (max(known) - min(known)), 1.0)
    return min(known) - room, max(known) + room


def _dots(axes: Axes, row: int, values: Sequence[float], *, filled: bool) -> None:
    """Dots of a row: those that would cover each other step aside."""
    last: dict[int, float] = {}
    low, high = axes.get_xlim()
    px_per_unit = axes.get_window_extent().width / (high - low)
    for value in sorted(values):
        at = value * px_per_unit
        lane = next((lane for lane in (0, 1, -1) if at - last.get(lane, -1e9) >= _DOT_PX * 0.8), 0)
        last[lane] = at
        face = COLOURS[0] if filled else "none"
        edge = COLOURS[0] if filled else MUTED
        axes.plot(
            value,
            row - 0.08 + lane * 0.17,
            "o",
            ms=_DOT_PX if filled else _DOT_PX - 1.5,
            mfc=face,
            mec=edge,
            mew=0 if filled else 1.2,
            alpha=0.75,
            zorder=2.5,
        )


def _published(axes: Axes, row: int, group: Mapping[str, Any] | None, *, offset: float) -> None:
    if group is None:
        return
    low, high = group["published_log10_alpha_low"], group["published_log10_alpha_high"]
    if low is not None and high is not None:
        axes.plot([low, high], [row + offset] * 2, color=MUTED, lw=7, alpha=0.55, solid_capstyle="butt")


def _box(axes: Axes, row: int, values: Sequence[float]) -> None:
    """Box of a row; matplotlib's own would bring pyplot with its state in."""
    at = row - 0.06
    first, middle, third = quantiles(values, n=4, method="inclusive")
    axes.barh(at, third - first, left=first, height=0.36, color=COLOURS[0], alpha=0.35)
    for start, end in ((min(values), first), (third, max(values))):
        axes.plot([start, end], [at, at], color=COLOURS[0], lw=1.4)
    for value, reach in ((min(values), 0.09), (middle, 0.18), (max(values), 0.09)):
        axes.plot([value, value], [at - reach, at + reach], color=COLOURS[0], lw=1.4)


def _interval(axes: Axes, row: int, group: Mapping[str, Any]) -> None:
    low, high = group["log10_alpha_low"], group["log10_alpha_high"]
    at = row - 0.06
    if low is not None and high is not None:
        axes.plot([low, high], [at] * 2, color=COLOURS[1], lw=3, solid_capstyle="butt", zorder=3)
    axes.plot(group["log10_alpha"], at, "D", color=COLOURS[1], ms=7.5, zorder=3.5)


def _run_mark(label: str, *, used: bool = True) -> Line2D:
    from matplotlib.lines import Line2D

    colour = COLOURS[0] if used else MUTED
    return Line2D(
        [], [], ls="", marker="o", ms=_DOT_PX, mfc=colour if used else "none", mec=colour, label=label
    )


def _published_mark() -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=MUTED, lw=7, alpha=0.55, label="interval of the paper's Table 1")
