"""Sub-pixel edges: where the brightness along a normal crosses the middle between its two sides."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points

STEP = 0.25
"""Distance of samples along a normal, px."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Crossings:
    """Edge points found along normals."""

    points: Points
    """(N, 2); NaN where no edge was found."""
    offsets: Floats
    """(N,) signed distance along the normal from where it was expected, px; NaN where none was found."""
    blur: float
    """Typical distance from 25 % to 75 % of the step, px; NaN without edges."""

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,) True where there is an edge."""
        return np.isfinite(self.offsets)


def sample(image: NDArray[np.float32], points: Points) -> Floats:
    """Bilinear values of (H, W) float32 at points (..., 2) in continuous pixels; the border is repeated outwards."""
    flat = np.asarray(points, dtype=np.float64)
    x = (flat[..., 0] - 0.5).astype(np.float32)
    y = (flat[..., 1] - 0.5).astype(np.float32)
    shape = x.shape
    values = cv2.remap(image, x.reshape(shape[0], -1), y.reshape(shape[0], -1), cv2.INTER_LINEAR,
                       borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, dtype=np.float64).reshape(shape)


def profiles(image: NDArray[np.float32], points: Points, normals: Points, reach: float) -> tuple[Floats, Floats]:
    """Brightness along normals.

    Args:
        image: (H, W) float32.
        points: (N, 2) where the edge is expected.
        normals: (N, 2) unit vectors.
        reach: How far to look to each side, px.
    Returns:
        (K,) distances from -reach to +reach, and (N, K) values.
    """
    count = 2 * max(2, round(reach / STEP)) + 1
    along = np.linspace(-reach, reach, count)
    places = points[:, None, :] + along[None, :, None] * normals[:, None, :]
    return along, sample(image, places)


def crossings(image: NDArray[np.float32], points: Points, normals: Points, *, reach: float,
              smooth: int = 1, levels: tuple[float, float] | None = None) -> Crossings:
    """Find the edge nearest to each expected point, along its normal.

    Unless given, the levels of both sides are medians of the outer quarters of the profile, smoothed along the contour
    over `smooth` neighbours, so that texture on one side does not move single points.

    Args:
        image: (H, W) float32. Never written to.
        points: (N, 2) in order along the contour.
        normals: (N, 2) unit vectors.
        reach: How far to look to each side, px.
        smooth: Neighbours over which levels are pooled (1 for none).
        levels: Brightness before and after the edge, if both are known (for things too thin to show their own).
    Returns:
        One entry a point; NaN where the profile has no crossing.
    Source: half-height definition of an edge, as ISO 12233 locates edges, by linear interpolation.
    """
    along, values = profiles(image, points, normals, reach)
    quarter = max(1, len(along) // 4)
    if levels is None:
        low = pooled(np.median(values[:, :quarter], axis=1), smooth)
        high = pooled(np.median(values[:, -quarter:], axis=1), smooth)
    else:
        low, high = np.full(len(values), levels[0]), np.full(len(values), levels[1])
    span = np.where(np.abs(high - low) < 1e-6, 1e-6, high - low)
    unit = (values - low[:, None]) / span[:, None]
    offsets = _nearest_crossing(along, unit, 0.5)
    width = _nearest_crossing(along, unit, 0.75) - _nearest_crossing(along, unit, 0.25)
    good = np.isfinite(width)
    blur = float(np.median(np.abs(width[good]))) if good.any() else float("nan")
    return Crossings(points=points + offsets[:, None] * normals, offsets=offsets, blur=blur)


def pooled(values: Floats, size: int) -> Floats:
    """Running median of (N,) values on a closed contour."""
    if size <= 1 or len(values) < size:
        return values
    half = size // 2
    wrapped = np.concatenate([values[-half:], values, values[:half]])
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(wrapped, 2 * half + 1), axis=1))


def _nearest_crossing(along: Floats, unit: Floats, level: float) -> Floats:
    """(N,) place of the rising crossing of `level` that is nearest to 0 on each row; NaN where there is none."""
    rising = (unit[:, :-1] < level) & (unit[:, 1:] >= level)
    step = np.where(rising, unit[:, 1:] - unit[:, :-1], 1.0)
    place = along[None, :-1] + (level - unit[:, :-1]) / step * (along[1] - along[0])
    distance = np.where(rising, np.abs(place), np.inf)
    best = np.argmin(distance, axis=1)
    rows = np.arange(len(unit))
    return np.asarray(np.where(np.isfinite(distance[rows, best]), place[rows, best], np.nan))
