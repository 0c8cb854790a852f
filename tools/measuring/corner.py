"""The angle that two sides of one thing enclose: a bent bracket, a corner, an opening."""

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import Points
from tools.measuring.outer import Flatten, edge_doubt
from tools.measuring.polygon import coarse_runs, shared, sharp_corners
from tools.measuring.reading import Reading
from tools.measuring.shape import Shape

ALIKE = 0.05
"""Sides whose lengths differ by less than this share count as equally long."""
PARALLEL = np.radians(12.0)
"""Sides that differ by less belong to the same arm."""


def enclosed_angle(shape: Shape, flat: Flatten) -> Reading:
    """Angle between the two longest straight sides that are not parallel, 0 to 180 degrees, as the thing encloses it.

    Raises:
        ToolInputError: It has no two straight sides.
    Source: outline simplified by Douglas and Peucker 1973 (OpenCV approxPolyDP), sides by total least squares.
    """
    points = flat(shape.contour.plain)
    sides = _sides(shape, points)
    if not sides:
        raise ToolInputError("it has no straight sides; give three points for an angle")
    first = sides[0]
    second = next((side for side in sides[1:] if _apart(first[1], side[1]) > PARALLEL), None)
    if second is None:
        raise ToolInputError("its straight sides are all parallel; give three points for an angle")
    vertex = _crossing(first, second)
    arms = [side[0].mean(axis=0) - vertex for side in (first, second)]
    cosine = arms[0] @ arms[1] / max(float(np.linalg.norm(arms[0]) * np.linalg.norm(arms[1])), 1e-9)
    doubt = [_tilt(side, shape) for side in (first, second)]
    ends = np.array([first[0].mean(axis=0), vertex, second[0].mean(axis=0)])
    return Reading(
        float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        float(np.hypot(0.05, np.hypot(doubt[0], doubt[1]))),
        0,
        _on_upload(ends, points, shape.contour.plain),
        "angle that its two longest straight sides enclose",
    )


Side = tuple[Points, NDArray[np.float64], float]
"""Contour points of a side, its direction, and their scatter about the line."""


def _sides(shape: Shape, points: Points) -> list[Side]:
    """Straight sides of a closed contour, longest first: those of a polygon from corner to corner, else what is
    straight of the coarse outline."""
    polygon = sharp_corners(shape.contour.plain, shape.contour.sigma)
    if polygon is None:
        sides = [_line(points[run]) for run in coarse_runs(shape.contour.plain)]
        return sorted(sides, key=lambda side: -float(np.ptp(side[0] @ side[1])))
    # Sides of the same length but for noise: the one that more of is seen of.
    steps = np.round(np.log(np.maximum(polygon.lengths, 1.0)) / ALIKE)
    order = sorted(range(len(steps)), key=lambda i: (-steps[i], -len(polygon.runs[i])))
    return [_line(points[polygon.runs[i]]) for i in order]


def _tilt(side: Side, shape: Shape) -> float:
    """One sigma of a side's direction, degrees."""
    points, axis, scatter = side
    soft = shape.contour.sigma
    # Slope of a least squares line through evenly spaced points.
    slope = max(scatter, shape.contour.scatter) * float(np.sqrt(12 / shared(len(points), soft)))
    return float(np.degrees((0.6 * edge_doubt(shape) + slope) / max(float(np.ptp(points @ axis)), 1e-9)))


def _line(points: Points) -> Side:
    centred = points - points.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    return points, axes[0], float(spread[1] / np.sqrt(len(points)))


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.arccos(np.clip(abs(a @ b), 0, 1)))


def _crossing(first: Side, second: Side) -> NDArray[np.float64]:
    """Where the lines through two sides meet."""
    matrix = np.column_stack([first[1], -second[1]])
    along = np.linalg.solve(matrix, second[0].mean(axis=0) - first[0].mean(axis=0))
    return np.asarray(first[0].mean(axis=0) + along[0] * first[1])


def _on_upload(places: Points, plane: Points, original: Points) -> Points:
    """Points of the plane back on the upload, by the affine map that takes the contour there."""
    homogeneous = np.column_stack([plane, np.ones(len(plane))])
    back, *_ = np.linalg.lstsq(homogeneous, original, rcond=None)
    return np.asarray(np.column_stack([places, np.ones(len(places))]) @ back)
