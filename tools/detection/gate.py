"""Whether a surface is plain or even enough that finding nothing on it means that nothing is there."""

from dataclasses import dataclass

import cv2
import numpy as np

from kenpin.contracts.view import Mask
from tools.detection.field import Field, grid


@dataclass(frozen=True)
class Evenness:
    """How alike the parts of a surface are, with what was found and what belongs there left out."""

    unlike: float
    """Robust spread of the logarithm of the blocks' contrast: 0 if all blocks are equally rough."""
    drift: float
    """Robust spread of the blocks' means, over the contrast inside blocks."""
    rough: float
    """Median contrast of the blocks, grey levels."""
    fine: float
    """Contrast at the finest scale, grey levels: the camera's noise and the finest texture."""
    seen: float
    """Share of the picture, or of the part on it, that was judged."""
    clipped: float
    """Share of that at the upper or lower end of the grey range."""


def evenness(field: Field, hidden: Mask, grey: Field, outside: Mask) -> Evenness:
    """Compare the blocks of a flattened surface.

    Args:
        field: (H, W) float32, light removed.
        hidden: (H, W) bool, what was found and what belongs there.
        grey: (H, W) float32 grey levels as they are.
        outside: (H, W) bool, background, which is not asked about.
    """
    rows, cols = grid(field.shape)
    high, wide = field.shape[0] // rows, field.shape[1] // cols

    def blocks(array: Field) -> Field:
        cut = array[:rows * high, :cols * wide].reshape(rows, high, cols, wide)
        return np.asarray(cut.swapaxes(1, 2).reshape(rows * cols, high * wide), np.float32)

    seen = blocks((~hidden).astype(np.float32))
    weight = seen.sum(axis=1)
    whole = weight > 0.5 * high * wide
    share = float((~hidden).sum() / max((~outside).sum(), 1))
    laplace = cv2.Laplacian(grey, cv2.CV_32F)
    visible = np.abs(laplace[~hidden])
    fine = float(np.mean(np.minimum(visible, 8 * np.median(visible) + 1))) if visible.size else 0.0
    ends = (grey >= 254) | (grey <= 1)
    clipped = float(ends[~outside].mean()) if not outside.all() else 1.0
    if whole.sum() < 6:
        return Evenness(unlike=9.0, drift=9.0, rough=0.0, fine=fine, seen=share, clipped=clipped)
    values, seen, weight = blocks(field)[whole], seen[whole], weight[whole]
    means = (values * seen).sum(axis=1) / weight
    spread = np.sqrt((((values - means[:, None]) ** 2) * seen).sum(axis=1) / weight) + 0.3
    rough = float(np.median(spread))
    logs = np.log(spread)
    return Evenness(unlike=float(np.subtract(*np.quantile(logs, (0.95, 0.05)))) / 3.29,
                    drift=float(np.subtract(*np.quantile(means, (0.95, 0.05)))) / 3.29 / rough,
                    rough=rough, fine=fine, seen=share, clipped=clipped)
