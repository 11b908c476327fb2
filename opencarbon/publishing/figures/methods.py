"""One job through every method: hours, energy and emissions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from opencarbon.estimation.baselines.estimates import methods_by_reason
from opencarbon.publishing.figures.marks import DASHES, broken_line_handle, legend_below, legend_room
from opencarbon.publishing.figures.rows import (
    FOOT_PX,
    TOP_PX,
    log_x,
    notes_height,
    row_panels,
    wrapped,
    write_notes,
)
from opencarbon.publishing.figures.style import (
    ACCENT,
    MUTED,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    spelt_out,
)
from opencarbon.publishing.numbers import KILOGRAMS_PER_TONNE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_ROW_PX: Final[dict[Width, float]] = {"wide": 28, "narrow": 40}
_GAP_PX: Final = 30
_LOG_FROM: Final = 10.0
"""A spread over this factor is drawn on a logarithmic axis."""
_DOT_PX: Final = 9
_LEGEND: Final = (
    "hours predicted",
    "hours as stated",
    "operational part",
    "reported by the owner of the run",
)

Rows = list[dict[str, Any]]


class _Quantity(NamedTuple):
    """What a panel draws: columns of a middle and its ends, its label, and how many of their unit one of its is."""

    columns: tuple[str, str, str]
    label: str
    per: float


class Actual(NamedTuple):
    """What the owner of a run reports; None where nothing is.

    Parameters
    ----------
    device_hours : float or None
        [h]
    kgco2e : float or None
        [kgCO2e]
    """

    device_hours: float | None = None
    kgco2e: float | None = None


def methods_compared(method_estimate: pa.Table, width: Width, actual: Actual | None = None) -> Figure:
    """Draw hours, energy and emissions of one job by every method, and say why others give none.

    Parameters
    ----------
    method_estimate : pa.Table
        Rows of ``method_estimate`` for one job.
    width : {"wide", "narrow"}
        Which drawing: panels side by side, or one above the other.
    actual : Actual, optional
        What the owner of the run reports.

    Returns
    -------
    matplotlib.figure.Figure
        In MWh and tCO2e from a tonne up, else in kWh and kgCO2e; a panel is logarithmic where the methods differ by
        more than a factor of 10.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = method_estimate.to_pylist()
    able = [row for row in rows if row["device_hours"]]
    able.sort(key=lambda row: (row["total_kgco2e"] or 0.0, row["energy_kwh"] or 0.0, row["method"]))
    quantities = _quantities(able)
    with drawing():
        notes = [
            wrapped(f"{', '.join(methods)}: {reason}", width)
            for reason, methods in methods_by_reason(rows).items()
        ]
        height = max(len(able), 1) * _ROW_PX[width]
        block = TOP_PX + height + FOOT_PX
        plots = block if width == "wide" else block * len(quantities)
        columns, legend = legend_room(_LEGEND, WIDTH_PX[width])
        figure = canvas(width, plots + notes_height(notes) + legend)
        names = [row["method"] for row in able]
        panels = row_panels(
            figure, names, width, count=len(quantities), height=height, top=TOP_PX, gap=_GAP_PX, indent=8
        )
        hours, carbon = actual or Actual()
        for axes, quantity, reported in zip(panels, quantities, (hours, None, carbon), strict=True):
            _draw(axes, able, quantity, None if reported is None else reported / quantity.per)
        write_notes(figure, "No figure, or a part of one missing", notes, plots + 4)
        legend_below(figure, _legend(), columns)
    return figure


def _quantities(rows: Rows) -> list[_Quantity]:
    large = any((row["total_kgco2e"] or 0.0) >= KILOGRAMS_PER_TONNE for row in rows)
    energy, carbon, per = ("MWh", "tCO₂e", KILOGRAMS_PER_TONNE) if large else ("kWh", "kgCO₂e", 1.0)
    return [
        _Quantity(("device_hours", "device_hours_low", "device_hours_high"), "Device-hours", 1.0),
        _Quantity(
            ("facility_energy_kwh", "facility_energy_low_kwh", "facility_energy_high_kwh"),
            f"Energy with PUE ({energy})",
            per,
        ),
        _Quantity(
            ("total_kgco2e", "total_low_kgco2e", "total_high_kgco2e"), f"Emissions in all ({carbon})", per
        ),
    ]


def _draw(axes: Axes, rows: Rows, quantity: _Quantity, reported: float | None) -> None:
    spans = [[row[name] / quantity.per for name in quantity.columns if row[name]] for row in rows]
    everything = [value for span in spans for value in span] + ([] if reported is None else [reported])
    _scale(axes, everything, quantity.label)
    for at, (row, span) in enumerate(zip(rows, spans, strict=True)):
        if not span:
            continue
        axes.plot([min(span), max(span)], [at, at], color=ACCENT, lw=4, alpha=0.4, solid_capstyle="butt")
        face = ACCENT if row["hours_source"] == "predicted" else "none"
        axes.plot(span[0], at, "o", mfc=face, mec=ACCENT, ms=_DOT_PX, zorder=3)
        operational = row["operational_kgco2e"]
        if quantity.columns[0] == "total_kgco2e" and operational and row["embodied_kgco2e"]:
            axes.plot(operational / quantity.per, at, "|", color=MUTED, ms=14, mew=2, zorder=2)
    if reported is not None:
        axes.axvline(reported, color=MUTED, lw=1.2, ls=DASHES, zorder=0)


def _scale(axes: Axes, values: Sequence[float], label: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if values and max(values) / min(values) > _LOG_FROM:
        log_x(axes, values, 3, f"{label}, logarithmic", "left")
        return
    axes.set_xlim(0, 1.08 * max(values, default=1.0))
    axes.set_xlabel(label, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FuncFormatter(spelt_out))
    axes.grid(visible=True, axis="x")


def _legend() -> list[Line2D]:
    from matplotlib.lines import Line2D

    predicted, stated, part, reported = _LEGEND
    return [
        Line2D([], [], ls="", marker="o", ms=_DOT_PX, mfc=ACCENT, mec=ACCENT, label=predicted),
        Line2D([], [], ls="", marker="o", ms=_DOT_PX, mfc="none", mec=ACCENT, label=stated),
        Line2D([], [], ls="", marker="|", ms=14, mew=2, color=MUTED, label=part),
        broken_line_handle(reported),
    ]
