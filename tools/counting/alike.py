"""Count by example: the user points at one, those alike are counted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box
from tools.counting.apart import FIT, misfit, parts_like, separated, without_cut
from tools.counting.families import Family
from tools.counting.items import Item, features, item_of, items_of
from tools.counting.nouns import Hint
from tools.counting.sets import CountSet, as_large, explained
from tools.counting.split import split
from tools.counting.trials import SMALLEST, Scene, Trial

MEANT = 0.5
"""Overlap (intersection over union) from which on a shape is what the box points at."""
ALIKE = 2.2
"""Distance in `features` up to which a shape is like the example: the user said which one, so it may be wider."""
TOLD = 0.7
"""Whoever points at one thing says that all else does not matter, so other shapes make the count no less sure."""
TURNS = 24
PATTERN = 0.55
"""Correlation from which on a place looks like the example."""
COARSE = 60_000


def by_example(scene: Scene, box: Box, *, hint: Hint, touching: bool) -> list[CountSet]:
    """Sets of things like the one in a box, the most convincing first.

    Args:
        scene: The picture with all masks of it.
        box: Around one of the things, pixels of the scene.
        hint: What the noun says.
        touching: Cut touching things apart.
    """
    sets = [found for trial in scene.trials
            if (found := _in_trial(scene, trial, box, hint=hint, touching=touching)) is not None]
    if sets:
        return sorted(sets, key=lambda found: -found.score)
    found = _by_pattern(scene, box)
    return [found] if found is not None else []


def _in_trial(scene: Scene, trial: Trial, box: Box, *, hint: Hint, touching: bool) -> CountSet | None:
    items = items_of(trial.mask, scene.edges, least=SMALLEST)
    meant = _meant(items, box) or (_meant(_all_parts(items, box, scene, hint), box) if touching else None)
    if meant is None:
        return None
    like = Family((meant,))
    if touching:
        items = [part for item in items for part in
                 ([item] if item is meant or _near([item], meant)[0] else parts_like(item, scene.edges, like))]
    kept, cut = without_cut(items)
    near = _near(kept, meant)
    counted = [item for item, good in zip(kept, near, strict=True)
               if (good or (item.part and misfit([item], like)[0] < 2 * FIT)) and item.edge > 0.4 * meant.edge]
    if not counted:
        return None
    others = [item for item in kept if all(item is not one for one in counted)]
    sharp = float(np.mean([item.edge / (item.edge + 2 * scene.texture + 3) for item in counted]))
    purity = sum(item.area for item in counted) / (sum(item.area for item in items) + trial.specks)
    group = Family(tuple(counted))
    score = _overlap(meant.box, box) ** 2 * sharp * trial.honest * float(np.exp(-group.scatter)) * explained(
        counted, scene.edges, scene.texture) * len(counted) / (len(counted) + 2)
    return CountSet(families=(group,), score=score, purity=max(min(purity, 1.0), TOLD), sharpness=sharp, cut=cut,
                    leftover=0, spare=as_large(others, counted, like), layer=trial.layer, dark=trial.dark)


def _meant(items: list[Item], box: Box) -> Item | None:
    """The shape that the box points at."""
    best = max(items, key=lambda item: _overlap(item.box, box), default=None)
    return best if best is not None and _overlap(best.box, box) >= MEANT else None


def _all_parts(items: list[Item], box: Box, scene: Scene, hint: Hint) -> list[Item]:
    """Parts of the shapes in which the example touches others."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    around = [item for item in items if item.box[0] <= x < item.box[2] and item.box[1] <= y < item.box[3]]
    apart = separated(items, scene.edges, hint)
    return apart + [part for item in around for part in split(item, scene.edges)]


def _near(items: list[Item], meant: Item) -> NDArray[np.bool_]:
    """(N,) whether each item is like the one that was pointed at."""
    return np.asarray(np.linalg.norm(features(items) - features([meant]), axis=1) <= ALIKE)


def _overlap(first: Box, second: Box) -> float:
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    sizes = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return both / (sum(sizes) - both)


def _by_pattern(scene: Scene, box: Box) -> CountSet | None:
    """Places that look like the example in any turn.

    Source: normalised cross-correlation (Lewis 1995) with the turned example, on a reduced copy.
    """
    shrink = min(1.0, float(np.sqrt(COARSE / scene.light.size)))
    height, width = scene.light.shape
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    image = np.asarray(cv2.resize(scene.light, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    x0, y0, x1, y1 = (round(v * shrink) for v in box)
    pattern = image[max(y0, 0):y1, max(x0, 0):x1]
    if min(pattern.shape) < 6 or min(image.shape) <= max(pattern.shape) or float(pattern.std()) < 2:
        return None
    best, turn = _best_turn(image, pattern)
    places = _peaks(best, turn, pattern.shape)
    if not places:
        return None
    items = tuple(_turned_item(place, pattern.shape, shrink, scene.edges) for place in places)
    values = np.array([best[y, x] for x, y, _ in places])
    doubtful = int((values < PATTERN + 0.1).sum())
    return CountSet(families=(Family(items),), score=float(values.mean()), purity=1.0, sharpness=float(values.mean()),
                    cut=0, leftover=doubtful, layer="pattern")


def _best_turn(image: NDArray[np.float32],
               pattern: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """(H, W) best correlation with the example centred at each pixel, and in which turn."""
    best = np.full(image.shape, -1.0, dtype=np.float32)
    turn = np.zeros(image.shape, dtype=np.int32)
    high, wide = pattern.shape
    for k in range(TURNS):
        matrix = cv2.getRotationMatrix2D(((wide - 1) / 2, (high - 1) / 2), k * 360 / TURNS, 1.0)
        turned = cv2.warpAffine(pattern, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE)
        found = cv2.matchTemplate(image, turned, cv2.TM_CCOEFF_NORMED)
        top, left = high // 2, wide // 2
        part = best[top:top + found.shape[0], left:left + found.shape[1]]
        better = found > part
        part[better] = found[better]
        turn[top:top + found.shape[0], left:left + found.shape[1]][better] = k
    return best, turn


def _peaks(best: NDArray[np.float32], turn: NDArray[np.int32], shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Places of local best likeness, none closer than 0.7 of the example's shorter side."""
    apart = 0.7 * min(shape)
    rows, columns = np.nonzero(best > PATTERN)
    order = np.argsort(-best[rows, columns], kind="stable")
    kept: list[tuple[int, int, int]] = []
    for i in order:
        x, y = int(columns[i]), int(rows[i])
        if all((x - a) ** 2 + (y - b) ** 2 >= apart**2 for a, b, _ in kept):
            kept.append((x, y, int(turn[y, x])))
    return kept


def _turned_item(place: tuple[int, int, int], shape: tuple[int, ...], shrink: float,
                 edges: NDArray[np.float32]) -> Item:
    """The example's box, turned and put where it was found, in pixels of the scene."""
    x, y, k = place
    centre = ((x + 0.5) / shrink, (y + 0.5) / shrink)
    corners = cv2.boxPoints((centre, (shape[1] / shrink, shape[0] / shrink), -k * 360 / TURNS))
    limit = np.array([edges.shape[1] - 1, edges.shape[0] - 1])
    return item_of(np.clip(np.round(corners), 0, limit).astype(np.int32).reshape(-1, 1, 2), edges)
