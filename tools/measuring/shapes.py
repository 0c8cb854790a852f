"""Numbers of a closed sub-pixel contour: area, extent, circle, axis."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points


@dataclass(frozen=True)
class Moments:
    """Area, centre and long axis of a polygon."""

    area: float
    centre: NDArray[np.float64]
    axis: NDArray[np.float64]
    """(2,) unit vector of the long axis."""
    elongation: float
    """Length over width of the ellipse with the same moments, at least 1."""


@dataclass(frozen=True)
class Extent:
    """Rectangle around a contour."""

    length: float
    width: float
    ends: Points
    """(4, 2): two end points of the length, then of the width."""
    angle_deg: float
    """Of the length against the horizontal, counter-clockwise positive, in (-90, 90]."""


@dataclass(frozen=True)
class Circle:
    """Fitted circle."""

    centre: NDArray[np.float64]
    radius: float
    scatter: float
    """Root mean square distance of the contour from the circle, px."""


def moments(points: Points) -> Moments:
    """Area moments of the polygon through (N, 2) points, by Green's theorem."""
    shift = points.mean(axis=0)
    x, y = (points - shift).T
    u, v = np.roll(x, -1), np.roll(y, -1)
    cross = x * v - u * y
    area = float(cross.sum()) / 2
    if abs(area) < 1e-9:
        return Moments(0.0, shift, np.array([1.0, 0.0]), 1.0)
    cx, cy = float(((x + u) * cross).sum()) / (6 * area), float(((y + v) * cross).sum()) / (6 * area)
    xx = float(((x * x + x * u + u * u) * cross).sum()) / (12 * area) - cx * cx
    yy = float(((y * y + y * v + v * v) * cross).sum()) / (12 * area) - cy * cy
    xy = float(((x * v + 2 * x * y + 2 * u * v + u * y) * cross).sum()) / (24 * area) - cx * cy
    spread, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    ratio = float(np.sqrt(max(spread[1], 1e-12) / max(spread[0], 1e-12)))
    return Moments(abs(area), np.array([cx, cy]) + shift, axes[:, 1], ratio)


def perimeter(points: Points) -> float:
    """Length of the closed polygon through (N, 2) points."""
    return float(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum())


def axis_angle(direction: NDArray[np.float64]) -> float:
    """Angle of an undirected axis against the horizontal, degrees in (-90, 90], counter-clockwise positive (y up)."""
    angle = float(np.degrees(np.arctan2(-direction[1], direction[0])))
    return angle - 180 if angle > 90 else angle + 180 if angle <= -90 else angle


def extent(points: Points) -> Extent:
    """Smallest rectangle around a contour, its sides placed on the edges that face them.

    The outermost noisy point would make every length too long, so a side lies at the median of the contour points
    near it where the contour runs along it, and at the outermost point where it does not.

    Source: minimum-area rectangle, Freeman and Shapira 1975 (OpenCV minAreaRect).
    """
    (_, _), size, turn = cv2.minAreaRect(points.astype(np.float32))
    theta = np.radians(turn)
    first = np.array([np.cos(theta), np.sin(theta)])
    if size[1] > size[0]:
        first = np.array([-first[1], first[0]])
    second = np.array([-first[1], first[0]])
    middle = points.mean(axis=0)
    low, high = side_places(points, first, second)
    near, far = side_places(points, second, first)
    centre = middle + ((low + high) / 2 - middle @ first) * first + ((near + far) / 2 - middle @ second) * second
    along, across = (high - low) / 2 * first, (far - near) / 2 * second
    ends = np.array([centre - along, centre + along, centre - across, centre + across])
    length, width = high - low, far - near
    if width > length:
        length, width, ends, first = width, length, ends[[2, 3, 0, 1]], second
    return Extent(length=float(length), width=float(width), ends=ends, angle_deg=axis_angle(first))


def side_places(points: Points, axis: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Where a contour ends along an axis, at both ends."""
    along, across = points @ axis, points @ other
    span = float(np.ptp(across))
    ends = []
    for sign in (-1.0, 1.0):
        outer = float((sign * along).max())
        near = sign * along > outer - 1.5
        run = float(np.ptp(across[near])) if near.any() else 0.0
        face = near & (np.abs(across - np.median(across[near])) < 0.4 * run)
        ends.append(sign * (float(np.median(sign * along[face])) if run > 0.6 * span and face.sum() > 4 else outer))
    return ends[0], ends[1]


def feret(points: Points) -> tuple[float, Points]:
    """Largest distance between two points of a contour, and the two points."""
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    gap = np.linalg.norm(hull[:, None] - hull[None], axis=2)
    i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return float(gap[i, j]), hull[[int(i), int(j)]]


def caliper(points: Points) -> tuple[float, Points]:
    """Smallest distance between two parallel lines that hold a contour between them, and a point on each line.

    Source: rotating calipers, Toussaint 1983: one of the two lines lies on a side of the convex hull.
    """
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    side = np.roll(hull, -1, axis=0) - hull
    long = np.linalg.norm(side, axis=1)
    keep = long > 1e-6
    across = np.column_stack([-side[keep, 1], side[keep, 0]]) / long[keep, None]
    reach = np.abs((hull[None] - hull[keep][:, None]) @ across[..., None])[..., 0]
    far = reach.max(axis=1)
    best = int(np.argmin(far))
    tip = hull[int(np.argmax(reach[best]))]
    foot = tip - ((tip - hull[keep][best]) @ across[best]) * across[best]
    return float(far[best]), np.array([foot, tip])


def fit_circle(points: Points) -> Circle:
    """Circle through (N, 2) points, without those far off it.

    Source: Kasa 1976 as start, then geometric least squares with Gauss-Newton, points beyond three sigma left out.
    """
    keep = points
    centre, radius, away = _kasa(points)
    for _ in range(6):
        arm = keep - centre
        distance = np.linalg.norm(arm, axis=1)
        jacobian = np.column_stack([-arm / distance[:, None], -np.ones(len(keep))])
        step = np.linalg.lstsq(jacobian, -(distance - radius), rcond=None)[0]
        centre, radius = centre + step[:2], radius + float(step[2])
        away = np.linalg.norm(points - centre, axis=1) - radius
        spread = 1.4826 * float(np.median(np.abs(away)))
        inlier = np.abs(away) <= 3 * max(spread, 0.1)
        if inlier.sum() >= 6:
            keep = points[inlier]
    inlying = np.linalg.norm(keep - centre, axis=1) - radius
    return Circle(centre=centre, radius=float(radius), scatter=float(np.sqrt(np.mean(inlying**2))))


def _kasa(points: Points) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    middle = points.mean(axis=0)
    x, y = (points - middle).T
    solution = np.linalg.lstsq(np.column_stack([x, y, np.ones(len(x))]), x * x + y * y, rcond=None)[0]
    radius = float(np.sqrt(max(solution[2] + (solution[0] ** 2 + solution[1] ** 2) / 4, 1e-6)))
    centre = middle + solution[:2] / 2
    return centre, radius, np.linalg.norm(points - centre, axis=1) - radius


def roundness(points: Points) -> float:
    """4 pi area / perimeter squared: 1 for a circle, 0 for a line (circularity, ISO 9276-6)."""
    around = perimeter(points)
    return float(min(1.0, 4 * np.pi * moments(points).area / around**2)) if around > 0 else 0.0
