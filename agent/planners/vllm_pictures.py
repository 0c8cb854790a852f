"""Pictures as a request carries them: resized and encoded by ourselves, as data URIs. Nothing is left to a library."""

import base64
from collections.abc import Callable

import cv2
import numpy as np

from agent.planners.frames import Family, sent_size
from kenpin.contracts.view import RgbImage, View

LOSSLESS_PIXELS = 512 * 512
"""Up to this size a picture is sent as PNG, so that close-ups keep every pixel."""
JPEG_QUALITY = 92
KEPT = 64
"""Encoded pictures kept in memory: a dialogue sends the same few with every request."""


class Encoder:
    """Encodes views for one family of models; the same view always gives the same text."""

    def __init__(self, *, family: Family, long_side: int) -> None:
        self.family = family
        self.long_side = long_side
        self._known: dict[tuple[str, int, int], str] = {}

    def size(self, view: View) -> tuple[int, int]:
        """Width and height that the view is sent with."""
        return sent_size(view.width, view.height, long_side=self.long_side, family=self.family)

    def uri(self, view: View, pixels: Callable[[], RgbImage]) -> str:
        """The view as a data URI; its pixels are read only if it was not encoded before."""
        key = (view.sha256, *self.size(view))
        if key not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = data_uri(pixels(), width=key[1], height=key[2])
        return self._known[key]


def data_uri(pixels: RgbImage, *, width: int, height: int) -> str:
    """Resize and encode a picture.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        width: Of the encoded picture.
        height: Of the encoded picture.
    Source: area averaging to shrink, cubic convolution to enlarge (OpenCV).
    """
    if pixels.shape[:2] != (height, width):
        shrinks = width * height < pixels.shape[0] * pixels.shape[1]
        pixels = np.asarray(cv2.resize(pixels, (width, height),
                                       interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), dtype=np.uint8)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if width * height <= LOSSLESS_PIXELS:
        kind, (_, encoded) = "png", cv2.imencode(".png", bgr)
    else:
        kind, (_, encoded) = "jpeg", cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"
