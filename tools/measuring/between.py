"""Measures between things: distance and angle of two, points that were pointed at, pitch of many."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import Points
from tools.measuring import shapes
from tools.measuring.edges import crossings
from tools.measuring.outer import Flatten, centre_error, edge_doubt, scale_of
from tools.measuring.reading import Reading, long_axis
from tools.measuring.shape import Shape

POINTED = 0.7
"""How well a point is pointed at (one sigma in x and in y), px."""


def centre_distance(first: Shape, second: Shape, flat: Flatten) -> Reading:
    """Distance between the centres of area of two shapes."""
    a, b = (shapes.moments(flat(s.contour.points)).centre for s in (first, second))
    line = np.array([shapes.moments(s.contour.points).centre for s in (first, second)])
    value = float(np.linalg.norm(a - b))
    grow = value / max(float(np.linalg.norm(line[0] - line[1])), 1e-9)
    sigma = float(np.hypot(centre_error(first), centre_error(second))) * grow
    return Reading(value, sigma, 1, line, "distance between the two centres of area")


def edge_distance(first: Shape, second: Shape, flat: Flatten) -> Reading:
    """Smallest distance between the edges of two shapes; 0 if they touch."""
    a, b = flat(first.contour.points), flat(second.contour.points)
    found, nearest = cKDTree(b).query(a)
    gap, partner = np.atleast_1d(found), np.atleast_1d(nearest)
    i = int(np.argmin(gap))
    grow = scale_of(first.contour.points, a)
    scatter = first.contour.scatter**2 + second.contour.scatter**2
    sigma = float(np.sqrt(edge_doubt(first) ** 2 + edge_doubt(second) ** 2 + 0.08**2 + scatter)) * grow
    line = np.array([first.contour.points[i], second.contour.points[int(partner[i])]])
    return Reading(float(gap[i]), sigma, 1, line, "smallest distance between the two edges")


def angle_between(first: Shape, second: Shape, flat: Flatten) -> Reading:
    """Angle between the long axes of two shapes, 0 to 90 degrees."""
    a, doubt_a, line_a = long_axis(first, flat)
    b, doubt_b, line_b = long_axis(second, flat)
    value = float(np.degrees(np.arccos(np.clip(abs(a @ b), 0, 1))))
    return Reading(value, float(np.hypot(doubt_a, doubt_b)), 0, np.vstack([line_a, line_b]),
                   "angle between the two long axes")


def point_distance(image: NDArray[np.float32], points: Points, flat: Flatten, *, edges: bool) -> Reading:
    """Distance between two points, or between the edges nearest to them on the line through them.

    Raises:
        ToolInputError: The two points are one, or there is no edge near one of them.
    """
    span = float(np.linalg.norm(points[1] - points[0]))
    if span < 1e-6:
        raise ToolInputError("the two points are the same; give two different points")
    if not edges:
        a, b = flat(points)
        value = float(np.linalg.norm(b - a))
        return Reading(value, POINTED * float(np.sqrt(2)) * value / span, 1, points,
                       "distance between the two given points")
    found, blur = _nearest_edges(image, points, span)
    a, b = flat(found)
    value = float(np.linalg.norm(b - a))
    sigma = float(np.hypot(0.1 + 0.1 * blur, 0.1)) * np.sqrt(2) * value / span
    return Reading(value, float(sigma), 1, found,
                   "distance between the edges nearest to the two given points, on their line")


def _nearest_edges(image: NDArray[np.float32], points: Points, span: float) -> tuple[Points, float]:
    """The strongest step near each point along the line, to a fraction of a pixel, and the blur of the steps."""
    heading = (points[1] - points[0]) / span
    side = np.array([-heading[1], heading[0]])
    reach = float(np.clip(0.15 * span, 3.0, 12.0))
    places, blurs = [], []
    for point in points:
        rows = point + np.arange(-2, 3)[:, None] * side
        best = None
        for sign in (1.0, -1.0):
            edge = crossings(image, rows, np.tile(sign * heading, (5, 1)), reach=reach, smooth=5)
            ends = rows[:, None] + sign * np.array([-reach, reach])[None, :, None] * heading
            columns = np.clip(ends[..., 0].astype(int), 0, image.shape[1] - 1)
            lines = np.clip(ends[..., 1].astype(int), 0, image.shape[0] - 1)
            step = float(np.median(np.diff(image[lines, columns], axis=1)))
            if edge.found.sum() >= 3 and (best is None or step > best[0]):
                best = (step, sign * float(np.nanmedian(edge.offsets)), edge.blur)
        if best is None or best[0] < 4:
            raise ToolInputError(f"there is no edge within {reach:.0f} px of ({point[0]:.1f}, {point[1]:.1f}); "
                                 "move the point or measure between='centres'")
        places.append(point + best[1] * heading)
        blurs.append(best[2])
    return np.array(places), float(np.nanmean(blurs))


def corner_angle(points: Points, flat: Flatten) -> Reading:
    """Angle at the middle one of three points, 0 to 180 degrees."""
    a, b, c = flat(points)
    arms = (a - b, c - b)
    lengths = [float(np.linalg.norm(arm)) for arm in arms]
    if min(lengths) < 1e-6:
        raise ToolInputError("two of the three points are the same; give end, corner, end")
    value = float(np.degrees(np.arccos(np.clip(arms[0] @ arms[1] / (lengths[0] * lengths[1]), -1, 1))))
    doubt = np.degrees(POINTED * np.hypot(np.hypot(1 / lengths[0], 1 / lengths[1]), 1 / min(lengths)))
    return Reading(value, float(doubt), 0, points, "angle at the second of three given points")


def line_angle(points: Points, flat: Flatten) -> Reading:
    """Angle of the line through two points against the horizontal."""
    a, b = flat(points)
    span = float(np.linalg.norm(b - a))
    if span < 1e-6:
        raise ToolInputError("the two points are the same; give two different points")
    return Reading(shapes.axis_angle(b - a), float(np.degrees(POINTED * np.sqrt(2) / span)), 0, points,
                   "angle of the line through two given points against the horizontal, counter-clockwise positive")


def pitch(centres: Points, flat: Flatten) -> tuple[Reading, str]:
    """Mean distance between the centres of neighbouring alike things, and a remark.

    In one row, a gap where things are missing counts as that many pitches. In a field, it is the median distance of a
    thing from its nearest neighbour.

    Raises:
        ToolInputError: Fewer than two things.
    """
    if len(centres) < 2:
        raise ToolInputError(f"pitch needs at least two alike objects, got {len(centres)}; run count first")
    plane = flat(centres)
    middle = plane.mean(axis=0)
    _, size, axes = np.linalg.svd(plane - middle, full_matrices=False)
    if len(plane) > 2 and size[1] > 0.12 * size[0]:
        gap = np.linalg.norm(plane[:, None] - plane[None], axis=2)
        np.fill_diagonal(gap, np.inf)
        nearest = gap.min(axis=1)
        i = int(np.argmin(np.abs(nearest - np.median(nearest))))
        sigma = float(np.hypot(1.25 * nearest.std() / np.sqrt(len(nearest)), 0.08))
        line = centres[[i, int(np.argmin(gap[i]))]]
        return Reading(float(np.median(nearest)), sigma, 1, line,
                       "median distance from each object to its nearest neighbour"), ""
    order = np.argsort(plane @ axes[0])
    along = (plane @ axes[0])[order]
    return _row_pitch(along, centres[order])


def _row_pitch(along: NDArray[np.float64], centres: Points) -> tuple[Reading, str]:
    steps = np.diff(along)
    typical = float(np.median(steps))
    places = np.concatenate([[0], np.cumsum(np.maximum(1, np.round(steps / typical)))])
    first, second = np.triu_indices(len(along), 1)
    apart = (places[second] - places[first]).astype(np.float64)
    # Median of all pairwise slopes (Theil 1950, Sen 1968): one thing out of place does not move it.
    slopes = np.repeat((along[second] - along[first]) / apart, apart.astype(int))
    value = float(np.median(slopes))
    away = along - places * value
    away -= np.median(away)
    spread = float(np.sum((places - places.mean()) ** 2))
    scatter = max(1.4826 * float(np.median(np.abs(away))), 0.3 * float(np.std(away)))
    sigma = float(np.hypot(scatter / np.sqrt(spread), 0.1 / np.sqrt(len(along) - 1)))
    missing = int(places[-1]) + 1 - len(along)
    note = f"{missing} place(s) in the row are empty" if missing else ""
    return Reading(value, sigma, 1, centres[[0, -1]],
                   f"typical step from centre to centre of {len(along)} objects in a row"), note
