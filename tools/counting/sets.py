"""From the shapes of one mask to a set of alike things, with how convincing the set is."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.counting.items import Item, features
from tools.counting.nouns import Hint
from tools.counting.split import split

LONE = 0.6
"""What a single thing counts as, between one that repeats (1) and several that are all different (0)."""
ALIKE = 1.6
"""Distance in `features` up to which two shapes are alike."""


@dataclass(frozen=True)
class Family:
    """Shapes that are alike."""

    items: tuple[Item, ...]

    @property
    def area(self) -> float:
        return float(np.median([item.area for item in self.items]))

    @property
    def scatter(self) -> float:
        """Relative spread of the areas."""
        areas = np.array([item.area for item in self.items])
        return float(areas.std() / areas.mean())


@dataclass(frozen=True)
class CountSet:
    """A candidate answer."""

    families: tuple[Family, ...]
    score: float
    purity: float
    """Area that is counted over the area of all that stood out."""
    sharpness: float
    """0 to 1: how clear the edges of the things are over the texture."""
    cut: int
    """Things left out because the border cuts most of them off."""
    leftover: int
    """Other shapes that stood out and were not counted."""
    layer: str = ""
    dark: bool = False

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for family in self.families for item in family.items)


def families(items: list[Item]) -> list[Family]:
    """Group alike shapes, the largest family first; the shape with most alike ones starts each family."""
    left = list(items)
    found = []
    while left:
        table = features(left)
        near = np.linalg.norm(table[:, None] - table[None], axis=2) <= ALIKE
        areas = np.array([item.area for item in left])
        core = int(np.argmax(near.sum(axis=1) + 1e-6 * areas / areas.max()))
        members = near[core]
        found.append(Family(tuple(item for item, inside in zip(left, members, strict=True) if inside)))
        left = [item for item, inside in zip(left, members, strict=True) if not inside]
    return sorted(found, key=lambda family: -len(family.items))


def build(items: list[Item], edges: NDArray[np.float32], *, texture: float, hint: Hint, touching: bool,
          specks: float, honest: float, layer: str = "", dark: bool = False) -> CountSet | None:
    """Make a set out of the shapes of one mask.

    Args:
        items: Shapes of the mask.
        edges: (H, W) steepness of the picture.
        texture: Steepness that the surface itself has.
        hint: What the noun says.
        touching: Cut touching things apart.
        specks: Area of what is too small to be a thing, px2.
        honest: 0 to 1, how far the border of what was taken as background lies on edges.
    Returns:
        The set, or None if nothing is left.
    """
    whole = sum(item.area for item in items) + specks
    kept, cut = without_cut(items)
    if not kept:
        return None
    if touching:
        kept = separated(kept, edges, hint)
    chosen = _belonging(families(kept), hint)
    counted = [item for family in chosen for item in family.items]
    purity = sum(item.area for item in counted) / max(whole, 1e-9)
    sharp = np.array([item.edge / (item.edge + 2 * texture + 3) for item in counted])
    score = honest * _score(chosen, counted, sharp, min(purity, 1.0), edges.size)
    score *= explained(counted, edges, texture)
    return CountSet(families=tuple(chosen), score=score, purity=min(purity, 1.0), sharpness=float(sharp.mean()),
                    cut=cut, leftover=len(kept) - len(counted), layer=layer, dark=dark)


def _score(chosen: list[Family], counted: list[Item], sharp: NDArray[np.float64], purity: float,
           size: int) -> float:
    """Clear edges, whole shapes, many alike, little else that stands out in the same way, not tiny."""
    many = len(counted)
    repeated = LONE if many == 1 else sum(len(g.items) for g in chosen if len(g.items) > 1) / many
    tight = float(np.average([np.exp(-family.scatter / 0.5) for family in chosen],
                             weights=[len(family.items) for family in chosen]))
    solid = float(np.mean([item.solidity for item in counted]))
    cover = sum(item.area for item in counted) / size
    alike = (0.3 + 0.7 * repeated) * tight * many / (many + 2)
    return float(sharp.mean() ** 1.5 * solid * purity * alike * cover**0.1)


def explained(counted: list[Item], edges: NDArray[np.float32], texture: float) -> float:
    """How much of all that has edges in the picture lies on the counted things, as a factor from 0.3 to 1."""
    strong = np.clip(edges - 4 * texture - 3, 0, None)
    covered = np.zeros(edges.shape, np.uint8)
    cv2.drawContours(covered, [item.contour for item in counted], -1, 1, cv2.FILLED)
    cv2.drawContours(covered, [item.contour for item in counted], -1, 1, 5)
    share = float(strong[covered > 0].sum() / max(float(strong.sum()), 1e-6))
    return float(0.3 + 0.7 * share**0.5)


def without_cut(items: list[Item]) -> tuple[list[Item], int]:
    """Leave out what the border of the picture cuts to less than 60 % of its like; count how many."""
    whole = [item for item in items if not item.cut]
    if not whole:
        return items, 0
    usual = float(np.median([item.area for item in whole]))
    kept = [item for item in items if not item.cut or 0.6 * usual <= item.area <= 2.5 * usual]
    return kept, len(items) - len(kept)


def separated(items: list[Item], edges: NDArray[np.float32], hint: Hint) -> list[Item]:
    """Cut those shapes that are several touching ones."""
    groups = families(items)
    base = next((g for g in groups if len(g.items) >= 2 and np.mean([i.solidity for i in g.items]) > 0.88), None)
    if base is not None and hint.round and np.mean([i.solidity for i in base.items]) < 0.93:
        base = None
    single = [item for item in items if item.solidity > 0.93]
    if base is None and single and hint.round:
        base = families(single)[0]
    result = []
    for item in items:
        if base is not None and item in base.items:
            result.append(item)
            continue
        if item.solidity > 0.93 and (base is None or item.area < 1.6 * base.area):
            result.append(item)
            continue
        result += parts_like(item, edges, base)
    return result


def parts_like(item: Item, edges: NDArray[np.float32], base: Family | None) -> list[Item]:
    """The parts of a shape if they are more like things of their own than the whole is, else the shape."""
    parts = split(item, edges)
    if len(parts) < 2:
        return [item]
    areas = np.array([part.area for part in parts])
    solid = float(np.mean([part.solidity for part in parts]))
    if base is not None:
        fits = np.mean((areas > 0.5 * base.area) & (areas < 1.7 * base.area))
        return parts if fits >= 0.75 and item.area > 1.35 * base.area else [item]
    even = float(areas.std() / areas.mean()) < 0.35
    return parts if even and solid > item.solidity + 0.04 else [item]


def _belonging(groups: list[Family], hint: Hint) -> list[Family]:
    """The leading family and those others that belong to the same count."""
    best = max(groups, key=lambda g: len(g.items) ** 0.7 * g.area**0.5 * float(np.mean([i.edge for i in g.items])))
    return [group for group in groups if group is best or _belongs(group, best, hint)]


def _belongs(group: Family, best: Family, hint: Hint) -> bool:
    ratio = group.area / best.area
    edge = float(np.mean([i.edge for i in group.items])) / float(np.mean([i.edge for i in best.items]))
    if edge < 0.5 or not 0.1 <= ratio <= 10:
        return False
    if hint.anything:
        return True
    mine, other = _typical(group), _typical(best)
    shape = np.linalg.norm((mine - other)[1:]) <= ALIKE
    same_width = abs(np.log(_median(group, "width") / _median(best, "width"))) < 0.18
    same_length = abs(np.log(_median(group, "length") / _median(best, "length"))) < 0.12
    solid = abs(mine[2] - other[2]) < 1.0
    return bool((shape and 0.15 <= ratio <= 7) or ((same_width or same_length) and solid and 0.3 <= ratio <= 3))


def _typical(group: Family) -> NDArray[np.float64]:
    return np.asarray(np.median(features(list(group.items)), axis=0))


def _median(group: Family, name: str) -> float:
    return float(np.median([getattr(item, name) for item in group.items]))
