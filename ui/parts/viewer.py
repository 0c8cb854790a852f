"""The picture, with what was found drawn on it in pixels of the original; zoom and drag happen in the browser."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st

from kenpin.contracts.view import Box, RgbImage
from ui.backend import installation
from ui.i18n import Texts

HERE = Path(__file__).parent
LONG_SIDE = 2600
"""A larger picture is sent reduced; boxes and the place under the pointer stay in original pixels."""
SMALL = 2 * 2**20
"""A stored file up to this many bytes is sent as it is, so that every pixel is the one that was measured."""



def read(*names: str) -> str:
    """Files beside this one as one script or sheet: the viewer and the drawing field share their stage."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


_viewer = st.components.v2.component(
    "kenpin_viewer", html=read("viewer.html"), css=read("viewer.css"), js=read("stage.js", "viewer.js"))

_pictures = st.components.v2.component("kenpin_pictures", js=read("pictures.js"), isolate_styles=False)


@dataclass(frozen=True)
class Mark:
    """Something to draw, in pixels of the original upload."""

    box: Box
    label: str = ""
    tone: str = "step"
    """`finding` (counts towards the verdict), `step` (what a step looked at), `frame` (the part that a view shows), or
    what a reviewer made of a finding: `accepted`, `corrected`, `refuted` (a false alarm), `missed` (added)."""
    outline: tuple[tuple[int, int], ...] = ()
    line: tuple[tuple[float, float], ...] = ()

    def data(self) -> dict[str, Any]:
        return {"box": self.box, "label": self.label, "tone": self.tone, "outline": self.outline, "line": self.line}


def load_stored(sha256: str) -> None:
    """Bring a stored picture to the browser. Sent once as long as it is called at the same place of the page."""
    _pictures(key=f"picture-{sha256[:16]}", data={"name": sha256, "src": _stored(sha256)})


def load_pixels(pixels: RgbImage, *, name: str) -> None:
    """Bring (H, W, 3) uint8 RGB that is not stored yet to the browser; `name` tells one picture from the next."""
    _pictures(key=f"picture-{name[:16]}", data={"name": name, "src": _encoded(name, pixels)})


def show(name: str, *, size: tuple[int, int], marks: Sequence[Mark] = (), t: Texts, alt: str, key: str) -> None:
    """Show a picture that was loaded under `name` (its sha256 if it is stored), `size` (width, height), with marks."""
    words = {word: t.raw(f"viewer.{word}") for word in ("in", "out", "fit", "toggle")}
    _viewer(key=key, data={"key": name, "width": size[0], "height": size[1], "alt": alt, "words": words,
                           "marks": [mark.data() for mark in marks]})


def _read_stored(sha256: str) -> str:
    pictures = installation().pictures
    data = pictures.read_file(sha256)
    return _data_url(data) if len(data) <= SMALL else _jpeg(pictures.get(sha256))


def _encode(name: str, _pixels: RgbImage) -> str:
    return _jpeg(_pixels)


def _jpeg(pixels: RgbImage) -> str:
    height, width = pixels.shape[:2]
    shrink = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if shrink < 1 else np.ascontiguousarray(pixels)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return _data_url(data.tobytes())


def _data_url(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


_stored: Callable[[str], str] = st.cache_data(max_entries=12, show_spinner=False)(_read_stored)
_encoded: Callable[[str, RgbImage], str] = st.cache_data(max_entries=4, show_spinner=False)(_encode)
