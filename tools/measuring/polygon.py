"""Contours that are made of straight sides: their true corners, which blur and smoothing round off."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points
from tools.measuring.lines import Line, fit_line

LOOSE = 0.6
"""Scatter about a side from which on nothing can be said, px."""
MOST_SIDES = 12
BULGE = 0.08
"""How far the middle of a straight side may lie off its ends, px; noise is allowed for on top."""
SAME = np.cos(np.radians(6.0))
"""Neighbouring sides that differ by less are one side."""


FAR = 3.0
"""Blur cuts a corner off by less than this and 1.5 sigma, px."""
NOISE_TURN = 12.0
"""Corner doubts over the shortest side: how far from a right angle noise alone turns it."""
COARSE = 0.012
"""Corners of a coarse outline stand out by this share of the perimeter."""
TRIM = 0.15
"""Share of a coarse side left out at each end, where the contour rounds the corner."""


@dataclass(frozen=True, eq=False)
class _Side:
    line: Line
    bulge: float
    """How far its middle lies outside its ends, px."""
    noise: float
    """One sigma of the bulge from the scatter of its points, px."""
    length: int
    """Points of the contour that it takes up."""
    kept: NDArray[np.int64]
    """Indices of those that the line was fitted to."""


@dataclass(frozen=True)
class Polygon:
    """True corners of a contour that is made of straight sides."""

    corners: Points
    """(M, 2) where the fitted sides meet, in order."""
    doubt: float
    """One sigma of the worst corner from the scatter of the sides, px."""
    runs: tuple[NDArray[np.int64], ...]
    """Indices of the contour points on each side, without its ends; side i goes from corner i to the next."""

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(M,) of the sides, px."""
        return np.asarray(np.linalg.norm(np.roll(self.corners, -1, axis=0) - self.corners, axis=1))


def sharp_corners(points: Points, soft: float) -> Polygon | None:
    """Corners of a contour that is a polygon.

    Args:
        points: (N, 2) closed sub-pixel contour, about one point a pixel, where half height lies.
        soft: Blur of the edge (one sigma), px: rounds corners and shortens sides.
    Returns:
        The polygon; None if the contour has bent or very short sides.
    Source: Douglas and Peucker 1973 for the number of sides, total least squares for each.
    """
    sides = _sides(points, soft)
    if sides is None:
        return None
    corners = np.array([sides[i - 1].line.meet(sides[i].line) for i in range(len(sides))])
    if not np.isfinite(corners).all():
        return None
    apart = np.sqrt(((corners[:, None] - points[None]) ** 2).sum(axis=2)).min(axis=1)
    if apart.max() > FAR + 1.5 * soft:
        return None
    # A line through n points is known four times worse in variance at its ends than in its middle. All sides are the
    # same kind of edge, so that a short one that fits by chance is no better known than the others.
    used = np.array([side.line.used for side in sides], dtype=np.float64)
    common = float(np.sqrt((used * np.array([side.line.sigma for side in sides]) ** 2).sum() / used.sum()))
    ends = [4 * max(side.line.sigma, common) ** 2 / min(shared(side.line.used, soft), 1e9) for side in sides]
    return _squared(Polygon(corners, float(np.sqrt(max(ends))), tuple(side.kept for side in sides)), points)


def _squared(found: Polygon, points: Points) -> Polygon:
    """A rectangle where all four corners are right ones but for what noise explains: its short sides, which are known
    least, then take their direction from the long ones."""
    corners = found.corners
    if len(corners) != 4:
        return found
    arms = np.roll(corners, -1, axis=0) - corners
    size = found.lengths
    cosines = np.abs((arms * np.roll(arms, -1, axis=0)).sum(axis=1)) / np.maximum(size * np.roll(size, -1), 1e-9)
    if cosines.max() > NOISE_TURN * found.doubt / max(float(size.min()), 1e-9):
        return found
    turned = np.array([arms[0], [arms[1][1], -arms[1][0]], -arms[2], [-arms[3][1], arms[3][0]]])
    if turned[0] @ turned[1] < 0:
        turned[[1, 3]] *= -1
    # Each side's direction counts as well as it is known: by the cube of its length.
    axis = (turned * (size**2)[:, None]).sum(axis=0)
    axis = axis / np.linalg.norm(axis)
    across = np.array([-axis[1], axis[0]])
    level = [float((points[run] @ (across if i % 2 == 0 else axis)).mean()) for i, run in enumerate(found.runs)]
    square = np.array([level[3] * axis + level[0] * across, level[1] * axis + level[0] * across,
                       level[1] * axis + level[2] * across, level[3] * axis + level[2] * across])
    return Polygon(square, found.doubt / 2, found.runs)


def shared(number: int, soft: float) -> float:
    """How many of so many neighbouring contour points count as independent: they share pixels and blur."""
    return max(1.0, number / (2 + 2 * soft))


def coarse_runs(points: Points) -> list[NDArray[np.int64]]:
    """Indices of the long straight stretches of any contour, without their ends; at least eight points each."""
    reach = COARSE * cv2.arcLength(points.astype(np.float32), closed=True)
    coarse = cv2.approxPolyDP(points.astype(np.float32), reach, closed=True).reshape(-1, 2).astype(np.float64)
    nearest = [int(np.argmin(((points - corner) ** 2).sum(axis=1))) for corner in coarse]
    runs = []
    for start, stop in zip(nearest, [*nearest[1:], nearest[0]], strict=True):
        run = (start + np.arange((stop - start) % len(points))) % len(points)
        kept = run[round(TRIM * len(run)):len(run) - round(TRIM * len(run))]
        if len(kept) >= 8:
            runs.append(kept)
    return runs


def _sides(points: Points, soft: float) -> list[_Side] | None:
    """Sides of a polygon in order, or None if the contour is none."""
    soft = float(np.clip(soft, 0.5, 4.0))
    runs = _runs(points, soft)
    if runs is None:
        return None
    outwards = _outwards(points)
    found = [_side(points, run, soft, outwards) for run in runs]
    if any(side is None for side in found):
        return None
    sides = _without_cuts([side for side in found if side is not None], points, soft)
    if any(abs(side.bulge) > BULGE * (1 + 0.5 * soft) + 2.5 * side.noise for side in sides):
        return None
    # Straight sides bulge either way by chance; those of a bent outline all bulge to the same side.
    common = float(np.mean([side.bulge for side in sides]))
    doubt = float(np.sqrt(sum(side.noise**2 for side in sides))) / len(sides)
    return None if abs(common) > BULGE + 2 * doubt else sides


def _runs(points: Points, soft: float) -> list[NDArray[np.int64]] | None:
    """Indices of the contour points of each side, without the corners; None if there are too few or too many."""
    coarse = cv2.approxPolyDP(points.astype(np.float32), 0.9 + 0.5 * soft, closed=True)
    coarse = coarse.reshape(-1, 2).astype(np.float64)
    if not 3 <= len(coarse) <= 2 * MOST_SIDES:
        return None
    starts = [int(np.argmin(((points - corner) ** 2).sum(axis=1))) for corner in coarse]
    # Douglas and Peucker keep the order of the contour, so the next corner is always ahead, around the end if need be.
    ends = [*starts[1:], starts[0]]
    spans = [(start, (stop - start) % len(points)) for start, stop in zip(starts, ends, strict=True)]
    whole = _joined(points, [span for span in spans if span[1] > 2.5 + 2.0 * soft])
    if not 3 <= len(whole) <= MOST_SIDES:
        return None
    return [np.arange(start, start + length + 1) % len(points) for start, length in whole]


def _joined(points: Points, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring sides in one line made one: noise can split a long side."""
    size = len(points)
    joined = list(spans)
    i = 0
    while len(joined) > 3 and i < len(joined):
        (a, reach), (b, far) = joined[i], joined[(i + 1) % len(joined)]
        first, second = (points[(s + n) % size] - points[s % size] for s, n in ((a, reach), (b, far)))
        scale = float(np.linalg.norm(first) * np.linalg.norm(second))
        if scale > 0 and float(first @ second) / scale > SAME:
            joined[i] = (a, (b + far - a) % size)
            joined.pop((i + 1) % len(joined))
            i = max(0, i - 1)
        else:
            i += 1
    return joined


def _side(points: Points, run: NDArray[np.int64], soft: float, outwards: float) -> _Side | None:
    """The line through a side, or None if it is too rough or too short to tell."""
    end = min(round(1.2 + 1.8 * soft), (len(run) - 4) // 2)
    inner = run[end:len(run) - end] if end > 0 else run
    kept = points[inner]
    line = fit_line(kept) if len(kept) >= 4 else None
    if line is None or line.sigma > LOOSE:
        return None
    heading = kept[-1] - kept[0]
    direction = line.direction if heading @ line.direction > 0 else -line.direction
    across = outwards * ((kept - line.centre) @ np.array([direction[1], -direction[0]]))
    third = max(1, len(kept) // 3)
    middle = across[third:len(kept) - third]
    ends = np.concatenate([across[:third], across[len(kept) - third:]])
    # Neighbouring points share pixels and blur: about 2 + 2 sigma of them count as one.
    along = (kept - line.centre) @ direction
    bent = np.polynomial.Polynomial.fit(along, across, 2)
    scatter = float(np.std(across - bent(along))) * float(np.sqrt(len(kept) / max(len(kept) - 3, 1)))
    noise = max(scatter, 0.02) * float(np.sqrt((2 + 2 * soft) * (1 / max(len(middle), 1) + 1 / len(ends))))
    bulge = float(middle.mean() - ends.mean()) if len(middle) else 0.0
    if np.ptp(along) < 1e-6:
        return None
    return _Side(line, bulge, noise, len(run), inner)


def _without_cuts(sides: list[_Side], points: Points, soft: float) -> list[_Side]:
    """Without the short sides that are nothing but a rounded corner: their neighbours meet right beside the contour."""
    kept = list(sides)
    for side in sorted(sides, key=lambda s: s.length):
        if side.length > 6 + 3 * soft or len(kept) <= 3:
            break
        at = kept.index(side)
        crossing = kept[at - 1].line.meet(kept[(at + 1) % len(kept)].line)
        if np.isfinite(crossing).all() and np.sqrt(((points - crossing) ** 2).sum(axis=1)).min() < 1.5 + 1.2 * soft:
            kept.pop(at)
    return kept


def _outwards(points: Points) -> float:
    """1 if the outside lies to the right of the contour's direction as (dy, -dx) has it, else -1."""
    x, y = points[:, 0], points[:, 1]
    return 1.0 if float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) > 0 else -1.0
