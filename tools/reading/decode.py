"""From a recogniser's probabilities to text: what it says, how sure each character is, and what else it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]
"""(T, C) probabilities of C classes in T steps from left to right; class 0 is the blank."""


@dataclass(frozen=True)
class Glyph:
    """One character as it was read."""

    text: str
    sure: float
    """0 to 1."""
    other: str
    """The second choice; empty if it is no character."""
    rival: float
    """0 to 1, the second choice's probability."""


def glyphs(steps: Probabilities, alphabet: Sequence[str]) -> tuple[Glyph, ...]:
    """Characters by best path decoding (Graves et al. 2006, CTC): runs of one class without blanks."""
    best = steps.argmax(axis=1)
    found: list[Glyph] = []
    start = 0
    for end in range(1, len(best) + 1):
        if end < len(best) and best[end] == best[start]:
            continue
        if best[start] != 0:
            peaks = steps[start:end].max(axis=0)
            peaks[0] = 0
            sure, mine = float(peaks[best[start]]), int(best[start])
            peaks[mine] = 0
            second = int(peaks.argmax())
            found.append(Glyph(alphabet[mine], min(sure, 1.0), alphabet[second], float(peaks[second])))
        start = end
    return tuple(found)



def told(characters: Sequence[Glyph]) -> tuple[str, float]:
    """The text, and the mean of how sure its characters are; ("", 0.0) if there is none."""
    if not characters:
        return "", 0.0
    return "".join(one.text for one in characters), float(np.mean([one.sure for one in characters]))
