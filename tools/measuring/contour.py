"""Sub-pixel contour of a compact shape."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from kenpin.contracts.view import Mask, Points
from tools.measuring.edges import crossings
from tools.measuring.lines import MAD_TO_SIGMA
from tools.measuring.segment import Thing

THIN = 8.0
"""Shapes narrower than this show no level of their own on a profile: the level of the whole shape is used."""

SMOOTHING = 0.8
"""Gaussian along the contour, points."""
QUARTILES = 1.349
"""Distance between the 25 % and the 75 % point of a normal distribution, sigmas."""
USUAL_SIGMA = 0.8
"""Blur of a sharp picture, px."""
MOST_BLUR = 5.0
"""Softer edges than this are not corrected any further, px from 25 % to 75 %."""


@dataclass(frozen=True)
class Contour:
    """Closed contour in window coordinates."""

    points: Points
    """(N, 2), about one a pixel."""
    normals: Points
    """(N, 2) unit vectors, inwards."""
    scatter: float
    """How far single edge points lie from the smooth contour (one sigma), px."""
    blur: float
    """Distance over which the edge goes from 25 % to 75 % of its step, px."""
    plain: Points
    """(N, 2) the same points where half height lies, bends not made up for: right for straight sides."""
    found: float
    """Share of the contour where an edge was found."""

    @property
    def sigma(self) -> float:
        """Blur of the edge as the sigma of a Gaussian, px."""
        return _sigma(self.blur)


def _sigma(blur: float) -> float:
    return min(blur, MOST_BLUR) / QUARTILES if np.isfinite(blur) else USUAL_SIGMA


def outline(mask: Mask) -> Points:
    """(N, 2) outer contour of the largest part of a mask in continuous pixels, on the border between pixels."""
    contours, _ = cv2.findContours(np.pad(mask, 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(contours, key=cv2.contourArea) if contours else np.zeros((1, 1, 2))
    return np.asarray(longest, dtype=np.float64).reshape(-1, 2) - 0.5


def contour(thing: Thing) -> Contour | None:
    """Move the pixel contour of a thing to the half-height edge; None if the shape is a few pixels only.

    Source: half-height crossings along the normals of the smoothed pixel contour, outliers replaced by neighbours.
    """
    start = outline(thing.mask)
    if len(start) < 8:
        return None
    width = 2 * float(cv2.distanceTransform(np.pad(thing.mask, 1).astype(np.uint8), cv2.DIST_L2, 3).max())
    sigma = min(1.5, len(start) / 16)
    points = _spaced(gaussian_filter1d(start, sigma, axis=0, mode="wrap"))
    reach = float(np.clip(0.4 * width, 2.0, 6.0))
    levels = (0.0, thing.contrast) if width < THIN else None
    offsets, blur, found = np.zeros(len(points)), 1.0, 1.0
    for _ in range(2):
        normals = inward(points)
        edge = crossings(thing.relief.height, points, normals, reach=reach, smooth=9, levels=levels)
        if not edge.found.any():
            return None
        found, blur = float(edge.found.mean()), edge.blur
        offsets = _bridged(edge.offsets)
        points = points + median_filter(offsets, size=3, mode="wrap")[:, None] * normals
    normals = inward(points)
    smooth = gaussian_filter1d(points, SMOOTHING, axis=0, mode="wrap")
    bent = smooth + _shrunk(smooth, normals, _sigma(blur))[:, None] * normals
    away = ((points - gaussian_filter1d(points, 3.0, axis=0, mode="wrap")) * normals).sum(axis=1)
    # Corners stand out too; they are no scatter.
    scatter = MAD_TO_SIGMA * float(np.median(np.abs(away - np.median(away))))
    return Contour(points=bent, normals=normals, scatter=scatter, blur=blur, plain=smooth, found=found)


def _shrunk(points: Points, normals: Points, sigma: float) -> NDArray[np.float64]:
    """(N,) how far blur has drawn a bent edge to its inside (negative: moved outwards again), px along the normals.

    The half height of a step blurred by sigma lies sigma^2 / 2 times the curvature on the hollow side of the edge, and
    smoothing the contour adds its own.

    Source: first-order term of Verbeek and van Vliet 1993, On the location error of curved edges in low-pass filtered
        2-D and 3-D images.
    """
    reach = float(np.clip(len(points) / 20, 2.0, 3.0))
    slope = gaussian_filter1d(points, reach, axis=0, order=1, mode="wrap")
    bend = gaussian_filter1d(points, reach, axis=0, order=2, mode="wrap")
    speed = np.maximum((slope**2).sum(axis=1), 1e-6)
    curvature = (bend * normals).sum(axis=1) / speed
    shift = 0.5 * curvature * (sigma**2 + SMOOTHING**2)
    return np.asarray(-np.clip(shift, -0.5 * sigma, 0.5 * sigma), dtype=np.float64)


def inward(points: Points) -> Points:
    """(N, 2) unit normals of a closed contour, pointing to its inside."""
    ahead = gaussian_filter1d(np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0), 1.5, axis=0, mode="wrap")
    length = np.linalg.norm(ahead, axis=1, keepdims=True)
    direction = ahead / np.where(length < 1e-9, 1.0, length)
    normals = np.column_stack([-direction[:, 1], direction[:, 0]])
    x, y = points[:, 0], points[:, 1]
    clockwise = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) > 0
    return normals if clockwise else -normals


def _spaced(points: Points) -> Points:
    """The same closed curve with points about one pixel apart."""
    closed = np.vstack([points, points[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    count = max(12, round(length[-1]))
    at = np.linspace(0, length[-1], count, endpoint=False)
    return np.column_stack([np.interp(at, length, closed[:, 0]), np.interp(at, length, closed[:, 1])])


def _bridged(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets with gaps and jumps replaced by what lies between their neighbours."""
    found = np.isfinite(offsets)
    places = np.arange(len(offsets))
    whole = np.interp(places, places[found], offsets[found], period=len(offsets))
    calm = median_filter(whole, size=9, mode="wrap")
    spread = 1.4826 * float(np.median(np.abs(whole - calm)))
    return np.where(np.abs(whole - calm) > 4 * max(spread, 0.1), calm, whole)
