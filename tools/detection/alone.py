"""A whole inspection without samples: scale, search, gate."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, RgbImage
from tools.detection.blind import Found, Search, channels, local_search, search
from tools.detection.field import Field
from tools.detection.gate import DRIFT, UNLIKE, Evenness
from tools.detection.outcome import Inspection, Region
from tools.detection.ranking import ranking
from tools.detection.shapes import outline, shape_of
from tools.detection.spots import Spot, components, cut, grown, painted

WORK_AREA = 2_000_000
"""Larger pictures are searched at this many pixels."""
MOST_REDUCED = 1.5
"""Factor beyond which a small defect may have been lost, so that finding nothing means little."""
SMALLEST = 48
SHADED, UNKNOWN = 0.06, 99.0
"""Share by which large areas of an even surface may differ in brightness beyond a lamp's; what was not measured."""
CROWD = 15
SHOWN, HALF, POINTED = 0.95, 0.7, 2
"""Rank from which an area is shown although nothing is decided, the share of it that draws the area, and how many."""


def reduced(pixels: RgbImage, area: int = WORK_AREA) -> tuple[RgbImage, float]:
    """The picture at no more than `area` pixels, and by how much it was reduced (1 or more)."""
    height, width = pixels.shape[:2]
    factor = max(1.0, float(np.sqrt(height * width / area)))
    if factor == 1.0:
        return pixels, 1.0
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), factor


def gate(found: Search) -> tuple[bool, str]:
    """Whether what stands out can be told from the surface's own structure, and the key of the reason."""
    even: Evenness = found.even
    broken = (("clipped", even.clipped > 0.3), ("empty", even.rough < 0.45), ("blurred", even.fine < 0.5),
              ("structured", found.sorted.border or found.sorted.machined or even.unlike > UNLIKE
               or even.drift > DRIFT or even.seen < 0.5 or SHADED < even.shaded < UNKNOWN),
              ("too_many", len(found.found) > CROWD))
    for code, holds in broken:
        if holds:
            return False, code
    if found.ground and not found.ground.simple:
        return False, "outline"
    if found.ground and not found.sorted.belongs:
        return True, "part_on_ground"
    if found.sorted.belongs:
        return True, "marks_left_out"
    return True, "plain_surface" if even.rough < 3 else "textured_even"


def doubt(found: Search) -> str:
    """Key of the reason why there may be more than was found; empty if nothing else is there.

    Only a surface that fills the picture, carries nothing and is even by every measure is beyond doubt: a hole too few,
    a broken-off corner or a wrong letter look as regular as the right ones.
    """
    decided, code = gate(found)
    if not decided:
        return code
    reasons = (("marks", bool(found.sorted.belongs)), ("part_shape", found.ground is not None),
               ("too_small", found.even.patchy >= UNKNOWN), ("shaded", found.shades > 0))
    return next((key for key, holds in reasons if holds), found.even.doubt)


def scaled(region: Region, factor: float, picture: tuple[int, ...]) -> Region:
    """A region of the reduced picture in pixels of the picture itself."""
    if factor == 1.0:
        return region
    x0, y0, x1, y1 = (v * factor for v in region.box)
    box: Box = (max(int(np.floor(x0)), 0), max(int(np.floor(y0)), 0),
                min(int(np.ceil(x1)), picture[1]), min(int(np.ceil(y1)), picture[0]))
    return replace(region, box=box, outline=region.outline * factor, area=region.area * factor**2,
                   length=region.length * factor, width=region.width * factor)


def region_of(found: Found) -> Region:
    """A found spot as a region, with its outline simplified to within a pixel."""
    points = outline(found.spot)
    shape = found.shape
    return Region(kind=found.kind, kind_score=found.kind_score, score=found.score, box=found.spot.box,
                  outline=polygon(points), area=shape.area, length=shape.length, width=shape.width)


def polygon(points: NDArray[np.int32]) -> NDArray[np.float64]:
    """(N, 2) outline of pixel centres to (M, 2) corners, at most 80 of them."""
    allowed = 0.8
    simple = cv2.approxPolyDP(points.reshape(-1, 1, 2), allowed, True)
    while len(simple) > 80:
        allowed *= 1.6
        simple = cv2.approxPolyDP(points.reshape(-1, 1, 2), allowed, True)
    return np.asarray(simple.reshape(-1, 2) + 0.5, np.float64)


def inspect_alone(pixels: RgbImage) -> Inspection:
    """Inspect a picture without any sample of how it should look.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
    """
    small, factor = reduced(pixels)
    if min(small.shape[:2]) < SMALLEST:
        heat = np.zeros(small.shape[:2], np.float32)
        return Inspection((), heat, 0.0, False, "too_small", "none", 0, "too small to say",
                          clear=False, doubt="too_small")
    result = search(small)
    decided, code = gate(result)
    unsure = doubt(result) or ("reduced" if factor > MOST_REDUCED else "")
    heat = heat_of(small, result, decided=decided)
    points = code in {"structured", "too_many", "outline"}
    shown = (*result.found, *pointed(small, heat, result.found)) if points else result.found
    regions = tuple(scaled(region_of(f), factor, pixels.shape) for f in shown)
    peak = 0.5 * float(heat.max())
    # Where nothing can be told from structure, the ranking says more about the whole than the regions do.
    score = max((r.score for r in regions), default=min(0.49, peak)) if decided else float(np.clip(peak, 0, 1))
    surface = "even texture" if result.even.rough >= 3 else "plain"
    return Inspection(regions, heat, score, decided, code, "none", 0,
                      surface if decided else "structured" if code in {"structured", "too_many"} else code,
                      clear=not unsure, doubt=unsure)


def pointed(pixels: RgbImage, ranked: Field, known: tuple[Found, ...]) -> list[Found]:
    """What the ranking points at and the search did not report: for a person to look at, where nothing is decided.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        ranked: (H, W) float32, as `ranking` gives it.
        known: What the search found.
    """
    taken = painted([f.spot for f in known], ranked.shape, margin=6)
    areas = [a for a in components(ranked >= SHOWN * HALF, ranked, SHOWN) if not cut(taken, a[0])[a[1]].any()]
    shown = []
    for box, mask, peak in areas[:POINTED]:
        wide = grown(box, 48, ranked.shape)
        inside = np.zeros((wide[3] - wide[1], wide[2] - wide[0]), bool)
        dx, dy = box[0] - wide[0], box[1] - wide[1]
        inside[dy:dy + mask.shape[0], dx:dx + mask.shape[1]] = mask
        near = local_search(np.ascontiguousarray(cut(pixels, wide)), inside, 9) if min(inside.shape) >= SMALLEST else []
        best = max(near, key=lambda f: f.spot.strength * f.spot.area, default=None)
        if best is None:
            spot = Spot(box, mask, contrast=0.0, strength=max(peak, 1.0))
            shown.append(Found(spot, shape_of(spot), DefectType.OTHER, 0.3))
            continue
        x0, y0, x1, y1 = best.spot.box
        moved = (x0 + wide[0], y0 + wide[1], x1 + wide[0], y1 + wide[1])
        shown.append(replace(best, spot=replace(best.spot, box=moved, strength=max(peak, 1.0))))
    return shown


def heat_of(pixels: RgbImage, result: Search, *, decided: bool) -> Field:
    """(H, W) float32 ranking of the pixels; where findings are trusted, theirs lie above 1 and all others below."""
    fields = channels(pixels, np.zeros(pixels.shape[:2], bool)) if result.ground else result.fields
    ranked, _ = ranking(pixels, fields)
    if not decided:
        return ranked
    np.minimum(ranked, np.float32(0.99), out=ranked)
    for found in result.found:
        area = cut(ranked, found.spot.box)
        area[found.spot.mask] = np.maximum(area[found.spot.mask], np.float32(max(found.spot.strength, 1.0)))
    return ranked
