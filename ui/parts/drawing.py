"""A box drawn on a picture by a person. The browser proposes; `checked_box` decides what is taken from it."""

from collections.abc import Sequence

import streamlit as st

from kenpin.contracts.view import Box, clip
from ui.i18n import Texts
from ui.parts.viewer import Mark, read

LEAST = 3
"""Smallest side of a box in px: less is a slip of the hand, and no defect can be told from noise in it."""

_drawing = st.components.v2.component(
    "kenpin_drawing", html=read("drawing.html"), css=read("viewer.css", "drawing.css"),
    js=read("stage.js", "drawing.js"))


def draw(name: str, *, size: tuple[int, int], token: str, box: Box | None, marks: Sequence[Mark] = (),
         mm_per_px: float | None = None, t: Texts, alt: str, key: str) -> Box | None:
    """Show a picture that was loaded under `name` and let a person draw, move and resize one box on it.

    Args:
        name: Its sha256 if it is stored, as in `ui.parts.viewer.show`.
        size: Width and height of the original upload, px.
        token: What is being drawn; another one begins anew with its own `box`, and what was sent for an earlier one
            is not taken for it.
        box: The box to begin with; None where there is none yet.
        marks: What else is drawn on the picture.
        mm_per_px: Scale, if known; the size is then shown in mm too.
    Returns:
        The box as it stands, [x0, y0, x1, y1] in px of the original upload, x1 and y1 exclusive, inside the picture and
        at least `LEAST` px wide and high; None while there is none.
    """
    words = {word: t.raw(f"viewer.{word}") for word in ("in", "out", "fit", "toggle", "keys")}
    result = _drawing(key=key, on_box_change=_nothing, data={
        "key": name, "width": size[0], "height": size[1], "alt": alt, "words": words, "token": token,
        "box": list(box) if box else None, "mm_per_px": mm_per_px, "marks": [mark.data() for mark in marks]})
    return checked_box(result.box, token=token, size=size, start=box)


def drawn(key: str, *, token: str, size: tuple[int, int], start: Box | None) -> Box | None:
    """The box as it stands in a field that is on the page: for callbacks, which run before the page is drawn anew."""
    kept = st.session_state.get(key)
    return checked_box(kept.get("box") if kept else None, token=token, size=size, start=start)


def checked_box(sent: object, *, token: str, size: tuple[int, int], start: Box | None) -> Box | None:
    """What to take from the browser: `{"of": token, "box": [x0, y0, x1, y1] or None}`.

    Args:
        sent: Anything at all.
        token: What is being drawn. A message about something else is not meant for it.
        size: Width and height of the picture, px.
        start: What stands where nothing usable was sent.
    Returns:
        Whole pixels, clipped to the picture, grown to `LEAST` px inside it.
    """
    if not isinstance(sent, dict) or sent.get("of") != token or "box" not in sent:
        return start
    if sent["box"] is None:
        return None
    box = _numbers(sent["box"])
    inside = clip(box, *size) if box else None
    if inside is None:
        return start
    x0, x1 = _grown(inside[0], inside[2], size[0])
    y0, y1 = _grown(inside[1], inside[3], size[1])
    return (x0, y0, x1, y1)


def _numbers(value: object) -> Box | None:
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    # `True` is an int to Python and no pixel to anybody.
    if not all(type(v) is int or (type(v) is float and v.is_integer()) for v in value):
        return None
    x0, y0, x1, y1 = (int(v) for v in value)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _grown(low: int, high: int, most: int) -> tuple[int, int]:
    if high - low >= LEAST:
        return low, high
    start = max(0, min(low, most - LEAST))
    return start, min(most, start + LEAST)


def _nothing() -> None:
    """Streamlit keeps a component's state only where something listens to it."""


