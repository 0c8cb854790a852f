"""What belongs on a surface although it stands out: lettering, labels, markers, holes and slots, the part's border."""

from dataclasses import dataclass

import cv2
import numpy as np

from kenpin.contracts.view import Box
from tools.detection.shapes import Shape, shape_of
from tools.detection.spots import Spot

WORD_STROKES = 1.8
"""Strokes over diagonal from which a region counts as characters grown together; a crack has up to 1.4."""


@dataclass(frozen=True)
class Sorted:
    """Regions told apart: possible defects, and what belongs there with the boxes that it covers."""

    defects: list[Spot]
    belongs: list[Spot]
    areas: tuple[Box, ...]
    """Labels, markers and lines of text as a whole."""
    machined: bool
    """Clean shapes that repeat, and rings, were among them: holes, slots, screws."""
    border: bool
    """Something as large as a part's silhouette or its background was among them."""


def _inside(inner: Box, outer: Box) -> bool:
    low = outer[0] - 3 <= inner[0] and outer[1] - 3 <= inner[1]
    return low and inner[2] <= outer[2] + 3 and inner[3] <= outer[3] + 3


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _centre(spot: Spot) -> tuple[float, float]:
    return (spot.box[0] + spot.box[2]) / 2, (spot.box[1] + spot.box[3]) / 2


def is_border(spot: Spot, shape: tuple[int, ...]) -> bool:
    """A background or a silhouette: it covers much of the picture, or runs along much of one of its sides."""
    height, width = shape[:2]
    w, h = _size(spot.box)
    if w * h > 0.35 * width * height and spot.area > 0.1 * width * height:
        return True
    along_x = (spot.box[1] == 0 or spot.box[3] == height) and w > 0.35 * width
    along_y = (spot.box[0] == 0 or spot.box[2] == width) and h > 0.35 * height
    return along_x or along_y


def is_rectangle(shape: Shape) -> bool:
    """Machined or printed: four straight sides, not as thin as a scratch."""
    short = np.sqrt(shape.area / max(1 - shape.hole, 0.05) / max(shape.slender, 1.0)) if shape.slender < 12 else 0.0
    return shape.boxed >= 0.93 and short >= 9


def labels(spots: list[Spot], shapes: list[Shape], area: float) -> list[int]:
    """Rectangles that carry something or are as large as a label."""
    chosen = []
    for i, (spot, shape) in enumerate(zip(spots, shapes, strict=True)):
        if not is_rectangle(shape):
            continue
        holds = sum(_inside(other.box, spot.box) for j, other in enumerate(spots) if j != i)
        w, h = _size(spot.box)
        if holds >= 1 or shape.hole > 0.05 or w * h > 0.02 * area:
            chosen.append(i)
    return chosen


def rings(shapes: list[Shape]) -> list[int]:
    """Washers, collars and circles drawn around something."""
    return [i for i, s in enumerate(shapes) if s.hole > 0.1 and s.round > 0.95 and s.solid > 0.93 and s.slender < 1.3]


def _alike(a: Shape, b: Shape, first: Spot, second: Spot) -> bool:
    pairs = ((a.length, b.length, 1.5), (a.width, b.width, 1.5), (a.area**0.5, b.area**0.5, 1.0))
    same = all(abs(p - q) <= 0.05 * max(p, q) + slack for p, q, slack in pairs)
    return same and abs(first.contrast - second.contrast) <= 0.2 * max(abs(first.contrast), abs(second.contrast))


def repeated(spots: list[Spot], shapes: list[Shape], *, least: int = 3) -> list[int]:
    """Clean shapes that occur several times: holes, slots, screws."""
    clean = [i for i, s in enumerate(shapes)
             if s.slender < 12 and s.area >= 60 and (is_rectangle(s) or (s.round > 0.96 and s.solid > 0.9))]
    return [i for i in clean
            if sum(_alike(shapes[i], shapes[j], spots[i], spots[j]) for j in clean) >= least]


def text_lines(spots: list[Spot]) -> list[list[int]]:
    """Groups of characters of like height and contrast: a row of pits or the pieces of a scratch are no text."""
    sizes = np.array([max(_size(s.box)) for s in spots], float)
    links: dict[int, set[int]] = {i: {i} for i in range(len(spots))}
    for i, a in enumerate(spots):
        for j in range(i + 1, len(spots)):
            b, tall = spots[j], max(sizes[i], sizes[j])
            near = np.hypot(*(np.subtract(_centre(a), _centre(b)))) <= 1.9 * tall
            even = abs(a.contrast - b.contrast) <= 0.35 * max(abs(a.contrast), abs(b.contrast)) and a.sign == b.sign
            if near and even and min(sizes[i], sizes[j]) >= 0.35 * tall and min(sizes[i], sizes[j]) >= 6:
                links[i].add(j)
                links[j].add(i)
    groups, seen = [], set()
    for start in links:
        if start in seen:
            continue
        group, todo = set(), [start]
        while todo:
            at = todo.pop()
            if at not in group:
                group.add(at)
                todo.extend(links[at] - group)
        seen |= group
        if _is_text([spots[i] for i in group]):
            groups.append(sorted(group))
    return groups


def strokes(spot: Spot) -> float:
    """Length of all strokes of a region over the diagonal of its box: about 1 for a line, 2 or more for a character."""
    depth = cv2.distanceTransform(np.pad(spot.mask, 1).astype(np.uint8), cv2.DIST_L2, 3)
    stroke = max(4 * float(depth[depth > 0].mean()) - 2, 1.0)
    return spot.area / stroke / float(np.hypot(*_size(spot.box)))


def is_word(spot: Spot) -> bool:
    """Characters grown together: far more strokes than a line has, and as tall all along."""
    width, height = _size(spot.box)
    mask = spot.mask if width >= height else spot.mask.T
    tall, long = mask.shape
    if tall < 6 or long < 1.8 * tall or strokes(spot) < WORD_STROKES:
        return False
    cells = np.array_split(mask, max(2, round(long / (0.7 * tall))), axis=1)
    spans = [np.ptp(np.flatnonzero(cell.any(axis=1))) + 1 if cell.any() else 0 for cell in cells]
    return bool(np.mean(np.array(spans) >= 0.6 * tall) >= 0.6)


def _is_text(spots: list[Spot]) -> bool:
    """Whether a group of near regions of like size and ink is a piece of writing."""
    if len(spots) == 1:
        return is_word(spots[0])
    centres = np.array([_centre(s) for s in spots])
    centred = centres - centres.mean(axis=0)
    _, _, axes = np.linalg.svd(centred)
    extents = np.array([_size(s.box) for s in spots], float)
    level = abs(axes[0, 0]) >= abs(axes[0, 1])
    along, across = (extents[:, 0], extents[:, 1]) if level else (extents[:, 1], extents[:, 0])
    tall = float(np.quantile(across, 0.7))
    rows = np.ptp(centred @ axes[1]) / tall
    like = float(along[np.abs(across - tall) <= 0.35 * tall].sum() / along.sum())
    written = np.array([strokes(s) >= 1.35 or shape_of(s).hole > 0.05 for s in spots])
    share = float(along[written].sum() / along.sum())
    if len(spots) == 2:
        return bool(like == 1.0 and share == 1.0 and np.ptp(across) <= 0.15 * tall + 1 and rows <= 0.3)
    least = 0.5 if len(spots) == 3 else 0.25
    return bool(tall >= 0.8 * np.median(along) and rows <= 4 and like >= 0.6 and share >= least)


def bounds(spots: list[Spot], *, margin: float = 0.0) -> Box:
    """Box around spots."""
    boxes = np.array([s.box for s in spots])
    pad = round(margin)
    return (int(boxes[:, 0].min()) - pad, int(boxes[:, 1].min()) - pad,
            int(boxes[:, 2].max()) + pad, int(boxes[:, 3].max()) + pad)


def sort_out(spots: list[Spot], shape: tuple[int, ...]) -> Sorted:
    """Tell what belongs to the surface from what may be a defect.

    Args:
        spots: Regions that stand out.
        shape: Of the picture.
    """
    border = [i for i, s in enumerate(spots) if is_border(s, shape)]
    shapes = [shape_of(s) for s in spots]
    marked = labels(spots, shapes, float(shape[0] * shape[1]))
    edge = [i for i in border if i not in marked]
    rest = [i for i in range(len(spots)) if i not in {*edge, *marked}]
    kept, known = [spots[i] for i in rest], [shapes[i] for i in rest]
    lines = text_lines(kept)
    tall = [float(np.median([min(_size(kept[i].box)) for i in line])) for line in lines]
    areas = [spots[i].box for i in marked]
    areas += [bounds([kept[i] for i in line], margin=0.35 * t) for line, t in zip(lines, tall, strict=True)]
    own = {rest[i] for line in lines for i in line} | set(edge) | set(marked)
    shaped = {rest[i] for i in (*rings(known), *repeated(kept, known))}
    machined = any(not any(_inside(spots[i].box, area) for area in areas) for i in shaped - own)
    own |= shaped
    own |= {i for i, s in enumerate(spots) if any(_inside(s.box, area) for area in areas)}
    return Sorted(defects=[s for i, s in enumerate(spots) if i not in own], belongs=[spots[i] for i in sorted(own)],
                  areas=tuple(areas), machined=machined, border=bool(edge))
