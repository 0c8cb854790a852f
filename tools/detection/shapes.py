"""Shape of a region: length, width, straightness, roundness; and which pieces are one thing."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.detection.field import Field
from tools.detection.spots import Spot, cut, grown, united

TOUCHING, NEAR, FAR = 4, 10, 60
"""Gaps in px: always one thing, one thing if one of the two is long and both are thin, never one thing."""
BRIDGE = 0.3
"""Evidence between two pieces, in units of the threshold, that makes them one; noise alone shows less than 0.15."""


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
    return np.asarray(largest.reshape(-1, 2) + np.array(spot.box[:2]) - 1, np.int32)


def step_of(field: Field, spot: Spot) -> float:
    """Share of a region's contrast that its border takes within a few px: near 1 for a thing, below 0.4 for a shade."""
    box = grown(spot.box, 6, field.shape)
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    dx, dy = spot.box[0] - box[0], spot.box[1] - box[1]
    mask[dy:dy + spot.mask.shape[0], dx:dx + spot.mask.shape[1]] = spot.mask
    disc = np.ones((9, 9), np.uint8)
    inside = (mask > 0) & (cv2.erode(mask, disc, borderType=cv2.BORDER_REPLICATE) == 0)
    outside = (mask == 0) & (cv2.dilate(mask, disc) > 0)
    if not inside.any() or not outside.any():
        return 0.0
    near = cut(field, box)
    return float((near[inside].mean() - near[outside].mean()) / spot.contrast)


def _edge(spot: Spot) -> NDArray[np.int32]:
    """(N, 2) int32 points of all outer contours, picture pixels."""
    contours, _ = cv2.findContours(np.pad(spot.mask, 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(np.concatenate(contours).reshape(-1, 2) + np.array(spot.box[:2]) - 1, np.int32)


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


def softness(field: Field, spot: Spot, shape: Shape) -> float:
    """Width of a region's border in px, between a quarter and three quarters of its contrast, taken all around."""
    reach = int(max(6, 0.3 * shape.width))
    box = grown(spot.box, reach, field.shape)
    side = spot.sign * cv2.GaussianBlur(cut(field, box), (0, 0), 1.0) / max(abs(spot.contrast), 1.0)
    mask = np.zeros(side.shape, np.uint8)
    dx, dy = spot.box[0] - box[0], spot.box[1] - box[1]
    mask[dy:dy + spot.mask.shape[0], dx:dx + spot.mask.shape[1]] = spot.mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach - 1, 2 * reach - 1))
    ring = (cv2.dilate(mask, disc) > 0) & (cv2.erode(mask, disc) == 0)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    around = sum(cv2.arcLength(contour, True) for contour in contours)
    return float(np.count_nonzero(ring & (side > 0.25) & (side < 0.75)) / max(around, 1.0))


def _nearest(first: NDArray[np.int32], second: NDArray[np.int32]) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """Smallest distance between two outlines, and where it is."""
    a, b = first[:: max(1, len(first) // 150)], second[:: max(1, len(second) // 150)]
    apart = ((a[:, None].astype(np.float64) - b[None]) ** 2).sum(axis=2)
    i, j = np.unravel_index(int(np.argmin(apart)), apart.shape)
    return float(np.sqrt(apart[i, j])), (int(a[i, 0]), int(a[i, 1])), (int(b[j, 0]), int(b[j, 1]))


def _box_gap(a: Spot, b: Spot) -> float:
    return float(max(a.box[0] - b.box[2], b.box[0] - a.box[2], a.box[1] - b.box[3], b.box[1] - a.box[3], 0))


def _bridged(heat: Field, start: tuple[int, int], end: tuple[int, int]) -> bool:
    """Whether weaker evidence runs all the way from one point to another."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1) + 1
    xs = np.rint(np.linspace(start[0], end[0], count)).astype(int)
    ys = np.rint(np.linspace(start[1], end[1], count)).astype(int)
    seen = [heat[max(y - 3, 0):y + 4, max(x - 3, 0):x + 4].max() for x, y in zip(xs, ys, strict=True)]
    return float(np.median(seen)) >= BRIDGE


def _one_thing(a: Spot, b: Spot, heat: Field) -> bool:
    """Whether two regions are pieces of one: they touch, or a long thin one goes on in the other."""
    if a.sign != b.sign or _box_gap(a, b) > FAR:
        return False
    gap, start, end = _nearest(_edge(a), _edge(b))
    if gap <= TOUCHING:
        return True
    shapes = (shape_of(a), shape_of(b))
    main = max(shapes, key=lambda s: s.length)
    thin, thick = sorted(s.width for s in shapes)
    if thick > 2.5 * thin + 3 or gap > shapes[0].length + shapes[1].length:
        return False
    if main.slender < 2.5:
        return thick <= 6 and gap <= NEAR and _bridged(heat, start, end)
    if gap <= max(NEAR, 0.12 * main.length) or _bridged(heat, start, end):
        return True
    whole = shape_of(united(a, b))
    straight = whole.bend * whole.length <= 0.5 * thick + 1 and whole.slender >= 5
    return straight and main.slender >= 4 and gap <= 0.5 * (shapes[0].length + shapes[1].length)


def joined(spots: list[Spot], heat: Field) -> list[Spot]:
    """Pieces of one thing put together, strongest first.

    Args:
        spots: Regions that stand out.
        heat: (H, W) float32 evidence, 1 at the threshold: faint evidence between two pieces joins them.
    """
    rest, done = sorted(spots, key=lambda s: -s.area), []
    while rest:
        whole = rest.pop(0)
        merged = True
        while merged:
            merged = False
            for i, other in enumerate(rest):
                if _one_thing(whole, other, heat):
                    whole, merged = united(whole, rest.pop(i)), True
                    break
        done.append(whole)
    return sorted(done, key=lambda s: -s.strength)
