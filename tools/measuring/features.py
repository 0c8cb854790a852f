"""Distance between fitted features: the circle of a round thing, the straight side of one that has sides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points
from tools.measuring import shapes
from tools.measuring.lines import fit_line
from tools.measuring.outer import Flatten, centre_error, edge_doubt, scale_of
from tools.measuring.polygon import coarse_runs, sharp_corners
from tools.measuring.reading import ROUND, Reading
from tools.measuring.shape import Shape

LEAST_SIDE = 6
"""Shorter sides are not fitted, points."""
LONG = 0.12
"""Share of the contour that a side takes up at least where the whole is no polygon."""
STRAIGHT = 0.5
"""Scatter about such a side, px."""
PARALLEL = np.sin(np.radians(10.0))
"""Sides that face each other within this are a gap; others have no one distance."""


@dataclass(frozen=True)
class _Feature:
    """A point, or a straight side, in the plane of measurement."""

    kind: str
    place: NDArray[np.float64]
    original: NDArray[np.float64]
    """The same point on the upload."""
    sigma: float
    sides: tuple[Points, ...] = ()
    """Points of each straight side in the plane."""
    uploads: tuple[Points, ...] = ()
    """The same on the upload."""


def fitted_distance(first: Shape, second: Shape, flat: Flatten) -> Reading:
    """Distance between what fits two shapes: centre to centre, centre square to a side, or side to facing side.

    Round things stand for the centre of the circle fitted to their edge, things with straight sides for the side that
    faces the other one, all else for their centre of area.

    Source: least squares features of coordinate metrology (ISO 14405-1): circle by Gauss-Newton, side by total least
        squares; the gap of two sides is taken at the middle of where they face each other.
    """
    a, b = _feature(first, flat), _feature(second, flat)
    if a.sides and b.sides:
        return _sides_apart(a, b)
    if a.sides or b.sides:
        return _point_to_side(a, b)
    line = np.array([a.original, b.original])
    return Reading(float(np.linalg.norm(a.place - b.place)), float(np.hypot(a.sigma, b.sigma)), 1, line,
                   f"distance from {a.kind} to {b.kind}")


def _feature(shape: Shape, flat: Flatten) -> _Feature:
    points = shape.contour.points
    plane = flat(points)
    grow = scale_of(points, plane)
    body = shapes.moments(plane)
    still = centre_error(shape) * grow
    if shapes.roundness(plane) > ROUND and body.elongation < 1.15:
        circle, upload = shapes.fit_circle(plane), shapes.fit_circle(points)
        return _Feature("the centre of the fitted circle", circle.centre, upload.centre, still)
    plain = shape.contour.plain
    polygon = sharp_corners(plain, shape.contour.sigma)
    runs = [run for run in polygon.runs if len(run) >= LEAST_SIDE] if polygon else [
        run for run in coarse_runs(plain) if len(run) > LONG * len(plain) and _straight(plain[run])]
    edge = float(np.hypot(edge_doubt(shape), 0.03)) * grow
    uploads = tuple(plain[run] for run in runs)
    return _Feature("the centre of area", body.centre, shapes.moments(points).centre, edge if runs else still,
                    tuple(flat(side) for side in uploads), uploads)


def _straight(side: Points) -> bool:
    line = fit_line(side)
    return line is not None and line.sigma < STRAIGHT


def _point_to_side(a: _Feature, b: _Feature) -> Reading:
    point, sided = (b, a) if a.sides else (a, b)
    best = min(range(len(sided.sides)), key=lambda i: _reach(point.place, sided.sides[i]))
    away, sigma = _square(point.place, sided.sides[best])
    _, foot = _foot(point.original, sided.uploads[best])
    return Reading(away, float(np.sqrt(point.sigma**2 + sided.sigma**2 + sigma**2)), 1,
                   np.array([point.original, foot]), f"distance from {point.kind} square to the fitted side")


def _sides_apart(a: _Feature, b: _Feature) -> Reading:
    pairs = [(_gap(p, q), i, j) for i, p in enumerate(a.sides) for j, q in enumerate(b.sides)]
    gap, i, j = min(pairs)
    if not np.isfinite(gap):
        line = np.array([a.original, b.original])
        value = float(np.linalg.norm(a.place - b.place))
        return Reading(value, float(np.hypot(a.sigma, b.sigma)), 1, line,
                       "distance between the two centres of area (no two of their sides face each other)")
    middle = _facing(a.sides[i], b.sides[j])
    first, doubt_a = _square(middle, a.sides[i])
    second, doubt_b = _square(middle, b.sides[j])
    upload = (a.uploads[i].mean(axis=0) + b.uploads[j].mean(axis=0)) / 2
    line = np.array([_foot(upload, a.uploads[i])[1], _foot(upload, b.uploads[j])[1]])
    sigma = float(np.sqrt(a.sigma**2 + b.sigma**2 + doubt_a**2 + doubt_b**2))
    return Reading(first + second, sigma, 1, line, "distance between the two fitted sides that face each other")


def _gap(p: Points, q: Points) -> float:
    """Distance of two sides that run alike and overlap; infinite for others."""
    one, two = _axis(p), _axis(q)
    if abs(one[0] * two[1] - one[1] * two[0]) > PARALLEL:
        return float("inf")
    along = [np.sort(side @ one) for side in (p, q)]
    if min(along[0][-1], along[1][-1]) <= max(along[0][0], along[1][0]):
        return float("inf")
    return _square(p.mean(axis=0), q)[0]


def _facing(p: Points, q: Points) -> NDArray[np.float64]:
    """Point between two sides, in the middle of the stretch over which they face each other."""
    axis = _axis(p)
    across = np.array([-axis[1], axis[0]])
    low = max(float((p @ axis).min()), float((q @ axis).min()))
    high = min(float((p @ axis).max()), float((q @ axis).max()))
    level = (float((p @ across).mean()) + float((q @ across).mean())) / 2
    return np.asarray((low + high) / 2 * axis + level * across)


def _axis(side: Points) -> NDArray[np.float64]:
    line = fit_line(side)
    arm = side[-1] - side[0] if line is None else line.direction
    return np.asarray(arm / max(float(np.linalg.norm(arm)), 1e-9))


def _foot(point: NDArray[np.float64], side: Points) -> tuple[float, NDArray[np.float64]]:
    """Distance of a point from the line through a side, and its foot on it."""
    axis, centre = _axis(side), side.mean(axis=0)
    foot = centre + ((point - centre) @ axis) * axis
    return float(np.linalg.norm(point - foot)), foot


def _square(point: NDArray[np.float64], side: Points) -> tuple[float, float]:
    """Distance of a point from the line through a side, and the one sigma that the line's scatter gives it."""
    away, foot = _foot(point, side)
    line = fit_line(side)
    scatter = line.sigma if line else 0.5
    half = max(float(np.linalg.norm(side[-1] - side[0])) / 2, 1.0)
    lever = 1 + 3 * (float(np.linalg.norm(foot - side.mean(axis=0))) / half) ** 2
    return away, scatter * float(np.sqrt(lever / max(1.0, len(side) / 4)))


def _reach(point: NDArray[np.float64], side: Points) -> float:
    """Distance of a point from the stretch of a side, so that the facing side is the nearest."""
    return float(np.linalg.norm(side - point, axis=1).min())
