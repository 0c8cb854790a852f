"""Centre line of a line-like thing (scratch, crack, wire): its length, its width, its ends."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from kenpin.contracts.view import Mask, Points
from tools.measuring.across import mean_width
from tools.measuring.edges import profiles, sample
from tools.measuring.segment import Thing

ROUND_CAP = np.pi / 4
"""Share of a square end that a half circle fills."""
SEEN_END, SEEN_BLURS = 4.0, 4.0
"""From this width on one can see whether an end is square or round, px, and sigmas of the blur."""
ROUND_END = 0.39
"""Widths by which a square end of the same area lies beyond the centre of a round one: 1/2 times pi/4."""
UNSEEN_END = 0.34
"""One sigma of an end of unknown shape, in widths: so that twice the sigma of both ends is well twice `ROUND_END`."""
MOST_PIXELS = 12000
"""Larger masks are reduced before the path is searched."""


@dataclass(frozen=True)
class CentreLine:
    """The longest path through a line-like thing, in window coordinates."""

    points: Points
    """(N, 2) from end to end."""
    length: float
    """Along the centre line; round ends count to the centre of the rounding, square ends in full."""
    tip_length: float
    """Along the centre line from tip to tip."""
    width: float
    """Mean distance between the two edges, px."""
    width_doubt: float
    """Uncertainty of the mean width (one sigma), px."""
    end_doubt: float
    """How far an end may lie elsewhere (one sigma), px."""


def centre_line(thing: Thing, soft: float) -> CentreLine | None:
    """Trace the centre line of a thing.

    Args:
        thing: Mask and flat channel.
        soft: Blur of its edge (one sigma), px.
    Returns:
        The line, or None if the mask is too small for one.
    Source: longest geodesic of the mask (double sweep), cost lower along the middle of the distance transform; moved to
        the centroid of brightness across the line.
    """
    path = _geodesic(thing.mask)
    if path is None:
        return None
    half = max(1.0, float(np.median(cv2.distanceTransform(
        np.pad(thing.mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1][_cells(path, thing.mask.shape)])))
    line = _even(gaussian_filter1d(path, max(2.0, 1.5 * half), axis=0, mode="nearest"))
    line = _trimmed(line, half)
    if len(line) < 4:
        return None
    for _ in range(2):
        line = _even(_centred(line, thing, half))
    width, width_doubt = _width(line, thing, half)
    seen = max(SEEN_END, SEEN_BLURS * soft)
    line, caps, doubt = _extended(line, thing, width, seen)
    if width < seen:
        doubt = float(np.hypot(doubt, 2 * ROUND_END * width_doubt))
    whole = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    return CentreLine(points=line, length=max(whole - sum(caps), 0.0), tip_length=whole, width=width,
                      width_doubt=width_doubt, end_doubt=doubt)


def _geodesic(mask: Mask) -> Points | None:
    """(N, 2) longest path inside a mask, from pixel to pixel."""
    shrink = 1
    while np.count_nonzero(mask) / shrink**2 > MOST_PIXELS:
        shrink *= 2
    small = mask if shrink == 1 else cv2.resize(
        mask.astype(np.float32), (max(1, mask.shape[1] // shrink), max(1, mask.shape[0] // shrink)),
        interpolation=cv2.INTER_AREA) > 0.3
    rows, columns = np.nonzero(small)
    if len(rows) < 6:
        return None
    depth = cv2.distanceTransform(np.pad(small, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    graph, plain = _graph(small, depth)
    first = start = int(np.argmin(rows))
    for _ in range(2):
        far = dijkstra(plain, directed=False, indices=[start])[0]
        far[~np.isfinite(far)] = -1
        first, start = start, int(np.argmax(far))
    before = dijkstra(graph, directed=False, indices=[first], return_predecessors=True)[1][0]
    path = [start]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    if len(path) < 4:
        return None
    points = np.column_stack([columns[path], rows[path]]).astype(np.float64)
    grow = np.array([mask.shape[1] / small.shape[1], mask.shape[0] / small.shape[0]])
    return np.asarray((points + 0.5) * grow, dtype=np.float64)


def _graph(mask: Mask, depth: NDArray[np.float32]) -> tuple[csr_matrix, csr_matrix]:
    """8-neighbour graph of the mask's pixels: with low cost along the middle, and with plain distances."""
    number = np.full((mask.shape[0] + 2, mask.shape[1] + 2), -1, dtype=np.int64)
    inner = number[1:-1, 1:-1]
    inner[mask] = np.arange(np.count_nonzero(mask))
    deep = np.pad(depth, 1)
    here = inner[mask]
    heads, tails, plain, cost = [], [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        there = number[1 + dy:number.shape[0] - 1 + dy, 1 + dx:number.shape[1] - 1 + dx][mask]
        near = deep[1:-1, 1:-1][mask]
        next_to = deep[1 + dy:deep.shape[0] - 1 + dy, 1 + dx:deep.shape[1] - 1 + dx][mask]
        valid = there >= 0
        step = float(np.hypot(dy, dx))
        heads.append(here[valid])
        tails.append(there[valid])
        plain.append(np.full(int(valid.sum()), step))
        cost.append(step / np.minimum(near[valid], next_to[valid]) ** 2)
    size = (len(here), len(here))
    place = (np.concatenate(heads), np.concatenate(tails))
    return csr_matrix((np.concatenate(cost), place), size), csr_matrix((np.concatenate(plain), place), size)


def _cells(points: Points, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    cells = points.astype(np.int64)
    return np.clip(cells[:, 1], 0, shape[0] - 1), np.clip(cells[:, 0], 0, shape[1] - 1)


def _even(points: Points) -> Points:
    """The same open curve with points about one pixel apart."""
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(gaps)])
    at = np.linspace(0, length[-1], max(2, round(length[-1]) + 1))
    return np.column_stack([np.interp(at, length, points[:, 0]), np.interp(at, length, points[:, 1])])


def _trimmed(points: Points, half: float) -> Points:
    """Without the ends, where the farthest pixel sits in a corner and bends the line."""
    cut = min(round(half) + 1, (len(points) - 4) // 2)
    return points[cut:len(points) - cut] if cut > 0 else points


def _normals(points: Points, half: float) -> Points:
    slope = gaussian_filter1d(np.gradient(points, axis=0), max(2.0, 2 * half), axis=0, mode="nearest")
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    return np.column_stack([-slope[:, 1], slope[:, 0]])


def _centred(points: Points, thing: Thing, half: float) -> Points:
    """Move each point to the centroid of what stands out across the line."""
    normals = _normals(points, half)
    along, values = profiles(thing.relief.height, points, normals, 1.6 * half + 1.0)
    weight = np.clip(values - 0.25 * thing.contrast, 0, None)
    total = weight.sum(axis=1)
    offset = np.where(total > 0, (weight * along).sum(axis=1) / np.where(total > 0, total, 1.0), 0.0)
    offset = gaussian_filter1d(offset, max(2.0, 1.5 * half), mode="nearest")
    return points + offset[:, None] * normals


def _width(points: Points, thing: Thing, half: float) -> tuple[float, float]:
    """Mean width across the line and its one sigma."""
    along, raw = profiles(thing.relief.height, points, _normals(points, half), 2.0 * half + 3.0)
    values = gaussian_filter1d(raw, min(3.0, len(points) / 8), axis=0, mode="nearest")
    middle = len(along) // 2
    # A thing wide enough to show a plateau is measured at half of it, a thinner one at half of its typical height.
    plateau = gaussian_filter1d(values[:, middle - 1:middle + 2].mean(axis=1), 4.0, mode="nearest")
    level = 0.5 * np.maximum(plateau, 0.5 * thing.contrast)
    widths = []
    for row, limit in zip(values, level, strict=True):
        below = row < limit
        left, right = np.nonzero(below[:middle])[0], np.nonzero(below[middle:])[0]
        if below[middle] or not len(left) or not len(right):
            continue
        i, j = int(left[-1]), middle + int(right[0])
        start = along[i] + (limit - row[i]) / (row[i + 1] - row[i]) * (along[1] - along[0])
        end = along[j - 1] + (row[j - 1] - limit) / (row[j - 1] - row[j]) * (along[1] - along[0])
        widths.append(end - start)
    return mean_width(along, raw, np.array(widths), thing.relief.noise)


def _extended(points: Points, thing: Thing, width: float, seen: float) -> tuple[Points, list[float], float]:
    """Carry the line on to where it ends, and say how much of each end is rounding."""
    caps, doubts = [], []
    line = points
    for _ in range(2):
        line = line[::-1]
        tip, filled, blur = _tip(line, thing, width, seen)
        line = np.vstack([line, tip]) if np.linalg.norm(tip - line[-1]) > 0.05 else line
        caps.append(width / 2 * float(np.clip((1 - filled) / (1 - ROUND_CAP), 0, 1)))
        shape = UNSEEN_END * width if width < seen else (0.2 if width < 2 * seen else 0.1) * width
        doubts.append(float(np.hypot(0.2 + blur, shape)))
    return line, caps, float(np.hypot(doubts[0], doubts[1]))


def _tip(line: Points, thing: Thing, width: float, seen: float) -> tuple[Points, float, float]:
    """Half-height end beyond the last point, share of the end that is filled, and half the blur of the end."""
    back = min(len(line) - 1, max(6, round(2 * width)))
    heading = line[-1] - line[-1 - back]
    heading = heading / max(float(np.linalg.norm(heading)), 1e-9)
    side = np.array([-heading[1], heading[0]])
    ahead = np.arange(-2 * width - 2, 3 * width + 6, 0.25)
    across = np.linspace(-width / 4, width / 4, 5)
    places = line[-1] + ahead[:, None, None] * heading + across[None, :, None] * side
    values = sample(thing.relief.height, places).mean(axis=1)
    body = max(float(np.median(values[ahead < -0.5])), 0.5 * thing.contrast)
    low = np.nonzero((values < body / 2) & (ahead > -width - 1))[0]
    if not len(low) or low[0] == 0:
        return line[-1:], ROUND_CAP, 1.0
    j = int(low[0])
    step = (values[j - 1] - body / 2) / max(values[j - 1] - values[j], 1e-6)
    reach = ahead[j - 1] + min(max(step, 0.0), 1.0) * 0.25
    reach = _settled(line[-1], heading, side, thing, reach, width)
    filled = ROUND_CAP if width < seen else _filling(line[-1] + reach * heading, heading, side, thing, width, body)
    rounded = float(np.clip((1 - filled) / (1 - ROUND_CAP), 0, 1))
    return line[-1:] + (reach + (1 - ROUND_CAP) / 2 * width * rounded) * heading, filled, 0.2


def _settled(start: NDArray[np.float64], heading: NDArray[np.float64], side: NDArray[np.float64], thing: Thing,
             reach: float, width: float) -> float:
    """Where a square end of the same area would lie: unlike half height, this is the same at any blur."""
    rows = np.arange(reach - 2 * width - 6, reach + width / 2 + 2, 0.25) + 0.125
    columns = np.arange(-width / 2 - 1.5, width / 2 + 1.5, 0.25) + 0.125
    places = start + rows[:, None, None] * heading + columns[None, :, None] * side
    cross = sample(thing.relief.height, places).sum(axis=1)
    before = rows < reach - width - 2
    usual = float(cross[before].mean())
    if usual <= 0:
        return reach
    settled = float(rows[~before][0]) - 0.125 + float(cross[~before].sum()) / usual * 0.25
    return settled if abs(settled - reach) < 0.3 * width + 1.0 else reach


def _filling(tip: NDArray[np.float64], heading: NDArray[np.float64], side: NDArray[np.float64], thing: Thing,
             width: float, body: float) -> float:
    """Share of the last half width that the thing fills: 1 for a square end, pi / 4 for a round one."""
    rows, columns = np.arange(-width / 2, 0, 0.25) + 0.125, np.arange(-width / 2, width / 2, 0.25) + 0.125
    end = tip + rows[:, None, None] * heading + columns[None, :, None] * side
    return float(np.clip(sample(thing.relief.height, end) / body, 0, 1).mean())
