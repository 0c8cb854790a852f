"""Small pictures for lists: a whole picture, or what surrounds a defect with its box. Kept in memory only."""

import base64
from collections.abc import Callable

import cv2
import numpy as np
import streamlit as st

from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import Box, RgbImage
from ui.backend import installation

ROW = (96, 72)
"""Width and height in a list, px; drawn at three quarters of it, so that it is sharp on fine screens."""
CARD = (384, 252)
READABLE = 1100
"""px: as large as evidence is shown at a click, and little enough to be sent for each step."""
AROUND = 1.2
"""What is shown around a defect, in times of its longer side: enough to see where on the part it sits."""
LEAST = 64
"""Shortest side of what is cut out, px of the original."""
RED = (214, 40, 32)


def small(sha256: str | None, *, box: Box | None = None, size: tuple[int, int] = ROW) -> str:
    """A stored picture as a data URL of `size` (width, height); "" if it is not in the store.

    Args:
        sha256: Of the stored picture.
        box: A defect in px of the original; then only its surroundings are shown, with the box drawn.
        size: Filled whole; what does not fit its shape is cut off at the sides.
    """
    try:
        return "" if sha256 is None else _small(sha256, box, size)
    except StoreError:
        return ""


def readable(sha256: str) -> str:
    """A stored picture as a data URL, its longer side at most `READABLE` px: made once, not at each run of a page.

    Raises:
        StoreError: It is missing, or is not the one that was stored.
    """
    return _readable(sha256)


def framed_cut(pixels: RgbImage, box: Box, shape: float) -> tuple[RgbImage, Box]:
    """Cut the surroundings of a box out of (H, W, 3) pixels.

    Args:
        pixels: Never written to.
        box: px of `pixels`.
        shape: Width through height of what is cut, as far as the picture allows.
    Returns:
        A view into the pixels, and the box on it.
    """
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box
    tall = max(LEAST, (1 + AROUND) * max(y1 - y0, (x1 - x0) / shape, LEAST / 4))
    h, w = min(height, round(tall)), min(width, round(tall * shape))
    left = min(max(0, (x0 + x1 - w) // 2), width - w)
    top = min(max(0, (y0 + y1 - h) // 2), height - h)
    return pixels[top:top + h, left:left + w], (x0 - left, y0 - top, x1 - left, y1 - top)


def cover(pixels: RgbImage, size: tuple[int, int]) -> tuple[RgbImage, float, tuple[int, int]]:
    """Scale (H, W, 3) pixels to fill `size` (width, height), cutting evenly at the sides.

    Returns:
        The scaled copy, the factor, and what was cut off at the left and the top in px of the result.
    """
    height, width = pixels.shape[:2]
    factor = max(size[0] / width, size[1] / height)
    w, h = max(size[0], round(width * factor)), max(size[1], round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(np.ascontiguousarray(pixels), (w, h), interpolation=how)
    x, y = (w - size[0]) // 2, (h - size[1]) // 2
    return np.ascontiguousarray(scaled[y:y + size[1], x:x + size[0]]), factor, (x, y)


def _reduce(sha256: str) -> str:
    pixels = installation().pictures.get(sha256)
    height, width = pixels.shape[:2]
    factor = min(1.0, READABLE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return _jpeg(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), quality=88)


def _jpeg(pixels: RgbImage, *, quality: int) -> str:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _render(sha256: str, box: Box | None, size: tuple[int, int]) -> str:
    pixels = installation().pictures.get(sha256)
    place = None
    if box is not None:
        pixels, place = framed_cut(pixels, box, size[0] / size[1])
    drawn, factor, (x, y) = cover(pixels, size)
    if place is not None:
        x0, y0, x1, y1 = (round(v * factor) for v in place)
        cv2.rectangle(drawn, (x0 - x - 2, y0 - y - 2), (x1 - x + 1, y1 - y + 1), (255, 255, 255), 4)
        cv2.rectangle(drawn, (x0 - x - 2, y0 - y - 2), (x1 - x + 1, y1 - y + 1), RED, 2)
    return _jpeg(drawn, quality=84)


_readable: Callable[[str], str] = st.cache_data(max_entries=100, show_spinner=False)(_reduce)
_small: Callable[[str, Box | None, tuple[int, int]], str] = st.cache_data(max_entries=2000, show_spinner=False)(_render)
