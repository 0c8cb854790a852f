"""Whether a line of text goes on beyond the box that the detector drew, as it does where dots stand apart."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points, RgbImage
from tools.pixels.grey import grey
from tools.reading.warp import straight

GAP, LEAST = 1.0, 0.5
"""Heights of the line: the widest gap inside it, and the least by which it must go on."""

REACH = 6.0
"""Heights of the line that are looked at beyond each end."""


def extended(pixels: RgbImage, corners: Points) -> Points | None:
    """The box of the whole line, or None if it ends where the box does.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        corners: (4, 2) px, clockwise, from where the text begins at the top.
    Source: columns whose contrast is nearer to the text's than to the ground's around it go with the text.
    """
    wide, high = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    share = REACH * float(high) / max(float(wide), 1.0)
    strip = straight(pixels, _stretched(corners, share, share))
    energy = _energy(strip)
    height, length = strip.shape[:2]
    start, end = round(length * share / (1 + 2 * share)), round(length * (1 + share) / (1 + 2 * share))
    inside, outside = float(np.quantile(energy[start:end], 0.6)), float(np.quantile(energy, 0.1))
    ink = energy > outside + 0.5 * (inside - outside)
    if inside < 1.5 * outside or _inside(pixels, corners) < 1:
        return None
    left, right = _until(ink[:start][::-1], height), _until(ink[end:], height)
    if max(left, right) < LEAST * height:
        return None
    margin = 0.3 * height
    grown = [(far + margin) / (end - start) if far >= LEAST * height else 0.0 for far in (left, right)]
    return _stretched(corners, grown[0], grown[1])


def _stretched(corners: Points, before: float, after: float) -> Points:
    """A box made longer by these shares of its length at its start and end."""
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    return np.array([corners[0] - before * top, corners[1] + after * top, corners[2] + after * bottom,
                     corners[3] - before * bottom])


def _energy(strip: RgbImage) -> NDArray[np.float64]:
    """Contrast of each column of a line, smoothed over a third of its height."""
    gray = cv2.GaussianBlur(grey(strip), (0, 0), max(1.0, strip.shape[0] / 40)).astype(np.float32)
    relief = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), strip.shape[0] / 4))
    width = max(1, strip.shape[0] // 3)
    return np.convolve(relief.mean(axis=0), np.ones(width) / width, mode="same")


def _until(ink: NDArray[np.bool_], height: int) -> int:
    """How far ink goes on without a gap that is too wide."""
    last = 0
    for x in np.flatnonzero(ink):
        if x - last > GAP * height:
            break
        last = int(x) + 1
    return last


def _inside(pixels: RgbImage, corners: Points) -> int:
    """How many of the four corners lie inside the picture."""
    height, width = pixels.shape[:2]
    return int(np.all((corners >= 0) & (corners <= (width, height)), axis=1).sum())
