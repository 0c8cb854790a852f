"""The six defects of bare boards, drawn on a binarised scan, with the boxes that a person would draw around them.

Sizes lie in the range that published sets of such pairs show: tight boxes of about 6 to 20 px, shorts and opens up to
40 and more, 20 to 300 changed pixels. Each defect is checked to do what its name says: a short joins two conductors, a
mouse bite leaves the conductor whole, and so on; where it does not, another place is tried.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.drawn_boards import KINDS, TRIES, Bits, Box, Rng

MARGIN = (8, 13)
"""What annotators leave around a defect, px; each side on its own."""
Mark = tuple[Bits, bool]
"""The pixels of a defect, and whether copper was added."""


def add_defects(bits: Bits, rng: Rng, count: int) -> tuple[Bits, tuple[Box, ...], tuple[str, ...]]:
    """A copy with defects, their boxes and kinds; none lies on another or within 4 px of the border."""
    out, taken = bits.copy(), np.zeros_like(bits)
    boxes, kinds = [], []
    for number in range(count):
        kind = KINDS[number % 6] if count >= 6 else KINDS[int(rng.integers(6))]
        for _ in range(TRIES):
            mark = MAKERS[kind](out, rng)
            if mark is None:
                continue
            changed = (mark[0] > 0) & (out != mark[1])
            box = _tight(changed)
            if box is None or not _fits(box, taken) or not _one(changed) or not _proves(out, changed, kind):
                continue
            out[changed] = int(mark[1])
            taken[max(box[1] - 6, 0):box[3] + 6, max(box[0] - 6, 0):box[2] + 6] = 1
            boxes.append(_annotated(box, rng, bits.shape))
            kinds.append(kind)
            break
    return out, tuple(boxes), tuple(kinds)


def _tight(changed: NDArray[np.bool_]) -> Box | None:
    if np.count_nonzero(changed) < 26:
        return None
    x, y, w, h = cv2.boundingRect(changed.astype(np.uint8))
    return x, y, x + w, y + h


def _one(changed: NDArray[np.bool_]) -> bool:
    """Whether a person would see one defect: its parts lie within 2 px of each other."""
    return cv2.connectedComponents(cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)))[0] == 2


def _fits(box: Box, taken: Bits) -> bool:
    x0, y0, x1, y1 = box
    if min(x0, y0) < 4 or x1 > taken.shape[1] - 4 or y1 > taken.shape[0] - 4:
        return False
    return min(x1 - x0, y1 - y0) >= 5 and not taken[y0:y1, x0:x1].any()


def _annotated(box: Box, rng: Rng, shape: tuple[int, int]) -> Box:
    grow = rng.integers(MARGIN[0], MARGIN[1] + 1, 4)
    x0, y0, x1, y1 = (int(b + s * g) for b, s, g in zip(box, (-1, -1, 1, 1), grow, strict=True))
    return max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])


def _proves(bits: Bits, changed: NDArray[np.bool_], kind: str) -> bool:
    """Whether a defect does to the conductors what its name says, by counting pieces around it."""
    x, y, w, h = cv2.boundingRect(changed.astype(np.uint8))
    window = (slice(max(y - 10, 0), y + h + 10), slice(max(x - 10, 0), x + w + 10))
    mark, here = changed[window].astype(np.uint8), bits[window]
    rim = cv2.dilate(mark, np.ones((5, 5), np.uint8)) - mark
    copper, ground = _pieces(rim & here), _pieces(rim & (1 - here))
    deep = float(cv2.distanceTransform(cv2.copyMakeBorder(mark, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3).max())
    if deep < 2:
        return False
    if kind == "copper":
        return copper == 0 and not (cv2.dilate(mark, np.ones((9, 9), np.uint8)) & here).any()
    if kind == "pin-hole":
        return ground == 0
    if kind == "spur":
        return copper == 1 and ground == 1
    if kind == "mousebite":
        return copper == 1 and ground == 1
    if kind == "open":
        return copper >= 2 and ground >= 2
    # A stroke across the hole of a pad is no short.
    return copper >= 2 and _open_ground(bits, mark, window)


def _open_ground(bits: Bits, mark: Bits, window: tuple[slice, slice]) -> bool:
    """Whether the ground that a stroke crosses is more than a hole."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - bits, connectivity=4)
    crossed = labels[window][(mark > 0) & (labels[window] > 0)]
    return bool(len(crossed)) and bool((stats[np.unique(crossed), cv2.CC_STAT_AREA] > 3000).all())


def _pieces(mask: Bits) -> int:
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return int(np.count_nonzero(stats[1:count, cv2.CC_STAT_AREA] >= 3))


def _edge_point(bits: Bits, rng: Rng) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """A point on a conductor's border and the direction out of the conductor."""
    for _ in range(20):
        at = np.array([rng.integers(12, s - 12) for s in bits.shape[::-1]])
        x0, y0 = at - 12
        window = bits[y0:y0 + 25, x0:x0 + 25]
        border = window - cv2.erode(window, np.ones((3, 3), np.uint8))
        ys, xs = np.nonzero(border[6:19, 6:19])
        if not len(xs):
            continue
        pick = int(rng.integers(len(xs)))
        soft = cv2.GaussianBlur(window.astype(np.float32), (0, 0), 2.5)
        px, py = xs[pick] + 6, ys[pick] + 6
        out = -np.array([soft[py, px + 1] - soft[py, px - 1], soft[py + 1, px] - soft[py - 1, px]], np.float64)
        size = float(np.hypot(*out))
        if size > 0.02:
            return np.array([px + x0, py + y0], np.float64), out / size
    return None


def _blob(shape: tuple[int, int], at: NDArray[np.float64], rng: Rng, size: float) -> Bits:
    """A few strokes of a round brush around a point."""
    mark = np.zeros(shape, np.uint8)
    here = at.copy()
    for _ in range(int(rng.integers(1, 4))):
        cv2.circle(mark, [round(float(v)) for v in here], max(2, round(size * float(rng.uniform(0.35, 0.6)))), 1, -1)
        here = here + rng.normal(0, size * 0.45, 2)
    return mark


def _mousebite(bits: Bits, rng: Rng) -> Mark | None:
    edge = _edge_point(bits, rng)
    if edge is None:
        return None
    size = float(rng.uniform(6, 13))
    return _blob(bits.shape, edge[0] - edge[1] * float(rng.uniform(0, size / 4)), rng, size), False


def _spur(bits: Bits, rng: Rng) -> Mark | None:
    edge = _edge_point(bits, rng)
    if edge is None:
        return None
    size = float(rng.uniform(5, 13))
    if rng.random() < 0.6:
        return _blob(bits.shape, edge[0] + edge[1] * float(rng.uniform(1, size / 2)), rng, size), True
    turned = edge[1] + rng.normal(0, 0.4, 2)
    return _stroke(bits.shape, edge[0] - 2 * edge[1], edge[0] + turned * float(rng.uniform(8, 18)),
                   int(rng.integers(4, 7)), rng), True


def _copper(bits: Bits, rng: Rng) -> Mark | None:
    at = np.array([rng.integers(10, s - 10) for s in bits.shape[::-1]], np.float64)
    return (_blob(bits.shape, at, rng, float(rng.uniform(7, 20))), True) if not _at(bits, at) else None


def _pin_hole(bits: Bits, rng: Rng) -> Mark | None:
    at = np.array([rng.integers(10, s - 10) for s in bits.shape[::-1]], np.float64)
    return (_blob(bits.shape, at, rng, float(rng.uniform(6, 14))), False) if _at(bits, at) else None


def _at(bits: Bits, at: NDArray[np.float64]) -> int:
    return int(bits[int(at[1]), int(at[0])])


def _stroke(shape: tuple[int, int], a: NDArray[np.float64], b: NDArray[np.float64], width: int, rng: Rng) -> Bits:
    """A line from a to b, straight or bent a little."""
    mark = np.zeros(shape, np.uint8)
    middle = (a + b) / 2 + (rng.normal(0, 0.12 * float(np.hypot(*(b - a))), 2) if rng.random() < 0.5 else 0)
    cv2.polylines(mark, [np.round(np.array([a, middle, b])).astype(np.int32)], False, 1, width)
    return mark


def _short(bits: Bits, rng: Rng) -> Mark | None:
    """A bridge from a border straight out to the next conductor."""
    edge = _edge_point(bits, rng)
    if edge is None:
        return None
    at, out = edge
    for far in range(4, 66):
        here = at + out * far
        if not (4 <= here[0] < bits.shape[1] - 4 and 4 <= here[1] < bits.shape[0] - 4):
            return None
        if far > 4 and _at(bits, here):
            return _stroke(bits.shape, at - 2 * out, here + 3 * out, int(rng.integers(4, 11)), rng), True
    return None


def _open(bits: Bits, rng: Rng) -> Mark | None:
    """A trace cut through, clean or, a third of the time, with crumbs of copper left in the gap."""
    edge = _edge_point(bits, rng)
    if edge is None:
        return None
    at, out = edge
    for deep in range(3, 36):
        here = at - out * deep
        if not (4 <= here[0] < bits.shape[1] - 4 and 4 <= here[1] < bits.shape[0] - 4):
            return None
        if not _at(bits, here):
            mark = _stroke(bits.shape, at + 3 * out, here - 3 * out, int(rng.integers(4, 14)), rng)
            if rng.random() < 0.33:
                mark &= (rng.random(bits.shape) > 0.15).astype(np.uint8)
            return mark, False
    return None


MAKERS: dict[str, Callable[[Bits, Rng], Mark | None]] = {
    "open": _open, "short": _short, "mousebite": _mousebite, "spur": _spur, "copper": _copper, "pin-hole": _pin_hole}
