"""Draws evidence: boxes, outlines and measured lines on a copy of a picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from kenpin.contracts.view import Box, RgbImage

HALO = (16, 16, 16)
SIGNAL = (255, 64, 48)
LONG_SIDE = 1280
"""Evidence of a larger picture is drawn on a reduced copy; the boxes in the trace stay in original pixels."""


def draw_boxes(pixels: RgbImage, boxes: Sequence[Box], *, labels: Sequence[str] = ()) -> RgbImage:
    """Draw boxes with a dark halo, so that they are seen on any surface.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        boxes: In pixels of `pixels`.
        labels: A short text for each box, or none.
    Returns:
        (h, w, 3) uint8 RGB, at most `LONG_SIDE` on the longer side.
    """
    height, width = pixels.shape[:2]
    shrink = min(1.0, LONG_SIDE / max(height, width))
    canvas = pixels.copy()
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        canvas = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    line = max(1, round(max(canvas.shape[:2]) / 500))
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        margin = 2 * line
        low = (round(x0 * shrink) - margin, round(y0 * shrink) - margin)
        high = (round(x1 * shrink) + margin, round(y1 * shrink) + margin)
        cv2.rectangle(canvas, low, high, HALO, line + 2)
        cv2.rectangle(canvas, low, high, SIGNAL, line)
        if i < len(labels) and labels[i].isascii():
            _label(canvas, labels[i], (max(low[0], 2), max(low[1] - 2 * line, 12)), line)
    return canvas


def _label(canvas: RgbImage, text: str, at: tuple[int, int], line: int) -> None:
    size = 0.45 * max(line, 1)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, HALO, line + 2, cv2.LINE_AA)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, SIGNAL, line, cv2.LINE_AA)
