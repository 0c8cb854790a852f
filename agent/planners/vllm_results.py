"""What a model reads of a step: short, in its own frame of coordinates, and unable to pass for anything but data."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from agent.planners.frames import Frame, is_numbers

MOST_ITEMS = 24
"""Of a list; the trace keeps all of them."""
MOST_TEXT = 400
MOST_POINTS = 8
"""A longer line is a shape that no model can use."""
DIGITS = 4
LEFT_OUT = frozenset({"outline", "outlines", "polygon", "contour", "hull", "mask", "path", "skeleton"})
"""Long shapes that no model can use."""
ELSEWHERE = frozenset({"box", "boxes", "region", "picture"})
"""What a past case says of its own picture."""
BOXES = re.compile(r"(?:^|_)(?:box|boxes|place|shows?|rect|rects|region)$")
POINTS = re.compile(
    r"(?:^|_)(?:points?|from|to|start|ends?|cent(?:er|re)s?|centroid|corners?|lines?|at|p\d|quad|tips?)$")
SENTENCES = frozenset({"note", "notes", "reason", "reasons", "message", "warning", "warnings", "hint", "error"})
"""Words of our own tools, which may name boxes; other strings may be read off a picture and stay as they are."""
CONTROL = re.compile(r"<(?=[|/a-z_｜])|(?<=[|｜])>|\[(?=/?INST\])", re.IGNORECASE)
"""Openings of markers that chat templates give a meaning (`<|im_start|>`, `<tool_call>`, `[INST]`)."""


def harmless(text: str) -> str:
    """Text in which no marker of a chat template is left: each gets a space inside.

    A server reads the markers in a rendered prompt wherever they come from, so lettering on a part could otherwise
    end a message and begin one of another role.
    """
    return CONTROL.sub(lambda match: match.group() + " " if match.group() != ">" else " >", text)


def quiet(value: Any) -> Any:
    """Arguments as a model said them, made harmless: it may have copied lettering."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {harmless(key): quiet(item) for key, item in value.items()}
    return [quiet(item) for item in value] if isinstance(value, list) else value


def compact_json(data: Any) -> str:
    """One line of JSON without spaces."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def told(content: str, frame: Frame) -> str:
    """A step's message as the model gets it.

    Args:
        content: The message as the loop wrote it: JSON with `step`, `status`, and `result` or `error`.
        frame: Of the upload that the step worked on.
    """
    step = json.loads(content)
    message = {key: step[key] for key in ("step", "status", "view") if key in step}
    if "error" in step:
        return compact_json(message | {"error": _short(frame.text_out(str(step["error"])))})
    return compact_json(message | {"data": compact(step.get("result", {}), frame)})


def compact(value: Any, frame: Frame, *, name: str = "") -> Any:
    """A result without what is empty or long, numbers rounded, places in the model's units."""
    if value is None or isinstance(value, bool | int | float):
        return rounded(value) if isinstance(value, float) else value
    if isinstance(value, str):
        return _short(frame.text_out(value) if name in SENTENCES else value)
    if isinstance(value, Mapping):
        if "case_id" in value:
            # A past case speaks of its own picture: its box has no place here, and its note is nobody's error message.
            value = {"case_" + key if key in SENTENCES else key: item
                     for key, item in value.items() if key not in ELSEWHERE}
        kept = {key: compact(item, frame, name=key) for key, item in value.items() if key not in LEFT_OUT}
        return {harmless(key): item for key, item in kept.items() if item not in (None, "", [], {})}
    for pattern, count, out in ((BOXES, 4, frame.box_out), (POINTS, 2, frame.point_out)):
        if pattern.search(name) and is_numbers(value, count):
            return list(out(value))
    if POINTS.search(name) and len(value) > MOST_POINTS and is_numbers(value[0], 2):
        return None
    items = [compact(item, frame, name=name) for item in value[:MOST_ITEMS]]
    return [*items, f"and {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else items


def rounded(value: float) -> float | int | None:
    """A number with four digits, and never fewer than its whole part, so that it can be cited as it stands."""
    if not math.isfinite(value):
        return None
    if value == 0:
        return 0
    digits = max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))
    short = round(value, digits)
    return int(short) if short.is_integer() else short


def _short(text: str) -> str:
    text = harmless(text)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(text)} characters)"
