"""From a shape to a number with its uncertainty. Lengths are px of the plane of measurement, angles degrees."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import Points
from tools.measuring import shapes
from tools.measuring.polygon import sharp_corners
from tools.measuring.shape import Shape

Flatten = Callable[[Points], Points]

CORRELATED = 4.0
"""Neighbouring contour points share pixels: only every fourth counts as independent."""
ROUND = 0.9
"""From this circularity on, a thing is measured as a circle."""


@dataclass(frozen=True)
class Reading:
    """A measured number."""

    value: float
    sigma: float
    """One standard deviation, same unit."""
    power: int
    """1 for a length, 2 for an area, 0 for angles and ratios."""
    line: Points
    """(N, 2) original pixels: what was measured."""
    method: str


def edge_doubt(shape: Shape) -> float:
    """How far the half-height rule may place an edge off (one sigma, same for the whole contour), px.

    Grows with blur, since uneven light moves the half height of a soft edge, and with noise over contrast.
    """
    blur = shape.contour.blur if np.isfinite(shape.contour.blur) else 1.0
    return float(np.hypot(0.06 + 0.08 * blur, 0.3 * blur * shape.noise / max(shape.contrast, 1e-6)))


def read(shape: Shape, quantity: str, flat: Flatten, *, centre_line: bool) -> Reading:
    """Measure one quantity of one shape.

    Args:
        shape: In original pixels.
        quantity: As in `tools.measure`.
        flat: Original points to the plane of measurement.
        centre_line: Length of a line-like thing is that of its centre line (defects), else from tip to tip (parts).
    Raises:
        ToolInputError: The shape does not have this quantity.
    """
    if shape.line is not None and quantity in ("length", "width"):
        return _of_line(shape, quantity, flat, centre_line=centre_line)
    reader = _READERS.get(quantity)
    if reader is None:
        raise ToolInputError(f"{quantity} is measured between two things; name them with of and to, or give points")
    return reader(shape, flat)


def _scale_of(original: Points, flattened: Points) -> float:
    """Mean magnification from original pixels to the plane of measurement."""
    before, after = shapes.perimeter(original), shapes.perimeter(flattened)
    return after / before if before > 0 else 1.0


def _of_line(shape: Shape, quantity: str, flat: Flatten, *, centre_line: bool) -> Reading:
    line = shape.line
    assert line is not None
    plane = flat(line.points)
    run = float(np.linalg.norm(np.diff(plane, axis=0), axis=1).sum())
    grow = run / max(line.tip_length, 1e-9)
    few = line.points[:: max(1, len(line.points) // 24)]
    path = np.vstack([few, line.points[-1:]])
    if quantity == "width":
        sigma = np.hypot(line.width_doubt, edge_doubt(shape))
        return Reading(line.width * grow, float(sigma) * grow, 1, path,
                       f"mean width across the centre line, at {len(line.points)} places")
    length = line.length if centre_line else line.tip_length
    ends = "to the centre of rounded ends" if centre_line else "from tip to tip"
    # Blur beyond the usual hides where a line ends, however well its middle is seen.
    soft = max(0.0, shape.contour.blur - 1.5) if np.isfinite(shape.contour.blur) else 1.0
    sigma = float(np.sqrt(line.end_doubt**2 + (0.003 * line.length) ** 2 + (0.8 * soft) ** 2))
    return Reading(length * grow, sigma * grow, 1, path, f"length along the centre line, {ends}")


def _random(shape: Shape, share: float = 0.25) -> float:
    """Standard error of the mean place of a part of the contour, px."""
    return shape.contour.scatter / float(np.sqrt(max(1.0, share * len(shape.contour.points) / CORRELATED)))


def _span(shape: Shape, grow: float) -> float:
    """One sigma of the distance between two opposite edges."""
    return float(np.hypot(2 * edge_doubt(shape), np.sqrt(2) * _random(shape))) * grow


def _back(ends: Points, shape: Shape, plane: Points) -> Points:
    """Plane points to original pixels, by the contour points nearest to them (exact where both planes are one)."""
    if plane is shape.contour.points:
        return ends
    nearest = [int(np.argmin(np.linalg.norm(plane - end, axis=1))) for end in ends]
    return shape.contour.points[nearest]


def _length(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    sigma = _span(shape, _scale_of(shape.contour.points, plane))
    if shapes.roundness(plane) > ROUND and shapes.moments(plane).elongation < 1.1:
        value, ends = shapes.feret(plane)
        return Reading(value, sigma, 1, _back(ends, shape, plane), "largest distance between two points of the edge")
    box = shapes.extent(plane)
    return Reading(box.length, sigma, 1, _back(box.ends[:2], shape, plane),
                   "longer side of the smallest rectangle around it")


def _width(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    box = shapes.extent(plane)
    return Reading(box.width, _span(shape, _scale_of(shape.contour.points, plane)), 1,
                   _back(box.ends[2:], shape, plane), "shorter side of the smallest rectangle around it")


def _height(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    top, bottom = plane[int(np.argmin(plane[:, 1]))], plane[int(np.argmax(plane[:, 1]))]
    low, high = shapes.side_places(plane, np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    return Reading(high - low, _span(shape, _scale_of(shape.contour.points, plane)), 1,
                   _back(np.array([top, bottom]), shape, plane), "vertical distance between its top and bottom edge")


def _diameter(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    grow = _scale_of(shape.contour.points, plane)
    sigma = float(np.hypot(2 * edge_doubt(shape), 2 * _random(shape, 1.0))) * grow
    body = shapes.moments(plane)
    if body.elongation < 1.15 and shapes.roundness(plane) > 0.8:
        circle = shapes.fit_circle(plane)
        misfit = circle.scatter / np.sqrt(max(1.0, len(plane) / 20))
        arm = np.array([circle.radius, 0.0])
        ends = np.array([circle.centre - arm, circle.centre + arm])
        return Reading(2 * circle.radius, float(np.hypot(sigma, 2 * misfit)), 1, _back(ends, shape, plane),
                       "diameter of the circle fitted to its edge")
    value = 2 * float(np.sqrt(body.area / np.pi))
    ends = np.array([body.centre - body.axis * value / 2, body.centre + body.axis * value / 2])
    return Reading(value, sigma, 1, _back(ends, shape, plane), "diameter of the circle with its area (it is not round)")


def _radius(shape: Shape, flat: Flatten) -> Reading:
    whole = _diameter(shape, flat)
    line = np.array([whole.line.mean(axis=0), whole.line[1]])
    return Reading(whole.value / 2, whole.sigma / 2, 1, line, whole.method.replace("diameter", "radius"))


def _area(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    grow = _scale_of(shape.contour.points, plane)
    around = shapes.perimeter(plane)
    corners = sharp_corners(shape.contour.points)
    outer = shapes.moments(plane if corners is None else flat(corners)).area
    value = outer - shape.hole_area * grow**2
    sigma = around * float(np.hypot(edge_doubt(shape), _random(shape, 1.0))) * grow
    if shape.hole_area > 0:
        sigma *= 1.5
    text = "area inside its edge" + (", without the hole in it" if shape.hole_area > 0 else "")
    return Reading(value, sigma, 2, _thinned(shape.contour.points), text)


def _perimeter(shape: Shape, flat: Flatten) -> Reading:
    corners = sharp_corners(shape.contour.points)
    plane = flat(shape.contour.points)
    grow = _scale_of(shape.contour.points, plane)
    value = shapes.perimeter(plane if corners is None else flat(corners))
    bent = 0.005 if corners is not None or shapes.roundness(plane) > ROUND else 0.025
    sigma = float(np.hypot(2 * np.pi * edge_doubt(shape) * grow, bent * value))
    text = "length of its edge" if corners is None else f"length of its {len(corners)} straight sides"
    return Reading(value, sigma, 1, _thinned(shape.contour.points), text)


def _angle(shape: Shape, flat: Flatten) -> Reading:
    axis, sigma, line = long_axis(shape, flat)
    return Reading(shapes.axis_angle(axis), sigma, 0, line,
                   "angle of its long axis against the horizontal, counter-clockwise positive")


def long_axis(shape: Shape, flat: Flatten) -> tuple[NDArray[np.float64], float, Points]:
    """Direction of the long axis in the plane, its one sigma in degrees, and its ends in original pixels.

    Raises:
        ToolInputError: The shape has no long axis.
    """
    plane = flat(shape.contour.points)
    body = shapes.moments(plane)
    if body.elongation < 1.08:
        raise ToolInputError("it is about as wide as long and has no long axis; give three points for an angle")
    reach = (plane - body.centre) @ body.axis
    ends = np.array([body.centre + reach.min() * body.axis, body.centre + reach.max() * body.axis])
    doubt = np.hypot(0.05 + 0.2 * edge_doubt(shape), 2 * _random(shape)) * _scale_of(shape.contour.points, plane)
    sigma = np.degrees(2 * doubt / max(float(np.ptp(reach)), 1e-9) / (1 - body.elongation**-2))
    return body.axis, float(sigma), _back(ends, shape, plane)


def _roundness(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    value = shapes.roundness(plane)
    doubt = 2 * shape.contour.scatter / max(float(np.sqrt(shapes.moments(plane).area)), 1e-9)
    return Reading(value, float(np.hypot(0.008, doubt)), 0, _thinned(shape.contour.points),
                   "4 pi area over perimeter squared, 1 for a circle")


def _thinned(points: Points) -> Points:
    return points[:: max(1, len(points) // 48)]


_READERS: dict[str, Callable[[Shape, Flatten], Reading]] = {
    "length": _length, "width": _width, "height": _height, "diameter": _diameter, "radius": _radius, "area": _area,
    "perimeter": _perimeter, "angle": _angle, "roundness": _roundness}
