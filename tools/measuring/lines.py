"""Straight lines through points, and where they meet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points

MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Line:
    """A straight line with how well it is known."""

    centre: NDArray[np.float64]
    direction: NDArray[np.float64]
    sigma: float
    """Scatter of the points across the line, px."""
    used: int

    def meet(self, other: "Line") -> NDArray[np.float64]:
        """(2,) point where two lines meet; NaN for parallel lines."""
        matrix = np.column_stack([self.direction, -other.direction])
        if abs(np.linalg.det(matrix)) < 1e-9:
            return np.full(2, np.nan)
        along = np.linalg.solve(matrix, other.centre - self.centre)[0]
        return np.asarray(self.centre + along * self.direction)


def fit_line(points: Points) -> Line | None:
    """Total least squares through (N, 2) points, three times without those beyond three sigma; None below 3 points."""
    keep = points[np.isfinite(points).all(axis=1)]
    line = None
    for _ in range(3):
        if len(keep) < 3:
            return line
        centre = keep.mean(axis=0)
        direction = np.linalg.svd(keep - centre, full_matrices=False)[2][0]
        across = (keep - centre) @ np.array([-direction[1], direction[0]])
        spread = MAD_TO_SIGMA * float(np.median(np.abs(across - np.median(across))))
        line = Line(centre=centre, direction=direction, sigma=float(np.sqrt(np.mean(across**2))), used=len(keep))
        keep = keep[np.abs(across - np.median(across)) <= 3 * max(spread, 0.02)]
    return line
