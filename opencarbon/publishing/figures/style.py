"""What all figures share: two widths, one type size, one palette, and the style of their axes.

A figure is drawn at 72 dots per inch, so that one point of matplotlib is one pixel of CSS: sizes below are pixels as
they are displayed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from opencarbon.errors import ConfigError
from opencarbon.publishing.numbers import THIN_SPACE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Width = Literal["wide", "narrow"]
"""Which of its two drawings a figure is: for a screen, or for a phone held upright."""
Write = Callable[[float, object], str]
"""Value and position of a tick -> its text."""
WIDTHS: Final[tuple[Width, ...]] = ("wide", "narrow")
WIDTH_PX: Final[dict[Width, int]] = {"wide": 960, "narrow": 344}
"""344 px are a phone's 390 px less the margins of a page and of the card around a figure."""
TEXT_PX: Final = 12.5
"""Size of all text: 11 px are left where a phone of 360 px scales the narrow drawing down."""
ROW_PX: Final = 20
"""Height of a line of text with the space around it."""
LEGEND_SPACING: Final = 0.6
"""Space between entries of a legend, in heights of its text: makes each as high as ``ROW_PX``."""

INK: Final = "#1c2730"
MUTED: Final = "#5a6772"
GRID: Final = "#e1e6ea"
CARD: Final = "#ffffff"
ACCENT: Final = "#0b6e5f"
BAND: Final = "#c9d3da"
"""Fill of an interval that somebody else published."""
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#b8860b")
"""Told apart with any colour vision: after Okabe and Ito (2008), https://jfly.uni-koeln.de/color/, and Tol (2021)."""
DARK: Final[dict[str, str]] = {
    INK: "#e9eef1",
    MUTED: "#a3b0ba",
    GRID: "#2d3740",
    CARD: "#182027",
    ACCENT: "#4fc7b1",
    BAND: "#46535e",
    **dict(zip(COLOURS, ("#62b5ec", "#f2935b", "#3cc79a", "#e290bd", "#e6b84a"), strict=True)),
}
"""Colour of a figure -> what stands for it on a dark page."""

_SETTINGS: Final[dict[str, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": TEXT_PX,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": TEXT_PX + 1,
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: layouts are the same everywhere
    "font.size": TEXT_PX,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "legend.fontsize": TEXT_PX,
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # see figures/svg.py
    "svg.hashsalt": "opencarbon",
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a model's name is a dollar
    "xtick.color": MUTED,
    "xtick.labelsize": TEXT_PX,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": TEXT_PX,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Put the style of the figures in force, whatever the user's own style is, until the block ends.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import style
    except ImportError as problem:
        raise ConfigError(
            "figures are drawn with matplotlib, which is not installed: pip install 'opencarbon[report]'"
        ) from problem
    with style.context(["default", _SETTINGS]), warnings.catch_warnings():
        # text stays text: the reader's font may hold what ours lacks
        warnings.filterwarnings("ignore", r"(?s)Glyph .* missing from font", UserWarning)
        yield


def canvas(width: Width, height_px: float) -> Figure:
    """An empty figure.

    Parameters
    ----------
    width : {"wide", "narrow"}
        Which drawing.
    height_px : float
        Height, in px.

    Returns
    -------
    matplotlib.figure.Figure
        Of no global state; measures its texts with Agg.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_PX[width] / 72, height_px / 72), dpi=72)
    FigureCanvasAgg(figure)
    return figure


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in px from the upper left corner.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    left, top, width, height : float
        The plotting area, in px.

    Returns
    -------
    matplotlib.axes.Axes
    """
    full_width, full_height = size_px(figure)
    rectangle = (
        left / full_width,
        1 - (top + height) / full_height,
        width / full_width,
        height / full_height,
    )
    axes = figure.add_axes(rectangle)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.tick_params(pad=6)
    return axes


def size_px(figure: Figure) -> tuple[float, float]:
    """Width and height of a figure, in px."""
    width, height = (figure.get_size_inches() * 72).tolist()
    return width, height


def text_width(text: str) -> float:
    """Width of a line of text, in px."""
    return text_size(text)[0]


def text_size(text: str) -> tuple[float, float]:
    """Width and height of a line of text, in px."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family=["DejaVu Sans"], size=TEXT_PX)
    width, height, _ = RendererAgg(1, 1, 72).get_text_width_height_descent(text, font, ismath=False)  # type: ignore[no-untyped-call]
    return float(width), float(height)


def name_y(axes: Axes, text: str, left_px: float = 0) -> None:
    """Write the name of the y axis above it, upright: it needs no turned head and no room beside.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    text : str
        Name and unit.
    left_px : float
        Where it begins, in px from the left edge of the figure.
    """
    from matplotlib.transforms import IdentityTransform

    axes.set_ylabel(text, rotation=0, ha="left", va="bottom")
    top = axes.get_window_extent().y1
    axes.yaxis.set_label_coords(left_px, top + 8, transform=IdentityTransform())


def title_above(axes: Axes, text: str, left_px: float, gap_px: float = 30) -> None:
    """Write the title of a panel above it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    text : str
    left_px : float
        Where it begins, in px from the left edge of the figure.
    gap_px : float, optional
        How far above the panel.
    """
    axes.annotate(
        text,
        xy=(left_px, axes.get_window_extent().y1 + gap_px),
        xycoords="figure pixels",
        ha="left",
        va="bottom",
        weight="bold",
    )


def spelt_out(value: float, _: object = None) -> str:
    """Tick as it is said: without exponent."""
    return f"{value:,.0f}".replace(",", THIN_SPACE) if value >= 1 else f"{value:g}"


def powers(value: float, _: object = None) -> str:
    """Tick of FLOP: ten to a power."""
    return number(value, 1).removeprefix("1 × ")  # noqa: RUF001


def log_ticks(axis: Axis, low: float, high: float, most: int, write: Write) -> None:
    """Ticks at powers of ten, or between them where there are fewer than three.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        A logarithmic axis.
    low, high : float
        Its limits.
    most : int
        Most ticks.
    write : callable
        What a tick says.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    found: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5)):
        if len(found) < 3:
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [tick for tick in ticks if low <= tick <= high]
    axis.set_major_locator(FixedLocator(found[:: max(1, math.ceil(len(found) / most))]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(write))


def log_limits(values: Iterable[float], margin: float = 0.08) -> tuple[float, float]:
    """Limits of a logarithmic axis that leave room around positive values.

    Parameters
    ----------
    values : iterable of float
        What must be seen; only positive ones count.
    margin : float
        Room at either end, as a share of the decades spanned.

    Returns
    -------
    tuple of float
        Lower and upper limit; a decade around 1 where there is nothing.
    """
    decades = [math.log10(value) for value in values if value > 0]
    if not decades:
        return 0.3, 3.0
    room = max(margin * (max(decades) - min(decades)), 0.15)
    return 10 ** (min(decades) - room), 10 ** (max(decades) + room)
