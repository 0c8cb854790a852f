"""A camera profile from pictures of one chessboard."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import RgbImage
from tools.measuring.chessboard import Board, find_board
from tools.measuring.plane import as_rows
from tools.pixels.grey import grey

LEAST = 3
"""Pictures with a board. Fewer do not tell focal length from distance."""
OUTLIER = 3.0
"""A picture whose corners lie this many times the median error off the model is left out, once."""
FEW_FOR_TANGENTIAL = 8
"""With fewer pictures tangential distortion and k3 are left at 0: they would follow the noise."""


@dataclass(frozen=True)
class Calibrated:
    """A profile and what became of each picture."""

    profile: CameraProfile
    errors_px: tuple[float | None, ...]
    """Reprojection error of each picture in order; None where no board was found or it was left out."""


def calibrate_camera(pictures: Sequence[RgbImage], *, square_mm: float) -> Calibrated:
    """Camera matrix and distortion from pictures of a chessboard in different poses.

    Args:
        pictures: (H, W, 3) uint8 RGB, all of one size; the board tilted differently in each.
        square_mm: Side of one square.
    Raises:
        ToolInputError: Pictures of different sizes, or fewer than three boards of the same number of corners.
    Source: Zhang 2000 (OpenCV calibrateCamera) over corners refined to a fraction of a pixel.
    """
    if not 1e-3 <= square_mm <= 1e5:
        raise ToolInputError(f"the side of a square is {square_mm:g} mm, expected 0.001 to 100000; check the unit")
    sizes = {picture.shape[:2] for picture in pictures}
    if len(sizes) != 1:
        shown = ", ".join(f"{w}x{h}" for h, w in sorted(sizes)) or "none"
        raise ToolInputError(f"the pictures must be of one size and at least {LEAST}; got {shown}")
    boards = _alike([find_board(grey(picture)) for picture in pictures])
    used = [i for i, board in enumerate(boards) if board is not None]
    if len(used) < LEAST:
        raise ToolInputError(f"a chessboard was found on {len(used)} of {len(pictures)} pictures; {LEAST} or more with "
                             "the same board, sharp and not cut off, are needed")
    height, width = next(iter(sizes))
    fit = _fit([board for board in boards if board is not None], (width, height), square_mm)
    usual = float(np.median(fit[2]))
    kept = [i for i, error in zip(used, fit[2], strict=True) if error <= OUTLIER * usual]
    if LEAST <= len(kept) < len(used):
        used = kept
        fit = _fit([board for i in used if (board := boards[i]) is not None], (width, height), square_mm)
    matrix, distortion, errors, rms = fit
    profile = CameraProfile(width=width, height=height, matrix=as_rows(matrix), distortion=distortion,
                            reprojection_px=rms, pictures=len(used))
    by_picture = dict(zip(used, errors, strict=True))
    return Calibrated(profile, tuple(by_picture.get(i) for i in range(len(pictures))))


def _alike(boards: Sequence[Board | None]) -> list[Board | None]:
    """The boards with the number of corners that most of them have; others show a part of the board only."""
    counts = [board.rows * board.columns for board in boards if board is not None]
    if not counts:
        return list(boards)
    usual = max(set(counts), key=lambda n: (counts.count(n), n))
    return [board if board is not None and board.rows * board.columns == usual else None for board in boards]


Fit = tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], tuple[float, ...], list[float], float]


def _fit(boards: Sequence[Board], size: tuple[int, int], square_mm: float) -> Fit:
    """Matrix, coefficients, error of each picture, error of all."""
    places = [np.column_stack([board.places * square_mm, np.zeros(len(board.corners))]).astype(np.float32)
              for board in boards]
    corners = [(board.corners - 0.5).astype(np.float32).reshape(-1, 1, 2) for board in boards]
    flags = 0 if len(boards) >= FEW_FOR_TANGENTIAL else cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3
    rms, matrix, coefficients, _, _, _, _, errors = cv2.calibrateCameraExtended(
        places, corners, size, None, None, flags=flags)
    return (np.asarray(matrix, dtype=np.float64), tuple(float(v) for v in np.ravel(coefficients)[:5]),
            [float(v) for v in np.ravel(errors)], float(rms))
