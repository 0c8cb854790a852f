"""Detection without samples: what stands out from the surface's own statistics, and whether that may be trusted."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Mask, RgbImage
from tools.detection import bank
from tools.detection.field import Field, block_maxima, filled, grid, lamp, learn_extremes, light, open_blocks, steadied
from tools.detection.furniture import Sorted, sort_out
from tools.detection.gate import Evenness, evenness
from tools.detection.ground import Ground, find_ground
from tools.detection.kinds import kind_of
from tools.detection.shapes import Shape, joined, shape_of, softness, step_of
from tools.detection.spots import Spot, components, cut, faint_spots, grown, painted, strong_spots, touching
from tools.pixels.grey import grey

FALSE_ALARMS = 0.02
"""Expected false regions on a clean picture at the threshold."""
MOST_FINDINGS = 40
SKIRTED = 8
"""Mean width from which a region may have a soft border that reaches beyond half of its contrast, px."""
SHADE = 0.36
"""Share of its contrast that a shade's border takes at most within a few px; the edge of a chip takes 0.6 or more."""
FAINTEST = 1.0
"""Least contrast of a region, grey levels."""
RIM = 5
"""Nothing is searched so close to the outline of a part, px."""
Channels = tuple[Field, Field, Field]
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
    ground: Ground | None
    """The part and its background, if the picture shows one before the other."""
    fields: Channels
    """Brightness and two colour differences without light."""
    shades: int
    """Soft dark or bright areas at the border that were taken for the light's and left out."""


def threshold(shape: tuple[int, ...]) -> float:
    """Evidence at which a clean picture shows `FALSE_ALARMS` false regions, over all blocks and filters."""
    rows, cols = grid(shape)
    return float(np.log(rows * cols * bank.TESTS / FALSE_ALARMS))


def channels(pixels: RgbImage, hidden: Mask) -> Channels:
    """Brightness and two colour differences, (H, W) float32 each, without light; 0 where hidden."""
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    shown = ~hidden if hidden.any() else None

    def flat(field: Field, *, steady: bool = False) -> Field:
        if not field.any():
            return field  # a grey picture has no colour, and fitting light to nothing costs as much as to something
        lit = lamp(field, shown) if steady else light(field, shown)
        rest = steadied(field - lit, lit, hidden) if steady else field - lit
        rest[hidden] = 0.0
        return rest

    return (flat(grey(pixels).astype(np.float32), steady=True), flat(red - green),
            flat(np.asarray(blue - (red + green) / 2, np.float32)))


def _pixel_evidence(smooth: Field, hidden: Mask) -> Field:
    size = np.abs(smooth)
    size[hidden] = 0.0
    blocks = grid(size.shape)
    maxima = block_maxima(size, blocks)[open_blocks(hidden, blocks)]
    return learn_extremes(maxima, floor=0.15, crowded=True).evidence(size)


def _coloured(spot: Spot, red: Field, blue: Field) -> Spot:
    """The spot with its difference in colour from the surface."""
    difference = max(abs(float(np.median(cut(c, spot.box)[spot.mask]))) for c in (red, blue))
    return replace(spot, colour=difference)


def _faint(field: Field, hidden: Mask, limit: float) -> tuple[list[Spot], Field, Field]:
    evidence = bank.examine(field, hidden)
    best = evidence.best / limit
    best[hidden] = 0.0
    spots: list[Spot] = []
    for box, mask, _ in components(best >= 0.5, best, 1.0):
        shown = cut(best, box)
        peak = np.unravel_index(np.argmax(np.where(mask, shown, -np.inf)), shown.shape)
        line = bool(cut(evidence.line, box)[peak] >= cut(evidence.spot, box)[peak])
        spots += faint_spots(field, box, mask & (shown >= 0.35 * shown[peak]), evidence=best, line=line)
    spots = [s for s in spots if abs(s.contrast) >= FAINTEST]
    return spots, best, evidence.line / limit


def _is_shade(field: Field, spot: Spot) -> bool:
    """Left over from uneven light: at the picture's border, dark or bright without an edge."""
    x0, y0, x1, y1 = spot.box
    at_border = x0 == 0 or y0 == 0 or x1 == field.shape[1] or y1 == field.shape[0]
    return at_border and abs(spot.contrast) > spot.colour and step_of(field, spot) < SHADE


def _strong(fields: Channels, hidden: Mask, limit: float) -> tuple[list[Spot], Mask]:
    """What stands out pixel by pixel in brightness or, where it does not, in colour; and all that it covers faintly."""
    bright, *colours = fields
    smooth = cv2.GaussianBlur(bright, (0, 0), 1.0)
    evidence = _pixel_evidence(smooth, hidden)
    spots = strong_spots(cv2.GaussianBlur(bright, (0, 0), 0.5), smooth, evidence, limit)
    for colour in (c for c in colours if c.any()):
        soft = cv2.GaussianBlur(colour, (0, 0), 2.0)
        taken = painted(spots, bright.shape, margin=3)
        spots += [s for s in strong_spots(soft, soft, _pixel_evidence(soft, hidden), limit)
                  if cut(taken, s.box)[s.mask].mean() < 0.3]
    soft_ones = [s for s in spots if s.area >= SKIRTED * max(s.mask.shape)]
    if not soft_ones:
        return spots, np.zeros(bright.shape, bool)
    skirts = touching(evidence > 0, painted(soft_ones, bright.shape)) & painted(soft_ones, bright.shape, margin=12)
    return spots, np.asarray(cv2.dilate(skirts.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


def _described(spots: list[Spot], fields: Channels) -> tuple[Found, ...]:
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
    nothing = np.zeros(inside.shape, bool)
    fields = channels(pixels, nothing)
    bright = fields[0]
    limit = LOCAL * threshold(bright.shape)
    strong, skirts = _strong(fields, nothing, limit)
    hidden = skirts | painted(strong, bright.shape, margin=4)
    faint, heat, _ = _faint(filled(bright, hidden), hidden, limit)
    heat[hidden] = 1.0
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
    raw = grey(pixels).astype(np.float32)
    ground = find_ground(pixels, raw)
    outside = np.zeros(raw.shape, bool)
    if ground:
        outside = cv2.erode(ground.part.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) == 0
    fields = channels(pixels, outside)
    bright, limit = fields[0], threshold(raw.shape)
    strong, skirts = _strong(fields, outside, limit)
    first = sort_out(strong, raw.shape)
    hidden = outside | skirts | painted(strong, raw.shape, margin=4)
    for area in first.areas:
        cut(hidden, grown(area, 4, raw.shape))[:] = True
    faint, heat, lines = _faint(filled(bright, hidden), hidden, limit)
    flaws = list(ground.flaws) if ground else []
    bridges = np.where(painted(first.defects, raw.shape, margin=4), np.float32(1), heat)
    strong_enough = [s for s in joined(first.defects + faint, bridges) if s.strength >= 1]
    whole = [s for s in strong_enough if not _is_shade(bright, s)]
    spots = [*whole, *flaws][:MOST_FINDINGS]
    for spot in spots:
        region = cut(heat, spot.box)
        region[spot.mask] = np.maximum(region[spot.mask], spot.strength)
    covered = hidden | painted(spots, raw.shape, margin=4)
    even = evenness(raw, fields, covered, outside, heat, lines, structured=bool(ground or first.belongs))
    return Search(_described(spots, fields), heat, even, first, ground, fields, len(strong_enough) - len(whole))
