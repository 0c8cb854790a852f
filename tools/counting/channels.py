"""Flat one-channel pictures in which things may stand out from the background."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask, RgbImage
from tools.pixels.grey import grey, robust_sigma

Channel = NDArray[np.float32]
WORK_AREA = 230_000
"""Things are looked for on a copy of this many pixels; `measure` goes back to the full ones."""
COLOURFUL = 6.0
"""From this spread of colour (Lab units) on, colour is looked at."""
MEANS = 6
WEIGHTS = np.array([0.5, 1.0, 1.0], dtype=np.float32)
"""Lightness counts half: shadows should not divide a colour."""
UNEVEN = 0.08
"""From this share of the range of brightness on, slow changes of the background are taken out."""


@dataclass(frozen=True)
class Layer:
    """One way to see the picture."""

    name: str
    values: Channel
    """(H, W) float32."""


def reduced(pixels: RgbImage, area: int = WORK_AREA) -> tuple[RgbImage, float]:
    """A copy of at most about `area` pixels, and its size over that of the picture."""
    height, width = pixels.shape[:2]
    shrink = min(1.0, float(np.sqrt(area / (height * width))))
    if shrink == 1.0:
        return pixels, 1.0
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), shrink


def layers(pixels: RgbImage) -> tuple[Layer, ...]:
    """Brightness as it is, brightness without uneven light, and the strongest colour difference if there is one.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
    """
    plain = cv2.GaussianBlur(cv2.medianBlur(grey(pixels), 3), (0, 0), 0.7)
    light = np.asarray(plain, dtype=np.float32)
    slow = _slow(plain)
    found = [Layer("light", light)]
    drift = float(np.ptp(np.quantile(slow[::8, ::8], (0.05, 0.95))))
    if drift > UNEVEN * float(np.ptp(np.quantile(light[::4, ::4], (0.01, 0.99)))):
        found.append(Layer("flat", light - slow))
    lab = cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1.0), cv2.COLOR_RGB2Lab)[..., 1:].astype(np.float32)
    spread = lab.reshape(-1, 2) - np.median(lab.reshape(-1, 2)[::7], axis=0)
    if float(np.sqrt(np.mean(spread[::7] ** 2))) > COLOURFUL:
        _, axes = np.linalg.eigh(spread[::7].T @ spread[::7])
        for name, values in (("colour", spread @ axes[:, 1]), ("tint", np.linalg.norm(spread, axis=1))):
            found.append(Layer(name, np.asarray(2 * values.reshape(lab.shape[:2]), dtype=np.float32)))
    return tuple(found)


def colour_masks(pixels: RgbImage) -> tuple[Mask, ...]:
    """(H, W) bool for each of the main colours of a colourful picture; empty for a grey one.

    Source: k-means in CIELAB (MacQueen 1967) with fixed starts, so that the result does not change from run to run.
    """
    lab_bytes = cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1.0), cv2.COLOR_RGB2Lab)
    some = lab_bytes.reshape(-1, 3)[:: max(1, lab_bytes.size // 6000)].astype(np.float32) * WEIGHTS
    if float(np.sqrt(np.mean((some[:, 1:] - np.median(some[:, 1:], axis=0)) ** 2))) <= COLOURFUL:
        return ()
    centres = [some.mean(axis=0)]
    for _ in range(MEANS - 1):
        gap = np.min([np.linalg.norm(some - centre, axis=1) for centre in centres], axis=0)
        centres.append(some[int(np.argmax(gap * (gap <= np.quantile(gap, 0.995))))])
    means = np.array(centres)
    for _ in range(5):
        nearest = np.argmin(((some[:, None] - means[None]) ** 2).sum(axis=2), axis=1)
        means = np.array([some[nearest == k].mean(axis=0) if (nearest == k).any() else means[k] for k in range(MEANS)])
    which = _nearest_table(means)[(lab_bytes[..., 0] >> 3).astype(np.int32) << 10
                                  | (lab_bytes[..., 1] >> 3).astype(np.int32) << 5 | lab_bytes[..., 2] >> 3]
    return tuple(which == k for k in range(MEANS))


def _nearest_table(means: NDArray[np.float32]) -> NDArray[np.int64]:
    """(32768,) nearest mean of every Lab colour at 5 bits a channel: quicker than asking for every pixel."""
    grid = np.indices((32, 32, 32)).reshape(3, -1).T.astype(np.float32) * 8 + 4
    return np.asarray(np.argmin((means**2).sum(axis=1)[None] - 2 * (grid * WEIGHTS) @ means.T, axis=1), dtype=np.int64)


def _slow(plain: NDArray[np.uint8]) -> Channel:
    """Brightness of the background, as it changes slowly: a wide median on a very small copy."""
    height, width = plain.shape
    shrink = 56 / max(height, width)
    size = (max(8, round(width * shrink)), max(8, round(height * shrink)))
    tiny = cv2.medianBlur(cv2.resize(plain, size, interpolation=cv2.INTER_AREA), 21)
    smooth = cv2.GaussianBlur(tiny.astype(np.float32), (0, 0), 3.0)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def by_neighbourhood(values: Channel, first: Mask, *, dark: bool) -> Mask | None:
    """(H, W) bool: a mask again, each pixel held against the things and the ground around it.

    Args:
        values: (H, W) the layer.
        first: A first mask of the things in it.
        dark: Things are darker than the ground.
    Returns:
        None where there is nothing to learn from.
    Source: threshold halfway between local means of both classes, as in Chow and Kaneko (1972), with normalised
        convolution (Knutsson and Westin 1993) for the means.
    """
    shrink = 96 / max(values.shape)
    size = (max(8, round(values.shape[1] * shrink)), max(8, round(values.shape[0] * shrink)))
    thing = first.astype(np.uint8)
    inner = cv2.erode(thing, np.ones((3, 3), np.uint8))
    outer = 1 - cv2.dilate(thing, np.ones((7, 7), np.uint8))
    if not inner.any() or not outer.any():
        return None
    ground, own = (_local_mean(values, where, size, spread) for where, spread in ((outer, 5.0), (inner, 16.0)))
    middle = np.asarray(cv2.resize((ground + own) / 2, values.shape[::-1], interpolation=cv2.INTER_LINEAR))
    apart = np.asarray(cv2.resize(own - ground, values.shape[::-1], interpolation=cv2.INTER_LINEAR))
    sign = -1.0 if dark else 1.0
    return np.asarray((sign * (values - middle) > 0) & (sign * apart > 2), dtype=bool)


def _local_mean(values: Channel, where: NDArray[np.uint8], size: tuple[int, int], spread: float) -> Channel:
    """Mean of the values where it is asked for, smoothly continued over the rest, on a small copy."""
    weight = cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(values * where, size, interpolation=cv2.INTER_AREA)
    over = float(total.sum() / max(float(weight.sum()), 1e-6))
    share = cv2.GaussianBlur(weight, (0, 0), spread) + np.float32(1e-4)
    smooth = cv2.GaussianBlur(total, (0, 0), spread) + np.float32(1e-4 * over)
    return np.asarray(smooth / share, dtype=np.float32)


def levels(values: Channel) -> list[float]:
    """Thresholds worth trying, low to high: between the populations, and just outside the main one."""
    some = values.ravel()[:: max(1, values.size // 20000)]
    low, high = (float(v) for v in np.quantile(some, (0.002, 0.998)))
    if high - low < 6:
        return []
    middle = _otsu(some, low, high)
    tried = [middle, _otsu(some[some <= middle], low, middle), _otsu(some[some > middle], middle, high)]
    centre, sigma = float(np.median(some)), max(robust_sigma(some), 1.0)
    tried += [(centre + low) / 2, (centre + high) / 2, centre - 6 * sigma, centre + 6 * sigma]
    kept: list[float] = []
    for level in sorted(t for t in tried if low < t < high):
        if not kept or level - kept[-1] >= 0.06 * (high - low):
            kept.append(level)
    return kept


def _otsu(values: NDArray[np.float32], low: float, high: float) -> float:
    """Threshold between two populations (Otsu 1979)."""
    if len(values) < 16 or high - low < 1e-3:
        return (low + high) / 2
    scaled = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8).reshape(-1, 1)
    split, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return low + (float(split) + 0.5) / 255 * (high - low)
