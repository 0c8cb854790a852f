"""What differs between aligned pictures with shades: by pixel, by line, and by faint area."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask, RgbImage
from tools.comparing.align import Alignment
from tools.comparing.frames import Field, shown
from tools.comparing.light import relit
from tools.comparing.sharpness import blurs, soft
from tools.pixels.grey import grey, robust_sigma

THRESHOLD = 6.0
"""Evidence, in noise sigmas, from which a difference is one."""
BLURS = (0.0, 1.0, 2.5, 6.0)
"""Sizes at which differences are sought: pixels, lines, and faint areas, sigma in px."""
QUIET = 1.5
"""The noise of a difference is never taken to be less than this, grey levels: whole grey levels, compression."""
FAINT, FAINT_COLOUR = 0.5, 1.0
"""The noise of an area is never taken to be less than this, grey levels: blocks of JPEG, light that bends faster."""
RING, RING_COLOUR = 0.05, 0.2
"""Share of the contrast within a block that compression may spread over it; of colour it keeps a quarter."""
BLOCK = 9
"""Side of such a block, px."""
COARSE = 1.5
"""Colour is compared at this blur, sigma in px: JPEG keeps it at half the resolution, and lenses shift it at edges."""
EDGE = 0.2
"""Share of an edge's slope that may be left over: jitter beyond the tolerance, other sharpness."""


@dataclass(frozen=True)
class Difference:
    """Evidence of change for every pixel of the subject."""

    evidence: Field
    """In units of the threshold: 1 and more is a difference."""
    change: Field
    """Signed difference of the brightness, subject minus reference in the subject's light, grey levels."""
    colour: Field
    """Size of the difference in colour, grey levels."""
    reference: Field
    """The reference's brightness, in the frame and the light of the subject."""
    seen: Mask
    """Where both pictures show something."""
    noise: float
    """Usual difference of a pixel, grey levels."""


def brought(reference: NDArray[np.uint8], alignment: Alignment, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The reference in the frame of the subject, with what the matched points still show as local displacement."""
    height, width = shape[:2]
    drift = _drift(alignment, (height, width))
    if drift is None:
        return np.asarray(cv2.warpPerspective(reference, alignment.matrix, (width, height), flags=cv2.INTER_CUBIC,
                                              borderMode=cv2.BORDER_REPLICATE), np.uint8)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    xs, ys = xs - drift[0], ys - drift[1]
    m = np.linalg.inv(alignment.matrix).astype(np.float32)
    depth = m[2, 0] * xs + m[2, 1] * ys + m[2, 2]
    to_x, to_y = (m[0, 0] * xs + m[0, 1] * ys + m[0, 2]) / depth, (m[1, 0] * xs + m[1, 1] * ys + m[1, 2]) / depth
    return np.asarray(cv2.remap(reference, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _drift(alignment: Alignment, shape: tuple[int, int]) -> tuple[Field, Field] | None:
    """Smooth displacement left at matched points, (H, W) px each; None if there is next to none."""
    if len(alignment.points) < 30 or np.hypot(*alignment.offsets.T).mean() < 0.15:
        return None
    share = 64 / max(shape)
    size = (max(4, round(shape[0] * share)), max(4, round(shape[1] * share)))
    field = np.zeros((*size, 3), np.float32)
    where = np.clip((alignment.points * share).astype(int), 0, (size[1] - 1, size[0] - 1))
    np.add.at(field, (where[:, 1], where[:, 0]), np.column_stack([alignment.offsets, np.ones(len(where))]))
    smooth = cv2.GaussianBlur(field, (0, 0), 5, borderType=cv2.BORDER_CONSTANT)
    flow = smooth[..., :2] / (smooth[..., 2:] + 0.02)
    flow = cv2.resize(flow, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return flow[..., 0], flow[..., 1]


def differ(subject: RgbImage, reference: RgbImage, alignment: Alignment, *, tolerance: float) -> Difference:
    """Compare a subject with a reference.

    Args:
        subject: (H, W, 3) uint8 RGB.
        reference: (h, w, 3) uint8 RGB.
        alignment: How the reference lies in the subject.
        tolerance: Edges may lie this far from where they should, px.
    """
    other = brought(reference, alignment, subject.shape)
    margin = int(np.ceil(tolerance)) + 2
    seen = shown(alignment.matrix, reference.shape, subject.shape)
    # Outside of the picture counts as unseen too: a window there would look at repeated borders.
    seen = cv2.erode(seen.astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8), borderValue=1) > 0
    # In the subject's light channel by channel, or another colour of the lamp would look like one of the part.
    own: NDArray[np.float32] | None = None
    moved: NDArray[np.float32] | None = None
    if _coloured(subject) or _coloured(other):
        own = subject.astype(np.float32)
        moved = np.dstack([relit(own[..., i], other[..., i].astype(np.float32), seen) for i in range(3)])
        a, b = _luma(own), _luma(moved)
    else:
        a = grey(subject).astype(np.float32)
        b = relit(a, grey(other).astype(np.float32), seen)
    blur_a, blur_b = blurs(a, b, seen)
    a, b = soft(a, blur_a), soft(b, blur_b)
    evidence, change, noise = _channel(a, b, seen, tolerance, FAINT, RING)
    colour = np.zeros_like(change)
    if own is not None and moved is not None:
        for one, two in ((0, 1), (2, 1)):
            p, q = (soft(f[..., one] - f[..., two], COARSE) for f in (own, moved))
            more, step, _ = _channel(p, q, seen, tolerance + 1, FAINT_COLOUR, RING_COLOUR)
            evidence, colour = np.maximum(evidence, more), np.maximum(colour, np.abs(step))
    return Difference(evidence=evidence, change=change, colour=colour, reference=b, seen=seen, noise=noise)


def _luma(rgb: NDArray[np.float32]) -> Field:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _coloured(pixels: RgbImage) -> bool:
    few = pixels[::8, ::8].astype(np.int16)
    return bool(np.percentile(np.ptp(few, axis=2), 95) > 12)


def _channel(a: Field, b: Field, seen: Mask, tolerance: float, faint: float, ring: float) \
        -> tuple[Field, Field, float]:
    """Evidence, signed difference and noise of one channel."""
    change = np.where(seen, a - b, 0).astype(np.float32)
    noise = max(robust_sigma(change[seen][::7]), QUIET) if seen.any() else QUIET
    beyond = _beyond(a, b, tolerance)
    smooth_b = cv2.GaussianBlur(b, (0, 0), 1.0)
    slope = cv2.morphologyEx(smooth_b, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) / 2
    around = cv2.morphologyEx(smooth_b, cv2.MORPH_GRADIENT, np.ones((BLOCK, BLOCK), np.uint8)) / 2
    soft_edge = np.hypot(EDGE * slope, ring * around)
    allowed = np.hypot(noise, soft_edge)
    quiet = 1 / (1 + (slope / (4 * noise + 4)) ** 2)
    evidence = np.zeros_like(a)
    for blur in BLURS:
        if blur == 0:
            level = np.abs(beyond) / allowed
        else:
            # Faint areas: what is left beside edges, averaged; its own spread says what is usual.
            field = beyond if blur < 2 else np.where(np.sign(change) == np.sign(beyond), beyond, change * quiet)
            smooth = cv2.GaussianBlur(field * seen, (0, 0), blur)
            usual = max(robust_sigma(smooth[seen][::7]) if seen.any() else 0.0, 1.2 / blur, faint)
            spread = cv2.GaussianBlur(soft_edge**2, (0, 0), blur)
            level = np.abs(smooth) / np.sqrt(usual**2 + spread / (1 + blur))
        evidence = np.maximum(evidence, level / THRESHOLD)
    return np.where(seen, evidence, 0).astype(np.float32), change, noise


def _beyond(a: Field, b: Field, tolerance: float) -> Field:
    """How far each picture leaves what the other shows within the tolerance, signed as a - b."""
    side = 2 * max(1, round(tolerance)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    over = np.maximum(a - cv2.dilate(b, disc), 0) - np.maximum(cv2.erode(b, disc) - a, 0)
    under = np.maximum(cv2.erode(a, disc) - b, 0) - np.maximum(b - cv2.dilate(a, disc), 0)
    return np.asarray(np.where(np.abs(over) >= np.abs(under), over, under), np.float32)
