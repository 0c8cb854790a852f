"""How sharp two pictures are, and the blur that makes the sharper one like the other."""

import cv2
import numpy as np

from kenpin.contracts.view import Mask
from tools.comparing.frames import Field

BLURS = (0.5, 0.8, 1.1, 1.5, 2.0, 2.8)
"""Blurs tried to make the sharper of two pictures like the other, sigma in px."""
FIRST = 1.0
"""Blur at which sharpness is compared, sigma in px."""
BETTER = 0.92
"""A blur must bring the difference at edges down to this share to be believed."""
TILE, TILES = 128, 6
"""Side and number of the pieces with most edges that the blur is judged on, px."""


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
        return sum(_apart(soft(a, float(np.hypot(FIRST, of_subject))), soft(b, float(np.hypot(FIRST, of_reference))),
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


def soft(field: Field, blur: float) -> Field:
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
