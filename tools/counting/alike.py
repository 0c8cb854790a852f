"""Count by example: the user points at one, those alike are counted."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box
from tools.counting.apart import FIT, fits_in, misfit, parts_like, separated, without_cut
from tools.counting.families import Family
from tools.counting.items import Item, features, items_of
from tools.counting.nouns import Hint
from tools.counting.pattern import by_pattern
from tools.counting.sets import CountSet, as_large, explained, two_kinds
from tools.counting.split import split
from tools.counting.trials import SMALLEST, Scene, Trial

MEANT = 0.5
"""Overlap (intersection over union) from which on a shape is what the box points at."""
ALIKE = 2.2
"""Distance in `features` up to which a shape is like the example: the user said which one, so it may be wider."""
FEW, SECOND = 4, 0.85
"""Up to so many things the look is asked as well as the outline; its say is worth this much of the outline's."""
HIDDEN = 0.25
"""Share of a thing that shows of one that lies under others."""
TOLD = 0.7
"""Whoever points at one thing says that all else does not matter, so other shapes make the count no less sure."""
WELL = 0.72
"""A shape that overlaps the box this well is the thing itself; below, it may be its label or its shadow."""


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
    sets.sort(key=lambda found: -found.score)
    well = bool(sets) and sets[0].hit >= WELL
    if well and len(sets[0].items) > FEW:
        return sets
    found = by_pattern(scene, box)
    if well:
        # Of few things that have an outline each, one may be hidden from every mask; its look can still speak for it.
        return sets if found is None else [*sets, replace(found, score=SECOND * sets[0].score)]
    if found is not None and (not sets or found.leftover == 0):
        return [found]
    # A shape that fills the box badly is a part of the thing, and what is like it may be no such thing.
    return [replace(one, sharpness=min(one.sharpness, 0.5)) for one in sets]


def _in_trial(scene: Scene, trial: Trial, box: Box, *, hint: Hint, touching: bool) -> CountSet | None:
    items = items_of(trial.mask, scene.edges, least=SMALLEST)
    meant = _meant(items, box) or (_meant(_all_parts(items, box, scene, hint), box) if touching else None)
    if meant is None:
        return None
    like = Family((meant,))
    if touching:
        items = [part for item in items for part in ([item] if item is meant else parts_like(item, scene.edges, like))]
    kept, cut = without_cut(items)
    near = _near(kept, meant)
    counted = [item for item, good in zip(kept, near, strict=True) if item.edge > 0.4 * meant.edge
               and (good or (item.part and misfit([item], like)[0] < 2 * FIT) or (item.cut and fits_in(item, meant)))]
    counted = _same_kind(counted, meant)
    if not counted:
        return None
    others = [item for item in kept if all(item is not one for one in counted)]
    # A part of a pile that fits badly is most of a thing that lies under another.
    hidden = sum(item.part and item.area > HIDDEN * meant.area for item in others)
    sharp = float(np.mean([item.edge / (item.edge + 2 * scene.texture + 3) for item in counted]))
    purity = sum(item.area for item in counted) / (sum(item.area for item in items) + trial.specks)
    group = Family(tuple(counted))
    score = _overlap(meant.box, box) ** 2 * sharp * trial.honest * float(np.exp(-group.scatter)) * explained(
        counted, scene.edges, scene.texture) * len(counted) / (len(counted) + 2)
    return CountSet(families=(group,), score=score, purity=max(min(purity, 1.0), TOLD), sharpness=sharp, cut=cut,
                    leftover=0, spare=max(hidden, as_large(others, counted, like)), layer=trial.layer, dark=trial.dark,
                    hit=_overlap(meant.box, box))


def _same_kind(items: list[Item], meant: Item) -> list[Item]:
    """If the shapes are of two kinds, those of the kind that was pointed at."""
    kinds = two_kinds(items)
    if kinds is None or all(item is not meant for item in items):
        return items
    own = next(kind for item, kind in zip(items, kinds, strict=True) if item is meant)
    return [item for item, kind in zip(items, kinds, strict=True) if kind == own or item.part or item.cut]


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
