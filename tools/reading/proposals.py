"""Where small text may be in a large picture, found cheaply, so that the detector looks only there."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage

Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels."""

MOST_WINDOWS = 12
HEIGHT_RANGE = (7, 60)
"""Height in px of characters that a reduced picture may have lost."""


def windows(gray: GrayImage, *, area: int) -> tuple[Window, ...]:
    """Windows of a large picture that hold rows of character-like marks, most such marks first.

    Args:
        gray: (H, W) uint8. Never written to.
        area: Pixels of one window.
    Returns:
        At most `MOST_WINDOWS` windows inside the picture; they overlap by a sixth.
    Source: connected marks of local contrast in rows, after Neumann & Matas (2012), much simplified.
    """
    height, width = gray.shape
    side = int(np.sqrt(area))
    starts_y, starts_x = _starts(height, side), _starts(width, side)
    centres = _marks_in_rows(gray)
    scored = []
    for y in starts_y:
        for x in starts_x:
            inside = np.all((centres >= (x, y)) & (centres < (x + side, y + side)), axis=1)
            if count := int(inside.sum()):
                scored.append((-count, y, x))
    return tuple((x, y, min(x + side, width), min(y + side, height)) for _, y, x in sorted(scored)[:MOST_WINDOWS])


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * 5 / 6))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _marks_in_rows(gray: GrayImage) -> NDArray[np.float64]:
    """(N, 2) centres of character-like marks that have at least two neighbours of like height beside them."""
    local = cv2.blur(gray, (31, 31))
    noise = 2.0 * float(np.median(cv2.absdiff(gray, local))) + 12.0
    low, high = HEIGHT_RANGE
    kept = []
    for mask in (cv2.subtract(local, gray) > noise, cv2.subtract(gray, local) > noise):
        _, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        w, h, size = stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_AREA]
        good = (h >= low) & (h <= high) & (w <= 2 * h) & (w >= 2) & (size >= 0.15 * w * h)
        kept.append(np.column_stack([centres[1:][good], h[good]]))
    marks = np.concatenate(kept)
    if len(marks) < 3:
        return np.empty((0, 2))
    from scipy.spatial import cKDTree

    near = cKDTree(marks[:, :2]).query_pairs(2.0 * high, output_type="ndarray")
    one, other = marks[near[:, 0]], marks[near[:, 1]]
    tall = np.maximum(one[:, 2], other[:, 2])
    alike = (np.minimum(one[:, 2], other[:, 2]) > 0.6 * tall) & (np.hypot(*(one - other)[:, :2].T) < 2.0 * tall)
    neighbours = np.bincount(near[alike].ravel(), minlength=len(marks))
    return np.asarray(marks[neighbours >= 2, :2], dtype=np.float64)
