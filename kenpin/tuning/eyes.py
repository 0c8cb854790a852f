"""What is said and called of a defect that is seen by eye, without a search; drawn anew as often as training wants."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from kenpin.tuning import wording
from kenpin.tuning.drawing import KINDS, drawn, part_of

if TYPE_CHECKING:
    from kenpin.tuning.drawing import Drawn

PAD = 16
"""Pixels around a defect that are zoomed in on."""
SEEDS = 11
"""First number of the seeds of these pictures."""
CLEAN = 0.1
"""Share of pictures without a defect."""


def lot(seed: int) -> str | None:
    """The kind that a seed draws; None for a clean picture."""
    rng = np.random.default_rng([SEEDS + 1, seed])
    return None if rng.random() < CLEAN else KINDS[int(rng.integers(len(KINDS)))]


def picture(seed: int) -> Drawn:
    """The picture of a seed."""
    return drawn(np.random.default_rng([SEEDS, seed]), kind=lot(seed))


def call(seen: Drawn, lang: str) -> tuple[str, dict[str, Any]]:
    """The call that is right: zoom in on the defect, places in 0-1000, or ask where there is none."""
    height, width = seen.pixels.shape[:2]
    if seen.box is None or seen.kind is None:
        why, question = wording.NOT_SEEN[lang]
        return "ask", {"why": why, "question": question, "missing": ["target"]}
    x0, y0, x1, y1 = seen.box
    box = (max(x0 - PAD, 0), max(y0 - PAD, 0), min(x1 + PAD, width), min(y1 + PAD, height))
    why = wording.seen(seen.kind, part_of(seen.box, width, height), lang)
    places = [round(1000 * v / side) for v, side in zip(box, (width, height, width, height), strict=True)]
    return "zoom", {"why": why, "box": places}


def redrawn(dialogue: dict[str, Any], orders: dict[str, list[str]], seed: int) -> dict[str, Any]:
    """The same conversation by eye about the picture of another seed.

    Args:
        dialogue: One of `source` "by eye".
        orders: Names of the arguments of each tool, in order.
        seed: Of the picture.
    """
    made = copy.deepcopy(dialogue)
    name, args = call(picture(seed), made["lang"])
    function = made["messages"][-1]["tool_calls"][0]["function"]
    function.update(name=name, arguments={key: args.get(key) for key in orders[name]})
    for part in made["messages"][1]["content"]:
        if part["type"] == "image":
            part.update(drawn=[SEEDS, seed], kind=lot(seed))
    return made
