"""Whether two pictures are one and the same shot, even if one was stored or sized anew."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import RgbImage
from tools.pixels.grey import grey

Field = NDArray[np.float32]
OVERVIEW = 128
"""Longer side of the copies that are held against each other first, px."""
ALIKE, WORST = 2.0, 12.0
"""Mean and largest difference of the overviews, grey levels, up to which they may be one shot. A JPEG of quality 25 and
half the size stay below 0.6 and 5."""
GRAIN = 0.25
"""Correlation of the grain where nothing has edges, from which on it is one shot. Two shots of one part have grain of
their own: at most 0.05 of it agrees. A JPEG of quality 40 keeps 0.4."""
QUIET = 0.35
"""Grain below this, grey levels, says nothing; then only pictures that are equal to a grey level are one shot."""
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
    if float(gap.mean()) > ALIKE or float(gap.max()) > WORST:
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
    slope = cv2.magnitude(cv2.Sobel(cv2.GaussianBlur(a, (0, 0), 2.0), cv2.CV_32F, 1, 0),
                          cv2.Sobel(cv2.GaussianBlur(a, (0, 0), 2.0), cv2.CV_32F, 0, 1))
    calm = slope <= np.quantile(slope, 0.6)
    one, two = (grain[calm] for grain in grains)
    if min(float(one.std()), float(two.std())) < QUIET:
        return float(np.abs(a - b).max()) <= 1.0
    return float(np.corrcoef(one, two)[0, 1]) >= GRAIN
