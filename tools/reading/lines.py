"""Finding and reading lines of text in a picture, in any direction."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from kenpin.contracts.view import Points, RgbImage
from tools.pixels.grey import grey
from tools.reading.engine import locate, recognise
from tools.reading.proposals import Window, windows

WORKING_AREA = 480_000
"""Pixels that the detector looks at in one go; larger pictures are reduced to it, and looked at again in windows."""

SMALLEST_SIDE = 64
"""A crop of one line is enlarged until its shorter side has this many px, at most fourfold."""

SURE, LEGIBLE, DOUBTFUL = 0.9, 0.5, 0.7
"""Recogniser scores: no other direction is tried from `SURE` on, nothing below `LEGIBLE` is reported, and lines of two
characters or fewer need more than `DOUBTFUL`, or `SURE` if they are turned."""

SHAPES = frozenset("Oo0QIl|1-_=+.,:;'`\"/\\~^*·•°〇○口ロ一ー二三工王日田目回〉〈<>()[]{}")
"""Characters that holes, slots and edges of a part are mistaken for."""


@dataclass(frozen=True)
class Line:
    """A line of text in a picture."""

    text: str
    score: float
    """0 to 1, how sure the recogniser is."""
    corners: Points
    """(4, 2) px, clockwise, from where the text begins at the top."""
    turned: float
    """Direction of reading, degrees clockwise from left-to-right."""


def read_lines(pixels: RgbImage, *, thorough: bool = True) -> tuple[Line, ...]:
    """Read all lines, top to bottom and left to right.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        thorough: Try again with raised contrast, and with joined dots, if nothing was found.
    Returns:
        Lines in pixels of the picture.
    Source: PP-OCRv6 by RapidOCR; contrast limited equalisation (Zuiderveld 1994) for engraved text.
    """
    found, seen = _whole(pixels)
    if thorough and not found and not seen:
        for altered in (_contrast(pixels), _joined(pixels)):
            found, _ = _whole(altered, area=WORKING_AREA // 2)
            if found:
                break
    return _ordered(found)


def read_more(pixels: RgbImage, known: tuple[Line, ...]) -> tuple[Line, ...]:
    """Look again, at full size, where small text may have been lost in a reduced picture; `known` lines are kept."""
    height, width = pixels.shape[:2]
    if height * width <= WORKING_AREA * 1.5:
        return known
    found = list(known)
    for window in windows(grey(pixels), area=WORKING_AREA):
        found += _in_window(pixels, window)
    return _ordered(_distinct(found))


def _in_window(pixels: RgbImage, window: Window) -> list[Line]:
    x0, y0, x1, y1 = window
    return [replace(line, corners=line.corners + np.array([x0, y0])) for line in _whole(pixels[y0:y1, x0:x1])[0]]


def _whole(pixels: RgbImage, *, area: int = WORKING_AREA) -> tuple[list[Line], bool]:
    """Lines of a picture that is looked at in one go, and whether anything was clearly seen, be it only plain shapes.

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
    lines = [line for quad in quads if (line := read_quad(pixels, quad)) is not None]
    return _credible(_distinct(lines)), any(line.score > DOUBTFUL for line in lines)


def read_quad(pixels: RgbImage, quad: Points) -> Line | None:
    """Read one slanted box, (4, 2) px clockwise, in the direction that reads best; None if nothing in it is legible."""
    best: Line | None = None
    for corners in _directions(quad):
        text, score = recognise(_straight(pixels, corners))
        if best is None or score > best.score:
            best = Line(text=text, score=score, corners=corners, turned=_turned(corners))
        # A ring is a ring from every side.
        if (best.score >= SURE and abs(best.turned) < 60) or all(c in SHAPES for c in best.text):
            break
    return best if best is not None and best.text and best.score >= LEGIBLE else None


def _directions(quad: Points) -> list[Points]:
    """The same box starting at each corner from which its text may be read, the most upright one first."""
    turns = [np.roll(quad, -k, axis=0) for k in range(4)]
    along = [float(np.linalg.norm(t[1] - t[0])) for t in turns]
    # Text runs along the longer side; a nearly square box (one or two characters) may be read along any.
    longer = [t for t, length in zip(turns, along, strict=True) if length >= max(along) / 1.5 - 1e-9]
    return sorted(longer, key=lambda t: abs(_turned(t)))


def _turned(corners: Points) -> float:
    dx, dy = corners[1] - corners[0]
    return round(math.degrees(math.atan2(dy, dx)), 1)


def _straight(pixels: RgbImage, corners: Points) -> RgbImage:
    """Cut a slanted box out of a picture so that its first side lies on top."""
    width = max(4, round(float(np.linalg.norm(corners[1] - corners[0]))))
    height = max(4, round(float(np.linalg.norm(corners[3] - corners[0]))))
    # The recogniser brings every line to 48 px; large text is reduced on the way, small text is left to it.
    scale = min(1.0, 96.0 / height)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32) * np.float32(scale)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    line = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(line, dtype=np.uint8)


def _credible(lines: list[Line]) -> list[Line]:
    """Leave out what is more likely a hole, a slot or a speck than a character."""
    def needed(line: Line) -> float:
        if len(line.text) > 2:
            return LEGIBLE
        return DOUBTFUL if abs(line.turned) < 30 else SURE

    return [line for line in lines
            if not all(c in SHAPES or c.isspace() for c in line.text) and line.score > needed(line)]


def _distinct(lines: list[Line]) -> list[Line]:
    """Of lines that lie on each other, the longest and surest."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda one: len(one.text) * one.score, reverse=True):
        if all(_overlap(line.corners, other.corners) < 0.4 for other in kept):
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


def _contrast(pixels: RgbImage) -> RgbImage:
    """Raise local contrast, for engraved and worn text."""
    equalised = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(8, 8)).apply(cv2.GaussianBlur(grey(pixels), (0, 0), 1.0))
    return np.asarray(cv2.cvtColor(equalised, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def _joined(pixels: RgbImage) -> RgbImage:
    """Join dark dots into strokes, for dot-peen marks, and flatten the light."""
    gray = grey(pixels)
    side = max(3, round(min(gray.shape) / 120)) | 1
    wide, dot = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (8 * side + 1, side))
    strokes = cv2.GaussianBlur(cv2.dilate(cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, wide), dot), (0, 0), side / 2)
    spread = cv2.normalize(strokes, None, 0, 255, cv2.NORM_MINMAX)
    return np.asarray(cv2.cvtColor(255 - spread, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
