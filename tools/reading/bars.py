"""Bar codes that are turned, so that no scan along rows or columns of pixels crosses every bar."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Points

MOST = 8
"""Areas that are looked at, the largest first."""

COHERENT, STRONG = 0.8, 0.15
"""Share of the gradient that has one direction, and share of the strongest one's energy, from which an area is bars."""

LEAST = 18
"""Px: a code is at least this high, and at least this much longer than that is never asked of it."""

QUIET = 0.2
"""Of the length and height: ground around, since codes need quiet zones and areas end short of their edges."""

HEIGHT, LONGEST = 96, 1600
"""Px of an upright code; its length is doubled, which finer bars need, up to the longest."""


def bars(gray: GrayImage) -> Iterator[tuple[GrayImage, Points]]:
    """Areas of parallel bars, turned upright, with (4, 2) px corners of their places in `gray`.

    Args:
        gray: (H, W) uint8. Never written to.
    Source: coherence of the structure tensor (Bigun and Granlund 1987) at two scales.
    """
    seen: list[Points] = []
    for size in (15, 31):
        for place in _areas(gray, size):
            if all(float(np.linalg.norm(place.mean(axis=0) - other.mean(axis=0))) > size for other in seen):
                seen.append(place)
                yield _upright(gray, place), place


def _areas(gray: GrayImage, size: int) -> list[Points]:
    soft = cv2.GaussianBlur(gray, (0, 0), 1.0)
    dx, dy = (cv2.Sobel(soft, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.blur(one, (size, size)) for one in (dx * dx, dy * dy, dx * dy))
    energy = xx + yy
    coherent = np.hypot(xx - yy, 2 * xy) > COHERENT * energy
    strong = energy > STRONG * float(energy.max())
    _, labels, stats, _ = cv2.connectedComponentsWithStats((coherent & strong).astype(np.uint8))
    places = []
    for i in np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:MOST] + 1:
        x, y, w, h = (int(v) for v in stats[i, :4])
        if max(w, h) < LEAST:
            continue
        part = (slice(y, y + h), slice(x, x + w))
        own = labels[part] == i
        sums = [float(one[part][own].sum()) for one in (xx, yy, xy)]
        places.append(_place(np.argwhere(own)[:, ::-1] + (x, y), 0.5 * np.arctan2(2 * sums[2], sums[0] - sums[1])))
    return [place for place in places if _sides(place)[1] >= LEAST]


def _place(points: NDArray[np.int64], across: float) -> Points:
    """Box around points whose first side runs along `across`, radians, with quiet zones."""
    axes = np.array([[np.cos(across), np.sin(across)], [-np.sin(across), np.cos(across)]])
    along = points @ axes.T
    low, high = np.quantile(along, 0.005, axis=0), np.quantile(along, 0.995, axis=0)
    pad = QUIET * (high - low)
    (x0, y0), (x1, y1) = low - pad, high + pad
    return np.asarray(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) @ axes, np.float64)


def _sides(place: Points) -> tuple[float, float]:
    return float(np.linalg.norm(place[1] - place[0])), float(np.linalg.norm(place[3] - place[0]))


def _upright(gray: GrayImage, place: Points) -> GrayImage:
    length, height = _sides(place)
    size = (int(min(LONGEST, max(32, 2 * length))), int(min(HEIGHT, max(16, height))))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(place.astype(np.float32), target)
    return np.asarray(cv2.warpPerspective(gray, matrix, size, flags=cv2.INTER_CUBIC,
                                          borderMode=cv2.BORDER_REPLICATE), np.uint8)
