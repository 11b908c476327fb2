"""Figure of the back-test: savings claimed beside savings realised, by kind of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from opencarbon.publishing.figures.style import (
    CARD,
    COLOURS,
    MUTED,
    WIDTH_PX,
    Width,
    canvas,
    drawing,
    panel,
    text_width,
)
from opencarbon.publishing.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE: Final = "Savings claimed and realised"

_ROW_PX: Final = 30
_TOP_PX: Final = 34
_FOOT_PX: Final = 48
_DOT_PX: Final = 9


def claims_and_outcomes(scores: pa.Table) -> str:
    """Draw what advice claimed to save beside what it saved, as SVG.

    Parameters
    ----------
    scores : pa.Table
        ``intensity_kind`` and ``job_hours`` with the means of ``backtest_score``.

    Returns
    -------
    str
        An ``<svg>`` element.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    rows = [row for row in scores.to_pylist() if row["measured_decisions"]]
    said = "; ".join(
        f"{_name(row)}: {row['claimed_saving_gco2e_per_kwh']:.1f} claimed, "
        f"{row['realised_saving_gco2e_per_kwh']:.1f} realised"
        for row in rows
    )
    description = f"Dot plot of mean savings in gCO2e/kWh by kind of data and hours of the job. {said}."
    return to_svg(claimed_beside_realised(rows, "wide"), TITLE, description)


def claimed_beside_realised(rows: list[dict[str, Any]], width: Width) -> Figure:
    """Draw a row per kind of data and length of the job.

    Parameters
    ----------
    rows : list of dict
    width : {"wide", "narrow"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    with drawing():
        height = max(len(rows), 1) * _ROW_PX
        figure = canvas(width, _TOP_PX + height + _FOOT_PX)
        left = max((text_width(_name(row)) for row in rows), default=0.0) + 12
        axes = panel(figure, left, _TOP_PX, WIDTH_PX[width] - left - 20, height)
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
        axes.set_xlabel("Mean saving (gCO₂e/kWh at the servers)")
        axes.grid(axis="x")
        axes.axvline(0.0, color=MUTED, lw=1)
        for at, row in enumerate(rows):
            claimed, realised = row["claimed_saving_gco2e_per_kwh"], row["realised_saving_gco2e_per_kwh"]
            label = None if at else "claimed"
            axes.plot([claimed, realised], [at, at], color=MUTED, lw=1.8)
            axes.plot(claimed, at, "o", ms=_DOT_PX, mfc=CARD, mec=COLOURS[0], mew=2, label=label)
            axes.plot(realised, at, "D", ms=_DOT_PX - 2, color=COLOURS[1], label=None if at else "realised")
        if rows:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.4)
    return figure


def _name(row: dict[str, Any]) -> str:
    return f"{row['intensity_kind']}, {row['job_hours']:g} h"
