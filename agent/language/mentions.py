"""Numbers in a normalised instruction, each with its unit and its place."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

NUMBER = re.compile(
    r"(?<![\d.])(?<![a-z]-)(?:(?<![a-z])|(?<=px)|(?<=mm)|(?<=um)|(?<=cm))(?:(?P<phi>φ|r(?=\d)) ?)?(?P<n>\d{1,6}(?:\.\d{1,5})?)(?!\d)"
    r"(?: ?(?P<u>(?:mm2|px2|cm2)(?![a-z0-9])|(?:mm|um|cm|px|inch|thou|deg)(?![a-z])))?")
MOST = 24
"""Numbers looked at; no instruction has more, and a pasted table must not cost seconds."""
TO_MM = {"mm": 1.0, "um": 0.001, "cm": 10.0, "inch": 25.4, "thou": 0.0254}
AREA_TO_MM2 = {"mm2": 1.0, "cm2": 100.0}


@dataclass(frozen=True)
class Mention:
    """A number with its unit, in characters `start` to `end` of the normalised text."""

    value: float
    unit: str
    start: int
    end: int
    sign: str = ""
    """`φ` or `r` in front of the number."""
    decimal: bool = False

    @property
    def mm(self) -> float:
        """Millimetres, if the unit is one of length."""
        return tidy(self.value * TO_MM[self.unit])

    @property
    def metric(self) -> bool:
        return self.unit in TO_MM


@lru_cache(maxsize=256)
def mentions(text: str) -> tuple[Mention, ...]:
    """All numbers of a normalised text.

    >>> [(m.value, m.unit) for m in mentions("30mm以下, φ6")]
    [(30.0, 'mm'), (6.0, '')]
    """
    return tuple(Mention(float(m["n"]), m["u"] or "", m.start(), m.end(), m["phi"] or "", "." in m["n"])
                 for m in islice(NUMBER.finditer(text), MOST))


def tidy(value: float) -> float:
    """Six significant digits, so that 1/3 prints the same everywhere."""
    return float(f"{value:.6g}")
