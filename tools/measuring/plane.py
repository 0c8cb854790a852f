"""A flat target seen by a camera: how many pixels a millimetre has, where and in which direction, and the tilt."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Matrix3, Points, apply_homography

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class PlaneScale:
    """Scale of a tilted plane, put as one number with what that one number leaves out."""

    mm_per_px: float
    spread: float
    """95 % half width, as a share, of the scale over places and directions on the target."""
    tilt_deg: float
    """Angle between the target and a plane square to the line of sight."""
    residual_px: float
    """Root mean square distance of the found points from the fitted plane."""
    matrix: Matrix
    """(3, 3) homography from millimetres on the target to pixels."""


def fit_plane(target: Points, found: Points) -> PlaneScale | None:
    """Fit the homography from a flat target to the picture and read its scale off it.

    Args:
        target: (N, 2) places on the target, mm, N at least 4.
        found: (N, 2) where they lie on the picture, px.
    Returns:
        The scale over the target, or None if the points do not span a plane.
    Source: direct linear transform, Hartley and Zisserman 2003, 4.1; tilt from the ratio of the singular values of the
        local affine map (weak perspective).
    """
    matrix, _ = cv2.findHomography(target.astype(np.float64), found.astype(np.float64), 0)
    if matrix is None or not np.isfinite(matrix).all():
        return None
    matrix = np.asarray(matrix, dtype=np.float64)
    residual = apply_homography(matrix, target) - found
    local = stretch(matrix, target)
    if not np.isfinite(local).all() or local.min() <= 0:
        return None
    scales = 1.0 / local.ravel()
    mean = float(scales.mean())
    middle = stretch(matrix, target.mean(axis=0, keepdims=True))[0]
    return PlaneScale(mm_per_px=mean, spread=float(np.quantile(np.abs(scales / mean - 1), 0.95)),
                      tilt_deg=float(np.degrees(np.arccos(np.clip(middle[1] / middle[0], 0, 1)))),
                      residual_px=float(np.sqrt((residual**2).sum(axis=1).mean())), matrix=matrix)


def stretch(matrix: Matrix, places: Points) -> NDArray[np.float64]:
    """(N, 2) largest and smallest local magnification of a homography at (N, 2) places."""
    x, y = places[:, 0], places[:, 1]
    w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    mapped = apply_homography(matrix, places)
    jacobian = np.empty((len(places), 2, 2))
    for row in range(2):
        for column in range(2):
            jacobian[:, row, column] = (matrix[row, column] - mapped[:, row] * matrix[2, column]) / w
    return np.asarray(np.linalg.svd(jacobian, compute_uv=False))


def upright(mm_per_px: float, target: Points, found: Points) -> Matrix:
    """(3, 3) from millimetres on a target to pixels of the mean scale.

    Turned and shifted so that the target moves least and the picture stays recognisable.
    """
    flat = target / mm_per_px
    a, b = flat - flat.mean(axis=0), found - found.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    mirror = np.diag([1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u @ mirror @ vt).T
    matrix = np.eye(3)
    matrix[:2, :2] = turn / mm_per_px
    matrix[:2, 2] = found.mean(axis=0) - turn @ flat.mean(axis=0)
    return matrix


def rectification(plane: PlaneScale, target: Points, found: Points) -> Matrix:
    """(3, 3) homography from pixels to pixels that undoes the tilt: one pixel is `mm_per_px` everywhere after it."""
    product = upright(plane.mm_per_px, target, found) @ np.linalg.inv(plane.matrix)
    return np.asarray(product / product[2, 2])


def leaning(centre: Points, slope: Points) -> Matrix:
    """(3, 3) homography of a plane that leans: pixels grow by twice `slope` a pixel away from `centre`, which stays."""
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = -np.asarray(centre), np.asarray(centre)
    lean = np.eye(3)
    lean[2, :2] = -np.asarray(slope)
    return np.asarray(back @ lean @ there)


def as_rows(matrix: Matrix) -> Matrix3:
    """A matrix as plain numbers, its last one 1."""
    a, b, c = ((float(x), float(y), float(z)) for x, y, z in matrix / matrix[2, 2])
    return (a, b, c)
