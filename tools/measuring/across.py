"""Width of a line-like thing, also where it is hardly wider than the blur of the picture."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tools.measuring.edges import STEP

Floats = NDArray[np.float64]

NARROW = 8.0
"""Wider lines show both edges apart, and their half-height width is not changed by blur, px."""
USUAL_BLUR, BLUR_DOUBT = 1.1, 0.5
"""Blur of a picture with its pixels (sigma, px) and how far it may be off (sigma of its logarithm): a weak prior."""
SHARED = 4.0
"""Neighbouring profiles share pixels: only every fourth counts as independent."""
MODEL = 0.012
"""How far a line may be from a box of even height, as a share of its height."""
WIDTHS = np.linspace(0.2, 2 * NARROW, 100)
BLURS = np.geomspace(0.4, 4.0, 40)


def mean_width(along: Floats, values: Floats, widths: Floats, noise: float) -> tuple[float, float]:
    """Mean width and its one sigma.

    A line narrower than a few pixels is widened by blur at half height, and a faint wide line looks like a strong thin
    one: every width (all alike likely) and blur is weighed by how well a box blurred by a Gaussian explains the mean
    profile.

    Args:
        along: (K,) places across the line, px.
        values: (N, K) profiles across the line, background near 0.
        widths: (M,) half-height widths of those profiles that show both edges.
        noise: Spread of the background, same unit as `values`.
    Source: posterior mean and spread on a grid of widths (even prior) and blurs (log-normal prior); height,
        base and place are fitted to each by least squares.
    """
    usual = float(np.mean(widths)) if len(widths) else float("nan")
    rest = float(np.std(widths)) / np.sqrt(max(1.0, len(widths) / SHARED)) if len(widths) > 1 else 0.5
    if usual > NARROW:
        return usual, float(np.hypot(rest, 0.1))
    trimmed = values[len(values) // 10:len(values) - len(values) // 10]
    mean = trimmed.mean(axis=0)
    sigma = float(np.hypot(noise / np.sqrt(max(1.0, len(trimmed) / SHARED)), MODEL * np.ptp(mean)))
    weight = _weights(along, mean, sigma)
    density = weight.sum(axis=1)
    width = float(density @ WIDTHS)
    doubt = float(np.sqrt(max(density @ (WIDTHS - width) ** 2, 0.0)))
    return width, float(np.hypot(doubt, 0.05))


def _weights(along: Floats, mean: Floats, sigma: float) -> Floats:
    """(widths, blurs) posterior of a mean profile; sums to 1."""
    height = np.clip(mean, 0, None)
    centre = float((height * along).sum() / max(float(height.sum()), 1e-9))
    x = along - centre
    half, blur = WIDTHS[:, None, None] / 2, BLURS[None, :, None]
    near, far = (x + half) / blur, (x - half) / blur
    box = ndtr(near) - ndtr(far)
    slope = (np.exp(-near * near / 2) - np.exp(-far * far / 2)) / blur
    terms = np.stack([box / np.maximum(box.max(axis=2, keepdims=True), 1e-9), np.ones_like(box), slope], axis=-1)
    turned = np.swapaxes(terms, -1, -2)
    fit = np.linalg.solve(turned @ terms + 1e-9 * np.eye(3), turned @ mean[:, None])
    misfit = ((mean - (terms @ fit)[..., 0]) ** 2).sum(axis=2)
    misfit = np.where(fit[..., 0, 0] > 0, misfit, np.inf)
    # Samples lie closer than pixels, so that only a share of them counts.
    level = -0.5 * (misfit - misfit.min()) * STEP / sigma**2
    level = level - 0.5 * (np.log(BLURS / USUAL_BLUR)[None] / BLUR_DOUBT) ** 2
    weight = np.exp(level - level.max())
    return np.asarray(weight / weight.sum(), dtype=np.float64)
