"""Shapes cut out of a mask, with what is needed to say which of them are alike."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, Mask, Points

Floats = NDArray[np.float64]
Edges = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Item:
    """One shape in pixels of the mask."""

    contour: NDArray[np.int32]
    """(N, 1, 2) outer contour through pixel centres."""
    box: Box
    area: float
    """Holes included, px2."""
    length: float
    width: float
    angle_deg: float
    """Of the long side against the horizontal, counter-clockwise positive, in (-90, 90]."""
    solidity: float
    """Area over that of the convex hull."""
    fill: float
    """Area over that of the smallest rectangle around it."""
    centre: tuple[float, float]
    edge: float
    """Steepness of the picture along the contour, grey levels a pixel: half its mean, half what 80 % of it exceed."""
    cut: bool
    """It touches the border of the picture."""
    thickness: float = 0.0
    """Widest place of its body, holes open, px; 0 if it was not asked for."""
    gaps: tuple[NDArray[np.int32], ...] = ()
    """Contours of enclosed background that is no hole of the thing but a gap between several."""
    holes: tuple[NDArray[np.int32], ...] = ()
    """Contours of enclosed background that is a hole of the thing."""
    part: bool = False
    """It was cut out of a shape that is several touching things."""
    shaky: bool = False
    """It may as well be no thing of its own."""
    extra: int = 0
    """So many more things may be in it: a pile that could not be cut apart."""

    @property
    def aspect(self) -> float:
        return self.length / max(self.width, 1e-6)



def steepness(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) gradient magnitude, grey levels a pixel, the largest of each 3 x 3 neighbourhood."""
    dx = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.dilate(cv2.magnitude(dx, dy), np.ones((3, 3), np.uint8)), dtype=np.float32)


def items_of(mask: Mask, edges: NDArray[np.float32], *, least: float) -> list[Item]:
    """Outer shapes of a mask (what lies in the hole of another shape belongs to it).

    Args:
        mask: (H, W) bool, background already removed.
        edges: (H, W) from `steepness`.
        least: Smallest area, px2.
    """
    contours, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return []
    gaps: dict[int, list[NDArray[np.int32]]] = {}
    holes: dict[int, list[NDArray[np.int32]]] = {}
    for contour, (_, _, _, parent) in zip(contours, tree[0], strict=True):
        if parent >= 0 and tree[0][parent][3] < 0:
            kind = gaps if _is_gap(contour, contours[parent], mask) else holes
            kind.setdefault(int(parent), []).append(contour)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    found = []
    for i, contour in enumerate(contours):
        if tree[0][i][3] < 0 and len(contour) >= 4 and _area(contour) >= least:
            x, y, w, h = cv2.boundingRect(contour)
            thick = 2 * float(depth[y:y + h, x:x + w].max())
            found.append(replace(item_of(contour, edges), thickness=thick, gaps=tuple(gaps.get(i, ())),
                                 holes=tuple(holes.get(i, ()))))
    return found


def _is_gap(contour: NDArray[np.int32], around: NDArray[np.int32], mask: Mask) -> bool:
    """A hole that bulges inwards, or is small beside the bodies around it, lies between things that touch."""
    area = float(cv2.contourArea(contour))
    if area < 6:
        return False
    if area < 0.85 * float(cv2.contourArea(cv2.convexHull(contour))):
        return True
    x, y, w, h = cv2.boundingRect(around)
    depth = float(cv2.distanceTransform(np.pad(mask[y:y + h, x:x + w], 1).astype(np.uint8), cv2.DIST_L2, 3).max())
    return area < 0.12 * np.pi * depth**2


def item_of(contour: NDArray[np.int32], edges: NDArray[np.float32]) -> Item:
    """Features of one contour."""
    area = _area(contour)
    hull = cv2.convexHull(contour)
    (_, _), size, turn = cv2.minAreaRect(hull)
    length, width = max(size) + 1.0, min(size) + 1.0
    angle = -(turn if size[0] >= size[1] else turn + 90)
    angle = (angle + 90) % 180 - 90
    m = cv2.moments(contour)
    x, y, w, h = cv2.boundingRect(contour)
    centre = (m["m10"] / m["m00"], m["m01"] / m["m00"]) if m["m00"] > 0 else (x + w / 2 - 0.5, y + h / 2 - 0.5)
    flat = contour.reshape(-1, 2)
    height, wide = edges.shape
    # Where the border of the picture cuts a thing there is no edge to see.
    free = (flat > 0).all(axis=1) & (flat[:, 0] < wide - 1) & (flat[:, 1] < height - 1)
    seen = flat[free] if free.any() else flat
    along = edges[seen[:, 1], seen[:, 0]]
    edge = 0.5 * float(along.mean()) + 0.5 * float(np.quantile(along, 0.2))
    return Item(contour=contour, box=(x, y, x + w, y + h), area=area, length=length, width=width,
                angle_deg=float(90.0 if angle == -90 else angle),
                solidity=area / _area(hull), fill=min(1.0, area / (length * width)),
                centre=(centre[0] + 0.5, centre[1] + 0.5), edge=edge,
                cut=x <= 0 or y <= 0 or x + w >= wide or y + h >= height)


def _area(contour: NDArray[np.int32]) -> float:
    """Pixels inside a contour, its own included (Pick's theorem: the polygon runs through pixel centres)."""
    return float(cv2.contourArea(contour)) + len(contour) / 2 + 1 if len(contour) > 2 else float(len(contour))


def filled(item: Item, margin: int = 1) -> tuple[Mask, tuple[int, int]]:
    """(h, w) bool of one item, holes closed but not gaps, in a window with a margin, and the window's corner."""
    x, y, w, h = cv2.boundingRect(item.contour)
    canvas = np.zeros((h + 2 * margin, w + 2 * margin), np.uint8)
    cv2.drawContours(canvas, [item.contour], -1, 1, cv2.FILLED, offset=(margin - x, margin - y))
    cv2.drawContours(canvas, item.gaps, -1, 0, cv2.FILLED, offset=(margin - x, margin - y))
    return canvas.astype(bool), (x - margin, y - margin)


def features(items: list[Item]) -> Floats:
    """(N, 4) of log area, log aspect, solidity, fill, each over how much it may differ among alike things."""
    rows = [(np.log(i.area) / 0.40, np.log(i.aspect) / 0.35, i.solidity / 0.12, i.fill / 0.16) for i in items]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def centres(items: list[Item]) -> Points:
    """(N, 2) centres."""
    return np.array([item.centre for item in items], dtype=np.float64).reshape(-1, 2)
