"""From a shape to a number with its uncertainty. Lengths are px of the plane of measurement, angles degrees."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import Points
from tools.measuring import shapes
from tools.measuring.ellipse import fit_ellipse
from tools.measuring.outer import (
    Flatten,
    edge_doubt,
    outer_edge,
    random_error,
    random_span,
    rectangle_sides,
    scale_of,
)
from tools.measuring.shape import Shape

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
    sigma = float(np.sqrt(line.end_doubt**2 + (0.005 * line.length) ** 2 + (0.8 * soft) ** 2))
    return Reading(length * grow, sigma * grow, 1, path, f"length along the centre line, {ends}")


def _back(ends: Points, original: Points, plane: Points) -> Points:
    """Plane points to original pixels, by the contour points nearest to them (exact where both planes are one)."""
    if plane is original:
        return ends
    nearest = [int(np.argmin(np.linalg.norm(plane - end, axis=1))) for end in ends]
    return original[nearest]


def _length(shape: Shape, flat: Flatten) -> Reading:
    outer = outer_edge(shape, flat)
    if (sides := rectangle_sides(outer)) is not None:
        return Reading(sides[0][0], outer.sigma, 1, _back(sides[0][1], outer.original, outer.plane),
                       "distance between the middles of its two shorter sides")
    if not outer.how and shapes.roundness(outer.plane) > ROUND and shapes.moments(outer.plane).elongation < 1.1:
        value, ends = shapes.feret(outer.plane)
        return Reading(value, outer.sigma, 1, _back(ends, outer.original, outer.plane),
                       "largest distance between two points of the edge")
    box = shapes.extent(outer.plane)
    return Reading(box.length, outer.sigma, 1, _back(box.ends[:2], outer.original, outer.plane),
                   f"longer side of the smallest rectangle around it{outer.how}")


def _width(shape: Shape, flat: Flatten) -> Reading:
    outer = outer_edge(shape, flat)
    if (sides := rectangle_sides(outer)) is not None:
        return Reading(sides[1][0], outer.sigma, 1, _back(sides[1][1], outer.original, outer.plane),
                       "distance between the middles of its two longer sides")
    box = shapes.extent(outer.plane)
    return Reading(box.width, outer.sigma, 1, _back(box.ends[2:], outer.original, outer.plane),
                   f"shorter side of the smallest rectangle around it{outer.how}")


def _height(shape: Shape, flat: Flatten) -> Reading:
    outer = outer_edge(shape, flat)
    plane = outer.plane
    top, bottom = plane[int(np.argmin(plane[:, 1]))], plane[int(np.argmax(plane[:, 1]))]
    low, high = top[1], bottom[1]
    if not outer.how:
        low, high = shapes.side_places(plane, np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    return Reading(float(high - low), outer.sigma, 1, _back(np.array([top, bottom]), outer.original, plane),
                   f"vertical distance between its top and bottom edge{outer.how}")


def _feret(shape: Shape, flat: Flatten, name: str) -> Reading:
    outer = outer_edge(shape, flat)
    value, ends = shapes.feret(outer.plane) if name == "largest" else shapes.caliper(outer.plane)
    return Reading(value, outer.sigma, 1, _back(ends, outer.original, outer.plane),
                   f"{name} distance between two parallel lines that touch it (Feret){outer.how}")


def _ellipse(shape: Shape, flat: Flatten, name: str) -> Reading:
    original = shape.contour.points
    plane = flat(original)
    fit = fit_ellipse(plane)
    if fit is None:
        raise ToolInputError("no ellipse can be fitted to its edge; measure length and width")
    grow = scale_of(original, plane)
    misfit = fit.scatter / float(np.sqrt(max(1.0, len(plane) / 20)))
    sigma = float(np.hypot(random_span(shape, 1.0) * grow, 2 * misfit))
    value, ends = (fit.major, fit.ends[:2]) if name == "long" else (fit.minor, fit.ends[2:])
    return Reading(value, sigma, 1, _back(ends, original, plane), f"{name} axis of the ellipse fitted to its edge")


def _diameter(shape: Shape, flat: Flatten) -> Reading:
    plane = flat(shape.contour.points)
    grow = scale_of(shape.contour.points, plane)
    sigma = float(np.hypot(2 * edge_doubt(shape), 2 * random_error(shape, 1.0))) * grow
    body = shapes.moments(plane)
    if body.elongation < 1.15 and shapes.roundness(plane) > 0.8:
        circle = shapes.fit_circle(plane)
        misfit = circle.scatter / np.sqrt(max(1.0, len(plane) / 20))
        arm = np.array([circle.radius, 0.0])
        ends = np.array([circle.centre - arm, circle.centre + arm])
        return Reading(2 * circle.radius, float(np.hypot(sigma, 2 * misfit)), 1,
                       _back(ends, shape.contour.points, plane), "diameter of the circle fitted to its edge")
    value = 2 * float(np.sqrt(body.area / np.pi))
    ends = np.array([body.centre - body.axis * value / 2, body.centre + body.axis * value / 2])
    return Reading(value, sigma, 1, _back(ends, shape.contour.points, plane),
                   "diameter of the circle with its area (it is not round)")


def _radius(shape: Shape, flat: Flatten) -> Reading:
    whole = _diameter(shape, flat)
    line = np.array([whole.line.mean(axis=0), whole.line[1]])
    return Reading(whole.value / 2, whole.sigma / 2, 1, line, whole.method.replace("diameter", "radius"))


def _area(shape: Shape, flat: Flatten) -> Reading:
    outer = outer_edge(shape, flat)
    around, value = shapes.perimeter(outer.plane), shapes.moments(outer.plane).area
    for hole in shape.holes:
        inner = flat(hole)
        value -= shapes.moments(inner).area
        around += shapes.perimeter(inner)
    sigma = around * float(np.hypot(edge_doubt(shape), random_error(shape, 1.0))) * outer.grow
    text = f"area inside its edge{outer.how}" + (", without the hole in it" if shape.holes else "")
    return Reading(value, sigma, 2, _thinned(shape.contour.points), text)


def _perimeter(shape: Shape, flat: Flatten) -> Reading:
    outer = outer_edge(shape, flat)
    value = shapes.perimeter(outer.plane)
    bent = 0.003 if outer.how or shapes.roundness(outer.plane) > ROUND else 0.025
    sigma = float(np.hypot(2 * np.pi * edge_doubt(shape) * outer.grow, bent * value))
    text = "length of its edge" if not outer.how else f"length of its {len(outer.original)} straight sides"
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
    doubt = np.hypot(0.05 + 0.2 * edge_doubt(shape), 2 * random_error(shape)) * scale_of(shape.contour.points, plane)
    sigma = np.degrees(2 * doubt / max(float(np.ptp(reach)), 1e-9) / (1 - body.elongation**-2))
    return body.axis, float(sigma), _back(ends, shape.contour.points, plane)


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
    "perimeter": _perimeter, "angle": _angle, "roundness": _roundness,
    "feret_max": lambda shape, flat: _feret(shape, flat, "largest"),
    "feret_min": lambda shape, flat: _feret(shape, flat, "smallest"),
    "major_axis": lambda shape, flat: _ellipse(shape, flat, "long"),
    "minor_axis": lambda shape, flat: _ellipse(shape, flat, "short")}
