"""Chessboards of unknown size, with sub-pixel inner corners."""

from dataclasses import dataclass

import cv2
import numpy as np

from kenpin.contracts.view import GrayImage, Points, apply_homography
from tools.measuring.plane import PlaneScale, fit_plane

SMALLEST = ((3, 3),)
"""Boards are searched as "at least this many inner corners"; the finder grows them to what is there."""
WINDOW = 0.28
"""Half side of the window that a corner is refined in, as a share of the smallest square."""
MOST_WINDOW = 12
"""And at most, px."""
MOST_SHIFT = 1.5
"""A corner is not moved farther by that, px of the searched picture."""
OFF_GRID = 0.25
"""A corner this many squares off the grid of the others is a mistake of the finder; strong lenses bend by 0.15."""
WORK_SIDE = 1600
"""Longer pictures are searched reduced; corners are refined on the full picture."""


@dataclass(frozen=True)
class Board:
    """Inner corners of a chessboard, in continuous pixels."""

    rows: int
    columns: int
    corners: Points
    """(rows x columns, 2), row by row."""

    @property
    def places(self) -> Points:
        """(N, 2) of the same corners on the board, in squares."""
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        return np.column_stack([column, row]).astype(np.float64)


def find_board(image: GrayImage) -> Board | None:
    """Find the inner corners of one chessboard of any size from 3 x 3 inner corners on.

    Args:
        image: (H, W) uint8. Never written to.
    Returns:
        The board with the most corners that lie on a plane grid, or None.
    Source: Duda and Frese 2018 (OpenCV findChessboardCornersSB) with a growing pattern size; corners by the gradient
        rule of Forstner and Gulch 1987 (OpenCV cornerSubPix).
    """
    height, width = image.shape
    shrink = min(1.0, WORK_SIDE / max(height, width))
    small = image if shrink == 1 else cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    for size in SMALLEST:
        for flags in (cv2.CALIB_CB_NORMALIZE_IMAGE, 0, cv2.CALIB_CB_EXHAUSTIVE):
            board = _search(np.asarray(small, dtype=np.uint8), size, flags | cv2.CALIB_CB_LARGER)
            if board is not None:
                return _refined(image, board, shrink)
    return None


def _search(image: GrayImage, size: tuple[int, int], flags: int) -> Board | None:
    found, corners, meta = cv2.findChessboardCornersSBWithMeta(image, size, flags)
    if not found or corners is None or meta is None:
        return None
    rows, columns = meta.shape
    points = np.asarray(corners, dtype=np.float64).reshape(-1, 2) + 0.5
    if len(points) != rows * columns:
        return None
    board = Board(rows=rows, columns=columns, corners=points)
    return board if _is_plane(board) else None


def _is_plane(board: Board) -> bool:
    """A grid that a homography explains to a tenth of a square (lenses bend it less) is a board."""
    plane = board_plane(board, square=1.0)
    return plane is not None and plane.residual_px < 0.1 / plane.mm_per_px


def board_plane(board: Board, *, square: float) -> PlaneScale | None:
    """Scale of a board whose squares are `square` mm wide."""
    return fit_plane(board.places * square, board.corners)


def _replaced(board: Board) -> Points:
    """Corners with single ones that lie off the grid of the others put where that says; lenses bend it less."""
    matrix, _ = cv2.findHomography(board.places, board.corners, cv2.LMEDS)
    if matrix is None:
        return board.corners
    expected = apply_homography(np.asarray(matrix, dtype=np.float64), board.places)
    away = np.linalg.norm(expected - board.corners, axis=1)
    side = np.linalg.norm(expected[1] - expected[0])
    wrong = away > max(OFF_GRID * float(side), 4 * float(np.median(away)))
    return np.where(wrong[:, None], expected, board.corners)


def _refined(image: GrayImage, board: Board, shrink: float) -> Board:
    """Corners brought to the full picture and refined there over as much of their four squares as is free of others."""
    corners = _replaced(board) / shrink
    grid = corners.reshape(board.rows, board.columns, 2)
    steps = np.concatenate([np.linalg.norm(np.diff(grid, axis=axis), axis=2).ravel() for axis in (0, 1)])
    reach = int(np.clip(round(WINDOW * float(steps.min())), 2, MOST_WINDOW))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 60, 0.001)
    start = (corners - 0.5).astype(np.float32).reshape(-1, 1, 2)
    better = cv2.cornerSubPix(image, start, (reach, reach), (-1, -1), criteria).reshape(-1, 2).astype(np.float64) + 0.5
    away = np.linalg.norm(better - corners, axis=1)
    # The gradient rule can run away where something else is near: then the finder's corner stands.
    better = np.where((away < MOST_SHIFT / shrink)[:, None], better, board.corners / shrink)
    return Board(rows=board.rows, columns=board.columns, corners=better)
