"""The smallest defect that must be seen, as an instruction says it: "scratches down to 0.1 mm"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.language.mentions import mentions, tidy
from agent.language.normal import normalise
from kenpin.contracts.verdict import Criterion, DefectType

BEFORE = re.compile(
    r"(?:\b(?:down to|as (?:small|fine|short|little) as|from|smallest (?:defect|flaw|scratch|pit|crack|one)s?(?: is| of| being)?|"
    r"(?:see|show|resolve|detect|spot|catch|find|pick up)(?: an?| any| the| even)?)|最小(?:欠陥|の傷|傷|キズ|サイズ)?(?:は|が|:)?) ?$")
AFTER = re.compile(
    r"^ ?(?:まで(?:の|を|も)?|(?:ほど|程度|くらい|ぐらい)?の)(?:[^。、]{0,10}?)(?:傷|キズ|きず|欠陥|クラック|割れ|ピット|異物|汚れ|打痕|検出|見|探|拾|見つけ)")
NOT_AFTER = re.compile(r"^ ?(?:from|away|apart|per|/|to the|for|pitch|grid|marker|square|hole|以上|以下|離)")
SIZES = frozenset({"length", "diameter"})
DEFECTS = frozenset(DefectType)


@dataclass(frozen=True)
class Smallest:
    """A size that must be seen."""

    px: float | None = None
    mm: float | None = None

    def args(self) -> dict[str, float]:
        """As arguments of `check_image`."""
        return {f"smallest_{unit}": value for unit, value in (("px", self.px), ("mm", self.mm)) if value is not None}


def smallest_of(text: str, limits: Sequence[Criterion] = ()) -> Smallest:
    """What an instruction or its limits say must be seen.

    A limit on the length or diameter of a defect says it as well: what breaks it must be seen first.

    >>> smallest_of("find scratches down to 0.1 mm")
    Smallest(px=None, mm=0.1)
    >>> smallest_of("0.2mmまでのキズを検出して").mm
    0.2
    >>> smallest_of("how long is the 30 mm edge?")
    Smallest(px=None, mm=None)
    """
    plain = normalise(text)
    px: list[float] = []
    mm: list[float] = []
    for m in mentions(plain):
        before, after = plain[max(0, m.start - 40):m.start], plain[m.end:m.end + 24]
        if not (m.metric or m.unit == "px") or NOT_AFTER.match(after):
            continue
        if BEFORE.search(before) or AFTER.match(after):
            (mm if m.metric else px).append(m.mm if m.metric else tidy(m.value))
    for limit in limits:
        if limit.of in DEFECTS and limit.quantity in SIZES and limit.value > 0:
            {"mm": mm, "px": px}.get(limit.unit, []).append(limit.value)
    return Smallest(px=min(px, default=None), mm=min(mm, default=None))
