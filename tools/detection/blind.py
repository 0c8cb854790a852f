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
LOCAL = 0.6
"""Share of the threshold that is enough where good samples have already shown that something is unusual."""


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


def _strong(fields: tuple[Field, Field, Field], limit: float) -> list[Spot]:
    """What stands out pixel by pixel in brightness or, where it does not, in colour."""
    bright, *colours = fields
    smooth = cv2.GaussianBlur(bright, (0, 0), 1.0)
    spots = strong_spots(cv2.GaussianBlur(bright, (0, 0), 0.5), smooth, _pixel_evidence(smooth), limit)
    for colour in colours:
        soft = cv2.GaussianBlur(colour, (0, 0), 2.0)
        taken = painted(spots, bright.shape, margin=3)
        spots += [s for s in strong_spots(soft, soft, _pixel_evidence(soft), limit)
                  if cut(taken, s.box)[s.mask].mean() < 0.3]
    return spots


def _described(spots: list[Spot], fields: tuple[Field, Field, Field]) -> tuple[Found, ...]:
    bright, red, blue = fields
    found = []
    for plain in spots:
        spot = _coloured(plain, red, blue)
        shape = shape_of(spot)
        kind, score = kind_of(spot, shape, bright.shape, softness(bright, spot, shape))
        found.append(Found(spot, shape, kind, score))
    return tuple(found)


def local_search(pixels: RgbImage, inside: Mask, margin: int) -> list[Found]:
    """What stands out in and around an area that is known to be unusual, so weaker evidence is enough.

    Args:
        pixels: (h, w, 3) uint8 RGB around the area, both sides at least 48 px.
        inside: (h, w) bool, the area.
        margin: How far regions may reach beyond it, px.
    """
    fields = channels(pixels)
    bright = fields[0]
    limit = LOCAL * threshold(bright.shape)
    strong = _strong(fields, limit)
    hidden = painted(strong, bright.shape, margin=4)
    faint, heat = _faint(filled(bright, hidden), hidden, limit)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin | 1, margin | 1))
    near = cv2.dilate(inside.astype(np.uint8), disc) > 0
    spots = joined([s for s in strong + faint if cut(near, s.box)[s.mask].mean() > 0.5], heat)
    best = max((s.strength for s in spots), default=0.0)
    return list(_described([s for s in spots if s.strength >= 0.5 * best], fields))


def search(pixels: RgbImage) -> Search:
    """Find what stands out on a surface.

    Args:
        pixels: (H, W, 3) uint8 RGB, both sides at least 48 px.
    """
    fields = channels(pixels)
    bright = fields[0]
    limit = threshold(bright.shape)
    first = sort_out(_strong(fields, limit), bright.shape)
    hidden = painted([*first.defects, *first.belongs], bright.shape, margin=4)
    for area in first.areas:
        cut(hidden, grown(area, 4, bright.shape))[:] = True
    faint, heat = _faint(filled(bright, hidden), hidden, limit)
    spots = [s for s in joined(first.defects + faint, heat) if s.strength >= 1][:MOST_FINDINGS]
    for spot in spots:
        region = cut(heat, spot.box)
        region[spot.mask] = np.maximum(region[spot.mask], spot.strength)
    covered = hidden | painted(spots, bright.shape, margin=4)
    even = evenness(filled(bright, covered), covered, grey(pixels).astype(np.float32))
    return Search(_described(spots, fields), heat, even, first)
