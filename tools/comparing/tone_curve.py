"""What local gain and offset leave over between two lights: one smooth curve of tones, and how sharp the pictures are."""

import cv2
import numpy as np

from kenpin.contracts.view import Mask
from tools.comparing.frames import Field

BINS = 48
DEGREE = 3
"""A polynomial of the third degree follows gamma between one half and two to about two grey levels."""
STIFF = 0.02
"""Weight of the wish that the curve changes nothing, as a share of the pixels."""
BLURS = (0.5, 0.8, 1.1, 1.5, 2.0, 2.8)
"""Blurs tried to make the sharper of two pictures like the other, sigma in px."""
FIRST = 1.0
"""Blur at which sharpness is compared, sigma in px."""
BETTER = 0.92
"""A blur must bring the difference at edges down to this share to be believed."""
TILE, TILES = 128, 6
"""Side and number of the pieces with most edges that the blur is judged on, px."""


GAMMAS = np.exp(np.linspace(-0.6, 0.6, 25))
"""Contrast curves tried; a camera's own settings reach from about 0.6 to 1.7."""
LEVEL = 4.0
"""Grey levels that a bin of tones may lie off the curve."""


def exposed(subject: Field, reference: Field, seen: Mask) -> Field:
    """The reference as the exposure and contrast curve of the subject would show it: one gain and one gamma.

    Two numbers for all tones, so that dark lettering on a bright ground is followed too, while a part that is not there
    any more cannot be explained by them.

    Args:
        subject: (H, W) float32 grey levels.
        reference: (H, W) float32, in the frame of the subject.
        seen: (H, W) bool, where the reference has pixels.
    Source: gain and gamma as a camera's response; truncated squares over bins of tones, tried one gamma at a time.
    """
    inside, a, b = _tones(subject, reference, seen)
    if np.count_nonzero(inside) < 200:
        return reference
    x, y, weight = _medians(b[inside], a[inside])
    if len(x) < 4:
        return reference
    best, least = (1.0, 1.0), float("inf")
    for gamma in GAMMAS:
        base = 255 * (np.maximum(x, 1) / 255) ** gamma
        for gain in np.unique(np.round(y / base, 2)):
            rest = np.minimum(gain * base, 255) - y
            cost = float((weight * np.minimum((rest / LEVEL) ** 2, 9)).sum() / weight.sum()) + 0.2 * abs(np.log(gamma))
            if cost < least:
                best, least = (float(gain), float(gamma)), cost
    gain, gamma = best
    levels = np.arange(0, 256, dtype=np.float64)
    return np.interp(reference, levels, gain * 255 * (levels / 255) ** gamma).astype(np.float32)


def _tones(subject: Field, reference: Field, seen: Mask) -> tuple[Mask, Field, Field]:
    """Both pictures thinned out, and where they show tones that are neither black nor saturated."""
    step = max(1, max(subject.shape) // 400)
    a, b = (cv2.blur(f, (step, step))[::step, ::step] for f in (subject, reference))
    return seen[::step, ::step] & (a > 3) & (a < 252), a, b


def curved(subject: Field, reference: Field, seen: Mask) -> Field:
    """Apply the curve of tones that takes a reference to an aligned subject most places.

    A curve of few parameters cannot explain a part away that has tones of its own, as a histogram match would.

    Args:
        subject: (H, W) float32 grey levels.
        reference: (H, W) float32, in the frame of the subject, light matched by gain and offset.
        seen: (H, W) bool, where the reference has pixels.
    Source: radiometric response as a polynomial (Mitsunaga & Nayar 1999), fitted to bin medians by reweighting
        (Tukey's biweight).
    """
    inside, a, b = _tones(subject, reference, seen)
    if np.count_nonzero(inside) < 200:
        return reference
    x, y, weight = _medians(b[inside], a[inside])
    if len(x) < 4:
        return reference
    lever = _powers(x)
    trust, factors = weight, np.zeros(DEGREE + 1)
    for _ in range(6):
        normal = lever.T @ (trust[:, None] * lever) + STIFF * weight.sum() * np.diag((0.02, 0.2, 0.5, 1.0))
        factors = np.linalg.solve(normal, lever.T @ (trust * (y - x)))
        rest = y - x - lever @ factors
        limit = 4 * max(1.4826 * float(np.average(np.abs(rest), weights=weight)), 1.5)
        trust = weight * np.clip(1 - (rest / limit) ** 2, 0, 1) ** 2
    tones = np.arange(-64, 321, dtype=np.float64)
    curve = np.maximum.accumulate(tones + _powers(np.clip(tones, x.min(), x.max())) @ factors)
    return np.interp(reference, tones, curve).astype(np.float32)


def _powers(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    u = (np.asarray(x, np.float64) - 128) / 128
    return np.stack([u**k for k in range(DEGREE + 1)], axis=1)


def _medians(x: np.ndarray[tuple[int], np.dtype[np.float32]], y: np.ndarray[tuple[int], np.dtype[np.float32]]) \
        -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Median of both in bins of `x`, and how many pixels stand behind each."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    edges = np.searchsorted(x, np.linspace(float(x[0]), float(x[-1]) + 1e-3, BINS + 1))
    bins = [(np.median(x[i:j]), np.median(y[i:j]), j - i) for i, j in zip(edges, edges[1:], strict=False)
            if j - i >= max(8, len(x) // 2000)]
    found = np.array(bins, np.float64).reshape(-1, 3)
    return found[:, 0], found[:, 1], np.sqrt(found[:, 2])


def blurs(subject: Field, reference: Field, seen: Mask) -> tuple[float, float]:
    """How much the subject and the reference must be blurred to be equally sharp, sigma in px; one of them is 0.

    Args:
        subject: (H, W) float32 grey levels.
        reference: (H, W) float32, in the frame and light of the subject.
        seen: (H, W) bool.
    """
    pieces = _pieces(reference, seen)
    if not pieces:
        return 0.0, 0.0
    pairs = [(subject[p], reference[p], seen[p]) for p in pieces]

    def apart(of_subject: float, of_reference: float) -> float:
        # Both softened first, or a blur would win by what it takes out of the noise.
        return sum(_apart(_soft(a, float(np.hypot(FIRST, of_subject))), _soft(b, float(np.hypot(FIRST, of_reference))),
                          inside) for a, b, inside in pairs)

    best, least = (0.0, 0.0), BETTER * apart(0.0, 0.0)
    for first in (True, False):
        for blur in BLURS:
            pair = (blur, 0.0) if first else (0.0, blur)
            rest = apart(*pair)
            if rest < least:
                best, least = pair, rest
            elif rest > 1.2 * least:
                break
    return best


def _soft(field: Field, blur: float) -> Field:
    return field if blur == 0 else np.asarray(cv2.GaussianBlur(field, (0, 0), blur), np.float32)


def _apart(a: Field, b: Field, inside: Mask) -> float:
    """Difference at edges: what is left of smooth areas is light or a defect, and noise is everywhere."""
    edge = cv2.magnitude(cv2.Sobel(b, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(b, cv2.CV_32F, 0, 1, scale=0.125))
    weight = np.minimum(edge, 30.0) * inside
    return float((weight * np.minimum(np.abs(a - b), 25.0)).sum() / (float(weight.sum()) + 1e-6))


def _pieces(reference: Field, seen: Mask) -> list[tuple[slice, slice]]:
    """The tiles with most edges."""
    height, width = reference.shape
    tile = min(TILE, height, width)
    corners = [(y, x) for y in range(0, height - tile + 1, tile) for x in range(0, width - tile + 1, tile)]
    edge = cv2.morphologyEx(reference, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) * seen
    ranked = sorted(corners, key=lambda c: (-float(edge[c[0]:c[0] + tile:2, c[1]:c[1] + tile:2].sum()), c))
    return [(slice(y, y + tile), slice(x, x + tile)) for y, x in ranked[:TILES]]
