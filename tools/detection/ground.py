"""A part before a plain background: which pixels are the part, and whether its outline is whole."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask, RgbImage
from tools.detection.field import Field
from tools.detection.spots import Spot
from tools.pixels.grey import robust_sigma

SMALL_SIDE = 160
CLEAR = 0.88
"""Share of the variance that two classes must explain; one even surface reaches 0.64, a steady slope of light 0.75."""
APART = 20.0
"""Least difference of part and background, grey levels."""
LEAST_PART, MOST_PART = 0.25, 0.97
OFF = 3.0
"""Distance from the fitted outline from which a stretch is not part of it, px."""
CORNER = 25
"""A corner may be round: nothing is said about the outline this close to one, px."""


@dataclass(frozen=True)
class Ground:
    """Where the part is, and what is known of its outline."""

    part: Mask
    """(H, W) bool, holes filled."""
    simple: bool
    """True if the outline is an ellipse or a polygon of few sides, so that a flaw in it would show."""
    flaws: tuple[Spot, ...]
    """Bites out of the outline."""


def _classes(values: Field) -> tuple[float, float, float]:
    """Otsu's threshold of a small picture, the share of variance that it explains, and the distance of the classes."""
    low, high = float(values.min()), float(values.max())
    scale = 255 / max(high - low, 1e-6)
    level, _ = cv2.threshold(np.rint((values - low) * scale).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    cut = low + (level + 0.5) / scale
    upper = values > cut
    if upper.all() or not upper.any():
        return cut, 0.0, 0.0
    share = float(upper.mean())
    apart = float(values[upper].mean() - values[~upper].mean())
    return cut, share * (1 - share) * apart**2 / max(float(values.var()), 1e-6), apart


def _rough(grey: Field, mask: Mask) -> float:
    """Contrast of fine texture inside a mask, grey levels."""
    fine = grey - cv2.blur(grey, (9, 9))
    inner = cv2.erode(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    return robust_sigma(fine[inner]) if np.count_nonzero(inner) > 200 else 99.0


def _largest(mask: Mask) -> Mask:
    """The largest connected part, its holes filled."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(solid, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return np.asarray(solid > 0)


def _part(channel: Field, cut: float) -> Mask | None:
    upper = cv2.GaussianBlur(channel, (0, 0), 1.0) > cut
    ring = np.concatenate([upper[0], upper[-1], upper[:, 0], upper[:, -1]])
    share = float(ring.mean())
    if 0.3 < share < 0.7:
        part = upper if upper.mean() > 0.5 else ~upper
    else:
        part = ~upper if share >= 0.7 else upper
    whole = _largest(part)
    coherent = np.count_nonzero(part & whole) >= 0.95 * np.count_nonzero(part)
    return whole if coherent and LEAST_PART <= whole.mean() <= MOST_PART else None


def find_ground(pixels: RgbImage, grey: Field) -> Ground | None:
    """Tell a part from a plain background.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        grey: (H, W) float32, the same in grey.
    Returns:
        None if the picture is not plainly one part before one background: one surface all over, or more than two tones.
    Source: Otsu's threshold (1979) on the channel whose two classes are clearest.
    """
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    step = max(1.0, max(grey.shape) / SMALL_SIDE)
    size = (round(grey.shape[1] / step), round(grey.shape[0] / step))
    best: tuple[float, float, Field] | None = None
    for channel in (grey, red - green, np.asarray(blue - (red + green) / 2, np.float32)):
        cut, clear, apart = _classes(np.asarray(cv2.resize(channel, size, interpolation=cv2.INTER_AREA), np.float32))
        if apart >= APART and clear >= CLEAR and (best is None or clear > best[0]):
            best = (clear, cut, channel)
    if best is None or (part := _part(best[2], best[1])) is None:
        return None
    if _rough(grey, ~part) > 1.2 * _rough(grey, part) + 0.5:
        return None
    simple, flaws = _outline(part)
    return Ground(part, simple, flaws)


def _on_border(points: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x <= 1) | (y <= 1) | (x >= shape[1] - 2) | (y >= shape[0] - 2))


def _outline(part: Mask) -> tuple[bool, tuple[Spot, ...]]:
    """Whether the outline is a simple shape, and the bites out of it."""
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = max(contours, key=len)
    points = line.reshape(-1, 2)
    inside = ~_on_border(points, part.shape)
    if not inside.any():
        return True, ()
    ideal = np.zeros(part.shape, np.uint8)
    corners = np.zeros((0, 2))
    centre, axes, turn = cv2.fitEllipse(line)
    cv2.ellipse(ideal, (centre, axes, turn), 1, -1)
    if not _follows(points[inside], ideal, 0.85):
        hull = cv2.convexHull(line)
        polygon = cv2.approxPolyDP(hull, 0.008 * cv2.arcLength(hull, True), True)
        corners = polygon.reshape(-1, 2).astype(np.float64)
        ideal[:] = 0
        cv2.fillPoly(ideal, [polygon], 1)
        if len(corners) > 8 or not _follows(points[inside], ideal, 0.85):
            return False, ()
    off = _distance(ideal)[points[:, 1], points[:, 0]] > OFF
    near = np.zeros(len(points), bool)
    if len(corners):
        near = np.hypot(*(points[:, None] - corners[None]).transpose(2, 0, 1)).min(axis=1) < CORNER
    flaws = _bites(ideal, part) if (off & ~near & inside).any() else ()
    return not (off & near & inside).any(), flaws


def _distance(ideal: NDArray[np.uint8]) -> Field:
    """Distance of each pixel from the outline of a filled shape, px."""
    inner = cv2.distanceTransform(np.pad(ideal, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    outer = cv2.distanceTransform(1 - ideal, cv2.DIST_L2, 3)
    return np.asarray(np.maximum(inner, outer) - 1, np.float32)


def _follows(points: NDArray[np.int32], ideal: NDArray[np.uint8], share: float) -> bool:
    return float(np.mean(_distance(ideal)[points[:, 1], points[:, 0]] <= OFF - 1)) >= share


def _bites(ideal: NDArray[np.uint8], part: Mask) -> tuple[Spot, ...]:
    """What the fitted outline holds and the part does not."""
    lost = cv2.morphologyEx(((ideal > 0) & ~part).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(lost, connectivity=8)
    found = []
    for label in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[label])
        if area >= 3 * OFF**2:
            mask = labels[y:y + h, x:x + w] == label
            found.append(Spot((x, y, x + w, y + h), mask, contrast=-1.0, strength=1 + min(area / 200, 2.0)))
    return tuple(found)
