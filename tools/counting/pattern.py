"""Count by the look of an example where no outline fills its box: a thing of many colours on a busy ground."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box
from tools.counting.families import Family
from tools.counting.items import Edges, Item, item_of
from tools.counting.sets import CountSet
from tools.counting.trials import Scene

TURNS = 24
SIZES = (0.9, 1.0, 1.1)
"""Sizes that are tried where the thing is hardly turned, over that of the example."""
FLOOR = 0.40
"""Correlation below which nothing looks like the example."""
LIKE = 0.5
"""Correlation that a place must reach to be taken."""
GAP = 0.12
"""The accepted places are this much more alike than any other place; if no such gap is there, the count is open."""
COARSE = 50_000
"""Pixels of the copy on which the example is looked for."""
Found = tuple[int, int, int, float]
"""Column and row of the middle, turn in steps, correlation."""


def by_pattern(scene: Scene, box: Box) -> CountSet | None:
    """Places that look like the example in any turn.

    Source: normalised cross-correlation over the colour channels (Lewis 1995) with the turned example, on a reduced
        copy; accepted are the places above the widest gap in likeness.
    """
    shrink = min(1.0, float(np.sqrt(COARSE / scene.light.size)))
    height, width = scene.light.shape
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    image = np.asarray(cv2.resize(scene.colours, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    x0, y0, x1, y1 = (round(v * shrink) for v in box)
    pattern = image[max(y0, 0):y1, max(x0, 0):x1]
    room = np.array(image.shape[:2]) > np.array(pattern.shape[:2])
    if min(pattern.shape[:2]) < 6 or not room.all() or pattern.std() < 2:
        return None
    places = _peaks(*_best_turn(image, pattern), pattern.shape)
    if not places:
        return None
    values = np.array([place[3] for place in places])
    last = _last(values)
    chosen = places[:last + 1]
    items = tuple(_turned_item(place, pattern.shape, shrink, scene.edges) for place in chosen)
    open_ones = int((np.abs(values[last + 1:] - values[last]) < GAP).sum())
    return CountSet(families=(Family(items),), score=float(values[:last + 1].mean()), purity=1.0, sharpness=1.0, cut=0,
                    leftover=open_ones, spare=open_ones, layer="pattern", hit=1.0)


def _last(values: NDArray[np.float64]) -> int:
    """Index of the last place that is taken; the first is the example itself, which is always most like itself."""
    steps = values - np.append(values[1:], FLOOR)
    steps[values < LIKE] = 0
    steps[0] = 0
    last = int(np.argmax(steps))
    return last if steps[last] > 0 else 0


def _best_turn(image: NDArray[np.float32],
               pattern: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """(H, W) best correlation with the example centred at each pixel, and in which turn."""
    best = np.full(image.shape[:2], -1.0, dtype=np.float32)
    turn = np.zeros(image.shape[:2], dtype=np.int32)
    for k in range(TURNS):
        for scale in SIZES if k in (0, 1, TURNS - 1) else (1.0,):
            wide, high = (max(4, round(side * scale)) for side in (pattern.shape[1], pattern.shape[0]))
            if high >= image.shape[0] or wide >= image.shape[1]:
                continue
            sized = pattern if scale == 1.0 else cv2.resize(pattern, (wide, high), interpolation=cv2.INTER_LINEAR)
            matrix = cv2.getRotationMatrix2D(((wide - 1) / 2, (high - 1) / 2), k * 360 / TURNS, 1.0)
            turned = cv2.warpAffine(sized, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE)
            found = cv2.matchTemplate(image, turned, cv2.TM_CCOEFF_NORMED)
            top, left = high // 2, wide // 2
            part = best[top:top + found.shape[0], left:left + found.shape[1]]
            better = found > part
            part[better] = found[better]
            turn[top:top + found.shape[0], left:left + found.shape[1]][better] = k
    return best, turn


def _peaks(best: NDArray[np.float32], turn: NDArray[np.int32], shape: tuple[int, ...]) -> list[Found]:
    """Places of local best likeness, the best first, none closer than 0.6 of the example's shorter side."""
    apart = 0.6 * min(shape[:2])
    rows, columns = np.nonzero(best > FLOOR)
    order = np.argsort(-best[rows, columns], kind="stable")
    kept: list[Found] = []
    taken = np.zeros(best.shape, dtype=np.uint8)
    for i in order:
        x, y = int(columns[i]), int(rows[i])
        if not taken[y, x]:
            kept.append((x, y, int(turn[y, x]), float(best[y, x])))
            cv2.circle(taken, (x, y), max(1, round(apart)), 1, -1)
    return kept


def _turned_item(place: Found, shape: tuple[int, ...], shrink: float, edges: Edges) -> Item:
    """The example's box, turned and put where it was found, in pixels of the scene."""
    x, y, k, _ = place
    centre = ((x + 0.5) / shrink, (y + 0.5) / shrink)
    corners = cv2.boxPoints((centre, (shape[1] / shrink, shape[0] / shrink), -k * 360 / TURNS))
    limit = np.array([edges.shape[1] - 1, edges.shape[0] - 1])
    return item_of(np.clip(np.round(corners), 0, limit).astype(np.int32).reshape(-1, 1, 2), edges)
