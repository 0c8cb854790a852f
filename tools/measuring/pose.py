"""A flat target seen by a camera: pose, focal length and distortion together, with how sure each is.

One model serves a single marker and a board of fifty corners. What the corners do not tell comes from what cameras are
like (weak priors), and what is still open shows in the planes by which a measure is put in doubt.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from kenpin.contracts.view import Points
from tools.measuring.lens import Lens

Floats = NDArray[np.float64]
FOCAL, FOCAL_DOUBT = 1.3, 0.5
"""Focal length in long sides of the picture (50 mm on full frame is 1.4), and one sigma of its logarithm."""
CENTRE_DOUBT = 0.02
"""How far the optical axis may miss the middle of the picture (one sigma), in long sides."""
BEND_DOUBT = (0.15, 0.15)
"""Usual size of k1 and k2 (one sigma) of a lens that nothing is known of."""
STEP = 1e-5
ROBUST = 9
"""From this many corners on, single wrong ones are found and left out."""
OUTLIER = 6.0
"""Times the median distance from the model."""


@dataclass(frozen=True, eq=False)
class PlaneFit:
    """A plane in the picture."""

    matrix: Floats
    """(3, 3) from millimetres on the target to straightened pixels (continuous)."""
    lens: Lens
    tilt_deg: float
    """Angle between the target and the sensor: at none, every place has the same scale."""
    tilt_doubt: float
    """One sigma of it, degrees; large for small tilts, which hardly change the picture."""
    residual_px: float
    """Root mean square distance of the corners from the model."""
    others: tuple[tuple[Floats, Lens], ...]
    """The same with one independent combination of parameters each off by one sigma."""


def fit_view(target: Points, found: Points, size: tuple[int, int], *, known: Lens | None,
             corner_sigma: float) -> PlaneFit | None:
    """Fit pose and lens to the corners of a flat target.

    Args:
        target: (N, 2) places on the target, mm, N at least 4.
        found: (N, 2) where they lie on the picture, continuous px.
        size: Width and height of the picture.
        known: The lens from a camera profile: then only the pose is fitted.
        corner_sigma: One sigma of a corner, px.
    Returns:
        The plane, or None if no pose explains the corners.
    Source: bundle adjustment of one view (Zhang 2000) with Gaussian priors on the lens (maximum a posteriori),
        uncertainty by the Laplace approximation.
    """
    middle = target.mean(axis=0)
    flat = np.column_stack([target - middle, np.zeros(len(target))])
    start = _start(flat, found, size, known)
    if start is None:
        return None
    keep = np.ones(len(found), dtype=bool)
    if len(found) >= ROBUST:
        rough = least_squares(_misfit, start, args=(flat, found, size, known, corner_sigma), method="trf",
                              x_scale="jac", loss="soft_l1", f_scale=2.0, max_nfev=60)
        away = np.linalg.norm(_projected(rough.x, _lens(rough.x, size, known), flat) - found, axis=1)
        # A corner that the finder has put beside its place: far off the others, and far off at all.
        keep = away <= max(OUTLIER * float(np.median(away)), 4 * corner_sigma)
        start = rough.x
    flat, found = flat[keep], found[keep]
    fit = least_squares(_misfit, start, args=(flat, found, size, known, corner_sigma), method="trf", x_scale="jac",
                        max_nfev=60)
    spread = np.sqrt(np.mean((fit.fun[:2 * len(found)] * corner_sigma) ** 2) * 2)
    if not np.isfinite(fit.x).all():
        return None
    free = max(1, 2 * len(found) - 6)
    excess = max(1.0, float((fit.fun[:2 * len(found)] ** 2).sum()) / free)
    slopes = np.asarray(fit.jac, dtype=np.float64)
    covariance = np.asarray(np.linalg.pinv(slopes.T @ slopes) * excess, dtype=np.float64)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    shift = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1.0]])

    def plane(p: Floats) -> tuple[Floats, Lens]:
        lens = _lens(p, size, known)
        return _homography(p, lens) @ shift, lens

    others = tuple(plane(fit.x + np.sqrt(value) * vectors[:, i]) for i, value in enumerate(values) if value > 1e-18)
    matrix, lens = plane(fit.x)
    tilt, doubt = _tilt(fit.x, covariance)
    return PlaneFit(matrix, lens, tilt, doubt, float(spread), others)


def _misfit(p: Floats, flat: Floats, found: Points, size: tuple[int, int], known: Lens | None,
            corner_sigma: float) -> Floats:
    """Corners off the model and parameters off their priors, in sigmas."""
    away = (_projected(p, _lens(p, size, known), flat) - found).ravel() / corner_sigma
    if known is not None:
        return np.asarray(away, dtype=np.float64)
    prior = [(p[6] - np.log(FOCAL)) / FOCAL_DOUBT, p[7] / CENTRE_DOUBT, p[8] / CENTRE_DOUBT,
             p[9] / BEND_DOUBT[0], p[10] / BEND_DOUBT[1]]
    return np.concatenate([away, prior])


def _start(flat: Floats, found: Points, size: tuple[int, int], known: Lens | None) -> Floats | None:
    """Pose with the usual lens, as the start of the fit."""
    lens = known or _lens(np.array([0.0] * 6 + [np.log(FOCAL), 0, 0, 0, 0]), size, None)
    try:
        ok, turn, move = cv2.solvePnP(flat.reshape(-1, 1, 3), (found - 0.5).reshape(-1, 1, 2), lens.matrix,
                                      lens.distortion, flags=cv2.SOLVEPNP_IPPE)
    except cv2.error:
        return None
    if not ok or not np.isfinite(turn).all() or not np.isfinite(move).all():
        return None
    x, y, z = (float(v) for v in move.ravel())
    k = lens.matrix
    if z <= 0:
        return None
    pose = np.array([*turn.ravel(), k[0, 2] + k[0, 0] * x / z, k[1, 2] + k[1, 1] * y / z, np.log(k[0, 0] / z)])
    return pose if known is not None else np.concatenate([pose, [np.log(FOCAL), 0.0, 0.0, 0.0, 0.0]])


def _lens(p: Floats, size: tuple[int, int], known: Lens | None) -> Lens:
    if known is not None:
        return known
    long = float(max(size))
    focal = float(np.exp(np.clip(p[6], -2, 5))) * long
    cx, cy = (size[0] - 1) / 2 + p[7] * long, (size[1] - 1) / 2 + p[8] * long
    return Lens(np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]), np.array([p[9], p[10], 0.0, 0.0]))


def _move(p: Floats, lens: Lens) -> Floats:
    """(3,) translation, mm. The parameters are where the target's middle is seen without distortion (px) and the
    logarithm of its pixels per mm: so another focal length changes the perspective and not the size."""
    k = lens.matrix
    depth = k[0, 0] / float(np.exp(np.clip(p[5], -30, 30)))
    return np.array([(p[3] - k[0, 2]) / k[0, 0] * depth, (p[4] - k[1, 2]) / k[1, 1] * depth, depth])


def _projected(p: Floats, lens: Lens, flat: Floats) -> Points:
    found, _ = cv2.projectPoints(flat.reshape(-1, 1, 3), p[:3], _move(p, lens), lens.matrix, lens.distortion)
    return np.asarray(found, dtype=np.float64).reshape(-1, 2) + 0.5


def _homography(p: Floats, lens: Lens) -> Floats:
    """(3, 3) from the target (mm, about its middle) to straightened continuous pixels."""
    return plane_matrix(p[:3], _move(p, lens), lens)


def plane_matrix(rotation: Floats, translation: Floats, lens: Lens) -> Floats:
    """(3, 3) from millimetres in a posed plane to straightened continuous pixels."""
    turn = cv2.Rodrigues(np.asarray(rotation, dtype=np.float64))[0]
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    matrix = half @ lens.matrix @ np.column_stack([turn[:, 0], turn[:, 1], translation])
    return np.asarray(matrix / matrix[2, 2])


def _tilt(p: Floats, covariance: Floats) -> tuple[float, float]:
    """Angle between the target and the sensor, and one sigma of the normal's direction, degrees."""
    normal: Callable[[Floats], Floats] = lambda q: cv2.Rodrigues(q[:3])[0][:, 2]  # noqa: E731
    tilt = float(np.degrees(np.arccos(np.clip(abs(normal(p)[2]), 0, 1))))
    slopes = np.array([(normal(p + STEP * e) - normal(p - STEP * e)) / (2 * STEP) for e in np.eye(len(p))[:3]])
    doubt = float(np.sqrt(max(np.trace(slopes.T @ covariance[:3, :3] @ slopes), 0.0)))
    return tilt, float(np.degrees(doubt))
