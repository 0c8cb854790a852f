"""Cut shapes apart that touch."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.counting.items import Item, filled, item_of

NECK = 0.8
"""Two bodies are apart if the way from one to the other is this much narrower than the smaller of them."""
STEPS = 14
DEEP, APART = 0.75, 1.4
"""Of discs of one radius: least depth of a centre, and least distance of two, in radii. Two discs that share a quarter
of their diameter lie 1.5 radii apart, and the way between them is 0.66 radii deep."""


def split(item: Item, edges: NDArray[np.float32], *, neck: float = NECK) -> list[Item]:
    """Cut a shape at its necks.

    Args:
        item: One shape.
        edges: (H, W) steepness of the picture, for the features of the parts.
        neck: How much narrower the way between two bodies must be than the smaller one.
    Returns:
        The parts, or the item itself if it has no neck.
    Source: bodies from the levels of the distance transform (Vincent and Soille 1991), the rest to the nearest body.
    """
    mask, corner = filled(item)
    return _grown(mask, _bodies(np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)), neck), item,
                  edges, corner)


def discs(item: Item, edges: NDArray[np.float32], *, radius: float) -> list[Item]:
    """Cut a pile of round things of one radius, px, that may lie over each other by a quarter.

    Source: peaks of the distance transform as seeds (Vincent and Soille 1991), deepest first, none closer than
        `APART` radii to another.
    """
    mask, corner = filled(item)
    depth = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5))
    rows, columns = np.nonzero(depth >= max(DEEP * radius, 2.0))
    order = np.argsort(-depth[rows, columns], kind="stable")
    seeds = np.zeros(depth.shape, dtype=np.int32)
    taken = np.zeros(depth.shape, dtype=np.uint8)
    for i in order:
        if not taken[rows[i], columns[i]]:
            seeds[rows[i], columns[i]] = seeds.max() + 1
            cv2.circle(taken, (int(columns[i]), int(rows[i])), max(1, round(APART * radius)), 1, -1)
    return _grown(mask, seeds, item, edges, corner)


def by_holes(item: Item, edges: NDArray[np.float32], *, area: float) -> list[Item]:
    """Cut a pile of things that have one hole each, of about `area` px2: each hole is one thing."""
    mask, corner = filled(item)
    seeds = np.zeros(mask.shape, dtype=np.int32)
    for hole in item.holes:
        if 0.3 * area < cv2.contourArea(hole) < 2 * area:
            x, y = np.round(hole.reshape(-1, 2).mean(axis=0)).astype(int) - corner
            seeds[y, x] = seeds.max() + 1
    return _grown(mask, seeds, item, edges, corner)


def _grown(mask: NDArray[np.bool_], bodies: NDArray[np.int32], item: Item, edges: NDArray[np.float32],
           corner: tuple[int, int]) -> list[Item]:
    """Give every pixel of a mask to its nearest body; the parts, or the item itself if there is but one body."""
    x, y = corner
    if bodies.max() < 2:
        return [item]
    _, nearest = cv2.distanceTransformWithLabels((bodies == 0).astype(np.uint8), cv2.DIST_L2, 5,
                                                 labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    table[nearest[bodies > 0]] = bodies[bodies > 0]
    grown = np.where(mask, table[nearest], 0)
    parts = []
    for label in range(1, int(bodies.max()) + 1):
        piece = (grown == label).astype(np.uint8)
        contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
        if contours:
            largest = max(contours, key=cv2.contourArea)
            if len(largest) >= 4:
                parts.append(item_of(_inside(largest, edges.shape), edges))
    return parts or [item]


def _inside(contour: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    limit = np.array([shape[1] - 1, shape[0] - 1])
    return np.clip(contour, 0, limit).astype(np.int32)


@dataclass(eq=False)
class _Body:
    peak: float
    place: tuple[int, int]
    cells: NDArray[np.bool_]
    """(H, W) as it was just before it met another."""
    settled: bool = False
    """Already among the final bodies; only marks the place."""


def _bodies(depth: NDArray[np.float32], neck: float) -> NDArray[np.int32]:
    """(H, W) int32: bodies numbered from 1, 0 elsewhere.

    Going from deep to shallow levels, every new island is a body. Where islands meet, the smaller stays a body of its
    own only if it is deep enough over the level at which they meet.
    """
    deepest = float(depth.max())
    alive: list[_Body] = []
    done: list[_Body] = []
    for level in deepest * np.geomspace(0.97, 0.25, STEPS):
        count, labels = cv2.connectedComponents((depth >= level).astype(np.uint8), connectivity=8)
        members: dict[int, list[_Body]] = {}
        for body in alive:
            members.setdefault(int(labels[body.place]), []).append(body)
        for label in range(1, count):
            inside = members.get(label, [])
            cells = labels == label
            if not inside:
                place = np.unravel_index(int(np.argmax(np.where(cells, depth, 0))), depth.shape)
                spot = (int(place[0]), int(place[1]))
                alive.append(_Body(float(depth[spot]), spot, cells))
            elif len(inside) == 1:
                inside[0].cells = cells
            else:
                _meet(inside, level, neck, alive, done)
    final = [body for body in done + alive if not body.settled and body.peak >= max(0.45 * deepest, 2.0)]
    numbered = np.zeros(depth.shape, dtype=np.int32)
    for number, body in enumerate(final, start=1):
        numbered[body.cells] = number
    return numbered


def _meet(inside: list[_Body], level: float, neck: float, alive: list[_Body], done: list[_Body]) -> None:
    """Islands have become one: those that are no bodies of their own are given up, the others are finished."""
    inside.sort(key=lambda body: (-body.settled, -body.peak))
    first, others = inside[0], inside[1:]
    own = [body for body in others if level <= neck * body.peak and not body.settled]
    for body in others:
        alive.remove(body)
    done += own
    if own and not first.settled:
        # The deepest one is settled too; it stays alive only to mark where the others already meet.
        done.append(_Body(first.peak, first.place, first.cells))
        first.settled = True
