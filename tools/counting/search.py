"""The most convincing set of alike things over every way to see a picture."""

import numpy as np

from tools.counting.items import centres, items_of
from tools.counting.letters import outside, text_lines
from tools.counting.nouns import Hint
from tools.counting.sets import CountSet, build
from tools.counting.teeth import teeth
from tools.counting.trials import CLEAR, SMALLEST, Scene, finalists

LETTER = 0.1
"""Lettering higher than this share of the picture is not taken for lettering."""


def search(scene: Scene, *, hint: Hint, touching: bool) -> list[CountSet]:
    """Candidate sets, the most convincing first.

    Args:
        scene: The picture with all masks of it.
        hint: What the noun says.
        touching: Cut touching things apart.
    """
    edges = scene.edges
    cut = [(trial, items_of(trial.mask, edges, least=SMALLEST)) for trial in finalists(scene.trials)]
    highest = LETTER * min(edges.shape)
    lines = [] if hint.letters else [line for _, items in cut for line in text_lines(items, highest=highest)]
    sets: list[CountSet] = []
    for trial, shapes in cut:
        found = build(outside(shapes, lines), edges, texture=scene.texture, hint=hint, touching=touching,
                      specks=trial.specks, honest=trial.honest, layer=trial.layer, dark=trial.dark)
        if found is not None and found.sharpness >= CLEAR:
            sets.append(found)
    if hint.tooth:
        bodies = sorted(sets, key=lambda found: -max(item.area for item in found.items))[:3]
        toothed = [found for body in bodies if (found := teeth(body, edges)) is not None]
        if toothed:
            return sorted(toothed, key=lambda found: -found.score)
    return _agreed(sets)


def _agreed(sets: list[CountSet]) -> list[CountSet]:
    """Sort by score, weighted by how far the other ways to see the picture find the same things."""
    if not sets:
        return []
    best = max(found.score for found in sets)
    near = [found for found in sets if found.score > 0.3 * best]
    total = sum(found.score for found in near)
    support = [sum(other.score * _same(found, other) for other in near) / total for found in near]
    order = np.argsort([-found.score * share**0.25 for found, share in zip(near, support, strict=True)], kind="stable")
    return [near[i] for i in order]


def _same(first: CountSet, second: CountSet) -> float:
    """Share of things that both sets have: each centre close to one of the other set."""
    a, b = centres(list(first.items)), centres(list(second.items))
    reach = 0.35 * np.sqrt(np.array([item.area for item in first.items]))
    hits = int((np.linalg.norm(a[:, None] - b[None], axis=2).min(axis=1) <= reach).sum())
    return min(hits, len(b)) / max(len(a), len(b))
