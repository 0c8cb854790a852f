"""A thing on the upload, segmented anew and outlined to a fraction of a pixel."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from kenpin.contracts.view import Box, Mask, Points, RgbImage, enclosing
from tools.measuring.centreline import CentreLine, centre_line
from tools.measuring.contour import Contour, contour, outline
from tools.measuring.large import segment_any
from tools.measuring.relief import Relief
from tools.measuring.segment import Rank, Thing, segment
from tools.measuring.shapes import extent, perimeter
from tools.measuring.shapes import moments as area_moments

LINE_LIKE = frozenset({"scratch", "crack"})
ASPECT = 5.0
"""From this length to width on, a thing is measured along its centre line."""

COARSE_SIDE = 400
"""Long side of the reduced copy on which the main thing of a whole picture is looked for, px."""


@dataclass(frozen=True)
class Shape:
    """Geometry of one thing in original pixels."""

    box: Box
    contour: Contour
    line: CentreLine | None
    """Set if the thing is line-like."""
    holes: tuple[Points, ...]
    """Contours of the background that it encloses, each (N, 2)."""
    contrast: float
    noise: float
    rivals: int
    at_border: bool
    """True if it touches the border of the picture, so that part of it may be missing."""


def find_shape(pixels: RgbImage, box: Box, *, outlined: Points | None = None, label: str = "", tight: bool = True,
               skip: tuple[Box, ...] = (), rank: Rank | None = None) -> Shape | None:
    """Segment the main thing in a box and outline it.

    Args:
        pixels: (H, W, 3) uint8 RGB upload. Never written to.
        box: Where it is, original pixels.
        outlined: (N, 2) polygon of an earlier step around it, or None.
        label: What it was called; scratches and cracks are followed as lines.
        tight: The box was drawn around the thing; False if it only says where to look.
        skip: Boxes that are not looked at.
        rank: Preference among several things.
    Returns:
        The shape, or None if nothing stands out.
    """
    height, width = pixels.shape[:2]
    if not tight:
        where = _coarse(pixels, box, skip, rank)
        return None if where is None else find_shape(pixels, where, label=label)
    thin, reach, thing, window = label in LINE_LIKE, box, None, box
    for _ in range(3):
        window = _grown(reach, width, height)
        x0, y0, x1, y1 = window
        part = pixels[y0:y1, x0:x1]
        inside = _inside(reach, window, outlined if reach == box else None, skip)
        around = ~inside if np.count_nonzero(~inside) > 30 else _rim(inside.shape)
        thing = segment_any(part, inside, around, thin=thin, rank=rank)
        if thing is None:
            return None
        cut = _touches(thing.mask, window, width, height)
        if not cut:
            break
        reach = window
    return None if thing is None else _shape(thing, window, (width, height), label)


def _coarse(pixels: RgbImage, box: Box, skip: tuple[Box, ...], rank: Rank | None) -> Box | None:
    """Box of the main thing in a large part of a picture, found on a reduced copy."""
    x0, y0, x1, y1 = box
    shrink = min(1.0, COARSE_SIDE / max(x1 - x0, y1 - y0))
    size = (max(1, round((x1 - x0) * shrink)), max(1, round((y1 - y0) * shrink)))
    small = np.asarray(cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    inside = np.ones(small.shape[:2], dtype=bool)
    for a, b, c, d in skip:
        low, high = (np.array([a, b]) - box[:2]) * shrink, (np.array([c, d]) - box[:2]) * shrink
        left, top = np.maximum(np.floor(low), 0).astype(int)
        right, bottom = np.maximum(np.ceil(high), 0).astype(int)
        inside[top:bottom, left:right] = False
    thing = segment(small, inside, _rim(inside.shape), rank=rank)
    if thing is None:
        return None
    ys, xs = np.nonzero(thing.mask)
    low, high = np.array([xs.min(), ys.min()]) / shrink, np.array([xs.max() + 1, ys.max() + 1]) / shrink
    right, bottom = x0 + int(np.ceil(high[0])), y0 + int(np.ceil(high[1]))
    return (x0 + int(low[0]), y0 + int(low[1]), min(right, x1), min(bottom, y1))


def _shape(thing: Thing, window: Box, size: tuple[int, int], label: str) -> Shape | None:
    found = contour(thing)
    if found is None:
        return None
    shift = np.array(window[:2], dtype=np.float64)
    line = centre_line(thing, found.sigma) if label in LINE_LIKE or _aspect(found.points) >= ASPECT else None
    if line is not None:
        line = replace(line, points=line.points + shift) if line.tip_length >= 2.5 * line.width else None
    ys, xs = np.nonzero(thing.mask)
    box = (int(xs.min()) + window[0], int(ys.min()) + window[1], int(xs.max()) + 1 + window[0],
           int(ys.max()) + 1 + window[1])
    border = box[0] <= 0 or box[1] <= 0 or box[2] >= size[0] or box[3] >= size[1]
    holes = tuple(hole + shift for hole in _holes(thing))
    moved = replace(found, points=found.points + shift, plain=found.plain + shift)
    return Shape(box=box, contour=moved, line=line, holes=holes, contrast=thing.contrast,
                 noise=thing.relief.noise, rivals=thing.rivals, at_border=border)


def _grown(box: Box, width: int, height: int) -> Box:
    """A box with a margin that shows the background around the thing."""
    x0, y0, x1, y1 = box
    margin = round(max(8.0, 0.3 * min(x1 - x0, y1 - y0)))
    return (max(x0 - margin, 0), max(y0 - margin, 0), min(x1 + margin, width), min(y1 + margin, height))


def _inside(box: Box, window: Box, outlined: Points | None, skip: tuple[Box, ...]) -> Mask:
    """(h, w) bool of a window: where the thing is looked for."""
    shape = (window[3] - window[1], window[2] - window[0])
    inside = np.zeros(shape, dtype=np.uint8)
    if outlined is not None and len(outlined) >= 3:
        polygon = np.round(outlined - np.array(window[:2])).astype(np.int32)
        cv2.fillPoly(inside, [polygon], 1)
        size = 2 * max(2, round(0.08 * min(box[2] - box[0], box[3] - box[1]))) + 1
        inside = np.asarray(cv2.dilate(inside, np.ones((size, size), np.uint8)))
    else:
        inside[box[1] - window[1]:box[3] - window[1], box[0] - window[0]:box[2] - window[0]] = 1
    for x0, y0, x1, y1 in skip:
        inside[max(y0 - window[1], 0):max(y1 - window[1], 0), max(x0 - window[0], 0):max(x1 - window[0], 0)] = 0
    return inside.astype(bool)


def _rim(shape: tuple[int, ...]) -> Mask:
    """The outermost pixels of a window."""
    rim = np.ones(shape, dtype=bool)
    edge = max(3, round(0.04 * min(shape)))
    if min(shape) > 2 * edge + 2:
        rim[edge:-edge, edge:-edge] = False
    return rim


def _touches(mask: Mask, window: Box, width: int, height: int) -> bool:
    """Whether a mask runs out of its window on a side where the picture goes on."""
    x0, y0, x1, y1 = window
    return bool((x0 > 0 and mask[:, 0].any()) or (y0 > 0 and mask[0].any())
                or (x1 < width and mask[:, -1].any()) or (y1 < height and mask[-1].any()))


def _aspect(points: Points) -> float:
    """Length over width of the bent rectangle with the same area and perimeter, at least that of the box around."""
    area, around = area_moments(points).area, perimeter(points)
    root = np.sqrt(max((around / 4) ** 2 - area, 0.0))
    bent = (around / 4 + root) / max(around / 4 - root, 1e-6)
    box = extent(points)
    straight = box.length / max(box.width, 1e-6)
    hull = cv2.contourArea(cv2.convexHull(points.astype(np.float32)))
    return float(max(straight, bent if area < 0.6 * hull else 1.0))


def _holes(thing: Thing) -> list[Points]:
    """Contours of those holes that are background, not texture; in window coordinates."""
    height = thing.relief.height
    if np.count_nonzero(thing.holes) < 9 or float(np.median(height[thing.holes])) > 0.35 * thing.contrast:
        return []
    count, labels = cv2.connectedComponents(thing.holes.astype(np.uint8), connectivity=4)
    found = []
    for i in range(1, count):
        mask = labels == i
        if np.count_nonzero(mask) < 4:
            continue
        # Seen from the hole the thing is the ground, so that one rule places both edges.
        inverse = Relief(np.asarray(thing.contrast - height, dtype=np.float32), thing.relief.noise)
        edge = contour(Thing(mask, np.zeros_like(mask), inverse, thing.contrast, 0))
        found.append(outline(mask) if edge is None else edge.points)
    return found


def box_of(points: Points, size: tuple[int, int]) -> Box:
    """Box around points, inside a picture of (width, height)."""
    x0, y0, x1, y1 = enclosing(points)
    x0, y0 = min(max(x0, 0), size[0] - 1), min(max(y0, 0), size[1] - 1)
    return (x0, y0, max(min(x1, size[0]), x0 + 1), max(min(y1, size[1]), y0 + 1))


