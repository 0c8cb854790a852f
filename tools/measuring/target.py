"""From a fitted target to the plane that measures are taken in."""

from dataclasses import dataclass

import numpy as np

from kenpin.contracts.view import IDENTITY, Points, apply_homography
from tools.measuring.lens import Lens
from tools.measuring.plane import as_rows, leaning, stretch, upright
from tools.measuring.pose import FOCAL, PlaneFit
from tools.spec import Plane

SEEN_TILT = 3.0
"""A tilt of fewer of its own sigmas is taken for none."""
SQUARE = 1.2
"""How square to a part a camera is set up by eye where no tilt shows (one sigma about each axis), degrees."""


@dataclass(frozen=True)
class Flat:
    """A plane with its doubts and its mean scale."""

    plane: Plane
    others: tuple[Plane, ...]
    mm_per_px: float


def fitted_plane(fit: PlaneFit, target: Points, found: Points) -> Flat:
    """The plane of a target whose tilt is seen.

    Args:
        target: (N, 2) mm.
        found: (N, 2) continuous px of the picture.
    """
    mm_per_px = float((1.0 / stretch(fit.matrix, target)).mean())
    straight = fit.lens.straight(found)
    move = upright(mm_per_px, target, straight)
    # The doubts are drawn about the same place and turn, so that only size and shape differ.
    planes = [Plane(as_rows(move @ np.linalg.inv(matrix)), lens.numbers())
              for matrix, lens in ((fit.matrix, fit.lens), *fit.others)]
    return Flat(planes[0], tuple(planes[1:]), mm_per_px)


def level_plane(fit: PlaneFit, mm_per_px: float, found: Points, size: tuple[int, int], lens: Lens | None) -> Flat:
    """The plane of a target without visible tilt: square to the line of sight, with the tilt it may have as doubt."""
    numbers = lens.numbers() if lens else ()
    focal = lens.matrix[0, 0] if lens else FOCAL * max(size)
    seen = max(fit.tilt_doubt / float(np.sqrt(2)), 1e-3)
    sigma = 1 / float(np.hypot(1 / seen, 1 / SQUARE))
    slope = float(np.tan(np.radians(sigma))) / focal
    straight = lens.straight(found) if lens else found
    others = tuple(Plane(as_rows(leaning(straight.mean(axis=0), slope * axis)), numbers) for axis in np.eye(2))
    return Flat(Plane(IDENTITY, numbers), others, mm_per_px)


def tilt_seen(fit: PlaneFit) -> bool:
    """Whether the tilt is more than what uncertain corners make of none."""
    return fit.tilt_deg > SEEN_TILT * fit.tilt_doubt


def mean_square(fit: PlaneFit, found: Points, shape: tuple[int, int]) -> float:
    """Mean side of the squares of a board in its plane, mm; (rows, columns) corners in `found`."""
    back = np.asarray(np.linalg.inv(fit.matrix), dtype=np.float64)
    flat = apply_homography(back, fit.lens.straight(found)).reshape(*shape, 2)
    sides = [np.linalg.norm(np.diff(flat, axis=axis), axis=2).ravel() for axis in (0, 1)]
    return float(np.concatenate(sides).mean())
