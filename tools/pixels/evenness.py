"""Light that falls off across a picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from kenpin.contracts.view import GrayImage

SIZE = (48, 36)
"""Width and height of the overview on which it is looked for, px."""


@dataclass(frozen=True)
class Falloff:
    """The smooth part of the brightness."""

    explained: float
    """Share of the variance of log brightness that it explains, 0 to 1."""
    ratio: float
    """Brightest over darkest place of it."""


def falloff(light: GrayImage) -> Falloff:
    """Fit a surface of second order to the logarithm of the brightness of (H, W) uint8.

    Source: least squares; the logarithm since light multiplies what a surface reflects.
    """
    small = cv2.medianBlur(cv2.resize(light, SIZE, interpolation=cv2.INTER_AREA), 5)
    value = np.log(small.astype(np.float64) + 4).ravel()
    y, x = (axis.ravel() for axis in np.mgrid[-1:1:SIZE[1] * 1j, -1:1:SIZE[0] * 1j])
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)
    fit = basis @ np.linalg.lstsq(basis, value, rcond=None)[0]
    spread = float(((value - value.mean()) ** 2).sum())
    if spread < 1e-6:
        return Falloff(0.0, 1.0)
    low, high = np.quantile(fit, (0.02, 0.98))
    return Falloff(explained=float(1 - ((value - fit) ** 2).sum() / spread), ratio=float(np.exp(high - low)))
