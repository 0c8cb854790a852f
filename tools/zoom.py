"""Enlarge a region of a view."""

import math
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from kenpin.contracts.view import Box, Matrix3, RgbImage, ViewKind
from tools.crop import clip_note, shown
from tools.spec import NewView, OnView, Report, Tool, ToolResult, Workbench, patch

USUAL_SIDE = 768
"""Longer side of a zoom whose factor was not given, px."""
MOST_PIXELS = 16_000_000
"""A zoom never grows beyond this, so that a large region of a large picture stays within memory."""


class ZoomArgs(OnView):
    """What to enlarge, and how far."""

    box: Annotated[Box, Field(description="[x0, y0, x1, y1] in pixels of the original: the region to enlarge.")]
    factor: Annotated[float | None, Field(ge=1, le=16, description=(
        "How many times larger; null enlarges until the longer side is about 768 px, at least twice."))] = None


class ZoomResult(ToolResult):
    """What the new view shows, and how much larger."""

    box: Box
    """Original pixels."""
    factor: float
    """Pixels of the new view per pixel of the view that it was made from."""
    width: int
    """Of the new view, px."""
    height: int
    note: str = ""


def enlarge(pixels: RgbImage, factor: float | None = None) -> tuple[RgbImage, Matrix3]:
    """Enlarge a picture.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        factor: Wished enlargement; None for a longer side of about `USUAL_SIDE`, between 2 and 16 times.
    Returns:
        The enlarged picture, at most `MOST_PIXELS` unless the input is larger, and the exact homography from its
        pixels to those of `pixels` (corner of a pixel to corner of a pixel).
    Source: cubic convolution (OpenCV INTER_CUBIC).
    """
    height, width = pixels.shape[:2]
    wished = factor if factor is not None else min(max(USUAL_SIDE / max(height, width), 2.0), 16.0)
    step = max(1.0, min(wished, math.sqrt(MOST_PIXELS / (height * width))))
    size = (max(1, round(width * step)), max(1, round(height * step)))
    large = pixels.copy() if size == (width, height) else cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
    # Sizes are whole pixels, so the two steps may differ from `step` by a rounding; the transform says the true ones.
    matrix = ((width / size[0], 0.0, 0.0), (0.0, height / size[1], 0.0), (0.0, 0.0, 1.0))
    return np.asarray(large, dtype=np.uint8), matrix


def run(bench: Workbench, args: ZoomArgs) -> Report:
    """Make an enlarged view of the box."""
    part = patch(bench, args)
    pixels, local = enlarge(part.pixels, args.factor)
    height, width = pixels.shape[:2]
    (sx, _, _), (_, sy, _), _ = local
    dx, dy = part.offset
    box, factor = shown(part), width / part.pixels.shape[1]
    notes = [clip_note(part, args.box)]
    if args.factor is not None and factor < args.factor - 0.01:
        notes.append(f"enlarged {factor:.2f} times only, to keep the view below {MOST_PIXELS // 1_000_000} megapixels")
    result = ZoomResult(box=box, factor=round(factor, 4), width=width, height=height,
                        note="; ".join(filter(None, notes)))
    made = NewView(pixels=pixels, kind=ViewKind.ZOOM, parent=part.view,
                   to_parent=((sx, 0.0, float(dx)), (0.0, sy, float(dy)), (0.0, 0.0, 1.0)))
    return Report(result=result, boxes=(box,), made=made)


TOOL = Tool(
    name="zoom",
    description=("Enlarges a region of a view and makes it a new view, so that small things can be seen, read or "
                 "searched. Needs `box`; `factor` 1 to 16. It adds no detail; boxes found on it still refer to the "
                 "original. Returns the box and the factor."),
    args=ZoomArgs, run=run, version="1")
