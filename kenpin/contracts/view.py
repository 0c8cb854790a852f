"""Views: pictures that know their place on the original upload.

Coordinates are continuous pixels: pixel column i spans [i, i + 1), origin top left, x to the right, y down.
A box is (x0, y0, x1, y1) with x1 and y1 exclusive.
"""

import math
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict

RgbImage = NDArray[np.uint8]
"""(H, W, 3) uint8, channel order R, G, B."""

GrayImage = NDArray[np.uint8]
"""(H, W) uint8."""

Mask = NDArray[np.bool_]
"""(H, W) bool, True where something is."""

Points = NDArray[np.float64]
"""(N, 2) float64, columns x, y."""


def _ordered(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"expected x0 < x1 and y0 < y1, got {list(box)}")
    return box


Box = Annotated[tuple[int, int, int, int], AfterValidator(_ordered)]
"""x0, y0, x1, y1 in pixels of the original upload unless said otherwise."""

Matrix3 = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
IDENTITY: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class ViewKind(StrEnum):
    """How a view came to be."""

    UPLOAD = "upload"
    CROP = "crop"
    ZOOM = "zoom"
    ENHANCE = "enhance"
    ALIGN = "align"


class Role(StrEnum):
    """What an uploaded picture is for."""

    SUBJECT = "subject"
    REFERENCE = "reference"
    GOOD = "good"


class View(BaseModel):
    """One picture and the way back to the upload that it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """`v0` is the subject as uploaded."""
    source: str
    """Id of the upload that boxes refer to."""
    parent: str | None = None
    kind: ViewKind
    role: Role = Role.SUBJECT
    """Role of the source upload."""
    sha256: str
    """Of the stored picture file."""
    width: int
    height: int
    to_source: Matrix3 = IDENTITY
    """Homography from this view's pixels to the source's pixels."""
    altered: bool = False
    """True if pixel values were changed, by this step or by one before it."""

    def points_to_source(self, points: Points) -> Points:
        """Map (N, 2) points of this view to pixels of the source upload."""
        return apply_homography(np.asarray(self.to_source, dtype=np.float64), points)

    def points_from_source(self, points: Points) -> Points:
        """Map (N, 2) points of the source upload to pixels of this view."""
        return apply_homography(np.linalg.inv(np.asarray(self.to_source, dtype=np.float64)), points)

    def box_to_source(self, box: Box) -> Box:
        """Smallest integer box of the source that contains a box of this view."""
        return enclosing(self.points_to_source(corners(box)))

    def box_from_source(self, box: Box) -> Box | None:
        """The part of a source box that this view shows, in this view's pixels; None if it shows nothing of it."""
        return clip(enclosing(self.points_from_source(corners(box))), self.width, self.height)

    def place(self) -> Box:
        """The part of the source that this view shows, in source pixels."""
        return self.box_to_source((0, 0, self.width, self.height))


def corners(box: Box) -> Points:
    """The four corners of a box as (4, 2) points, clockwise from the top left."""
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def enclosing(points: Points) -> Box:
    """Smallest integer box around (N, 2) points. Rounding noise below a thousandth of a pixel does not grow it."""
    low, high = points.min(axis=0) + 1e-3, points.max(axis=0) - 1e-3
    x0, y0 = math.floor(low[0]), math.floor(low[1])
    return (x0, y0, max(math.ceil(high[0]), x0 + 1), max(math.ceil(high[1]), y0 + 1))


def clip(box: Box, width: int, height: int) -> Box | None:
    """The part of a box inside a picture of this size, or None if they do not meet."""
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def apply_homography(matrix: NDArray[np.float64], points: Points) -> Points:
    """Map (N, 2) points by a (3, 3) homography."""
    flat = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    mapped = np.column_stack([flat, np.ones(len(flat))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:3], dtype=np.float64)


def compose(parent: Matrix3, child: Matrix3) -> Matrix3:
    """Homography that first applies `child` (view to parent) and then `parent` (parent to source)."""
    product = np.asarray(parent) @ np.asarray(child)
    product = product / product[2, 2]
    rows = [tuple(float(v) for v in row) for row in product]
    return (rows[0], rows[1], rows[2])  # type: ignore[return-value]


def window(x0: float, y0: float, step: float = 1.0) -> Matrix3:
    """Homography from a window to its parent: its top left corner, and parent pixels per window pixel."""
    return ((step, 0.0, x0), (0.0, step, y0), (0.0, 0.0, 1.0))
