"""Cut shapes apart that touch."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.counting.items import Item, filled, item_of

NECK = 0.8
"""Two bodies are apart if the way from one to the other is this much narrower than the smaller of them."""
STEPS = 14


def split(item: Item, edges: NDArray[np.float32]) -> list[Item]:
    """Cut a shape at its necks.

    Args:
        item: One shape.
        edges: (H, W) steepness of the picture, for the features of the parts.
    Returns:
        The parts, or the item itself if it has no neck.
    Source: bodies from the levels of the distance transform, then watershed from them (Vincent and Soille 1991).
    """
    mask, (x, y) = filled(item)
    depth = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5))
    seeds = _bodies(mask, depth)
    if seeds.max() < 2:
        return [item]
    parts = []
    grown = _grow(mask, depth, seeds)
    for label in range(1, int(seeds.max()) + 1):
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


def _bodies(mask: Mask, depth: NDArray[np.float32]) -> NDArray[np.int32]:
    """(H, W) int32: bodies numbered from 1, 0 elsewhere.

    Going from deep to shallow levels, every new island is a body. Where two islands meet, the smaller one stays a body
    of its own only if it is deep enough over the level at which they meet.
    """
    deepest = float(depth.max())
    bodies: list[tuple[float, tuple[int, int]]] = []
    alive: list[int] = []
    for level in deepest * np.geomspace(0.97, 0.2, STEPS):
        count, labels = cv2.connectedComponents((depth >= level).astype(np.uint8), connectivity=8)
        members: dict[int, list[int]] = {}
        for index in alive:
            members.setdefault(int(labels[bodies[index][1]]), []).append(index)
        for label in range(1, count):
            inside = members.get(label, [])
            if not inside:
                island = np.where(labels == label, depth, 0)
                place = np.unravel_index(int(np.argmax(island)), island.shape)
                bodies.append((float(island.max()), (int(place[0]), int(place[1]))))
                alive.append(len(bodies) - 1)
                continue
            highest = max(inside, key=lambda i: bodies[i][0])
            for index in inside:
                if index != highest and level > NECK * bodies[index][0]:
                    alive.remove(index)
    seeds = np.zeros(mask.shape, dtype=np.int32)
    strong = [i for i in alive if bodies[i][0] >= 0.45 * deepest and bodies[i][0] >= 2.0]
    for number, index in enumerate(strong, start=1):
        seeds[bodies[index][1]] = number
    return seeds


def _grow(mask: Mask, depth: NDArray[np.float32], seeds: NDArray[np.int32]) -> NDArray[np.int32]:
    """Watershed of the distance transform from the seeds, inside the mask."""
    relief = 255 - np.clip(depth / max(float(depth.max()), 1e-6) * 255, 0, 255).astype(np.uint8)
    markers = np.where(mask, 0, int(seeds.max()) + 1).astype(np.int32)
    spots = cv2.dilate(seeds.astype(np.uint16), np.ones((3, 3), np.uint8)).astype(np.int32)
    markers[(spots > 0) & mask] = spots[(spots > 0) & mask]
    cv2.watershed(cv2.cvtColor(relief, cv2.COLOR_GRAY2BGR), markers)
    return np.asarray(markers, dtype=np.int32)
