"""Places in the user's words: pixel boxes and named parts of the picture."""

import re
from collections.abc import Sequence
from itertools import islice, pairwise

from agent.language.lexicon import Hit

Box = tuple[int, int, int, int]
COORDINATE = re.compile(r"(?<![\d.])\d{1,5}(?!\d|\.\d|mm|um|cm|deg|%|つ|個|本|件|番)")
WITHIN = re.compile(r"^(?:px)?[\s,、/・;:=()]*(?:and|by|x|y|の|,)?[\s,、/・:=(]*$")
ACROSS = re.compile(r"^(?:px)?[\s,、)\]]*(?:[-~→/,;:x・]|to|and|until|till|through|thru|up to|down to|as far as|upto|から|より|、|と|まで|\.{2,3}|…)?"
                    r"[\s,、()\[\]~-]*(?:to|until|till|the)?\s*(?:px|point|corner|右下|終点|lower right|bottom right|x|y)?[\s,、(\[:=]*$")
NAMED = re.compile(r"\b([xy])[012](?=\s?[=:])")
RANGES = re.compile(r"x\D{0,9}?(\d{1,5})\D{1,9}?(\d{1,5})\D{1,20}?y\D{0,9}?(\d{1,5})\D{1,9}?(\d{1,5})")
SIDES = ("upper", "lower", "left", "right")
LARGEST = 30000


def said_box(text: str) -> Box | None:
    """A rectangle in pixel coordinates, as (x0, y0, x1, y1).

    >>> said_box("crop (320,110)-(480,260)")
    (320, 110, 480, 260)
    >>> said_box("x 100-300, y 200-400")
    (100, 200, 300, 400)
    """
    text = NAMED.sub(r"\1 ", text)
    if match := RANGES.search(text):
        x0, x1, y0, y1 = map(int, match.groups())
        if x0 < x1 <= LARGEST and y0 < y1 <= LARGEST and not _y_between(text, match):
            return (x0, y0, x1, y1)
    text = NAMED.sub(r"\1 ", text).replace("原点", "0,0")
    found = list(islice(COORDINATE.finditer(text), 24))
    for a, b, c, d in zip(found, found[1:], found[2:], found[3:], strict=False):
        if not (WITHIN.match(text[a.end():b.start()]) and len(text[b.end():c.start()]) <= 24 and ACROSS.match(text[b.end():c.start()])
                and WITHIN.match(text[c.end():d.start()])):
            continue
        x0, y0, x1, y1 = (int(m.group()) for m in (a, b, c, d))
        if x0 < x1 <= LARGEST and y0 < y1 <= LARGEST:
            return (x0, y0, x1, y1)
    return None


def _y_between(text: str, match: re.Match[str]) -> bool:
    """Whether the second number is a y: "x 100 y 200 to x 300 y 400"."""
    return "y" in text[match.end(1):match.start(2)]


def region_of(hits: Sequence[Hit], text: str) -> str | None:
    """The part of the picture that the region words name; two halves that cross make a quarter.

    >>> region_of([Hit("upper", 0, 3, "top"), Hit("left", 8, 12, "left")], "top and left")
    'upper left'
    """
    names = [h.name for h in hits]
    if not names:
        return None
    corner = next((name for name in names if " " in name), None)
    if corner:
        return corner
    for a, b in pairwise(hits):
        if b.start - a.end <= 14 and {a.name, b.name} & {"upper", "lower"} and {a.name, b.name} & {"left", "right"}:
            halves = {a.name, b.name}
            return f"{'upper' if 'upper' in halves else 'lower'} {'left' if 'left' in halves else 'right'}"
    return names[0]


def blank_box(text: str) -> str:
    """A normalised text with its coordinates blanked out, so that they are not taken for limits."""
    if said_box(text) is None:
        return text
    found = list(islice(COORDINATE.finditer(text), 24))
    for a, b, c, d in zip(found, found[1:], found[2:], found[3:], strict=False):
        if WITHIN.match(text[a.end():b.start()]) and len(text[b.end():c.start()]) <= 24 and WITHIN.match(text[c.end():d.start()]):
            return text[:a.start()] + " " * (d.end() - a.start()) + text[d.end():]
    return text
