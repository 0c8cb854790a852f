"""The surface without its light: slow changes of brightness removed, foreign areas filled, extremes judged."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask

Field = NDArray[np.float32]
"""(H, W) float32."""

BLOCKS = 12
"""Blocks along the longer side, from whose maxima the noise is learnt."""
DARK = np.float32(8)
"""Grey levels added before a logarithm, so that noise in the dark does not count most."""
FIT_SIDE = 64
"""Longer side of the reduced picture on which the light is fitted, px."""


def light(grey: Field, shown: Mask | None = None) -> Field:
    """Slow light of a picture: a surface of fourth degree fitted so that a minority of other areas does not count.

    Args:
        grey: (H, W) float32.
        shown: (H, W) bool, pixels that count; all if not given.
    Returns:
        (H, W) float32, the light at each pixel.
    Source: iteratively reweighted least squares with Tukey's biweight.
    """
    height, width = grey.shape
    step = max(1, round(max(height, width) / FIT_SIDE))
    small = cv2.resize(grey, (max(4, width // step), max(4, height // step)), interpolation=cv2.INTER_AREA)
    known = np.ones(small.shape, bool)
    if shown is not None:
        known = cv2.resize(shown.astype(np.float32), small.shape[::-1], interpolation=cv2.INTER_AREA) > 0.99
    surface, weights = _fitted(small.astype(np.float64), known)
    wide = max(3, FIT_SIDE // 4) | 1
    rest = ((small - surface) * weights).astype(np.float32)
    share = cv2.blur(weights, (wide, wide), borderType=cv2.BORDER_REFLECT)
    surface = surface + cv2.blur(rest, (wide, wide), borderType=cv2.BORDER_REFLECT) / np.maximum(share, 0.1)
    # Cubic to a quarter and linear from there is as smooth as cubic all the way, and takes a third of the time.
    middle = (max(surface.shape[1], width // 4), max(surface.shape[0], height // 4))
    surface = cv2.resize(np.asarray(surface, np.float32), middle, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(surface, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def lamp(grey: Field, shown: Mask | None = None) -> Field:
    """Slow light of a brightness, fitted to its logarithm: lamps and lenses multiply.

    Args:
        grey: (H, W) float32, at least 0.
        shown: As in `light`.
    """
    return np.asarray(np.exp(light(np.log(grey + DARK), shown)) - DARK, np.float32)


@lru_cache(maxsize=16)
def powers(height: int, width: int, degree: int) -> NDArray[np.float64]:
    """(height * width, terms) products of powers of x and y from -1 to 1 up to a degree; not to be written to."""
    ys, xs = np.mgrid[-1:1:complex(height), -1:1:complex(width)]
    terms = [xs**i * ys**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    stacked: NDArray[np.float64] = np.stack(terms, axis=-1).reshape(height * width, -1)
    stacked.flags.writeable = False
    return stacked


def _fitted(small: NDArray[np.float64], known: Mask) -> tuple[Field, Field]:
    """A surface of fourth degree through most of the known values, and how much each value counted."""
    terms = powers(small.shape[0], small.shape[1], 4)
    values, counts = small.reshape(-1), known.reshape(-1).astype(np.float64)
    if not known.any():
        return np.zeros(small.shape, np.float32), np.zeros(small.shape, np.float32)
    weights, fitted = counts, values
    for turn in range(12):
        scaled = terms * weights[:, None]
        scale = float(weights.sum()) / len(values)
        solution = np.linalg.solve(scaled.T @ terms + 1e-6 * scale * len(values) * np.eye(15), scaled.T @ values)
        fitted = terms @ solution
        rest = np.abs(values - fitted)
        usual = max(float(np.median(rest[counts > 0])), 1e-4)
        biweight = np.clip(1 - (rest / usual / 6) ** 2, 0, 1) ** 2
        weights = counts / np.maximum(rest, usual) if turn < 7 else counts * biweight
    return fitted.reshape(small.shape).astype(np.float32), weights.reshape(small.shape).astype(np.float32)


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


def open_blocks(hidden: Mask, blocks: tuple[int, int]) -> Mask:
    """(rows, cols) bool, blocks of which enough is seen to learn from; all of them if that would be too few."""
    rows, cols = min(blocks[0], hidden.shape[0]), min(blocks[1], hidden.shape[1])
    high, wide = hidden.shape[0] // rows, hidden.shape[1] // cols
    cut = hidden[:rows * high, :cols * wide].reshape(rows, high, cols, wide)
    seen = np.asarray(cut.mean(axis=(1, 3)) < 0.6)
    return seen if np.count_nonzero(seen) >= 8 else np.ones_like(seen)


def steadied(field: Field, lit: Field, hidden: Mask) -> Field:
    """A flattened surface whose contrast no longer follows the light: noise may grow with it, or not, or in between.

    Args:
        field: (H, W) float32, light subtracted.
        lit: (H, W) float32, the light.
        hidden: (H, W) bool, pixels to learn nothing from.
    """
    rows, cols = grid(field.shape)
    high, wide = field.shape[0] // rows, field.shape[1] // cols

    def blocks(array: NDArray[Any]) -> NDArray[Any]:
        return array[:rows * high, :cols * wide].reshape(rows, high, cols, wide).swapaxes(1, 2).reshape(rows, cols, -1)

    known = open_blocks(hidden, (rows, cols))
    level = np.maximum(np.median(blocks(lit)[known][:, ::9], axis=1), 1.0)
    if np.quantile(level, 0.95) < 1.25 * np.quantile(level, 0.05):
        return field
    contrast = np.log(np.median(np.abs(blocks(field)[known][:, ::3]), axis=1) + 0.2)
    power = float(np.clip(np.polyfit(np.log(level), contrast, 1)[0], 0.0, 1.0))
    middle = float(np.median(level))
    return np.asarray(field * (middle / np.maximum(lit, 0.1 * middle)) ** power, np.float32)


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
    ranked = np.sort(maxima, axis=None)
    low, middle, high = np.interp(np.multiply(shares, ranked.size - 1), np.arange(ranked.size), ranked)
    units = [_reduced(share) for share in shares]
    spread = max((middle - low) / (units[1] - units[0]), 0.8 * (high - low) / (units[2] - units[0]), floor)
    return Extremes(place=float(low - units[0] * spread), spread=float(spread))
