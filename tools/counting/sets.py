"""From the shapes of one mask to a set of alike things, with how convincing the set is."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.counting.apart import misfit, separated, without_cut
from tools.counting.families import ALIKE, Family, families
from tools.counting.items import Item, features
from tools.counting.nouns import Hint

LONE = 0.6
"""What a single thing counts as, between one that repeats (1) and several that are all different (0)."""
DOUBTED = 0.6
"""Share of its weight that a set loses whose things may all be none."""
KINDS = 5.0
"""Two kinds of shape lie this many times further apart than each spreads; one normal spread cut in half gives 2.7."""


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
    spare: int = 0
    """Those of them that are as large as the counted ones."""
    kinds: tuple[int, int] | None = None
    """Sizes of two kinds of shape among the counted things."""
    hit: float = 1.0
    """Overlap of the thing that was pointed at with the box around it."""
    layer: str = ""
    dark: bool = False

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for family in self.families for item in family.items)

    @property
    def shaky(self) -> int:
        """Counted things that may be none."""
        return sum(item.shaky for item in self.items)

    @property
    def merged(self) -> int:
        """Things that may be hidden in piles."""
        return sum(item.extra for item in self.items)


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
    if touching:
        items = separated(items, edges, hint)
    kept, cut = without_cut(items)
    if not kept:
        return None
    groups = families(kept)
    chosen = _belonging(groups, hint)
    others = [item for family in groups if all(family is not one for one in chosen) for item in family.items]
    chosen, others = _with_odd_ones(chosen, others)
    counted = [item for family in chosen for item in family.items]
    purity = sum(item.area for item in counted) / max(whole, 1e-9)
    sharp = np.array([item.edge / (item.edge + 2 * texture + 3) for item in counted])
    score = honest * _score(chosen, counted, sharp, min(purity, 1.0), edges.size)
    score *= explained(counted, edges, texture) * (1 - DOUBTED * float(np.mean([item.shaky for item in counted])))
    base = max(chosen, key=lambda family: len(family.items))
    return CountSet(families=tuple(chosen), score=score, purity=min(purity, 1.0), sharpness=float(sharp.mean()),
                    cut=cut, leftover=len(others), spare=as_large(others, counted, base), layer=layer, dark=dark,
                    kinds=None if hint.anything else _sizes(two_kinds(counted)))


def _sizes(kinds: tuple[bool, ...] | None) -> tuple[int, int] | None:
    """How many are of each of two kinds, the larger first."""
    if kinds is None:
        return None
    few, many = sorted((sum(kinds), len(kinds) - sum(kinds)))
    return (many, few)


def _with_odd_ones(chosen: list[Family], others: list[Item]) -> tuple[list[Family], list[Item]]:
    """Take in what has the area, thickness and edges of the largest family but another outline: a bent pin."""
    base = max(chosen, key=lambda family: len(family.items))
    if len(base.items) < 3:
        return chosen, others
    thick = float(np.median([item.thickness for item in base.items]))
    edge = float(np.median([item.edge for item in base.items]))
    odd = [item for item in others if 0.75 < item.area / base.area < 1.3 and item.edge > 0.7 * edge
           and thick and 0.75 < item.thickness / thick < 1.3]
    if not odd:
        return chosen, others
    taken = [replace(item, shaky=True) for item in odd]
    return [*chosen, Family(tuple(taken))], [item for item in others if not any(item is one for one in odd)]


def as_large(others: list[Item], counted: list[Item], base: Family) -> int:
    """How many of the shapes that were left out are as large and as clear as those counted, and could be such things.

    A plate or a label beside them has another thickness, so its size alone does not make it one of them.
    """
    areas = [item.area for item in counted]
    low, high = 0.6 * min(areas), 1.7 * max(areas)
    edge = 0.5 * float(np.median([item.edge for item in counted]))
    return sum(low < item.area < high and item.edge > edge and float(misfit([item], base)[0]) < 3.5 for item in others)


def two_kinds(items: list[Item]) -> tuple[bool, ...] | None:
    """Which of two kinds of compact shape each item is; None if they are of one kind.

    Things of one kind spread evenly in each trait; two kinds leave a gap many times wider than either spreads. Long
    things are left out: screws of two lengths are still screws.
    """
    sound = np.array([not (i.cut or i.part or i.shaky) and i.aspect < 2 for i in items], dtype=bool)
    if sound.sum() < 6 or sound.mean() < 0.8:
        return None
    for trait, least in ((np.log([i.aspect for i in items]), 0.02), (np.array([i.solidity for i in items]), 0.01),
                         (np.array([i.fill for i in items]), 0.01)):
        order = np.sort(trait[sound])
        side = int(np.argmax(np.diff(order)[1:-1])) + 2
        low, high = order[:side], order[side:]
        within = float(np.sqrt((low.var() * len(low) + high.var() * len(high)) / len(order))) + least
        if high.mean() - low.mean() > KINDS * within and high[0] - low[-1] > 2 * within:
            return tuple(bool(value >= high[0]) for value in trait)
    return None


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
