"""Pictures prepared for matching, and transforms between them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage

Field = NDArray[np.float32]
"""(H, W) float32."""
Homography = NDArray[np.float64]
"""(3, 3) float64, pixel centres: (0, 0) is the middle of the first pixel, as OpenCV has it."""


def reduced(light: GrayImage, share: float) -> GrayImage:
    """A smaller copy of (H, W) uint8; the picture itself if `share` is 1."""
    if share >= 1:
        return light
    size = (max(8, round(light.shape[1] * share)), max(8, round(light.shape[0] * share)))
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def scaling(share_x: float, share_y: float) -> Homography:
    """From pixels of a picture to pixels of its resized copy, pixel centres to pixel centres."""
    return np.array([[share_x, 0, (share_x - 1) / 2], [0, share_y, (share_y - 1) / 2], [0, 0, 1]], dtype=np.float64)


def shifted(x: float, y: float) -> Homography:
    """A translation."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def between(light: GrayImage, small: GrayImage) -> Homography:
    """From pixels of `light` to pixels of its reduced copy `small`."""
    return scaling(small.shape[1] / light.shape[1], small.shape[0] / light.shape[0])


def warped(light: NDArray[np.uint8], matrix: Homography, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture brought into another frame of (H, W); what it does not show repeats its border."""
    return np.asarray(cv2.warpPerspective(light, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR,
                                          borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def shown(matrix: Homography, source: tuple[int, ...], shape: tuple[int, ...], *, margin: int = 0) -> NDArray[np.bool_]:
    """Where a picture of size `source`, brought into a frame of (H, W), has pixels of its own."""
    height, width = source[:2]
    whole = np.zeros((height, width), np.uint8)
    whole[margin:height - margin, margin:width - margin] = 255
    mask = cv2.warpPerspective(whole, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(mask >= 254, dtype=np.bool_)


def even(light: NDArray[np.uint8] | Field, reach: float = 8.0) -> Field:
    """Light and contrast taken out: the deviation from the local mean over the local contrast, about -3 to 3.

    What is weaker than the noise of a usual picture stays weak.
    """
    field = light.astype(np.float32)
    rest = field - cv2.GaussianBlur(field, (0, 0), reach)
    spread = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), 2 * reach))
    return np.asarray(rest / (spread + 4.0), dtype=np.float32)
