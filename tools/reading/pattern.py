"""A text that is known to be written like an example: which line fits it, and what that decides between look-alikes."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.reading.decode import Glyph

ALIKE = {"O": "0", "Q": "0", "D": "0", "I": "1", "L": "1", "S": "5", "B": "8", "Z": "2", "G": "6", "A": "4", "T": "7"}
"""Letters that are taken for digits and the other way round, in type without serifs and in dots."""

MOST_CHANGED = 1 / 3
"""Share of the characters that an example may decide; beyond it the line is another text."""


@dataclass(frozen=True)
class Fitted:
    """The part of a line that is written like the example."""

    text: str
    start: int
    changed: tuple[int, ...]
    """Positions in `text` that the example decided against what was read."""


def fitted(characters: Sequence[Glyph], like: str) -> Fitted | None:
    """The part of a line that is written like `like`, with the fewest characters changed; None if there is none.

    Args:
        characters: As they were read.
        like: An example: its digits stand for any digit, its letters for any letter, other signs for themselves;
            spaces do not count.
    """
    wanted = [c for c in like if not c.isspace()]
    read = [(i, one) for i, one in enumerate(characters) if not one.text.isspace()]
    found: list[Fitted] = []
    for first in range(len(read) - len(wanted) + 1):
        part = read[first:first + len(wanted)]
        # A text that goes on with more digits or letters is a longer one.
        if not wanted or _goes_on(read, first, len(wanted)):
            continue
        chosen = [_fitting(one, sign) for (_, one), sign in zip(part, wanted, strict=True)]
        if all(c is not None for c in chosen):
            text = "".join(c or "" for c in chosen)
            changed = tuple(i for i, (c, (_, one)) in enumerate(zip(chosen, part, strict=True)) if c != one.text)
            if len(changed) <= MOST_CHANGED * len(wanted):
                found.append(Fitted(text, part[0][0], changed))
    return min(found, key=lambda one: len(one.changed), default=None)


def _goes_on(read: Sequence[tuple[int, Glyph]], first: int, count: int) -> bool:
    """Whether a letter or digit stands right beside the part, with no space between."""
    last = first + count - 1
    before = first > 0 and read[first - 1][0] == read[first][0] - 1 and read[first - 1][1].text.isalnum()
    after = last + 1 < len(read) and read[last + 1][0] == read[last][0] + 1 and read[last + 1][1].text.isalnum()
    return before or after


def _fitting(one: Glyph, sign: str) -> str | None:
    """What a character is if it has to be like `sign`: as it was read, its second choice, or its look-alike."""
    look_alikes = [ALIKE.get(one.text.upper(), ""), *(letter for letter, digit in ALIKE.items() if digit == one.text)]
    # An example's own letter first: lots that begin with L begin with L.
    for choice in (one.text, *(c for c in look_alikes if c == sign), one.other, *look_alikes):
        if choice and _same_class(choice, sign):
            return choice.upper() if sign.isupper() else choice
    return None


def _same_class(c: str, sign: str) -> bool:
    if sign.isdigit():
        return c.isascii() and c.isdigit()
    if sign.isascii() and sign.isalpha():
        return c.isascii() and c.isalpha()
    return c == sign or {c, sign} <= set("-‐–—−~")
