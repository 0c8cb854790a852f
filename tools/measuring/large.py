"""Things in windows of tens of megapixels: found on a reduced copy, outlined on the full picture."""

import cv2
import numpy as np

from kenpin.contracts.view import Mask, RgbImage
from tools.measuring.relief import Channel, Relief
from tools.measuring.segment import Rank, Thing, segment

MOST_AREA = 6_000_000
"""Larger windows are reduced to this for finding the thing, px: floats of three channels then take 70 MB each."""
STRIPE = 256
"""Rows of the full picture that are turned into one channel at a time."""


def segment_any(pixels: RgbImage, inside: Mask, around: Mask, *, thin: bool = False,
                rank: Rank | None = None) -> Thing | None:
    """As `segment`, with memory in bounds: on large windows the mask comes from a reduced copy.

    The mask is then right to a few pixels only, which is enough for the edge to be looked for along its normals; the
    channel is that of the full picture.
    """
    shrink = float(np.sqrt(MOST_AREA / max(inside.size, 1)))
    if shrink >= 1:
        return segment(pixels, inside, around, thin=thin, rank=rank)
    size = (max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    thing = segment(small, _resized(inside, size), _resized(around, size), thin=thin, rank=rank)
    if thing is None:
        return None
    full = (pixels.shape[1], pixels.shape[0])
    # Averaging has taken noise away that the full picture has.
    relief = Relief(_channel(pixels, small, thing.relief), thing.relief.noise / shrink, thing.relief.axis)
    return Thing(_resized(thing.mask, full), _resized(thing.holes, full), relief, thing.contrast, thing.rivals)


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) > 127)


def _channel(pixels: RgbImage, small: RgbImage, relief: Relief) -> Channel:
    """The channel of a relief on the full picture: same colour axis, same plane taken off."""
    axis = np.array(relief.axis, dtype=np.float32)
    rows, columns = relief.height.shape
    corners = [(0, 0), (0, columns - 1), (rows - 1, 0)]
    origin, right, down = (float(small[at].astype(np.float32) @ axis - relief.height[at]) for at in corners)
    height, width = pixels.shape[:2]
    x = ((np.arange(width) + 0.5) * columns / width - 0.5).astype(np.float32) / max(columns - 1, 1)
    y = ((np.arange(height) + 0.5) * rows / height - 0.5).astype(np.float32) / max(rows - 1, 1)
    channel = np.empty((height, width), dtype=np.float32)
    for top in range(0, height, STRIPE):
        part = slice(top, min(top + STRIPE, height))
        plane = origin + (right - origin) * x[None] + (down - origin) * y[part, None]
        channel[part] = pixels[part].astype(np.float32) @ axis - plane
    return channel
