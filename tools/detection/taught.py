"""A whole inspection by comparison with good samples: where the picture strays from them, and by how much."""

from dataclasses import replace

import cv2
import numpy as np

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, Mask, RgbImage
from tools.detection.alone import polygon, reduced, region_of, scaled
from tools.detection.backbone import seen
from tools.detection.blind import local_search
from tools.detection.field import Field
from tools.detection.memory import STRANGE, USUAL_SPREAD, Memory, features_of, memory_of
from tools.detection.outcome import Inspection, Region
from tools.detection.spots import components, cut, grown

MOST_AREA = 1_000_000
"""At most so many pixels go through the network."""
DECIDING = 4
"""Good samples from which a threshold is trusted."""
STEEP = 8.0
"""How fast the score leaves 0.5 with the distance over the threshold; good pictures spread by about 0.07."""
CLOSE = float(np.exp(-USUAL_SPREAD))
"""Share of the threshold from which an area is shown, with a score below 0.5, so that it is neither passed nor
rejected: good pictures differ by as much by themselves. Of the defective pictures that miss the threshold on eight
surfaces, 16 % with 4 samples, 30 % with 8 and 57 % with 16 are shown so, and 6, 14 and 15 % of the good ones."""
DRAWN = 4
"""Hot areas, strongest first, whose border is looked for on the pixels."""
BORDER_AREA = 40_000
"""Larger areas are looked at in so many pixels for that: 12 ms each."""
SIDE = 48
"""Smaller areas show too little to find a border."""


def score_of(ratio: float) -> float:
    """Distance over the threshold to 0..1, 0.5 at the threshold."""
    return float(1 / (1 + max(ratio, 1e-3) ** -STEEP))


def heat_of(pixels: RgbImage, memory: Memory) -> tuple[Field, float]:
    """Distance of each cell from the good samples over their threshold, and the middle cell's over theirs."""
    height, width = pixels.shape[:2]
    factor = min(memory.factor, float(np.sqrt(MOST_AREA / (height * width))))
    apart = memory.known.distances(features_of(seen(pixels, factor)))
    relative = memory.place.relative(apart)
    return np.asarray(relative / memory.threshold, np.float32), float(np.median(apart)) / max(memory.middle, 1e-6)


def hot_areas(heat: Field) -> list[tuple[Box, Mask, float]]:
    """Areas past the threshold or close to it, each down to half way between its peak and the picture's middle."""
    usual = float(np.median(heat))
    areas = []
    for box, mask, peak in components(heat >= 0.9, heat, CLOSE):
        # On a picture that strays nearly everywhere, an area may stay below the middle.
        level = max(0.9, peak - 0.5 * max(peak - usual, 0.0))
        areas.append((box, np.asarray(mask & (cut(heat, box) >= level)), peak))
    return areas


def _bordered(pixels: RgbImage, wide: Box, inside: Mask, cell: int, score: float) -> list[Region]:
    """What stands out in a hot area, its border followed on the pixels.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        wide: The area with what is around it, both sides at least `SIDE` px.
        inside: (h, w) bool, the area itself inside `wide`.
        cell: Side of a patch in px of `pixels`.
        score: Of the area.
    """
    around = cut(pixels, wide)
    area = max(BORDER_AREA, int(SIDE**2 * max(around.shape[:2]) / min(around.shape[:2])))
    small, factor = reduced(np.ascontiguousarray(around), area)
    near = cv2.resize(inside.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
    regions = []
    for found in local_search(small, near, max(1, round(cell / factor))):
        region = scaled(region_of(found), factor, around.shape)
        x0, y0, x1, y1 = region.box
        x, y = wide[:2]
        regions.append(replace(region, score=score, box=(x0 + x, y0 + y, x1 + x, y1 + y),
                               outline=region.outline + np.array(wide[:2])))
    return regions


def _rough(box: Box, mask: Mask, score: float) -> Region:
    """A hot area without a border on the pixels: the area itself."""
    ys, xs = np.nonzero(mask)
    x0, y0, x1, y1 = (int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=cv2.contourArea).reshape(-1, 2).astype(np.int32)
    sides = sorted((x1 - x0, y1 - y0))
    return Region(kind=DefectType.OTHER, kind_score=0.3, score=score,
                  box=(box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1),
                  outline=polygon(points) + np.array(box[:2]), area=float(mask.sum()),
                  length=float(sides[1]), width=float(sides[0]))


def drawn_regions(pixels: RgbImage, heat: Field, cell: int) -> list[Region]:
    """Findings with borders taken from the pixels where they show, from the heat where they do not.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        heat: (H, W) float32, 1 at the threshold.
        cell: Side of a patch in px of `pixels`.
    """
    regions = []
    for i, (box, mask, peak) in enumerate(hot_areas(heat)):
        score = score_of(peak)
        wide = grown(box, max(2 * cell, SIDE), heat.shape)
        near: list[Region] = []
        if i < DRAWN and min(wide[2] - wide[0], wide[3] - wide[1]) >= SIDE:
            inside = np.zeros((wide[3] - wide[1], wide[2] - wide[0]), bool)
            dx, dy = box[0] - wide[0], box[1] - wide[1]
            inside[dy:dy + mask.shape[0], dx:dx + mask.shape[1]] = mask
            near = _bordered(pixels, wide, inside, cell, score)
        regions += near or [_rough(box, mask, score)]
    return sorted(regions, key=lambda r: -r.score)


def inspect_taught(pixels: RgbImage, good: tuple[RgbImage, ...]) -> Inspection:
    """Inspect a picture by comparison with good samples.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        good: One or more good samples, (H, W, 3) uint8 RGB, taken as this picture was.
    """
    memory = memory_of(good)
    cells, strangeness = heat_of(pixels, memory)
    small, factor = reduced(pixels)
    heat = cv2.resize(cells, small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cell = max(1, round(small.shape[1] / cells.shape[1]))
    regions = tuple(scaled(r, factor, pixels.shape) for r in drawn_regions(small, heat, cell))
    peak = float(cells.max())
    enough = len(good) >= DECIDING
    strange = strangeness > STRANGE
    code = "samples_differ" if strange else "good_samples" if enough else "few_samples"
    return Inspection(regions, np.asarray(heat, np.float32), score_of(peak), enough and not strange, code,
                      "good" if enough else "few", len(good), "like the good samples" if not strange else "unlike them")
