"""A description of a cut-out by the form of its marks: no weights, no download.

The cut-out's own border is taken as its background, so the description says what differs from it: ridges and blobs of
each polarity and size, the form of the marks, contrast, softness.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import RgbImage

WORKING_SIDE = 96
SCALES = (1.2, 2.4, 4.8, 9.6)
"""Widths (sigma, px of the working copy) at which ridges and blobs are looked for."""

NOISE_FLOOR = 1.5
"""Grey levels; a drawn, noiseless ground would otherwise make everything a mark."""

NOTHING = 1e-6
"""Length of a description below which only rounding is left of it."""

SHAPE_DIM = 16 + 16 + 18 + 3 + 3

Plane = NDArray[np.float32]


def shape_vector(pixels: RgbImage) -> NDArray[np.float32]:
    """(56,) float32 unit vector of a cut-out, (H, W, 3) uint8 RGB of any size. Never written to.

    Source: eigenvalues of the Hessian in scale space (Lindeberg 1998; Frangi et al. 1998), form factors of components.
    """
    height, width = pixels.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    size = (max(12, round(width * scale)), max(12, round(height * scale)))
    work = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    lab = np.asarray(cv2.cvtColor(work, cv2.COLOR_RGB2LAB), dtype=np.float32)
    ring = ring_of(lab.shape[:2])
    centre = centre_weights(lab.shape[0], lab.shape[1], sigma=0.3)
    relief, noise = _relief(lab[..., 0], ring)
    weighted, peaks = _marks(relief, centre)
    contrast = [float((lab[..., c] * centre).sum() - lab[..., c][ring].mean()) / 40 for c in range(3)]
    edge = cv2.magnitude(cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1))
    overall = [float((np.abs(relief) * centre).sum()) / noise / 6,
               2 * float(np.quantile(edge, 0.98)) / (float(np.ptp(relief)) + 1e-3),
               abs(float(np.log(width / height))) / 1.5]
    blocks = (_unit(np.sqrt(weighted)), 0.6 * _unit(np.sqrt(peaks)), np.array(_forms(relief / noise, centre)) / 2.5,
              0.5 * np.tanh(contrast), 0.5 * np.tanh(overall))
    vector = np.concatenate(blocks)
    if float(np.linalg.norm(vector)) < NOTHING:
        vector = np.eye(1, SHAPE_DIM)[0]  # a plain picture, which has no marks, still needs a direction
    return np.asarray(_unit(vector), dtype=np.float32)


@lru_cache(maxsize=256)
def centre_weights(height: int, width: int, *, sigma: float) -> NDArray[np.float64]:
    """(height, width) weights that sum to 1 and fall off from the centre, read only; `sigma`: share of a side."""
    y = (np.arange(height) + 0.5) / height - 0.5
    x = (np.arange(width) + 0.5) / width - 0.5
    weights = np.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    weights.flags.writeable = False
    return np.asarray(weights, dtype=np.float64)


def _unit(vector: NDArray[np.floating]) -> NDArray[np.floating]:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else vector


def ring_of(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The outermost tenth of a cut-out."""
    width = max(2, round(0.1 * min(shape)))
    ring = np.ones(shape, dtype=np.bool_)
    ring[width:-width, width:-width] = False
    return ring


def border_plane(values: Plane, ring: NDArray[np.bool_]) -> Plane:
    """The plane that fits `values` best on the border, (H, W)."""
    y, x = np.mgrid[:values.shape[0], :values.shape[1]]
    terms = np.stack([x / values.shape[1], y / values.shape[0], np.ones(values.shape)], axis=-1)
    plane, *_ = np.linalg.lstsq(terms[ring], values[ring], rcond=None)
    return np.asarray(terms @ plane, dtype=np.float32)


def _relief(lightness: Plane, ring: NDArray[np.bool_]) -> tuple[Plane, float]:
    """Lightness over a plane through the border, and the noise of the border in grey levels."""
    smooth = cv2.GaussianBlur(lightness, (0, 0), 1.0)
    relief = np.asarray(smooth - border_plane(smooth, ring), dtype=np.float32)
    return relief, 1.4826 * float(np.median(np.abs(relief[ring]))) + NOISE_FLOOR


def _marks(relief: Plane, centre: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean at the centre and peak of dark ridges, bright ridges, dark blobs and bright blobs, at each scale."""
    means, peaks = [], []
    for scale in SCALES:
        smooth = cv2.GaussianBlur(relief, (0, 0), scale)
        dxx, dyy, dxy = (scale**2 * cv2.Sobel(smooth, cv2.CV_32F, i, j, ksize=3) for i, j in ((2, 0), (0, 2), (1, 1)))
        spread, mean = np.sqrt((dxx - dyy) ** 2 / 4 + dxy**2), (dxx + dyy) / 2
        upper, lower = mean + spread, mean - spread
        strong = np.where(np.abs(upper) > np.abs(lower), upper, lower)
        weak = np.abs(np.where(np.abs(upper) > np.abs(lower), lower, upper))
        responses = (strong - weak, -strong - weak, np.minimum(upper, lower), -np.maximum(upper, lower))
        for response in responses:
            kept = np.clip(response, 0, None)
            means.append(float((kept * centre).sum()))
            peaks.append(float(np.quantile(kept, 0.98)))
    return np.array(means), np.array(peaks)


def _forms(z: Plane, centre: NDArray[np.float64]) -> list[float]:
    """Six form factors of what is darker, brighter, or either, than three sigma of the border."""
    forms: list[float] = []
    for mask in (z < -3, z > 3, np.abs(z) > 3):
        forms += _form(mask, centre)
    return forms


def _form(mask: NDArray[np.bool_], centre: NDArray[np.float64]) -> list[float]:
    """Share, elongation, roundness, solidity, size and number; of the component that weighs most at the centre."""
    count, labels, _, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return [0.0] * 6
    weight = np.bincount(labels.ravel(), weights=centre.ravel(), minlength=count)
    chosen = labels == 1 + int(np.argmax(weight[1:]))
    points = np.argwhere(chosen).astype(np.float64)
    area = len(points)
    spread = np.linalg.eigvalsh(np.cov(points.T) + 0.1 * np.eye(2)) if area > 2 else np.ones(2)
    contours, _ = cv2.findContours(chosen.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)
    perimeter = cv2.arcLength(outline, True) + 1
    roundness = min(1.0, 4 * np.pi * area / perimeter**2)
    solid = area / max(area, cv2.contourArea(cv2.convexHull(outline)) + 1)
    return [float(np.sqrt(mask.mean())), 1 - float(np.sqrt(spread[0] / spread[1])), roundness, solid,
            float(np.sqrt(area / mask.size)), min(1.0, float(np.log1p(count)) / 4)]
