"""What differs between two inspections of the same pictures: steps, numbers, boxes, verdict and rule.

Times, ids, words of the answer and why a step was taken do not count: two runs may say the same in other words.
"""

import math
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from pydantic import BaseModel, ConfigDict

from kenpin.contracts.trace import Answer, Finding, Measure, Step, Trace, Turn
from kenpin.contracts.view import Box
from kenpin.replaying.told import leaves, shown

SAME_PLACE = 0.1
"""Least IoU of two findings that are taken to be one: what `kenpin evaluate` counts as found."""
MOST_PATHS = 3
"""Values of one step's result that are named; the others are counted."""


class Difference(BaseModel):
    """One thing that is not the same in both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["turns", "steps", "number", "box", "verdict", "rule"]
    turn: int
    """Counts from 1; 0 for the inspection as a whole."""
    what: str
    old: str
    new: str
    note: str = ""

    def line(self) -> str:
        """The difference in one line."""
        place = f"turn {self.turn} {self.what}" if self.turn else self.what
        return f"{place}: {self.old} → {self.new}" + (f" ({self.note})" if self.note else "")


def differences(old: Trace, new: Trace) -> list[Difference]:
    """Everything that differs and counts.

    Args:
        old: What it was.
        new: What it is now; its turns are held against those of `old` in their order.
    """
    found: list[Difference] = []
    if len(old.turns) != len(new.turns):
        found.append(Difference(kind="turns", turn=0, what="turns", old=str(len(old.turns)), new=str(len(new.turns))))
    for number, (before, after) in enumerate(zip(old.turns, new.turns, strict=False), 1):
        found += _steps(number, before, after)
        found += _answers(number, before.answer, after.answer)
    return found


def _steps(turn: int, before: Turn, after: Turn) -> Iterator[Difference]:
    """Steps aligned by the order of their tools."""
    old, new = before.steps, after.steps
    matcher = SequenceMatcher(a=[s.tool for s in old], b=[s.tool for s in new], autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(old[a0:a1], new[b0:b1], strict=True):
                yield from _step(turn, one, other)
        else:
            what = f"step {old[a0].n if a0 < a1 else new[b0].n}"
            yield Difference(kind="steps", turn=turn, what=what, old=_tools(old[a0:a1]), new=_tools(new[b0:b1]))


def _tools(steps: Sequence[Step]) -> str:
    return ", ".join(step.tool for step in steps) or "no step"


def _step(turn: int, old: Step, new: Step) -> Iterator[Difference]:
    what = f"step {new.n} ({new.tool})"
    if (old.status, old.error) != (new.status, new.error):
        told = (" ".join(filter(None, (step.status, step.error))) for step in (old, new))
        one, other = told
        yield Difference(kind="steps", turn=turn, what=what, old=one, new=other)
    for name, before, after in (("args", old.args, new.args), ("result", old.result, new.result)):
        one_by_path, other_by_path = dict(leaves(before, name)), dict(leaves(after, name))
        paths = [p for p in dict.fromkeys([*one_by_path, *other_by_path])
                 if one_by_path.get(p) != other_by_path.get(p)]  # fmt: skip
        for place, path in enumerate(paths[:MOST_PATHS]):
            more = len(paths) - MOST_PATHS if place == MOST_PATHS - 1 else 0
            yield Difference(
                kind="steps",
                turn=turn,
                what=f"{what} {path}",
                old=shown(one_by_path.get(path)),
                new=shown(other_by_path.get(path)),
                note=f"and {more} more of this step" if more > 0 else "",
            )


def _answers(turn: int, old: Answer | None, new: Answer | None) -> Iterator[Difference]:
    if old is None or new is None:
        if old is not new:
            ended = ("ended" if answer else "has not ended" for answer in (old, new))
            yield Difference(kind="turns", turn=turn, what="end", old=next(ended), new=next(ended))
        return
    if old.kind != new.kind:
        yield Difference(kind="verdict", turn=turn, what="kind", old=old.kind, new=new.kind)
    if old.verdict != new.verdict:
        yield Difference(kind="verdict", turn=turn, what="verdict", old=_word(old.verdict), new=_word(new.verdict))
    if old.rule != new.rule:
        yield Difference(kind="rule", turn=turn, what="rule", old=_word(old.rule), new=_word(new.rule))
    pairs = matched(old.findings, new.findings)
    yield from _findings(turn, old.findings, new.findings, pairs)
    yield from _measures(turn, old.measures, new.measures, {a.id: b.id for a, b in pairs})


def matched(old: Sequence[Finding], new: Sequence[Finding]) -> list[tuple[Finding, Finding]]:
    """Findings that are one, the best overlap first; each is matched once at most."""
    overlaps = [(iou(a.box, b.box), -i, -j) for i, a in enumerate(old) for j, b in enumerate(new)]
    pairs: list[tuple[Finding, Finding]] = []
    left, right = set(range(len(old))), set(range(len(new)))
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= SAME_PLACE and -i in left and -j in right:
            pairs.append((old[-i], new[-j]))
            left.discard(-i)
            right.discard(-j)
    return pairs


def iou(one: Box, other: Box) -> float:
    """Shared area over joint area of two boxes.

    >>> iou((0, 0, 10, 10), (5, 0, 15, 10))
    0.3333333333333333
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


def _findings(
    turn: int, old: Sequence[Finding], new: Sequence[Finding], pairs: list[tuple[Finding, Finding]]
) -> Iterator[Difference]:
    for one in old:
        if all(one is not a for a, _ in pairs):
            yield Difference(kind="box", turn=turn, what=f"finding {one.id}", old=_finding(one), new="not found")
    for other in new:
        if all(other is not b for _, b in pairs):
            yield Difference(kind="box", turn=turn, what=f"finding {other.id}", old="not found", new=_finding(other))
    for one, other in pairs:
        what = f"finding {one.id}" + (f" (now {other.id})" if one.id != other.id else "")
        if (one.type, one.box) != (other.type, other.box):
            note = "" if one.box == other.box else f"IoU {iou(one.box, other.box):.3f}"
            yield Difference(kind="box", turn=turn, what=what, old=_finding(one), new=_finding(other), note=note)
        for name in ("score", "type_score", "area_px"):
            before, after = getattr(one, name), getattr(other, name)
            if before != after:
                yield Difference(kind="number", turn=turn, what=f"{what} {name}", old=shown(before), new=shown(after))


def _measures(turn: int, old: Sequence[Measure], new: Sequence[Measure], names: dict[str, str]) -> Iterator[Difference]:
    """Measures by quantity and object, several of one kind in their order."""
    left = list(new)
    for one in old:
        key = (one.quantity, names.get(one.of, one.of) if one.of else None)
        other = next((m for m in left if (m.quantity, m.of) == key), None)
        what = " of ".join(filter(None, (one.quantity, one.of)))
        if other is None:
            yield Difference(kind="number", turn=turn, what=what, old=_measure(one), new="not measured")
            continue
        left.remove(other)
        if (one.value, one.unit, one.uncertainty) != (other.value, other.unit, other.uncertainty):
            note = _against(one, other)
            yield Difference(kind="number", turn=turn, what=what, old=_measure(one), new=_measure(other), note=note)
    for other in left:
        what = " of ".join(filter(None, (other.quantity, other.of)))
        yield Difference(kind="number", turn=turn, what=what, old="not measured", new=_measure(other))


def _against(old: Measure, new: Measure) -> str:
    """The difference of two values against the uncertainty of both.

    Source: the E_n number of ISO/IEC 17043, |x1 - x2| / sqrt(U1² + U2²); up to 1 they agree.
    """
    if old.unit != new.unit:
        return "another unit"
    apart = abs(new.value - old.value)
    both = math.hypot(old.uncertainty or 0.0, new.uncertainty or 0.0)
    if both == 0:
        return f"apart by {apart:g}"
    unit = f" {old.unit}" if old.unit else ""
    agree = "within" if apart <= both else "beyond"
    return f"apart by {apart:.4g}{unit}, {agree} the uncertainty of both, {both:.4g}{unit}"


def _measure(measure: Measure) -> str:
    unit = f" {measure.unit}" if measure.unit else ""
    return f"{measure.value!r}{unit}" + (f" ± {measure.uncertainty:g}{unit}" if measure.uncertainty else "")


def _finding(finding: Finding) -> str:
    return f"{finding.type} at {list(finding.box)}"


def _word(value: str | None) -> str:
    return "none" if value is None else str(value)
