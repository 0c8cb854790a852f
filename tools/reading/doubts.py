"""Which characters of a line may be others, and how likely the whole line is right."""

import math
from dataclasses import dataclass

from tools.reading.decode import Glyph
from tools.reading.pattern import ALIKE
from tools.reading.quads import Line

LEAST_SURE, LEAST_AGREED = 0.9, 0.7
"""A character is in doubt below either: the recogniser's probability, and the share of second opinions that agree. Of
1,725 drawn characters these name 69 % of the wrong ones and 1.8 % of the right ones; most of the rest are O and 0."""

SLOPE, OFFSET, NEAREST = 1.39, -5.27, 1e-3
"""Logistic regression of lines without a slip on the logarithm of what a score lacks to one, on 180 drawn lines."""

HARD = 0.8
"""Chance below which a line is called hard to read, although no character stands out."""


@dataclass(frozen=True)
class Doubt:
    """A character that may be another."""

    at: int
    """Position in the line, from 0."""
    read: str
    other: str
    """What it may be as well; empty if nothing in particular."""


def doubts(line: Line) -> tuple[Doubt, ...]:
    """Characters of a line that may be others, from left to right."""
    agreed = line.agreed or (1.0,) * len(line.glyphs)
    return tuple(Doubt(i, c, _other(one)) for i, (c, one, share) in
                 enumerate(zip(line.text, line.glyphs, agreed, strict=True))
                 if not c.isspace() and (one.sure < LEAST_SURE or share < LEAST_AGREED))


def _other(one: Glyph) -> str:
    """The second choice, or else the character's look-alike."""
    if one.other.strip() and one.rival > 0.02:
        return one.other
    return ALIKE.get(one.text, next((letter for letter, digit in ALIKE.items() if digit == one.text), ""))


def chance(line: Line) -> float:
    """How likely a line was read without a slip, 0 to 1; never more than 0.99, for O and 0 can look the same.

    Source: Platt scaling (1999) of the recogniser's score, fitted on drawn lines of all classes.
    """
    lacking = max(NEAREST, 1 - line.score)
    return 1 / (1 + math.exp(SLOPE * math.log(lacking) - OFFSET))
