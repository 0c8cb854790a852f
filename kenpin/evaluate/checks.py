"""Whether a turn led to what a suite expects."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from kenpin.contracts.trace import Answer, Step, Turn
from kenpin.contracts.view import Box, View
from kenpin.evaluate.suite import Expect

METRIC = frozenset({"mm", "mm2"})
MOST_OF_PICTURE = 0.6
ACTING = frozenset({"crop", "zoom", "enhance", "detect", "compare", "measure", "count", "read_text", "recall"})


def missed(
    expect: Expect, turn: Turn, *, size: tuple[int, int], scaled: bool, earlier: Sequence[Step], views: dict[str, View]
) -> list[str]:
    """Names of the keys that do not hold for a turn.

    Args:
        expect: What must hold.
        turn: A finished turn.
        size: Width and height of the subject, pixels.
        scaled: A scale was configured, or found by a step of this or an earlier turn.
        earlier: Steps of earlier turns.
        views: Every view by its id.
    """
    answer = turn.answer
    if answer is None:
        return [key for key, value in expect if value is not None]
    done = [step for step in turn.steps if step.status == "ok"]
    ran = {step.tool for step in done}
    holds: dict[str, Callable[[Any], bool]] = {
        "tools": lambda names: set(names) <= ran,
        "any": lambda lists: any(set(names) <= ran for names in lists),
        "not_tools": lambda names: not set(names) & {step.tool for step in turn.steps},
        "verdict": lambda verdicts: answer.verdict in verdicts,
        "finds": lambda boxes: all(any(_overlaps(f.box, tuple(box)) for f in answer.findings) for box in boxes),
        "region": lambda name: any(_in_part(box, name, size) for step in done for box in _worked_on(step, views)),
        "covers": lambda box: any(
            _contains(cut, box) for step in done if step.tool in ("crop", "zoom") for cut in _worked_on(step, views)
        ),
        "number": lambda number: any(
            m.unit == number.unit and abs(m.value - number.value) <= number.tol * abs(number.value) + 1e-9
            for m in answer.measures
        ),
        "not_number": lambda _: scaled or not any(m.unit in METRIC for m in answer.measures),
        "text": lambda pattern: re.search(pattern, answer.text) is not None,
        "not_text": lambda pattern: re.search(pattern, answer.text) is None,
        "clarify": lambda wanted: (answer.kind == "question") == wanted,
        "not_clarify": lambda wanted: (answer.kind != "question") == wanted,
        "cites": lambda wanted: bool(set(answer.cites) & {step.n for step in earlier}) == wanted,
        "honest": lambda wanted: _honest(answer) == wanted,
    }
    return [key for key, value in expect if value is not None and not holds[key](value)]


def wrong_action(expect: Expect, turn: Turn, misses: Sequence[str]) -> bool:
    """Whether a failed turn acted where it should not have: the failures that hurt most."""
    if not misses or turn.answer is None:
        return False
    ran = {step.tool for step in turn.steps if step.status == "ok"}
    should_wait = bool(expect.clarify or expect.honest)
    if should_wait and ({"clarify", "honest"} & set(misses)) and (ran & ACTING or turn.answer.verdict is not None):
        return True
    if "not_tools" in misses or ("verdict" in misses and turn.answer.verdict is not None):
        return True
    expected = set(expect.tools or ()) | {name for names in expect.any or () for name in names}
    return bool(expected) and bool(ran & ACTING) and not ran & expected


def _honest(answer: Answer) -> bool:
    return (
        answer.kind in ("refusal", "question")
        and answer.verdict is None
        and not answer.findings
        and bool(answer.text.strip())
    )


def _worked_on(step: Step, views: dict[str, View]) -> list[Box]:
    """The places on the original that a crop, zoom or detect worked on."""
    if step.tool not in ("crop", "zoom", "detect"):
        return []
    box = step.result.get("box") if step.tool != "detect" else step.args.get("box")
    if box is None and step.args.get("view") in views:
        box = views[step.args["view"]].place()
    return [(int(box[0]), int(box[1]), int(box[2]), int(box[3]))] if box else []


def _in_part(box: Box, name: str, size: tuple[int, int]) -> bool:
    width, height = size
    if (box[2] - box[0]) * (box[3] - box[1]) > MOST_OF_PICTURE * width * height:
        return False
    x, y = (box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height
    words = name.split()
    middle = "middle" if "centre" in words else None
    across = next((word for word in words if word in ("left", "right")), middle)
    down = next((word for word in words if word in ("upper", "lower")), middle)
    return _on_side(x, across) and _on_side(y, down)


def _on_side(share: float, side: str | None) -> bool:
    """Whether a share of the width or height lies in the half, or the middle half, that a word names."""
    match side:
        case "left" | "upper":
            return share < 0.5
        case "right" | "lower":
            return share > 0.5
        case "middle":
            return 0.25 < share < 0.75
    return True


def _overlaps(found: Box, wanted: tuple[int, ...]) -> bool:
    x, y = (found[0] + found[2]) / 2, (found[1] + found[3]) / 2
    if wanted[0] <= x < wanted[2] and wanted[1] <= y < wanted[3]:
        return True
    width = min(found[2], wanted[2]) - max(found[0], wanted[0])
    height = min(found[3], wanted[3]) - max(found[1], wanted[1])
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    union = (found[2] - found[0]) * (found[3] - found[1]) + (wanted[2] - wanted[0]) * (wanted[3] - wanted[1]) - shared
    return shared / union >= 0.1


def _contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]
