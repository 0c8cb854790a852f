"""From evidence to regions with exact borders: half of the local contrast, as a person would draw them."""

from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, Mask
from tools.detection.bank import directions
from tools.detection.field import Field

MOST = 250
"""Regions looked at, strongest first; a picture with more of them is no plain surface."""


@dataclass(frozen=True)
class Spot:
    """A region that stands out: its box, its mask inside the box, and how it differs from the surface around it."""

    box: Box
    mask: Mask
    contrast: float
    """Grey levels above (or, negative, below) the surface."""
    strength: float
    """Evidence over the evidence that the threshold asks for: 1 is the threshold."""
    colour: float = 0.0
    """Largest difference in the two colour channels, grey levels."""
    line: bool = False
    """Found as a line."""

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def sign(self) -> int:
        return 1 if self.contrast > 0 else -1


def grown(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """`box` with a margin, inside a picture of this shape."""
    return (max(box[0] - margin, 0), max(box[1] - margin, 0),
            min(box[2] + margin, shape[1]), min(box[3] + margin, shape[0]))


Item = TypeVar("Item", bound=np.generic)


def cut(array: NDArray[Item], box: Box) -> NDArray[Item]:
    """The part of an array inside a box."""
    return array[box[1]:box[3], box[0]:box[2]]


def tight(mask: Mask, corner: tuple[int, int]) -> tuple[Box, Mask] | None:
    """The smallest box around a mask whose own top left corner is `corner`, and the mask inside it."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if not width:
        return None
    box = (corner[0] + x, corner[1] + y, corner[0] + x + width, corner[1] + y + height)
    return box, mask[y:y + height, x:x + width].copy()


def touching(mask: Mask, seeds: Mask) -> Mask:
    """The connected parts of `mask` that hold a seed."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    keep = np.zeros(count, bool)
    keep[np.unique(labels[seeds & mask])] = True
    keep[0] = False
    return np.asarray(keep[labels])


def components(low: Mask, evidence: Field, threshold: float) -> list[tuple[Box, Mask, float]]:
    """Connected parts of `low` whose strongest evidence reaches the threshold: box, mask, peak; strongest first."""
    if not (evidence >= threshold).any():
        return []
    _, labels, stats, _ = cv2.connectedComponentsWithStats(low.astype(np.uint8), connectivity=8)
    seeds = np.unique(labels[(evidence >= threshold) & low])
    parts = []
    for label in seeds[seeds > 0][:4 * MOST]:
        x, y, w, h = (int(v) for v in stats[label, :4])
        box = (x, y, x + w, y + h)
        mask = cut(labels, box) == label
        parts.append((box, np.asarray(mask), float(cut(evidence, box)[mask].max())))
    return sorted(parts, key=lambda part: -part[2])[:MOST]


def strong_spots(sharp: Field, smooth: Field, evidence: Field, threshold: float) -> list[Spot]:
    """Regions that stand out pixel by pixel, dark and bright ones apart.

    Args:
        sharp: (H, W) float32 flattened surface; borders are drawn on it.
        smooth: The same, lightly smoothed; what stands out is judged on it.
        evidence: (H, W) float32 evidence of the absolute value of `smooth`.
        threshold: Evidence that a region must reach.
    """
    found = []
    for sign in (-1, 1):
        side, fine = sign * smooth, sign * sharp
        for box, mask, peak in components((evidence > 0) & (side > 0), evidence, threshold):
            sure = mask & (cut(evidence, box) >= threshold)
            level = float(np.quantile(cut(side, box)[sure], 0.8))
            core = mask & ((cut(fine, box) + cut(side, box)) / 2 > level / 2)
            found += [Spot(*place, contrast=sign * level, strength=peak / threshold)
                      for place in _parts(core, sure, box[:2])]
    return sorted(found, key=lambda spot: -spot.strength)


def _parts(mask: Mask, seeds: Mask, corner: tuple[int, int]) -> list[tuple[Box, Mask]]:
    """The 4-connected parts of a mask that hold a seed."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        place = tight(mask, corner)
        return [place] if place else []
    parts = [tight(labels == label, corner) for label in np.unique(labels[seeds & mask])[:30]]
    return [part for part in parts if part is not None and np.count_nonzero(part[1]) >= 4]


def _along(patch: Field, reach: int) -> Field:
    """Largest mean over lines of `2 * reach + 1` px through each pixel."""
    best = np.full(patch.shape, -np.inf, np.float32)
    for dx, dy in directions():
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        ends = [(round(reach + s * dx * reach), round(reach + s * dy * reach)) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        np.maximum(best, cv2.filter2D(patch, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), out=best)
    return best


def faint_spots(field: Field, box: Box, mask: Mask, *, evidence: Field, line: bool) -> list[Spot]:
    """Draw the borders of something found by the filter bank, at half of its own contrast.

    Args:
        field: (H, W) float32 flattened surface.
        box: Box of the evidence.
        mask: Evidence inside the box above the lower threshold.
        evidence: (H, W) float32, in units of the threshold.
        line: True if lines gave the stronger evidence.
    """
    wide = grown(box, 12, field.shape)
    patch, shown = cut(field, wide), cut(evidence, wide)
    inside = np.zeros(patch.shape, bool)
    dx, dy = box[0] - wide[0], box[1] - wide[1]
    inside[dy:dy + mask.shape[0], dx:dx + mask.shape[1]] = mask
    peak = float(shown[inside].max())
    core = inside & (shown >= 0.6 * peak)
    around = patch[~inside]
    patch = patch - (float(np.median(around)) if around.size > 50 else 0.0)
    sigma = 0.7 if line else float(np.clip(np.sqrt(mask.sum() / np.pi) / 4, 0.7, 8))
    smooth = cv2.GaussianBlur(patch, (0, 0), sigma)
    sign = 1 if abs(np.quantile(smooth[core], 0.9)) > abs(np.quantile(smooth[core], 0.1)) else -1
    side = _along(sign * smooth, 5) if line else sign * smooth
    level = float(np.quantile(side[core], 0.75))
    region = touching((side > level / 2) & (cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0), core)
    count, labels = cv2.connectedComponents(region.astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, count):
        part = labels == label
        if (place := tight(part, wide[:2])) is not None and (count == 2 or place[1].sum() >= 5):
            found.append(Spot(*place, contrast=sign * level, strength=float(shown[part].max()), line=line))
    return found


def painted(spots: list[Spot], shape: tuple[int, ...], *, margin: int = 0) -> Mask:
    """(H, W) bool, True on every spot, grown by a margin in px."""
    mask = np.zeros(shape[:2], np.uint8)
    for spot in spots:
        cut(mask, spot.box)[spot.mask] = 1
    if margin:
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1)))
    return np.asarray(mask > 0)


def united(first: Spot, second: Spot) -> Spot:
    """Two spots as one."""
    box = (min(first.box[0], second.box[0]), min(first.box[1], second.box[1]),
           max(first.box[2], second.box[2]), max(first.box[3], second.box[3]))
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), bool)
    for spot in (first, second):
        x, y = spot.box[0] - box[0], spot.box[1] - box[1]
        mask[y:y + spot.mask.shape[0], x:x + spot.mask.shape[1]] |= spot.mask
    main = first if first.area >= second.area else second
    return replace(main, box=box, mask=mask, strength=max(first.strength, second.strength),
                   colour=max(first.colour, second.colour), line=first.line or second.line)
