"""Find the thing to measure in a window: one mask with the level that its edge is drawn at."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask, RgbImage
from tools.measuring.relief import Channel, Relief, reliefs

Rank = Callable[[Mask], float]
"""How well a shape suits the quantity that was asked for; 1 is neutral."""


@dataclass(frozen=True)
class Thing:
    """What was found in a window."""

    mask: Mask
    """(H, W) bool without holes."""
    holes: Mask
    """(H, W) bool: background enclosed by the thing."""
    relief: Relief
    contrast: float
    """Height of the thing over the background, grey levels."""
    rivals: int
    """Other things in the window that are nearly as prominent."""


def segment(pixels: RgbImage, inside: Mask, around: Mask, *, thin: bool = False,
            rank: Rank | None = None) -> Thing | None:
    """Segment the most prominent thing inside a window.

    Args:
        pixels: (H, W, 3) uint8 RGB window. Never written to.
        inside: (H, W) bool, where the thing is looked for.
        around: (H, W) bool, taken as background.
        thin: It is a line-like thing (scratch, crack): pieces in line with each other belong together.
        rank: Preference among several things.
    Returns:
        The thing, or None if nothing stands out from the background.
    Source: half-height threshold between background and thing, hysteresis for faint parts (Canny 1986).
    """
    found: list[tuple[float, Thing]] = []
    for relief in reliefs(pixels, inside, around):
        for soften in (_as_it_is, _along_lines, _wide) if thin else (_as_it_is, _narrow, _wide):
            soft = _measured(soften(relief.height), around)
            things = _things(soft, relief, inside, thin=thin, rank=rank)
            if things:
                found += things
                break
    if not found:
        return None
    found.sort(key=lambda entry: -entry[0])
    best, thing = found[0]
    rivals = sum(score > 0.5 * best for score, _ in found[1:])
    return Thing(thing.mask, thing.holes, thing.relief, thing.contrast, rivals)


def _as_it_is(height: Channel) -> Channel:
    return height


def _narrow(height: Channel) -> Channel:
    return np.asarray(cv2.GaussianBlur(height, (0, 0), 1.2), dtype=np.float32)


def _wide(height: Channel) -> Channel:
    return np.asarray(cv2.GaussianBlur(height, (0, 0), 2.5), dtype=np.float32)


def _along_lines(height: Channel) -> Channel:
    """Averaged along the direction that gives the most: keeps faint thin lines that other smoothing wipes out.

    Source: oriented anisotropic Gaussians (Geusebroek, Smeulders, van de Weijer 2003), by direct convolution.
    """
    y, x = np.mgrid[-9:10, -9:10].astype(np.float32)
    best = np.full(height.shape, -np.inf, dtype=np.float32)
    for angle in np.arange(12) * np.pi / 12:
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        kernel = np.exp(-0.5 * ((along / 3.5) ** 2 + (across / 0.7) ** 2))
        best = np.maximum(best, cv2.filter2D(height, cv2.CV_32F, (kernel / kernel.sum()).astype(np.float32)))
    return best


def _measured(height: Channel, around: Mask) -> Relief:
    """A channel with its background at 0 and the spread of it."""
    values = height[around]
    centre = float(np.median(values))
    noise = float(1.4826 * np.median(np.abs(values - centre)))
    return Relief(np.asarray(height - centre, dtype=np.float32), max(noise, 0.3))


def _things(soft: Relief, relief: Relief, inside: Mask, *, thin: bool, rank: Rank | None) -> list[tuple[float, Thing]]:
    """Connected shapes above half the contrast, with how prominent they are; empty if the contrast is in the noise."""
    contrast = _contrast(soft, inside)
    if contrast < 5 * soft.noise:
        return []
    high = contrast / 2
    low = max(0.35 * contrast, 3 * soft.noise) if thin else high
    weak = (soft.height > low).astype(np.uint8)
    if thin:
        weak = np.asarray(cv2.morphologyEx(weak, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
    found = []
    for i in range(1, count):
        x, y, w, h, area = stats[i]
        if area < 6:
            continue
        part = labels[y:y + h, x:x + w] == i
        heights = soft.height[y:y + h, x:x + w]
        share = np.count_nonzero(part & inside[y:y + h, x:x + w]) / area
        if share < 0.5 or heights[part].max() < high:
            continue
        filled, holes = _filled(part)
        score = float(heights[part].sum()) * share**2 * (rank(filled) if rank else 1.0)
        mask, gaps = np.zeros(inside.shape, dtype=bool), np.zeros(inside.shape, dtype=bool)
        mask[y:y + h, x:x + w], gaps[y:y + h, x:x + w] = filled, holes
        found.append((score, Thing(mask, gaps, relief, _level(relief, part, (x, y, w, h)), 0)))
    return found


def _contrast(soft: Relief, inside: Mask) -> float:
    """Median height of what stands out inside."""
    values = soft.height[inside]
    values = values[values > 4 * soft.noise]
    if len(values) < 6:
        return 0.0
    scaled = np.clip(values / values.max() * 255, 0, 255).astype(np.uint8)
    split, _ = cv2.threshold(scaled.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    top = values[scaled > split]
    bottom = values[scaled <= split]
    # Otsu also halves a single population: then all of it is the thing.
    one = len(top) == 0 or len(bottom) == 0 or np.median(top) < 1.6 * np.median(bottom)
    return float(np.median(values if one else top))


def _filled(part: Mask) -> tuple[Mask, Mask]:
    """A shape without its holes, and the holes."""
    padded = np.pad(part, 1).astype(np.uint8)
    flood = padded.copy()
    cv2.floodFill(flood, None, (0, 0), 1)
    holes = flood[1:-1, 1:-1] == 0
    return part | holes, holes


def _level(relief: Relief, part: Mask, window: tuple[int, int, int, int]) -> float:
    """Typical height of the body of a shape, on the unsmoothed channel; for thin shapes the height of their ridge."""
    x, y, w, h = window
    values: NDArray[np.float32] = relief.height[y:y + h, x:x + w]
    depth = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    core = depth >= max(1.0, min(3.0, 0.7 * float(depth.max())))
    return float(np.median(values[core & part])) if (core & part).any() else float(np.median(values[part]))
