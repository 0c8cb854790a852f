"""How sure an alignment is: likeness where there is structure, against likeness at wrong places."""

from dataclasses import dataclass

import cv2
import numpy as np

from kenpin.contracts.view import GrayImage
from tools.comparing.frames import Field, Homography, reduced, scaling, shown, warped

WINDOW = 11
"""Side of the window in which likeness is taken, px of the reduced picture."""
WRONG = ((15, 0), (-15, 0), (0, 15), (0, -15), (21, 17), (-21, -17), (17, -21), (-17, 21), (29, 4), (-4, 29))
"""Displacements at which a right alignment must look wrong, px of the reduced picture."""
SIDE = 320


@dataclass(frozen=True)
class Likeness:
    """How alike two aligned pictures are. Both values lie between -1 and 1."""

    here: float
    """Mean correlation of small windows, weighted by the structure in them."""
    chance: float
    """The same at wrong places, their median."""
    covered: float
    """Share of the subject that the reference shows."""

    @property
    def confidence(self) -> float:
        """0 to 1: how much of what chance leaves open is reached (Cohen 1960, kappa)."""
        chance = max(self.chance, 0.0)
        return float(max(0.0, (self.here - chance) / (1.001 - chance))) if self.covered > 0.2 else 0.0


def _moments(field: Field) -> tuple[Field, Field]:
    mean = cv2.blur(field, (WINDOW, WINDOW))
    return mean, np.maximum(cv2.blur(field * field, (WINDOW, WINDOW)) - mean * mean, 0)


def _weights(power: Field) -> list[Field]:
    """Structure that stands out of the usual texture; and all of it, for pictures that are nothing but texture."""
    usual = float(np.median(power))
    return [np.maximum(power - 3 * usual, 0), power]


def likeness(subject: GrayImage, reference: GrayImage, matrix: Homography) -> Likeness:
    """Compare a subject with a reference that `matrix` brings into its frame.

    Args:
        subject: (H, W) uint8.
        reference: (h, w) uint8.
        matrix: From pixels of the reference to pixels of the subject.
    """
    share = min(1.0, SIDE / max(subject.shape))
    small = reduced(subject, share)
    local = scaling(small.shape[1] / subject.shape[1], small.shape[0] / subject.shape[0]) @ matrix
    if share < 1:
        # Averaged down by as much before it is warped, or fine texture would alias.
        less = reduced(reference, share)
        local = local @ np.linalg.inv(scaling(less.shape[1] / reference.shape[1], less.shape[0] / reference.shape[0]))
        reference = less
    other = warped(reference, local, small.shape)
    seen = shown(local, reference.shape, small.shape)
    if np.count_nonzero(seen) < 400:
        return Likeness(0.0, 1.0, float(np.mean(seen)))
    a = cv2.GaussianBlur(small, (0, 0), 0.8).astype(np.float32)
    b = cv2.GaussianBlur(other, (0, 0), 0.8).astype(np.float32)
    return _compared(a, b, seen)


def _compared(a: Field, b: Field, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Likeness:
    mean_a, power_a = _moments(a)
    mean_b, power_b = _moments(b)
    inner = cv2.erode(seen.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8), borderValue=0) > 0
    best = Likeness(0.0, 1.0, float(np.mean(seen)))
    wrong = [(dx, dy) for dx, dy in WRONG if abs(dx) + WINDOW <= a.shape[1] and abs(dy) + WINDOW <= a.shape[0]]
    if not wrong:
        return best  # so narrow that nothing shows what likeness chance gives
    for weight in (w1 + w2 for w1, w2 in zip(_weights(power_a), _weights(power_b), strict=True)):
        weight[~inner] = 0
        # A few overwhelming edges must not decide alone.
        strong = float(np.percentile(weight[inner], 98)) if inner.any() else 0.0
        if strong <= 0:
            continue
        capped = np.minimum(weight, strong)
        values = [_alike(a, b, (mean_a, power_a), (mean_b, power_b), capped, step) for step in ((0, 0), *wrong)]
        found = Likeness(values[0], float(np.median(values[1:])), best.covered)
        if found.confidence > best.confidence:
            best = found
    return best


def _alike(a: Field, b: Field, of_a: tuple[Field, Field], of_b: tuple[Field, Field], weight: Field,
           step: tuple[int, int]) -> float:
    """Mean correlation of the windows of `a` with those of `b` displaced by `step`, where the two overlap."""
    dx, dy = step
    here = (slice(max(dy, 0), a.shape[0] + min(dy, 0)), slice(max(dx, 0), a.shape[1] + min(dx, 0)))
    there = (slice(max(-dy, 0), a.shape[0] + min(-dy, 0)), slice(max(-dx, 0), a.shape[1] + min(-dx, 0)))
    both = cv2.blur(a[here] * b[there], (WINDOW, WINDOW)) - of_a[0][here] * of_b[0][there]
    norm = np.sqrt(of_a[1][here] * of_b[1][there]) + 1.0
    total = float(weight[here].sum())
    return float((weight[here] * np.clip(both / norm, -1, 1)).sum() / total) if total > 0 else 0.0
