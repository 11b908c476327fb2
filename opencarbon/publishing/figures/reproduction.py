"""All figures of the paper's reproduction, each in both widths, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from opencarbon.publishing.figures.alpha import alpha_by_run, alpha_distribution
from opencarbon.publishing.figures.captions import CAPTIONS, describe
from opencarbon.publishing.figures.embodied import EmbodiedFigure, embodied_spread
from opencarbon.publishing.figures.methods import Actual, methods_compared
from opencarbon.publishing.figures.scores import emissions_by_score
from opencarbon.publishing.figures.style import Width
from opencarbon.publishing.figures.svg import in_both_widths
from opencarbon.publishing.figures.throughput import alpha_and_throughput
from opencarbon.publishing.figures.timeline import emissions_over_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reproduction_figures(
    tables: Mapping[str, pa.Table],
    embodied: Sequence[EmbodiedFigure] = (),
    actual: Actual | None = None,
) -> dict[str, tuple[str, str]]:
    """Draw every figure of the paper's reproduction.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Tables of ``REPRODUCED`` by name; with ``method_estimate``, rows of one job, that comparison is drawn too.
    embodied : sequence of EmbodiedFigure
        Embodied figures of devices; without any that figure is left out.
    actual : Actual, optional
        What the owner of the run in ``method_estimate`` reports.

    Returns
    -------
    dict of str to tuple of str
        Name of the figure -> its wide and its narrow drawing.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    drawn: dict[str, Callable[[Width], Figure]] = {
        "figure_1": lambda width: emissions_over_time(tables["figure_1"], width),
        "figure_4": lambda width: alpha_by_run(tables["figure_4"], tables["figure_5"], width),
        "figure_5": lambda width: alpha_distribution(tables["figure_4"], tables["figure_5"], width),
        "figure_6": lambda width: alpha_and_throughput(tables["figure_6"], width),
        "figure_7": lambda width: emissions_by_score(tables["figure_7"], width),
    }
    if "method_estimate" in tables:
        drawn["compare"] = lambda width: methods_compared(tables["method_estimate"], width, actual)
    if embodied:
        drawn["embodied"] = lambda width: embodied_spread(embodied, width)
    found = {}
    for name, draw in drawn.items():
        caption, description = CAPTIONS[name], describe(name, tables, embodied)
        title = f"{caption.label}: {caption.title}" if caption.label else caption.title
        found[name] = in_both_widths(draw, title, description)
    return found
