"""The reference in the light of the subject: gain and offset that vary slowly over the picture."""

import cv2
import numpy as np

from kenpin.contracts.view import Mask
from tools.comparing.frames import Field

OVERVIEW = 96
"""Longer side of the reduced pictures on which the light is compared, px."""


def relit(subject: Field, reference: Field, seen: Mask) -> Field:
    """Bring a reference into the light of an aligned subject.

    Args:
        subject: (H, W) float32 grey levels.
        reference: (H, W) float32, already in the frame of the subject.
        seen: (H, W) bool, where the reference has pixels.
    Returns:
        (H, W) float32, the reference times a slowly varying gain plus a slowly varying offset.
    Source: local linear model as in the guided filter (He et al. 2013), fitted robustly so that a minority of
        differing areas does not count.
    """
    height, width = subject.shape
    share = min(1.0, OVERVIEW / max(height, width))
    size = (max(4, round(width * share)), max(4, round(height * share)))
    weight = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    a, b = (cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in (subject, reference))
    weight = (weight > 0.99).astype(np.float32)
    if weight.sum() < 12:
        return reference
    gain, offset = _global(a, b, weight)
    trust, reach = weight, max(size) / 6
    for _ in range(4):
        rest = a - (gain * b + offset)
        limit = 3 * max(1.4826 * float(np.median(np.abs(rest[weight > 0]))), 1.0)
        trust = weight * np.clip(1 - (rest / (2 * limit)) ** 2, 0, 1) ** 2 + 1e-4 * weight
        gain, offset = _local(a, b, trust, reach, _global(a, b, trust))
    gain, offset = (cv2.resize(np.broadcast_to(f, a.shape).astype(np.float32), (width, height),
                               interpolation=cv2.INTER_LINEAR) for f in (gain, offset))
    return np.asarray(gain * reference + offset, dtype=np.float32)


def _global(a: Field, b: Field, weight: Field) -> tuple[Field, Field]:
    """One gain and one offset for the whole picture."""
    total = weight.sum()
    mean_a, mean_b = (weight * a).sum() / total, (weight * b).sum() / total
    spread = (weight * (b - mean_b) ** 2).sum() / total
    joint = (weight * (a - mean_a) * (b - mean_b)).sum() / total
    # Hardly any contrast: nothing to learn a gain from, so the ratio of the means stands in.
    usual = mean_a / max(float(mean_b), 1.0)
    gain = np.clip((joint + 20.0 * usual) / (spread + 20.0), 0.3, 3.0)
    return np.asarray(gain, np.float32), np.asarray(mean_a - gain * mean_b, np.float32)


def _local(a: Field, b: Field, weight: Field, reach: float, usual: tuple[Field, Field]) -> tuple[Field, Field]:
    def mean(field: Field) -> Field:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), reach, borderType=cv2.BORDER_CONSTANT), np.float32)

    total = mean(weight) + 1e-6
    mean_a, mean_b = mean(weight * a) / total, mean(weight * b) / total
    spread = np.maximum(mean(weight * b * b) / total - mean_b**2, 0)
    joint = mean(weight * a * b) / total - mean_a * mean_b
    gain = np.clip((joint + 100.0 * usual[0]) / (spread + 100.0), 0.3, 3.0)
    return np.asarray(gain, np.float32), np.asarray(mean_a - gain * mean_b, np.float32)
