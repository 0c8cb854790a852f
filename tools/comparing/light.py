"""The reference in the light of the subject: exposure and contrast curve, and brightness that varies slowly."""

import cv2
import numpy as np

from kenpin.contracts.view import Mask
from tools.comparing.frames import Field
from tools.comparing.tone_curve import Curve, exposure, remainder

OVERVIEW, SMALL = 400, 96
"""Longer side of the reduced pictures on which tones and slow light are compared, px."""
ROUNDS = 4
"""Of exposure and slow light in turn; each disturbs the other."""
REACH = 6
"""The light may change over this part of the longer side; what changes faster is on the part."""
LEAST_GAIN, MOST_GAIN = 0.3, 3.0
DARK = 12.0
"""Grey levels below which a place says little about the light."""
SATURATED = 252


def relit(subject: Field, reference: Field, seen: Mask) -> Field:
    """Bring one channel of a reference into the light of an aligned subject.

    First exposure and contrast for all tones alike, then a gain that varies slowly (lamps multiply; a local offset
    beside it would be fitted to noise, and regression dilution would make lettering differ), both in turn since each
    disturbs the other, and at last what is left of the curve of tones. All is worked out on reduced pictures.

    Args:
        subject: (H, W) float32 grey levels.
        reference: (H, W) float32, already in the frame of the subject.
        seen: (H, W) bool, where the reference has pixels.
    Returns:
        (H, W) float32, 0 to 255 as the subject would show it, saturation included.
    """
    height, width = subject.shape
    share = min(1.0, OVERVIEW / max(height, width))
    size = (max(8, round(width * share)), max(8, round(height * share)))
    a, b = (cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in (subject, reference))
    inside = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
    if np.count_nonzero(inside) < 200:
        return reference
    gain, curve = np.ones_like(a), Curve.nothing()
    for _ in range(ROUNDS):
        curve = exposure(np.minimum(a / gain, 255), b, inside)
        gain = slow_gain(_unsaturated(a, gain * curve(b)), curve(b), inside)
    rest = remainder(_unsaturated(a, gain * curve(b)), gain * curve(b), inside)
    whole = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(rest(whole * curve(reference)), 0, 255)


def _unsaturated(subject: Field, expected: Field) -> Field:
    """Where the subject is saturated, any expectation above that is met."""
    return np.where(subject >= SATURATED, np.maximum(subject, expected), subject)


def slow_gain(subject: Field, reference: Field, inside: Mask) -> Field:
    """The gain that takes a reference to a subject, as a field that varies slowly.

    Args:
        subject: (h, w) float32.
        reference: (h, w) float32 of about its exposure.
        inside: (h, w) bool, where both say something.
    Source: local linear model as in the guided filter (He et al. 2013) without its offset, over a surface of the second
        degree, fitted robustly so that a minority of differing areas does not count.
    """
    height, width = subject.shape
    share = min(1.0, SMALL / max(height, width))
    size = (max(4, round(width * share)), max(4, round(height * share)))
    a, b, weight = (cv2.resize(f, size, interpolation=cv2.INTER_AREA)
                    for f in (subject, reference, inside.astype(np.float32)))
    weight = (weight > 0.99).astype(np.float32)
    if weight.sum() < 12:
        return np.ones_like(subject)
    first = np.clip(np.median(a[weight > 0] / np.maximum(b[weight > 0], DARK)), LEAST_GAIN, MOST_GAIN)
    plain = np.full_like(a, first)
    for _ in range(4):
        plain = _surface(a, b, _trust(a - plain * b, weight))
    gain = plain
    for _ in range(3):
        gain = plain * _beside(a, plain * b, _trust(a - gain * b, weight), max(size) / REACH)
    return np.asarray(cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _trust(rest: Field, weight: Field) -> Field:
    """Tukey's biweight of what is left over."""
    limit = 6 * max(1.4826 * float(np.median(np.abs(rest[weight > 0]))), 1.0)
    return np.asarray(weight * np.clip(1 - (rest / limit) ** 2, 0, 1) ** 2 + 1e-4 * weight, np.float32)


def _surface(a: Field, b: Field, weight: Field) -> Field:
    """The gain as a polynomial of the second degree in x and y, by least squares."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in a.shape)
    shapes = [np.broadcast_to(f, a.shape) for f in (np.ones_like(a), x, y[:, None], x * x, x * y[:, None],
                                                   (y * y)[:, None])]
    root = np.sqrt(weight).ravel()
    lever = np.stack([root * (f * b).ravel() for f in shapes], axis=1).astype(np.float64)
    # Bent only as far as there is something to tell it by.
    stiff = np.diag([0, 1, 1, 3, 3, 3]) * 1e-3 * float((lever[:, 0] ** 2).sum())
    factors = np.linalg.solve(lever.T @ lever + stiff + 1e-6 * np.eye(6), lever.T @ (root * a.ravel()))
    gain = sum(np.float32(f) * shape for f, shape in zip(factors, shapes, strict=True))
    return np.asarray(np.clip(gain, LEAST_GAIN, MOST_GAIN), np.float32)


def _beside(a: Field, b: Field, weight: Field, reach: float) -> Field:
    """What is left of the gain around each place, about 1."""
    def around(field: Field) -> Field:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), reach, borderType=cv2.BORDER_CONSTANT), np.float32)

    prior = 0.05 * DARK**2
    gain = (around(weight * a * b) + prior) / (around(weight * b * b) + prior)
    return np.asarray(np.clip(gain, LEAST_GAIN, MOST_GAIN), np.float32)
