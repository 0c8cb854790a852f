"""Finding and reading lines of text in a picture, in any direction."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from kenpin.contracts.view import Points, RgbImage
from tools.pixels.grey import grey
from tools.reading.engine import locate
from tools.reading.proposals import Window, windows
from tools.reading.quads import LEGIBLE, SHAPES, SURE, Line, read_quad

FIRST_AREA, WINDOW_AREA = 260_000, 480_000
"""Pixels of the first look, to which larger pictures are reduced, and of a window that is looked at in full size."""

COARSE = 0.6
"""Where a picture is reduced more than this, what is found is looked at again in full size before it is read."""

SMALLEST_SIDE = 64
"""A crop of one line is enlarged until its shorter side has this many px, at most fourfold."""

DOUBTFUL = 0.7
"""Recogniser's score that lines of two characters need; `SURE` if they are turned, and single characters always."""

SAME = 0.4
"""Share of the smaller of two boxes that the other covers if both are one line."""

LEAST_RELIEF = 3.0
"""Grey levels; less is the camera's noise and is not stretched further."""


def read_lines(pixels: RgbImage) -> tuple[Line, ...]:
    """Read lines that a first look at a reduced picture finds.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
    Returns:
        All that was seen, in pixels of the picture, also plain shapes that only look like characters: `credible` leaves
        those out.
    Source: PP-OCRv6 by RapidOCR.
    """
    return tuple(_whole(pixels, area=FIRST_AREA))


def read_more(pixels: RgbImage, known: tuple[Line, ...], *,
              enough: Callable[[tuple[Line, ...]], bool]) -> tuple[Line, ...]:
    """Look again at full size where rows of marks stand that no known line explains, until it is `enough`.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        known: What was read so far; it is kept.
        enough: Asked after each window with all lines so far.
    """
    height, width = pixels.shape[:2]
    if height * width <= FIRST_AREA:
        return known
    for window in windows(grey(pixels), known=[line.corners for line in known], area=WINDOW_AREA):
        known = tuple(_distinct([*known, *_in_window(pixels, window, known)]))
        if enough(known):
            break
    return known


def read_faint(pixels: RgbImage, known: tuple[Line, ...]) -> tuple[Line, ...]:
    """Read engraved, dot-peened, worn or faint text, where nothing else answered; `known` lines are kept.

    Source: flat field by the local mean, contrast stretched to its 98th percentile; where that shows nothing that is
    sure, once more at a quarter of the pixels, in which dots join to strokes.
    """
    for area, sigma in ((WINDOW_AREA, 1.0), (WINDOW_AREA // 4, 2.5)):
        known = _look_again(pixels, known, area=area, sigma=sigma)
        if any(line.score >= SURE for line in credible(known)):
            break
    return known


def _look_again(pixels: RgbImage, known: tuple[Line, ...], *, area: int, sigma: float) -> tuple[Line, ...]:
    """Lines of the flattened picture, found at no more than `area` pixels but read at full size."""
    height, width = pixels.shape[:2]
    scale = min(1.0, math.sqrt(WINDOW_AREA / (height * width)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = pixels if scale == 1.0 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    back = (width / size[0], height / size[1])
    seen = [line.corners / back for line in known if line.score >= SURE]
    found = _whole(_flattened(np.asarray(small, dtype=np.uint8), sigma), area=area, seen=seen)
    return tuple(_distinct([*known, *(replace(line, corners=line.corners * back) for line in found)]))


def _in_window(pixels: RgbImage, window: Window, known: tuple[Line, ...]) -> list[Line]:
    x0, y0, x1, y1 = window
    corner = np.array([x0, y0])
    seen = [line.corners - corner for line in known if line.score >= SURE]
    lines = _whole(pixels[y0:y1, x0:x1], area=WINDOW_AREA, seen=seen)
    return [replace(line, corners=line.corners + corner) for line in lines]


def _whole(pixels: RgbImage, *, area: int, seen: Sequence[Points] = ()) -> list[Line]:
    """Lines of a picture that is looked at in one go, at no more than `area` pixels; those that lie on `seen` left out.

    A picture of a single tight line, in which the detector finds none, is read as such.
    """
    height, width = pixels.shape[:2]
    scale = min(math.sqrt(area / (height * width)), 4.0)
    if scale >= 1.0:
        scale = max(1.0, min(SMALLEST_SIDE / min(height, width), scale))
    pad = max(8, round(0.1 * min(height, width) * scale)) if min(height, width) < 4 * SMALLEST_SIDE else 0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    work = pixels if scale == 1.0 else cv2.resize(pixels, size, interpolation=smooth)
    work = cv2.copyMakeBorder(work, pad, pad, pad, pad, cv2.BORDER_REPLICATE) if pad else work
    quads = [(quad - pad) * (width / size[0], height / size[1]) for quad in locate(np.asarray(work, dtype=np.uint8))]
    if not quads and max(height, width) >= 2 * min(height, width) and height * width < area:
        quads = [np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)]
    new = [quad for quad in quads if all(_overlap(quad, other) < SAME for other in seen)]
    if scale < COARSE:
        new = [closer for quad in new for closer in _closer(pixels, quad)]
    return _distinct([line for quad in new if (line := read_quad(pixels, quad)) is not None])


def _closer(pixels: RgbImage, quad: Points) -> list[Points]:
    """The same text looked at in full size, since boxes of small text in a much reduced picture are loose."""
    around = _margin_box(quad, pixels.shape)
    if (around[2] - around[0]) * (around[3] - around[1]) > FIRST_AREA:
        return [quad]
    found = locate(pixels[around[1]:around[3], around[0]:around[2]]) + np.array(around[:2])
    return [closer for closer in found if _overlap(closer, quad) >= SAME] or [quad]


def _margin_box(quad: Points, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Upright box around a slanted one with half its height as margin, inside the picture."""
    pad = 0.5 * float(min(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[3] - quad[0])))
    (left, top), (right, bottom) = quad.min(axis=0) - pad, quad.max(axis=0) + pad
    return (max(0, int(left)), max(0, int(top)), min(shape[1], math.ceil(right)), min(shape[0], math.ceil(bottom)))


def credible(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Leave out what is more likely a hole, a slot or a speck; the rest from top to bottom and left to right."""
    def needed(line: Line) -> float:
        if len(line.text) > 2:
            return LEGIBLE
        return DOUBTFUL if len(line.text) == 2 and abs(line.turned) < 30 else SURE

    return _ordered([line for line in lines
                     if not all(c in SHAPES or c.isspace() for c in line.text) and line.score > needed(line)])


def _distinct(lines: list[Line]) -> list[Line]:
    """Of lines that lie on each other, the longest and surest."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda one: len(one.text) * one.score, reverse=True):
        if all(_overlap(line.corners, other.corners) < SAME for other in kept):
            kept.append(line)
    return kept


def _overlap(one: Points, other: Points) -> float:
    """Share of the smaller slanted box that the other covers."""
    common, _ = cv2.intersectConvexConvex(one.astype(np.float32), other.astype(np.float32))
    smaller = min(cv2.contourArea(one.astype(np.float32)), cv2.contourArea(other.astype(np.float32)))
    return float(common / max(smaller, 1.0))


def _ordered(lines: list[Line]) -> tuple[Line, ...]:
    """Rows from top to bottom, each from left to right. A row is what overlaps vertically by half a line's height."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: float(one.corners[:, 1].mean())):
        centre, height = float(line.corners[:, 1].mean()), float(np.ptp(line.corners[:, 1]))
        if rows and abs(centre - float(rows[-1][0].corners[:, 1].mean())) < 0.5 * min(
                height, float(np.ptp(rows[-1][0].corners[:, 1]))):
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda one: float(one.corners[:, 0].min())))


def _flattened(pixels: RgbImage, sigma: float) -> RgbImage:
    """Light evened out over 25 px, which is the width of a character, and contrast raised."""
    gray = cv2.GaussianBlur(grey(pixels), (0, 0), sigma).astype(np.float32)
    relief = gray - cv2.blur(gray, (25, 25))
    strong = max(float(np.quantile(np.abs(relief), 0.98)), LEAST_RELIEF)
    even = np.clip(128 + relief * (90 / strong), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(even, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
