"""One device through every source of its embodied emissions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from opencarbon.publishing.figures.marks import (
    category_styles,
    legend_below,
    legend_handle,
    legend_room,
    scatter_size,
)
from opencarbon.publishing.figures.rows import FOOT_PX, TOP_PX, beside, log_x, row_panel
from opencarbon.publishing.figures.style import (
    BAND,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    name_y,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW_PX: Final[dict[Width, float]] = {"wide": 34, "narrow": 46}
_DOT_PX: Final = 10


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
        columns, legend = legend_room(kinds, WIDTH_PX[width])
        figure = canvas(width, TOP_PX + rows_px + FOOT_PX + legend)
        is_narrow = width == "narrow"
        left = 8.0 if is_narrow else beside(order)
        axes = row_panel(figure, order, left, TOP_PX, WIDTH_PX[width] - left - 24, rows_px, above=is_narrow)
        label = "Embodied (kgCO₂e per device, logarithmic)"
        log_x(
            axes,
            [one.kgco2e for one in figures],
            4 if is_narrow else 6,
            label,
            "left" if is_narrow else "center",
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
