"""Figures of the paper's reproduction: pure functions from tables to matplotlib figures, and from these to SVG.

Importing this package does not import matplotlib; drawing without it raises
:class:`~opencarbon.errors.ConfigError` with the remedy.
"""

from opencarbon.publishing.figures.alpha import alpha_by_run, alpha_distribution
from opencarbon.publishing.figures.captions import CAPTIONS, Caption, describe
from opencarbon.publishing.figures.embodied import EmbodiedFigure, embodied_spread
from opencarbon.publishing.figures.methods import Actual, methods_compared
from opencarbon.publishing.figures.reproduction import reproduction_figures
from opencarbon.publishing.figures.scores import emissions_by_score
from opencarbon.publishing.figures.style import DARK, WIDTH_PX
from opencarbon.publishing.figures.svg import to_svg
from opencarbon.publishing.figures.throughput import alpha_and_throughput
from opencarbon.publishing.figures.timeline import emissions_over_time

__all__ = [
    "CAPTIONS",
    "DARK",
    "WIDTH_PX",
    "Actual",
    "Caption",
    "EmbodiedFigure",
    "alpha_and_throughput",
    "alpha_by_run",
    "alpha_distribution",
    "describe",
    "embodied_spread",
    "emissions_by_score",
    "emissions_over_time",
    "methods_compared",
    "reproduction_figures",
    "to_svg",
]
