"""Width of a line-like thing, also where it is hardly wider than the blur of the picture."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import ndtr

Floats = NDArray[np.float64]

NARROW = 8.0
"""Wider lines show both edges apart, and their half-height width is not changed by blur, px."""
USUAL_BLUR, BLUR_DOUBT = 0.8, 0.5
"""Blur of a sharp picture (sigma, px) and how far it may be off (sigma of its logarithm): used as a weak prior."""
SHARED = 4.0
"""Neighbouring profiles share pixels: only every fourth counts as independent."""


def mean_width(along: Floats, values: Floats, widths: Floats, noise: float) -> tuple[float, float]:
    """Mean width and its one sigma.

    A line narrower than a few pixels is widened by blur at half height, so a box that is blurred by a Gaussian is
    fitted to the mean profile instead.

    Args:
        along: (K,) places across the line, px.
        values: (N, K) profiles across the line, background near 0.
        widths: (M,) half-height widths of those profiles that show both edges.
        noise: Spread of the background, same unit as `values`.
    Source: least squares with a log-normal prior on the blur (Gauss-Newton covariance as uncertainty).
    """
    usual = float(np.mean(widths)) if len(widths) else float("nan")
    rest = float(np.std(widths)) / np.sqrt(max(1.0, len(widths) / SHARED)) if len(widths) > 1 else 0.5
    if usual > NARROW:
        return usual, float(np.hypot(rest, 0.1))
    trimmed = values[len(values) // 10:len(values) - len(values) // 10]
    mean = trimmed.mean(axis=0)
    sigma = max(noise / float(np.sqrt(max(1.0, len(trimmed) / SHARED))), 0.02 * float(np.ptp(mean)))
    start = np.array([float(mean.max()), 0.0, usual if np.isfinite(usual) else 2.0, np.log(USUAL_BLUR), 0.0])

    def residual(p: Floats) -> Floats:
        blur, half = np.exp(p[3]), abs(p[2]) / 2
        model = p[4] + p[0] * (ndtr((along - p[1] + half) / blur) - ndtr((along - p[1] - half) / blur))
        return np.append((model - mean) / sigma, (p[3] - np.log(USUAL_BLUR)) / BLUR_DOUBT)

    fit = least_squares(residual, start, method="lm", max_nfev=200)
    slopes = np.asarray(fit.jac, dtype=np.float64)
    covariance = np.linalg.pinv(slopes.T @ slopes)
    width, doubt = float(abs(fit.x[2])), float(np.sqrt(covariance[2, 2]))
    if not 0.2 < width < 2 * NARROW:
        return (usual, max(rest, 0.3 * usual)) if np.isfinite(usual) else (2.0, 1.0)
    return width, float(np.sqrt(doubt**2 + rest**2 + 0.08**2))
