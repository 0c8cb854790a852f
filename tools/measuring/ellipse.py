"""Ellipse fitted to a sub-pixel contour."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from kenpin.contracts.view import Points

MOST_POINTS = 720
"""More points of a contour than this add nothing to five parameters."""


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the plane that its points were given in."""

    centre: NDArray[np.float64]
    major: float
    """Whole long axis."""
    minor: float
    """Whole short axis."""
    axis: NDArray[np.float64]
    """(2,) unit vector of the long axis."""
    scatter: float
    """Root mean square distance of the points from it, without those far off."""

    @property
    def ends(self) -> Points:
        """(4, 2): the two ends of the long axis, then of the short one."""
        across = np.array([-self.axis[1], self.axis[0]])
        a, b = self.major / 2 * self.axis, self.minor / 2 * across
        return np.array([self.centre - a, self.centre + a, self.centre - b, self.centre + b])


def fit_ellipse(points: Points) -> Ellipse | None:
    """Ellipse through (N, 2) points; single points far off do not move it. None below six points or for no ellipse.

    Source: direct least squares (Fitzgibbon, Pilu, Fisher 1999, OpenCV fitEllipseDirect) as start, then the distance to
        first order (Sampson 1982) with a soft L1 loss.
    """
    if len(points) < 6:
        return None
    some = points[:: max(1, len(points) // MOST_POINTS)]
    middle = some.mean(axis=0)
    (cx, cy), (d1, d2), turn = cv2.fitEllipseDirect((some - middle).astype(np.float32))
    start = np.array([cx, cy, d1 / 2, d2 / 2, np.radians(turn)])
    if not np.isfinite(start).all() or min(d1, d2) < 1.0:
        return None
    fit = least_squares(_away, start, args=(some - middle,), loss="soft_l1", f_scale=0.3, max_nfev=60)
    cx, cy, a, b, angle = (float(v) for v in fit.x)
    a, b = abs(a), abs(b)
    if b > a:
        a, b, angle = b, a, angle + np.pi / 2
    away = np.abs(_away(fit.x, points - middle))
    calm = away <= max(3 * float(np.median(away)) * 1.4826, 0.1)
    return Ellipse(np.array([cx, cy]) + middle, 2 * a, 2 * b, np.array([np.cos(angle), np.sin(angle)]),
                   float(np.sqrt(np.mean(away[calm] ** 2))))


def _away(p: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    """(N,) signed distance from an ellipse (cx, cy, half axes, angle), to first order."""
    c, s = np.cos(p[4]), np.sin(p[4])
    x, y = points[:, 0] - p[0], points[:, 1] - p[1]
    u, v = (x * c + y * s) / p[2], (y * c - x * s) / p[3]
    level = np.hypot(u, v)
    slope = np.hypot(u / p[2], v / p[3])
    return np.asarray(level * (level - 1) / np.maximum(slope, 1e-9))
