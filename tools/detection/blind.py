"""Detection without samples: what stands out from the surface's own statistics, and whether that may be trusted."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Mask, RgbImage
from tools.detection import bank
from tools.detection.field import Field, block_maxima, filled, grid, learn_extremes, light
from tools.detection.furniture import Sorted, sort_out
from tools.detection.gate import Evenness, evenness
from tools.detection.kinds import kind_of
from tools.detection.shapes import Shape, joined, shape_of, softness
from tools.detection.spots import Spot, components, cut, faint_spots, grown, painted, strong_spots
from tools.pixels.grey import grey

FALSE_ALARMS = 0.02
"""Expected false regions on a clean picture at the threshold."""
MOST_FINDINGS = 40


@dataclass(frozen=True)
class Found:
    """A region with its shape and the guess at its type."""

    spot: Spot
    shape: Shape
    kind: DefectType
    kind_score: float

    @property
    def score(self) -> float:
        """0.5 at the threshold, towards 1 with growing evidence."""
        return float(1 - 0.5 * 0.5 ** max(self.spot.strength - 1, 0.0))


@dataclass(frozen=True)
class Search:
    """What a search without samples found, in pixels of the picture that was searched."""

    found: tuple[Found, ...]
    heat: Field
    """(H, W) float32 evidence over the threshold's."""
    even: Evenness
    sorted: Sorted


def threshold(shape: tuple[int, ...]) -> float:
    """Evidence at which a clean picture shows `FALSE_ALARMS` false regions, over all blocks and filters."""
    rows, cols = grid(shape)
    return float(np.log(rows * cols * bank.TESTS / FALSE_ALARMS))


def channels(pixels: RgbImage) -> tuple[Field, Field, Field]:
    """Grey, and two colour differences, (H, W) float32 each, light removed from all."""
    brightness = grey(pixels).astype(np.float32)
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    cold: Field = np.asarray(blue - (red + green) / 2, np.float32)
    return brightness - light(brightness), red - green - light(red - green), cold - light(cold)


def _pixel_evidence(smooth: Field) -> Field:
    size = np.abs(smooth)
    return learn_extremes(block_maxima(size, grid(size.shape)), floor=0.15, crowded=True).evidence(size)


def _coloured(spot: Spot, red: Field, blue: Field) -> Spot:
    """The spot with its difference in colour from the surface."""
    difference = max(abs(float(np.median(cut(c, spot.box)[spot.mask]))) for c in (red, blue))
    return replace(spot, colour=difference)


def _faint(field: Field, hidden: Mask, limit: float) -> tuple[list[Spot], Field]:
    evidence = bank.examine(field, hidden)
    best = evidence.best / limit
    best[hidden] = 0.0
    spots = []
    for box, mask, _ in components(best >= 0.5, best, 1.0):
        shown = cut(best, box)
        peak = np.unravel_index(np.argmax(np.where(mask, shown, -np.inf)), shown.shape)
        line = bool(cut(evidence.line, box)[peak] >= cut(evidence.spot, box)[peak])
        spots += faint_spots(field, box, mask & (shown >= 0.35 * shown[peak]), evidence=best, line=line)
    return spots, best


def search(pixels: RgbImage) -> Search:
    """Find what stands out on a surface.

    Args:
        pixels: (H, W, 3) uint8 RGB, both sides at least 48 px.
    """
    bright, red, blue = channels(pixels)
    limit = threshold(bright.shape)
    smooth = cv2.GaussianBlur(bright, (0, 0), 1.0)
    evidence = _pixel_evidence(smooth)
    strong = strong_spots(cv2.GaussianBlur(bright, (0, 0), 0.5), smooth, evidence, limit)
    for colour in (red, blue):
        soft = cv2.GaussianBlur(colour, (0, 0), 2.0)
        taken = painted(strong, bright.shape, margin=3)
        strong += [s for s in strong_spots(soft, soft, _pixel_evidence(soft), limit)
                   if cut(taken, s.box)[s.mask].mean() < 0.3]
    first = sort_out(strong, bright.shape)
    hidden = painted([*first.defects, *first.belongs], bright.shape, margin=4)
    for area in first.areas:
        cut(hidden, grown(area, 4, bright.shape))[:] = True
    faint, heat = _faint(filled(bright, hidden), hidden, limit)
    spots = [s for s in joined(first.defects + faint, heat) if s.strength >= 1][:MOST_FINDINGS]
    covered = hidden | painted(spots, bright.shape, margin=4)
    found = []
    for spot in spots:
        spot = _coloured(spot, red, blue)
        shape = shape_of(spot)
        kind, score = kind_of(spot, shape, bright.shape, softness(bright, spot, shape))
        found.append(Found(spot, shape, kind, score))
        region = cut(heat, spot.box)
        region[spot.mask] = np.maximum(region[spot.mask], spot.strength)
    return Search(tuple(found), heat, evenness(filled(bright, covered), covered, grey(pixels).astype(np.float32)), first)
