"""A figure as SVG that stands inside a page: small, the same every time, named for those who cannot see it.

Text stays text (``svg.fonttype`` none): it can be found, selected, read aloud and recoloured on a dark page, and a
figure is a third as large as with outlines. The price is that a reader's font may differ from the one measured; it is
DejaVu Sans, wider than the usual fonts of browsers, so that what fits there fits elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from opencarbon.publishing.figures.style import WIDTHS, Width, drawing, size_px

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FONTS: Final = "font-family: 'DejaVu Sans', Verdana, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_STROKES: Final = "stroke-linejoin: round; stroke-linecap: butt"
"""What matplotlib says in a style sheet, which inside a page would hold for everything on it."""
_ID: Final = re.compile(r' id="([^"]*)"')
_REFERENCE: Final = re.compile(r'(href="#|url\(#)([^")]+)')


def to_svg(figure: Figure, title: str, description: str) -> str:
    """Write a figure as an SVG element that may stand in a page beside others.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From one of the functions of this package.
    title : str
        Its name, for screen readers.
    description : str
        What it shows, in a sentence or two.

    Returns
    -------
    str
        An ``<svg>`` element of fixed size in px, without XML prolog, style sheet, date or address; its ids begin with a
        digest of its content, so those of different figures never meet.
    """
    written = io.StringIO()
    with drawing():
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    _, _, text = written.getvalue().partition("<svg ")
    _, _, body = text.partition(">")
    body = re.sub(r"\s*<(metadata|style)[^>]*>.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r"; font-family: 'DejaVu Sans'|\s*<g/>", "", body)
    body = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", body)
    width, height = size_px(figure)
    digest = hashlib.sha256(repr((title, description, body)).encode()).hexdigest()
    name = f"f{digest[:10]}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" style="{_FONTS}; {_STROKES}">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n<desc id="{name}-desc">{escape(description)}</desc>'
        f"{_with_own_ids(body, name)}"
    )


def in_both_widths(draw: Callable[[Width], Figure], title: str, description: str) -> tuple[str, str]:
    """Write both drawings of a figure.

    Parameters
    ----------
    draw : callable
        Width -> the figure.
    title, description : str
        As :func:`to_svg` takes them.

    Returns
    -------
    tuple of str
        The wide and the narrow one.
    """
    wide, narrow = (to_svg(draw(width), title, description) for width in WIDTHS)
    return wide, narrow


def _with_own_ids(body: str, name: str) -> str:
    """Ids that nothing refers to are dropped, the others begin with the name of the figure."""
    used = {match[1] for match in _REFERENCE.findall(body)}
    body = _ID.sub(lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", body)
    return _REFERENCE.sub(lambda match: f"{match[1]}{name}-{match[2]}", body)
