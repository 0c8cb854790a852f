"""Lens distortion: where points would lie if the lens kept straight lines straight."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.view import Points

Floats = NDArray[np.float64]
FARTHEST = 2.0
"""A point is moved to this many times its distance from the axis at most."""
ROUNDS, CLOSE = 40, 1e-4
"""Rounds of the inversion at most, and when it is close enough, px."""


@dataclass(frozen=True, eq=False)
class Lens:
    """Pinhole and distortion, OpenCV's convention; points go in and come out in continuous pixels."""

    matrix: Floats
    """(3, 3) camera matrix."""
    distortion: Floats
    """(0), (4), (5), (8), (12) or (14) coefficients."""

    def straight(self, points: Points) -> Points:
        """(N, 2) points of the picture to the picture that a lens without distortion would have taken.

        Source: fixed-point inversion of Brown 1971, as OpenCV undistortPoints, to a ten thousandth of a pixel.
        """
        if not np.any(self.distortion) or not len(points):
            return points
        back = np.linalg.inv(self.matrix)
        seen = np.column_stack([np.asarray(points, dtype=np.float64) - 0.5, np.ones(len(points))]) @ back.T
        guess = seen.copy()
        for _ in range(ROUNDS):
            away = np.column_stack([self.ahead(guess) - points, np.zeros(len(points))]) @ back.T
            guess = guess - away * [1.0, 1.0, 0.0]
            # Past the fold of a strong lens no place exists that it would show there: the point stays near.
            limit = FARTHEST * np.abs(seen)
            guess = np.clip(np.nan_to_num(guess, nan=0.0, posinf=1e6, neginf=-1e6), -limit, limit)
            if np.abs(away).max() * self.matrix[0, 0] < CLOSE:
                break
        return np.asarray(guess @ self.matrix.T)[:, :2] + 0.5

    def ahead(self, places: Floats) -> Points:
        """(N, 3) places in the camera's frame to the picture."""
        zero = np.zeros(3)
        found, _ = cv2.projectPoints(places.reshape(-1, 1, 3), zero, zero, self.matrix, self.distortion)
        return np.asarray(found, dtype=np.float64).reshape(-1, 2) + 0.5

    def numbers(self) -> tuple[float, ...]:
        """fx, fy, cx, cy, then the coefficients; `lens_of` reads it back."""
        k = self.matrix
        return tuple(float(v) for v in (k[0, 0], k[1, 1], k[0, 2], k[1, 2], *self.distortion))


def lens_of(numbers: tuple[float, ...]) -> Lens | None:
    """A lens from `Lens.numbers`; None from none."""
    if not numbers:
        return None
    fx, fy, cx, cy = (float(v) for v in numbers[:4])
    return Lens(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), np.array(numbers[4:], dtype=np.float64))


def lens_from(profile: CameraProfile) -> Lens:
    """The lens of a profile that was fitted to the picture's size."""
    return Lens(np.array(profile.matrix, dtype=np.float64), np.array(profile.distortion, dtype=np.float64))
