"""Try every way to see the picture and keep the most convincing set of alike things."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, Mask, RgbImage
from tools.counting.channels import Layer, colour_masks, layers, levels
from tools.counting.items import centres, items_of, steepness
from tools.counting.letters import outside, text_lines
from tools.counting.nouns import Hint
from tools.counting.sets import CountSet, build
from tools.counting.teeth import teeth

SMALLEST = 10.0
"""Smaller shapes cannot be told from noise, px2 of the reduced picture."""
MOST = 600
LARGEST = 0.35
"""Share of the picture from which on a shape is background."""
LETTER = 0.1
"""Lettering higher than this share of the picture is not taken for lettering."""
FINALISTS = 8
CLEAR = 0.55
"""Sets whose edges are not clearer than this over the texture are texture."""


@dataclass(frozen=True)
class Trial:
    """One mask to be looked at."""

    layer: str
    dark: bool
    mask: Mask
    outside: float
    """Area of specks, px2."""
    honest: float
    """How far the border of what was taken as background lies on edges, 0 to 1."""
    rough: float
    """Score by what is quick to compute."""


def search(pixels: RgbImage, *, hint: Hint, polarity: str, touching: bool, skip: tuple[Box, ...] = ()) -> list[CountSet]:
    """Candidate sets, the most convincing first.

    Args:
        pixels: (H, W, 3) uint8 RGB, reduced. Never written to.
        hint: What the noun says.
        polarity: `dark`, `bright` or `any`.
        touching: Cut touching things apart.
        skip: Boxes in which nothing is counted.
    """
    seen = layers(pixels)
    edges = steepness(seen[0].values)
    if len(seen) > 2:
        edges = np.maximum(edges, steepness(seen[2].values))
    texture = float(np.median(edges))
    blocked = np.zeros(edges.shape, dtype=bool)
    for x0, y0, x1, y1 in skip:
        blocked[max(y0, 0):max(y1, 0), max(x0, 0):max(x1, 0)] = True
    trials = [t for mask, layer, dark in _masks(seen, pixels, polarity)
              if (t := _trial(mask & ~blocked, layer, dark, edges, texture)) is not None]
    cut = [(trial, items_of(trial.mask, edges, least=SMALLEST)) for trial in _finalists(trials)]
    lines = [] if hint.letters else [line for _, items in cut for line in text_lines(items, highest=LETTER * min(edges.shape))]
    sets: list[CountSet] = []
    for trial, shapes in cut:
        items = outside(shapes, lines)
        found = build(items, edges, texture=texture, hint=hint, touching=touching, outside=trial.outside, honest=trial.honest,
                      layer=trial.layer, dark=trial.dark)
        if found is not None:
            sets.append(found)
    clear = [found for found in sets if found.sharpness >= CLEAR]
    if hint.tooth:
        bodies = sorted(clear, key=lambda found: -max(item.area for item in found.items))[:3]
        toothed = [found for body in bodies if (found := teeth(body, edges)) is not None]
        if toothed:
            return sorted(toothed, key=lambda found: -found.score)
    return _agreed(clear)


def _finalists(trials: list[Trial]) -> list[Trial]:
    """The best three of each way to see the picture, and of these the best ones."""
    trials = sorted(trials, key=lambda trial: -trial.rough)
    taken: dict[tuple[str, bool], int] = {}
    kept = []
    for trial in trials:
        way = (trial.layer, trial.dark)
        taken[way] = taken.get(way, 0) + 1
        if taken[way] <= 3:
            kept.append(trial)
    return kept[:FINALISTS]


def _agreed(sets: list[CountSet]) -> list[CountSet]:
    """Sort by score, weighted by how far the other ways to see the picture find the same things."""
    if not sets:
        return []
    best = max(found.score for found in sets)
    near = [found for found in sets if found.score > 0.3 * best]
    total = sum(found.score for found in near)
    support = [sum(other.score * _same(found, other) for other in near) / total for found in near]
    order = np.argsort([-found.score * share**0.25 for found, share in zip(near, support, strict=True)], kind="stable")
    return [near[i] for i in order]


def _same(first: CountSet, second: CountSet) -> float:
    """Share of things that both sets have: each centre close to one of the other set."""
    a, b = centres(list(first.items)), centres(list(second.items))
    reach = 0.35 * np.sqrt(np.array([item.area for item in first.items]))
    hits = int((np.linalg.norm(a[:, None] - b[None], axis=2).min(axis=1) <= reach).sum())
    return min(hits, len(b)) / max(len(a), len(b))


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
    return Trial(layer=layer, dark=dark, mask=cleaned, outside=specks, honest=honest, rough=rough)


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
