"""Every way to tell things from background in a picture: one mask each, cleaned and roughly scored."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, Mask, RgbImage
from tools.counting.channels import Layer, by_neighbourhood, colour_masks, layers, levels
from tools.counting.items import steepness

SMALLEST = 10.0
"""Smaller shapes cannot be told from noise, px2 of the reduced picture."""
MOST = 600
LARGEST = 0.35
"""Share of the picture from which on a shape is background."""
FINALISTS = 8
CLEAR = 0.55
"""Sets whose edges are not clearer than this over the texture are texture."""


@dataclass(frozen=True)
class Trial:
    """One mask to be looked at."""

    layer: str
    dark: bool
    mask: Mask
    specks: float
    """Area of specks, px2."""
    honest: float
    """How far the border of what was taken as background lies on edges, 0 to 1."""
    rough: float
    """Score by what is quick to compute."""


@dataclass(frozen=True)
class Scene:
    """A picture with all masks of it."""

    light: NDArray[np.float32]
    """(H, W) brightness."""
    colours: RgbImage
    """(H, W, 3) uint8, the picture itself."""
    edges: NDArray[np.float32]
    """(H, W) steepness."""
    texture: float
    """Steepness that the surface itself has."""
    trials: tuple[Trial, ...]
    """The best by rough score first."""


def look(pixels: RgbImage, *, polarity: str, skip: tuple[Box, ...] = ()) -> Scene:
    """Make and clean all masks of a picture.

    Args:
        pixels: (H, W, 3) uint8 RGB, reduced. Never written to.
        polarity: `dark`, `bright` or `any`.
        skip: Boxes in which nothing is counted.
    """
    seen = layers(pixels)
    edges = steepness(seen[0].values)
    for layer in seen[1:]:
        if layer.name == "colour":
            edges = np.maximum(edges, steepness(layer.values))
    texture = float(np.median(edges))
    blocked = np.zeros(edges.shape, dtype=bool)
    for x0, y0, x1, y1 in skip:
        blocked[max(y0, 0):max(y1, 0), max(x0, 0):max(x1, 0)] = True
    trials = [trial for mask, name, dark in _masks(seen, pixels, polarity)
              if (trial := _trial(mask & ~blocked, name, dark, edges, texture)) is not None]
    trials.sort(key=lambda trial: -trial.rough)
    for trial in _leaders(trials):
        layer = next(one for one in seen if one.name == trial.layer)
        mask = by_neighbourhood(layer.values, trial.mask, dark=trial.dark)
        if mask is not None and (found := _trial(mask & ~blocked, "near", trial.dark, edges, texture)) is not None:
            trials.append(found)
    trials.sort(key=lambda trial: -trial.rough)
    return Scene(light=seen[0].values, colours=pixels, edges=edges, texture=texture, trials=tuple(trials))


def _leaders(trials: list[Trial]) -> list[Trial]:
    """The best trial of each polarity of the brightness, with and without uneven light taken out."""
    ways = [("light", False), ("light", True), ("flat", False), ("flat", True)]
    found = [next((t for t in trials if (t.layer, t.dark) == way), None) for way in ways]
    best = max((t.rough for t in trials), default=0.0)
    return [t for t in found if t is not None and t.rough > 0.4 * best]


def finalists(trials: tuple[Trial, ...]) -> list[Trial]:
    """The best three of each way to see the picture, and of these the best ones."""
    taken: dict[tuple[str, bool], int] = {}
    kept = []
    for trial in trials:
        way = (trial.layer, trial.dark)
        taken[way] = taken.get(way, 0) + 1
        if taken[way] <= 3:
            kept.append(trial)
    return kept[:FINALISTS]


def _masks(seen: tuple[Layer, ...], pixels: RgbImage, polarity: str) -> Iterator[tuple[Mask, str, bool]]:
    for layer in seen:
        for level in levels(layer.values):
            above = layer.values > level
            if polarity != "dark" or layer.name not in ("light", "flat"):
                yield above, layer.name, False
            if polarity != "bright" or layer.name not in ("light", "flat"):
                yield ~above, layer.name, True
    for mask in colour_masks(pixels):
        yield mask, "colours", False


def _trial(mask: Mask, layer: str, dark: bool, edges: NDArray[np.float32], texture: float) -> Trial | None:
    """Remove background and specks from a mask and score it roughly; None if nothing or far too much is left."""
    height, width = mask.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2 or count > 20 * MOST:
        return None
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    x, y, w, h = (stats[:, k] for k in range(4))
    wide = (w > 0.9 * width) | (h > 0.9 * height)
    at_border = (x <= 0) | (y <= 0) | (x + w >= width) | (y + h >= height)
    sides = (x <= 0).astype(int) + (y <= 0) + (x + w >= width) + (y + h >= height)
    large = (area > LARGEST * mask.size) | (wide & at_border) | (sides >= 3) | (at_border & (w * h > 0.25 * mask.size))
    good = (area >= SMALLEST) & ~large
    good[0] = False
    if not good.any() or good.sum() > MOST:
        return None
    specks = float(area[1:][~good[1:] & ~large[1:]].sum())
    cleaned = good[labels]
    rough, honest = _rough(labels, area, good, edges, texture, specks)
    if rough == 0:
        return None
    return Trial(layer=layer, dark=dark, mask=cleaned, specks=specks, honest=honest, rough=rough)


def _rough(labels: NDArray[np.int32], area: NDArray[np.float64], good: NDArray[np.bool_], edges: NDArray[np.float32],
           texture: float, specks: float) -> tuple[float, float]:
    """The score of a set from areas and edges only, and how far the background's border lies on edges."""
    whole = (labels > 0).astype(np.uint8)
    rim = (whole - cv2.erode(whole, np.ones((3, 3), np.uint8))).astype(bool)
    where = np.flatnonzero(rim)
    which = labels.ravel()[where]
    total = np.bincount(which, weights=edges.ravel()[where], minlength=len(area))
    number = np.bincount(which, minlength=len(area))
    back = total[1:][~good[1:]].sum() / max(float(number[1:][~good[1:]].sum()), 1.0)
    honest = back / (back + 2 * texture + 3) if number[1:][~good[1:]].sum() > 0.1 * number[1:].sum() else 1.0
    steep = (total / np.maximum(number, 1))[good]
    sharp = steep / (steep + 2 * texture + 3)
    sizes = area[good]
    order = np.sort(np.log(sizes))
    reach = np.searchsorted(order, order + 0.7, side="right") - np.arange(len(order))
    most = int(reach.max())
    best = int(np.argmax(reach))
    inside = (np.log(sizes) >= order[best] - 1e-9) & (np.log(sizes) <= order[best] + 0.7)
    clear = float((sharp[inside] * sizes[inside]).sum() / sizes[inside].sum())
    share = float(sizes[inside].sum() / (sizes.sum() + specks))
    if clear < CLEAR - 0.1:
        return 0.0, 0.0
    cover = float(sizes[inside].sum() / labels.size)
    return honest * clear**1.5 * most / (most + 2) * share**0.5 * cover**0.05, float(honest)
