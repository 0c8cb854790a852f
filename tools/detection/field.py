"""The surface without its light: slow changes of brightness removed, foreign areas filled, extremes judged."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.pixels.grey import robust_sigma

Field = NDArray[np.float32]
"""(H, W) float32."""

BLOCKS = 12
"""Blocks along the longer side, from whose maxima the noise is learnt."""
FIT_SIDE = 64
"""Longer side of the reduced picture on which the light is fitted, px."""


def light(grey: Field) -> Field:
    """Slow light of a picture: a cubic surface fitted so that a minority of other areas does not count.

    Args:
        grey: (H, W) float32.
    Returns:
        (H, W) float32, the light at each pixel.
    Source: iteratively reweighted least squares with Tukey's biweight.
    """
    height, width = grey.shape
    step = max(1, round(max(height, width) / FIT_SIDE))
    small = cv2.resize(grey, (max(4, width // step), max(4, height // step)), interpolation=cv2.INTER_AREA)
    ys, xs = np.mgrid[-1:1:complex(small.shape[0]), -1:1:complex(small.shape[1])]
    terms = np.stack([xs**i * ys**j for i in range(4) for j in range(4 - i)], axis=-1).reshape(-1, 10)
    values = small.reshape(-1).astype(np.float64)
    centre = float(np.median(values))
    weights = (np.abs(values - centre) <= 3 * robust_sigma(values) + 1e-6).astype(np.float64)
    fitted = values
    for _ in range(8):
        scaled = terms * weights[:, None]
        solution = np.linalg.solve(scaled.T @ terms + 1e-6 * len(values) * np.eye(10), scaled.T @ values)
        fitted = terms @ solution
        rest = values - fitted
        reach = 6.0 * max(float(np.median(np.abs(rest))), 0.25)
        weights = np.clip(1 - (rest / reach) ** 2, 0, None) ** 2
    surface = fitted.reshape(small.shape).astype(np.float32)
    return np.asarray(cv2.resize(surface, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def filled(field: Field, hidden: Mask, *, reach: int = 31) -> Field:
    """`field` with its hidden pixels replaced by the mean of what surrounds them, fading to 0 far inside."""
    if not hidden.any():
        return field
    seen = (~hidden).astype(np.float32)
    weight = cv2.blur(seen, (reach, reach), borderType=cv2.BORDER_REFLECT)
    mean = cv2.blur(field * seen, (reach, reach), borderType=cv2.BORDER_REFLECT) / np.maximum(weight, 0.05)
    return np.asarray(np.where(hidden, mean, field), np.float32)


@dataclass(frozen=True)
class Extremes:
    """How large the largest value of one block of clean surface is: a Gumbel law."""

    place: float
    spread: float

    def evidence(self, response: Field) -> Field:
        """Minus the logarithm of how often a clean block reaches such a value, (H, W) float32."""
        return np.asarray((response - self.place) / self.spread, np.float32)


def block_maxima(response: NDArray[Any], blocks: tuple[int, int]) -> NDArray[np.float32]:
    """(rows, cols) largest value of each block; what does not fill a block is left out."""
    rows, cols = min(blocks[0], response.shape[0]), min(blocks[1], response.shape[1])
    high, wide = response.shape[0] // rows, response.shape[1] // cols
    tall = np.stack([response[i * high:(i + 1) * high].max(axis=0) for i in range(rows)])
    return np.asarray(tall[:, :cols * wide].reshape(rows, cols, wide).max(axis=2), np.float32)


def grid(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of nearly square blocks for a picture of this shape."""
    side = max(shape[0], shape[1]) / BLOCKS
    return max(3, round(shape[0] / side)), max(3, round(shape[1] / side))


def _reduced(share: float) -> float:
    """Quantile of the standard Gumbel law."""
    return float(-np.log(-np.log(share)))


def learn_extremes(maxima: NDArray[np.float32], *, floor: float, crowded: bool = False) -> Extremes:
    """Fit a Gumbel law to the maxima of blocks, from quantiles that a minority of defective blocks cannot move.

    Args:
        maxima: any shape; block maxima of a response that is never negative.
        floor: smallest spread, in the response's own unit, so that a flat picture does not divide by zero.
        crowded: Trust only the quietest blocks, since labels and parts may cover more than half of them.
    Source: extreme value theory; quantile fit of the Gumbel distribution.
    """
    shares = (0.1, 0.3, 0.4) if crowded else (0.2, 0.6, 0.85)
    low, middle, high = np.quantile(maxima, shares)
    units = [_reduced(share) for share in shares]
    spread = max((middle - low) / (units[1] - units[0]), 0.8 * (high - low) / (units[2] - units[0]), floor)
    return Extremes(place=float(low - units[0] * spread), spread=float(spread))
