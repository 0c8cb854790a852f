"""Brightness of a picture: what is clipped, whether that is a backdrop, a reflection or the part itself."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, GrayImage, RgbImage

SAMPLE_SIDE = 480
"""Longer side of the sample that exposure is judged on, px. Pixels are picked, not averaged, so clipping stays."""
CELL = 8
"""Side of a cell of the sample in which the share of clipped pixels is taken, px."""
BRIGHT, DARK = 253, 2
"""Grey levels from which, and up to which, a pixel is clipped."""
WHITE = 250
"""All channels of a reflection reach this."""


@dataclass(frozen=True)
class Exposure:
    """Figures of brightness. Shares are of the whole picture."""

    mean: float
    low: float
    """First percentile of grey levels."""
    high: float
    """99th percentile."""
    bulk: float
    """95th percentile."""
    spread: float
    """Standard deviation of grey levels."""
    bright: float
    """Share clipped at the bright end."""
    dark: float
    """Share clipped at the dark end."""
    inner: float
    """Share clipped at the bright end and not part of a backdrop."""
    clear: float
    """Share of cells that are hardly clipped."""
    bilevel: bool
    """The picture is black and white on purpose."""


@dataclass(frozen=True)
class Glare:
    """Reflections: clipped white with a soft border."""

    share: float
    boxes: tuple[Box, ...]
    """Of the largest ones, picture pixels."""


def _picked(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = -(-max(field.shape[:2]) // SAMPLE_SIDE)
    return field[::step, ::step]


def exposure(light: GrayImage) -> Exposure:
    """Figures of brightness of (H, W) uint8."""
    sample = np.ascontiguousarray(_picked(light))
    counts = np.bincount(sample.ravel(), minlength=256)
    share = np.cumsum(counts) / sample.size
    low, bulk, high = (float(np.searchsorted(share, q)) for q in (0.01, 0.95, 0.99))
    levels = np.arange(256)
    mean = float((counts * levels).sum() / sample.size)
    spread = float(np.sqrt((counts * (levels - mean) ** 2).sum() / sample.size))
    bright, dark = float(1 - share[BRIGHT - 1]), float(share[DARK])
    extreme_dark, extreme_bright = float(share[25]), float(1 - share[229])
    bilevel = extreme_dark + extreme_bright >= 0.9 and min(extreme_dark, extreme_bright) >= 0.03
    inner, clear = _clipped(sample) if bright > 0.02 else (bright, 1.0)
    return Exposure(mean=mean, low=low, high=high, bulk=bulk, spread=spread, bright=bright, dark=dark, inner=inner,
                    clear=clear, bilevel=bool(bilevel))


def _clipped(sample: GrayImage) -> tuple[float, float]:
    """Share clipped outside a backdrop, and share of cells that are hardly clipped."""
    clipped = (sample >= BRIGHT).astype(np.uint8)
    size = (max(1, sample.shape[1] // CELL), max(1, sample.shape[0] // CELL))
    cells = cv2.resize(clipped * np.uint8(255), size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    clear = float(np.mean(cells < 0.1))
    backdrop = backdrop_of(clipped)
    return float(np.mean((clipped > 0) & ~backdrop)), clear


def backdrop_of(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The regions of a mask that the border of the picture runs through: together along at least 40 % of it.

    Args:
        mask: (H, W) uint8, 0 or 1.
    Returns:
        (H, W) bool; all False if the border is mostly something else.
    """
    count, labels = cv2.connectedComponents(mask, connectivity=4)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    lengths = np.bincount(border, minlength=count)
    lengths[0] = 0
    if lengths.sum() < 0.4 * border.size:
        return np.zeros(mask.shape, dtype=np.bool_)
    return np.asarray((lengths >= 0.05 * border.size)[labels], dtype=np.bool_)


def glare(pixels: RgbImage) -> Glare:
    """Reflections on (H, W, 3) uint8 RGB: white, clipped, and fading out softly instead of ending at an edge."""
    step = -(-max(pixels.shape[:2]) // SAMPLE_SIDE)
    sample = np.ascontiguousarray(pixels[::step, ::step])
    dimmest = cv2.min(cv2.min(sample[..., 0], sample[..., 1]), sample[..., 2])
    white = (dimmest >= WHITE).astype(np.uint8)
    if not white.any():
        return Glare(0.0, ())
    white[backdrop_of(white)] = 0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(white, connectivity=8)
    near = cv2.dilate(white, np.ones((7, 7), np.uint8)) - cv2.dilate(white, np.ones((3, 3), np.uint8))
    owner = cv2.dilate(labels.astype(np.uint16), np.ones((7, 7), np.uint8)) * near if count < 65535 else labels
    total = np.bincount(owner.ravel(), minlength=count).astype(np.float64)
    around = np.bincount(owner.ravel(), weights=dimmest.ravel(), minlength=count) / np.maximum(total, 1)
    areas = stats[:, cv2.CC_STAT_AREA]
    soft = (around >= 0.72 * 255) & (areas >= max(12, 1e-4 * white.size)) & (total > 0)
    soft[0] = False
    order = [int(i) for i in np.argsort(-areas, kind="stable") if soft[i]]
    boxes = tuple(_box(stats[i], step, pixels.shape) for i in order[:5])
    return Glare(share=float(areas[soft].sum() / white.size), boxes=boxes)


def _box(row: NDArray[np.int32], step: int, shape: tuple[int, ...]) -> Box:
    x, y, w, h = (int(v) * step for v in row[:4])
    return (x, y, min(x + w, shape[1]), min(y + h, shape[0]))
