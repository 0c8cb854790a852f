"""One curve of tones for a whole picture: exposure and contrast, and what they leave over."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.comparing.frames import Field

BINS = 48
GAMMAS = np.exp(np.linspace(-0.6, 0.6, 25))
"""Contrast curves tried; a camera's own settings reach from about 0.6 to 1.7."""
LEVEL = 4.0
"""Grey levels that a bin of tones may lie off the curve."""
PLAIN = 0.2
"""Price of a gain or gamma other than one, where the tones do not tell."""
DEGREE = 3
"""What a gain and a gamma leave of a camera's curve is smooth."""
STIFF = 0.02
"""Weight of the wish that the rest of the curve changes nothing, as a share of the pixels."""
FLAT = 12.0
"""Where the tones of neighbours differ by more, sharpness and not exposure says what is seen, grey levels."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """New grey levels for `levels`, both rising."""

    levels: Values
    values: Values

    @classmethod
    def nothing(cls) -> "Curve":
        """The curve that changes nothing."""
        return cls(np.array([-1024.0, 1024.0]), np.array([-1024.0, 1024.0]))

    def __call__(self, field: Field) -> Field:
        return np.interp(field, self.levels, self.values).astype(np.float32)


def exposure(subject: Field, reference: Field, inside: Mask) -> Curve:
    """One gain and one gamma: how the exposure and contrast of the subject would show the reference.

    Two numbers for all tones, so that dark lettering on a bright ground is followed too, while a part that is not there
    any more cannot be explained by them, as a histogram match would.

    Args:
        subject: (h, w) float32 grey levels.
        reference: (h, w) float32, in the frame of the subject.
        inside: (h, w) bool, where the reference has pixels.
    Source: gain and gamma as a camera's response; truncated squares over bins of tones, tried one gamma at a time.
    """
    x, y, weight = _medians(subject, reference, inside)
    if len(x) < 4:
        return Curve.nothing()
    best, least = (1.0, 1.0), float("inf")
    for gamma in GAMMAS:
        base = 255 * (np.maximum(x, 1) / 255) ** gamma
        for gain in np.unique(np.round(y / base, 2)):
            rest = np.minimum(gain * base, 255) - y
            cost = float((weight * np.minimum((rest / LEVEL) ** 2, 9)).sum() / weight.sum())
            cost += PLAIN * (abs(np.log(gamma)) + abs(np.log(max(gain, 0.01))))
            if cost < least:
                best, least = (float(gain), float(gamma)), cost
    levels = np.arange(0, 256, dtype=np.float64)
    return Curve(levels, best[0] * 255 * (levels / 255) ** best[1])


def remainder(subject: Field, reference: Field, inside: Mask) -> Curve:
    """The smooth curve that takes the tones of a relit reference to those of the subject most places.

    Source: radiometric response as a polynomial (Mitsunaga & Nayar 1999), fitted to bin medians by reweighting
        (Tukey's biweight).
    """
    x, y, weight = _medians(subject, reference, inside)
    if len(x) < 4:
        return Curve.nothing()
    lever = _powers(x)
    trust, factors = weight, np.zeros(DEGREE + 1)
    for _ in range(6):
        normal = lever.T @ (trust[:, None] * lever) + STIFF * weight.sum() * np.diag((0.02, 0.2, 0.5, 1.0))
        factors = np.linalg.solve(normal, lever.T @ (trust * (y - x)))
        rest = y - x - lever @ factors
        limit = 4 * max(1.4826 * float(np.average(np.abs(rest), weights=weight)), 1.5)
        trust = weight * np.clip(1 - (rest / limit) ** 2, 0, 1) ** 2
    tones = np.arange(-64, 513, dtype=np.float64)
    return Curve(tones, np.maximum.accumulate(tones + _powers(np.clip(tones, x.min(), x.max())) @ factors))


def _powers(x: Values) -> Values:
    u = (x - 128) / 128
    return np.stack([u**k for k in range(DEGREE + 1)], axis=1)


def _medians(subject: Field, reference: Field, inside: Mask) -> tuple[Values, Values, Values]:
    """Median tones of both in bins of the reference's, and the weight of each bin; flat places only, if there are."""
    square = np.ones((3, 3), np.uint8)
    flat = inside & (cv2.morphologyEx(reference, cv2.MORPH_GRADIENT, square) < FLAT) & (subject > 2)
    used = flat if np.count_nonzero(flat) >= 0.1 * np.count_nonzero(inside) else inside
    x, y = reference[used], subject[used]
    if len(x) < 50:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    edges = np.searchsorted(x, np.linspace(float(x[0]), float(x[-1]) + 1e-3, BINS + 1))
    bins = [(np.median(x[i:j]), np.median(y[i:j]), j - i) for i, j in itertools.pairwise(edges)
            if j - i >= max(8, len(x) // 2000)]
    found = np.array(bins, np.float64).reshape(-1, 3)
    return found[:, 0], found[:, 1], np.sqrt(found[:, 2])
