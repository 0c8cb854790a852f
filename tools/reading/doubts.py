"""Which characters of a line may be others, and how likely the whole line is right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tools.reading.decode import Glyph
from tools.reading.pattern import ALIKE
from tools.reading.quads import Line

LEAST_SURE, LEAST_AGREED = 0.9, 0.5
"""A character is in doubt below either: the recogniser's probability, and the share of second opinions that agree."""


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


def mixed(text: str) -> bool:
    """Whether letters and digits stand in one word, so that no context tells a letter from its look-alike digit."""
    return any(any(c.isdigit() for c in word) and any(c.isalpha() for c in word) for word in text.split())


def chance(line: Line) -> float:
    """How likely a line is read without a slip, 0 to 1."""
    agreed: Sequence[float] = line.agreed or (1.0,)
    least = min((one.sure for one in line.glyphs), default=0.0)
    return 1 / (1 + math.exp(-(least + min(agreed))))
