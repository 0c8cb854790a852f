"""Where small text may be in a large picture, found cheaply, so that the detector looks only there."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Points

Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels."""

MOST_WINDOWS = 12
FEWEST_MARKS, MARGIN = 3, 40
LEAST_CONTRAST = 12.0
HEIGHTS = (7, 14, 28, 56)
"""Bounds of the octaves of height, in px, of characters that a reduced picture may have lost."""


def windows(gray: GrayImage, *, known: Sequence[Points], area: int) -> Iterator[Window]:
    """Windows of a large picture that hold rows of character-like marks, the one with most new marks first.

    Args:
        gray: (H, W) uint8. Never written to.
        known: (4, 2) corners of lines that were read; marks in them need no second look.
        area: Pixels of one window.
    Returns:
        At most `MOST_WINDOWS` windows inside the picture.
    Source: connected marks of local contrast in rows, after Neumann & Matas (2012), much simplified.
    """
    height, width = gray.shape
    side = int(np.sqrt(area))
    wide, high = min(width, max(side, area // height)), min(height, max(side, area // width))
    grid = [(x, y) for y in _starts(height, high) for x in _starts(width, wide)]
    marks = _unexplained(_marks_in_rows(gray), known)
    for _ in range(MOST_WINDOWS):
        counts = [int(_inside(marks, (x, y, x + wide, y + high)).sum()) for x, y in grid]
        best = int(np.argmax(counts))
        if counts[best] < FEWEST_MARKS:
            return
        x, y = grid[best]
        yield (x, y, x + wide, y + high)
        # A line that the window's edge cuts is left for the next one.
        left, top, right, bottom = (MARGIN * cut for cut in (x > 0, y > 0, x + wide < width, y + high < height))
        marks = marks[~_inside(marks, (x + left, y + top, x + wide - right, y + high - bottom))]
        grid.pop(best)
        if not grid:
            return


def _inside(marks: NDArray[np.float64], window: Window) -> NDArray[np.bool_]:
    return np.asarray(np.all((marks >= window[:2]) & (marks < window[2:]), axis=1), dtype=np.bool_)


def _unexplained(marks: NDArray[np.float64], known: Sequence[Points]) -> NDArray[np.float64]:
    """Marks that lie in no known line."""
    free = np.ones(len(marks), dtype=np.bool_)
    for corners in known:
        sides = np.roll(corners, -1, axis=0) - corners
        to_marks = marks[:, None] - corners[None]
        crossed = sides[None, :, 0] * to_marks[..., 1] - sides[None, :, 1] * to_marks[..., 0]
        free &= ~(np.all(crossed >= 0, axis=1) | np.all(crossed <= 0, axis=1))
    return marks[free]


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * 2 / 3))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _marks_in_rows(gray: GrayImage) -> NDArray[np.float64]:
    """(N, 2) centres of character-like marks that have at least two neighbours of like height beside them."""
    local = cv2.blur(gray, (31, 31))
    noise = 2.0 * float(np.median(cv2.absdiff(gray[::4, ::4], local[::4, ::4]))) + LEAST_CONTRAST
    kept = []
    for mask in (cv2.subtract(local, gray) > noise, cv2.subtract(gray, local) > noise):
        _, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        w, h, size = (stats[1:, key] for key in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        good = (h >= HEIGHTS[0]) & (h < HEIGHTS[-1]) & (w <= 2 * h) & (w >= 2) & (size >= 0.15 * w * h)
        marks = np.column_stack([centres[1:][good], h[good]])
        # By octaves of height: small marks are many, and their neighbours near.
        kept += [_in_rows(marks[(marks[:, 2] >= low) & (marks[:, 2] < 2 * low)]) for low in HEIGHTS[:-1]]
    return np.unique(np.concatenate(kept), axis=0)


def _in_rows(marks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (N, 3) marks of like height (x, y, height), the centres of those with two neighbours."""
    if len(marks) < 3:
        return np.empty((0, 2))
    from scipy.spatial import cKDTree

    reach = 2.0 * float(marks[:, 2].max())
    second = np.asarray(cKDTree(marks[:, :2]).query(marks[:, :2], k=3, distance_upper_bound=reach)[0])[:, 2]
    return np.asarray(marks[second < 2.0 * marks[:, 2], :2], dtype=np.float64)
