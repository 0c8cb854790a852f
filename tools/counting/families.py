"""Shapes that are alike."""

from dataclasses import dataclass

import numpy as np

from tools.counting.items import Item, features

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
