"""Grey pictures and robust statistics."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, RgbImage

MAD_TO_SIGMA = 1.4826
"""A normal distribution's sigma over its median absolute deviation."""


def grey(pixels: RgbImage) -> GrayImage:
    """(H, W, 3) uint8 RGB to (H, W) uint8, by the luma weights of ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def robust_sigma(values: NDArray[np.floating]) -> float:
    """Spread of the bulk of values, insensitive to a minority of outliers."""
    centre = np.median(values)
    return float(MAD_TO_SIGMA * np.median(np.abs(values - centre)))
