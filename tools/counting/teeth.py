"""Things that stick out of one body: teeth of a gear, a comb or a saw."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.counting.families import Family, families
from tools.counting.items import Item, filled, items_of
from tools.counting.sets import CountSet

LEAST = 6.0
"""Smallest tooth, px2."""


def teeth(body: CountSet, edges: NDArray[np.float32]) -> CountSet | None:
    """The teeth of the largest thing of a set, or None if nothing repeated sticks out of it.

    Args:
        body: A set whose largest thing carries the teeth.
        edges: (H, W) steepness of the picture.
    Source: what an opening removes (Serra 1982), with discs of growing radius; the radius whose pieces are most alike.
    """
    carrier = max(body.items, key=lambda item: item.area)
    mask, corner = filled(carrier, margin=2)
    depth = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5))
    best: tuple[float, Family, int] | None = None
    for radius in float(depth.max()) * np.geomspace(0.02, 0.8, 16):
        if radius < 1.5:
            continue
        pieces = _pieces(mask, depth, radius, edges, corner)
        if len(pieces) < 3:
            continue
        group = families(pieces)[0]
        many = len(group.items)
        share = sum(item.area for item in group.items) / sum(item.area for item in pieces)
        size = sum(item.area for item in group.items) / carrier.area
        score = many / (many + 2) * share * float(np.exp(-group.scatter / 0.3)) * min(1.0, size / 0.05) ** 0.3
        if many >= 3 and (best is None or score > best[0]):
            best = (score, group, len(pieces) - many)
    if best is None or best[0] < 0.3:
        return None
    score, group, others = best
    return replace(body, families=(group,), score=score, purity=1.0, leftover=others, cut=0)


def _pieces(mask: Mask, depth: NDArray[np.float32], radius: float, edges: NDArray[np.float32],
            corner: tuple[int, int]) -> list[Item]:
    """What an opening of a mask by a disc removes, without the slivers at rounded corners."""
    core = (depth > radius).astype(np.uint8)
    if not core.any():
        return []
    opened = cv2.distanceTransform(1 - core, cv2.DIST_L2, 5) <= radius + 0.5
    rest = mask & ~opened
    window = np.zeros(mask.shape, dtype=np.float32)
    x, y = corner
    height, width = edges.shape
    top, left = max(y, 0), max(x, 0)
    part = edges[top:min(y + mask.shape[0], height), left:min(x + mask.shape[1], width)]
    window[top - y:top - y + part.shape[0], left - x:left - x + part.shape[1]] = part
    found = items_of(rest, window, least=LEAST)
    large = max((item.area for item in found), default=0.0)
    usual = float(np.median([item.area for item in found if item.area > 0.2 * large])) if found else 0.0
    shift = np.array(corner, dtype=np.int32)
    return [replace(item, contour=item.contour + shift, cut=False, centre=(item.centre[0] + x, item.centre[1] + y),
                    box=(item.box[0] + x, item.box[1] + y, item.box[2] + x, item.box[3] + y))
            for item in found if item.area > 0.25 * usual]
