"""Which shapes are several touching things, into which parts they fall, and what the border cuts off."""

from dataclasses import replace

import cv2
import numpy as np

from tools.counting.families import Family, families
from tools.counting.items import Edges, Floats, Item, features, filled
from tools.counting.nouns import Hint
from tools.counting.split import by_holes, discs, split

NECKS = (0.72, 0.8, 0.88)
"""How much narrower than a body the way to the next one must be: strict, usual, lenient. The cut whose parts fit best
what a single thing looks like is taken."""
HALF = 0.5
"""Share of a thing that the border must leave for it to be counted."""
REST = 0.06
"""Less than this at the border may be anything."""
UNCLEAR = 0.65
"""Up to this share it may as well be less than half: sizes differ."""
EVEN = 0.25
"""Relative spread of the areas up to which things that repeat are single ones."""
CONVEX = 0.96
"""A shape that fills this much of its hull, or nearly as much as a single one does, is one thing, whatever its size:
two discs that share a quarter of their diameter fill 0.95."""
WHOLE = 0.88
"""Two discs that touch in a point fill 0.88 of their hull."""
PILE = 12
"""A shape as large as more things than this is no pile of them but something else."""
FIT = 1.0
"""Misfit of a part from which on it may be none: area off by a third, or outline by one allowed difference."""


def without_cut(items: list[Item]) -> tuple[list[Item], int]:
    """Leave out what the border of the picture cuts to less than half of its like.

    Returns:
        The others, and how many were left out that may be things of the kind: not wider than those that are whole.
    """
    whole = [item for item in items if not item.cut]
    if not whole:
        return items, 0
    usual = float(np.median([item.area for item in whole]))
    length, edge = (float(np.median([getattr(item, name) for item in whole])) for name in ("length", "edge"))
    kept, cut = [], 0
    for item in items:
        share = item.area / usual
        if not item.cut or UNCLEAR <= share <= 2.5:
            kept.append(item)
        elif HALF <= share < UNCLEAR:
            kept.append(replace(item, shaky=True))
        elif REST <= share < HALF and item.length < 1.25 * length and item.edge > 0.5 * edge:
            cut += 1
    return kept, cut


def fits_in(item: Item, whole: Item) -> bool:
    """Whether a shape at the border can be what is left of a thing: neither longer nor wider than a whole one."""
    return (item.length < 1.2 * whole.length and item.width < 1.2 * whole.width
            and HALF * whole.area <= item.area <= 1.2 * whole.area)


def separated(items: list[Item], edges: Edges, hint: Hint) -> list[Item]:
    """Cut those shapes that are several touching ones."""
    base = _single(items, hint)
    convex = [item.area for item in items if item.solidity > CONVEX]
    largest = float(np.quantile(convex, 0.9)) if convex else 0.0
    result = []
    for item in items:
        alone = base is not None and any(item is one for one in base.items)
        if alone or (item.solidity > 0.93 and (base is None or item.area < 1.6 * base.area)):
            result.append(item)
        elif item.solidity > WHOLE and item.area < 1.1 * largest and len(item.holes) < 2:
            result.append(item)  # where single things are as large as this, its size does not make it two
        else:
            result += parts_like(item, edges, base)
    return result


def _single(items: list[Item], hint: Hint) -> Family | None:
    """The family that shows what a single thing looks like, if there is one."""
    groups = families(items)
    if not groups:
        return None
    if not hint.round and len(groups[0].items) >= max(3, len(items) / 2) and groups[0].scatter < EVEN:
        return groups[0]  # what repeats so often is the thing itself, even if it has a neck as a screw has
    if hint.round and (most := max(item.solidity for item in items)) > 0.93:
        return families([item for item in items if item.solidity > most - 0.03])[0]
    base = next((g for g in groups if len(g.items) >= 2 and _solid(g) > 0.88), None)
    if base is not None:
        halves = [g for g in groups if 0.4 < g.area / base.area < 0.65 and _solid(g) > _solid(base) + 0.02]
        return halves[0] if halves else base
    return None


def _solid(family: Family) -> float:
    return float(np.mean([item.solidity for item in family.items]))


def _hole(base: Family) -> float | None:
    """Area of the hole that every thing of a family has, px2; None if they have none or several."""
    sizes = [cv2.contourArea(item.holes[0]) for item in base.items if len(item.holes) == 1]
    if len(sizes) < 0.8 * len(base.items) or np.median(sizes) < max(12.0, 0.06 * base.area):
        return None
    return float(np.median(sizes))


def parts_like(item: Item, edges: Edges, base: Family | None) -> list[Item]:
    """The parts of a shape if they are more like things of their own than the whole is, else the shape."""
    if base is None:
        return _parts_alone(item, edges)
    convex = max(CONVEX, float(np.median([one.solidity for one in base.items])) - 0.04)
    if item.area <= 1.35 * base.area or item.solidity > convex:
        return [item]
    tried = [parts for neck in NECKS if len(parts := split(item, edges, neck=neck)) > 1]
    if float(np.median([one.aspect for one in base.items])) < 1.35:
        tried += [parts for parts in [discs(item, edges, radius=_inner(base))] if len(parts) > 1]
    if (hole := _hole(base)) is not None and len(parts := by_holes(item, edges, area=hole)) > 1:
        return [replace(part, part=True, shaky=bool(off > 2 * FIT)) for part, off in
                zip(parts, misfit(parts, base), strict=True)]
    whole = float(misfit([item], base)[0])
    best = min(tried, key=lambda parts: float(np.mean(misfit(parts, base))), default=None)
    if best is None or float(np.mean(misfit(best, base))) >= whole:
        return [_pile(item, base)]
    return [replace(part, part=True, shaky=bool(off > FIT)) for part, off in
            zip(best, misfit(best, base), strict=True)]


def _parts_alone(item: Item, edges: Edges) -> list[Item]:
    """Parts of a shape when nothing shows what a single thing looks like: they must be alike and more convex."""
    parts = split(item, edges)
    if len(parts) < 2:
        return [item]
    areas = np.array([part.area for part in parts])
    solid = float(np.mean([part.solidity for part in parts]))
    spread = float(areas.std() / areas.mean())
    if spread >= 0.35 or solid <= item.solidity + 0.04:
        return [item]
    return [replace(part, part=True, shaky=spread > 0.2) for part in parts]


def misfit(parts: list[Item], base: Family) -> Floats:
    """(N,) how far each part is from a single thing, in allowed differences: area first, outline at half weight."""
    own, usual = features(parts), np.median(features(list(base.items)), axis=0)
    area = np.abs([np.log(part.area / base.area) for part in parts]) / 0.35
    return np.asarray(area + 0.5 * np.abs(own - usual)[:, 1:].max(axis=1), dtype=np.float64)


def _pile(item: Item, base: Family) -> Item:
    """A shape that could not be cut; as many things as its area holds may be in it if its outline is not a single's."""
    outline = float(np.abs(features([item]) - np.median(features(list(base.items)), axis=0))[0, 1:].max())
    many = round(item.area / base.area)
    return replace(item, extra=max(0, many - 1)) if outline > 0.8 and many <= PILE else item


def _inner(base: Family) -> float:
    """Radius of the circle inside a typical member, px."""
    radii = []
    for item in base.items[:7]:
        mask, _ = filled(replace(item, gaps=()))
        radii.append(float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max()))
    return float(np.median(radii))
