"""Contours that are made of straight sides: their true corners, which smoothing rounds off."""

import cv2
import numpy as np

from kenpin.contracts.view import Points
from tools.measuring.lines import Line, fit_line

SHARED = 3.0
"""Neighbouring points share pixels: only every third counts as independent."""
LOOSE = 0.4
"""Scatter about a side from which on nothing can be said, px."""
COARSE = 1.5
"""How far the first polygon may lie off the contour, px."""
MOST_SIDES = 12
END = 3
"""Part of a side next to a corner that smoothing has rounded, px."""
ROUNDED = 8
"""Sides shorter than this are what smoothing made of a corner, px."""
BULGE = 0.06
"""How far the middle of a straight side may lie off its ends, px; noise is allowed for on top."""


def sharp_corners(points: Points) -> Points | None:
    """Corners of a contour that is a polygon.

    Args:
        points: (N, 2) closed sub-pixel contour, about one point a pixel.
    Returns:
        (M, 2) where the fitted sides meet, in order; None if the contour has bent or very short sides.
    Source: Douglas and Peucker 1973 for the number of sides, total least squares for each.
    """
    coarse = cv2.approxPolyDP(points.astype(np.float32), COARSE, closed=True).reshape(-1, 2).astype(np.float64)
    if not 3 <= len(coarse) <= MOST_SIDES:
        return None
    starts = [int(np.argmin(((points - corner) ** 2).sum(axis=1))) for corner in coarse]
    sides: list[Line] = []
    for start, stop in zip(starts, [*starts[1:], starts[0]], strict=True):
        run = points[np.arange(start, stop if stop > start else stop + len(points)) % len(points)]
        if len(run) < ROUNDED:
            continue
        end = max(END, round(0.1 * len(run)))
        line = _straight(run[end:len(run) - end]) if len(run) >= 2 * end + 6 else None
        if line is None:
            return None
        sides.append(line)
    if len(sides) < 3:
        return None
    corners = np.array([sides[i - 1].meet(sides[i]) for i in range(len(sides))])
    if not np.isfinite(corners).all():
        return None
    apart = np.sqrt(((corners[:, None] - points[None]) ** 2).sum(axis=2)).min(axis=1)
    return corners if apart.max() < ROUNDED / 2 else None


def _straight(run: Points) -> Line | None:
    """The line through a side, or None if the side is bent: its middle then lies to one side of its ends."""
    line = fit_line(run)
    if line is None:
        return None
    across = (run - line.centre) @ np.array([-line.direction[1], line.direction[0]])
    third = len(run) // 3
    bulge = float(across[third:-third].mean() - np.concatenate([across[:third], across[-third:]]).mean())
    noise = line.sigma * float(np.sqrt(SHARED / third))
    return line if abs(bulge) < BULGE + 2 * noise and line.sigma < LOOSE else None
