"""Names beside points, put where they cover nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opencarbon.publishing.figures.style import INK, MUTED, TEXT_PX, text_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in px."""

_ANGLES: Final = tuple(2 * math.pi * step / 16 for step in range(16))
_GAPS_PX: Final = (3, 9, 18, 30, 44, 60, 80, 105)
_LEADER_FROM_PX: Final = 12
"""A label farther from its point than this is joined to it by a line."""
_NEAR_PX: Final = 18
_COVERED: Final = 0.12
"""Share of a name that may lie on markers, where it may also be left out."""
_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Point:
    """A point with a name.

    Parameters
    ----------
    x, y : float
        Where it is, in data units.
    text : str
        Its name.
    radius_px : float
        Of its marker.
    """

    x: float
    y: float
    text: str
    radius_px: float


@dataclass(frozen=True, slots=True)
class _Place:
    x: float
    y: float
    ha: str
    va: str
    box: Box
    gap: float


def label_points(
    axes: Axes,
    points: Sequence[Point],
    *,
    named: int,
    obstacles: Sequence[Box] = (),
    all_of_them: bool = False,
) -> int:
    """Write the names of the first points of a list, each where it covers the least.

    The names take turns at choosing among places around their points, until none gains by moving: a place costs by how
    much it covers of other names, markers and obstacles, and by its distance.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With its limits and scales set.
    points : sequence of Point
        All points that are drawn, those to be named first.
    named : int
        How many of them get a name.
    obstacles : sequence of Box
        What else should stay visible, in px.
    all_of_them : bool
        Write every name, however crowded it is; otherwise a name that finds no free place near by is left out.

    Returns
    -------
    int
        Names written.
    """
    centres = [tuple(axes.transData.transform((point.x, point.y)).tolist()) for point in points]
    markers = [
        (x - point.radius_px, y - point.radius_px, x + point.radius_px, y + point.radius_px)
        for point, (x, y) in zip(points, centres, strict=True)
    ]
    solid = [*markers, *obstacles]
    bounds: Box = axes.get_window_extent().extents
    gaps = _GAPS_PX if all_of_them else tuple(gap for gap in _GAPS_PX if gap <= _NEAR_PX)
    options = [
        _places(centres[i], points[i].radius_px, text_size(points[i].text), solid, bounds, gaps)
        for i in range(min(named, len(points)))
    ]
    chosen: dict[int, _Place] = {}
    for _ in range(_ROUNDS):
        for i, places in enumerate(options):
            others = [place for j, place in chosen.items() if j != i]
            costs = [cost + _crowding(place, centres[i], others) for place, cost in places]
            chosen[i] = places[costs.index(min(costs))][0]
    kept: list[_Place] = []
    for i, place in chosen.items():
        hidden = any(overlap(place.box, other.box) for other in kept) or _covered(place, solid) > _COVERED
        if all_of_them or not hidden:
            kept.append(place)
            _write(axes, points[i], place)
    return len(kept)


def overlap(one: Box, other: Box) -> float:
    """Area that two boxes share, in square px."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _places(
    centre: Sequence[float],
    radius: float,
    size: tuple[float, float],
    solid: Sequence[Box],
    bounds: Box,
    gaps: Sequence[float],
) -> list[tuple[_Place, float]]:
    """Every place around a point, with what it costs whatever the other names do."""
    found = []
    for gap in gaps:
        for angle in _ANGLES:
            place = _place(centre, radius + gap, angle, size, gap)
            outside = _area(place.box) - overlap(place.box, bounds)
            covered = _area(place.box) * _covered(place, solid)
            found.append((place, 100 * outside + 4 * covered + 1.2 * gap + _awkward(angle)))
    return found


def _place(
    centre: Sequence[float], distance: float, angle: float, size: tuple[float, float], gap: float
) -> _Place:
    x, y = centre[0] + distance * math.cos(angle), centre[1] + distance * math.sin(angle)
    width, height = size[0], max(size[1], TEXT_PX * 1.1)
    ha, left = _side(math.cos(angle), x, width, ("left", "center", "right"))
    va, bottom = _side(math.sin(angle), y, height, ("bottom", "center", "top"))
    return _Place(x, y, ha, va, (left - 1, bottom - 1, left + width + 1, bottom + height + 1), gap)


def _side(direction: float, at: float, size: float, names: tuple[str, str, str]) -> tuple[str, float]:
    """Which side of the text touches the point, and where the text then begins."""
    if direction > 0.3:
        return names[0], at
    return (names[2], at - size) if direction < -0.3 else (names[1], at - size / 2)


def _awkward(angle: float) -> float:
    """Readers look right of a point first, then above it."""
    return 3 * (1 - math.cos(angle)) + (1.5 if math.sin(angle) < -0.1 else 0)


def _crowding(place: _Place, centre: Sequence[float], others: Sequence[_Place]) -> float:
    cost = 20 * sum(overlap(place.box, other.box) for other in others)
    if place.gap >= _LEADER_FROM_PX:
        for step in (0.25, 0.5, 0.75):
            x, y = (a + step * (b - a) for a, b in zip(centre, (place.x, place.y), strict=True))
            cost += 60 * sum(o.box[0] < x < o.box[2] and o.box[1] < y < o.box[3] for o in others)
    return cost


def _covered(place: _Place, solid: Sequence[Box]) -> float:
    """Share of a name that lies on markers and obstacles."""
    return sum(overlap(place.box, box) for box in solid) / _area(place.box)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _write(axes: Axes, point: Point, place: _Place) -> None:
    from matplotlib.transforms import IdentityTransform

    line = None
    if place.gap >= _LEADER_FROM_PX:
        line = {"arrowstyle": "-", "color": MUTED, "lw": 0.8, "shrinkA": 1, "shrinkB": point.radius_px}
    axes.annotate(
        point.text,
        xy=(point.x, point.y),
        xytext=(place.x, place.y),
        textcoords=IdentityTransform(),
        ha=place.ha,
        va=place.va,
        color=INK,
        arrowprops=line,
    )
