"""Reading one slanted box of a picture: the direction that reads best, and second opinions where it is hard to read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from kenpin.contracts.view import Points, RgbImage
from tools.reading.decode import Glyph, told
from tools.reading.engine import japanese, recognise_all
from tools.reading.extend import extended
from tools.reading.opinions import opinions
from tools.reading.warp import straight

SURE, LEGIBLE = 0.9, 0.5
"""Recogniser scores: a line is not looked for again from `SURE` on, and nothing below `LEGIBLE` is reported."""

CLEAR, WORTHWHILE = 0.98, 0.4
"""No other direction is tried from `CLEAR` on: numbers such as 0960 read as well upside down. Second opinions are asked
for between these scores, and for three characters or more."""

SURER = 0.03
"""By how much a second opinion must be surer than the picture as it is to be taken instead."""

WORSE = 0.1
"""By how much less sure a longer reading of the same line may be."""

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
    glyphs: tuple[Glyph, ...] = ()
    """Its characters, one for each of `text`'s."""
    agreed: tuple[float, ...] = ()
    """For each character the share of the second opinions, weighed by their score, that read the same; empty if none
    was needed."""


def read_quad(pixels: RgbImage, quad: Points) -> Line | None:
    """Read one slanted box, (4, 2) px clockwise, in the direction that reads best; None if nothing in it is legible."""
    best: Line | None = None
    for corners in _directions(quad):
        line = _line(recognise_all([straight(pixels, corners)])[0], corners)
        if best is None or line.score > best.score:
            best = line
        # A ring is a ring from every side.
        if (best.score >= CLEAR and abs(best.turned) < 60) or all(c in SHAPES for c in best.text):
            break
    if best is not None and best.score >= WORTHWHILE and len(best.text) > 1:
        best = _further(pixels, best)
        if best.score < CLEAR and len(best.text) > 2:
            best = _second(best, recognise_all(opinions(straight(pixels, best.corners))))
    return best if best is not None and best.text and best.score >= LEGIBLE else None


def _further(pixels: RgbImage, line: Line) -> Line:
    """The same line read in a longer box, if it goes on and reads as well there."""
    corners = extended(pixels, line.corners)
    if corners is None:
        return line
    longer = _line(recognise_all([straight(pixels, corners)])[0], corners)
    more = len(longer.text) > len(line.text) and longer.score > line.score - WORSE
    return longer if more else line


def _line(characters: tuple[Glyph, ...], corners: Points) -> Line:
    """A line without spaces at its ends."""
    kept = list(characters)
    while kept and kept[-1].text.isspace():
        kept.pop()
    while kept and kept[0].text.isspace():
        kept.pop(0)
    text, score = told(kept)
    return Line(text=japanese(text), score=score, corners=corners, turned=_turned(corners), glyphs=tuple(kept))


def _second(line: Line, others: Sequence[tuple[Glyph, ...]]) -> Line:
    """The surest of all readings, and how far the others agree with it."""
    read = [line, *(_line(one, line.corners) for one in others)]
    best = max(read, key=lambda one: one.score + SURER * (one is line))
    rest = [one for one in read if one is not best]
    agreed, weights = np.zeros(len(best.text)), sum(one.score for one in rest)
    for one in rest:
        for block in SequenceMatcher(None, best.text, one.text, autojunk=False).get_matching_blocks():
            agreed[block.a:block.a + block.size] += one.score
    return Line(best.text, best.score, best.corners, best.turned, best.glyphs,
                tuple(float(share) for share in agreed / max(weights, 1e-6)))


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
