"""Whether two pictures are one and the same shot, even if one was stored or sized anew."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import RgbImage
from tools.pixels.grey import grey

Field = NDArray[np.float32]
OVERVIEW = 128
"""Longer side of the copies that are held against each other first, px."""
ALIKE, WORST = 2.0, 8.0
"""Mean difference of the overviews, and the one that 99.5 % of them stay below, grey levels, of one shot."""
GRAIN = 0.25
"""Correlation of the grain where nothing has edges, from which on it is one shot. Of 12 real and drawn pictures a JPEG
of quality 75 keeps 0.29 and more on all but one, half the size 0.88 and more; two parts of one kind that lie almost
alike agree by 0.23 at most."""
QUIET = 0.35
"""Grain below this, grey levels, says nothing; then only pictures that are equal to a grey level are one shot."""
LOCAL = 12.0
"""A difference in one place this many times larger than usual is a defect, not coding."""
MOST_SIDE = 1400


def same_shot(one: RgbImage, other: RgbImage) -> bool:
    """Whether both come from one exposure.

    Fixed cameras take many pictures that look alike, so likeness is not enough: the noise of the sensor and the grain
    of the surface must agree too, where the picture has no edges.

    Args:
        one: (H, W, 3) uint8 RGB.
        other: The same, of any size; the shapes of the two must agree within one percent.
    """
    if abs(one.shape[1] / one.shape[0] / (other.shape[1] / other.shape[0]) - 1) > 0.01:
        return False
    first, second = _overview(one), _overview(other, _size(one))
    gap = np.abs(first - second)
    if float(gap.mean()) > ALIKE or float(np.quantile(gap, 0.995)) > WORST:
        return False
    width, height = (min(a, b) for a, b in zip(one.shape[1::-1], other.shape[1::-1], strict=True))
    shrink = min(1.0, MOST_SIDE / max(width, height))
    size = (max(8, round(width * shrink)), max(8, round(height * shrink)))
    a, b = (np.asarray(cv2.resize(grey(p), size, interpolation=cv2.INTER_AREA), dtype=np.float32) for p in (one, other))
    return _same_grain(a, b)


def _size(pixels: RgbImage) -> tuple[int, int]:
    shrink = min(1.0, OVERVIEW / max(pixels.shape[:2]))
    return (max(4, round(pixels.shape[1] * shrink)), max(4, round(pixels.shape[0] * shrink)))


def _overview(pixels: RgbImage, size: tuple[int, int] | None = None) -> Field:
    return np.asarray(cv2.resize(grey(pixels), size or _size(pixels), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _same_grain(a: Field, b: Field) -> bool:
    """Whether the fine residue of two grey pictures agrees where neither has edges."""
    grains = [light - cv2.GaussianBlur(light, (0, 0), 1.5) for light in (a, b)]
    calm = [_calm(light) for light in (a, b)]
    both, either = calm[0] & calm[1], calm[0] | calm[1]
    one, two = (grain[both] for grain in grains)
    if both.sum() < 64 or min(float(one.std()), float(two.std())) < QUIET:
        return float(np.abs(a - b).max()) <= 1.0
    gap = np.abs(cv2.blur(a - b, (3, 3)))
    if float(gap[either].max()) > max(LOCAL * float(gap[either].mean()), 3.0):
        return False
    return float(np.corrcoef(one, two)[0, 1]) >= GRAIN


def _calm(light: Field) -> NDArray[np.bool_]:
    """(H, W) where a picture has no edges."""
    smooth = cv2.GaussianBlur(light, (0, 0), 2.0)
    slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return np.asarray(slope <= np.quantile(slope, 0.6), dtype=np.bool_)
