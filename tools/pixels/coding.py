"""How strongly a picture was compressed, by the steps between the blocks of a JPEG."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage

BLOCK = 8
MOST_SIDE = 2000
"""Only a middle part of this side is looked at, px."""


@dataclass(frozen=True)
class Blocks:
    """Steps on the borders of blocks."""

    share: float
    """How much larger they are than the steps beside them; 0 for none."""
    step: float
    """By how much, grey levels."""


def blocks(light: GrayImage) -> Blocks:
    """The steps between 8-pixel blocks, across and down; the weaker direction counts.

    The grid may lie anywhere, since the picture may have been cropped, so the strongest of the eight places is held
    against the second strongest: a pattern of the surface shows at several of them.

    Args:
        light: (H, W) uint8, not resampled since it was stored.
    Source: after Wang, Sheikh and Bovik 2002 (no-reference quality of JPEG pictures).
    """
    height, width = light.shape
    top, left = max(0, (height - MOST_SIDE) // 2), max(0, (width - MOST_SIDE) // 2)
    part = light[top:top + MOST_SIDE, left:left + MOST_SIDE].astype(np.int16)
    found = [_along(np.abs(np.diff(part, axis=axis)).mean(axis=1 - axis)) for axis in (0, 1)]
    return min(found, key=lambda one: one.share)


def _along(steps: NDArray[np.float64]) -> Blocks:
    """Of the mean step at each column: the strongest phase of eight over the second."""
    if len(steps) < 6 * BLOCK:
        return Blocks(0.0, 0.0)
    phases = np.sort(np.median(steps[: len(steps) // BLOCK * BLOCK].reshape(-1, BLOCK), axis=0))
    first, second = float(phases[-1]), float(phases[-2])
    return Blocks(share=first / max(second, 0.05) - 1, step=first - second)
