"""One orientation for a picture and its mirrored and quarter-turned copies, so that all of them are counted alike."""

from dataclasses import dataclass

import numpy as np

from kenpin.contracts.view import Box, Points, RgbImage, enclosing


@dataclass(frozen=True)
class Upright:
    """How a picture was laid: mirrored left to right, mirrored top to bottom, then transposed."""

    width: int
    """Of the picture before, px."""
    height: int
    across: bool
    down: bool
    swapped: bool

    def forth(self, points: Points) -> Points:
        """(N, 2) points of the picture, corner of a pixel to corner of a pixel, in the upright one."""
        out = np.array(points, dtype=np.float64)
        if self.across:
            out[:, 0] = self.width - out[:, 0]
        if self.down:
            out[:, 1] = self.height - out[:, 1]
        return out[:, ::-1] if self.swapped else out

    def back(self, points: Points) -> Points:
        """(N, 2) points of the upright picture in the one before."""
        out = np.array(points[:, ::-1] if self.swapped else points, dtype=np.float64)
        if self.across:
            out[:, 0] = self.width - out[:, 0]
        if self.down:
            out[:, 1] = self.height - out[:, 1]
        return out

    def box_forth(self, box: Box) -> Box:
        """A box of the picture in the upright one."""
        return enclosing(self.forth(np.array([box[:2], box[2:]], dtype=np.float64)))


def upright(pixels: RgbImage) -> tuple[RgbImage, Upright]:
    """Lay a picture so that its right and lower halves are the brighter ones and it is not higher than wide.

    The moments are sums of whole numbers, so a mirrored or turned copy comes out the same to the bit unless the picture
    is as bright on both sides, which a photograph never is.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
    """
    height, width = pixels.shape[:2]
    columns = pixels.sum(axis=(0, 2), dtype=np.int64)
    rows = pixels.sum(axis=(1, 2), dtype=np.int64)
    right = int((columns * (2 * np.arange(width) - width + 1)).sum())
    lower = int((rows * (2 * np.arange(height) - height + 1)).sum())
    swapped = height > width or (height == width and abs(lower) > abs(right))
    laid = Upright(width=width, height=height, across=right < 0, down=lower < 0, swapped=swapped)
    seen = pixels[:, ::-1] if laid.across else pixels
    seen = seen[::-1] if laid.down else seen
    return np.ascontiguousarray(seen.transpose(1, 0, 2) if swapped else seen), laid
