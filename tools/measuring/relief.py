"""One number a pixel: how far it lies from the background, towards the thing that is measured.

Colour and uneven light are dealt with here, so that everything after works on one flat channel where the background
is 0 and the thing is positive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask, RgbImage
from tools.pixels.grey import robust_sigma

Channel = NDArray[np.float32]


@dataclass(frozen=True)
class Relief:
    """Flat channel of a window."""

    height: Channel
    """(H, W) float32: background near 0, the thing positive, in grey levels."""
    noise: float
    """Spread of the background, grey levels."""
    axis: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    """Weights of red, green and blue by which the channel was made."""


def reliefs(pixels: RgbImage, inside: Mask, around: Mask) -> tuple[Relief, ...]:
    """The two directions in which the inside of a window may differ from its surroundings.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        inside: (H, W) bool, where the thing may be.
        around: (H, W) bool, background for sure or at least mostly.
    Returns:
        The same channel with both signs; the one with the stronger evidence inside comes first.
    """
    values = pixels.astype(np.float32)
    flat = values - _background(values, around)
    direction = _direction(flat[inside])
    channel = np.asarray(flat @ direction, dtype=np.float32)
    noise = max(robust_sigma(channel[around]), 0.5)
    r, g, b = (float(v) for v in direction)
    both = (Relief(channel, noise, (r, g, b)), Relief(-channel, noise, (-r, -g, -b)))
    weight = [float(np.clip(r.height[inside] - 3 * noise, 0, None).sum()) for r in both]
    return both if weight[0] >= weight[1] else both[::-1]


def _background(values: Channel, around: Mask) -> Channel:
    """(H, W, 3) plane through the surroundings, fitted three times without what lies off it."""
    height, width = around.shape
    y, x = np.nonzero(around)
    step = max(1, len(x) // 4000)
    x, y = x[::step], y[::step]
    terms = np.column_stack([np.ones(len(x)), x / width, y / height])
    samples = values[y, x].astype(np.float64)
    keep = np.ones(len(x), dtype=bool)
    fit = np.zeros((3, 3))
    fit[0] = np.median(samples, axis=0)
    if len(x) < 30:
        return np.broadcast_to(fit[0].astype(np.float32), values.shape)
    for _ in range(3):
        away = np.abs(samples - terms @ fit).sum(axis=1)
        keep = away <= 3.0 * max(float(np.median(away)), 0.5)
        fit = np.linalg.lstsq(terms[keep], samples[keep], rcond=None)[0]
    rows, columns = np.arange(height) / height, np.arange(width) / width
    plane = fit[0] + columns[None, :, None] * fit[1] + rows[:, None, None] * fit[2]
    return np.asarray(plane, dtype=np.float32)


def _direction(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) colour axis along which the strongest deviations lie; luma for a grey picture."""
    strength = np.abs(inside).sum(axis=1)
    strong = inside[strength >= np.quantile(strength, 0.8)].astype(np.float64)
    values, vectors = np.linalg.eigh(strong.T @ strong)
    axis = vectors[:, int(np.argmax(values))]
    axis = axis if axis.sum() >= 0 else -axis
    return np.asarray(axis / np.abs(axis).sum(), dtype=np.float32)
