"""Shape of a region: length, width, straightness, roundness; and which pieces are one thing."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.detection.spots import Spot, united


@dataclass(frozen=True)
class Shape:
    """Geometry of a region, px."""

    length: float
    """Along the middle line for long things, the longer side of the smallest turned rectangle for others."""
    width: float
    area: float
    bend: float
    """Distance of the middle line from a parabola, as a share of the length: small for a scratch, large for a crack."""
    solid: float
    """Area over the area of the convex hull."""
    boxed: float
    """Filled outline over its smallest turned rectangle: 1 for a rectangle."""
    round: float
    """Filled outline over an ellipse of its moments' axes, at most 1."""
    hole: float
    """Share of the filled outline that is open."""

    @property
    def slender(self) -> float:
        return self.length / max(self.width, 1.0)


def outline(spot: Spot) -> NDArray[np.int32]:
    """(N, 2) int32 outer contour of the largest part, picture pixels."""
    framed = np.pad(spot.mask, 1).astype(np.uint8)
    contours, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea) if contours else np.zeros((1, 1, 2), np.int32)
    return np.asarray(largest.reshape(-1, 2) + (spot.box[0] - 1, spot.box[1] - 1), np.int32)


def _filled(spot: Spot) -> NDArray[np.bool_]:
    framed = np.pad(spot.mask, 1).astype(np.uint8)
    contours, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = cv2.drawContours(np.zeros_like(framed), contours, -1, 1, -1)
    return np.asarray(solid[1:-1, 1:-1] > 0)


def _middle_line(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Length of the middle line, its distance from a parabola, and the extent along the main axis."""
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(centred.T) + 1e-9 * np.eye(2))
    along, across = centred @ vectors[:, 1], centred @ vectors[:, 0]
    extent = float(along.max() - along.min()) + 1
    step = max(2.0, extent / 60)
    cells = ((along - along.min()) / step).astype(int)
    counts = np.bincount(cells)
    filled = counts > 0
    middle = np.bincount(cells, across)[filled] / counts[filled]
    at = (np.arange(len(counts)) * step)[filled]
    if len(at) < 5:
        return extent, 0.0, extent
    rest = middle - np.polyval(np.polyfit(at, middle, 2), at)
    path = float(np.hypot(np.diff(at), np.diff(middle)).sum()) + step
    return max(path, extent), float(np.sqrt(np.mean(rest**2))) / extent, extent


def shape_of(spot: Spot) -> Shape:
    """Measure a region."""
    solid = _filled(spot)
    area, full = float(spot.area), float(np.count_nonzero(solid))
    ys, xs = np.nonzero(solid)
    points = np.column_stack([xs, ys]).astype(np.float32)
    (_, (side_a, side_b), _) = cv2.minAreaRect(points)
    long_side, short_side = max(side_a, side_b) + 1, min(side_a, side_b) + 1
    hull = cv2.convexHull(points)
    hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
    spread = np.linalg.eigvalsh(np.cov(points.T) if len(points) > 2 else np.eye(2))
    ellipse = 4 * np.pi * float(np.sqrt(max(spread[0], 1 / 12) * max(spread[1], 1 / 12)))
    path, bend, _ = _middle_line(points.astype(np.float64)) if len(points) > 4 else (long_side, 0.0, long_side)
    width = area / path
    if long_side / max(short_side, 1.0) < 3 and path / max(width, 1.0) < 5:
        path, width = long_side, short_side
    return Shape(length=float(path), width=float(width), area=area, bend=bend, solid=min(full / hull_area, 1.0),
                 boxed=full / (long_side * short_side), round=min(full / ellipse, ellipse / full),
                 hole=1 - area / full)


def _gap(first: NDArray[np.int32], second: NDArray[np.int32]) -> float:
    a, b = first[:: max(1, len(first) // 150)], second[:: max(1, len(second) // 150)]
    return float(np.sqrt(((a[:, None].astype(np.float64) - b[None]) ** 2).sum(axis=2).min()))


def _box_gap(a: Spot, b: Spot) -> float:
    return float(max(a.box[0] - b.box[2], b.box[0] - a.box[2], a.box[1] - b.box[3], b.box[1] - a.box[3], 0))


def _one_thing(a: Spot, b: Spot) -> bool:
    """Whether two regions are pieces of one: they touch, or one is the straight or near continuation of the other."""
    if a.sign != b.sign or _box_gap(a, b) > 60:
        return False
    gap = _gap(outline(a), outline(b))
    if gap <= 4:
        return True
    shapes = (shape_of(a), shape_of(b))
    main = max(shapes, key=lambda s: s.length)
    if main.slender < 4 or gap > 0.5 * (shapes[0].length + shapes[1].length):
        return False
    whole = shape_of(united(a, b))
    thick = max(s.width for s in shapes)
    straight = whole.bend * whole.length <= 0.5 * thick + 1 and whole.length / max(whole.area / whole.length, 1) > 5
    slim = thick <= 3 * min(max(s.width, 1.0) for s in shapes)
    return slim and (straight or (gap <= 0.2 * main.length and whole.slender >= main.slender))


def joined(spots: list[Spot]) -> list[Spot]:
    """Pieces of one thing put together, strongest first."""
    rest, done = sorted(spots, key=lambda s: -s.area), []
    while rest:
        whole = rest.pop(0)
        merged = True
        while merged:
            merged = False
            for i, other in enumerate(rest):
                if _one_thing(whole, other):
                    whole, merged = united(whole, rest.pop(i)), True
                    break
        done.append(whole)
    return sorted(done, key=lambda s: -s.strength)
