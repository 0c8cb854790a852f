"""DataMatrix codes that a general reader misses: dots that do not touch, pale modules, textured ground.

The square is found by its contrast, turned upright by its rows, fitted by its own finder pattern, sampled module by
module, drawn anew without the ground, and decoded by zxing-cpp, whose error correction has the last word: a wrong fit
decodes to nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Points

Field = NDArray[np.float32]

SIDES = (10, 12, 14, 16, 18, 20, 22, 24, 26)
"""Modules along a side of the square sizes without inner alignment bars (ISO/IEC 16022)."""

SCALES = (1.2, 1.9)
"""Sigma in px of the blobs that modules are, in the picture and in one of half its size; they stand 2 to 3 sigma
apart."""

SHARES = (0.2, 0.35)
"""Of the way from the median contrast to the highest: what is above belongs to the square."""

WORK = 192
"""Side in px of an upright square with the ground around it."""

GROWN = 1.35
"""How much more than the square is cut out."""

FITS, ROUNDS = 3, 6
"""Fits refined in a square, and rounds of refinement."""

LEAST_FINDER, WORTH_REFINING = 0.45, 0.25
"""Correlation of the finder pattern with the samples, below which a fit is not decoded, and not even refined."""


@dataclass(frozen=True)
class _Fit:
    corners: Points
    """(4, 2) px in the upright square, top left, top right, bottom right, bottom left."""
    side: int
    turns: int
    """Quarter turns counterclockwise until the solid sides lie left and below."""
    score: float


def matrices(gray: GrayImage) -> Iterator[tuple[GrayImage, Points]]:
    """Likely DataMatrix codes, drawn anew, with the corners of their places.

    Args:
        gray: (H, W) uint8. Never written to.
    Returns:
        (N, N) uint8 pictures, black on white with a quiet zone, and (4, 2) px corners in `gray`.
    """
    half = np.asarray(cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    for page, step in ((gray, 1.0), (half, 2.0)):
        for drawn, place in _in_page(page):
            yield drawn, place * step


def _in_page(gray: GrayImage) -> Iterator[tuple[GrayImage, Points]]:
    flat = gray.astype(np.float32)
    for sigma in SCALES:
        soft = cv2.GaussianBlur(flat, (0, 0), sigma)
        band = np.asarray(cv2.GaussianBlur(flat, (0, 0), 4 * sigma) - soft, np.float32)
        seen: list[Points] = []
        for share in SHARES:
            for square in _squares(band, sigma, share):
                if any(float(np.abs(square - other).max()) < 3 * sigma for other in seen):
                    continue
                seen.append(square)
                yield from _read(band, square)


def _read(band: Field, square: Points) -> Iterator[tuple[GrayImage, Points]]:
    matrix = cv2.getPerspectiveTransform(np.array([[0, 0], [WORK, 0], [WORK, WORK], [0, WORK]], np.float32),
                                         square.astype(np.float32))
    upright = cv2.warpPerspective(band, matrix, (WORK, WORK), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                                  borderMode=cv2.BORDER_REFLECT)
    for signed in (np.asarray(upright, np.float32), np.asarray(-upright, np.float32)):
        for fit in _fits(signed):
            place = cv2.perspectiveTransform(fit.corners[None].astype(np.float64), matrix.astype(np.float64))[0]
            for drawn in _drawn(signed, fit):
                yield drawn, np.asarray(place, np.float64)


def _squares(band: Field, sigma: float, share: float) -> list[Points]:
    """Places with strong contrast about as high as wide, turned upright: (4, 2) px corners with ground around."""
    power = band * band
    for size in (10, 6):
        power = cv2.blur(power, (int(size * sigma) | 1,) * 2)
    median = float(np.median(power))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (power > median + share * (float(power.max()) - median)).astype(np.uint8))
    found = []
    for i in np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:2] + 1:
        centre, size, _ = cv2.minAreaRect(np.argwhere(labels == i)[:, ::-1].astype(np.float32))
        if min(size) > 8 * sigma and max(size) < 2 * min(size):
            found.append(_upright(band, np.array(centre), GROWN * max(size), sigma))
    return found


def _upright(band: Field, centre: Points, side: float, sigma: float) -> Points:
    """Corners of a square around a centre, turned so that rows and columns of modules lie along its sides.

    Source: sums along rows and columns change most from one to the next where they follow the modules.
    """
    def corners(degrees: float, length: float) -> Points:
        angle = np.radians(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray(centre + (length / 2) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ turn.T, np.float64)

    size = int(np.clip(1.5 * side / sigma, 40, WORK))
    frame = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)

    def sharp(degrees: float) -> float:
        matrix = cv2.getPerspectiveTransform(frame, corners(degrees, side / GROWN).astype(np.float32))
        cut = cv2.warpPerspective(band, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return float(np.var(np.diff(cut.mean(axis=0))) + np.var(np.diff(cut.mean(axis=1))))

    coarse = max(np.arange(-45.0, 45.0, 3.0), key=sharp)
    return corners(float(max(coarse + np.arange(-3.0, 3.1, 0.75), key=sharp)), side)


def _fits(signed: Field) -> list[_Fit]:
    """Fits of the finder pattern to an upright picture in which dark is positive, the best first."""
    left, right = _extent(np.abs(signed).mean(axis=0))
    top, bottom = _extent(np.abs(signed).mean(axis=1))
    first = []
    for side in SIDES:
        pitch = (right - left + bottom - top) / 2 / side
        for grow in (-1.0, 0.0, 1.0):
            for dx in (-0.7, 0.0, 0.7):
                for dy in (-0.7, 0.0, 0.7):
                    x0, y0 = left + (dx - grow / 2) * pitch, top + (dy - grow / 2) * pitch
                    x1, y1 = right + (dx + grow / 2) * pitch, bottom + (dy + grow / 2) * pitch
                    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
                    turns, score = _finder(signed, corners, side)
                    first.append(_Fit(corners, side, turns, score))
    best = [max((fit for fit in first if fit.side == side), key=lambda fit: fit.score) for side in SIDES]
    promising = [fit for fit in sorted(best, key=lambda fit: -fit.score)[:FITS] if fit.score >= WORTH_REFINING]
    fits = [_refined(signed, fit) for fit in promising]
    return sorted((fit for fit in fits if fit.score >= LEAST_FINDER), key=lambda fit: -fit.score)


def _extent(profile: NDArray[np.float32]) -> tuple[float, float]:
    """Where a profile rises above halfway between its ground and its height."""
    smooth = np.convolve(profile, np.ones(9) / 9, mode="same")
    low, high = np.quantile(smooth, [0.1, 0.8])
    inside = np.flatnonzero(smooth > (low + high) / 2)
    return float(inside[0]), float(inside[-1] + 1)


def _refined(signed: Field, fit: _Fit) -> _Fit:
    """Corners moved one after the other as long as the finder pattern fits better (coordinate ascent)."""
    step = 0.5 * float(np.ptp(fit.corners[:, 0])) / fit.side
    for _ in range(ROUNDS):
        for corner in range(4):
            for move in ((step, 0), (-step, 0), (0, step), (0, -step)):
                corners = fit.corners.copy()
                corners[corner] += move
                turns, score = _finder(signed, corners, fit.side)
                if score > fit.score:
                    fit = _Fit(corners, fit.side, turns, score)
        step *= 0.65
    return fit


def _samples(signed: Field, corners: Points, side: int, rows: NDArray[np.float64],
             columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values at module centres, given by their rows and columns from the top left."""
    u, v = ((columns + 0.5) / side)[:, None], ((rows + 0.5) / side)[:, None]
    at = (1 - v) * ((1 - u) * corners[0] + u * corners[1]) + v * ((1 - u) * corners[3] + u * corners[2])
    x, y = np.clip(at.round().astype(np.intp), 0, WORK - 1).T
    return np.asarray(signed[y, x], np.float32)


def _finder(signed: Field, corners: Points, side: int) -> tuple[int, float]:
    """Best of the four directions and the correlation with its finder pattern."""
    rows, columns, patterns = _PATTERNS[side]
    values = _samples(signed, corners, side, rows, columns)
    values = values - values.mean()
    scores = patterns @ values / max(float(np.linalg.norm(values)), 1e-6)
    turns = int(scores.argmax())
    return turns, float(scores[turns])


def _pattern(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Modules of the border and of the ground around it, and what is dark there for each of four directions."""
    page = np.full((side + 2, side + 2), -1.0)
    page[1:-1, 1] = page[-2, 1:-1] = 1.0
    page[1, 1:-1:2] = page[2:-1:2, -2] = 1.0
    page[2:-2, 2:-2] = 0.0
    rows, columns = np.nonzero(page)
    turned = [np.rot90(page, -k)[rows, columns] for k in range(4)]
    centred = np.array([one - one.mean() for one in turned], dtype=np.float32)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    return rows - np.float64(1), columns - np.float64(1), centred


_PATTERNS = {side: _pattern(side) for side in SIDES}


def _drawn(signed: Field, fit: _Fit) -> Iterator[GrayImage]:
    """The code drawn anew at two thresholds: halfway between the border's dark and light, and by Otsu."""
    rows, columns = (grid.ravel().astype(np.float64) for grid in np.mgrid[:fit.side, :fit.side])
    values = _samples(signed, fit.corners, fit.side, rows, columns)
    around = _samples(signed, fit.corners, fit.side, *_PATTERNS[fit.side][:2])
    pattern = _PATTERNS[fit.side][2][fit.turns]
    halfway = (float(around[pattern > 0].mean()) + float(around[pattern < 0].mean())) / 2
    low, high = float(values.min()), float(values.max())
    scaled = ((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    otsu = low + (high - low) / 255 * float(cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)[0])
    for threshold in (halfway, otsu):
        modules = np.where(values.reshape(fit.side, fit.side) > threshold, 0, 255).astype(np.uint8)
        yield np.pad(np.kron(np.rot90(modules, fit.turns), np.ones((4, 4), np.uint8)), 16, constant_values=255)
