"""Good samples as they might look another time: mirrored, with a little more or less contrast and light."""

import cv2
import numpy as np

from kenpin.contracts.view import RgbImage

PASSES = 32
"""At most so many pictures go through the network to learn from several samples; many samples vary by themselves."""
LIGHTS = ((1.15, 0.88), (0.87, 1.12))
"""Factors of contrast about the picture's mean, and of that mean."""


def _lit(shown: RgbImage, contrast: float, gain: float) -> RgbImage:
    middle = float(shown.mean())
    lit = (shown.astype(np.float32) - middle) * contrast + middle * gain
    return np.asarray(np.clip(lit, 0, 255).round(), np.uint8)


def variants(shown: RgbImage, samples: int) -> list[RgbImage]:
    """The picture itself and as many variants of it as fit with that many samples, most useful first.

    Args:
        shown: (H, W, 3) uint8 RGB as the network sees it. Never written to.
        samples: Good samples that are learnt from.
    """
    made = [shown, shown[:, ::-1], _lit(shown, *LIGHTS[0]), shown[::-1], _lit(shown, *LIGHTS[1]), shown[::-1, ::-1]]
    return [np.ascontiguousarray(v) for v in made[:max(1, min(6, PASSES // samples))]]


def another_time(pixels: RgbImage) -> list[RgbImage]:
    """A single good sample as if taken again: other light, turned and shifted a little."""
    height, width = pixels.shape[:2]
    varied = []
    for gain, turn, shift in ((0.9, 0.0, 0.013), (1.08, 2.0, 0.0), (1.0, -2.0, -0.009)):
        place = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
        place[:, 2] += shift * max(height, width)
        moved = cv2.warpAffine(pixels, place, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        varied.append(np.clip(moved.astype(np.float32) * gain, 0, 255).round().astype(np.uint8))
    return varied
