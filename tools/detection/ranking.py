"""Where a picture is least like the rest of itself: a map that ranks pixels, on any picture, without any sample.

It ranks and never judges: on structured pictures its peaks may be the part's own features. Three opinions are added:
patches that resemble no other patch of the picture, lines that stand out, and blocks whose mean or contrast is unusual.

Sources: nearest neighbours among the picture's own patches (as PatchCore, Roth et al. 2022, has them among good
samples'); second derivatives across an orientation, averaged along it; robust z-scores.
"""

import cv2
import numpy as np

from kenpin.contracts.view import RgbImage
from tools.detection.backbone import Patches, patches, seen
from tools.detection.bank import LENGTH, directions, line_sums
from tools.detection.field import Field

SEEN_AREA = 250_000
"""At most so many pixels go through the network: 15 ms of one core."""
LARGEST = 2.0
"""Small pictures are enlarged at most so much for the network."""
KEYS = 300
"""Patches that others are compared with; all of them would cost the square of their number."""
NEAREST = 3
APART = 2
"""Cells next to a patch, in each direction, are no evidence that it belongs."""
SHRINK = 0.3
"""Of the patches' covariance towards a sphere before whitening, since one picture has few patches."""
MAP_AREA = 130_000
SPREAD = 6.0
"""Sigma of the neighbourhood whose mean and contrast are looked at, px at half a megapixel."""
LIMIT = 6.0
"""Sum of the opinions at which the map shows 1; clean even surfaces stay below (`bench/gate.py`)."""
CALM = 0.3
"""Grey levels that count as no contrast."""


def standing(values: Field) -> Field:
    """Robust z-scores: distance from the median in units of the median deviation."""
    few = values[::3, ::3] if values.size > 20_000 else values
    middle = float(np.median(few))
    return np.asarray((values - middle) / (1.4826 * float(np.median(np.abs(few - middle))) + 1e-6), np.float32)


def damped(scores: Field) -> Field:
    """Signed logarithm, so that one opinion cannot outvote the others."""
    return np.asarray(np.copysign(np.log1p(np.abs(scores)), scores), np.float32)


def seen_factor(shape: tuple[int, ...]) -> float:
    """Size at which the network sees a picture, over its own."""
    return min(LARGEST, float(np.sqrt(SEEN_AREA / (shape[0] * shape[1]))))


def unlikeness(features: Patches) -> Field:
    """(h, w) float32: distance of each patch to the nearest ones elsewhere in the same picture, whitened."""
    height, width, depth = features.shape
    lower, upper = (cv2.blur(np.ascontiguousarray(half), (3, 3)) for half in np.split(features, 2, axis=2))
    flat = np.concatenate([lower, upper], axis=2).reshape(-1, depth)
    spread = np.cov(flat.T)
    spread = (1 - SHRINK) * spread + (SHRINK * float(np.trace(spread)) / depth + 1e-6) * np.eye(depth)
    values, vectors = np.linalg.eigh(spread)
    white = np.asarray((flat - flat.mean(axis=0)) @ (vectors / np.sqrt(values)), np.float32)
    index = np.arange(len(white))
    keys = index[:: max(1, -(-len(white) // KEYS))]
    square = (white**2).sum(axis=1)
    apart = square[:, None] + square[keys] - 2 * white @ white[keys].T
    rows, cols = np.divmod(index, width)
    near = (np.abs(rows[:, None] - rows[keys]) <= APART) & (np.abs(cols[:, None] - cols[keys]) <= APART)
    apart[near] = np.inf
    least = np.partition(apart, NEAREST - 1, axis=1)[:, :NEAREST]
    return np.asarray(np.sqrt(np.maximum(least, 0)).mean(axis=1).reshape(height, width), np.float32)


def _along(field: Field, direction: tuple[float, float]) -> Field:
    """Mean over lines of `LENGTH` px through each pixel, (H, W) float32."""
    height, width = field.shape
    padded = cv2.copyMakeBorder(field, LENGTH, LENGTH, LENGTH, LENGTH, cv2.BORDER_REFLECT)
    stride = padded.shape[1]
    middle, sums = line_sums(padded.reshape(-1), stride, direction)
    first = LENGTH * stride - middle
    return np.asarray(sums[first:first + height * stride].reshape(height, stride)[:, LENGTH:LENGTH + width], np.float32)


def ridges(field: Field, levels: int) -> Field:
    """(H, W) float32: the strongest line at each pixel over what its direction usually shows, around and overall."""
    best = np.zeros(field.shape, np.float32)
    level = field
    for _ in range(levels):
        soft = cv2.GaussianBlur(level, (0, 0), 1.0)
        across, down, mixed = (cv2.Sobel(soft, cv2.CV_32F, dx, dy, ksize=3) for dx, dy in ((2, 0), (0, 2), (1, 1)))
        wide = int(0.25 * max(level.shape)) | 1
        here = np.zeros(level.shape, np.float32)
        for dx, dy in directions()[::2]:
            curved = np.float32(dy * dy) * across - np.float32(2 * dx * dy) * mixed + np.float32(dx * dx) * down
            line = np.abs(_along(curved, (dx, dy)) / LENGTH)
            usual = float(np.median(line[::3, ::3])) + CALM
            around = np.maximum(cv2.blur(line, (wide, wide)), 0.5 * usual)
            np.maximum(here, line / cv2.sqrt(around * usual), out=here)
        np.maximum(best, cv2.resize(here, field.shape[::-1], interpolation=cv2.INTER_LINEAR), out=best)
        level = cv2.resize(level, (max(level.shape[1] // 2, 8), max(level.shape[0] // 2, 8)),
                           interpolation=cv2.INTER_AREA)
    return best


def _usual(field: Field, sigma: float) -> Field:
    """How unusual the mean and the contrast around each pixel are."""
    mean = cv2.GaussianBlur(field, (0, 0), sigma)
    contrast = np.log(np.sqrt(np.maximum(cv2.GaussianBlur(field * field, (0, 0), sigma) - mean**2, 0)) + CALM)
    level = np.maximum(standing(np.abs(mean)), 0)
    return damped(level) + damped(np.abs(standing(np.asarray(contrast, np.float32))))


def ranking(pixels: RgbImage, fields: tuple[Field, Field, Field]) -> tuple[Field, Field]:
    """Rank the pixels of a picture.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        fields: Brightness and two colour differences without light, (H, W) float32 each.
    Returns:
        (H, W) float32, higher is less like the rest, near 0 for what is usual; and the (h, w) float32 robust z-scores
        of the network's cells.
    """
    height, width = pixels.shape[:2]
    factor = max(1.0, float(np.sqrt(height * width / MAP_AREA)))
    size = (round(width / factor), round(height / factor))
    small = [cv2.resize(field, size, interpolation=cv2.INTER_AREA) if factor > 1 else field for field in fields]
    cells = standing(unlikeness(patches(seen(pixels, seen_factor(pixels.shape)))))
    total = 1.5 * damped(cv2.resize(cells, size, interpolation=cv2.INTER_CUBIC))
    sigma = SPREAD * float(np.sqrt(size[0] * size[1] / 500_000))
    lines = standing(np.log(ridges(small[0], 3 if factor < 1.4 else 2) + 0.5))
    total += damped(cv2.GaussianBlur(lines, (0, 0), max(0.7 * sigma, 1.0)))
    for field in small:
        if float(np.abs(field).max()) > 2 * CALM:
            total += 0.3 * _usual(field, sigma)
    ranked = cv2.resize(np.asarray(total / LIMIT, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(ranked, np.float32), cells
