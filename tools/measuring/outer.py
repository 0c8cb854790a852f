"""The outer edge of a thing: true corners or contour, and how well it is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kenpin.contracts.view import Points
from tools.measuring import shapes
from tools.measuring.ellipse import fit_ellipse
from tools.measuring.polygon import Polygon, sharp_corners
from tools.measuring.shape import Shape

Flatten = Callable[[Points], Points]

CORRELATED = 4.0
"""Neighbouring contour points share pixels: only every fourth counts as independent."""
RIGHT = np.sin(np.radians(4.0))
"""Corners this near to a right angle make a rectangle."""


def edge_doubt(shape: Shape) -> float:
    """How far the half-height rule may place an edge off (one sigma, same for the whole contour), px.

    Grows with blur, since uneven light moves the half height of a soft edge, and with noise over contrast.
    """
    blur = shape.contour.blur if np.isfinite(shape.contour.blur) else 1.0
    return float(np.hypot(0.03 + 0.04 * blur, 0.3 * blur * shape.noise / max(shape.contrast, 1e-6)))


def scale_of(original: Points, flattened: Points) -> float:
    """Mean magnification from original pixels to the plane of measurement."""
    before, after = shapes.perimeter(original), shapes.perimeter(flattened)
    return after / before if before > 0 else 1.0


def random_error(shape: Shape, share: float = 0.25) -> float:
    """Standard error of the mean place of a part of the contour, px."""
    return shape.contour.scatter / float(np.sqrt(max(1.0, share * len(shape.contour.points) / CORRELATED)))


def span_error(shape: Shape, grow: float) -> float:
    """One sigma of the distance between two opposite edges."""
    return float(np.hypot(2 * edge_doubt(shape), np.sqrt(2) * random_error(shape))) * grow


def random_span(shape: Shape, share: float) -> float:
    """One sigma of the distance between two opposite edges that a share of the contour has a say in."""
    return float(np.hypot(2 * edge_doubt(shape), 2 * random_error(shape, share)))


def _point_error(shape: Shape) -> float:
    """One sigma of a single point of the contour, px: its scatter with what noise makes of its edge."""
    blur = shape.contour.blur if np.isfinite(shape.contour.blur) else 1.0
    return float(np.hypot(shape.contour.scatter, 0.75 * blur * shape.noise / max(shape.contrast, 1e-6)))


def centre_error(shape: Shape) -> float:
    """One sigma of a centre in x and in y, px: texture moves a stretch of some six points of the contour at a time."""
    point = _point_error(shape)
    return float(np.hypot(0.04, point * np.sqrt(18 / max(len(shape.contour.points), 18))))


def _polygon(shape: Shape) -> Polygon | None:
    """The polygon that a thing is, in original pixels; None if it has bent sides."""
    found = sharp_corners(shape.contour.plain, shape.contour.sigma)
    if found is None or len(found.corners) <= 4:
        return found
    # An even curve can pass for many short sides; an ellipse that lies nearer to it is the simpler truth.
    points = shape.contour.points
    ellipse = fit_ellipse(points)
    return None if ellipse is not None and ellipse.scatter < _misfit(found.corners, points) else found


def _misfit(corners: Points, points: Points) -> float:
    """Root mean square distance of contour points from a polygon."""
    ends = np.roll(corners, -1, axis=0)
    arm = ends - corners
    along = ((points[:, None] - corners[None]) * arm).sum(axis=2) / np.maximum((arm**2).sum(axis=1), 1e-9)
    nearest = corners[None] + np.clip(along, 0, 1)[..., None] * arm
    return float(np.sqrt((((points[:, None] - nearest) ** 2).sum(axis=2)).min(axis=1).mean()))


@dataclass(frozen=True)
class Outer:
    """What the extent of a thing is taken of: true corners of a polygon, else the contour."""

    original: Points
    plane: Points
    sigma: float
    """One standard deviation of a distance between two ends of it, in the plane."""
    grow: float
    how: str
    right: float
    """How far the cosine at a corner of a rectangle may be off 0."""


def outer_edge(shape: Shape, flat: Flatten) -> Outer:
    found = _polygon(shape)
    original = shape.contour.points if found is None else found.corners
    plane = flat(original)
    grow = scale_of(original, plane)
    if found is not None:
        sigma = float(np.hypot(span_error(shape, grow), np.sqrt(2) * found.doubt * grow))
        right = RIGHT + 4 * found.doubt / max(float(found.lengths.min()), 1e-9)
        return Outer(original, plane, sigma, grow, ", its corners where its straight sides meet", right)
    # The outermost of many noisy points lies outside by about one sigma of a point, at either end.
    sigma = float(np.hypot(span_error(shape, grow), np.sqrt(2) * _point_error(shape) * grow))
    ellipse = fit_ellipse(original)
    if ellipse is None or ellipse.scatter > 0.25 + 2 * shape.contour.scatter:
        # It may have corners that blur has rounded: one of a right angle is cut off by 0.77 sigma.
        sigma = float(np.hypot(sigma, 0.7 * shape.contour.sigma * grow))
    return Outer(original, plane, sigma, grow, "", RIGHT)


def rectangle_sides(outer: Outer) -> tuple[tuple[float, Points], tuple[float, Points]] | None:
    """Longer and shorter side of a four-cornered thing with right angles, each the mean of two, with its ends."""
    plane = outer.plane
    if not outer.how or len(plane) != 4:
        return None
    arms = np.roll(plane, -1, axis=0) - plane
    size = np.linalg.norm(arms, axis=1)
    cosines = np.abs((arms * np.roll(arms, -1, axis=0)).sum(axis=1)) / np.maximum(size * np.roll(size, -1), 1e-9)
    if cosines.max() > outer.right:
        return None
    middles = (plane + np.roll(plane, -1, axis=0)) / 2
    # Between the middles of two facing sides: what tilts a short side by a little then does not count.
    spans = [(float(np.linalg.norm(middles[i + 2] - middles[i])), middles[[i, i + 2]]) for i in (0, 1)]
    spans.sort(key=lambda span: -span[0])
    return spans[0], spans[1]
