"""Square markers (ArUco, AprilTag) with sub-pixel corners."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, Points, RgbImage, enclosing
from tools.measuring.edges import crossings
from tools.measuring.lines import Line, fit_line
from tools.pixels.grey import grey

USUAL = ("4X4_50", "5X5_100", "6X6_250", "7X7_250", "ARUCO_ORIGINAL", "APRILTAG_36h11", "APRILTAG_25h9",
         "APRILTAG_16h5", "ARUCO_MIP_36h12")
LARGE = ("APRILTAG_36h10", "7X7_1000", "6X6_1000", "5X5_1000", "4X4_1000")
"""Tried only if none of the usual ones is found: large dictionaries also fit squares that are no markers."""
WORK_AREA = 4_000_000
"""Larger pictures are searched reduced; corners are refined on the full picture."""
Found = tuple[Points, int, str]
"""Corners, number, dictionary."""
CELLS = {"4": 6, "5": 7, "6": 8, "7": 9}
"""Cells on a side, with the black border."""


@dataclass(frozen=True)
class Marker:
    """A marker as it lies on the picture."""

    id: int
    dictionary: str
    corners: Points
    """(4, 2) corners of the black square in continuous pixels, clockwise from the marker's own top left."""
    side_px: float
    """Mean length of the four sides of the black square; the white zone around it does not count."""
    corner_sigma: float
    """Uncertainty of a corner (one sigma), px."""

    @property
    def box(self) -> Box:
        """Smallest box around the black square."""
        return enclosing(self.corners)


def find_markers(pixels: RgbImage) -> tuple[Marker, ...]:
    """Find square markers of all common dictionaries.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
    Returns:
        Markers from the largest to the smallest, in pixels of `pixels`; empty if there is none.
    Source: Garrido-Jurado et al. 2014 (OpenCV aruco); sides refined by half-height edges and fitted lines.
    """
    image = grey(pixels)
    if min(image.shape) < 12:
        return ()
    shrink = min(1.0, float(np.sqrt(WORK_AREA / image.size)))
    small = image if shrink == 1 else cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    grow = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]])
    found = [(corners * grow, number, name) for corners, number, name in _detect(np.asarray(small, dtype=np.uint8))]
    return tuple(sorted((_on_full(image, *item) for item in found), key=lambda m: -m.side_px))


def _on_full(image: NDArray[np.uint8], corners: Points, number: int, name: str) -> Marker:
    """Refine one marker on a window of the full picture."""
    reach = 12 + 0.2 * _side_px(corners)
    x, y = np.maximum(np.floor(corners.min(axis=0) - reach), 0).astype(int)
    right, bottom = np.ceil(corners.max(axis=0) + reach).astype(int)
    shift = np.array([x, y], dtype=np.float64)
    marker = _refined(image[y:bottom, x:right].astype(np.float32), corners - shift, number, name)
    return replace(marker, corners=marker.corners + shift)


@lru_cache(maxsize=4)
def _detector(names: tuple[str, ...], correction: float) -> Any:
    aruco = cv2.aruco
    parameters = aruco.DetectorParameters()
    parameters.minDistanceToBorder = 0
    parameters.errorCorrectionRate = correction
    dictionaries = [aruco.getPredefinedDictionary(getattr(aruco, f"DICT_{name}")) for name in names]
    return aruco.ArucoDetector(dictionaries, parameters, aruco.RefineParameters())


def _read(image: NDArray[np.uint8], names: tuple[str, ...], correction: float) -> list[Found]:
    """Markers with corners in continuous pixels, those of the first dictionaries first."""
    corners, numbers, _, which = _detector(names, correction).detectMarkersMultiDict(image)
    if numbers is None or not len(corners):
        return []
    order = np.argsort(np.ravel(which), kind="stable")
    return [(np.asarray(corners[i], dtype=np.float64).reshape(4, 2) + 0.5, int(np.ravel(numbers)[i]),
             names[int(np.ravel(which)[i])]) for i in order]


def _detect(image: NDArray[np.uint8]) -> list[Found]:
    """Only four-sided shapes with a dark frame are read: reading compares with every marker of every dictionary."""
    found: list[Found] = []
    for quad in _quads(image):
        centre, side = quad.mean(axis=0), _side_px(quad)
        if any(np.linalg.norm(centre - other.mean(axis=0)) < _side_px(other) / 2 for other, _, _ in found):
            continue
        if not _framed(image, quad):
            continue
        low = np.maximum(np.floor(quad.min(axis=0) - 0.35 * side - 4), 0).astype(int)
        high = np.ceil(quad.max(axis=0) + 0.35 * side + 4).astype(int)
        part = np.ascontiguousarray(image[low[1]:high[1], low[0]:high[0]])
        for corners, number, name in _read(part, USUAL, 0.6) or (_read(part, LARGE, 0.0) if side > 24 else []):
            _add(found, (corners + low, number, name))
    return found


def _quads(image: NDArray[np.uint8]) -> list[Points]:
    """Dark convex shapes with four corners, at three ways to tell dark from light."""
    masks = [cv2.threshold(image, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1]]
    for window in (23, 71):
        if window < min(image.shape):
            masks.append(cv2.adaptiveThreshold(
                image, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, window, 7))
    quads: list[Points] = []
    for mask in masks:
        for contour in cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
            if len(contour) < 30:
                continue
            corners = cv2.approxPolyDP(contour, 0.04 * len(contour), True)
            if len(corners) == 4 and cv2.isContourConvex(corners) and cv2.contourArea(corners) > 144:
                quad = corners.reshape(4, 2).astype(np.float64) + 0.5
                sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
                if sides.min() > 0.4 * sides.max():
                    quads.append(quad)
    return quads


def _side_px(quad: Points) -> float:
    return float(np.sqrt(abs(cv2.contourArea(quad.astype(np.float32)))))


def _add(found: list[Found], item: Found) -> None:
    """Keep one entry a place."""
    centre, side = item[0].mean(axis=0), _side_px(item[0])
    if all(np.linalg.norm(centre - other.mean(axis=0)) > side / 2 for other, _, _ in found):
        found.append(item)


def _framed(image: NDArray[np.uint8], quad: Points) -> bool:
    """Whether a four-sided shape has a dark frame, light outside it, and both light and dark cells inside it."""
    square = np.array([[4, 4], [28, 4], [28, 28], [4, 28]], dtype=np.float32)
    quad = quad[np.argsort(np.arctan2(*(quad - quad.mean(axis=0)).T[::-1]))]
    matrix = cv2.getPerspectiveTransform((quad - 0.5).astype(np.float32), square)
    flat = cv2.warpPerspective(image, matrix, (32, 32), borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
    sides = (slice(None), slice(6, 26))
    frame = np.concatenate([np.rot90(flat, k)[5][sides[1]] for k in range(4)])
    around = np.concatenate([np.rot90(flat, k)[2][sides[1]] for k in range(4)])
    inside = flat[9:23, 9:23]
    middle = (np.median(frame) + np.median(around)) / 2
    if np.median(around) - np.median(frame) < 10 or np.mean(frame < middle) < 0.85:
        return False
    return 0.05 < float(np.mean(inside > middle)) < 0.95


def _cells(name: str) -> int:
    digits = [letter for letter in name if letter in CELLS]
    if name.startswith("APRILTAG"):
        return {"16h5": 6, "25h9": 7}.get(name.split("_")[1], 8)
    return 8 if name == "ARUCO_MIP_36h12" else 7 if name == "ARUCO_ORIGINAL" else CELLS[digits[0]]


def _refined(image: NDArray[np.float32], corners: Points, number: int, name: str) -> Marker:
    """Replace rough corners by where lines through the sub-pixel edges of the sides meet."""
    for _ in range(2):
        lines = [_side(image, corners[i], corners[(i + 1) % 4], _cells(name)) for i in range(4)]
        if any(line is None for line in lines):
            break
        sure = [line for line in lines if line is not None]
        better = np.array([sure[i - 1].meet(sure[i]) for i in range(4)])
        side = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).mean()
        if not np.isfinite(better).all() or np.abs(better - corners).max() > 0.15 * side + 1:
            lines = [None]
            break
        corners = better
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return Marker(id=number, dictionary=name, corners=corners, side_px=float(sides.mean()), corner_sigma=_sigma(lines))


def _side(image: NDArray[np.float32], start: NDArray[np.float64], end: NDArray[np.float64], cells: int) -> Line | None:
    """The edge between two corners; the normal points outwards for corners in clockwise order."""
    length = float(np.linalg.norm(end - start))
    direction = (end - start) / length
    normal = np.array([direction[1], -direction[0]])
    reach = float(np.clip(0.7 * length / cells, 1.5, 8.0))
    inset = 0.5 / cells
    places = np.linspace(inset, 1 - inset, max(8, round(length)))
    points = start + places[:, None] * (end - start)
    return fit_line(crossings(image, points, np.tile(normal, (len(points), 1)), reach=reach).points)


def _sigma(lines: list[Line | None]) -> float:
    """One sigma of a corner: scatter of the sides' edges, never below what the half-height rule itself is worth."""
    if any(line is None for line in lines):
        return 0.7
    scatter = [line.sigma / np.sqrt(max(1.0, line.used / 3)) for line in lines if line is not None]
    return float(np.hypot(np.mean(scatter) * np.sqrt(2), 0.05))
