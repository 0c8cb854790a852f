"""How sharp a picture is, by the width of its steepest edges, in every direction."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage

Field = NDArray[np.float32]

MOST_PIXELS = 400_000
"""Of a larger picture only tiles of about this many pixels in all are looked at: those with the strongest edges."""
TILE = 160
RISE = 2.563
"""Distance from 10 % to 90 % of an edge blurred by a Gaussian, in sigmas."""
FINE, COARSE = 1.0, 2.0
"""Sigmas of the two blurs whose gradients are compared, px."""
DIRECTIONS = 8
FEW = 40
"""Fewer edge points than this say nothing about a direction."""


@dataclass(frozen=True)
class Edges:
    """Edge points of a picture: direction of the gradient, its size, and the blur of the edge there."""

    bins: NDArray[np.intp]
    """(N,) direction of the gradient in steps of 180 / DIRECTIONS degrees; 0 is horizontal."""
    steep: Field
    """(N,) grey levels per pixel."""
    sigma: Field
    """(N,) px."""


@dataclass(frozen=True)
class Sharpness:
    """What the edges of a picture say about its focus."""

    points: int
    sigma: float | None
    """Blur of the sharper quarter of the edges, px; None if there are too few edges."""
    across: float | None
    """Blur of the most blurred direction's sharpest edges, px; None if fewer than two directions have edges."""
    along: float | None
    """Blur of the sharpest direction's sharpest edges, px."""
    angle: float | None
    """Direction of the most blurred gradients, degrees clockwise from the x axis, 0 to 180."""


def noise_sigma(light: GrayImage) -> float:
    """Standard deviation of pixel-scale detail, grey levels, of (H, W) uint8.

    Source: after Donoho & Johnstone 1994, diagonal detail of the Haar wavelet. The mean of its smaller 70 % stands for
        the median, which whole grey levels would make jump.
    """
    rows = min(light.shape[0], max(64, 4_000_000 // light.shape[1])) // 2 * 2
    top = (light.shape[0] - rows) // 2
    even = light[top:top + rows, : light.shape[1] // 2 * 2].astype(np.int16)
    detail = np.abs(even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]).ravel()
    if detail.size < 4:
        return 0.0
    counts = np.bincount(detail, minlength=1)
    few = 0.7 * detail.size
    below = np.minimum(np.cumsum(counts), few)
    taken = np.diff(below, prepend=0.0)
    return float((taken * np.arange(len(counts))).sum() / few / 2 / 0.4734)


def tiles(light: GrayImage) -> list[GrayImage]:
    """The picture itself, or of a large one the tiles with the strongest edges."""
    height, width = light.shape
    if height * width <= MOST_PIXELS:
        return [light]
    rows, columns = height // TILE, width // TILE
    if not rows or not columns:
        middle = MOST_PIXELS // min(height, width)
        y, x = max(0, (height - middle) // 2), max(0, (width - middle) // 2)
        return [light[y:y + middle, x:x + middle]]
    step = 8
    small = cv2.resize(light[: rows * TILE, : columns * TILE], (columns * TILE // step, rows * TILE // step),
                       interpolation=cv2.INTER_AREA)
    dx, dy = cv2.Sobel(small, cv2.CV_16S, 1, 0), cv2.Sobel(small, cv2.CV_16S, 0, 1)
    steep = np.abs(dx) + np.abs(dy)
    score = steep.reshape(rows, TILE // step, columns, TILE // step).max(axis=(1, 3)).ravel()
    best = np.argsort(-score, kind="stable")[: MOST_PIXELS // TILE**2]
    return [light[r * TILE:(r + 1) * TILE, c * TILE:(c + 1) * TILE] for r, c in (divmod(int(i), columns) for i in best)]


def _slopes(light: GrayImage, sigma: float) -> tuple[Field, Field, Field]:
    smooth = cv2.GaussianBlur(light.astype(np.float32), (0, 0), sigma)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
    return dx, dy, cv2.magnitude(dx, dy)


def edges(parts: list[GrayImage], noise: float) -> Edges:
    """Points on edges that stand out of the noise, with the blur of each edge.

    Source: Zhuo & Sim 2011 (defocus map from the ratio of gradients before and after a known blur), after Elder &
        Zucker 1998. An ideal edge blurred by s has a steepest slope in proportion to 1 / sqrt(s^2 + sigma^2).
    """
    slopes = [(_slopes(part, FINE), _slopes(part, COARSE)[2]) for part in parts]
    sample = np.concatenate([fine[2][::2, ::2].ravel() for fine, _ in slopes])
    # Noise of sigma n has gradients of 0.2 n after the fine blur; 5.5 of those are passed by chance once in a picture.
    limit = max(0.08 * float(np.percentile(sample, 99)), 1.1 * noise, 1.5)
    bins, steep, sigmas = [], [], []
    for (dx, dy, size), coarse in slopes:
        ridge = (size > limit) & (size > 0.93 * cv2.dilate(size, np.ones((3, 3), np.uint8)))
        ratio = np.maximum(size[ridge] / np.maximum(coarse[ridge], 1e-6), 1.0005) ** 2
        sigmas.append(np.sqrt(np.maximum(COARSE**2 - ratio * FINE**2, 0) / (ratio - 1)))
        angle = np.arctan2(dy[ridge], dx[ridge]) % np.pi
        bins.append(np.round(angle * (DIRECTIONS / np.pi)).astype(np.intp) % DIRECTIONS)
        steep.append(size[ridge])
    return Edges(bins=np.concatenate(bins), steep=np.concatenate(steep), sigma=np.concatenate(sigmas))


def sharpness(found: Edges) -> Sharpness:
    """Blur of the sharper edges, over all and by direction."""
    points = len(found.sigma)
    if points < FEW:
        return Sharpness(points=points, sigma=None, across=None, along=None, angle=None)
    strong = found.steep > 0.3 * np.percentile(found.steep, 97)
    overall = float(np.percentile(found.sigma[strong], 25))
    alone = {i: _sharpest(found, i) for i in range(DIRECTIONS) if np.count_nonzero(found.bins == i) >= FEW}
    if not alone:
        return Sharpness(points=points, sigma=overall, across=None, along=None, angle=None)
    # The blur of a motion falls off slowly with the angle, so a direction must agree with its neighbours.
    blur = {i: _middle([alone[j % DIRECTIONS] for j in (i - 1, i, i + 1) if j % DIRECTIONS in alone]) for i in alone}
    wide = max(blur, key=lambda i: blur[i])
    # Motion blurs one direction and leaves the one across it: only directions at least 45 degrees apart are compared.
    others = [blur[i] for i in blur if min((i - wide) % DIRECTIONS, (wide - i) % DIRECTIONS) >= DIRECTIONS // 4]
    if not others:
        return Sharpness(points=points, sigma=overall, across=None, along=None, angle=None)
    return Sharpness(points=points, sigma=overall, across=blur[wide], along=min(others), angle=wide * 180 / DIRECTIONS)


def _middle(values: list[float]) -> float:
    """The median, the lower one of two."""
    return sorted(values)[(len(values) - 1) // 2]


def _sharpest(found: Edges, direction: int) -> float:
    """Blur of the sharpest edges of a direction: a sixth of them is sharper, and the sharper ones of the steepest."""
    own = found.bins == direction
    sigma, steep = found.sigma[own], found.steep[own]
    steepest = sigma[steep > 0.5 * np.percentile(steep, 97)]
    return float(min(np.percentile(sigma, 15), np.percentile(steepest, 25)))


def mid_structure(light: GrayImage) -> float:
    """Standard deviation of what lies between about 4 and 16 pixels in size, grey levels, of (H, W) uint8."""
    step = max(1, max(light.shape) // 512)
    size = (max(1, light.shape[1] // step), max(1, light.shape[0] // step))
    small = cv2.resize(light, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(np.std(cv2.GaussianBlur(small, (0, 0), 3) - cv2.GaussianBlur(small, (0, 0), 12)))
